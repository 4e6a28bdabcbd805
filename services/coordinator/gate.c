/* SPDX-License-Identifier: Apache-2.0 */
/* See gate.h. A call waits in one list, with a cancel callback; its request is lent until the call
 * is finished. A relayed call is never passed on: two replicas that believe in each other would
 * throw it to and fro. It is sent back, and waits where it came in. */
#include "services/coordinator/gate.h"

#include "services/coordinator/leadership.h"
#include "services/coordinator/routes.h"
#include "system/core/buffer.h"
#include "system/core/log.h"
#include "system/rpc/relay.h"
#include "system/service/dial.h"

#include <stdlib.h>
#include <string.h>

enum { METHODS_MAX = 32, AGAIN_MS = 50 };

static const char not_leading[] = "not_leading";

struct waiting {
    struct gate *gate;
    struct rpc_call *call;
    const ProtobufCMessage *request;
    struct waiting *next, *prev;
};

struct gate {
    struct coordinator *c;
    /* the coordinator's, with this file's handler; in the same order */
    struct rpc_method methods[METHODS_MAX];
    struct rpc_channel *leader;
    bool is_up;
    struct waiting *first, *last;
    size_t n;
    /* what was sent back is not tried in the same turn */
    uv_timer_t again;
};

static void unlink_it(struct waiting *w)
{
    struct gate *g = w->gate;

    if (w->prev)
        w->prev->next = w->next;
    else
        g->first = w->next;
    if (w->next)
        w->next->prev = w->prev;
    else
        g->last = w->prev;
    g->n--;
}

static struct rpc_status nobody_leads(const char *name)
{
    struct rpc_status status =
        rpc_error(RPC_UNAVAILABLE, name, "no replica of the coordinator leads now: try again");

    status.retry_after = 1;
    return status;
}

static void gone(struct rpc_call *call, void *arg)
{
    struct waiting *w = arg;

    unlink_it(w);
    free(w);
    rpc_fail(call, nobody_leads("unavailable"));
}

static void wait_for_leader(struct gate *g, struct rpc_call *call, const ProtobufCMessage *request)
{
    struct waiting *w;

    if (g->n >= GATE_WAITING_MAX || g->c->is_ending) {
        rpc_fail(call, nobody_leads("unavailable"));
        return;
    }
    w = mem_new(1, sizeof *w);
    *w = (struct waiting){.gate = g, .call = call, .request = request, .prev = g->last};
    if (g->last)
        g->last->next = w;
    else
        g->first = w;
    g->last = w;
    g->n++;
    rpc_on_cancel(call, gone, w);
}

static void on_again(uv_timer_t *timer)
{
    gate_pump(timer->data);
}

/* The leader there leads no more, or could not be asked: nobody has looked at the call. */
static bool take_back(void *arg, struct rpc_call *call, const ProtobufCMessage *request,
                      const struct rpc_status *status)
{
    struct gate *g = arg;

    /* its channel was ended: by gate_follow, for there is another leader */
    if (status->code == RPC_CANCELLED && !g->leader && !rpc_is_cancelled(call)) {
        rpc_fail(call, nobody_leads("unavailable"));
        return true;
    }
    if (strcmp(status->name, not_leading) != 0 || rpc_is_cancelled(call))
        return false;
    wait_for_leader(g, call, request);
    if (!g->c->is_ending && !uv_is_active((uv_handle_t *)&g->again))
        uv_timer_start(&g->again, on_again, AGAIN_MS, 0);
    return true;
}

static void relay(struct gate *g, struct rpc_call *call, const ProtobufCMessage *request)
{
    struct rpc_metadata fields[ACCESS_RELAY_FIELDS];
    struct access_relay_text text;
    const struct rpc_relay to = {.channel = g->leader,
                                 .metadata = fields,
                                 .metadata_n = ACCESS_RELAY_FIELDS,
                                 .take_back = take_back,
                                 .arg = g};

    access_relay_fields(g->c->host->access, call, &text, fields);
    rpc_relay(&to, call, request);
}

static void answer(struct gate *g, struct rpc_call *call, const ProtobufCMessage *request)
{
    size_t i = (size_t)(rpc_call_method(call) - g->methods);

    coordinator_methods[i].handle(call, request, g->c);
}

static bool answers_here(const struct gate *g)
{
    return g->c->leads && leadership_is_sure(g->c->leadership);
}

static void handle(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct gate *g = service;

    if (answers_here(g))
        answer(g, call, request);
    else if (access_is_relayed(call) && !leadership_leads(g->c->leadership))
        rpc_fail(call, nobody_leads(not_leading));
    else if (g->is_up && !g->c->leads)
        relay(g, call, request);
    else
        wait_for_leader(g, call, request);
}

void gate_pump(struct gate *g)
{
    struct waiting *w = g->first, *next;

    g->first = g->last = NULL;
    g->n = 0;
    for (; w; w = next) {
        struct rpc_call *call = w->call;
        const ProtobufCMessage *request = w->request;

        next = w->next;
        free(w);
        rpc_on_cancel(call, NULL, NULL);
        handle(call, request, g);
    }
}

static void on_leader(void *arg, bool is_connected, bool gave_up)
{
    struct gate *g = arg;

    (void)gave_up;
    g->is_up = is_connected;
    log_line(LOG_INFO, is_connected ? "connected to the leader" : "the leader is not reached");
    if (is_connected)
        gate_pump(g);
}

void gate_follow(struct gate *g, const char *address)
{
    const struct service_replica replica = {address, on_leader, g};
    struct rpc_channel *old = g->leader;

    g->leader = NULL;
    g->is_up = false;
    service_hangup(old);
    if (address && !g->c->is_ending)
        g->leader = service_dial_replica(g->c->host, &replica);
}

bool gate_reaches(const struct gate *g)
{
    return g->is_up;
}

struct gate *gate_new(struct coordinator *c)
{
    struct gate *g = mem_new(1, sizeof *g);

    g->c = c;
    for (size_t i = 0; coordinator_methods[i].path && i + 1 < METHODS_MAX; i++) {
        g->methods[i] = coordinator_methods[i];
        g->methods[i].handle = handle;
    }
    uv_timer_init(c->host->loop, &g->again);
    g->again.data = g;
    access_let_relay(c->host->access, c->host->name);
    rpc_server_add(c->host->server, g->methods, coordinator_routes, g);
    return g;
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

void gate_free(struct gate *g)
{
    if (!g)
        return;
    while (g->first)
        gone(g->first->call, g->first);
    service_hangup(g->leader);
    g->leader = NULL;
    uv_close((uv_handle_t *)&g->again, closed);
}
