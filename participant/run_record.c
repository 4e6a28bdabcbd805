/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be durable before anything else leaves, and the gate (include/quorate/run.h,
 * protocol.md D.8, F.7, G.8). A record that cannot be stored is refused: the run then fails and
 * says why. */
#include "participant/run.h"

#include "participant/outcome.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"
#include "system/core/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool storage_failed(struct run *run)
{
    char why[STORE_ERROR_MAX];

    store_error(run->keeper->store, why);
    log_event(LOG_ERROR, "cannot store", LOG_S("session", run->setup->session_id),
              LOG_S("trace", run->setup->trace_id), LOG_S("error", why));
    return refuse_for_now(&run->refusal, "STORAGE", "party %s cannot store its share",
                          run->keeper->rules.party_id);
}

/* Shares */

/* The roster's names, in the order of the indices. */
static char *roster_text(const struct run *run)
{
    struct buffer text = {0};

    for (size_t i = 0; i < run->permit.n; i++)
        buffer_printf(&text, i ? " %s" : "%s", run->setup->members[i]->party_id);
    return (char *)text.b;
}

static void fill_row(const struct run *run, struct store_share *row, const struct qrt_share *share)
{
    *row = (struct store_share){
        .attempt = run->setup->attempt,
        .epoch = share->epoch,
        .own = share->own,
        .purpose = run->permit.intent.purpose,
        .has_caller = run->permit.is_caller,
        .deadline_ms = run->setup->deadline_ms,
        .roster = roster_text(run),
    };
    memcpy(row->account_id, run->permit.account_id, sizeof row->account_id);
    snprintf(row->session_id, sizeof row->session_id, "%s", run->setup->session_id);
    memcpy(row->kgid, share->kgid, 32);
    memcpy(row->key_id, share->keyid, 32);
    memcpy(row->intent_hash, run->permit.intent_hash, 32);
    memcpy(row->caller_key, run->setup->initiator_key.data, 32);
}

static bool store_pending(struct run *run, const struct qrt_record *record)
{
    struct keeper *keeper = run->keeper;
    struct qrt_share share;
    struct store_share row;
    enum store_result stored;

    if (qrt_share_open_pending(&share, keeper->rules.ctx, record->b, record->len) != QRT_OK)
        return refuse_for_now(&run->refusal, "INTERNAL", "the new share is not sound");
    fill_row(run, &row, &share);
    stored = shares_seal(keeper->shares, &row, record->b, record->len)
                 ? store_put_pending(keeper->store, &row)
                 : STORE_FAILED;
    store_share_free(&row);
    return stored == STORE_OK || storage_failed(run);
}

/* A delegate's copy for the owner; nothing for other parties. */
static bool make_given(struct run *run, struct store_sealed *given, const struct store_share *row,
                       const struct qrt_share *share)
{
    const struct delegate *delegate = run->keeper->delegate;
    uint8_t recipient[32];

    if (!delegate_is_active(delegate))
        return true;
    if (!delegate_recipient(delegate, run->setup, &run->frame->open->user_public_key, recipient,
                            &run->refusal))
        return false;
    return delegate_seal(delegate, given, row, share, recipient, clock_unix_ms()) ||
           refuse(&run->refusal, "NO_USER_KEY", "the user's share cannot be sealed to the key");
}

static bool store_active(struct run *run, const struct qrt_record *record)
{
    struct keeper *keeper = run->keeper;
    struct qrt_share share;
    struct store_share row;
    struct store_sealed given = {0};
    enum store_result stored;

    if (qrt_share_open(&share, keeper->rules.ctx, record->b, record->len) != QRT_OK)
        return refuse_for_now(&run->refusal, "INTERNAL", "the new share is not sound");
    fill_row(run, &row, &share);
    row.status = STORE_ACTIVE;
    if (!make_given(run, &given, &row, &share)) {
        store_share_free(&row);
        return false;
    }
    stored = shares_seal(keeper->shares, &row, record->b, record->len)
                 ? store_activate(keeper->store, &row, given.sealed ? &given : NULL)
                 : STORE_FAILED;
    store_share_free(&row);
    store_sealed_free(&given);
    return stored == STORE_OK || storage_failed(run);
}

