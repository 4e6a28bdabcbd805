/* SPDX-License-Identifier: Apache-2.0 */
/* CreateSession: checked, put in memory, begun or queued, written; answered after the commit. The
 * commit may find that the idempotency key is known: then what was put in memory goes, unheard of,
 * and the answer is about the session that is there. */
#include "services/coordinator/create.h"

#include "services/coordinator/dispatch.h"
#include "services/coordinator/orders.h"
#include "services/coordinator/quorum.h"
#include "services/coordinator/record.h"
#include "services/coordinator/request.h"
#include "services/coordinator/sweep.h"
#include "services/coordinator/unlisted.h"
#include "services/coordinator/view.h"
#include "system/access/identity.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/rpc/message.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tokens {
    Mpc__Coordinator__V1__CreateSessionResponse__JoinTokensEntry entries[QRT_PARTIES_MAX],
        *list[QRT_PARTIES_MAX];
    char text[QRT_PARTIES_MAX][TOKEN_TEXT_MAX];
};

/* Who is certain to be asked: the parties of the attempt, or, before there is one, all of a keygen
 * and those that the request names. */
static bool gets_token(const struct record *r, uint8_t seat)
{
    if (r->state.attempts_n > 0)
        return r->state.seats[seat] & SEAT_IN;
    return session_type_is_keygen(r->state.type) || quorum_is_preferred(r, record_party(r, seat));
}

static void add_tokens(struct tokens *tokens, Mpc__Coordinator__V1__CreateSessionResponse *m,
                       const struct coordinator *c, const struct record *r)
{
    m->join_tokens = tokens->list;
    for (uint8_t i = 0; i < r->state.seats_n; i++) {
        Mpc__Coordinator__V1__CreateSessionResponse__JoinTokensEntry *entry =
            &tokens->entries[m->n_join_tokens];

        if (!gets_token(r, i))
            continue;
        mpc__coordinator__v1__create_session_response__join_tokens_entry__init(entry);
        view_join_token(tokens->text[i], c->tokens, r, i);
        entry->key = r->request->members[i]->party_id;
        entry->value = tokens->text[i];
        tokens->list[m->n_join_tokens++] = entry;
    }
}

static void reply(const struct coordinator *c, struct rpc_call *call, const struct record *r,
                  bool existed)
{
    Mpc__Coordinator__V1__CreateSessionResponse m =
        MPC__COORDINATOR__V1__CREATE_SESSION_RESPONSE__INIT;
    struct tokens *tokens = NULL;
    struct view_session view;

    view_session(&view, c->ctx, &r->row);
    m.session = &view.message;
    m.existed = existed;
    if (r->request->want_tokens) {
        tokens = mem_new(1, sizeof *tokens);
        add_tokens(tokens, &m, c, r);
    }
    rpc_reply(call, &m.base);
    free(tokens);
    view_session_free(&view);
}

/* The session that the key stands for, from the database. */
static void existing_read(void *arg, enum db_result result)
{
    struct store_get *get = arg;
    struct rpc_call *call = get->owner;
    Mpc__Coordinator__V1__CreateSessionResponse m =
        MPC__COORDINATOR__V1__CREATE_SESSION_RESPONSE__INIT;
    struct view_session view;

    if (result != DB_OK || !get->found) {
        rpc_fail(call, flow_database_fault());
    } else {
        struct coordinator *c = get->context;

        view_session(&view, c->ctx, &get->row);
        m.session = &view.message;
        m.existed = true;
        rpc_reply(call, &m.base);
        view_session_free(&view);
    }
    store_get_free(get);
}

static void answer_existing(struct coordinator *c, struct rpc_call *call,
                            const struct change *change)
{
    struct record *there = record_find(c, change->existing_id);
    struct store_get *get;

    if (sodium_memcmp(change->existing_binding, change->request.binding,
                      sizeof change->existing_binding) != 0) {
        rpc_fail(call, rpc_error(RPC_EXISTS, "idempotency_conflict",
                                 "idempotency_key was used for another request"));
    } else if (there && !there->is_settling) {
        reply(c, call, there, true);
    } else {
        get = mem_new(1, sizeof *get);
        get->owner = call;
        get->context = c;
        memcpy(get->session_id, change->existing_id, sizeof get->session_id);
        db_submit(c->db, DB_READ, store_get, existing_read, get);
    }
}

/* A party may have gone while the commit was under way. */
static void check_members_are_there(struct coordinator *c, struct record *r)
{
    for (uint8_t i = 0; i < r->state.seats_n; i++)
        if (r->state.is_open && (r->state.seats[i] & SEAT_IN) &&
            !pool_is_able(pool_find(c->pool, record_party(r, i))))
            dispatch_lost(c, record_party(r, i));
}

static void abandon(struct coordinator *c, struct record *r)
{
    dispatch_released(c, r);
    record_drop(c, r);
}

