/* SPDX-License-Identifier: Apache-2.0 */
/* Joining. A token is remembered with the idempotency key of the call that used it: the same pair
 * gets the same answer as often as it asks, another key is refused. A token stays good for later
 * attempts that its party takes part in. */
#include "services/coordinator/party_calls.h"

#include "services/coordinator/flow.h"
#include "services/coordinator/record.h"
#include "services/coordinator/store_read.h"
#include "services/coordinator/view.h"
#include "services/coordinator/watch.h"
#include "system/access/identity.h"
#include "system/core/buffer.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A key shorter than this may be another party's by chance. */
enum { JOIN_KEY_MIN = 16, SHARE_MAX = 4 << 20 };

/* What a token has to be for. */
struct wanted {
    enum token_kind kind;
    const char *session_id, *party_id;
};

static struct rpc_status read_token(const struct coordinator *c, struct token *out,
                                    const char *text, const struct wanted *wanted)
{
    struct rpc_status status;

    if (!text[0])
        return rpc_error(RPC_UNAUTHENTICATED, "unauthorized", "unauthorized");
    status = token_read(out, c->tokens, wanted->kind, text);
    if (status.code != RPC_OK)
        return status;
    if (strcmp(out->session_id, wanted->session_id) != 0)
        return rpc_error(RPC_DENIED, "wrong_session", "the token is for another session");
    if (wanted->party_id[0] && strcmp(out->subject, wanted->party_id) != 0)
        return rpc_error(RPC_DENIED, "wrong_party", "the token is for another party");
    return rpc_ok();
}

static struct rpc_status check_token(const struct coordinator *c, struct rpc_call *call,
                                     struct token *out, const char *text,
                                     const struct wanted *wanted)
{
    struct rpc_status status = read_token(c, out, text, wanted);

    return status.code == RPC_OK
               ? status
               : access_refused(c->host->access, call, ACCESS_PROOF_TOKEN, status);
}

struct rpc_status party_token_check(const struct coordinator *c, struct rpc_call *call,
                                    const char *token, const char *session_id, const char *party_id)
{
    const struct wanted wanted = {TOKEN_SESSION, session_id, party_id};
    struct token read;

    if (!party_id[0])
        return rpc_error(RPC_INVALID, "invalid_field", "party_id is missing");
    return check_token(c, call, &read, token, &wanted);
}

/* The token that |request| carries, and what for; false: it carries none. */
static bool carries_proof(const ProtobufCMessage *request, const char **text, struct wanted *wanted)
{
    const Mpc__Coordinator__V1__JoinSessionRequest *join = (const void *)request;
    const Mpc__Coordinator__V1__MarkPartyReadyRequest *ready = (const void *)request;
    const Mpc__Coordinator__V1__ReportCompletionRequest *report = (const void *)request;
    const Mpc__Coordinator__V1__SubmitDelegateShareRequest *share = (const void *)request;
    const ProtobufCMessageDescriptor *type = request->descriptor;

    if (type == &mpc__coordinator__v1__join_session_request__descriptor) {
        *text = join->join_token;
        *wanted = (struct wanted){TOKEN_JOIN, join->session_id, join->party_id};
    } else if (type == &mpc__coordinator__v1__mark_party_ready_request__descriptor) {
        *text = ready->session_token;
        *wanted = (struct wanted){TOKEN_SESSION, ready->session_id, ready->party_id};
    } else if (type == &mpc__coordinator__v1__report_completion_request__descriptor) {
        *text = report->session_token;
        *wanted = (struct wanted){TOKEN_SESSION, report->session_id, report->party_id};
    } else if (type == &mpc__coordinator__v1__submit_delegate_share_request__descriptor) {
        *text = share->session_token;
        *wanted = (struct wanted){TOKEN_SESSION, share->session_id, share->party_id};
    } else {
        return false;
    }
    return true;
}

struct rpc_status party_proof_check(const struct coordinator *c, struct rpc_call *call,
                                    const ProtobufCMessage *request, char party_id[65])
{
    struct wanted wanted;
    struct rpc_status status;
    struct token token;
    const char *text;

    party_id[0] = '\0';
    if (!carries_proof(request, &text, &wanted))
        return rpc_ok();
    status = check_token(c, call, &token, text, &wanted);
    if (status.code == RPC_OK)
        memcpy(party_id, token.subject, sizeof token.subject);
    return status;
}

static struct rpc_status ended(const char *session_id, enum session_status status)
{
    return rpc_error(RPC_STATE, "session_ended", "the session %.40s has ended: %s", session_id,
                     session_status_name(status));
}

static void answer_ended(struct coordinator *c, struct rpc_call *call, struct record *r)
{
    (void)c;
    rpc_fail(call, ended(r->row.session_id, r->row.status));
}

