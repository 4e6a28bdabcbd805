/* SPDX-License-Identifier: Apache-2.0 */
/* Account creation, step by step; each step's callback starts the next one:
 *
 *   pending row (durable)  ->  SelectParties  ->  intent  ->  CreateSession  ->  wait
 *   ->  certificate checked  ->  active row (durable)  ->  answer
 *
 * A caller that is answered early (?wait=0, /mpc/keygen) does not end the operation. If this
 * process ends in between, create_resume finishes what the rows and the coordinator say. */
#include "services/account/create.h"

#include "services/account/await.h"
#include "services/account/coordinator.h"
#include "services/account/create_op.h"
#include "services/account/lookup.h"
#include "services/account/roster.h"
#include "services/account/session_end.h"
#include "services/account/view.h"
#include "system/access/user_key.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"
#include "system/core/utf8.h"
#include "system/rpc/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void create_free(struct create *op)
{
    create_let_go(op);
    op->s->in_flight--;
    op->s->resuming -= op->is_resumed;
    metric_set(op->s->waiting, (int64_t)op->s->in_flight);
    signed_intent_free(&op->intent);
    if (op->selected)
        mpc__coordinator__v1__select_parties_response__free_unpacked(op->selected, NULL);
    free(op->certificate);
    free(op->user_share);
    free(op->idempotency_key);
    free(op);
}

static void fail(struct create *op, struct rpc_status status)
{
    if (op->call)
        rpc_fail(op->call, status);
    op->call = NULL;
}

void create_end(struct create *op, struct rpc_status status)
{
    fail(op, status);
    create_free(op);
}

/* |session| NULL: the repeat of a request, whose tokens were given out already. */
static void reply_keygen(struct create *op,
                         const Mpc__Coordinator__V1__CreateSessionResponse *session)
{
    Mpc__Account__V1__KeygenResponse r = MPC__ACCOUNT__V1__KEYGEN_RESPONSE__INIT;
    Mpc__Account__V1__KeygenResponse__JoinTokensEntry tokens[QRT_PARTIES_MAX],
        *list[QRT_PARTIES_MAX];

    r.session_id = op->account.session_id;
    r.account_id = op->account.account_id;
    r.session_type = "keygen";
    r.threshold_n = op->account.n;
    r.threshold_t = op->account.t;
    r.status = session && session->session ? session->session->status : "waiting";
    r.join_tokens = list;
    for (size_t i = 0; session && i < session->n_join_tokens && i < QRT_PARTIES_MAX; i++) {
        mpc__account__v1__keygen_response__join_tokens_entry__init(&tokens[i]);
        tokens[i].key = session->join_tokens[i]->key;
        tokens[i].value = session->join_tokens[i]->value;
        list[r.n_join_tokens++] = &tokens[i];
    }
    rpc_reply(op->call, &r.base);
    op->call = NULL;
}

static struct repeat repeat_of(const struct create *op)
{
    struct repeat repeat = {.scope = "", .idempotency_key = op->idempotency_key};

    memcpy(repeat.request, op->insert.request_hash, sizeof repeat.request);
    return repeat;
}

void create_reply(struct create *op)
{
    struct repeat repeat = repeat_of(op);
    struct view_account view;
    char *share = NULL;

    if (!op->call)
        return;
    if (op->idempotency_key[0] && op->account.status == ACCOUNT_ACTIVE)
        repeat_note(op->s->repeats, &repeat, op->account.account_id);
    if (op->is_keygen_form) {
        reply_keygen(op, NULL);
        return;
    }
    view_account(&view, op->s->ctx, &op->account);
    if (op->user_share_len)
        view.message.encrypted_user_share = share = view_base64(op->user_share, op->user_share_len);
    rpc_reply(op->call, &view.message.base);
    op->call = NULL;
    free(share);
}

struct rpc_status create_failure(const struct account *account)
{
    struct rpc_status status = rpc_error(RPC_IMPOSSIBLE, "keygen_failed", "%s", account->error);

    memcpy(status.session_id, account->session_id, sizeof status.session_id);
    return status;
}

