/* SPDX-License-Identifier: Apache-2.0 */
/* The list is in the order of arrival, which is that of the times as well. */
#include "services/coordinator/unlisted.h"

#include "services/coordinator/sweep.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"

#include <stdlib.h>

struct unlisted {
    struct coordinator *c;
    struct rpc_call *call;
    /* lent until the call is finished */
    const ProtobufCMessage *request;
    rpc_handler *handle;
    int64_t until_ms;
    struct unlisted *next;
};

static void take_off(struct unlisted *u)
{
    struct unlisted **at = &u->c->unlisted;

    while (*at != u)
        at = &(*at)->next;
    *at = u->next;
    u->c->unlisted_n--;
    rpc_on_cancel(u->call, NULL, NULL);
}

static void refuse(struct rpc_call *call)
{
    struct rpc_status status =
        rpc_error(RPC_UNAVAILABLE, "no_presence",
                  "no router has told this coordinator yet which parties there are: try again");

    status.retry_after = 1;
    rpc_fail(call, status);
}

static void cancelled(struct rpc_call *call, void *arg)
{
    struct unlisted *u = arg;

    take_off(u);
    free(u);
    rpc_fail(call, rpc_error(RPC_CANCELLED, "cancelled", "the caller went away"));
}

void unlisted_wait(struct coordinator *c, struct rpc_call *call, const ProtobufCMessage *request,
                   rpc_handler *handle)
{
    struct unlisted **end = &c->unlisted, *u;

    if (c->unlisted_n >= UNLISTED_MAX || c->is_stopping) {
        refuse(call);
        return;
    }
    u = mem_new(1, sizeof *u);
    *u = (struct unlisted){.c = c, .call = call, .request = request, .handle = handle};
    u->until_ms = clock_unix_ms() + UNLISTED_MS;
    while (*end)
        end = &(*end)->next;
    *end = u;
    c->unlisted_n++;
    rpc_on_cancel(call, cancelled, u);
    sweep_wake(c);
}

void unlisted_pump(struct coordinator *c)
{
    while (c->unlisted) {
        struct unlisted *u = c->unlisted;

        take_off(u);
        u->handle(u->call, u->request, c);
        free(u);
    }
}

void unlisted_expire(struct coordinator *c, int64_t now_ms)
{
    while (c->unlisted && now_ms >= c->unlisted->until_ms) {
        struct unlisted *u = c->unlisted;

        take_off(u);
        refuse(u->call);
        free(u);
    }
}