/* True if the session has ended: |call| is answered so, once that is durable. */
static bool refuse_ended(struct coordinator *c, struct rpc_call *call, struct record *r)
{
    if (!session_is_final(&r->state))
        return false;
    watch_end(c, r, call, answer_ended, 0);
    return true;
}

/* A session that is not in memory has ended, or never was. */
static void old_session_read(void *arg, enum db_result result)
{
    struct store_get *get = arg;
    struct rpc_call *call = get->owner;

    if (result != DB_OK)
        rpc_fail(call, flow_database_fault());
    else if (!get->found)
        rpc_fail(call, rpc_error(RPC_NOT_FOUND, "session_not_found", "there is no session %.40s",
                                 get->session_id));
    else
        rpc_fail(call, ended(get->session_id, get->row.status));
    store_get_free(get);
}

static void refuse_old_session(struct coordinator *c, struct rpc_call *call, const char *session_id)
{
    struct store_get *get = mem_new(1, sizeof *get);

    get->owner = call;
    snprintf(get->session_id, sizeof get->session_id, "%s", session_id);
    db_submit(c->db, DB_READ, store_get, old_session_read, get);
}

static struct rpc_status not_invited(void)
{
    return rpc_error(RPC_DENIED, "not_invited", "this party is not invited to the session");
}

/* The party of a token in its session, which has not ended: does the present attempt want it? */
static struct rpc_status check_seat(const struct record *r, uint8_t seat)
{
    struct rpc_status status;

    if (seat == SEAT_NONE)
        return not_invited();
    if (r->state.seats[seat] & SEAT_IN)
        return rpc_ok();
    if (r->state.attempts_n > 0 && !(r->state.seats[seat] & SEAT_EVER))
        return not_invited();
    if (r->state.attempts_n > 0)
        return rpc_error(RPC_STATE, "attempt_over",
                         "the attempt that this party was invited to is over");
    status = rpc_error(RPC_UNAVAILABLE, "session_waiting",
                       "the session waits for its turn: join again in a moment");
    status.retry_after = 1;
    return status;
}

/* True if the token may be used by this call; |join| is then what to remember, if |is_fresh|. */
static bool claim_token(const struct record *r, const struct token *token, const char *key,
                        struct store_join *join, bool *is_fresh)
{
    const struct store_join *used = record_join(r, token->id);

    snprintf(join->party_id, sizeof join->party_id, "%s", token->subject);
    snprintf(join->token_id, sizeof join->token_id, "%s", token->id);
    crypto_hash_sha256(join->key_hash, (const uint8_t *)key, strlen(key));
    *is_fresh = !used;
    return !used || sodium_memcmp(used->key_hash, join->key_hash, sizeof join->key_hash) == 0;
}

static void reply_join(const struct coordinator *c, struct rpc_call *call, const struct record *r,
                       uint8_t seat)
{
    Mpc__Coordinator__V1__JoinSessionResponse m = MPC__COORDINATOR__V1__JOIN_SESSION_RESPONSE__INIT;
    struct token token = {.kind = TOKEN_SESSION, .expires = r->state.deadline_ms / 1000 + 1};
    char text[TOKEN_TEXT_MAX];
    struct view_setup setup;

    snprintf(token.session_id, sizeof token.session_id, "%s", r->row.session_id);
    snprintf(token.subject, sizeof token.subject, "%s", record_party(r, seat));
    token_make(text, c->tokens, &token);
    view_setup(&setup, r);
    m.setup = &setup.message;
    m.session_token = text;
    rpc_reply(call, &m.base);
}

static void join(struct coordinator *c, struct record *r, uint8_t seat,
                 const struct store_join *token, bool is_fresh)
{
    struct session_out out;
    struct flow *flow;

    if (!session_join(&r->state, &out, seat) && !is_fresh)
        return;
    flow = flow_new(c, r);
    flow_say(flow, &out, NULL);
    if (is_fresh) {
        record_note_join(r, token);
        flow->change->has_join = true;
        flow->change->join = *token;
    }
    flow_commit(flow, false);
}

static void join_record(struct coordinator *c, struct rpc_call *call, struct record *r,
                        const struct token *token, const char *key)
{
    uint8_t seat = record_seat(r, token->subject);
    struct rpc_status status = check_seat(r, seat);
    struct store_join use = {0};
    bool is_fresh;

    if (seat != SEAT_NONE && refuse_ended(c, call, r))
        return;
    if (status.code != RPC_OK) {
        rpc_fail(call, status);
        return;
    }
    if (!claim_token(r, token, key, &use, &is_fresh)) {
        status = rpc_error(RPC_EXISTS, "join_token_used",
                           "the join token was used already by another call");
        rpc_fail(call, access_refused(c->host->access, call, ACCESS_PROOF_TOKEN, status));
        return;
    }
    join(c, r, seat, &use, is_fresh);
    reply_join(c, call, r, seat);
}