/* The last step: the row says how it ended. */
static void stored(void *arg, enum db_result result)
{
    struct create *op = ((struct store_finish *)arg)->owner;
    struct account_service *s = op->s;
    struct account *account = &op->account;

    lookup_forget(s, account->account_id);
    if (result == DB_FAILED) {
        create_end(op, lookup_database_fault(s));
        return;
    }
    log_event(LOG_INFO, "account finished", LOG_S("account", account->account_id),
              LOG_S("status", account_status_name(account->status)),
              LOG_S("session", account->session_id), LOG_S("trace", account->trace_id),
              LOG_S("caller", op->audit.text[AUDIT_CALLER]), LOG_S("error", account->error));
    if (result == DB_OK && op->call)
        rpc_set_noted(op->call);
    if (result == DB_OK) { /* otherwise somebody else who waited for it was first */
        metric_add(account->status == ACCOUNT_ACTIVE ? s->keygens : s->keygens_failed, 1);
        metric_observe_us(s->keygen_time, clock_steady_us() - op->started_us);
    }
    if (account->status == ACCOUNT_ACTIVE)
        create_reply(op);
    else
        fail(op, create_failure(account));
    create_free(op);
}

static void finish(struct create *op)
{
    op->finish = (struct store_finish){.owner = op,
                                       .account = &op->account,
                                       .certificate = op->certificate,
                                       .certificate_len = op->certificate_len,
                                       .user_share = op->user_share,
                                       .user_share_len = op->user_share_len,
                                       .audit = &op->audit,
                                       .hook = create_hook(op)};
    db_submit(op->s->db, DB_DURABLE, store_finish, stored, &op->finish);
}

void create_fail(struct create *op, const char *code, const char *text)
{
    op->account.status = ACCOUNT_FAILED;
    snprintf(op->account.error_code, sizeof op->account.error_code, "%s", code);
    snprintf(op->account.error, sizeof op->account.error, "%s", text);
    utf8_mend(op->account.error);
    finish(op);
}

/* The key, its certificate and the user's share, if all of it is in order. */
static bool take_key(struct create *op, const Mpc__Coordinator__V1__GetSessionStatusResponse *r)
{
    if (!roster_take_key(&op->account, op->s, &r->certificate, &op->intent))
        return false;
    op->certificate = mem_copy(r->certificate.data, r->certificate.len);
    op->certificate_len = r->certificate.len;
    if (r->delegate_share.len) {
        op->user_share = mem_copy(r->delegate_share.data, r->delegate_share.len);
        op->user_share_len = r->delegate_share.len;
    }
    op->account.status = ACCOUNT_ACTIVE;
    return true;
}

/* Nobody knows how it ends: the row stays, and create_resume goes on. */
static void leave_pending(struct create *op, struct rpc_status fault)
{
    memcpy(fault.session_id, op->account.session_id, sizeof op->account.session_id);
    create_end(op, fault);
}

static void waited(void *arg, const Mpc__Coordinator__V1__GetSessionStatusResponse *r,
                   const struct rpc_status *status)
{
    struct create *op = arg;
    struct rpc_status end;

    if (!r || !r->session) {
        if (status->code == RPC_NOT_FOUND)
            create_fail(op, "session_lost", "the keygen session is not known any more");
        else
            leave_pending(op, *status);
        return;
    }
    end = session_end(r->session);
    if (end.code == RPC_OK && take_key(op, r)) {
        finish(op);
    } else if (end.code == RPC_OK) {
        log_event(LOG_ERROR, "the certificate of a finished keygen does not verify",
                  LOG_S("account", op->account.account_id),
                  LOG_S("session", op->account.session_id), LOG_S("trace", op->account.trace_id));
        create_fail(op, "certificate_invalid",
                    "the parties' certificate of this key does not verify");
    } else if (await_is_final(r->session->status)) {
        create_fail(op, end.name, end.text);
    } else {
        fail(op, end);
        create_wait(op);
    }
}

/* For the caller first, then on until the session's own deadline has passed. */
void create_wait(struct create *op)
{
    unsigned wait_s = op->call ? op->wait_s : op->s->keygen_wait_s + 5;
    const struct await_end end = {waited, op};

    await_session(op->s, op->account.session_id, wait_s * 1000, op->account.trace_id, end);
}

