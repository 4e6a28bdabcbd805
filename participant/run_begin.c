/* SPDX-License-Identifier: Apache-2.0 */
/* From an invitation to a running peer. What could be checked without this party's state was
 * checked when the invitation came (permit_intent); the rest is here, the policy last, before
 * anything of the protocol exists. */
#include "participant/outcome.h"
#include "participant/run.h"

#include "system/core/clock.h"
#include "system/core/ids.h"
#include "system/core/log.h"

#include <sodium.h>
#include <string.h>

static struct attempt attempt_of(const struct run *run)
{
    return (struct attempt){run->permit.intent_hash, run->setup->attempt,
                            run->permit.until_ms + 1000};
}

/* Of this life of the party, by the invitation, and begun neither in it nor before. */
static bool is_of_this_life(struct run *run)
{
    const struct attempt attempt = attempt_of(run);

    if (!permit_boot(&run->permit, &run->keeper->rules, &run->refusal))
        return false;
    if (!attempts_is_old(run->keeper->attempts, &attempt))
        return true;
    return refuse_for_now(&run->refusal, "RESTARTED",
                          "party %s began this attempt, or a later one, before",
                          run->keeper->rules.party_id);
}

static bool begin_keygen(struct run *run, bool *done)
{
    struct keeper *keeper = run->keeper;
    uint8_t recipient[32];

    if (!permit_keygen(&run->permit, &keeper->rules, &run->refusal))
        return false;
    if (run_resume(run, &run->refusal, done) || run->refusal.code)
        return !run->refusal.code;
    if (!is_of_this_life(run))
        return false;
    switch (store_has_account(keeper->store, run->permit.account_id, run->setup->session_id)) {
    case STORE_NONE:
        break;
    case STORE_OK:
        return refuse(&run->refusal, "ACCOUNT_EXISTS",
                      "party %s has an active share of this account already",
                      keeper->rules.party_id);
    case STORE_FAILED:
        return refuse_for_now(&run->refusal, "STORAGE", "party %s cannot read its shares",
                              keeper->rules.party_id);
    }
    return !delegate_is_active(keeper->delegate) ||
           delegate_recipient(keeper->delegate, run->setup, &run->frame->open->user_public_key,
                              recipient, &run->refusal);
}

static size_t other_signers(const struct run *run, uint16_t out[QRT_PARTIES_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < run->permit.n; i++) {
        if (run->permit.indices[i] != run->permit.own)
            out[n++] = run->permit.indices[i];
    }
    return n;
}

/* Only who needs it waits for the database. */
static bool is_owed(struct keeper *keeper, const uint8_t kgid[32])
{
    if (!burns_are_owed(keeper, kgid))
        return false;
    (void)burns_save(keeper);
    return burns_are_owed(keeper, kgid);
}

/* The pairs of this quorum, none of them burned; by its bits in the share, by tombstones, or
 * by this process's memory. */
static bool join_gate(struct run *run)
{
    struct keeper *keeper = run->keeper;
    uint16_t peers[QRT_PARTIES_MAX], burned = 0;
    size_t n = other_signers(run, peers);

    for (size_t i = 0; i < n && !burned; i++) {
        size_t place = share_place(&run->share->share, peers[i]);

        if (qrt_share_burn_bits(&run->share->share, peers[i]) ||
            (place < run->share->share.n && (run->share->burned >> place & 1)))
            burned = peers[i];
    }
    if (is_owed(keeper, run->share->share.kgid))
        return refuse_for_now(&run->refusal, "STORAGE",
                              "party %s cannot store that it burned a pair of this key",
                              keeper->rules.party_id);
    if (!burned && gate_join(keeper->gates, &run->seat, run->share->share.kgid, peers, n, &burned))
        return true;
    return refuse_for_now(&run->refusal, "BURNED", "%s (party %s)", qrt_err_text(QRT_E_BURNED),
                          run_party_of(run, burned));
}

/* The own share; at a delegate, which has none to sign with, the one that its owner lent for this
 * session. NULL without a refusal: it may still be lent. */
static struct share_held *find_share(struct run *run)
{
    struct keeper *keeper = run->keeper;

    if (delegate_is_active(keeper->delegate))
        return delegate_lent(keeper->delegate, &run->permit, &run->refusal);
    return shares_get(keeper->shares, run->permit.account_id, run->permit.intent.keyid,
                      &run->refusal);
}