/* Burns */

static void doom(void *run)
{
    run_end(run, RUN_BURNED);
}

/* A share's stored record, and what becomes of it. */
struct change {
    const struct share_held *held;
    /* NULL: a peer's word only */
    const struct store_burn *burn;
    enum qrt_err (*apply)(uint8_t *record, size_t len, const void *arg);
    const void *arg;
};

/* In memory and durably; under burn_lock. */
static bool change_stored(struct keeper *keeper, const struct change *change)
{
    const struct share_held *held = change->held;
    const struct store_burn *burn = change->burn;
    struct store_share row, changed;
    enum store_result result;
    uint8_t *record;
    size_t len;

    result = store_get_key(keeper->store, &row, held->account_id, held->share.keyid);
    if (result == STORE_NONE) /* a share on loan, or one given to its owner meanwhile */
        return !burn || store_put_burn(keeper->store, NULL, burn) == STORE_OK;
    record = result == STORE_OK ? shares_unseal(keeper->shares, &row, &len, NULL) : NULL;
    store_share_free(&row);
    if (!record)
        return false;
    result = STORE_FAILED;
    if (len == held->record_len && change->apply(record, len, change->arg) == QRT_OK) {
        if (shares_reseal(keeper->shares, held, &changed, record))
            result = store_put_burn(keeper->store, &changed, burn);
        store_share_free(&changed);
    }
    secret_free(record);
    shares_drop(keeper->shares, held->share.kgid);
    return result == STORE_OK;
}

/* A burn as the library wrote it. */
struct burn_record {
    const uint8_t *b;
    size_t len;
};

static enum qrt_err apply_burn(uint8_t *record, size_t len, const void *arg)
{
    const struct burn_record *burn = arg;

    return qrt_share_burn(record, len, burn->b, burn->len);
}

static enum qrt_err apply_note(uint8_t *record, size_t len, const void *arg)
{
    return qrt_share_note_burn(record, len, *(const uint16_t *)arg);
}

/* Burns that are owed to the database. Until one is stored its key begins nothing here, and its run
 * is not told of. The party's own directory keeps its pair closed across a restart. */
struct unsaved_burn {
    struct unsaved_burn *next;
    struct share_held *held;
    struct store_burn pair;
    uint8_t *record;
    size_t len;
    char session_id[37];
    uint32_t attempt;
    struct refusal refusal;
};

static bool save(struct keeper *keeper, const struct unsaved_burn *unsaved)
{
    const struct burn_record record = {unsaved->record, unsaved->len};
    const struct change change = {unsaved->held, &unsaved->pair, apply_burn, &record};

    return change_stored(keeper, &change);
}

static void unsaved_free(struct unsaved_burn *unsaved)
{
    shares_put(unsaved->held);
    secret_free(unsaved->record);
    free(unsaved);
}

/* Outside the lock: the front may be slow to read. */
static void tell_saved(struct keeper *keeper, struct unsaved_burn *saved)
{
    while (saved) {
        struct unsaved_burn *next = saved->next;

        outcome_refused(keeper, saved->session_id, saved->attempt, &saved->refusal);
        unsaved_free(saved);
        saved = next;
    }
}

bool burns_save(struct keeper *keeper)
{
    struct unsaved_burn **at, *saved = NULL;
    bool all;

    if (atomic_load(&keeper->unsaved_n) == 0)
        return true;
    pthread_mutex_lock(&keeper->burn_lock);
    at = &keeper->unsaved;
    while (*at) {
        struct unsaved_burn *unsaved = *at;

        if (!save(keeper, unsaved)) {
            at = &unsaved->next;
            continue;
        }
        pthread_mutex_lock(&keeper->unsaved_lock);
        *at = unsaved->next;
        pthread_mutex_unlock(&keeper->unsaved_lock);
        atomic_fetch_sub(&keeper->unsaved_n, 1);
        unsaved->next = saved;
        saved = unsaved;
    }
    all = !keeper->unsaved;
    pthread_mutex_unlock(&keeper->burn_lock);
    tell_saved(keeper, saved);
    return all;
}

