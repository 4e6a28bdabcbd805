/* SPDX-License-Identifier: Apache-2.0 */
/* See script.h. */
#include "script.h"

#include "quorate/intent.h"
#include "quorate/signature.h"
#include "system/core/buffer.h"
#include "system/rpc/message.h"
#include "system/service/library.h"
#include "tests/support/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <secp256k1.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What parties make. */

size_t script_make_key(uint8_t *out, size_t cap, const char *arguments)
{
    const char *program = getenv("MAKE_KEY");
    size_t size = strlen(arguments) + (program ? strlen(program) : 0) + 8, len;
    char *command = mem_new(size, 1);
    FILE *pipe;

    if (!program)
        fail_msg("MAKE_KEY must name the program make_key");
    snprintf(command, size, "'%s' %s", program, arguments);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    len = fread(out, 1, cap, pipe);
    assert_int_equal(pclose(pipe), 0);
    free(command);
    return len;
}

size_t script_certificate(uint8_t *out, size_t cap, const uint8_t *intent, size_t len)
{
    char text[2 * 1024 + 16];
    size_t made;

    assert_true(len <= 1024);
    hex_encode(text, intent, len);
    snprintf(text + 2 * len, sizeof text - 2 * len, " 0");
    made = script_make_key(out, cap, text);
    assert_true(made > 0);
    return made;
}

uint8_t script_sign(uint8_t out[64], const uint8_t secret_key[32], const uint8_t hash[32])
{
    secp256k1_context *secp = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    secp256k1_ecdsa_signature signature;
    secp256k1_pubkey point;
    struct qrt_pubkey pk, signer;
    size_t len = sizeof pk.b;
    struct qrt_sig sig = {.recid = 0};
    struct qrt_hash h;

    memcpy(h.b, hash, 32);
    assert_int_equal(secp256k1_ec_pubkey_create(secp, &point, secret_key), 1);
    secp256k1_ec_pubkey_serialize(secp, pk.b, &len, &point, SECP256K1_EC_COMPRESSED);
    assert_int_equal(secp256k1_ecdsa_sign(secp, &signature, hash, secret_key, NULL, NULL), 1);
    secp256k1_ecdsa_signature_serialize_compact(secp, out, &signature);
    secp256k1_context_destroy(secp);
    memcpy(sig.r, out, 32);
    memcpy(sig.s, out + 32, 32);
    for (; sig.recid < 4; sig.recid++)
        if (qrt_sig_recover(&signer, library_ctx(), &sig, &h) == QRT_OK &&
            memcmp(signer.b, pk.b, sizeof pk.b) == 0)
            return sig.recid;
    fail_msg("no recovery id fits");
    return 0;
}

void script_complete(struct script *s, struct script_session *session)
{
    const Mpc__Coordinator__V1__CreateSessionRequest *q = session->q;
    uint8_t hash[32], signature[64];

    session->status = "completed";
    if (strcmp(q->session_type, "keygen") == 0) {
        session->certificate_len = script_certificate(
            session->certificate, sizeof session->certificate, q->intent.data, q->intent.len);
        return;
    }
    assert_true(hex_decode(hash, sizeof hash, q->message_hash));
    session->recovery_id = script_sign(signature, s->secret_key, hash);
    hex_encode(session->r, signature, 32);
    hex_encode(session->s, signature + 32, 32);
    session->has_signature = true;
}

void script_end(struct script *s, struct script_session *session, const char *status,
                const char *error)
{
    session->status = status;
    session->error = error;
    script_release(s);
}

/* The truth at each door. */

static struct script_session *find(struct script *s, const char *id)
{
    for (size_t i = 0; i < s->sessions_n; i++)
        if (strcmp(s->sessions[i].id, id) == 0)
            return &s->sessions[i];
    return NULL;
}

struct view {
    Mpc__Session__V1__Session session;
    Mpc__Session__V1__Signature signature;
    char *parties[2];
};