static bool permit_with_share(struct run *run)
{
    const struct share_held *held = run->share;
    const struct permit_share share = {
        .purpose = held->purpose,
        .caller_key = held->has_caller ? held->caller_key : NULL,
        .roster = (const char *const *)held->roster,
        .share = &held->share,
        .keys = held->keys,
    };

    return permit_sign(&run->permit, &run->keeper->rules, &share, &run->refusal);
}

/* A presigning needs a pool, an online run its presignature. A full pool takes new ones all the
 * same: what is in it may be in nobody's book any more. */
static bool prepare_presig(struct run *run)
{
    struct presigs *presigs = run->keeper->presigs;
    const ProtobufCBinaryData *id = &run->setup->presignature_id;
    uint8_t place[32];

    presigs_place(place, &run->permit);
    if (run->permit.intent.operation == QRT_OP_PRESIGN) {
        if (presigs_keeps(presigs))
            return true;
        return refuse_for_now(&run->refusal, "OVERLOADED", "party %s keeps no presignatures",
                              run->keeper->rules.party_id);
    }
    if (id->len == 0)
        return true;
    run->presig = id->len == 32 ? presigs_take(presigs, id->data, place) : NULL;
    if (run->presig)
        return true;
    return refuse_for_now(&run->refusal, "PRESIGNATURE_MISSING",
                          "party %s does not have this presignature", run->keeper->rules.party_id);
}

/* |*waits|: the owner may still lend his share. */
static bool begin_sign(struct run *run, bool *waits)
{
    if (!is_of_this_life(run))
        return false;
    run->share = find_share(run);
    *waits = !run->share && !run->refusal.code;
    return run->share && permit_with_share(run) && join_gate(run) && prepare_presig(run);
}

static void ask_policy(struct run *run)
{
    struct policy *policy = run->keeper->policy;

    if (!policy) {
        run_begin_peer(run);
        return;
    }
    run->state = RUN_ASKING;
    pthread_mutex_lock(&run->lock);
    run->policy_until_ms = clock_unix_ms() + policy_timeout_ms(policy);
    pthread_mutex_unlock(&run->lock);
    if (!policy_ask(policy, run->number, &run->permit))
        run_answer(run, POLICY_RETRY);
}

void run_begin(struct run *run)
{
    bool is_keygen = run->permit.intent.operation == QRT_OP_KEYGEN;
    bool done = false, waits = false, ok;

    if (orders_is_frozen(run->keeper->orders, run->permit.account_id, &waits))
        ok = !waits &&
             refuse(&run->refusal, "FROZEN", "the operator has frozen this account or the system");
    else
        ok = is_keygen ? begin_keygen(run, &done) : begin_sign(run, &waits);
    if (waits || done)
        return;
    if (ok)
        ask_policy(run);
    else
        run_finish(run);
}

/* Starting the peer */

static enum qrt_err start_keygen(struct run *run, const struct qrt_peer_params *envelope,
                                 struct qrt_entropy *entropy)
{
    const struct qrt_intent *intent = &run->permit.intent;
    struct qrt_party roster[QRT_PARTIES_MAX];
    struct qrt_keygen_params params = {
        .parties = roster,
        .n = intent->parties_n,
        .t = intent->t,
        .own = run->permit.own,
        .created = (uint64_t)clock_unix_ms() / 1000,
    };

    for (size_t i = 0; i < params.n; i++) {
        roster[i].index = intent->parties[i];
        memcpy(roster[i].idk, intent->idk[i], 32);
        qrt_party_default_x(&roster[i]);
    }
    qrt_intent_iid(params.iid, run->keeper->rules.ctx, run->setup->intent.data,
                   run->setup->intent.len, run->setup->attempt);
    return qrt_peer_keygen(run->peer, run->keeper->rules.ctx, &params, envelope, entropy);
}

static enum qrt_err start_sign(struct run *run, const struct qrt_peer_params *envelope,
                               struct qrt_entropy *entropy)
{
    const struct qrt_ctx *ctx = run->keeper->rules.ctx;
    const struct qrt_intent *intent = &run->permit.intent;
    struct qrt_sign_params params = {
        .share = &run->share->share,
        .signers = run->permit.indices,
        .signers_n = run->permit.n,
        .path = intent->path_n ? intent->path : NULL,
        .path_n = intent->path_n,
        .message = {(enum qrt_digest)intent->digest, intent->message, intent->message_len},
    };