bool burns_are_owed(struct keeper *keeper, const uint8_t kgid[32])
{
    bool owed = false;

    if (atomic_load(&keeper->unsaved_n) == 0)
        return false;
    pthread_mutex_lock(&keeper->unsaved_lock);
    for (const struct unsaved_burn *u = keeper->unsaved; u; u = u->next)
        owed = owed || memcmp(u->pair.kgid, kgid, 32) == 0;
    pthread_mutex_unlock(&keeper->unsaved_lock);
    return owed;
}

void burns_free(struct keeper *keeper)
{
    while (keeper->unsaved) {
        struct unsaved_burn *unsaved = keeper->unsaved;

        keeper->unsaved = unsaved->next;
        unsaved_free(unsaved);
    }
}

/* Under burn_lock. */
static void owe(struct run *run, struct unsaved_burn *unsaved, bool is_reserved)
{
    run->owes_burn = true;
    (void)storage_failed(run);
    if (!is_reserved)
        log_event(
            LOG_ERROR,
            "this party's disk does not take a burn, which is written down nowhere: make room "
            "on it, or mend it, before the party is started again",
            LOG_S("session", run->setup->session_id), LOG_S("trace", run->setup->trace_id));
    unsaved->refusal = run->refusal;
    snprintf(unsaved->session_id, sizeof unsaved->session_id, "%s", run->setup->session_id);
    unsaved->attempt = run->setup->attempt;
    pthread_mutex_lock(&run->keeper->unsaved_lock);
    unsaved->next = run->keeper->unsaved;
    run->keeper->unsaved = unsaved;
    pthread_mutex_unlock(&run->keeper->unsaved_lock);
    atomic_fetch_add(&run->keeper->unsaved_n, 1);
}

/* Into the party's own directory first: a database may be waited for longer than this process
 * lives. */
static bool store_burned(struct run *run, const struct qrt_record *record,
                         const struct qrt_burn *burn)
{
    struct unsaved_burn *unsaved = mem_new(1, sizeof *unsaved);
    bool is_reserved, ok;

    unsaved->pair =
        (struct store_burn){.epoch = burn->epoch, .own = burn->own, .peer = burn->peers[0]};
    memcpy(unsaved->pair.kgid, burn->kgid, 32);
    unsaved->held = run->share;
    atomic_fetch_add(&run->share->refs, 1);
    unsaved->len = record->len;
    unsaved->record = secret_new(record->len);
    memcpy(unsaved->record, record->b, record->len);
    is_reserved = store_reserve_burn(run->keeper->store, &unsaved->pair);
    pthread_mutex_lock(&run->keeper->burn_lock);
    ok = save(run->keeper, unsaved);
    if (!ok)
        owe(run, unsaved, is_reserved);
    pthread_mutex_unlock(&run->keeper->burn_lock);
    if (ok)
        unsaved_free(unsaved);
    return ok;
}

void run_note_burn(struct run *run, uint16_t peer)
{
    const struct change change = {run->share, NULL, apply_note, &peer};

    pthread_mutex_lock(&run->keeper->burn_lock);
    if (!change_stored(run->keeper, &change))
        log_event(LOG_WARN, "cannot note a peer's burn", LOG_S("session", run->setup->session_id),
                  LOG_S("trace", run->setup->trace_id), LOG_I("peer", peer));
    pthread_mutex_unlock(&run->keeper->burn_lock);
}

/* Inside the lock nobody else's second round leaves. The burn is written down before the pair's
 * other runs end, which tell that it is burned. The pair stays closed even if the disk fails: then
 * nothing more leaves for it in this process, and what is owed to the disk is tried again. */
