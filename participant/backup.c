/* SPDX-License-Identifier: Apache-2.0 */
/* The thread makes one request of the front at a time and waits for its answer, so that at most one
 * file is in memory. A state is written after the shares before it, so it is never older than a
 * share's file unless something failed. */
#include "participant/backup.h"

#include "participant/backup_body.h"
#include "participant/orders.h"
#include "participant/pause.h"
#include "participant/store_backups.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/ids.h"
#include "system/core/log.h"
#include "system/core/secret.h"
#include "system/rpc/message.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)STORE_RECIPIENT_ID == (int)BACKUP_ID, "the store keeps the recipient's id");
_Static_assert((int)STORE_DIGEST == (int)BACKUP_DIGEST, "the store keeps the file's digest");

typedef Mpc__Keeper__V1__BackupAnswer backup_reply;

enum {
    TURN_MS = 500,
    /* after a failure */
    AGAIN_MS = 10 * 1000,
    /* between two looks for receipts, which take at most a part of the time */
    LOOK_MS = 3000,
    LOOK_PART = 20,
    ANSWER_MS = 60 * 1000,
    NAME = 192
};

struct backup {
    struct backup_params params;
    struct backup_recipient recipient;
    pthread_t thread;
    atomic_uint_fast64_t missing;
    atomic_bool is_proven;
    struct pause pause;
    /* under its lock */
    uint64_t number;
    /* to |number|; NULL: not there yet */
    backup_reply *reply;
    /* the thread's */
    uint64_t done_changes;
    bool has_state, is_failing;
    /* of the file that was written last */
    uint8_t digest[STORE_DIGEST];
    int64_t again_ms, look_ms, state_ms;
};

static void failing(struct backup *b, const char *why)
{
    b->again_ms = clock_unix_ms() + AGAIN_MS;
    if (!b->is_failing)
        log_event(LOG_ERROR, "backups cannot be written or read: tried again", LOG_S("error", why));
    b->is_failing = true;
}

/* The front */

static void free_reply(backup_reply *reply)
{
    if (reply)
        mpc__keeper__v1__backup_answer__free_unpacked(reply, NULL);
}

void backup_answer(struct backup *b, const backup_reply *reply)
{
    if (!b)
        return;
    pthread_mutex_lock(&b->pause.lock);
    if (reply->number == b->number && !b->reply)
        b->reply = message_copy(&reply->base);
    pthread_cond_signal(&b->pause.woken);
    pthread_mutex_unlock(&b->pause.lock);
}

static bool has_reply(const void *arg)
{
    const struct backup *b = arg;

    return b->reply != NULL;
}

/* The answer, freed by free_reply; NULL: there is none, or it is a failure, which was told. */
static backup_reply *ask(struct backup *b, Mpc__Keeper__V1__BackupFile__Act act, const char *name,
                         ProtobufCBinaryData content)
{
    Mpc__Keeper__V1__FromKeeper frame = MPC__KEEPER__V1__FROM_KEEPER__INIT;
    Mpc__Keeper__V1__BackupFile file = MPC__KEEPER__V1__BACKUP_FILE__INIT;
    backup_reply *reply;

    pthread_mutex_lock(&b->pause.lock);
    file.number = ++b->number;
    pthread_mutex_unlock(&b->pause.lock);
    file.act = act;
    file.name = (char *)name;
    file.content = content;
    frame.reply_case = MPC__KEEPER__V1__FROM_KEEPER__REPLY_BACKUP_FILE;
    frame.backup_file = &file;
    b->params.emit(b->params.emit_arg, &frame);
    pthread_mutex_lock(&b->pause.lock);
    pause_until(&b->pause, ANSWER_MS, has_reply, b);
    reply = b->reply;
    b->reply = NULL;
    b->number++;
    pthread_mutex_unlock(&b->pause.lock);
    if (reply && !reply->error[0])
        return reply;
    if (!pause_is_stopped(&b->pause))
        failing(b, reply ? reply->error : "BACKUP_DIR does not answer");
    free_reply(reply);
    return NULL;
}

