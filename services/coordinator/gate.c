/* SPDX-License-Identifier: Apache-2.0 */
/* See gate.h. A call waits in one list, with a cancel callback; its request is lent until the call
 * is finished. A relayed call is never passed on: two replicas that believe in each other would
 * throw it to and fro. It is sent back, and waits where it came in. */
#include "services/coordinator/gate.h"

#include "services/coordinator/budget.h"
#include "services/coordinator/leadership.h"
#include "services/coordinator/party_calls.h"
#include "services/coordinator/routes.h"
#include "system/core/buffer.h"
#include "system/core/log.h"
#include "system/rpc/relay.h"
#include "system/service/dial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* CALL_BYTES: of a call, whatever its message */
enum { METHODS_MAX = 32, AGAIN_MS = 50, CALL_BYTES = 256 };

static const char not_leading[] = "not_leading";

/* A call that this replica has not answered: it waits, in the list, or is under way. */
struct held {
    struct gate *gate;
    struct rpc_call *call;
    const ProtobufCMessage *request;
    struct held *next, *prev;
    char caller[BUDGET_CALLER_MAX];
    size_t bytes;
};

struct gate {
    struct coordinator *c;
    /* the coordinator's, with this file's handler; in the same order */
    struct rpc_method methods[METHODS_MAX];
    struct rpc_channel *leader;
    bool is_up;
    struct held *first, *last;
    size_t n;
    struct budget *budget;
    /* what was sent back is not tried in the same turn */
    uv_timer_t again;
};

static void unlink_it(struct held *h)
{
    struct gate *g = h->gate;

    if (h->prev)
        h->prev->next = h->next;
    else
        g->first = h->next;
    if (h->next)
        h->next->prev = h->prev;
    else
        g->last = h->prev;
    g->n--;
}

static void let_go(struct held *h)
{
    budget_give(h->gate->budget, h->caller, h->bytes);
    free(h);
}

static struct rpc_status nobody_leads(const char *name)
{
    struct rpc_status status =
        rpc_error(RPC_UNAVAILABLE, name, "no replica of the coordinator leads now: try again");

    status.retry_after = 1;
    return status;
}

static void refuse(struct held *h, const char *name)
{
    struct rpc_call *call = h->call;

    let_go(h);
    rpc_fail(call, nobody_leads(name));
}

static void gone(struct rpc_call *call, void *arg)
{
    struct held *h = arg;

    (void)call;
    unlink_it(h);
    refuse(h, "unavailable");
}

static void wait_for_leader(struct held *h)
{
    struct gate *g = h->gate;

    if (g->n >= GATE_WAITING_MAX || g->c->is_ending) {
        refuse(h, "unavailable");
        return;
    }
    h->next = NULL;
    h->prev = g->last;
    if (g->last)
        g->last->next = h;
    else
        g->first = h;
    g->last = h;
    g->n++;
    rpc_on_cancel(h->call, gone, h);
}

static void on_again(uv_timer_t *timer)
{
    gate_pump(timer->data);
}

/* The leader there leads no more, or could not be asked: nobody has looked at the call. */
static bool take_back(void *arg, struct rpc_call *call, const ProtobufCMessage *request,
                      const struct rpc_status *status)
{
    struct held *h = arg;
    struct gate *g = h->gate;

    (void)request;
    /* its channel was ended: by gate_follow, for there is another leader */
    if (status->code == RPC_CANCELLED && !g->leader && !rpc_is_cancelled(call)) {
        refuse(h, "unavailable");
        return true;
    }
    if (strcmp(status->name, not_leading) != 0 || rpc_is_cancelled(call))
        return false;
    wait_for_leader(h);
    if (!g->c->is_ending && !uv_is_active((uv_handle_t *)&g->again))
        uv_timer_start(&g->again, on_again, AGAIN_MS, 0);
    return true;
}

static void over(void *arg)
{
    let_go(arg);
}

static void relay(struct held *h)
{
    struct gate *g = h->gate;
    struct rpc_metadata fields[ACCESS_RELAY_FIELDS];
    struct access_relay_text text;
    const struct rpc_relay to = {.channel = g->leader,
                                 .metadata = fields,
                                 .metadata_n = ACCESS_RELAY_FIELDS,
                                 .take_back = take_back,
                                 .over = over,
                                 .arg = h};

    access_relay_fields(g->c->host->access, h->call, &text, fields);
    rpc_relay(&to, h->call, h->request);
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

static bool sends_back(const struct gate *g, const struct rpc_call *call)
{
    return access_is_relayed(call) && !leadership_leads(g->c->leadership);
}

static void pass_or_wait(struct held *h)
{
    if (h->gate->is_up && !h->gate->c->leads)
        relay(h);
    else
        wait_for_leader(h);
}

static struct rpc_status too_much(void)
{
    struct rpc_status status =
        rpc_error(RPC_EXHAUSTED, "too_much_waiting",
                  "too many calls of this caller, or of all, wait for the leader: try again");

    status.retry_after = 1;
    return status;
}

/* Good proof first, then room: nobody without one holds anything. */
static void hold(struct gate *g, struct rpc_call *call, const ProtobufCMessage *request)
{
    struct held *h = mem_new(1, sizeof *h);
    char party_id[65];
    struct rpc_status status = party_proof_check(g->c, call, request, party_id);

    *h = (struct held){.gate = g, .call = call, .request = request};
    h->bytes = protobuf_c_message_get_packed_size(request) + CALL_BYTES;
    snprintf(h->caller, sizeof h->caller, "%s", party_id[0] ? party_id : rpc_caller(call));
    if (status.code == RPC_OK && !budget_take(g->budget, h->caller, h->bytes))
        status = too_much();
    if (status.code == RPC_OK) {
        pass_or_wait(h);
        return;
    }
    free(h);
    rpc_fail(call, status);
}

static void handle(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct gate *g = service;

    if (answers_here(g))
        answer(g, call, request);
    else if (sends_back(g, call))
        rpc_fail(call, nobody_leads(not_leading));
    else
        hold(g, call, request);
}

static void go_on(struct held *h)
{
    struct gate *g = h->gate;
    struct rpc_call *call = h->call;
    const ProtobufCMessage *request = h->request;

    if (answers_here(g)) {
        let_go(h);
        answer(g, call, request);
    } else if (sends_back(g, call)) {
        refuse(h, not_leading);
    } else {
        pass_or_wait(h);
    }
}

void gate_pump(struct gate *g)
{
    struct held *h = g->first, *next;

    g->first = g->last = NULL;
    g->n = 0;
    for (; h; h = next) {
        next = h->next;
        rpc_on_cancel(h->call, NULL, NULL);
        go_on(h);
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
    g->budget = budget_new(GATE_BYTES_MAX, GATE_CALLER_BYTES_MAX);
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
    struct gate *g = handle->data;

    budget_free(g->budget);
    free(g);
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
