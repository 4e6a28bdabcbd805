/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a session: who may end it, what races with it, and what every later call is told, from
 * memory and from the database alike. */
#include "scene.h"

#include "system/core/clock.h"
#include "system/core/utf8.h"

#include <stdio.h>
#include <string.h>

#define RESPONSE(name) &mpc__coordinator__v1__##name##_response__descriptor
#define KEY_A "0123456789abcdef-a"

static const struct sign_request by_two = {.message = 1, .preferred = {"party-1", "party-2"}};

/* Calls that leave together. */
struct sent {
    struct rpc_status status;
    bool is_answered;
    char told[16];
};

static void take_answer(void *arg, const struct rpc_status *status,
                        const ProtobufCMessage *response)
{
    struct sent *sent = arg;

    sent->is_answered = true;
    sent->status = *status;
    if (response && response->descriptor == RESPONSE(report_completion))
        snprintf(sent->told, sizeof sent->told, "%s",
                 ((const Mpc__Coordinator__V1__ReportCompletionResponse *)response)->status);
}

static void send_call(struct harness *h, struct sent *sent, const char *path,
                      const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response)
{
    *sent = (struct sent){0};
    rpc_start(h->channel, &(struct rpc_request){.path = path,
                                                .message = request,
                                                .response = response,
                                                .deadline_ms = 120000,
                                                .done = take_answer,
                                                .arg = sent});
}

static bool both_answered(struct harness *h, const void *arg)
{
    const struct sent *sent = arg;

    (void)h;
    return sent[0].is_answered && sent[1].is_answered;
}

static void send_cancel(struct harness *h, struct sent *sent, const char *session_id)
{
    Mpc__Coordinator__V1__CancelSessionRequest q =
        MPC__COORDINATOR__V1__CANCEL_SESSION_REQUEST__INIT;

    q.session_id = (char *)(uintptr_t)session_id;
    send_call(h, sent, "mpc.coordinator.v1.SessionCoordinator/CancelSession", &q.base,
              RESPONSE(cancel_session));
}

static void send_ready(struct harness *h, struct sent *sent, const char *session_id,
                       const char *token)
{
    Mpc__Coordinator__V1__MarkPartyReadyRequest q =
        MPC__COORDINATOR__V1__MARK_PARTY_READY_REQUEST__INIT;

    q.session_id = (char *)(uintptr_t)session_id;
    q.party_id = "party-1";
    q.session_token = (char *)(uintptr_t)token;
    send_call(h, sent, "mpc.coordinator.v1.SessionCoordinator/MarkPartyReady", &q.base,
              RESPONSE(mark_party_ready));
}

static void send_signature(struct harness *h, struct sent *sent, const char *session_id,
                           const char *token)
{
    Mpc__Coordinator__V1__ReportCompletionRequest q =
        MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__INIT;
    Mpc__Coordinator__V1__SignOutcome outcome = MPC__COORDINATOR__V1__SIGN_OUTCOME__INIT;
    uint8_t signature[SIGNATURE_LEN];

    scene_signature(h, signature, 1);
    outcome.signature = (ProtobufCBinaryData){sizeof signature, signature};
    q.session_id = (char *)(uintptr_t)session_id;
    q.party_id = "party-1";
    q.session_token = (char *)(uintptr_t)token;
    q.outcome_case = MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__OUTCOME_SIGNATURE;
    q.signature = &outcome;
    send_call(h, sent, "mpc.coordinator.v1.SessionCoordinator/ReportCompletion", &q.base,
              RESPONSE(report_completion));
}

static struct rpc_status ready(struct harness *h, const char *session_id, const char *token)
{
    struct sent sent[2];

    send_ready(h, &sent[0], session_id, token);
    sent[1].is_answered = true;
    harness_run_until(h, both_answered, sent);
    return sent[0].status;
}

static void begin(struct harness *h, char id[ID_TEXT_MAX], char token[2048])
{
    scene_begin(h, id, &by_two);
    assert_int_equal(scene_join(h, id, "party-1", 0, KEY_A, token).code, RPC_OK);
}

static void assert_ended(struct rpc_status status, const char *how)
{
    assert_int_equal(status.code, RPC_STATE);
    assert_string_equal(status.name, "session_ended");
    assert_non_null(strstr(status.text, how));
}

static void test_whoever_comes_after_the_end_is_told_so(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], token[2048], again[2048];

    (void)state;
    begin(h, id, token);
    assert_int_equal(ready(h, id, token).code, RPC_OK);
    scene_cancel(h, id, RPC_OK);
    for (int life = 0; life < 2; life++) { /* from memory, then from the database */
        assert_ended(ready(h, id, token), "cancelled");
        assert_ended(scene_join(h, id, "party-1", 0, KEY_A, again), "cancelled");
        assert_int_equal(
            scene_report_failure(h, id, "party-1", token, 0, "SESSION_ENDED", true).code, RPC_OK);
        scene_cancel(h, id, RPC_OK);
        scene_expect(h, id, "cancelled", "session_cancelled");
        if (life == 0)
            harness_restart(h);
    }
    harness_free(h);
}