    qrt_intent_iid(params.iid, ctx, run->setup->intent.data, run->setup->intent.len,
                   run->setup->attempt);
    if (run->protocol == QRT_PRESIGN)
        return qrt_peer_presign(run->peer, ctx, &params, envelope, entropy);
    return qrt_peer_sign(run->peer, ctx, &params, envelope, entropy);
}

static enum qrt_err start_online(struct run *run, const struct qrt_peer_params *envelope)
{
    const struct qrt_ctx *ctx = run->keeper->rules.ctx;
    const struct qrt_intent *intent = &run->permit.intent;
    struct qrt_online_params params = {
        .share = &run->share->share,
        .presig = run->presig->record,
        .presig_len = run->presig->len,
        .message = {(enum qrt_digest)intent->digest, intent->message, intent->message_len},
    };

    qrt_intent_req(params.req, ctx, run->setup->intent.data, run->setup->intent.len,
                   run->setup->attempt);
    return qrt_peer_online(run->peer, ctx, &params, envelope);
}

static enum qrt_protocol protocol_of(const struct run *run)
{
    if (run->permit.intent.operation == QRT_OP_KEYGEN)
        return QRT_KEYGEN;
    if (run->permit.intent.operation == QRT_OP_PRESIGN)
        return QRT_PRESIGN;
    return run->presig ? QRT_ONLINE : QRT_SIGN;
}

static enum qrt_err start(struct run *run)
{
    struct qrt_peer_params envelope = {run->keeper->identity, run->permit.keys, run->permit.n};
    struct qrt_entropy *entropy;
    enum qrt_err e;

    if (run->pending_record)
        return qrt_peer_resume(run->peer, run->keeper->rules.ctx, &run->pending, &envelope);
    if (run->protocol == QRT_ONLINE)
        return start_online(run, &envelope);
    entropy = blocks_take(run->keeper->blocks, sizeof *entropy);
    randombytes_buf(entropy, sizeof *entropy);
    e = run->protocol == QRT_KEYGEN ? start_keygen(run, &envelope, entropy)
                                    : start_sign(run, &envelope, entropy);
    sodium_memzero(entropy, sizeof *entropy);
    blocks_give(run->keeper->blocks, entropy, sizeof *entropy);
    return e;
}

/* The id of a presignature that is used up is public, and tells who looks into a failure which. */
static void log_start(const struct run *run)
{
    const struct log_field fields[] = {
        LOG_S("session", run->setup->session_id), LOG_S("trace", run->setup->trace_id),
        LOG_I("attempt", run->setup->attempt), LOG_S("type", run->setup->session_type)};
    char id[65];

    if (run->presig) {
        hex_encode(id, run->presig->id, sizeof run->presig->id);
        log_event(LOG_INFO, "run started", fields[0], fields[1], fields[2], fields[3],
                  LOG_S("presignature", id));
    } else {
        log_fields(LOG_INFO, "run started", fields, sizeof fields / sizeof fields[0]);
    }
}

/* A key generation that is taken up says what it said before. */
static bool note_attempt(struct run *run)
{
    const struct attempt attempt = attempt_of(run);

    return run->pending_record ||
           attempts_begin(run->keeper->attempts, &attempt, clock_unix_ms()) ||
           refuse_for_now(&run->refusal, "STORAGE",
                          "party %s cannot write down which attempts it began",
                          run->keeper->rules.party_id);
}

/* Another process may have the shares while the claim on the database is not held. */
static bool has_claim(struct run *run)
{
    return store_is_up(run->keeper->store) ||
           refuse_for_now(&run->refusal, "STORAGE", "party %s waits for its database",
                          run->keeper->rules.party_id);
}

void run_begin_peer(struct run *run)
{
    enum qrt_err e;

    if (!has_claim(run) || !note_attempt(run)) {
        run_finish(run);
        return;
    }
    run->protocol = protocol_of(run);
    run->peer_len = qrt_peer_size(run->protocol, run->permit.n, run->permit.intent.t);
    run->peer = blocks_take(run->keeper->blocks, run->peer_len);
    e = start(run);
    if (e != QRT_OK) {
        blocks_give(run->keeper->blocks, run->peer, run->peer_len);
        run->peer = NULL;
        refuse(&run->refusal, qrt_err_name(e), "%s", qrt_err_text(e));
        /* What the intent asks for is the same at every party and in every attempt. */
        run->refusal.retry = e != QRT_E_PATH && e != QRT_E_DIGEST;
        run_finish(run);
        return;
    }
    log_start(run);
    run->state = RUN_GOING;
    run_settle(run);
}
