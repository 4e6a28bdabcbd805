/* SPDX-License-Identifier: Apache-2.0 */
/* A signature, step by step; each step's callback starts the next one:
 *
 *   account row  ->  intent  ->  CreateSession  ->  wait  ->  audit row (durable)  ->  answer
 *
 * The idempotency key travels to the coordinator: the session is what exists once. */
#include "services/account/sign.h"

#include "quorate/derive.h"
#include "services/account/await.h"
#include "services/account/coordinator.h"
#include "services/account/intents.h"
#include "services/account/lookup.h"
#include "services/account/presign.h"
#include "services/account/roster.h"
#include "services/account/session_end.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"
#include "system/core/utf8.h"
#include "system/rpc/message.h"
#include "system/service/signature.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* After its waiter has given up, a session is looked after by webhook.c. */
enum { SLACK_MS = 5000 };

struct sign {
    struct account_service *s;
    struct rpc_call *call;
    bool is_session_form;
    struct request_sign req;
    /* the caller's own, hex, of the request; "" for none */
    const char *intent_text, *intent_signature;
    bool is_own_intent;
    struct account account;
    struct signed_intent intent;
    struct qrt_child key;
    struct qrt_hash hash;
    char public_key[67], message_hash[65];
    /* what the coordinator knows the request by: the caller's key, or one of our own, so that
     * CreateSession may be called again when nobody knows what became of it */
    char request_key[2 * ID_TEXT_MAX + KEY_MAX];
    char session_id[ID_TEXT_MAX];
    char trace[TRACE_TEXT_MAX];
    uint64_t started_us;
    /* how it ended, and what was signed: ours, not the coordinator's word for it */
    Mpc__Session__V1__Session *end;
    struct signature_forms signature;
    /* with an idempotency key only */
    struct repeat repeat;
    bool has_signature, is_forged;
    /* we saw it end, and so many presignatures were ready then */
    bool was_awaited;
    uint32_t presignatures;
    struct audit_entry audit;
    struct webhook hook;
    /* CreateSession's answer, while the hook is stored */
    Mpc__Coordinator__V1__CreateSessionResponse *made;
};

static void sign_free(struct sign *op)
{
    op->s->in_flight--;
    metric_set(op->s->waiting, (int64_t)op->s->in_flight);
    if (op->end)
        mpc__session__v1__session__free_unpacked(op->end, NULL);
    if (op->made)
        mpc__coordinator__v1__create_session_response__free_unpacked(op->made, NULL);
    signed_intent_free(&op->intent);
    free(op->req.message);
    free(op);
}

static void fail(struct sign *op, struct rpc_status status)
{
    rpc_fail(op->call, status);
    sign_free(op);
}

static void reply_signature(struct sign *op)
{
    Mpc__Account__V1__SignResponse r = MPC__ACCOUNT__V1__SIGN_RESPONSE__INIT;
    const Mpc__Session__V1__Session *end = op->end;

    r.account_id = op->account.account_id;
    r.session_id = op->session_id;
    r.message_hash = op->message_hash;
    r.public_key = op->public_key;
    r.signature = op->has_signature ? &op->signature.message : NULL;
    r.parties = end->parties;
    r.n_parties = end->n_parties;
    r.status = end->status;
    rpc_reply(op->call, &r.base);
}

static void reply_session(struct sign *op, const Mpc__Coordinator__V1__CreateSessionResponse *made)
{
    Mpc__Account__V1__SignSessionResponse r = MPC__ACCOUNT__V1__SIGN_SESSION_RESPONSE__INIT;
    Mpc__Account__V1__SignSessionResponse__JoinTokensEntry tokens[QRT_PARTIES_MAX],
        *list[QRT_PARTIES_MAX];

    r.session_id = op->session_id;
    r.account_id = op->account.account_id;
    r.session_type = "sign";
    r.threshold_n = op->account.n;
    r.threshold_t = op->account.t;
    r.status = op->end->status;
    r.keygen_session_id = op->account.session_id;
    r.message_hash = op->message_hash;
    r.signature = op->has_signature ? &op->signature.message : NULL;
    r.join_tokens = list;
    for (size_t i = 0; made && i < made->n_join_tokens && i < QRT_PARTIES_MAX; i++) {
        mpc__account__v1__sign_session_response__join_tokens_entry__init(&tokens[i]);
        tokens[i].key = made->join_tokens[i]->key;
        tokens[i].value = made->join_tokens[i]->value;
        list[r.n_join_tokens++] = &tokens[i];
    }
    rpc_reply(op->call, &r.base);
}

