/* SPDX-License-Identifier: Apache-2.0 */
/* The table of permitted requests: what the front may ask, and nothing else. Requests are taken in
 * the order in which they come, by one thread; whatever takes longer than a signature check is a
 * run's, what asks the database otherwise is the upkeep's. */
#include "participant/keeper_runs.h"
#include "participant/outcome.h"

#include "system/access/identity.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"

#include <stdlib.h>

typedef Mpc__Keeper__V1__ToKeeper to_keeper;
typedef Mpc__Keeper__V1__FromKeeper from_keeper;

enum {
    SESSIONS_MAX = 1 << 17,
    STRANGERS_MAX = 1 << 12,
    EARLY_MESSAGES_MAX = 64,
    EARLY_BYTES_MAX = 4 << 20,
    EARLY_TOTAL_MAX = 64 << 20,
    UNKNOWN_MS = 600 * 1000,
    EXPIRE_EVERY_MS = 1000,
    SAVE_EVERY_MS = 1000,
    ERASE_EVERY_MS = 60 * 1000,
    TICK_MS = 25,
    IDLE_TICK_MS = 60 * 1000,
    /* attempts that ended elsewhere stay here until their end is heard */
    CAPACITY_SLACK = 2
};

void keeper_init(struct keeper *keeper)
{
    const struct intake_limits limits = {SESSIONS_MAX,    STRANGERS_MAX,   EARLY_MESSAGES_MAX,
                                         EARLY_BYTES_MAX, EARLY_TOTAL_MAX, UNKNOWN_MS};

    pthread_mutex_init(&keeper->lock, NULL);
    pthread_mutex_init(&keeper->burn_lock, NULL);
    pthread_mutex_init(&keeper->unsaved_lock, NULL);
    keeper->intake = intake_new(&limits);
}

void keeper_emit(struct keeper *keeper, const from_keeper *frame)
{
    keeper->emit(keeper->emit_arg, frame);
}

/* Open */

static void refused(struct keeper *keeper, const Mpc__Session__V1__Setup *setup,
                    const struct refusal *refusal)
{
    log_event(LOG_WARN, "invitation refused", LOG_S("session", setup->session_id),
              LOG_S("trace", setup->trace_id), LOG_I("attempt", setup->attempt),
              LOG_S("code", refusal->code), LOG_S("text", refusal->text));
    outcome_refused(keeper, setup->session_id, setup->attempt, refusal);
}

/* Under the lock: what the invitation means, and its place in the table if it starts. */
static enum intake_answer admit(struct keeper *keeper, struct run *run, struct intake_start *start)
{
    const struct intake_open open = {
        .session_id = run->setup->session_id,
        .attempt = run->setup->attempt,
        .intent_hash = run->permit.intent_hash,
        .until_ms = run->permit.until_ms + 1000,
    };
    enum intake_answer answer = intake_open(keeper->intake, start, &open);

    if (answer != INTAKE_START)
        return answer;
    run->number = ++keeper->numbers;
    run->next = keeper->runs;
    keeper->runs = run;
    keeper->runs_n++;
    atomic_fetch_add(&run->refs, 1);
    return answer;
}

/* |*full|: no room for another run. */
static bool is_new(struct keeper *keeper, const Mpc__Session__V1__Setup *setup, bool *full)
{
    bool fresh;

    pthread_mutex_lock(&keeper->lock);
    fresh = intake_is_new(keeper->intake, setup->session_id, setup->attempt);
    *full = keeper->runs_n >= CAPACITY_SLACK * keeper->capacity;
    pthread_mutex_unlock(&keeper->lock);
    return fresh;
}

static void answer_open(struct keeper *keeper, struct run *run, enum intake_answer answer,
                        const struct intake_start *start)
{
    struct refusal refusal = {0};

    switch (answer) {
    case INTAKE_START:
        if (start->ends_lower)
            keeper_end_run(keeper, run->setup->session_id, start->lower, RUN_REPLACED);
        run_deliver(run, start->kept);
        return;
    case INTAKE_REPEAT:
    case INTAKE_LATE:
        return;
    case INTAKE_USED:
        refuse(&refusal, "INTENT_ATTEMPT",
               "attempt %u of this intent, or a later one, was seen in another session",
               run->setup->attempt);
        break;
    case INTAKE_FULL:
        refuse_for_now(&refusal, "OVERLOADED", "party %s remembers too many sessions",
                       keeper->rules.party_id);
        break;
    }
    refused(keeper, run->setup, &refusal);
}

/* Takes the frame over. */
static void open_run(struct keeper *keeper, to_keeper *frame, const struct permit *permit)
{
    struct run *run = run_new(keeper, frame, permit);
    struct intake_start start = {0};
    enum intake_answer answer;

    pthread_mutex_lock(&keeper->lock);
    answer = admit(keeper, run, &start);
    pthread_mutex_unlock(&keeper->lock);
    answer_open(keeper, run, answer, &start);
    run_unref(run);
}

