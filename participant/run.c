/* SPDX-License-Identifier: Apache-2.0 */
/* The actor of run.h: inbox, steps, end. A step never waits for the network or for people; it may
 * wait for the disk and for the front to read. */
#include "participant/run.h"

#include "participant/outcome.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/secret.h"

#include <stdlib.h>
#include <string.h>

/* More than all rounds of the largest session need; a flood above it is dropped. */
enum { HELD_BYTES_MAX = 16 << 20 };

/* No attempt lives longer, whatever its invitation says: what it holds is bounded in time too. */
enum { LIFE_MAX_MS = 3600 * 1000 };

/* An attempt whose time seems to be over when its invitation comes was made by a clock that is
 * behind this one; it gets this much. The coordinator ends it earlier if it wants to. */
enum { LATE_MS = 100, GRACE_MS = 5000 };

static void work(void *arg);

/* Lists */

static void list_init(struct run_list *list)
{
    *list = (struct run_list){NULL, &list->first};
}

static void list_put(struct run_list *list, struct intake_message *m)
{
    m->next = NULL;
    *list->end = m;
    list->end = &m->next;
}

static struct intake_message *list_take(struct run_list *list)
{
    struct intake_message *m = list->first;

    list->first = m->next;
    if (!list->first)
        list->end = &list->first;
    return m;
}

/* All of |from| behind what is in |to|. */
static void list_move(struct run_list *to, struct run_list *from)
{
    if (!from->first)
        return;
    *to->end = from->first;
    to->end = from->end;
    list_init(from);
}

static enum work_kind kind_of(const struct permit *permit)
{
    if (permit->intent.operation == QRT_OP_KEYGEN)
        return WORK_KEYGEN;
    return permit->intent.operation == QRT_OP_SIGN ? WORK_SIGN : WORK_PRESIGN;
}

static int64_t deadline_of(const Mpc__Session__V1__Setup *setup)
{
    int64_t now_ms = clock_unix_ms();
    bool is_over = setup->attempt_deadline_ms < now_ms + LATE_MS;

    if (is_over)
        return now_ms + GRACE_MS;
    if (setup->attempt_deadline_ms > now_ms + LIFE_MAX_MS)
        return now_ms + LIFE_MAX_MS;
    return setup->attempt_deadline_ms;
}

struct run *run_new(struct keeper *keeper, Mpc__Keeper__V1__ToKeeper *frame,
                    const struct permit *permit)
{
    struct run *run = mem_new(1, sizeof *run);

    run->keeper = keeper;
    atomic_init(&run->refs, 1);
    atomic_init(&run->end, RUN_GOES_ON);
    run->task = (struct task){.work = work, .arg = run};
    run->frame = frame;
    run->setup = frame->open->setup;
    run->permit = *permit;
    run->kind = kind_of(permit);
    run->deadline_ms = deadline_of(run->setup);
    run->seat.run = run;
    run->began_us = clock_steady_us();
    list_init(&run->inbox);
    list_init(&run->fresh);
    list_init(&run->waiting);
    pthread_mutex_init(&run->lock, NULL);
    return run;
}

void run_unref(struct run *run)
{
    if (atomic_fetch_sub(&run->refs, 1) != 1)
        return;
    intake_messages_free(run->inbox.first);
    intake_messages_free(run->fresh.first);
    intake_messages_free(run->waiting.first);
    mpc__keeper__v1__to_keeper__free_unpacked(run->frame, NULL);
    pthread_mutex_destroy(&run->lock);
    free(run);
}

/* Something is new for the worker. Under the run's lock; true if it has to be submitted. */
static bool stir(struct run *run)
{
    bool idle = !run->scheduled;

    run->dirty = true;
    run->scheduled = true;
    return idle;
}

static void submit(struct run *run)
{
    atomic_fetch_add(&run->refs, 1);
    workers_submit(run->keeper->workers, run->kind, &run->task);
}