void join_session(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct coordinator *c = service;
    const Mpc__Coordinator__V1__JoinSessionRequest *in = (const void *)request;
    const struct wanted wanted = {TOKEN_JOIN, in->session_id, in->party_id};
    struct token token;
    struct rpc_status status = check_token(c, call, &token, in->join_token, &wanted);
    struct record *r;

    if (status.code == RPC_OK && strlen(in->idempotency_key) < JOIN_KEY_MIN)
        status = rpc_error(RPC_INVALID, "invalid_field",
                           "idempotency_key must be 16 characters or more");
    if (status.code != RPC_OK) {
        rpc_fail(call, status);
        return;
    }
    r = record_find(c, in->session_id);
    if (r)
        join_record(c, call, r, &token, in->idempotency_key);
    else
        refuse_old_session(c, call, in->session_id);
}

void mark_party_ready(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct coordinator *c = service;
    const Mpc__Coordinator__V1__MarkPartyReadyRequest *in = (const void *)request;
    Mpc__Coordinator__V1__MarkPartyReadyResponse m =
        MPC__COORDINATOR__V1__MARK_PARTY_READY_RESPONSE__INIT;
    struct rpc_status status =
        party_token_check(c, call, in->session_token, in->session_id, in->party_id);
    struct record *r = record_find(c, in->session_id);

    if (status.code != RPC_OK) {
        rpc_fail(call, status);
    } else if (!r) {
        refuse_old_session(c, call, in->session_id);
    } else if (record_seat(r, in->party_id) == SEAT_NONE) {
        rpc_fail(call, not_invited());
    } else if (!refuse_ended(c, call, r)) {
        (void)session_mark(&r->state, record_seat(r, in->party_id), in->attempt);
        m.status = (char *)(uintptr_t)session_status_name(r->row.status);
        rpc_reply(call, &m.base);
    }
}

static void share_stored(void *arg, struct flow *flow, enum db_result result)
{
    Mpc__Coordinator__V1__SubmitDelegateShareResponse m =
        MPC__COORDINATOR__V1__SUBMIT_DELEGATE_SHARE_RESPONSE__INIT;

    if (result == DB_OK)
        rpc_reply(arg, &m.base);
    else
        rpc_fail(arg, flow_store_fault(flow->c));
}

/* By its certificate: the router may not have listed the party yet. */
static bool is_delegate(const struct coordinator *c, const struct record *r, uint8_t seat)
{
    const Mpc__Session__V1__PartyCertificate *certificate = r->request->members[seat]->certificate;
    struct identity identity;

    return session_type_is_keygen(r->state.type) && certificate &&
           identity_verify(&identity, certificate, c->ca_key) &&
           strcmp(identity.role, "delegate") == 0;
}

/* Durable before it is acknowledged: the key may be complete a moment later. */
static void take_share(struct coordinator *c, struct rpc_call *call, struct record *r,
                       const Mpc__Coordinator__V1__SubmitDelegateShareRequest *in)
{
    uint8_t seat = record_seat(r, in->party_id);
    struct rpc_status status = check_seat(r, seat);
    struct flow *flow;

    if (seat != SEAT_NONE && refuse_ended(c, call, r))
        return;
    if (status.code == RPC_OK && !is_delegate(c, r, seat))
        status = rpc_error(RPC_DENIED, "not_a_delegate",
                           "only the delegate of a keygen hands in a share");
    if (status.code == RPC_OK && (in->sealed_share.len == 0 || in->sealed_share.len > SHARE_MAX))
        status = rpc_error(RPC_INVALID, "invalid_field", "sealed_share must be 1 byte to 4 MiB");
    if (status.code != RPC_OK) {
        rpc_fail(call, status);
        return;
    }
    flow = flow_new(c, r);
    flow->change->delegate_share = store_bytes_copy(in->sealed_share.data, in->sealed_share.len);
    flow->done = share_stored;
    flow->arg = call;
    flow_commit(flow, true);
}

void submit_delegate_share(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct coordinator *c = service;
    const Mpc__Coordinator__V1__SubmitDelegateShareRequest *in = (const void *)request;
    struct rpc_status status =
        party_token_check(c, call, in->session_token, in->session_id, in->party_id);
    struct record *r = record_find(c, in->session_id);

    if (status.code != RPC_OK)
        rpc_fail(call, status);
    else if (!r)
        refuse_old_session(c, call, in->session_id);
    else
        take_share(c, call, r, in);
}
