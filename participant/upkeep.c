/* SPDX-License-Identifier: Apache-2.0 */
/* See upkeep.h. What is asked for twice before its turn is done once; requests of the front are
 * bounded, in number and in bytes. Orders are stored here alone (participant/orders.h), and shares
 * lent here alone. */
#include "participant/upkeep.h"

#include "participant/keeper_runs.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef Mpc__Keeper__V1__ToKeeper to_keeper;

enum { REQUESTS_MAX = 1024, BYTES_MAX = 64 << 20 };

struct request {
    struct request *next;
    to_keeper *frame;
    size_t len;
    /* later ones of its session that found no room: they are refused behind its answer */
    size_t refused_n;
};

struct upkeep {
    struct keeper *keeper;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    /* under the lock */
    bool is_stopped, saves, erases;
    /* an order or a burn holds and is not stored, as far as anybody said */
    bool is_owing;
    struct request *first, **end, *current;
    size_t requests_n, bytes;
    /* the thread's: the last time not all could be stored */
    bool is_failing;
};

/* One thing to do. */
struct turn {
    bool saves, erases;
    struct request *request;
};

/* Answers */

static void answer(struct keeper *keeper, const char *session_id, const struct refusal *refusal)
{
    Mpc__Keeper__V1__FromKeeper frame = MPC__KEEPER__V1__FROM_KEEPER__INIT;
    Mpc__Keeper__V1__ShareAnswer message = MPC__KEEPER__V1__SHARE_ANSWER__INIT;

    message.session_id = (char *)session_id;
    if (refusal->code) {
        message.code = (char *)refusal->code;
        message.text = (char *)refusal->text;
    }
    frame.reply_case = MPC__KEEPER__V1__FROM_KEEPER__REPLY_SHARE_ANSWER;
    frame.share_answer = &message;
    keeper_emit(keeper, &frame);
}

static const char *session_of(const to_keeper *frame)
{
    return frame->request_case == MPC__KEEPER__V1__TO_KEEPER__REQUEST_LEND_SHARE
               ? frame->lend_share->session_id
               : frame->confirm_share->session_id;
}

static void confirm(struct keeper *keeper, const char *session_id)
{
    struct refusal refusal = {0};
    enum store_result found = store_forget_given(keeper->store, session_id);

    if (found == STORE_NONE)
        refuse(&refusal, "NO_SHARE", "no share of this session waits to be confirmed");
    else if (found == STORE_FAILED)
        refuse_for_now(&refusal, "STORAGE", "the share could not be erased");
    else
        shares_clear(keeper->shares);
    answer(keeper, session_id, &refusal);
}

static void lend(struct keeper *keeper, const Mpc__Keeper__V1__LendShare *share)
{
    struct refusal refusal = {0};

    if (delegate_lend(keeper->delegate, share->session_id, share->sealed.data, share->sealed.len,
                      clock_unix_ms(), &refusal)) {
        if (keeper_is_closed(keeper, share->session_id))
            delegate_forget(keeper->delegate, share->session_id);
        keeper_wake_session(keeper, share->session_id);
    }
    answer(keeper, share->session_id, &refusal);
}

static void answer_overloaded(struct upkeep *u, const to_keeper *frame)
{
    struct refusal refusal = {0};

    refuse_for_now(&refusal, "OVERLOADED", "party %s waits for its database",
                   u->keeper->rules.party_id);
    answer(u->keeper, session_of(frame), &refusal);
}

/* Work */

static void freeze_ended(void *arg, const char *subject, bool is_stored)
{
    if (is_stored)
        log_event(LOG_WARN, "freeze ended by the operator", LOG_S("account", subject));
    else
        log_event(LOG_ERROR, "the end of a freeze cannot be stored: it goes on until it can",
                  LOG_S("account", subject));
    keeper_wake_account(arg, subject);
}

static void tell_failing(struct upkeep *u, bool is_failing)
{
    char why[STORE_ERROR_MAX];

    if (is_failing == u->is_failing)
        return;
    u->is_failing = is_failing;
    store_error(u->keeper->store, why);
    if (is_failing)
        log_event(LOG_ERROR, "an order or a burn holds but cannot be stored: tried again",
                  LOG_S("error", why));
    else
        log_line(LOG_INFO, "what could not be stored is stored");
}

static void save(struct upkeep *u)
{
    bool all = orders_save(u->keeper->orders, freeze_ended, u->keeper);

    all = burns_save(u->keeper) && all;
    tell_failing(u, !all);
    pthread_mutex_lock(&u->lock);
    u->is_owing = !all || u->saves;
    pthread_mutex_unlock(&u->lock);
}

static void erase(struct keeper *keeper)
{
    if (!store_expire(keeper->store, clock_unix_ms()))
        log_line(LOG_WARN, "what is past its time could not be erased");
    if (delegate_is_active(keeper->delegate))
        shares_clear(keeper->shares);
}

static void take(struct keeper *keeper, to_keeper *frame)
{
    if (frame->request_case == MPC__KEEPER__V1__TO_KEEPER__REQUEST_LEND_SHARE)
        lend(keeper, frame->lend_share);
    else
        confirm(keeper, frame->confirm_share->session_id);
}