/* What a restart would want to know; nobody waits for it. */
struct note {
    struct account_service *s;
    struct account account;
    struct store_session session;
};

static void noted(void *arg, enum db_result result)
{
    struct note *note = ((struct store_session *)arg)->owner;

    if (result == DB_FAILED)
        (void)lookup_database_fault(note->s); /* the coordinator knows it: create_resume asks */
    lookup_forget(note->s, note->account.account_id);
    free(note);
}

static void note_session(struct create *op)
{
    struct note *note = mem_new(1, sizeof *note);

    note->s = op->s;
    note->account = op->account;
    note->session = (struct store_session){.owner = note, .account = &note->account};
    db_submit(op->s->db, DB_LAZY, store_session, noted, &note->session);
}

static void forgotten(void *arg, enum db_result result)
{
    struct create *op = ((struct store_forget *)arg)->owner;

    (void)result; /* a row that stays is given up by create_resume */
    create_end(op, op->refusal);
}

/* Nothing was started: no account, and the caller hears of it when the row is gone. */
static void give_up(struct create *op, struct rpc_status status)
{
    op->refusal = status;
    op->forget.owner = op;
    memcpy(op->forget.account_id, op->account.account_id, sizeof op->forget.account_id);
    db_submit(op->s->db, DB_DURABLE, store_forget, forgotten, &op->forget);
}

/* There may be a session, or not: create_resume finds out. */
static bool is_unknown(enum rpc_code code)
{
    return await_is_passing(code) || code == RPC_DATA_LOSS;
}

static void session_created(void *arg, const struct rpc_status *status,
                            const ProtobufCMessage *response)
{
    struct create *op = arg;
    const Mpc__Coordinator__V1__CreateSessionResponse *r = (const void *)response;

    if (is_unknown(status->code)) {
        leave_pending(op, *status);
        return;
    }
    if (status->code != RPC_OK) {
        give_up(op, *status);
        return;
    }
    snprintf(op->account.session_id, sizeof op->account.session_id, "%s", r->session->session_id);
    if (op->call && (op->is_keygen_form || op->wait_s == 0))
        create_audit_begun(op);
    if (op->call && op->is_keygen_form)
        reply_keygen(op, r);
    else if (op->call && op->wait_s == 0)
        create_reply(op);
    note_session(op);
    create_wait(op);
}

/* Also that nobody is named: the delegate believes it of nobody else. */
static void say_whose_share(struct create *op, Mpc__Coordinator__V1__CreateSessionRequest *q)
{
    struct request_create *req = &op->req;

    if (!op->is_own_intent && (req->has_user_key || roster_leaves_key(op->s, op->selected))) {
        intent_sign_user_key(req->user_key_signature, op->s, &op->intent,
                             req->has_user_key ? req->user_key : NULL);
        req->has_key_signature = true;
    }
    if (req->has_user_key)
        q->user_public_key = (ProtobufCBinaryData){32, req->user_key};
    if (req->has_key_signature)
        q->user_key_signature = (ProtobufCBinaryData){64, req->user_key_signature};
}

/* The coordinator knows the request by the account's id. */
static void create_session(struct create *op)
{
    Mpc__Coordinator__V1__CreateSessionRequest q =
        MPC__COORDINATOR__V1__CREATE_SESSION_REQUEST__INIT;

    signed_intent_ask(&q, &op->intent, "keygen");
    q.members = op->selected->members;
    q.n_members = op->selected->n_members;
    q.idempotency_key = op->account.account_id;
    q.want_tokens = op->is_keygen_form;
    say_whose_share(op, &q);
    q.trace_id = op->account.trace_id;
    coordinator_create(op->s, &q, 0, session_created, op);
}

/* The caller's own keygen intent seats these very parties. */
static bool seats_members(const struct qrt_intent *intent, const struct intent_member *members)
{
    for (size_t i = 0; i < intent->parties_n; i++)
        if (intent->parties[i] != members[i].index ||
            memcmp(intent->idk[i], members[i].idk, 32) != 0)
            return false;
    return true;
}

/* From here on a restart knows what the key has to be. */
static void asked(void *arg, enum db_result result)
{
    struct create *op = ((struct store_intent *)arg)->owner;

    if (result == DB_OK)
        create_session(op);
    else
        create_end(op, lookup_database_fault(op->s));
}