/* Its digest is b->digest. False: not written. */
static bool write_file(struct backup *b, const char *name, const struct backup_head *head,
                       const uint8_t *body, size_t len)
{
    const struct backup_making making = {head, &b->recipient, b->params.identity};
    ProtobufCBinaryData content = {.len = len + BACKUP_OVERHEAD};
    backup_reply *reply;

    content.data = mem_new(1, content.len);
    backup_seal(content.data, &making, body, len);
    backup_digest(b->digest, content.data, content.len);
    reply = ask(b, MPC__KEEPER__V1__BACKUP_FILE__ACT__PUT, name, content);
    free(content.data);
    free_reply(reply);
    return reply != NULL;
}

/* Shares */

static void name_share(char out[NAME], const struct backup *b, const struct store_unbacked *share)
{
    char kgid[9];

    hex_encode(kgid, share->kgid, 4);
    snprintf(out, NAME, "%s.%s.%u.%s.qbk", b->params.party_id, share->account_id, share->epoch,
             kgid);
}

static void begin_head(struct backup_head *head, const struct backup *b, enum backup_kind kind)
{
    *head = (struct backup_head){.kind = kind, .time_ms = clock_unix_ms()};
    snprintf(head->party_id, sizeof head->party_id, "%s", b->params.party_id);
}

static bool write_share(struct backup *b, const struct store_unbacked *which,
                        const struct store_share *row, const uint8_t *record, size_t record_len)
{
    struct backup_share share = {b->params.identity, *row, record, record_len};
    struct backup_head head;
    char name[NAME];
    uint8_t *body;
    size_t len;
    bool ok;

    begin_head(&head, b, BACKUP_SHARE);
    memcpy(head.kgid, which->kgid, 32);
    head.epoch = which->epoch;
    body = id_parse(head.account, which->account_id) ? backup_share_encode(&len, &share) : NULL;
    if (!body)
        return false;
    name_share(name, b, which);
    ok = write_file(b, name, &head, body, len);
    secret_free(body);
    return ok;
}

/* A share that was erased for good has no backup, whatever row came back. False: not made. */
static bool make_share(struct backup *b, const struct store_unbacked *which)
{
    struct store_share row;
    uint8_t *record = NULL;
    size_t len;
    bool ok = false;

    if (store_is_gone(b->params.store, which->kgid, which->epoch))
        return store_put_backed(b->params.store, which) == STORE_OK;
    if (store_get_share(b->params.store, &row, which) == STORE_OK)
        record = shares_unseal(b->params.shares, &row, &len, NULL);
    if (record)
        ok = write_share(b, which, &row, record, len) &&
             store_put_made(b->params.store, which, b->digest) == STORE_OK;
    secret_free(record);
    store_share_free(&row);
    if (!ok && !b->is_failing && !pause_is_stopped(&b->pause))
        log_event(LOG_WARN, "no backup was made of a share: tried again",
                  LOG_S("account", which->account_id));
    return ok;
}

/* Every share of one sort to |each|, until one is false or the end. */
static bool each_share(struct backup *b, bool is_made,
                       bool (*each)(struct backup *b, const struct store_unbacked *which))
{
    struct store_unbacked which, last;
    enum store_result found = store_next_unbacked(b->params.store, &which, is_made, NULL);

    while (found == STORE_OK) {
        if (pause_is_stopped(&b->pause) || !each(b, &which))
            return false;
        last = which;
        found = store_next_unbacked(b->params.store, &which, is_made, &last);
    }
    return found == STORE_NONE;
}

/* The state */

static void add_burn(void *arg, const struct store_burn *burn)
{
    backup_state_burn(arg, burn);
}

struct adding {
    struct backup_writing *w;
    const uint8_t *operator_key;
};

