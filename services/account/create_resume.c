/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts that exist already when somebody comes to make them: repeats of a request, and what a
 * restart left pending. Both find the session that makes the key and wait for its end. */
#include "services/account/coordinator.h"
#include "services/account/create.h"
#include "services/account/create_op.h"
#include "services/account/lookup.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Between two looks for a session that is just being made. */
enum { LOOK_MS = 100, LOOK_MIN_S = 5 };

struct look {
    struct create *op;
    /* of all that wait */
    struct look *next;
    uv_timer_t timer;
};

static void look_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void look_end(struct look *look)
{
    struct look **at = &look->op->s->looks;

    while (*at != look)
        at = &(*at)->next;
    *at = look->next;
    uv_close((uv_handle_t *)&look->timer, look_closed);
}

static void look_again(uv_timer_t *timer)
{
    struct look *look = timer->data;

    look_end(look);
    create_again(look->op);
}

static void look_later(struct create *op)
{
    struct look *look = mem_new(1, sizeof *look);

    look->op = op;
    look->next = op->s->looks;
    op->s->looks = look;
    uv_timer_init(op->s->host->loop, &look->timer);
    look->timer.data = look;
    uv_timer_start(&look->timer, look_again, LOOK_MS, 0);
}

void create_end_looks(struct account_service *s)
{
    while (s->looks) {
        struct create *op = s->looks->op;

        look_end(s->looks);
        create_end(op, rpc_error(RPC_UNAVAILABLE, "stopping", "the service stops: ask again"));
    }
}

/* Who does not wait for the key waits for the session's id all the same, a little. */
static bool has_time(const struct create *op)
{
    uint64_t wait_s = op->wait_s > LOOK_MIN_S ? op->wait_s : LOOK_MIN_S;

    return clock_steady_us() - op->started_us < wait_s * 1000000;
}

static void reply_or_wait(struct create *op)
{
    if (op->call && op->wait_s == 0) {
        create_reply(op);
        create_free(op);
    } else {
        create_wait(op);
    }
}

/* Another replica's request may be on its way to the coordinator, whoever sent it. */
static bool may_still_begin(const struct create *op)
{
    int64_t age_ms = clock_unix_ms() - op->account.created_ms;

    return !op->s->is_alone && age_ms < (int64_t)(op->s->keygen_wait_s + 15) * 1000;
}

/* No session yet. A caller waits for the request that is making it; without one, there is none: the
 * process that would have made it is gone. */
static void not_found(struct create *op)
{
    if (!op->call && may_still_begin(op)) {
        create_free(op);
    } else if (!op->call) {
        create_fail(op, "never_started", "the service stopped before the keygen began");
    } else if (!has_time(op)) {
        create_reply(op);
        create_free(op);
    } else {
        look_later(op);
    }
}

/* The session has been made since the row was read, and the intent was stored before it. Without
 * the intent nobody can tell whether the key is the one that was asked for. */
static void read_late(struct create *op)
{
    if (has_time(op))
        look_later(op);
    else
        create_end(op, rpc_error(RPC_UNAVAILABLE, "not_stored", "the keygen begins: ask again"));
}

static void found(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    struct create *op = arg;
    const Mpc__Coordinator__V1__ListSessionsResponse *r = (const void *)response;

    if (status->code != RPC_OK) {
        create_end(op, *status); /* a restart's accounts are looked at again in the next round */
    } else if (r->n_sessions == 0) {
        not_found(op);
    } else if (op->intent.len == 0) {
        read_late(op);
    } else {
        snprintf(op->account.session_id, sizeof op->account.session_id, "%s",
                 r->sessions[0]->session_id);
        reply_or_wait(op);
    }
}

static void find_session(struct create *op)
{
    Mpc__Coordinator__V1__ListSessionsRequest q = MPC__COORDINATOR__V1__LIST_SESSIONS_REQUEST__INIT;
    struct rpc_request request = {.path = "mpc.coordinator.v1.SessionCoordinator/ListSessions",
                                  .message = &q.base,
                                  .response =
                                      &mpc__coordinator__v1__list_sessions_response__descriptor,
                                  .trace = op->account.trace_id,
                                  .done = found,
                                  .arg = op};

    q.account_id = op->account.account_id;
    q.limit = 1;
    coordinator_ask(op->s, request);
}

static void go_on(struct create *op)
{
    const struct account *account = &op->account;

    if (account->status == ACCOUNT_FAILED) {
        create_end(op, create_failure(account));
    } else if (account->status == ACCOUNT_ACTIVE) {
        create_reply(op);
        create_free(op);
    } else if (account->session_id[0]) {
        reply_or_wait(op);
    } else {
        find_session(op);
    }
}

static void take_row(struct create *op, struct store_get *get)
{
    free(op->user_share);
    signed_intent_free(&op->intent);
    op->account = get->account;
    op->user_share = get->user_share;
    op->user_share_len = get->user_share_len;
    op->intent = (struct signed_intent){.b = get->intent, .len = get->intent_len};
    get->user_share = get->intent = NULL;
}

/* The row may have gone: the request that made it could not begin, and took it back. */
static void read_again(void *arg, enum db_result result)
{
    struct store_get *get = arg;
    struct create *op = get->owner;

    if (result == DB_OK)
        take_row(op, get);
    store_get_free(get);
    free(get);
    if (result == DB_OK)
        go_on(op);
    else if (result == DB_REFUSED && op->is_hinted)
        create_insert(op); /* a database older than the hint */
    else if (result == DB_REFUSED)
        create_end(op, rpc_error(RPC_ABORTED, "request_failed",
                                 "the request with this idempotency_key failed before its keygen"
                                 " began: ask again"));
    else
        create_end(op, lookup_database_fault(op->s));
}

void create_again(struct create *op)
{
    struct store_get *get = mem_new(1, sizeof *get);

    *get = (struct store_get){.owner = op, .want_blobs = true};
    memcpy(get->account_id, op->account.account_id, sizeof get->account_id);
    db_submit(op->s->db, DB_READ, store_get, read_again, get);
}

/* Another replica was faster, or its caller's request is still under way there. */
static void held(void *arg, enum db_result result)
{
    struct create *op = ((struct store_hold *)arg)->owner;

    if (result != DB_OK) {
        create_free(op);
        return;
    }
    log_event(LOG_INFO, "a pending account is taken up", LOG_S("account", op->account.account_id),
              LOG_S("session", op->account.session_id), LOG_S("trace", op->account.trace_id));
    create_held(op);
    create_again(op);
}

void create_resume(struct account_service *s, const struct account *account)
{
    struct create *op = create_new(s, NULL);

    op->account = *account;
    op->is_resumed = true;
    s->resuming++;
    op->hold = (struct store_hold){
        .owner = op, .account = &op->account, .replica = s->replica, .any = s->is_alone};
    db_submit(s->db, DB_DURABLE, store_hold, held, &op->hold);
}