static bool take_open(struct keeper *keeper, to_keeper *frame)
{
    const Mpc__Session__V1__Setup *setup = frame->open->setup;
    struct permit *permit;
    struct refusal refusal = {0};
    bool taken, full;

    if (!setup || !is_new(keeper, setup, &full))
        return false;
    permit = mem_new(1, sizeof *permit);
    taken = permit_intent(permit, &keeper->rules, setup, clock_unix_ms(), &refusal);
    if (taken && full)
        taken = refuse_for_now(&refusal, "OVERLOADED", "party %s runs as many sessions as it can",
                               keeper->rules.party_id);
    if (taken)
        open_run(keeper, frame, permit);
    else
        refused(keeper, setup, &refusal);
    free(permit);
    return taken;
}

/* Messages and ends */

static void take_deliver(struct keeper *keeper, const Mpc__Keeper__V1__Deliver *deliver)
{
    struct intake_message *m = intake_message_new(deliver->attempt, deliver->from,
                                                  deliver->payload.data, deliver->payload.len);
    struct run *run = NULL;
    enum intake_delivery delivery;

    pthread_mutex_lock(&keeper->lock);
    delivery = intake_deliver(keeper->intake, deliver->session_id, m, clock_unix_ms());
    if (delivery == INTAKE_TO_RUN)
        run = keeper_find_run(keeper, deliver->session_id, deliver->attempt);
    pthread_mutex_unlock(&keeper->lock);
    if (run) {
        run_deliver(run, m);
        run_unref(run);
    } else if (delivery != INTAKE_KEPT) {
        atomic_fetch_add(&keeper->counts.dropped, 1);
        free(m);
    }
}

static void take_close(struct keeper *keeper, const Mpc__Keeper__V1__Close *close)
{
    uint32_t attempt = 0;
    bool runs;

    pthread_mutex_lock(&keeper->lock);
    runs = intake_close(keeper->intake, close->session_id, clock_unix_ms(), &attempt);
    pthread_mutex_unlock(&keeper->lock);
    if (runs)
        keeper_end_run(keeper, close->session_id, attempt, RUN_CLOSED);
    delegate_forget(keeper->delegate, close->session_id);
}

/* The others */

static void take_prove(struct keeper *keeper, const Mpc__Keeper__V1__ProveRegistration *prove)
{
    from_keeper frame = MPC__KEEPER__V1__FROM_KEEPER__INIT;
    Mpc__Keeper__V1__RegistrationProof proof = MPC__KEEPER__V1__REGISTRATION_PROOF__INIT;
    uint8_t b[64];
    struct registration registration = {
        .party_id = keeper->rules.party_id,
        .role = keeper->role,
        .boot_id = keeper->rules.boot_id,
        .time_ms = prove->time_ms,
        .nonce = prove->nonce.data,
    };

    if (prove->nonce.len != 16)
        return;
    registration_sign(b, &registration, keeper->identity);
    proof.time_ms = prove->time_ms;
    proof.nonce = prove->nonce;
    proof.proof = (ProtobufCBinaryData){sizeof b, b};
    frame.reply_case = MPC__KEEPER__V1__FROM_KEEPER__REPLY_PROOF;
    frame.proof = &proof;
    keeper_emit(keeper, &frame);
}

static void take_order(struct keeper *keeper, const Mpc__Session__V1__Order *order)
{
    char account_id[37];
    enum orders_answer answer = orders_take(keeper->orders, order, account_id);

    switch (answer) {
    case ORDERS_FROZEN:
        keeper_freeze(keeper, account_id);
        log_event(LOG_WARN, "frozen by the operator", LOG_S("account", account_id));
        upkeep_save(keeper->upkeep);
        break;
    case ORDERS_ENDING:
        upkeep_save(keeper->upkeep);
        break;
    case ORDERS_OLD:
        break;
    case ORDERS_INVALID:
        log_line(LOG_WARN, "an order is not the operator's: ignored");
        break;
    }
}

static void take_share_key(struct keeper *keeper)
{
    from_keeper frame = MPC__KEEPER__V1__FROM_KEEPER__INIT;
    Mpc__Keeper__V1__ShareKey key = MPC__KEEPER__V1__SHARE_KEY__INIT;
    uint8_t b[32];

    delegate_public_key(keeper->delegate, b);
    key.public_key = (ProtobufCBinaryData){sizeof b, b};
    frame.reply_case = MPC__KEEPER__V1__FROM_KEEPER__REPLY_SHARE_KEY;
    frame.share_key = &key;
    keeper_emit(keeper, &frame);
}

