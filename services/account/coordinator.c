/* SPDX-License-Identifier: Apache-2.0 */
/* See coordinator.h. */
#include "services/account/coordinator.h"

#include "services/account/await.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/rpc/message.h"

#include <stdlib.h>

enum { ANSWER_MS = 10000, TRIES_MAX = 3 };

void coordinator_ask(struct account_service *s, struct rpc_request request)
{
    if (s->is_ending) {
        const struct rpc_status stopping =
            rpc_error(RPC_CANCELLED, "stopping", "the service stops: ask again");

        request.done(request.arg, &stopping, NULL);
        return;
    }
    if (request.deadline_ms == 0)
        request.deadline_ms = ANSWER_MS;
    rpc_start(s->coordinator, &request);
}

void coordinator_seat(Mpc__Coordinator__V1__CreateSessionRequest *q, struct roster_members *members)
{
    q->n_members = members->n;
    q->members = members->list;
    q->n_preferred = members->preferred_n;
    q->preferred = members->preferred;
}

/* A CreateSession that may have to be called again. */
struct creation {
    struct account_service *s;
    Mpc__Coordinator__V1__CreateSessionRequest *q;
    unsigned tries;
    /* steady; INT64_MAX: nobody waits */
    int64_t end_ms;
    rpc_done *done;
    void *arg;
};

static void try_creation(struct creation *creation);

static int64_t left_ms(const struct creation *creation)
{
    return creation->end_ms - clock_steady_ms();
}

static bool is_worth_another(const struct creation *creation, const struct rpc_status *status)
{
    return await_is_passing(status->code) && !creation->s->is_ending &&
           creation->q->idempotency_key[0] && creation->tries < TRIES_MAX && left_ms(creation) > 0;
}

static void created(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    struct creation *creation = arg;
    const Mpc__Coordinator__V1__CreateSessionResponse *r = (const void *)response;
    struct rpc_status end = *status;

    if (is_worth_another(creation, status)) {
        try_creation(creation);
        return;
    }
    if (end.code == RPC_OK && !r->session)
        end = rpc_error(RPC_DATA_LOSS, "coordinator_answer",
                        "the coordinator answered without a session");
    creation->done(creation->arg, &end, end.code == RPC_OK ? response : NULL);
    mpc__coordinator__v1__create_session_request__free_unpacked(creation->q, NULL);
    free(creation);
}

static void try_creation(struct creation *creation)
{
    int64_t left = left_ms(creation);

    left = left < 1 ? 1 : left; /* 0 would be none */
    creation->tries++;
    coordinator_ask(
        creation->s,
        (struct rpc_request){.path = "mpc.coordinator.v1.SessionCoordinator/CreateSession",
                             .message = &creation->q->base,
                             .response = &mpc__coordinator__v1__create_session_response__descriptor,
                             .trace = creation->q->trace_id,
                             .deadline_ms = left < ANSWER_MS ? (unsigned)left : ANSWER_MS,
                             .done = created,
                             .arg = creation});
}

void coordinator_create(struct account_service *s,
                        const Mpc__Coordinator__V1__CreateSessionRequest *q, unsigned within_ms,
                        rpc_done *done, void *arg)
{
    struct creation *creation = mem_new(1, sizeof *creation);

    *creation = (struct creation){.s = s,
                                  .q = message_copy(&q->base),
                                  .end_ms = within_ms ? clock_steady_ms() + within_ms : INT64_MAX,
                                  .done = done,
                                  .arg = arg};
    try_creation(creation);
}
