/* SPDX-License-Identifier: Apache-2.0 */
/* One presigning: intent, CreateSession, wait, and perhaps once more. Whatever fails is told to the
 * log and to hot.h, which makes the account pause. */
#include "services/account/presign.h"

#include "services/account/await.h"
#include "services/account/coordinator.h"
#include "services/account/hot.h"
#include "services/account/intents.h"
#include "services/account/roster.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"

#include <stdlib.h>
#include <string.h>

struct presign {
    struct account_service *s;
    struct hot_name name;
    struct account account;
    uint32_t path[QRT_PATH_MAX];
    size_t path_n;
    struct signed_intent intent;
    char trace[TRACE_TEXT_MAX];
};

static void create_session(struct presign *op);

/* |error| NULL: made, and |ready| are there now. */
static void finish(struct presign *op, uint32_t ready, const char *error)
{
    struct account_service *s = op->s;

    hot_end(s->hot, &op->name, !error, (uint64_t)clock_steady_ms());
    metric_add(error ? s->presignings_failed : s->presignings, 1);
    if (error)
        log_event(s->is_ending ? LOG_DEBUG : LOG_WARN, "no presignature was made",
                  LOG_S("account", op->account.account_id), LOG_S("trace", op->trace),
                  LOG_S("error", error));
    signed_intent_free(&op->intent);
    if (!error && ready < PRESIGN_TARGET &&
        hot_begin(s->hot, &op->name, (uint64_t)clock_steady_ms()))
        create_session(op);
    else
        free(op);
}

static void waited(void *arg, const Mpc__Coordinator__V1__GetSessionStatusResponse *r,
                   const struct rpc_status *status)
{
    struct presign *op = arg;

    if (!r || !r->session)
        finish(op, 0, status->text);
    else if (strcmp(r->session->status, "completed") != 0)
        finish(op, 0, r->session->error[0] ? r->session->error : r->session->status);
    else
        finish(op, r->presignatures, NULL);
}

static void session_created(void *arg, const struct rpc_status *status,
                            const ProtobufCMessage *response)
{
    struct presign *op = arg;
    const Mpc__Coordinator__V1__CreateSessionResponse *r = (const void *)response;
    const struct await_end end = {waited, op};

    if (status->code != RPC_OK)
        finish(op, 0, status->text);
    else
        await_session(op->s, r->session->session_id, INTENT_PRESIGN_S * 1000, op->trace, end);
}

static void create_session(struct presign *op)
{
    Mpc__Coordinator__V1__CreateSessionRequest q =
        MPC__COORDINATOR__V1__CREATE_SESSION_REQUEST__INIT;
    struct roster_members members;

    trace_new(op->trace);
    intent_of_presign(&op->intent, op->s, &op->account, op->path, op->path_n);
    roster_members(&members, &op->account);
    signed_intent_ask(&q, &op->intent, "presign");
    coordinator_seat(&q, &members);
    q.keygen_session_id = op->account.session_id;
    q.trace_id = op->trace;
    coordinator_create(op->s, &q, 0, session_created, op);
}

void presign_after(struct account_service *s, const struct account *account, const uint32_t *path,
                   size_t path_n, uint32_t ready)
{
    struct hot_name name;
    struct presign *op;

    if (!s->hot)
        return;
    hot_name(&name, account->account_id, path, path_n);
    hot_signed(s->hot, &name, (uint64_t)clock_steady_ms());
    if (ready >= PRESIGN_TARGET || !hot_begin(s->hot, &name, (uint64_t)clock_steady_ms()))
        return;
    op = mem_new(1, sizeof *op);
    op->s = s;
    op->name = name;
    op->account = *account;
    op->path_n = path_n;
    memcpy(op->path, path, path_n * sizeof path[0]);
    create_session(op);
}