static void reply(struct sign *op, const Mpc__Coordinator__V1__CreateSessionResponse *made)
{
    if (op->is_session_form)
        reply_session(op, made);
    else
        reply_signature(op);
    if (op->was_awaited && !op->is_own_intent)
        presign_after(op->s, &op->account, op->req.path, op->req.path_n, op->presignatures);
    sign_free(op);
}

static struct rpc_status forged(const struct sign *op)
{
    struct rpc_status status;

    log_event(LOG_ERROR, "the signature of a finished session does not verify",
              LOG_S("account", op->account.account_id), LOG_S("session", op->session_id),
              LOG_S("trace", op->trace));
    status = rpc_error(RPC_DATA_LOSS, "signature_invalid",
                       "the signature of session %s does not verify under this account's key",
                       op->session_id);
    memcpy(status.session_id, op->session_id, sizeof status.session_id);
    return status;
}

static void audited(void *arg, enum db_result result)
{
    struct sign *op = ((struct audit_entry *)arg)->owner;
    struct account_service *s = op->s;
    struct rpc_status end = op->is_forged ? forged(op) : session_end(op->end);

    metric_add(end.code == RPC_OK ? s->signatures : s->signatures_failed, 1);
    metric_observe_us(s->sign_time, clock_steady_us() - op->started_us);
    log_event(LOG_INFO, "signature finished", LOG_S("account", op->account.account_id),
              LOG_S("status", op->end->status), LOG_S("session", op->session_id),
              LOG_S("trace", op->trace), LOG_S("caller", rpc_caller(op->call)),
              LOG_S("error", op->end->error));
    if (result == DB_OK)
        rpc_set_noted(op->call);
    if (result != DB_OK)
        fail(op, lookup_database_fault(s));
    else if (end.code != RPC_OK)
        fail(op, end);
    else {
        if (op->has_signature && op->req.idempotency_key[0])
            repeat_note(s->repeats, &op->repeat, op->session_id);
        reply(op, NULL);
    }
}

/* Who coordinates is not believed: the signature is by this key over this message, and its recovery
 * id leads to this key. */
static bool take_signature(struct sign *op)
{
    const struct qrt_ctx *ctx = op->s->ctx;
    uint8_t b[SIGNATURE_BYTES];

    op->has_signature = signature_read(b, op->end->signature) &&
                        signature_verify(ctx, b, &op->hash, &op->key.pk) &&
                        signature_forms(&op->signature, ctx, b, sizeof b);
    return op->has_signature;
}

static void note(struct sign *op, const char *outcome)
{
    audit_of_call(&op->audit, op->s, op->call);
    op->audit.owner = op;
    op->audit.text[AUDIT_OBJECT] = op->account.account_id;
    op->audit.text[AUDIT_SESSION] = op->session_id;
    op->audit.text[AUDIT_OUTCOME] = outcome;
}

static void hook_name(struct sign *op)
{
    op->hook = (struct webhook){.owner = op, .kind = "sign"};
    memcpy(op->hook.session_id, op->session_id, sizeof op->hook.session_id);
    memcpy(op->hook.account_id, op->account.account_id, sizeof op->hook.account_id);
}

/* A signature that does not verify is none. */
static void hook_end(struct sign *op)
{
    struct webhook *hook = &op->hook;

    hook_name(op);
    snprintf(hook->status, sizeof hook->status, "%s", op->is_forged ? "failed" : op->end->status);
    snprintf(hook->code, sizeof hook->code, "%s",
             op->is_forged ? "signature_invalid" : op->end->error_code);
    snprintf(hook->error, sizeof hook->error, "%s", op->end->error);
    utf8_mend(hook->code);
    utf8_mend(hook->error);
}

