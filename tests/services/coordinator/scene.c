/* SPDX-License-Identifier: Apache-2.0 */
/* See scene.h. */
#include "scene.h"

#include "quorate/signature.h"
#include "system/access/user_key.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"

#include <secp256k1.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESPONSE(name) &mpc__coordinator__v1__##name##_response__descriptor

static size_t make_intent(uint8_t *out, size_t cap, uint8_t signature[64], const struct harness *h,
                          const struct qrt_intent *intent)
{
    size_t len = 0;

    assert_int_equal(qrt_intent_encode(intent, out, cap, &len), QRT_OK);
    qrt_intent_sign(signature, h->c->ctx, out, len, h->initiator);
    return len;
}

static struct qrt_intent intent_of(enum qrt_operation operation)
{
    struct qrt_intent intent = {.operation = (uint8_t)operation,
                                .suite = QRT_SUITE_ECDSA,
                                .profile = QRT_PROFILE_1,
                                .purpose = QRT_PURPOSE_TRANSACTION,
                                .account = {1, 2, 3, 4, 5, 6, 0x47, 8, 0x89},
                                .deadline = (uint64_t)clock_unix_ms() / 1000 + 60,
                                .attempts = 4,
                                .t = 2,
                                .parties_n = 3,
                                .parties = {1, 2, 3}};

    randombytes_buf(intent.nonce, sizeof intent.nonce);
    randombytes_buf(intent.request, sizeof intent.request);
    intent.request[6] = 0x40;
    intent.request[8] = 0x80;
    return intent;
}

/* Parties 1 to 3 with their certificates. */
static void list_members(Mpc__Session__V1__Member *members, Mpc__Session__V1__Member **list,
                         struct harness *h)
{
    for (size_t i = 0; i < 3; i++) {
        mpc__session__v1__member__init(&members[i]);
        members[i].party_id = h->parties[i].id;
        members[i].index = (uint32_t)i + 1;
        list[i] = &members[i];
    }
}

static void hash_of(uint8_t out[32], uint8_t message)
{
    crypto_hash_sha256(out, &message, 1);
}

/* With all that it points at. */
struct sign_call {
    Mpc__Coordinator__V1__CreateSessionRequest q;
    Mpc__Session__V1__Member members[3], *list[3];
    uint8_t b[1024], signature[64];
    char hash_text[65], *preferred[2];
};

static void fill_sign(struct sign_call *out, struct harness *h, const struct sign_request *request)
{
    Mpc__Coordinator__V1__CreateSessionRequest *q = &out->q;
    struct qrt_intent intent = intent_of(QRT_OP_SIGN);
    uint8_t hash[32];

    mpc__coordinator__v1__create_session_request__init(q);
    memset(intent.keyid, 9, sizeof intent.keyid);
    intent.digest = QRT_DIGEST_SHA256;
    intent.message = &request->message;
    intent.message_len = 1;
    hash_of(hash, request->message);
    hash[0] ^= request->wrong_hash;
    hex_encode(out->hash_text, hash, 32);
    list_members(out->members, out->list, h);
    q->session_type = "sign";
    q->intent = (ProtobufCBinaryData){
        make_intent(out->b, sizeof out->b, out->signature, h, &intent), out->b};
    q->intent_signature = (ProtobufCBinaryData){64, out->signature};
    q->initiator_key = (ProtobufCBinaryData){32, h->initiator_pk};
    q->members = out->list;
    q->n_members = 3;
    q->preferred = out->preferred;
    for (; q->n_preferred < 2 && request->preferred[q->n_preferred]; q->n_preferred++)
        out->preferred[q->n_preferred] = (char *)(uintptr_t)request->preferred[q->n_preferred];
    q->public_key = h->pk_text;
    q->message_hash = out->hash_text;
    q->want_tokens = request->want_tokens;
    if (request->idempotency_key)
        q->idempotency_key = (char *)(uintptr_t)request->idempotency_key;
    q->deadline_ms = clock_unix_ms() + (request->life_ms ? request->life_ms : 60000);
}

Mpc__Coordinator__V1__CreateSessionResponse *
scene_sign(struct harness *h, const struct sign_request *request, struct rpc_status *status)
{
    struct sign_call call;

    fill_sign(&call, h, request);
    return harness_call(h, "CreateSession", &call.q.base, RESPONSE(create_session), status);
}

struct rpc_pending *scene_ask_sign(struct harness *h, const struct sign_request *request,
                                   rpc_done *done, void *arg)
{
    struct sign_call call;

    fill_sign(&call, h, request);
    return harness_ask(h, "CreateSession", &call.q.base, RESPONSE(create_session), done, arg);
}