static void view(struct view *out, struct script *s, struct script_session *session)
{
    mpc__session__v1__session__init(&out->session);
    out->session.session_id = session->id;
    out->session.session_type = session->q->session_type;
    out->session.status = (char *)(uintptr_t)session->status;
    out->session.threshold_t = 2;
    out->session.threshold_n = SCRIPT_PARTIES;
    out->session.account_id = session->account_id;
    out->session.message_hash = session->q->message_hash;
    out->session.public_key = session->q->public_key;
    if (session->error)
        out->session.error = (char *)(uintptr_t)session->error;
    out->session.parties = out->parties;
    for (size_t i = 0; i < 2; i++)
        out->parties[out->session.n_parties++] = (char *)(uintptr_t)s->party_ids[i];
    if (!session->has_signature)
        return;
    mpc__session__v1__signature__init(&out->signature);
    out->signature.r = session->r;
    out->signature.s = session->s;
    out->signature.recovery_id = session->recovery_id;
    out->session.signature = &out->signature;
}

static void finish(struct script *s, struct rpc_call *call, ProtobufCMessage *response,
                   script_lie *lie)
{
    if (lie)
        lie(s, response);
    rpc_reply(call, response);
}

static void select_parties(struct script *s, struct rpc_call *call, const ProtobufCMessage *request,
                           script_lie *lie)
{
    Mpc__Coordinator__V1__SelectPartiesResponse r =
        MPC__COORDINATOR__V1__SELECT_PARTIES_RESPONSE__INIT;
    Mpc__Session__V1__Member members[SCRIPT_PARTIES], *list[SCRIPT_PARTIES];

    if (s->selected)
        mpc__coordinator__v1__select_parties_request__free_unpacked(s->selected, NULL);
    s->selected = message_copy(request);
    r.members = list;
    r.n_members = SCRIPT_PARTIES;
    for (size_t i = 0; i < SCRIPT_PARTIES; i++) {
        mpc__session__v1__member__init(&members[i]);
        members[i].party_id = (char *)(uintptr_t)s->party_ids[i];
        members[i].index = (uint32_t)i + 1;
        members[i].certificate = s->certificates[i];
        list[i] = &members[i];
    }
    finish(s, call, &r.base, lie);
}

static struct script_session *make(struct script *s,
                                   const Mpc__Coordinator__V1__CreateSessionRequest *q)
{
    struct script_session *session = &s->sessions[s->sessions_n++];
    struct qrt_intent intent;

    assert_true(s->sessions_n <= SCRIPT_SESSIONS);
    assert_int_equal(qrt_intent_decode(&intent, q->intent.data, q->intent.len), QRT_OK);
    id_new(session->id);
    id_text(session->account_id, intent.account);
    session->q = message_copy(&q->base);
    session->status = "waiting";
    return session;
}

static struct script_session *known(struct script *s,
                                    const Mpc__Coordinator__V1__CreateSessionRequest *q)
{
    for (size_t i = 0; q->idempotency_key[0] && i < s->sessions_n; i++)
        if (strcmp(s->sessions[i].q->idempotency_key, q->idempotency_key) == 0)
            return &s->sessions[i];
    return NULL;
}

static void create_session(struct script *s, struct rpc_call *call, const ProtobufCMessage *request,
                           script_lie *lie)
{
    const Mpc__Coordinator__V1__CreateSessionRequest *q = (const void *)request;
    Mpc__Coordinator__V1__CreateSessionResponse r =
        MPC__COORDINATOR__V1__CREATE_SESSION_RESPONSE__INIT;
    struct script_session *session = known(s, q);
    struct view v = {0};

    if (session && strcmp(session->q->message_hash, q->message_hash) != 0) {
        rpc_fail(call, rpc_error(RPC_EXISTS, "idempotency_conflict",
                                 "idempotency_key was used for another request"));
        return;
    }
    r.existed = session != NULL;
    if (!session)
        session = make(s, q);
    view(&v, s, session);
    r.session = &v.session;
    finish(s, call, &r.base, lie);
    if (s->is_quick && !r.existed)
        script_complete(s, session);
}