static enum db_result store_end(struct db_tx *tx, void *arg)
{
    const struct sign *op = ((struct audit_entry *)arg)->owner;
    enum db_result r = audit_write(tx, arg);

    return r == DB_OK && op->s->webhooks ? webhook_end(tx, &op->hook) : r;
}

static void take_end(struct sign *op, const Mpc__Session__V1__Session *session)
{
    op->end = message_copy(&session->base);
    if (!await_is_final(session->status)) {
        fail(op, session_end(op->end));
        return;
    }
    op->is_forged = strcmp(session->status, "completed") == 0 && !take_signature(op);
    note(op, op->is_forged ? "forged" : op->end->status);
    hook_end(op);
    db_submit(op->s->db, DB_DURABLE, store_end, audited, &op->audit);
}

static void waited(void *arg, const Mpc__Coordinator__V1__GetSessionStatusResponse *r,
                   const struct rpc_status *status)
{
    struct sign *op = arg;

    if (r && r->session) {
        op->was_awaited = true;
        op->presignatures = r->presignatures;
        take_end(op, r->session);
    } else {
        struct rpc_status fault = *status;

        if (fault.code != RPC_NOT_FOUND)
            memcpy(fault.session_id, op->session_id, sizeof fault.session_id);
        fail(op, fault);
    }
}

static void hook_opened(void *arg, enum db_result result)
{
    (void)result; /* the end is stored all the same */
    free(arg);
}

/* For the case that this process ends, or the wait does, before the session. */
static void hook_open(struct sign *op)
{
    struct webhook *hook;

    if (!op->s->webhooks)
        return;
    hook_name(op);
    hook = mem_copy(&op->hook, sizeof op->hook);
    hook->wait_ms = op->req.wait_s * INT64_C(1000) + SLACK_MS;
    db_submit(op->s->db, DB_LAZY, webhook_open, hook_opened, hook);
}

static void reply_begun(struct sign *op)
{
    note(op, "begun");
    audit_note(op->s, &op->audit);
    rpc_set_noted(op->call);
    reply(op, op->made);
}

static void unwaited_stored(void *arg, enum db_result result)
{
    struct sign *op = ((struct webhook *)arg)->owner;

    if (result == DB_OK)
        reply_begun(op);
    else
        fail(op, lookup_database_fault(op->s));
}

/* Who is answered now hears of the end through the hook, also after a restart. */
static void begin_unwaited(struct sign *op, const Mpc__Coordinator__V1__CreateSessionResponse *r)
{
    op->end = message_copy(&r->session->base);
    op->made = message_copy(&r->base);
    hook_name(op);
    if (op->s->webhooks)
        db_submit(op->s->db, DB_DURABLE, webhook_open, unwaited_stored, &op->hook);
    else
        reply_begun(op);
}

static void session_created(void *arg, const struct rpc_status *status,
                            const ProtobufCMessage *response)
{
    struct sign *op = arg;
    const Mpc__Coordinator__V1__CreateSessionResponse *r = (const void *)response;
    const struct await_end end = {waited, op};

    if (status->code != RPC_OK) {
        fail(op, *status);
        return;
    }
    snprintf(op->session_id, sizeof op->session_id, "%s", r->session->session_id);
    if (await_is_final(r->session->status)) {
        take_end(op, r->session);
    } else if (op->req.wait_s == 0) {
        begin_unwaited(op, r);
    } else {
        hook_open(op);
        await_session(op->s, op->session_id, op->req.wait_s * 1000, op->trace, end);
    }
}

/* The two kinds of keys never meet: account ids have one length. */
static void choose_request_key(struct sign *op)
{
    char own[ID_TEXT_MAX];

    id_new(own);
    if (op->req.idempotency_key[0])
        snprintf(op->request_key, sizeof op->request_key, "%s:%s", op->account.account_id,
                 op->req.idempotency_key);
    else
        snprintf(op->request_key, sizeof op->request_key, "%s/%s", op->account.account_id, own);
}

/* Who should sign: the request's participants, else the account's signing parties, else anybody. */
static void prefer(struct roster_members *out, const struct request_sign *req)
{
    for (size_t i = 0; i < req->parties_n; i++)
        out->preferred[i] = (char *)(uintptr_t)req->parties[i];
    if (req->parties_n > 0)
        out->preferred_n = req->parties_n;
}