void scene_begin(struct harness *h, char session_id[ID_TEXT_MAX],
                 const struct sign_request *request)
{
    struct rpc_status status;
    Mpc__Coordinator__V1__CreateSessionResponse *r = scene_sign(h, request, &status);

    if (!r)
        fail_msg("%s", status.text);
    snprintf(session_id, ID_TEXT_MAX, "%s", r->session->session_id);
    mpc__coordinator__v1__create_session_response__free_unpacked(r, NULL);
}

struct rpc_status scene_presign(struct harness *h, char session_id[ID_TEXT_MAX],
                                const char *const preferred[2])
{
    Mpc__Coordinator__V1__CreateSessionRequest q =
        MPC__COORDINATOR__V1__CREATE_SESSION_REQUEST__INIT;
    struct qrt_intent intent = intent_of(QRT_OP_PRESIGN);
    Mpc__Session__V1__Member members[3], *list[3];
    Mpc__Coordinator__V1__CreateSessionResponse *r;
    struct rpc_status status;
    uint8_t b[1024], signature[64];

    memset(intent.keyid, 9, sizeof intent.keyid);
    intent.attempts = 1;
    list_members(members, list, h);
    q.session_type = "presign";
    q.intent = (ProtobufCBinaryData){make_intent(b, sizeof b, signature, h, &intent), b};
    q.intent_signature = (ProtobufCBinaryData){64, signature};
    q.initiator_key = (ProtobufCBinaryData){32, h->initiator_pk};
    q.members = list;
    q.n_members = 3;
    q.preferred = (char **)(uintptr_t)preferred;
    q.n_preferred = preferred ? 2 : 0;
    r = harness_call(h, "CreateSession", &q.base, RESPONSE(create_session), &status);
    if (r) {
        snprintf(session_id, ID_TEXT_MAX, "%s", r->session->session_id);
        mpc__coordinator__v1__create_session_response__free_unpacked(r, NULL);
    }
    return status;
}

void scene_keygen(struct harness *h, char session_id[ID_TEXT_MAX], int64_t life_ms)
{
    struct rpc_status status = scene_keygen_for(h, session_id, life_ms, NULL, h->initiator);

    if (status.code != RPC_OK)
        fail_msg("%s", status.text);
}

const uint8_t scene_nobody[32];

struct rpc_status scene_keygen_for(struct harness *h, char session_id[ID_TEXT_MAX], int64_t life_ms,
                                   const uint8_t user_key[32], const uint8_t by[64])
{
    Mpc__Coordinator__V1__CreateSessionRequest q =
        MPC__COORDINATOR__V1__CREATE_SESSION_REQUEST__INIT;
    struct qrt_intent intent = intent_of(QRT_OP_KEYGEN);
    Mpc__Session__V1__Member members[3], *list[3];
    Mpc__Coordinator__V1__CreateSessionResponse *r;
    struct rpc_status status;
    uint8_t b[1024], signature[64], key_signature[64];

    for (size_t i = 0; i < 3; i++)
        crypto_hash_sha256(intent.idk[i], h->parties[i].secret + 32, 32);
    list_members(members, list, h);
    for (size_t i = 0; i < 3; i++)
        members[i].certificate = h->parties[i].certificate;
    q.session_type = "keygen";
    q.intent = (ProtobufCBinaryData){make_intent(b, sizeof b, signature, h, &intent), b};
    q.intent_signature = (ProtobufCBinaryData){64, signature};
    q.initiator_key = (ProtobufCBinaryData){32, h->initiator_pk};
    q.members = list;
    q.n_members = 3;
    if (user_key) {
        bool is_named = user_key != scene_nobody;

        user_key_sign(key_signature, b, q.intent.len, is_named ? user_key : NULL, by);
        if (is_named)
            q.user_public_key = (ProtobufCBinaryData){32, (uint8_t *)(uintptr_t)user_key};
        q.user_key_signature = (ProtobufCBinaryData){64, key_signature};
    }
    q.deadline_ms = clock_unix_ms() + life_ms;
    harness_make_key(h, b, q.intent.len, 0);
    r = harness_call(h, "CreateSession", &q.base, RESPONSE(create_session), &status);
    if (r) {
        snprintf(session_id, ID_TEXT_MAX, "%s", r->session->session_id);
        mpc__coordinator__v1__create_session_response__free_unpacked(r, NULL);
    }
    return status;
}