static void selected(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    struct create *op = arg;
    const Mpc__Coordinator__V1__SelectPartiesResponse *r = (const void *)response;
    struct intent_member members[QRT_PARTIES_MAX];

    if (status->code != RPC_OK) {
        give_up(op, *status);
        return;
    }
    if (!roster_take(&op->account, members, op->s, &op->req, r)) {
        give_up(op, rpc_error(RPC_IMPOSSIBLE, "parties_not_fit",
                              "the selected parties are not certified, or not those asked for"));
        return;
    }
    if (!op->is_own_intent) {
        if (!intent_of_keygen(&op->intent, op->s, &op->account, members)) {
            give_up(op, rpc_error(RPC_IMPOSSIBLE, "parties_not_fit",
                                  "two of the selected parties have one identity key"));
            return;
        }
    } else if (!seats_members(&op->own_intent, members)) {
        give_up(op, rpc_error(RPC_INVALID, "invalid_intent",
                              "intent must seat the participants as 1 to threshold_n, each with the"
                              " hash of its identity key"));
        return;
    }
    op->selected = message_copy(response);
    op->asked = (struct store_intent){
        .owner = op, .account = &op->account, .intent = op->intent.b, .intent_len = op->intent.len};
    db_submit(op->s->db, DB_DURABLE, store_intent, asked, &op->asked);
}

static void select_parties(struct create *op)
{
    Mpc__Coordinator__V1__SelectPartiesRequest q =
        MPC__COORDINATOR__V1__SELECT_PARTIES_REQUEST__INIT;
    struct rpc_request request = {.path = "mpc.coordinator.v1.SessionCoordinator/SelectParties",
                                  .message = &q.base,
                                  .response =
                                      &mpc__coordinator__v1__select_parties_response__descriptor,
                                  .trace = op->account.trace_id,
                                  .done = selected,
                                  .arg = op};

    q.threshold_t = op->account.t;
    q.threshold_n = op->account.n;
    q.user_share = op->req.delegate ? "delegate" : "none";
    q.party_ids = (char **)op->req.parties;
    q.n_party_ids = op->req.parties_n;
    coordinator_ask(op->s, request);
}

static void inserted(void *arg, enum db_result result)
{
    struct create *op = ((struct store_insert *)arg)->owner;

    if (result == DB_CONFLICT) {
        create_end(op, rpc_error(RPC_EXISTS, "account_exists",
                                 "the intent's account exists already: choose a fresh id"));
    } else if (result == DB_REFUSED) {
        create_end(op, rpc_error(RPC_EXISTS, "idempotency_conflict",
                                 "idempotency_key was used for another request"));
    } else if (result != DB_OK) {
        create_end(op, lookup_database_fault(op->s));
    } else if (op->insert.existed) {
        op->account = op->insert.account;
        create_again(op);
    } else {
        create_held(op);
        select_parties(op);
    }
}

void create_insert(struct create *op)
{
    op->is_hinted = false;
    op->account = op->insert.account;
    db_submit(op->s->db, DB_DURABLE, store_insert, inserted, &op->insert);
}

static void hinted(void *arg, const char *account_id)
{
    struct create *op = arg;

    if (!account_id) {
        create_insert(op);
        return;
    }
    op->is_hinted = true;
    memcpy(op->account.account_id, account_id, ID_TEXT_MAX);
    create_again(op);
}

static void begin(struct create *op)
{
    struct account *account = &op->account;
    struct repeat repeat;

    if (op->is_own_intent)
        id_text(account->account_id, op->own_intent.account);
    else
        id_new(account->account_id);
    snprintf(account->user_id, sizeof account->user_id, "%s", op->req.user_id);
    snprintf(account->trace_id, sizeof account->trace_id, "%s", rpc_trace(op->call));
    account->t = op->req.t;
    account->n = op->req.n;
    account->has_user_share = op->req.delegate;
    account->created_ms = clock_unix_ms();
    op->insert = (struct store_insert){.owner = op,
                                       .account = *account,
                                       .idempotency_key = op->idempotency_key,
                                       .replica = op->s->replica};
    request_create_hash(op->insert.request_hash, &op->req, op->intent.b, op->intent.len);
    repeat = repeat_of(op);
    if (op->idempotency_key[0])
        repeat_find(op->s->repeats, &repeat, hinted, op);
    else
        create_insert(op);
}