static void create_session(struct sign *op)
{
    Mpc__Coordinator__V1__CreateSessionRequest q =
        MPC__COORDINATOR__V1__CREATE_SESSION_REQUEST__INIT;
    struct roster_members members;

    roster_members(&members, &op->account);
    prefer(&members, &op->req);
    signed_intent_ask(&q, &op->intent, "sign");
    coordinator_seat(&q, &members);
    q.public_key = op->public_key;
    q.message_hash = op->message_hash;
    q.keygen_session_id = op->account.session_id;
    q.idempotency_key = op->request_key;
    q.want_tokens = op->is_session_form && op->req.parties_n > 0;
    q.trace_id = op->trace;
    coordinator_create(op->s, &q, op->req.wait_s * 1000, session_created, op);
}

/* The hint is followed only to a signature of this key over this message. */
static bool is_answer(struct sign *op, const Mpc__Session__V1__Session *session)
{
    bool is_good = strcmp(session->session_id, op->session_id) == 0 &&
                   strcmp(session->status, "completed") == 0;

    if (!is_good)
        return false;
    op->end = message_copy(&session->base);
    is_good = take_signature(op);
    mpc__session__v1__session__free_unpacked(op->end, NULL);
    op->end = NULL;
    return is_good;
}

static void session_read(void *arg, const struct rpc_status *status,
                         const ProtobufCMessage *response)
{
    const Mpc__Coordinator__V1__GetSessionStatusResponse *r = (const void *)response;
    struct sign *op = arg;

    if (status->code == RPC_OK && r->session && is_answer(op, r->session))
        take_end(op, r->session);
    else
        create_session(op);
}

static void hinted(void *arg, const char *session_id)
{
    Mpc__Coordinator__V1__GetSessionStatusRequest q =
        MPC__COORDINATOR__V1__GET_SESSION_STATUS_REQUEST__INIT;
    struct sign *op = arg;
    struct rpc_request request = {
        .path = "mpc.coordinator.v1.SessionCoordinator/GetSessionStatus",
        .message = &q.base,
        .response = &mpc__coordinator__v1__get_session_status_response__descriptor,
        .trace = op->trace,
        .done = session_read,
        .arg = op};

    if (!session_id) {
        create_session(op);
        return;
    }
    snprintf(op->session_id, sizeof op->session_id, "%s", session_id);
    q.session_id = op->session_id;
    coordinator_ask(op->s, request);
}

static void find_session(struct sign *op)
{
    if (!op->req.idempotency_key[0]) {
        create_session(op);
        return;
    }
    op->repeat = (struct repeat){.scope = op->account.account_id,
                                 .idempotency_key = op->req.idempotency_key};
    request_sign_hash(op->repeat.request, &op->req, op->intent_text, op->intent_signature);
    repeat_find(op->s->repeats, &op->repeat, hinted, op);
}

static bool is_party(const struct account *account, const char *party_id)
{
    for (size_t i = 0; i < account->parties_n; i++)
        if (strcmp(account->parties[i].id, party_id) == 0)
            return true;
    return false;
}

static bool check_participants(const struct sign *op, struct rpc_status *status)
{
    for (size_t i = 0; i < op->req.parties_n; i++)
        if (!is_party(&op->account, op->req.parties[i])) {
            *status = rpc_error(RPC_INVALID, "invalid_field", "%s is no party of this account",
                                op->req.parties[i]);
            return false;
        }
    if (op->req.parties_n && op->req.parties_n < op->account.t) {
        *status =
            rpc_error(RPC_INVALID, "invalid_field",
                      "participants must name at least %u parties of this account", op->account.t);
        return false;
    }
    return true;
}

static bool same_message(const struct qrt_intent *intent, const struct request_sign *req)
{
    return intent->digest == req->digest && intent->message_len == req->message_len &&
           memcmp(intent->message, req->message, req->message_len) == 0 &&
           intent->path_n == req->path_n &&
           memcmp(intent->path, req->path, req->path_n * sizeof req->path[0]) == 0;
}