const char *scene_invited(struct harness *h, const char *session_id, const char *party_id, size_t n)
{
    const Mpc__Router__V1__PublishSessionEventRequest *p =
        harness_published(h, "session_created", session_id, n);

    for (size_t i = 0; i < p->n_join_tokens; i++)
        if (strcmp(p->join_tokens[i]->key, party_id) == 0)
            return p->join_tokens[i]->value;
    return NULL;
}

struct rpc_status scene_join(struct harness *h, const char *session_id, const char *party_id,
                             size_t n, const char *key, char token[2048])
{
    Mpc__Coordinator__V1__JoinSessionRequest q = MPC__COORDINATOR__V1__JOIN_SESSION_REQUEST__INIT;
    Mpc__Coordinator__V1__JoinSessionResponse *r;
    const char *join_token = scene_invited(h, session_id, party_id, n);
    struct rpc_status status;

    assert_non_null(join_token);
    q.session_id = (char *)(uintptr_t)session_id;
    q.party_id = (char *)(uintptr_t)party_id;
    q.join_token = (char *)(uintptr_t)join_token;
    q.idempotency_key = (char *)(uintptr_t)key;
    r = harness_call(h, "JoinSession", &q.base, RESPONSE(join_session), &status);
    if (!r)
        return status;
    assert_string_equal(r->setup->session_id, session_id);
    snprintf(token, 2048, "%s", r->session_token);
    mpc__coordinator__v1__join_session_response__free_unpacked(r, NULL);
    return status;
}

void scene_signature(const struct harness *h, uint8_t out[SIGNATURE_LEN], uint8_t message)
{
    secp256k1_context *secp = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    secp256k1_ecdsa_signature signature;
    struct qrt_hash hash;
    struct qrt_pubkey pk;
    struct qrt_sig sig;

    hash_of(hash.b, message);
    assert_int_equal(secp256k1_ecdsa_sign(secp, &signature, hash.b, h->secret_key, NULL, NULL), 1);
    secp256k1_ecdsa_signature_serialize_compact(secp, out, &signature);
    secp256k1_context_destroy(secp);
    for (out[64] = 0; out[64] < 4; out[64]++)
        if (qrt_sig_parse(&sig, h->c->ctx, out, SIGNATURE_LEN) == QRT_OK &&
            qrt_sig_recover(&pk, h->c->ctx, &sig, &hash) == QRT_OK &&
            memcmp(pk.b, h->pk.b, sizeof pk.b) == 0)
            return;
    fail_msg("no recovery id fits");
}

static struct rpc_status report(struct harness *h, Mpc__Coordinator__V1__ReportCompletionRequest *q)
{
    struct rpc_status status;
    Mpc__Coordinator__V1__ReportCompletionResponse *r =
        harness_call(h, "ReportCompletion", &q->base, RESPONSE(report_completion), &status);

    if (r)
        mpc__coordinator__v1__report_completion_response__free_unpacked(r, NULL);
    return status;
}

static Mpc__Coordinator__V1__ReportCompletionRequest
report_of(const char *session_id, const char *party_id, const char *token, uint32_t attempt)
{
    Mpc__Coordinator__V1__ReportCompletionRequest q =
        MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__INIT;

    q.session_id = (char *)(uintptr_t)session_id;
    q.party_id = (char *)(uintptr_t)party_id;
    q.session_token = (char *)(uintptr_t)token;
    q.attempt = attempt;
    return q;
}

struct rpc_status scene_report_signature(struct harness *h, const char *session_id,
                                         const char *party_id, const char *token,
                                         const uint8_t signature[SIGNATURE_LEN], uint32_t attempt)
{
    Mpc__Coordinator__V1__ReportCompletionRequest q =
        report_of(session_id, party_id, token, attempt);
    Mpc__Coordinator__V1__SignOutcome outcome = MPC__COORDINATOR__V1__SIGN_OUTCOME__INIT;

    outcome.signature = (ProtobufCBinaryData){SIGNATURE_LEN, (uint8_t *)(uintptr_t)signature};
    q.outcome_case = MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__OUTCOME_SIGNATURE;
    q.signature = &outcome;
    return report(h, &q);
}

/* More than there is room for, and every cut at an even place is inside a character. */
static char long_text[] =
    "the test says so."
    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3"
    "\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3"
    "\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3"
    "\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3"
    "\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3"
    "\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3"
    "\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3"
    "\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9";

