/* SPDX-License-Identifier: Apache-2.0 */
/* See relay.h. A passage lives until the call there has ended or the caller has gone. */
#include "system/rpc/relay.h"

#include "system/core/buffer.h"

#include <stdlib.h>

struct passage {
    struct rpc_call *call;
    const ProtobufCMessage *request;
    struct rpc_pending *pending;
    struct rpc_relay relay;
    bool has_answered;
};

/* The passage is over, and the call to be finished. */
static void leave(struct passage *p)
{
    if (p->relay.over)
        p->relay.over(p->relay.arg);
    free(p);
}

static void ended(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    struct passage *p = arg;
    struct rpc_call *call = p->call;
    bool is_stream = rpc_call_method(call)->is_stream;

    rpc_on_cancel(call, NULL, NULL);
    rpc_on_drain(call, NULL, NULL);
    if (status->code != RPC_OK && !p->has_answered && p->relay.take_back &&
        p->relay.take_back(p->relay.arg, call, p->request, status)) {
        free(p);
        return;
    }
    leave(p);
    if (status->code != RPC_OK)
        rpc_fail(call, *status);
    else if (is_stream)
        rpc_end(call);
    else
        rpc_reply(call, response);
}

static void passed(void *arg, const ProtobufCMessage *message)
{
    struct passage *p = arg;

    p->has_answered = true;
    if (!rpc_send(p->call, message))
        rpc_pause(p->pending, true);
}

static void drained(struct rpc_call *call, void *arg)
{
    struct passage *p = arg;

    (void)call;
    rpc_pause(p->pending, false);
}

static void gone(struct rpc_call *call, void *arg)
{
    struct passage *p = arg;

    rpc_cancel(p->pending);
    leave(p);
    rpc_fail(call, rpc_error(RPC_CANCELLED, "cancelled", "the caller has gone"));
}

void rpc_relay(const struct rpc_relay *relay, struct rpc_call *call,
               const ProtobufCMessage *request)
{
    const struct rpc_method *method = rpc_call_method(call);
    int64_t left = rpc_deadline_ms(call);
    struct passage *p = mem_new(1, sizeof *p);
    const struct rpc_request r = {.path = method->path,
                                  .message = request,
                                  .response = method->response,
                                  .deadline_ms = left < 0   ? 0
                                                 : left > 0 ? (unsigned)left
                                                            : 1,
                                  .trace = rpc_trace(call),
                                  .metadata = relay->metadata,
                                  .metadata_n = relay->metadata_n,
                                  .each = method->is_stream ? passed : NULL,
                                  .done = ended,
                                  .arg = p};

    *p = (struct passage){.call = call, .request = request, .relay = *relay};
    p->relay.metadata = NULL;
    p->pending = rpc_start(relay->channel, &r);
    if (!p->pending) { /* inside the channel's end */
        leave(p);
        rpc_fail(call, rpc_error(RPC_UNAVAILABLE, "unavailable", "the service is leaving"));
        return;
    }
    if (method->is_stream)
        rpc_on_drain(call, drained, p);
    rpc_on_cancel(call, gone, p);
}
