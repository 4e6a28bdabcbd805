/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions in memory answer from there, all others from the database. A session whose end is being
 * written answers when that is done. */
#include "services/coordinator/reads.h"

#include "services/coordinator/flow.h"
#include "services/coordinator/presig_stock.h"
#include "services/coordinator/record.h"
#include "services/coordinator/store_read.h"
#include "services/coordinator/view.h"
#include "services/coordinator/watch.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MAX_S = 600 };

/* A work that reads for a call. */
struct reading {
    struct coordinator *c;
    struct rpc_call *call;
};

static struct reading *reading_new(struct coordinator *c, struct rpc_call *call)
{
    struct reading *reading = mem_new(1, sizeof *reading);

    reading->c = c;
    reading->call = call;
    return reading;
}

static struct rpc_status not_found(const char *session_id)
{
    return rpc_error(RPC_NOT_FOUND, "session_not_found", "there is no session %.40s", session_id);
}

/* False, and the call is finished, if |text| is no id; |out| is its usual form. */
static bool take_id(char out[ID_TEXT_MAX], struct rpc_call *call, const char *text)
{
    uint8_t raw[16];

    if (!id_parse(raw, text)) {
        rpc_fail(call, rpc_error(RPC_INVALID, "invalid_field", "session_id must be a UUIDv4"));
        return false;
    }
    id_text(out, raw);
    return true;
}

/* Read the session from the database; |read| gets the struct store_get, whose owner is a reading.
 */
static void read_session(struct coordinator *c, struct rpc_call *call, const char *session_id,
                         db_done *read)
{
    struct store_get *get = mem_new(1, sizeof *get);

    get->owner = reading_new(c, call);
    snprintf(get->session_id, sizeof get->session_id, "%s", session_id);
    db_submit(c->db, DB_READ, store_get, read, get);
}

/* The session in memory. NULL: |call| was refused, or goes on with what |read| gets. */
static struct record *find_or_read(struct coordinator *c, struct rpc_call *call, const char *text,
                                   db_done *read)
{
    char session_id[ID_TEXT_MAX];
    struct record *r;

    if (!take_id(session_id, call, text))
        return NULL;
    r = record_find(c, session_id);
    if (!r)
        read_session(c, call, session_id, read);
    return r;
}

static void reply_status(const struct coordinator *c, struct rpc_call *call,
                         const struct store_get *get, const struct record *r,
                         const Mpc__Coordinator__V1__CreateSessionRequest *request)
{
    Mpc__Coordinator__V1__GetSessionStatusResponse m =
        MPC__COORDINATOR__V1__GET_SESSION_STATUS_RESPONSE__INIT;
    struct view_session view;

    view_session(&view, c->ctx, &get->row);
    m.session = &view.message;
    if (get->row.status == SESSION_COMPLETED) {
        m.certificate = (ProtobufCBinaryData){get->certificate.len, get->certificate.b};
        m.delegate_share = (ProtobufCBinaryData){get->delegate_share.len, get->delegate_share.b};
    }
    if (r)
        m.presignatures = (uint32_t)presig_stock_ready(c, r);
    if (request) {
        m.members = request->members;
        m.n_members = request->n_members;
    }
    rpc_reply(call, &m.base);
    view_session_free(&view);
}

static void status_read(void *arg, enum db_result result)
{
    struct store_get *get = arg;
    struct reading *reading = get->owner;
    Mpc__Coordinator__V1__CreateSessionRequest *request = NULL;

    if (result != DB_OK) {
        rpc_fail(reading->call, flow_database_fault());
    } else if (!get->found) {
        rpc_fail(reading->call, not_found(get->session_id));
    } else {
        request = mpc__coordinator__v1__create_session_request__unpack(NULL, get->request.len,
                                                                       get->request.b);
        reply_status(reading->c, reading->call, get, NULL, request);
        if (request)
            mpc__coordinator__v1__create_session_request__free_unpacked(request, NULL);
    }
    free(reading);
    store_get_free(get);
}

/* A key's certificate is in the database alone. */
static void answer_status(struct coordinator *c, struct rpc_call *call, struct record *r)
{
    struct store_get get = {0};

    if (r->has_ended && session_type_is_keygen(r->state.type)) {
        read_session(c, call, r->row.session_id, status_read);
        return;
    }
    get.row = r->row;
    reply_status(c, call, &get, r, r->request);
}

void get_session_status(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct coordinator *c = service;
    const Mpc__Coordinator__V1__GetSessionStatusRequest *in = (const void *)request;
    uint32_t wait_s =
        in->wait_given_case == MPC__COORDINATOR__V1__GET_SESSION_STATUS_REQUEST__WAIT_GIVEN_WAIT
            ? in->wait
            : 0;
    struct record *r;

    if (wait_s > WAIT_MAX_S) {
        rpc_fail(call, rpc_error(RPC_INVALID, "invalid_field", "wait must be 0 to 600 seconds"));
        return;
    }
    r = find_or_read(c, call, in->session_id, status_read);
    if (!r)
        return;
    if (r->is_settling)
        watch_end(c, r, call, answer_status, 0);
    else if (wait_s > 0)
        watch_end(c, r, call, answer_status, clock_unix_ms() + (int64_t)wait_s * 1000);
    else
        answer_status(c, call, r);
}