/* The thread */

/* Under the lock. */
static struct request *next_request(struct upkeep *u)
{
    struct request *request = u->first;

    if (!request)
        return NULL;
    u->first = request->next;
    if (!u->first)
        u->end = &u->first;
    u->requests_n--;
    return request;
}

static void request_free(struct request *request)
{
    mpc__keeper__v1__to_keeper__free_unpacked(request->frame, NULL);
    free(request);
}

static void serve(struct upkeep *u, struct request *request)
{
    take(u->keeper, request->frame);
    pthread_mutex_lock(&u->lock);
    u->current = NULL;
    u->bytes -= request->len;
    pthread_mutex_unlock(&u->lock);
    for (; request->refused_n > 0; request->refused_n--)
        answer_overloaded(u, request->frame);
    request_free(request);
}

/* False: the end. What is owed is stored before it. */
static bool next_turn(struct upkeep *u, struct turn *turn)
{
    bool goes_on;

    *turn = (struct turn){0};
    pthread_mutex_lock(&u->lock);
    while (!u->is_stopped && !u->saves && !u->erases && !u->first)
        pthread_cond_wait(&u->woken, &u->lock);
    goes_on = !u->is_stopped || u->saves;
    turn->saves = u->saves;
    turn->erases = !turn->saves && u->erases;
    if (goes_on && !turn->saves && !turn->erases)
        turn->request = u->current = next_request(u);
    u->saves = u->saves && !turn->saves;
    u->erases = u->erases && !turn->erases;
    pthread_mutex_unlock(&u->lock);
    return goes_on;
}

static void *work(void *arg)
{
    struct upkeep *u = arg;
    struct turn turn;

    while (next_turn(u, &turn)) {
        if (turn.saves)
            save(u);
        if (turn.erases)
            erase(u->keeper);
        if (turn.request)
            serve(u, turn.request);
    }
    return NULL;
}

struct upkeep *upkeep_start(struct keeper *keeper)
{
    struct upkeep *u = mem_new(1, sizeof *u);

    u->keeper = keeper;
    u->end = &u->first;
    pthread_mutex_init(&u->lock, NULL);
    pthread_cond_init(&u->woken, NULL);
    if (pthread_create(&u->thread, NULL, work, u) != 0) {
        log_line(LOG_ERROR, "no thread for the party's database");
        abort();
    }
    return u;
}

void upkeep_stop(struct upkeep *u)
{
    struct request *request;

    if (!u)
        return;
    pthread_mutex_lock(&u->lock);
    u->is_stopped = true;
    pthread_cond_signal(&u->woken);
    pthread_mutex_unlock(&u->lock);
    (void)pthread_join(u->thread, NULL);
    while ((request = next_request(u)))
        request_free(request);
    pthread_mutex_destroy(&u->lock);
    pthread_cond_destroy(&u->woken);
    free(u);
}

/* Requests */

void upkeep_save(struct upkeep *u)
{
    pthread_mutex_lock(&u->lock);
    u->saves = true;
    u->is_owing = true;
    pthread_cond_signal(&u->woken);
    pthread_mutex_unlock(&u->lock);
}

bool upkeep_owes(struct upkeep *u)
{
    bool owes;

    pthread_mutex_lock(&u->lock);
    owes = u->is_owing;
    pthread_mutex_unlock(&u->lock);
    return owes;
}

void upkeep_erase(struct upkeep *u)
{
    pthread_mutex_lock(&u->lock);
    u->erases = true;
    pthread_cond_signal(&u->woken);
    pthread_mutex_unlock(&u->lock);
}

/* Under the lock. */
static bool add(struct upkeep *u, struct request *request)
{
    if (u->requests_n >= REQUESTS_MAX || request->len > BYTES_MAX - u->bytes)
        return false;
    *u->end = request;
    u->end = &request->next;
    u->requests_n++;
    u->bytes += request->len;
    pthread_cond_signal(&u->woken);
    return true;
}

/* The last of the same session that has no answer yet, or NULL. Under the lock. */
static struct request *before(const struct upkeep *u, const struct request *request)
{
    const char *session_id = session_of(request->frame);
    struct request *last = NULL;

    if (u->current && strcmp(session_of(u->current->frame), session_id) == 0)
        last = u->current;
    for (struct request *r = u->first; r; r = r->next) {
        if (strcmp(session_of(r->frame), session_id) == 0)
            last = r;
    }
    return last;
}

/* Answers of a session are in the order of its requests, refusals too. */
void upkeep_take(struct upkeep *u, to_keeper *frame)
{
    struct request *request = mem_new(1, sizeof *request), *last = NULL;
    bool is_added;

    request->frame = frame;
    request->len = mpc__keeper__v1__to_keeper__get_packed_size(frame);
    pthread_mutex_lock(&u->lock);
    is_added = add(u, request);
    if (!is_added)
        last = before(u, request);
    if (last)
        last->refused_n++;
    pthread_mutex_unlock(&u->lock);
    if (is_added)
        return;
    if (!last)
        answer_overloaded(u, frame);
    request_free(request);
}