static void tell_status(struct script *s, struct rpc_call *call, const ProtobufCMessage *request,
                        script_lie *lie)
{
    const Mpc__Coordinator__V1__GetSessionStatusRequest *q = (const void *)request;
    Mpc__Coordinator__V1__GetSessionStatusResponse r =
        MPC__COORDINATOR__V1__GET_SESSION_STATUS_RESPONSE__INIT;
    struct script_session *session = find(s, q->session_id);
    struct view v = {0};

    if (!session) {
        rpc_fail(call, rpc_error(RPC_NOT_FOUND, "session_not_found", "no session has the id %s",
                                 q->session_id));
        return;
    }
    view(&v, s, session);
    r.session = &v.session;
    r.certificate = (ProtobufCBinaryData){session->certificate_len, session->certificate};
    finish(s, call, &r.base, lie);
}

static void list_sessions(struct script *s, struct rpc_call *call, const ProtobufCMessage *request,
                          script_lie *lie)
{
    const Mpc__Coordinator__V1__ListSessionsRequest *q = (const void *)request;
    Mpc__Coordinator__V1__ListSessionsResponse r =
        MPC__COORDINATOR__V1__LIST_SESSIONS_RESPONSE__INIT;
    Mpc__Session__V1__Session *list[1];
    struct view v = {0};

    r.sessions = list;
    for (size_t i = 0; i < s->sessions_n && r.n_sessions == 0; i++)
        if (strcmp(s->sessions[i].account_id, q->account_id) == 0) {
            view(&v, s, &s->sessions[i]);
            list[r.n_sessions++] = &v.session;
        }
    finish(s, call, &r.base, lie);
}

typedef void door_truth(struct script *s, struct rpc_call *call, const ProtobufCMessage *request,
                        script_lie *lie);
static door_truth *const truths[DOORS] = {[DOOR_SELECT] = select_parties,
                                          [DOOR_CREATE] = create_session,
                                          [DOOR_STATUS] = tell_status,
                                          [DOOR_LIST] = list_sessions};

/* Calls that wait. */

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static struct held take(struct script *s, size_t i)
{
    struct held held = s->held[i];

    s->held[i] = s->held[--s->held_n];
    if (held.timer)
        uv_close((uv_handle_t *)held.timer, timer_closed);
    return held;
}

static void answer(struct script *s, struct held held)
{
    truths[held.door](s, held.call, held.request, NULL);
    protobuf_c_message_free_unpacked(held.request, NULL);
}

static void poll_over(uv_timer_t *timer)
{
    struct script *s = timer->data;

    for (size_t i = 0; i < s->held_n; i++)
        if (s->held[i].timer == timer) {
            answer(s, take(s, i));
            return;
        }
}

static struct held *hold(struct script *s, enum door door, struct rpc_call *call,
                         const ProtobufCMessage *request)
{
    struct held *held = &s->held[s->held_n++];

    assert_true(s->held_n <= SCRIPT_HELD);
    *held = (struct held){.door = door, .call = call, .request = message_copy(request)};
    return held;
}

/* A session that goes on is told of when the poll is over. */
static bool parks(struct script *s, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Mpc__Coordinator__V1__GetSessionStatusRequest *q = (const void *)request;
    const struct script_session *session = find(s, q->session_id);
    struct held *held;

    if (!session || strcmp(session->status, "waiting") != 0 || q->wait == 0)
        return false;
    held = hold(s, DOOR_STATUS, call, request);
    held->timer = mem_new(1, sizeof *held->timer);
    uv_timer_init(s->loop, held->timer);
    held->timer->data = s;
    uv_timer_start(held->timer, poll_over, q->wait * 1000, 0);
    return true;
}

void script_release(struct script *s)
{
    for (size_t i = s->held_n; i-- > 0;)
        answer(s, take(s, i));
}

void script_release_at(struct script *s, enum door door)
{
    for (size_t i = s->held_n; i-- > 0;)
        if (s->held[i].door == door)
            answer(s, take(s, i));
}

void script_refuse(struct script *s, enum rpc_code code)
{
    while (s->held_n) {
        struct held held = take(s, 0);

        rpc_fail(held.call, rpc_error(code, "scripted", "the script says so"));
        protobuf_c_message_free_unpacked(held.request, NULL);
    }
}

void script_drop(struct script *s)
{
    script_refuse(s, RPC_CANCELLED);
}

/* Doors. */