static void watched_read(void *arg, enum db_result result)
{
    struct store_get *get = arg;
    struct reading *reading = get->owner;
    Mpc__Coordinator__V1__WatchSessionResponse m =
        MPC__COORDINATOR__V1__WATCH_SESSION_RESPONSE__INIT;
    struct view_session view;

    if (result != DB_OK) {
        rpc_fail(reading->call, flow_database_fault());
    } else if (!get->found) {
        rpc_fail(reading->call, not_found(get->session_id));
    } else {
        view_session(&view, reading->c->ctx, &get->row);
        m.session = &view.message;
        rpc_send(reading->call, &m.base);
        rpc_end(reading->call);
        view_session_free(&view);
    }
    free(reading);
    store_get_free(get);
}

void watch_session(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Mpc__Coordinator__V1__WatchSessionRequest *in = (const void *)request;
    struct record *r = find_or_read(service, call, in->session_id, watched_read);

    if (r)
        watch_stream(service, r, call);
}

static void reply_list(const struct reading *reading, const struct store_list *list)
{
    Mpc__Coordinator__V1__ListSessionsResponse m =
        MPC__COORDINATOR__V1__LIST_SESSIONS_RESPONSE__INIT;
    struct view_session *views = mem_new(list->rows_n + 1, sizeof *views);

    m.sessions = mem_new(list->rows_n + 1, sizeof(void *));
    m.n_sessions = list->rows_n;
    for (size_t i = 0; i < list->rows_n; i++) {
        view_session(&views[i], reading->c->ctx, &list->rows[i]);
        m.sessions[i] = &views[i].message;
    }
    rpc_reply(reading->call, &m.base);
    for (size_t i = 0; i < list->rows_n; i++)
        view_session_free(&views[i]);
    free(m.sessions);
    free(views);
}

static void listed(void *arg, enum db_result result)
{
    struct store_list *list = arg;
    struct reading *reading = list->owner;

    if (result == DB_OK)
        reply_list(reading, list);
    else
        rpc_fail(reading->call, flow_database_fault());
    free(reading);
    store_list_free(list);
}

void list_sessions(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Mpc__Coordinator__V1__ListSessionsRequest *in = (const void *)request;
    struct store_list *list;
    uint8_t raw[16];
    const char *fault = NULL;

    if (in->account_id[0] && !id_parse(raw, in->account_id))
        fault = "account_id must be a UUIDv4";
    else if (in->after[0] && !id_parse(raw, in->after))
        fault = "after must be a session_id";
    else if (in->status[0] && session_status_of(in->status) == SESSION_STATUSES)
        fault = "status must be one of waiting, ready, running, completed, failed, expired,"
                " cancelled";
    else if (in->limit > PAGE_MAX)
        fault = "limit must be at most 1000";
    if (fault) {
        rpc_fail(call, rpc_error(RPC_INVALID, "invalid_field", "%s", fault));
        return;
    }
    list = mem_new(1, sizeof *list);
    list->owner = reading_new(service, call);
    list->limit = in->limit ? in->limit : 100;
    snprintf(list->account_id, sizeof list->account_id, "%s", in->account_id);
    snprintf(list->status, sizeof list->status, "%s", in->status);
    snprintf(list->after, sizeof list->after, "%s", in->after);
    db_submit(((struct coordinator *)service)->db, DB_READ, store_list, listed, list);
}

/* One event of a reply, with the setup it carried: from the request and the attempt's members. */
struct told_event {
    struct view_event view;
    Mpc__Session__V1__Setup setup;
};

static Mpc__Session__V1__Setup *members_of(const struct store_session *s, uint32_t attempt,
                                           const struct store_attempt **found)
{
    for (size_t i = 0; i < s->attempts_n; i++) {
        if (s->attempts[i].attempt != attempt)
            continue;
        *found = &s->attempts[i];
        return mpc__session__v1__setup__unpack(NULL, s->attempts[i].members.len,
                                               s->attempts[i].members.b);
    }
    return NULL;
}

static bool carries_setup(const struct store_event *event, const struct store_attempt *attempt)
{
    return event->type == EVENT_STARTED ||
           (event->type == EVENT_CREATED && event->seq == attempt->seq);
}