/* A caller's own intent is about this account, this message, this path. */
static bool take_own_intent(struct sign *op, struct rpc_status *status)
{
    struct qrt_intent intent;
    uint8_t account[16];

    if (!intent_of_caller(&op->intent, &intent, op->s, op->intent_text, op->intent_signature,
                          status))
        return false;
    if (intent.operation == QRT_OP_SIGN && id_parse(account, op->account.account_id) &&
        memcmp(intent.account, account, sizeof account) == 0 &&
        memcmp(intent.keyid, op->account.keyid, sizeof intent.keyid) == 0 &&
        same_message(&intent, &op->req))
        return true;
    *status = rpc_error(RPC_INVALID, "invalid_intent",
                        "intent must be to sign this message with this account's key and path");
    return false;
}

static bool prepare(struct sign *op, struct rpc_status *status)
{
    const struct account *account = &op->account;

    if (account->status != ACCOUNT_ACTIVE) {
        *status = rpc_error(RPC_STATE, "account_not_active", "the account is %s, not active",
                            account_status_name(account->status));
        return false;
    }
    if (!check_participants(op, status))
        return false;
    if (qrt_derive(&op->key, op->s->ctx, &account->pk, account->cc, op->req.path, op->req.path_n) !=
            QRT_OK ||
        qrt_digest(&op->hash, op->s->ctx, op->req.digest, op->req.message, op->req.message_len) !=
            QRT_OK) {
        *status = rpc_error(RPC_INVALID, "invalid_field", "derivation_path leads to no valid key");
        return false;
    }
    hex_encode(op->public_key, op->key.pk.b, sizeof op->key.pk.b);
    hex_encode(op->message_hash, op->hash.b, sizeof op->hash.b);
    op->is_own_intent = op->intent_text[0];
    if (op->is_own_intent)
        return take_own_intent(op, status);
    if (intent_of_sign(&op->intent, op->s, account, &op->req))
        return true;
    *status = rpc_error(RPC_INTERNAL, "internal", "the request makes no intent");
    return false;
}

static void account_found(void *arg, const struct account *account, const struct rpc_status *status)
{
    struct sign *op = arg;
    struct rpc_status fault = *status;

    if (account)
        op->account = *account;
    else if (op->is_session_form && fault.code == RPC_NOT_FOUND)
        fault = rpc_error(RPC_NOT_FOUND, "account_not_found", "invalid account ID");
    if (!account || !prepare(op, &fault)) {
        fail(op, fault);
        return;
    }
    choose_request_key(op);
    find_session(op);
}

static struct sign *sign_new(struct account_service *s, struct rpc_call *call)
{
    struct sign *op = mem_new(1, sizeof *op);

    op->s = s;
    op->call = call;
    op->intent_text = op->intent_signature = "";
    op->started_us = clock_steady_us();
    snprintf(op->trace, sizeof op->trace, "%s", rpc_trace(call));
    s->in_flight++;
    metric_set(s->waiting, (int64_t)s->in_flight);
    return op;
}

static void begin(struct sign *op, bool is_valid, struct rpc_status status)
{
    if (!is_valid) {
        fail(op, status);
    } else if (op->s->in_flight > op->s->in_flight_max) {
        status = rpc_error(RPC_EXHAUSTED, "too_many_requests",
                           "%zu requests are waiting for their signatures: try again later",
                           op->s->in_flight_max);
        status.retry_after = 1;
        fail(op, status);
    } else {
        lookup_account(op->s, op->req.account_id, account_found, op);
    }
}

void sign_message(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct account_service *s = service;
    const Mpc__Account__V1__SignRequest *in = (const void *)request;
    struct sign *op = sign_new(s, call);
    struct rpc_status status = rpc_ok();
    bool is_valid = request_sign(&op->req, in, s->sign_wait_s, &status);

    op->intent_text = in->intent;
    op->intent_signature = in->intent_signature;
    begin(op, is_valid, status);
}

void sign_session(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct account_service *s = service;
    struct sign *op = sign_new(s, call);
    struct rpc_status status = rpc_ok();
    bool is_valid = request_sign_session(&op->req, (const void *)request, s->sign_wait_s, &status);

    op->is_session_form = true;
    begin(op, is_valid, status);
}