/* The party signs the state: what the database alone says goes in for what it is worth. */
static void add_order(void *arg, const struct store_order *row)
{
    const struct adding *a = arg;
    struct store_order order;
    char subject[ID_TEXT_MAX];

    if (orders_judge(&order, subject, row, a->operator_key) != ORDERS_NOTHING)
        backup_state_order(a->w, &order);
}

/* The clock is the least serial: a party whose database was set back does not begin again. */
static bool begin_state(struct backup *b, struct backup_writing *w)
{
    size_t len = mpc__session__v1__party_certificate__get_packed_size(b->params.certificate);
    uint8_t *certificate = mem_new(len + 1, 1);
    uint64_t now_ms = (uint64_t)clock_unix_ms(), serial;
    bool ok = store_next_serial(b->params.store, now_ms, now_ms, &serial) == STORE_OK;

    mpc__session__v1__party_certificate__pack(b->params.certificate, certificate);
    backup_state_begin(w, serial, certificate, len, (uint32_t)store_count(b->params.store));
    free(certificate);
    return ok;
}

static void name_state(char out[NAME], const struct backup *b)
{
    snprintf(out, NAME, "%s.state.qbk", b->params.party_id);
}

static bool make_state(struct backup *b)
{
    struct backup_writing w;
    struct adding adding = {&w, b->params.operator_key};
    struct backup_head head;
    char name[NAME];
    bool ok;

    begin_head(&head, b, BACKUP_STATE);
    ok = begin_state(b, &w) && store_each_burn(b->params.store, add_burn, &w) &&
         store_each_order(b->params.store, add_order, &adding);
    ok = backup_state_end(&w) && ok;
    name_state(name, b);
    ok = ok && write_file(b, name, &head, w.out.b, w.out.len);
    buffer_free(&w.out);
    return ok;
}

/* Receipts */

/* Of a share it is one of the very file that was written last. Of a state, which is written each
 * day, any will do: it proves that the recipient opens what this party makes. */
static bool is_receipt(const struct backup *b, const struct store_unbacked *which,
                       const ProtobufCBinaryData *content)
{
    struct backup_receipt receipt;

    if (!backup_receipt_read(&receipt, content->data, content->len, &b->recipient) ||
        memcmp(receipt.identity, b->params.identity + 32, 32) != 0)
        return false;
    if (!which)
        return receipt.kind == BACKUP_STATE;
    return receipt.kind == BACKUP_SHARE &&
           memcmp(receipt.digest, which->digest, sizeof receipt.digest) == 0;
}

/* Whether one is there; |which| NULL: the state's. False: the front failed. */
static bool look_for(struct backup *b, const struct store_unbacked *which, bool *is_there)
{
    const ProtobufCBinaryData none = {0};
    char name[NAME], path[NAME + 16];
    backup_reply *reply;

    if (which)
        name_share(name, b, which);
    else
        name_state(name, b);
    snprintf(path, sizeof path, "%s.receipt", name);
    reply = ask(b, MPC__KEEPER__V1__BACKUP_FILE__ACT__READ, path, none);
    *is_there = reply && reply->found && is_receipt(b, which, &reply->content);
    free_reply(reply);
    return reply != NULL;
}

static bool take_receipt(struct backup *b, const struct store_unbacked *which)
{
    bool is_there;

    if (!look_for(b, which, &is_there))
        return false;
    if (!is_there || store_put_backed(b->params.store, which) != STORE_OK)
        return true;
    log_event(LOG_INFO, "a share is backed up", LOG_S("account", which->account_id));
    return true;
}

static bool take_proof(struct backup *b)
{
    bool is_there;

    if (atomic_load(&b->is_proven))
        return true;
    if (!look_for(b, NULL, &is_there))
        return false;
    if (is_there && store_put_proven(b->params.store, b->recipient.id) == STORE_OK) {
        atomic_store(&b->is_proven, true);
        log_line(LOG_INFO, "the recipient has shown that it opens this party's backups");
    }
    return true;
}