static void created(void *arg, struct flow *flow, enum db_result result)
{
    struct rpc_call *call = arg;
    struct coordinator *c = flow->c;
    struct record *r = flow->r;

    r->is_new = false;
    if (result != DB_OK) {
        rpc_fail(call, flow_store_fault(c));
        abandon(c, r);
    } else if (flow->change->existed) {
        abandon(c, r);
        answer_existing(c, call, flow->change);
    } else {
        metric_add(c->created[r->state.type], 1);
        reply(c, call, r, false);
        check_members_are_there(c, r);
        if (r->is_queued)
            dispatch_pump(c, false);
    }
}

/* The certificates that come with the request are the authority's, and the intent seats just these
 * identities. */
static bool check_certificates(const struct coordinator *c, const struct record *r,
                               struct rpc_status *status)
{
    for (size_t i = 0; i < r->request->n_members; i++) {
        const Mpc__Session__V1__Member *member = r->request->members[i];
        const struct pool_party *party = pool_find(c->pool, member->party_id);
        struct identity identity;
        uint8_t idk[32];

        if (!member->certificate && !party)
            continue;
        if (member->certificate && (!identity_verify(&identity, member->certificate, c->ca_key) ||
                                    strcmp(identity.party_id, member->party_id) != 0)) {
            *status = rpc_error(RPC_INVALID, "invalid_certificate",
                                "the certificate of %s is not of the operator's authority",
                                member->party_id);
            return false;
        }
        crypto_hash_sha256(idk, member->certificate ? identity.key : party->key, sizeof idk);
        if (session_type_is_keygen(r->state.type) && memcmp(idk, r->intent.idk[i], 32) != 0) {
            *status = rpc_error(RPC_INVALID, "invalid_intent",
                                "intent: the identity it seats at index %u is not that of %s",
                                member->index, member->party_id);
            return false;
        }
    }
    return true;
}

static void fill_row(struct record *r, const struct rpc_call *call)
{
    uint8_t raw[16];
    const char *trace = r->request->trace_id;

    id_new(r->row.session_id);
    if (strlen(trace) != TRACE_TEXT_MAX - 1 || !hex_decode(raw, sizeof raw, trace))
        trace = rpc_trace(call);
    snprintf(r->row.trace_id, sizeof r->row.trace_id, "%s", trace);
    r->row.created_ms = clock_unix_ms();
    r->started_us = clock_steady_us();
    r->is_new = true;
}

static void fill_request(struct store_request *out, const struct record *r, const char *caller)
{
    const Mpc__Coordinator__V1__CreateSessionRequest *m = r->request;

    out->b.len = mpc__coordinator__v1__create_session_request__get_packed_size(m);
    out->b.b = mem_new(out->b.len + 1, 1);
    mpc__coordinator__v1__create_session_request__pack(m, out->b.b);
    snprintf(out->caller, sizeof out->caller, "%s", caller);
    snprintf(out->idempotency_key, sizeof out->idempotency_key, "%s", m->idempotency_key);
    request_binding(out->binding, r);
}

static struct rpc_status refusal(enum dispatch_result result, const struct coordinator *c,
                                 const char *why)
{
    struct rpc_status status = rpc_error(RPC_IMPOSSIBLE, "too_few_parties", "%s", why);

    if (result == DISPATCH_FULL) {
        status = rpc_error(RPC_EXHAUSTED, "too_many_sessions",
                           "%zu sessions are waiting for their turn: try again later",
                           dispatch_waiting(c));
        status.retry_after = 1;
    }
    return status;
}

static void begin(struct coordinator *c, struct rpc_call *call, struct record *r)
{
    struct flow *flow = flow_new(c, r);
    struct session_out out;
    char why[ERROR_TEXT_MAX];
    enum dispatch_result result;

    fill_row(r, call);
    record_open(c, r);
    sweep_wake(c);
    flow->change->is_new = true;
    (void)session_create(&r->state, &out);
    flow_say(flow, &out, NULL);
    result = dispatch_new(flow, why);
    if (result == DISPATCH_FULL || result == DISPATCH_IMPOSSIBLE) {
        rpc_fail(call, refusal(result, c, why));
        flow_drop(flow);
        record_drop(c, r);
        return;
    }
    fill_request(&flow->change->request, r, rpc_caller(call));
    flow->done = created;
    flow->arg = call;
    flow_commit(flow, true);
}

void create_session(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct coordinator *c = service;
    struct record *r = record_new(message_copy(request));
    struct rpc_status status = rpc_ok();
    bool is_good = request_check(r, c, clock_unix_ms(), &status) &&
                   check_certificates(c, r, &status) &&
                   orders_allow(c->orders, r->row.account_id, &status);

    if (is_good && pool_is_listed(c->pool)) {
        begin(c, call, r);
        return;
    }
    record_free(r);
    if (is_good)
        unlisted_wait(c, call, request, create_session);
    else
        rpc_fail(call, status);
}
