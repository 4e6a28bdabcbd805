/* SPDX-License-Identifier: Apache-2.0 */
/* A replica that nobody leads: what waits at it, and what does not even wait. */
#include "harness.h"

#include "services/coordinator/gate.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSION "8a6f2f6c-9a53-4d8c-8f0c-0d8a6f2f6c9a"
#define OTHER_SESSION "8a6f2f6c-9a53-4d8c-8f0c-0d8a6f2f6c9b"

enum { ASKED_MAX = 8, SHARE_BYTES = 5 << 20, SHARES = 4, ASK_MS = 120000 };

struct asked {
    bool is_answered;
    struct rpc_status status;
};

struct world {
    struct harness *h;
    struct service_host host;
    struct coordinator follower;
    struct gate *gate;
    /* one connection has room for one long message: each call has its own */
    struct rpc_channel *channels[ASKED_MAX];
    struct asked asked[ASKED_MAX];
};

static void set_up(struct world *w)
{
    char error[RPC_TEXT_MAX], target[32];

    memset(w, 0, sizeof *w);
    w->h = harness_new(NULL);
    w->host = w->h->host;
    w->host.server = rpc_server_new(&w->h->loop, NULL);
    rpc_server_guard(w->host.server, access_guard, w->h->access);
    w->follower.host = &w->host;
    w->follower.tokens = w->h->c->tokens;
    w->gate = gate_new(&w->follower);
    if (!rpc_server_listen(w->host.server, "127.0.0.1", 0, NULL, error))
        fail_msg("%s", error);
    snprintf(target, sizeof target, "127.0.0.1:%d", rpc_server_port(w->host.server));
    for (size_t i = 0; i < ASKED_MAX; i++)
        w->channels[i] = rpc_channel_new(
            &w->h->loop, &(struct rpc_channel_params){.target = target, .retry = {.step_ms = 10}});
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

static bool flag_is_set(struct harness *h, const void *arg)
{
    (void)h;
    return *(const bool *)arg;
}

static void tear_down(struct world *w)
{
    bool stopped = false;

    for (size_t i = 0; i < ASKED_MAX; i++)
        rpc_channel_free(w->channels[i]);
    rpc_server_stop(w->host.server, 0, set_flag, &stopped);
    harness_run_until(w->h, flag_is_set, &stopped);
    rpc_server_free(w->host.server);
    harness_free(w->h);
}

static void answered(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    struct asked *asked = arg;

    (void)response;
    asked->status = *status;
    asked->is_answered = true;
}

static void ask(struct world *w, size_t i, const char *method, const ProtobufCMessage *request)
{
    char path[128];

    snprintf(path, sizeof path, "mpc.coordinator.v1.SessionCoordinator/%s", method);
    /* an answer of no fields: none is expected */
    rpc_start(w->channels[i],
              &(struct rpc_request){
                  .path = path,
                  .message = request,
                  .response = &mpc__coordinator__v1__submit_delegate_share_response__descriptor,
                  .deadline_ms = ASK_MS,
                  .done = answered,
                  .arg = &w->asked[i]});
}

static const struct rpc_status *answer(struct world *w, size_t i)
{
    harness_run_until(w->h, flag_is_set, &w->asked[i].is_answered);
    return &w->asked[i].status;
}

static void make_token(const struct world *w, char out[TOKEN_TEXT_MAX], enum token_kind kind,
                       const char *party_id)
{
    struct token token = {.kind = kind, .expires = clock_unix_ms() / 1000 + 60};

    snprintf(token.session_id, sizeof token.session_id, "%s", SESSION);
    snprintf(token.subject, sizeof token.subject, "%s", party_id);
    token_make(out, w->follower.tokens, &token);
}

static void ask_join(struct world *w, size_t i, const char *session_id, const char *token)
{
    Mpc__Coordinator__V1__JoinSessionRequest join =
        MPC__COORDINATOR__V1__JOIN_SESSION_REQUEST__INIT;

    join.session_id = (char *)(uintptr_t)session_id;
    join.party_id = "party-1";
    join.join_token = (char *)(uintptr_t)token;
    join.idempotency_key = "0123456789abcdef";
    ask(w, i, "JoinSession", &join.base);
}

/* By every method that is open because its message carries a token. */
static void test_attack_waiting_without_a_proof(void **state)
{
    struct world w;
    char good[TOKEN_TEXT_MAX], wrong_kind[TOKEN_TEXT_MAX];
    Mpc__Coordinator__V1__MarkPartyReadyRequest ready =
        MPC__COORDINATOR__V1__MARK_PARTY_READY_REQUEST__INIT;
    Mpc__Coordinator__V1__ReportCompletionRequest report =
        MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__INIT;
    Mpc__Coordinator__V1__SubmitDelegateShareRequest share =
        MPC__COORDINATOR__V1__SUBMIT_DELEGATE_SHARE_REQUEST__INIT;

    (void)state;
    set_up(&w);
    make_token(&w, good, TOKEN_JOIN, "party-1");
    make_token(&w, wrong_kind, TOKEN_SESSION, "party-1");
    ask_join(&w, 0, SESSION, good);
    ask_join(&w, 1, SESSION, wrong_kind);
    assert_int_equal(answer(&w, 1)->code, RPC_UNAUTHENTICATED);
    ask_join(&w, 2, OTHER_SESSION, good);
    assert_string_equal(answer(&w, 2)->name, "wrong_session");
    ready.session_id = report.session_id = share.session_id = SESSION;
    ready.party_id = report.party_id = share.party_id = "party-1";
    ready.session_token = report.session_token = share.session_token = good;
    ask(&w, 3, "MarkPartyReady", &ready.base);
    assert_int_equal(answer(&w, 3)->code, RPC_UNAUTHENTICATED);
    ask(&w, 4, "ReportCompletion", &report.base);
    assert_int_equal(answer(&w, 4)->code, RPC_UNAUTHENTICATED);
    ask(&w, 5, "SubmitDelegateShare", &share.base);
    assert_int_equal(answer(&w, 5)->code, RPC_UNAUTHENTICATED);
    assert_false(w.asked[0].is_answered);
    gate_free(w.gate);
    assert_string_equal(answer(&w, 0)->name, "unavailable");
    tear_down(&w);
}

static size_t answered_n(const struct world *w)
{
    size_t n = 0;

    for (size_t i = 0; i < SHARES; i++)
        n += w->asked[i].is_answered;
    return n;
}

static bool one_is_answered(struct harness *h, const void *arg)
{
    (void)h;
    return answered_n(arg) > 0;
}

static void test_attack_long_messages_that_wait(void **state)
{
    struct world w;
    char token[TOKEN_TEXT_MAX], join[TOKEN_TEXT_MAX], others[TOKEN_TEXT_MAX];
    Mpc__Coordinator__V1__SubmitDelegateShareRequest share =
        MPC__COORDINATOR__V1__SUBMIT_DELEGATE_SHARE_REQUEST__INIT;

    (void)state;
    set_up(&w);
    make_token(&w, token, TOKEN_SESSION, "party-2");
    make_token(&w, join, TOKEN_JOIN, "party-1");
    make_token(&w, others, TOKEN_SESSION, "party-1");
    share.session_id = SESSION;
    share.party_id = "party-2";
    share.session_token = token;
    share.sealed_share = (ProtobufCBinaryData){SHARE_BYTES, mem_new(1, SHARE_BYTES)};
    for (size_t i = 0; i < SHARES; i++)
        ask(&w, i, "SubmitDelegateShare", &share.base);
    free(share.sealed_share.data);
    /* three are all that one caller may hold */
    harness_run_until(w.h, one_is_answered, &w);
    assert_int_equal(answered_n(&w), 1);
    for (size_t i = 0; i < SHARES; i++)
        if (w.asked[i].is_answered)
            assert_string_equal(w.asked[i].status.name, "too_much_waiting");
    /* others have room */
    ask_join(&w, SHARES, SESSION, join);
    ask_join(&w, SHARES + 1, SESSION, others);
    assert_int_equal(answer(&w, SHARES + 1)->code, RPC_UNAUTHENTICATED);
    assert_false(w.asked[SHARES].is_answered);
    assert_int_equal(answered_n(&w), 1);
    gate_free(w.gate);
    assert_string_equal(answer(&w, SHARES)->name, "unavailable");
    for (size_t i = 0; i < SHARES; i++)
        (void)answer(&w, i);
    tear_down(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attack_waiting_without_a_proof),
        cmocka_unit_test(test_attack_long_messages_that_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