void run_start(struct run *run)
{
    bool idle;

    pthread_mutex_lock(&run->lock);
    idle = stir(run);
    pthread_mutex_unlock(&run->lock);
    if (idle)
        submit(run);
}

/* Under the lock. */
static void append(struct run *run, struct intake_message *list)
{
    while (list) {
        struct intake_message *m = list;

        list = m->next;
        if (run->held_bytes + intake_message_cost(m) > HELD_BYTES_MAX) {
            atomic_fetch_add(&run->keeper->counts.dropped, 1);
            free(m);
            continue;
        }
        run->held_bytes += intake_message_cost(m);
        list_put(&run->inbox, m);
    }
}

void run_deliver(struct run *run, struct intake_message *list)
{
    bool idle;

    pthread_mutex_lock(&run->lock);
    append(run, list);
    idle = stir(run);
    pthread_mutex_unlock(&run->lock);
    if (idle)
        submit(run);
}

void run_end(struct run *run, enum run_end end)
{
    int goes_on = RUN_GOES_ON;

    if (atomic_compare_exchange_strong(&run->end, &goes_on, end))
        run_start(run);
}

void run_answer(struct run *run, enum policy_answer answer)
{
    pthread_mutex_lock(&run->lock);
    run->answer = answer;
    pthread_mutex_unlock(&run->lock);
    run_start(run);
}

bool run_policy_is_late(struct run *run, int64_t now_ms)
{
    bool late;

    pthread_mutex_lock(&run->lock);
    late = run->policy_until_ms && now_ms >= run->policy_until_ms && run->answer == POLICY_NONE;
    pthread_mutex_unlock(&run->lock);
    return late;
}

const char *run_party_of(const struct run *run, uint16_t index)
{
    for (size_t i = 0; i < run->permit.n; i++) {
        if (run->permit.indices[i] == index)
            return run->setup->members[i]->party_id;
    }
    return NULL;
}

/* The end */

static void release(struct run *run)
{
    struct keeper *keeper = run->keeper;

    if (run->peer) {
        qrt_peer_wipe(run->peer);
        blocks_give(keeper->blocks, run->peer, run->peer_len);
        run->peer = NULL;
    }
    gate_quit(keeper->gates, &run->seat);
    shares_put(run->share);
    run->share = NULL;
    secret_free(run->pending_record);
    run->pending_record = NULL;
    presig_free(run->presig);
    run->presig = NULL;
}

/* Done with a message. */
static void let_go(struct run *run, struct intake_message *m)
{
    pthread_mutex_lock(&run->lock);
    run->held_bytes -= intake_message_cost(m);
    pthread_mutex_unlock(&run->lock);
    free(m);
}

static void forget_waiting(struct run *run)
{
    while (run->waiting.first)
        let_go(run, list_take(&run->waiting));
    while (run->fresh.first)
        let_go(run, list_take(&run->fresh));
}

void run_finish(struct run *run)
{
    int end = atomic_load(&run->end);

    if (run->state != RUN_HELPING && end != RUN_REPLACED && end != RUN_CLOSED)
        outcome_of(run);
    release(run);
    if (run->has_key && end == RUN_GOES_ON) {
        run->state = RUN_HELPING;
        keeper_rest(run->keeper, run);
    } else {
        run->state = RUN_OVER;
        forget_waiting(run);
        keeper_forget(run->keeper, run);
    }
}

/* Steps */

static bool is_running(const struct run *run)
{
    return qrt_run_phase(qrt_peer_run(run->peer)) == QRT_PHASE_RUNNING;
}

void run_send(struct run *run)
{
    struct outgoing out = {0};
    const struct qrt_msg *msg;

    while ((msg = qrt_peer_next(run->peer))) {
        outgoing_add(&out, msg->to, msg->b, msg->len);
        if (run->protocol == QRT_KEYGEN && msg->round == 4 && msg->len == QRT_CONFIRMATION_BYTES) {
            memcpy(run->confirmation, msg->b, msg->len);
            run->has_confirmation = true;
        }
    }
    outgoing_send(&out, run);
}