/* |members| is what the attempt's row held, or NULL. */
static void tell_event(struct told_event *out, const struct store_session *s,
                       const struct store_event *event,
                       const Mpc__Coordinator__V1__CreateSessionRequest *request,
                       Mpc__Session__V1__Setup **members)
{
    const struct store_row *row = &s->row;
    const struct store_attempt *attempt = NULL;
    Mpc__Session__V1__Setup *m = &out->setup;

    view_event(&out->view, event, row->session_id, row->trace_id);
    *members = request ? members_of(s, event->attempt, &attempt) : NULL;
    if (!*members || !carries_setup(event, attempt))
        return;
    mpc__session__v1__setup__init(m);
    m->session_id = (char *)(uintptr_t)row->session_id;
    m->session_type = (char *)(uintptr_t)session_type_name(row->type);
    m->attempt = event->attempt;
    m->account_id = (char *)(uintptr_t)row->account_id;
    m->threshold_t = row->t;
    m->threshold_n = row->n;
    m->intent = request->intent;
    m->intent_signature = request->intent_signature;
    m->initiator_key = request->initiator_key;
    m->members = (*members)->members;
    m->n_members = (*members)->n_members;
    m->deadline_ms = row->deadline_ms;
    m->attempt_deadline_ms = attempt->deadline_ms;
    m->trace_id = (char *)(uintptr_t)row->trace_id;
    m->user_public_key = request->user_public_key;
    m->user_key_signature = request->user_key_signature;
    out->view.message.setup = m;
}

static void reply_events(const struct reading *reading, const struct store_session *s)
{
    Mpc__Coordinator__V1__ListSessionEventsResponse m =
        MPC__COORDINATOR__V1__LIST_SESSION_EVENTS_RESPONSE__INIT;
    Mpc__Coordinator__V1__CreateSessionRequest *request =
        mpc__coordinator__v1__create_session_request__unpack(NULL, s->request.len, s->request.b);
    struct told_event *told = mem_new(s->events_n + 1, sizeof *told);
    Mpc__Session__V1__Setup **members = mem_new(s->events_n + 1, sizeof(void *));

    m.events = mem_new(s->events_n + 1, sizeof(void *));
    m.n_events = s->events_n;
    for (size_t i = 0; i < s->events_n; i++) {
        tell_event(&told[i], s, &s->events[i], request, &members[i]);
        m.events[i] = &told[i].view.message;
    }
    rpc_reply(reading->call, &m.base);
    for (size_t i = 0; i < s->events_n; i++)
        if (members[i])
            mpc__session__v1__setup__free_unpacked(members[i], NULL);
    if (request)
        mpc__coordinator__v1__create_session_request__free_unpacked(request, NULL);
    free(m.events);
    free(members);
    free(told);
}

static void events_read(void *arg, enum db_result result)
{
    struct store_events *events = arg;
    struct reading *reading = events->owner;

    if (result != DB_OK)
        rpc_fail(reading->call, flow_database_fault());
    else if (!events->found)
        rpc_fail(reading->call, not_found(events->session_id));
    else
        reply_events(reading, &events->session);
    free(reading);
    store_events_free(events);
}

void list_session_events(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Mpc__Coordinator__V1__ListSessionEventsRequest *in = (const void *)request;
    char session_id[ID_TEXT_MAX];
    struct store_events *events;

    if (!take_id(session_id, call, in->session_id))
        return;
    if (in->limit > PAGE_MAX) {
        rpc_fail(call, rpc_error(RPC_INVALID, "invalid_field", "limit must be at most 1000"));
        return;
    }
    if (in->after < 0) {
        rpc_fail(call, rpc_error(RPC_INVALID, "invalid_field", "after must be 0 or more"));
        return;
    }
    events = mem_new(1, sizeof *events);
    events->owner = reading_new(service, call);
    memcpy(events->session_id, session_id, sizeof events->session_id);
    events->after = in->after;
    events->limit = in->limit ? in->limit : PAGE_MAX;
    db_submit(((struct coordinator *)service)->db, DB_READ, store_events, events_read, events);
}

static void answer_cancel(struct coordinator *c, struct rpc_call *call, struct record *r)
{
    Mpc__Coordinator__V1__CancelSessionResponse m =
        MPC__COORDINATOR__V1__CANCEL_SESSION_RESPONSE__INIT;
    struct view_session view;

    if (r->row.status != SESSION_CANCELLED) {
        rpc_fail(call, rpc_error(RPC_STATE, "session_ended", "the session %s has ended: %s",
                                 r->row.session_id, session_status_name(r->row.status)));
        return;
    }
    view_session(&view, c->ctx, &r->row);
    m.session = &view.message;
    rpc_reply(call, &m.base);
    view_session_free(&view);
}

static void cancelled_read(void *arg, enum db_result result)
{
    struct store_get *get = arg;
    struct reading *reading = get->owner;
    struct record ended = {.row = get->row};

    if (result != DB_OK)
        rpc_fail(reading->call, flow_database_fault());
    else if (!get->found)
        rpc_fail(reading->call, not_found(get->session_id));
    else
        answer_cancel(reading->c, reading->call, &ended);
    free(reading);
    store_get_free(get);
}

static void cancel(struct coordinator *c, struct record *r)
{
    struct session_out out;
    struct flow *flow;

    if (!session_cancel(&r->state, &out))
        return;
    flow = flow_new(c, r);
    flow_set_error(r, "session_cancelled", "the session was cancelled");
    flow_say(flow, &out, NULL);
    flow_commit(flow, false);
}

void cancel_session(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Mpc__Coordinator__V1__CancelSessionRequest *in = (const void *)request;
    struct record *r = find_or_read(service, call, in->session_id, cancelled_read);

    if (!r)
        return;
    cancel(service, r);
    watch_end(service, r, call, answer_cancel, 0);
}
