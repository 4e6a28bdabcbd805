/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that are another service's to answer: checked here, asked there, put into the form of this
 * API. A passed call lives until its answer, at most its deadline. */
#include "services/account/sessions.h"

#include "services/account/await.h"
#include "services/account/lookup.h"
#include "services/account/request.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/rpc/message.h"

#include "router.pb-c.h"

#include <stdlib.h>
#include <string.h>

enum { PASS_MS = 10000, ORDER_MAX = 4096 };

static void wait_over(void *arg, const Mpc__Coordinator__V1__GetSessionStatusResponse *r,
                      const struct rpc_status *status)
{
    if (r && r->session)
        rpc_reply(arg, &r->session->base);
    else
        rpc_fail(arg, *status);
}

void sessions_get(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Mpc__Account__V1__GetSessionRequest *in = (const void *)request;
    const struct await_end end = {wait_over, call};
    char id[ID_TEXT_MAX];
    struct rpc_status status;
    unsigned wait = in->wait_given_case ? in->wait : 0;

    if (wait > 600)
        rpc_fail(call, rpc_error(RPC_INVALID, "invalid_field",
                                 "wait must be a number of seconds from 0 to 600"));
    else if (!request_id(id, in->session_id, "session_id", &status))
        rpc_fail(call, status);
    else
        await_session(service, id, wait * 1000, rpc_trace(call), end);
}

static void ask(struct rpc_call *call, struct rpc_channel *to, struct rpc_request request)
{
    request.deadline_ms = PASS_MS;
    request.trace = rpc_trace(call);
    rpc_start(to, &request);
}

/* The answer goes to the caller as it comes. */
static void pass(struct rpc_call *call, struct rpc_channel *to, struct rpc_request request)
{
    request.arg = call;
    ask(call, to, request);
}

static void events_come(void *arg, const struct rpc_status *status,
                        const ProtobufCMessage *response)
{
    const Mpc__Coordinator__V1__ListSessionEventsResponse *in = (const void *)response;
    Mpc__Account__V1__ListSessionEventsResponse r =
        MPC__ACCOUNT__V1__LIST_SESSION_EVENTS_RESPONSE__INIT;
    Mpc__Account__V1__SessionLogEntry *rows;

    if (status->code != RPC_OK) {
        rpc_fail(arg, *status);
        return;
    }
    rows = mem_new(in->n_events + 1, sizeof *rows);
    r.events = mem_new(in->n_events + 1, sizeof *r.events);
    for (size_t i = 0; i < in->n_events; i++) {
        const Mpc__Session__V1__SessionEvent *e = in->events[i];

        mpc__account__v1__session_log_entry__init(&rows[i]);
        rows[i].seq = e->seq;
        rows[i].event_type = e->event_type;
        rows[i].session_id = e->session_id;
        rows[i].attempt = e->attempt;
        rows[i].party_id = e->party_id;
        rows[i].detail = e->detail;
        rows[i].at = e->at;
        rows[i].trace_id = e->trace_id;
        r.events[i] = &rows[i];
    }
    r.n_events = in->n_events;
    rpc_reply(arg, &r.base);
    free(r.events);
    free(rows);
}

void sessions_events(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct account_service *s = service;
    const Mpc__Account__V1__ListSessionEventsRequest *in = (const void *)request;
    Mpc__Coordinator__V1__ListSessionEventsRequest q =
        MPC__COORDINATOR__V1__LIST_SESSION_EVENTS_REQUEST__INIT;
    char id[ID_TEXT_MAX];
    struct rpc_status status;

    if (!request_id(id, in->session_id, "session_id", &status)) {
        rpc_fail(call, status);
        return;
    }
    q.session_id = id;
    q.after = in->after_given_case ? in->after : 0;
    pass(call, s->coordinator,
         (struct rpc_request){.path = "mpc.coordinator.v1.SessionCoordinator/ListSessionEvents",
                              .message = &q.base,
                              .response =
                                  &mpc__coordinator__v1__list_session_events_response__descriptor,
                              .done = events_come});
}

/* A change that was made elsewhere: it stands in the audit log before the caller hears of it. */
struct change {
    struct account_service *s;
    struct rpc_call *call;
    /* an own copy of the answer */
    ProtobufCMessage *answer;
    char session_id[ID_TEXT_MAX];
    struct audit_entry audit;
};

static struct change *change_new(struct account_service *s, struct rpc_call *call)
{
    struct change *change = mem_new(1, sizeof *change);