void keeper_take(struct keeper *keeper, to_keeper *frame)
{
    bool taken = false;

    switch (frame->request_case) {
    case MPC__KEEPER__V1__TO_KEEPER__REQUEST_OPEN:
        taken = take_open(keeper, frame);
        break;
    case MPC__KEEPER__V1__TO_KEEPER__REQUEST_DELIVER:
        take_deliver(keeper, frame->deliver);
        break;
    case MPC__KEEPER__V1__TO_KEEPER__REQUEST_CLOSE:
        take_close(keeper, frame->close);
        break;
    case MPC__KEEPER__V1__TO_KEEPER__REQUEST_PROVE:
        take_prove(keeper, frame->prove);
        break;
    case MPC__KEEPER__V1__TO_KEEPER__REQUEST_ORDER:
        take_order(keeper, frame->order);
        break;
    case MPC__KEEPER__V1__TO_KEEPER__REQUEST_CONFIRM_SHARE:
    case MPC__KEEPER__V1__TO_KEEPER__REQUEST_LEND_SHARE:
        upkeep_take(keeper->upkeep, frame);
        taken = true;
        break;
    case MPC__KEEPER__V1__TO_KEEPER__REQUEST_GET_STATS:
        keeper_tell_stats(keeper);
        break;
    case MPC__KEEPER__V1__TO_KEEPER__REQUEST_GET_SHARE_KEY:
        take_share_key(keeper);
        break;
    case MPC__KEEPER__V1__TO_KEEPER__REQUEST_BACKUP_ANSWER:
        backup_answer(keeper->backup, frame->backup_answer);
        break;
    default:
        log_line(LOG_WARN, "the front asks for something that is not permitted");
        break;
    }
    if (!taken)
        mpc__keeper__v1__to_keeper__free_unpacked(frame, NULL);
}

/* Policy */

static bool is_number(struct run *run, const void *arg)
{
    return run->number == *(const uint64_t *)arg;
}

static void approve(struct run *run)
{
    run_answer(run, POLICY_APPROVE);
}

static void reject(struct run *run)
{
    run_answer(run, POLICY_REJECT);
}

static void retry(struct run *run)
{
    run_answer(run, POLICY_RETRY);
}

void keeper_policy_answer(struct keeper *keeper, uint64_t number, enum policy_answer answer)
{
    void (*say)(struct run * run) = answer == POLICY_APPROVE  ? approve
                                    : answer == POLICY_REJECT ? reject
                                                              : retry;

    keeper_each(keeper, is_number, &number, say);
}

static bool is_late_at(struct run *run, const void *arg)
{
    return run_policy_is_late(run, *(const int64_t *)arg);
}

/* Time */

static bool is_over(struct run *run, const void *arg)
{
    return *(const int64_t *)arg >= run->deadline_ms;
}

static void time_out(struct run *run)
{
    run_end(run, RUN_TIMEOUT);
}

/* An order or a burn is not stored. */
static bool owes(struct keeper *keeper)
{
    return upkeep_owes(keeper->upkeep) || atomic_load(&keeper->unsaved_n) > 0;
}

static void tick_upkeep(struct keeper *keeper, int64_t now_ms)
{
    if (now_ms - keeper->erased_ms >= ERASE_EVERY_MS) {
        keeper->erased_ms = now_ms;
        upkeep_erase(keeper->upkeep);
    }
    if (owes(keeper) && now_ms - keeper->saved_ms >= SAVE_EVERY_MS) {
        keeper->saved_ms = now_ms;
        upkeep_save(keeper->upkeep);
    }
}

int keeper_tick(struct keeper *keeper, int64_t now_ms)
{
    bool idle;

    tick_upkeep(keeper, now_ms);
    keeper_each(keeper, is_over, &now_ms, time_out);
    keeper_each(keeper, is_late_at, &now_ms, retry);
    pthread_mutex_lock(&keeper->lock);
    if (now_ms - keeper->expired_ms >= EXPIRE_EVERY_MS) {
        keeper->expired_ms = now_ms;
        intake_expire(keeper->intake, now_ms);
        presigs_expire(keeper->presigs, clock_steady_us());
        delegate_expire(keeper->delegate, now_ms);
    }
    idle = keeper->runs == NULL;
    pthread_mutex_unlock(&keeper->lock);
    if (!idle)
        return TICK_MS;
    /* A burn that is owed since a moment ago is seen by the tick after its run. */
    return owes(keeper) ? SAVE_EVERY_MS : IDLE_TICK_MS;
}

void keeper_end(struct keeper *keeper)
{
    while (keeper->runs) {
        struct run *run = keeper->runs;

        bool queued = run->scheduled;

        atomic_store(&run->end, RUN_CLOSED);
        run_finish(run);
        if (queued)
            run_unref(run);
    }
    burns_free(keeper);
    intake_free(keeper->intake);
    pthread_mutex_destroy(&keeper->lock);
    pthread_mutex_destroy(&keeper->burn_lock);
    pthread_mutex_destroy(&keeper->unsaved_lock);
}