void run_settle(struct run *run)
{
    const struct qrt_record *record;

    while ((record = qrt_peer_record(run->peer)) && run_record(run, record))
        ;
    run_send(run);
}

enum offered { OFFERED_AGAIN, OFFERED_DROPPED, OFFERED_TAKEN };

static enum offered offer(struct run *run, const struct intake_message *m)
{
    enum qrt_err e = qrt_peer_recv(run->peer, m->b, m->len);

    if (e == QRT_E_AGAIN)
        return OFFERED_AGAIN;
    if (qrt_err_class(e) == QRT_CLASS_DROP)
        atomic_fetch_add(&run->keeper->counts.dropped, 1);
    run_settle(run);
    if (e == QRT_OK || e == QRT_E_DROP_DUPLICATE)
        run_hear_confirmation(run, m);
    return qrt_err_class(e) == QRT_CLASS_DROP ? OFFERED_DROPPED : OFFERED_TAKEN;
}

/* Offer what is fresh, once. True if something was taken: what waits may have its turn now. */
static bool offer_fresh(struct run *run)
{
    bool moved = false;

    while (run->fresh.first && is_running(run)) {
        struct intake_message *m = list_take(&run->fresh);
        enum offered offered = offer(run, m);

        if (offered == OFFERED_AGAIN) {
            list_put(&run->waiting, m);
            continue;
        }
        moved = moved || offered == OFFERED_TAKEN;
        let_go(run, m);
    }
    return moved;
}

/* Only a message that was taken changes what the others are worth: a flood of what cannot be taken
 * is looked at once. */
static void go(struct run *run)
{
    while (is_running(run) && offer_fresh(run)) {
        list_move(&run->waiting, &run->fresh);
        list_move(&run->fresh, &run->waiting);
    }
    if (!is_running(run))
        run_finish(run);
}

static enum policy_answer answer_of(struct run *run)
{
    enum policy_answer answer;

    pthread_mutex_lock(&run->lock);
    answer = run->answer;
    pthread_mutex_unlock(&run->lock);
    return answer;
}

static void hear_policy(struct run *run)
{
    const char *id = run->keeper->rules.party_id;

    switch (answer_of(run)) {
    case POLICY_NONE:
        return;
    case POLICY_APPROVE:
        run_begin_peer(run);
        return;
    case POLICY_REJECT:
        refuse(&run->refusal, "POLICY_REJECT", "the policy of party %s rejects this request", id);
        break;
    case POLICY_RETRY:
        refuse_for_now(&run->refusal, "POLICY_RETRY", "the policy of party %s gave no approval",
                       id);
        break;
    }
    run_finish(run);
}

/* Messages for a key that is made; the order does not matter. */
static void help(struct run *run)
{
    list_move(&run->fresh, &run->waiting);
    while (run->fresh.first) {
        struct intake_message *m = list_take(&run->fresh);

        run_hear_confirmation(run, m);
        let_go(run, m);
    }
}

static void step(struct run *run)
{
    if (run->state != RUN_OVER && atomic_load(&run->end) != RUN_GOES_ON)
        run_finish(run);
    if (run->state == RUN_NEW)
        run_begin(run);
    if (run->state == RUN_ASKING)
        hear_policy(run);
    if (run->state == RUN_GOING)
        go(run);
    if (run->state == RUN_HELPING)
        help(run);
}

/* Move the inbox to the worker's side. False: nothing is new, the run may rest. */
static bool take_news(struct run *run)
{
    bool news;

    pthread_mutex_lock(&run->lock);
    news = run->dirty;
    run->dirty = false;
    list_move(&run->fresh, &run->inbox);
    if (!news)
        run->scheduled = false;
    pthread_mutex_unlock(&run->lock);
    return news;
}

static void work(void *arg)
{
    struct run *run = arg;

    while (take_news(run)) {
        if (run->state == RUN_OVER)
            forget_waiting(run);
        else
            step(run);
    }
    run_unref(run);
}