static bool burn(struct run *run, const struct qrt_record *record)
{
    struct keeper *keeper = run->keeper;
    struct qrt_burn burn;
    bool ok;

    if (qrt_burn_decode(&burn, record->b, record->len) != QRT_OK || burn.is_gate ||
        burn.peers_n != 1)
        return refuse_for_now(&run->refusal, "INTERNAL", "the burn record is not sound");
    (void)gate_enter(&run->seat, burn.peers, 1);
    ok = store_burned(run, record, &burn);
    gate_burn(keeper->gates, &run->seat, burn.peers[0], doom);
    gate_leave(&run->seat, burn.peers, 1);
    atomic_fetch_add(&keeper->counts.burned, 1);
    log_event(LOG_ERROR, "a peer's extension check failed: the pair is burned",
              LOG_S("session", run->setup->session_id), LOG_S("trace", run->setup->trace_id),
              LOG_S("account", run->permit.account_id),
              LOG_S("peer", run_party_of(run, burn.peers[0])));
    return ok;
}

/* Look, confirm and hand over inside the lock. */
static bool pass_gate(struct run *run, const struct qrt_record *record)
{
    struct qrt_burn gate;
    bool open;

    if (qrt_burn_decode(&gate, record->b, record->len) != QRT_OK || !gate.is_gate)
        return refuse_for_now(&run->refusal, "INTERNAL", "the gate record is not sound");
    open = gate_enter(&run->seat, gate.peers, gate.peers_n);
    if (open && qrt_peer_confirm(run->peer) == QRT_OK)
        run_send(run);
    gate_leave(&run->seat, gate.peers, gate.peers_n);
    return open || refuse_for_now(&run->refusal, "BURNED", "%s", qrt_err_text(QRT_E_BURNED));
}

static bool store_record(struct run *run, const struct qrt_record *record)
{
    switch (record->kind) {
    case QRT_RECORD_SHARE_PENDING:
        return store_pending(run, record);
    case QRT_RECORD_SHARE:
        return store_active(run, record);
    case QRT_RECORD_BURN:
        return burn(run, record);
    case QRT_RECORD_CONSUMED:
        /* Its only copy was this run's, in memory: it cannot be used again, after a crash
         * neither. */
        return true;
    case QRT_RECORD_GATE:
        break;
    }
    return false;
}

bool run_keep_presignature(struct run *run, uint8_t id[32])
{
    size_t t = run->permit.intent.t;
    struct presig *presig = presig_new(QRT_PRESIG_BYTES(t));
    struct qrt_presig_info info;
    uint64_t now_s = (uint64_t)clock_unix_ms() / 1000;

    if (qrt_presign_take(qrt_peer_run_mut(run->peer), now_s, presig->record, presig->len) !=
            QRT_OK ||
        qrt_presig_inspect(&info, run->keeper->rules.ctx, presig->record, presig->len) != QRT_OK) {
        presig_free(presig);
        return refuse_for_now(&run->refusal, "INTERNAL", "the presignature is not sound");
    }
    memcpy(id, info.id, 32);
    memcpy(presig->id, info.id, 32);
    presigs_place(presig->place, &run->permit);
    presigs_put(run->keeper->presigs, presig);
    return true;
}

/* What a confirm answers shows in the phase, and perhaps in another record. */
static void confirm(struct run *run)
{
    enum qrt_err e = qrt_peer_confirm(run->peer);

    if (e != QRT_OK)
        log_event(LOG_DEBUG, "the run failed after a record",
                  LOG_S("session", run->setup->session_id), LOG_S("trace", run->setup->trace_id),
                  LOG_S("code", qrt_err_name(e)));
}

bool run_record(struct run *run, const struct qrt_record *record)
{
    bool is_gate = record->kind == QRT_RECORD_GATE;
    bool ok = is_gate ? pass_gate(run, record) : store_record(run, record);

    if (!ok)
        qrt_peer_refuse(run->peer);
    else if (!is_gate)
        confirm(run);
    return ok;
}