static void take_receipts(struct backup *b, int64_t now_ms)
{
    if (now_ms < b->look_ms)
        return;
    (void)(take_proof(b) && each_share(b, true, take_receipt));
    now_ms = clock_unix_ms() - now_ms;
    b->look_ms = clock_unix_ms() + (now_ms * LOOK_PART > LOOK_MS ? now_ms * LOOK_PART : LOOK_MS);
}

/* The thread */

/* At the start: what was written and is not there any more is written again. */
static bool find_file(struct backup *b, const struct store_unbacked *which)
{
    const ProtobufCBinaryData none = {0};
    backup_reply *reply;
    char name[NAME];
    bool is_gone;

    name_share(name, b, which);
    reply = ask(b, MPC__KEEPER__V1__BACKUP_FILE__ACT__LOOK, name, none);
    is_gone = reply && !reply->found;
    free_reply(reply);
    return reply && (!is_gone || store_put_made(b->params.store, which, NULL) == STORE_OK);
}

static void make_files(struct backup *b)
{
    uint64_t changes = store_changes(b->params.store);

    if (b->has_state && b->done_changes == changes && clock_unix_ms() < b->state_ms)
        return;
    if (!b->has_state && !each_share(b, true, find_file))
        return;
    if (!each_share(b, false, make_share) || !make_state(b)) {
        if (!pause_is_stopped(&b->pause))
            failing(b, "a share or the party's state");
        return;
    }
    if (b->is_failing)
        log_line(LOG_INFO, "backups are written again");
    b->is_failing = false;
    b->has_state = true;
    b->state_ms = clock_unix_ms() + b->params.state_every_ms;
    b->done_changes = changes;
}

static void recount(struct backup *b)
{
    size_t n;

    if (store_count_unbacked(b->params.store, &n) == STORE_OK)
        atomic_store(&b->missing, n);
}

static void *work(void *arg)
{
    struct backup *b = arg;

    while (!pause_is_stopped(&b->pause)) {
        if (clock_unix_ms() >= b->again_ms) {
            make_files(b);
            take_receipts(b, clock_unix_ms());
        }
        recount(b);
        pause_for(&b->pause, TURN_MS);
    }
    return NULL;
}

static bool parse_recipient(struct backup_recipient *out, const char *text,
                            char error[BACKUP_ERROR_MAX])
{
    bool ok = backup_recipient_parse(out, text);

    if (!ok)
        snprintf(error, BACKUP_ERROR_MAX,
                 "BACKUP_RECIPIENT is not the public text of a key that quorate backup key made");
    return ok;
}

bool backup_check_recipient(const char *recipient, char error[BACKUP_ERROR_MAX])
{
    struct backup_recipient parsed;

    return parse_recipient(&parsed, recipient, error);
}

static bool take_recipient(struct backup *b, const char *recipient, char error[BACKUP_ERROR_MAX])
{
    bool is_proven;

    if (!parse_recipient(&b->recipient, recipient, error))
        return false;
    if (store_take_recipient(b->params.store, b->recipient.id, &is_proven) != STORE_OK) {
        store_error(b->params.store, error);
        return false;
    }
    atomic_init(&b->is_proven, is_proven);
    return true;
}

struct backup *backup_start(const struct backup_params *params, const char *recipient,
                            char error[BACKUP_ERROR_MAX])
{
    struct backup *b = mem_new(1, sizeof *b);

    b->params = *params;
    if (!take_recipient(b, recipient, error)) {
        free(b);
        return NULL;
    }
    recount(b);
    pause_init(&b->pause);
    if (pthread_create(&b->thread, NULL, work, b) != 0) {
        log_line(LOG_ERROR, "no thread for backups");
        abort();
    }
    return b;
}

void backup_stop(struct backup *b)
{
    if (!b)
        return;
    pause_stop(&b->pause);
    (void)pthread_join(b->thread, NULL);
    free_reply(b->reply);
    pause_close(&b->pause);
    free(b);
}

bool backup_is_proven(const struct backup *b)
{
    return atomic_load(&b->is_proven);
}

uint64_t backup_missing(const struct backup *b)
{
    return atomic_load(&b->missing);
}