static void test_an_end_is_told_when_it_is_durable(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], token[2048];
    struct sent sent[2];

    (void)state;
    begin(h, id, token);
    send_cancel(h, &sent[0], id);
    send_ready(h, &sent[1], id, token);
    harness_run_until(h, both_answered, sent);
    assert_int_equal(sent[0].status.code, RPC_OK);
    assert_ended(sent[1].status, "cancelled");
    harness_free(h);
}

static void test_a_signature_that_comes_first_is_not_cancelled(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], token[2048], log[512];
    struct sent sent[2];

    (void)state;
    begin(h, id, token);
    send_signature(h, &sent[0], id, token);
    send_cancel(h, &sent[1], id);
    harness_run_until(h, both_answered, sent);
    assert_string_equal(sent[0].told, "completed");
    assert_ended(sent[1].status, "completed");
    scene_expect(h, id, "completed", "");
    harness_restart(h);
    scene_log(h, id, log, sizeof log);
    assert_string_equal(log, "session_created party_joined party_completed session_completed");
    scene_cancel(h, id, RPC_STATE);
    harness_free(h);
}

static void test_a_signature_after_the_cancelling_is_noted_only(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], token[2048], log[512];
    Mpc__Coordinator__V1__GetSessionStatusResponse *r;
    struct sent sent[2];

    (void)state;
    begin(h, id, token);
    send_cancel(h, &sent[0], id);
    send_signature(h, &sent[1], id, token);
    harness_run_until(h, both_answered, sent);
    assert_int_equal(sent[0].status.code, RPC_OK);
    assert_string_equal(sent[1].told, "cancelled");
    r = scene_status(h, id, 0);
    assert_string_equal(r->session->status, "cancelled");
    assert_null(r->session->signature);
    mpc__coordinator__v1__get_session_status_response__free_unpacked(r, NULL);
    harness_restart(h); /* what nobody waits for is written */
    scene_log(h, id, log, sizeof log);
    assert_string_equal(log, "session_created party_joined session_cancelled party_completed");
    harness_free(h);
}

static void session_token(struct harness *h, char text[TOKEN_TEXT_MAX], const char *session_id,
                          const char *party_id)
{
    struct token token = {.kind = TOKEN_SESSION, .expires = clock_unix_ms() / 1000 + 60};

    snprintf(token.session_id, sizeof token.session_id, "%s", session_id);
    snprintf(token.subject, sizeof token.subject, "%s", party_id);
    token_make(text, h->c->tokens, &token);
}

/* What can be reported is bounded by what was: nobody fills the database with a token. */
static void test_reports_of_no_part_and_no_attempt_are_refused(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], token[2048], stranger[TOKEN_TEXT_MAX];
    struct rpc_status status;

    (void)state;
    begin(h, id, token);
    scene_cancel(h, id, RPC_OK);
    session_token(h, stranger, id, "party-3");
    for (int life = 0; life < 2; life++) {
        status = scene_report_failure(h, id, "party-3", stranger, 0, "SILENT", true);
        assert_int_equal(status.code, RPC_DENIED);
        status = scene_report_failure(h, id, "party-1", token, 1, "SILENT", true);
        assert_int_equal(status.code, RPC_INVALID);
        if (life == 0)
            harness_restart(h);
    }
    harness_free(h);
}

static bool is_text(const char *text)
{
    return text[0] && utf8_prefix(text, strlen(text)) == strlen(text);
}

/* What a party says is cut to its room: never inside a character, which no database takes and no
 * receiver of ours. */
static void test_what_a_party_says_is_cut_between_characters(void **state)
{
    static const char code[] = "x\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                               "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                               "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                               "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9";
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], token[2048];
    const char *who;
    Mpc__Coordinator__V1__GetSessionStatusResponse *r;

    (void)state;
    scene_begin(h, id, &(struct sign_request){.message = 1});
    for (uint32_t attempt = 0; attempt < 2; attempt++) {
        who = harness_published(h, "session_created", id, attempt)->to[0];
        scene_join(h, id, who, attempt, KEY_A, token);
        assert_int_equal(scene_report_failure(h, id, who, token, attempt, code, false).code,
                         RPC_OK);
    }
    assert_true(is_text(harness_published(h, "session_created", id, 1)->event->detail));
    r = scene_status(h, id, 0);
    assert_string_equal(r->session->status, "failed");
    assert_true(is_text(r->session->error_code));
    assert_true(is_text(r->session->error));
    mpc__coordinator__v1__get_session_status_response__free_unpacked(r, NULL);
    harness_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whoever_comes_after_the_end_is_told_so),
        cmocka_unit_test(test_an_end_is_told_when_it_is_durable),
        cmocka_unit_test(test_a_signature_that_comes_first_is_not_cancelled),
        cmocka_unit_test(test_a_signature_after_the_cancelling_is_noted_only),
        cmocka_unit_test(test_reports_of_no_part_and_no_attempt_are_refused),
        cmocka_unit_test(test_what_a_party_says_is_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