    *change = (struct change){.s = s, .call = call};
    audit_of_call(&change->audit, s, call);
    change->audit.owner = change;
    change->audit.text[AUDIT_SESSION] = change->session_id;
    change->audit.text[AUDIT_OUTCOME] = "done";
    return change;
}

static void change_free(struct change *change)
{
    if (change->answer)
        protobuf_c_message_free_unpacked(change->answer, NULL);
    free(change);
}

static void change_audited(void *arg, enum db_result result)
{
    struct change *change = ((struct audit_entry *)arg)->owner;

    if (result == DB_OK) {
        rpc_set_noted(change->call);
        rpc_reply(change->call, change->answer);
    } else {
        rpc_fail(change->call, lookup_database_fault(change->s));
    }
    change_free(change);
}

/* |answer| is copied. */
static void change_done(struct change *change, const ProtobufCMessage *answer)
{
    change->answer = message_copy(answer);
    db_submit(change->s->db, DB_DURABLE, audit_store, change_audited, &change->audit);
}

static void change_fail(struct change *change, const struct rpc_status *status)
{
    rpc_fail(change->call, *status);
    change_free(change);
}

static void cancelled(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    const Mpc__Coordinator__V1__CancelSessionResponse *r = (const void *)response;

    if (status->code == RPC_OK && r->session)
        change_done(arg, &r->session->base);
    else
        change_fail(arg, status);
}

void sessions_cancel(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct account_service *s = service;
    const Mpc__Account__V1__CancelSessionRequest *in = (const void *)request;
    Mpc__Coordinator__V1__CancelSessionRequest q =
        MPC__COORDINATOR__V1__CANCEL_SESSION_REQUEST__INIT;
    struct change *change = change_new(s, call);
    struct rpc_status status;

    if (!request_id(change->session_id, in->session_id, "session_id", &status)) {
        change_fail(change, &status);
        return;
    }
    q.session_id = change->session_id;
    ask(call, s->coordinator,
        (struct rpc_request){.path = "mpc.coordinator.v1.SessionCoordinator/CancelSession",
                             .message = &q.base,
                             .response = &mpc__coordinator__v1__cancel_session_response__descriptor,
                             .done = cancelled,
                             .arg = change});
}

static void parties_come(void *arg, const struct rpc_status *status,
                         const ProtobufCMessage *response)
{
    const Mpc__Router__V1__GetRegisteredPartiesResponse *in = (const void *)response;
    Mpc__Account__V1__ListPartiesResponse r = MPC__ACCOUNT__V1__LIST_PARTIES_RESPONSE__INIT;
    Mpc__Account__V1__PoolParty *rows;

    if (status->code != RPC_OK) {
        rpc_fail(arg, *status);
        return;
    }
    rows = mem_new(in->n_parties + 1, sizeof *rows);
    r.parties = mem_new(in->n_parties + 1, sizeof *r.parties);
    for (size_t i = 0; i < in->n_parties; i++) {
        const Mpc__Router__V1__Party *p = in->parties[i];

        mpc__account__v1__pool_party__init(&rows[i]);
        rows[i].party_id = p->party_id;
        rows[i].role = p->role;
        rows[i].capacity = p->capacity;
        rows[i].load = p->load;
        rows[i].version = p->version;
        rows[i].last_seen = p->last_seen;
        rows[i].live = p->live;
        r.parties[i] = &rows[i];
    }
    r.n_parties = in->n_parties;
    rpc_reply(arg, &r.base);
    free(r.parties);
    free(rows);
}

void parties_list(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct account_service *s = service;
    Mpc__Router__V1__GetRegisteredPartiesRequest q =
        MPC__ROUTER__V1__GET_REGISTERED_PARTIES_REQUEST__INIT;

    (void)request;
    pass(call, s->router,
         (struct rpc_request){.path = "mpc.router.v1.MessageRouter/GetRegisteredParties",
                              .message = &q.base,
                              .response =
                                  &mpc__router__v1__get_registered_parties_response__descriptor,
                              .done = parties_come});
}

static void order_taken(void *arg, const struct rpc_status *status,
                        const ProtobufCMessage *response)
{
    const Mpc__Coordinator__V1__SubmitOrderResponse *in = (const void *)response;
    Mpc__Account__V1__SubmitOrderResponse r = MPC__ACCOUNT__V1__SUBMIT_ORDER_RESPONSE__INIT;

    if (status->code != RPC_OK) {
        change_fail(arg, status);
        return;
    }
    r.seq = in->seq;
    change_done(arg, &r.base);
}