struct rpc_status scene_report_failure(struct harness *h, const char *session_id,
                                       const char *party_id, const char *token, uint32_t attempt,
                                       const char *code, bool retry)
{
    Mpc__Coordinator__V1__ReportCompletionRequest q =
        report_of(session_id, party_id, token, attempt);
    Mpc__Coordinator__V1__FailureOutcome outcome = MPC__COORDINATOR__V1__FAILURE_OUTCOME__INIT;

    outcome.code = (char *)(uintptr_t)code;
    outcome.text = long_text;
    outcome.retry = retry;
    q.outcome_case = MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__OUTCOME_FAILURE;
    q.failure = &outcome;
    return report(h, &q);
}

struct rpc_status scene_report_key(struct harness *h, const char *session_id, const char *party_id,
                                   const char *token)
{
    Mpc__Coordinator__V1__ReportCompletionRequest q = report_of(session_id, party_id, token, 0);
    Mpc__Coordinator__V1__KeyOutcome outcome = MPC__COORDINATOR__V1__KEY_OUTCOME__INIT;

    outcome.certificate = (ProtobufCBinaryData){h->certificate_len, h->certificate};
    q.outcome_case = MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__OUTCOME_KEY;
    q.key = &outcome;
    return report(h, &q);
}

struct rpc_status scene_report_presignature(struct harness *h, const char *session_id,
                                            const char *party_id, const char *token,
                                            const uint8_t id[32])
{
    Mpc__Coordinator__V1__ReportCompletionRequest q = report_of(session_id, party_id, token, 0);
    Mpc__Coordinator__V1__PresignOutcome outcome = MPC__COORDINATOR__V1__PRESIGN_OUTCOME__INIT;

    outcome.presignature_id = (ProtobufCBinaryData){32, (uint8_t *)(uintptr_t)id};
    q.outcome_case = MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__OUTCOME_PRESIGNATURE;
    q.presignature = &outcome;
    return report(h, &q);
}

Mpc__Coordinator__V1__GetSessionStatusResponse *
scene_status(struct harness *h, const char *session_id, uint32_t wait_s)
{
    Mpc__Coordinator__V1__GetSessionStatusRequest q =
        MPC__COORDINATOR__V1__GET_SESSION_STATUS_REQUEST__INIT;
    struct rpc_status status;
    void *r;

    q.session_id = (char *)(uintptr_t)session_id;
    q.wait_given_case = MPC__COORDINATOR__V1__GET_SESSION_STATUS_REQUEST__WAIT_GIVEN_WAIT;
    q.wait = wait_s;
    r = harness_call(h, "GetSessionStatus", &q.base, RESPONSE(get_session_status), &status);
    if (!r)
        fail_msg("%s", status.text);
    return r;
}

void scene_expect(struct harness *h, const char *session_id, const char *status,
                  const char *error_code)
{
    Mpc__Coordinator__V1__GetSessionStatusResponse *r = scene_status(h, session_id, 0);

    assert_string_equal(r->session->status, status);
    assert_string_equal(r->session->error_code, error_code);
    mpc__coordinator__v1__get_session_status_response__free_unpacked(r, NULL);
}

void scene_log(struct harness *h, const char *session_id, char *out, size_t size)
{
    Mpc__Coordinator__V1__ListSessionEventsRequest q =
        MPC__COORDINATOR__V1__LIST_SESSION_EVENTS_REQUEST__INIT;
    Mpc__Coordinator__V1__ListSessionEventsResponse *r;
    struct rpc_status status;
    size_t len = 0;

    q.session_id = (char *)(uintptr_t)session_id;
    r = harness_call(h, "ListSessionEvents", &q.base, RESPONSE(list_session_events), &status);
    if (!r)
        fail_msg("%s", status.text);
    out[0] = '\0';
    for (size_t i = 0; i < r->n_events && len < size; i++)
        len +=
            (size_t)snprintf(out + len, size - len, "%s%s", i ? " " : "", r->events[i]->event_type);
    mpc__coordinator__v1__list_session_events_response__free_unpacked(r, NULL);
}

void scene_cancel(struct harness *h, const char *session_id, enum rpc_code expected)
{
    Mpc__Coordinator__V1__CancelSessionRequest q =
        MPC__COORDINATOR__V1__CANCEL_SESSION_REQUEST__INIT;
    Mpc__Coordinator__V1__CancelSessionResponse *r;
    struct rpc_status status;

    q.session_id = (char *)(uintptr_t)session_id;
    r = harness_call(h, "CancelSession", &q.base, RESPONSE(cancel_session), &status);
    assert_int_equal(status.code, expected);
    if (r)
        mpc__coordinator__v1__cancel_session_response__free_unpacked(r, NULL);
}