struct create *create_new(struct account_service *s, struct rpc_call *call)
{
    struct create *op = mem_new(1, sizeof *op);

    op->s = s;
    op->call = call;
    op->started_us = clock_steady_us();
    create_audit(op);
    s->in_flight++;
    metric_set(s->waiting, (int64_t)s->in_flight);
    return op;
}

static bool has_room(const struct account_service *s, struct rpc_call *call)
{
    struct rpc_status busy;

    if (s->in_flight < s->in_flight_max)
        return true;
    busy = rpc_error(RPC_EXHAUSTED, "too_many_requests",
                     "%zu requests are waiting for their keys or signatures: try again later",
                     s->in_flight);
    busy.retry_after = 1;
    rpc_fail(call, busy);
    return false;
}

static bool is_users_key(struct create *op)
{
    struct request_create *req = &op->req;
    const ProtobufCBinaryData key = {req->has_user_key ? 32 : 0, req->user_key};

    return user_key_verify((ProtobufCBinaryData){64, req->user_key_signature},
                           (ProtobufCBinaryData){op->intent.len, op->intent.b}, key,
                           op->intent.initiator);
}

/* It has to say what the request says; who sits where is compared when the parties are known. */
static bool take_own_intent(struct create *op, const Mpc__Account__V1__CreateAccountRequest *in,
                            struct rpc_status *status)
{
    const struct qrt_intent *intent = &op->own_intent;

    if (!intent_of_caller(&op->intent, &op->own_intent, op->s, in->intent, in->intent_signature,
                          status))
        return false;
    if (op->req.has_key_signature && !is_users_key(op)) {
        *status = rpc_error(RPC_INVALID, "invalid_field",
                            "user_key_signature must be by the key that signed the intent, over"
                            " intent and user_public_key (docs/api.md)");
        return false;
    }
    if (intent->operation == QRT_OP_KEYGEN && intent->t == op->req.t &&
        intent->parties_n == op->req.n && op->req.parties_n == op->req.n)
        return true;
    *status = rpc_error(RPC_INVALID, "invalid_intent",
                        "intent must be a keygen of threshold_t of threshold_n parties, and"
                        " participants must name them in its order");
    return false;
}

/* Without a key the delegate waits until somebody calls /shares/generate for the session: nobody
 * can who waits here. */
static bool says_whose_share(const struct account_service *s, const struct request_create *req,
                             struct rpc_status *status)
{
    if (!req->delegate || req->has_user_key || s->has_default_user_key || req->wait_s == 0)
        return true;
    *status = rpc_error(RPC_INVALID, "user_public_key_missing",
                        "user_share delegate needs user_public_key (X25519, 64 hex digits); or "
                        "create with ?wait=0 and name it at POST /api/v1/shares/generate");
    return false;
}

void create_account(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct account_service *s = service;
    const Mpc__Account__V1__CreateAccountRequest *in = (const void *)request;
    struct request_create req;
    struct rpc_status status;
    struct create *op;

    if (!request_create(&req, in, s->keygen_wait_s, &status) ||
        !says_whose_share(s, &req, &status)) {
        rpc_fail(call, status);
        return;
    }
    if (!has_room(s, call))
        return;
    op = create_new(s, call);
    op->req = req;
    op->wait_s = req.wait_s;
    op->idempotency_key = text_copy(req.idempotency_key);
    op->is_own_intent = in->intent[0] != 0;
    if (op->is_own_intent && !take_own_intent(op, in, &status))
        create_end(op, status);
    else
        begin(op);
}

void create_keygen(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct account_service *s = service;
    struct request_create req;
    struct rpc_status status;
    struct create *op;

    if (!request_keygen(&req, (const void *)request, &status)) {
        rpc_fail(call, status);
        return;
    }
    if (!has_room(s, call))
        return;
    op = create_new(s, call);
    op->req = req;
    op->is_keygen_form = true;
    op->idempotency_key = text_copy(req.idempotency_key);
    begin(op);
}