void orders_submit(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct account_service *s = service;
    const Mpc__Account__V1__SubmitOrderRequest *in = (const void *)request;
    Mpc__Coordinator__V1__SubmitOrderRequest q = MPC__COORDINATOR__V1__SUBMIT_ORDER_REQUEST__INIT;
    Mpc__Session__V1__Order order = MPC__SESSION__V1__ORDER__INIT;
    struct rpc_status status = rpc_ok();

    order.body.data = request_hex(&order.body.len, in->body, ORDER_MAX, "body", &status);
    if (order.body.data)
        order.signature.data =
            request_hex(&order.signature.len, in->signature, 64, "signature", &status);
    if (order.signature.data) {
        q.order = &order;
        ask(call, s->coordinator,
            (struct rpc_request){.path = "mpc.coordinator.v1.SessionCoordinator/SubmitOrder",
                                 .message = &q.base,
                                 .response =
                                     &mpc__coordinator__v1__submit_order_response__descriptor,
                                 .done = order_taken,
                                 .arg = change_new(s, call)});
    } else {
        rpc_fail(call, status);
    }
    free(order.body.data);
    free(order.signature.data);
}

/* One row of the answer, and what its texts stand in. */
struct freeze_row {
    Mpc__Account__V1__Freeze message;
    Mpc__Session__V1__OrderBody *body;
    char issued[CLOCK_TEXT_MAX];
    char *body_hex, *signature_hex;
};

static char *hex_of(const ProtobufCBinaryData *bytes)
{
    char *out = mem_new(1, 2 * bytes->len + 1);

    hex_encode(out, bytes->data, bytes->len);
    return out;
}

/* What the order says is shown beside it; who asks can check its signature. */
static void fill_freeze(struct freeze_row *row, const Mpc__Session__V1__Order *order)
{
    mpc__account__v1__freeze__init(&row->message);
    row->body = mpc__session__v1__order_body__unpack(NULL, order->body.len, order->body.data);
    row->message.body = row->body_hex = hex_of(&order->body);
    row->message.signature = row->signature_hex = hex_of(&order->signature);
    if (!row->body)
        return;
    clock_text(row->issued, row->body->issued_ms);
    row->message.account_id = row->body->account_id;
    row->message.reason = row->body->reason;
    row->message.issued_at = row->issued;
}

static void free_freeze(struct freeze_row *row)
{
    if (row->body)
        mpc__session__v1__order_body__free_unpacked(row->body, NULL);
    free(row->body_hex);
    free(row->signature_hex);
}

static void freezes_come(void *arg, const struct rpc_status *status,
                         const ProtobufCMessage *response)
{
    const Mpc__Coordinator__V1__ListFreezesResponse *in = (const void *)response;
    Mpc__Account__V1__ListFreezesResponse r = MPC__ACCOUNT__V1__LIST_FREEZES_RESPONSE__INIT;
    struct freeze_row *rows;

    if (status->code != RPC_OK) {
        rpc_fail(arg, *status);
        return;
    }
    rows = mem_new(in->n_orders + 1, sizeof *rows);
    r.freezes = mem_new(in->n_orders + 1, sizeof *r.freezes);
    for (; r.n_freezes < in->n_orders; r.n_freezes++) {
        fill_freeze(&rows[r.n_freezes], in->orders[r.n_freezes]);
        r.freezes[r.n_freezes] = &rows[r.n_freezes].message;
    }
    if (in->cursor > 0) {
        r.next_given_case = MPC__ACCOUNT__V1__LIST_FREEZES_RESPONSE__NEXT_GIVEN_NEXT;
        r.next = in->cursor;
    }
    rpc_reply(arg, &r.base);
    for (size_t i = 0; i < r.n_freezes; i++)
        free_freeze(&rows[i]);
    free(r.freezes);
    free(rows);
}

void freezes_list(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct account_service *s = service;
    const Mpc__Account__V1__ListFreezesRequest *in = (const void *)request;
    Mpc__Coordinator__V1__ListFreezesRequest q = MPC__COORDINATOR__V1__LIST_FREEZES_REQUEST__INIT;

    q.after = in->after_given_case ? in->after : 0;
    pass(call, s->coordinator,
         (struct rpc_request){.path = "mpc.coordinator.v1.SessionCoordinator/ListFreezes",
                              .message = &q.base,
                              .response = &mpc__coordinator__v1__list_freezes_response__descriptor,
                              .done = freezes_come});
}