static void create_unheard(struct script *s, const Mpc__Coordinator__V1__CreateSessionRequest *q)
{
    struct script_session *session = known(s, q);

    if (session)
        return;
    session = make(s, q);
    if (s->is_quick)
        script_complete(s, session);
}

static struct step next_step(struct script *s, enum door door)
{
    if (s->is_dying)
        return (struct step){.act = ACT_HOLD};
    if (s->steps_at[door] < s->steps_n[door])
        return s->steps[door][s->steps_at[door]++];
    return (struct step){.act = ACT_ANSWER};
}

static void knock(struct script *s, enum door door, struct rpc_call *call,
                  const ProtobufCMessage *request)
{
    struct step step = next_step(s, door);

    s->calls[door]++;
    if (step.act == ACT_REFUSE) {
        rpc_fail(call, step.status);
    } else if (step.act != ACT_ANSWER) {
        if (step.act == ACT_DIE_AFTER || step.act == ACT_DO_AND_HOLD)
            create_unheard(s, (const void *)request);
        s->is_dying |= step.act == ACT_DIE_BEFORE || step.act == ACT_DIE_AFTER;
        hold(s, door, call, request);
    } else if (door != DOOR_STATUS || step.lie || !parks(s, call, request)) {
        truths[door](s, call, request, step.lie);
    }
}

static void on_select(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    knock(service, DOOR_SELECT, call, request);
}

static void on_create(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    knock(service, DOOR_CREATE, call, request);
}

static void on_status(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    knock(service, DOOR_STATUS, call, request);
}

static void on_list(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    knock(service, DOOR_LIST, call, request);
}

#define DOOR(name, type, handler)                                                                  \
    {                                                                                              \
        .path = "mpc.coordinator.v1.SessionCoordinator/" name,                                     \
        .request = &mpc__coordinator__v1__##type##_request__descriptor,                            \
        .response = &mpc__coordinator__v1__##type##_response__descriptor, .handle = handler        \
    }

static const struct rpc_method methods[] = {DOOR("SelectParties", select_parties, on_select),
                                            DOOR("CreateSession", create_session, on_create),
                                            DOOR("GetSessionStatus", get_session_status, on_status),
                                            DOOR("ListSessions", list_sessions, on_list),
                                            {0}};
static const struct rpc_route no_routes[] = {{0}};

static struct rpc_status allow(struct rpc_call *call, void *arg)
{
    (void)call;
    (void)arg;
    return rpc_ok();
}

/* Life. */

void script_start(struct script *s)
{
    char error[RPC_TEXT_MAX];

    if (s->port == 0)
        s->port_holder = port_hold(&s->port);
    s->server = rpc_server_new(s->loop, NULL);
    rpc_server_add(s->server, methods, no_routes, s);
    rpc_server_guard(s->server, allow, NULL);
    if (!rpc_server_listen(s->server, "127.0.0.1", s->port, NULL, error))
        fail_msg("%s", error);
}

void script_next(struct script *s, enum door door, struct step step)
{
    assert_true(s->steps_n[door] < SCRIPT_STEPS);
    s->steps[door][s->steps_n[door]++] = step;
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

void script_die(struct script *s, void (*run_until)(void *arg, const bool *flag), void *arg)
{
    bool has_stopped = false;

    s->is_dying = true;
    rpc_server_stop(s->server, 0, set_flag, &has_stopped);
    run_until(arg, &has_stopped);
    rpc_server_free(s->server);
    s->server = NULL;
    script_refuse(s, RPC_UNAVAILABLE); /* heard by nobody */
}

void script_revive(struct script *s)
{
    s->is_dying = false;
    script_start(s);
}

void script_free(struct script *s)
{
    close(s->port_holder);
    for (size_t i = 0; i < s->sessions_n; i++)
        mpc__coordinator__v1__create_session_request__free_unpacked(s->sessions[i].q, NULL);
    for (size_t i = 0; i < SCRIPT_PARTIES; i++)
        mpc__session__v1__party_certificate__free_unpacked(s->certificates[i], NULL);
    if (s->selected)
        mpc__coordinator__v1__select_parties_request__free_unpacked(s->selected, NULL);
}
