/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of a running coordinator, from their requests to their ends; of keygens: test_keygen.c */
#include "scene.h"

#include "quorate/intent.h"
#include "services/coordinator/record.h"
#include "system/core/clock.h"

#include <stdio.h>
#include <string.h>

#define RESPONSE(name) &mpc__coordinator__v1__##name##_response__descriptor
#define KEY_A "0123456789abcdef-a"
#define KEY_B "0123456789abcdef-b"

static const struct sign_request plain = {.message = 1};

/* The parties of the |n|th attempt; |out| gets the two seats' ids. */
static void quorum_of(struct harness *h, const char *session_id, size_t n, const char *out[2])
{
    const Mpc__Router__V1__PublishSessionEventRequest *p =
        harness_published(h, "session_created", session_id, n);

    assert_int_equal(p->n_to, 2);
    out[0] = p->to[0];
    out[1] = p->to[1];
}

static void test_a_signature_from_its_request_to_its_end(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], token_a[2048], token_b[2048], log[1024];
    const char *who[2];
    uint8_t signature[SIGNATURE_LEN];
    Mpc__Coordinator__V1__GetSessionStatusResponse *r;
    uint64_t commits;

    (void)state;
    commits = db_commits(h->c->db);
    scene_begin(h, id, &plain);
    assert_int_equal(db_commits(h->c->db), commits + 1);
    quorum_of(h, id, 0, who);
    assert_int_equal(scene_join(h, id, who[0], 0, KEY_A, token_a).code, RPC_OK);
    scene_expect(h, id, "waiting", "");
    assert_int_equal(scene_join(h, id, who[1], 0, KEY_B, token_b).code, RPC_OK);
    scene_expect(h, id, "running", "");
    harness_published(h, "session_started", id, 0);
    scene_signature(h, signature, 1);
    assert_int_equal(scene_report_signature(h, id, who[0], token_a, signature, 0).code, RPC_OK);
    assert_true(db_commits(h->c->db) >= commits + 2);
    r = scene_status(h, id, 0);
    assert_string_equal(r->session->status, "completed");
    assert_string_equal(r->session->public_key, h->pk_text);
    assert_int_equal(strlen(r->session->signature->r), 64);
    assert_int_equal(r->session->total_parties, 2);
    assert_int_equal(r->session->threshold_n, 3);
    mpc__coordinator__v1__get_session_status_response__free_unpacked(r, NULL);
    assert_int_equal(harness_published(h, "session_completed", id, 0)->n_to, 2);
    assert_int_equal(scene_report_signature(h, id, who[1], token_b, signature, 0).code, RPC_OK);
    harness_restart(h);
    scene_log(h, id, log, sizeof log);
    assert_string_equal(log, "session_created party_joined party_joined session_ready"
                             " session_started party_completed session_completed"
                             " party_completed");
    scene_expect(h, id, "completed", "");
    harness_free(h);
}

/* Nobody needs to ask for more than the event says: roster, threshold, intent, account, attempt. */
static void expect_whole_setup(struct harness *h, const char *event_type, const char *session_id,
                               size_t n, uint32_t attempt)
{
    const Mpc__Router__V1__PublishSessionEventRequest *p =
        harness_published(h, event_type, session_id, n);
    const Mpc__Session__V1__Setup *setup = p->event->setup;
    Mpc__Coordinator__V1__GetSessionStatusResponse *r = scene_status(h, session_id, 0);

    assert_non_null(setup);
    assert_string_equal(setup->session_id, session_id);
    assert_string_equal(setup->session_type, "sign");
    assert_int_equal(setup->attempt, attempt);
    assert_string_not_equal(setup->account_id, "");
    assert_string_equal(setup->account_id, r->session->account_id);
    assert_int_equal(setup->threshold_t, 2);
    assert_int_equal(setup->threshold_n, 3);
    assert_int_equal(setup->initiator_key.len, 32);
    assert_memory_equal(setup->initiator_key.data, h->initiator_pk, 32);
    assert_int_equal(setup->intent_signature.len, 64);
    assert_int_equal(qrt_intent_verify(h->c->ctx, setup->intent.data, setup->intent.len,
                                       setup->intent_signature.data, setup->initiator_key.data),
                     QRT_OK);
    assert_true(setup->deadline_ms >= setup->attempt_deadline_ms);
    assert_true(setup->attempt_deadline_ms > 0);
    assert_int_equal(setup->n_members, p->n_to);
    for (size_t i = 0; i < setup->n_members; i++) {
        const Mpc__Session__V1__Member *member = setup->members[i];
        const struct party *party = &h->parties[member->index - 1];

        assert_string_equal(member->party_id, p->to[i]);
        assert_string_equal(member->party_id, party->id);
        assert_non_null(member->certificate);
        assert_int_equal(member->certificate->body.len, party->certificate->body.len);
        assert_memory_equal(member->certificate->body.data, party->certificate->body.data,
                            party->certificate->body.len);
        assert_int_equal(member->boot_id.len, sizeof party->boot_id);
        assert_memory_equal(member->boot_id.data, party->boot_id, sizeof party->boot_id);
    }
    mpc__coordinator__v1__get_session_status_response__free_unpacked(r, NULL);
}

static void test_invitations_and_starts_carry_the_whole_setup(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], token[2048];
    const char *first[2], *second[2];

    (void)state;
    scene_begin(h, id, &plain);
    quorum_of(h, id, 0, first);
    expect_whole_setup(h, "session_created", id, 0, 0);
    scene_join(h, id, first[0], 0, KEY_A, token);
    assert_int_equal(scene_report_failure(h, id, first[0], token, 0, "POLICY", false).code, RPC_OK);
    quorum_of(h, id, 1, second);
    expect_whole_setup(h, "session_created", id, 1, 1);
    scene_join(h, id, second[0], 1, KEY_A, token);
    scene_join(h, id, second[1], 1, KEY_B, token);
    expect_whole_setup(h, "session_started", id, 0, 1);
    harness_free(h);
}

static void test_completion_without_any_join(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], token[2048];
    const char *who[2];
    uint8_t signature[SIGNATURE_LEN];

    (void)state;
    scene_begin(h, id, &plain);
    quorum_of(h, id, 0, who);
    assert_int_equal(scene_join(h, id, who[0], 0, KEY_A, token).code, RPC_OK);
    scene_signature(h, signature, 1);
    assert_int_equal(scene_report_signature(h, id, who[0], token, signature, 0).code, RPC_OK);
    scene_expect(h, id, "completed", "");
    /* the other one comes late and is told so */
    assert_int_equal(scene_join(h, id, who[1], 0, KEY_B, token).code, RPC_STATE);
    harness_free(h);
}

static void test_lesson_1_2_one_idempotency_key_is_one_session(void **state)
{
    struct harness *h = harness_new(NULL);
    const struct sign_request first = {.message = 1, .idempotency_key = "k"},
                              other = {.message = 2, .idempotency_key = "k"};
    struct rpc_status status;
    Mpc__Coordinator__V1__CreateSessionResponse *a, *b;

    (void)state;
    a = scene_sign(h, &first, &status);
    b = scene_sign(h, &first, &status);
    assert_false(a->existed);
    assert_true(b->existed);
    assert_string_equal(a->session->session_id, b->session->session_id);
    assert_int_equal(h->c->open.n, 1);
    assert_int_equal(h->c->running[CLASS_SIGN], 1);
    assert_null(scene_sign(h, &other, &status));
    assert_int_equal(status.code, RPC_EXISTS);
    mpc__coordinator__v1__create_session_response__free_unpacked(b, NULL);
    harness_restart(h);
    b = scene_sign(h, &first, &status);
    assert_true(b->existed);
    assert_string_equal(a->session->session_id, b->session->session_id);
    mpc__coordinator__v1__create_session_response__free_unpacked(a, NULL);
    mpc__coordinator__v1__create_session_response__free_unpacked(b, NULL);
    harness_free(h);
}

static void test_a_refusal_leads_to_another_quorum_and_the_last_one_to_failure(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], token[2048];
    const char *first[2], *second[2];
    Mpc__Coordinator__V1__GetSessionStatusResponse *r;

    (void)state;
    scene_begin(h, id, &plain);
    quorum_of(h, id, 0, first);
    scene_join(h, id, first[0], 0, KEY_A, token);
    assert_int_equal(scene_report_failure(h, id, first[0], token, 0, "POLICY", false).code, RPC_OK);
    quorum_of(h, id, 1, second);
    assert_string_not_equal(second[0], first[0]);
    assert_string_not_equal(second[1], first[0]);
    assert_non_null(
        strstr(harness_published(h, "session_created", id, 1)->event->detail, "POLICY"));
    scene_join(h, id, second[0], 1, KEY_A, token);
    assert_int_equal(scene_report_failure(h, id, second[0], token, 1, "POLICY", false).code,
                     RPC_OK);
    r = scene_status(h, id, 0);
    assert_string_equal(r->session->status, "failed");
    assert_string_equal(r->session->error_code, "policy");
    assert_non_null(strstr(r->session->error, second[0]));
    mpc__coordinator__v1__get_session_status_response__free_unpacked(r, NULL);
    assert_int_equal(harness_published(h, "session_failed", id, 0)->n_to, 3);
    assert_int_equal(h->c->running[CLASS_SIGN], 0);
    harness_free(h);
}

static bool is_told(const Mpc__Router__V1__PublishSessionEventRequest *p, const char *party_id)
{
    for (size_t i = 0; i < p->n_to; i++)
        if (strcmp(p->to[i], party_id) == 0)
            return true;
    return false;
}

/* Who was in an attempt that failed is not left to wait for its end. */
static void test_lesson_1_6_parties_that_were_left_out_hear_of_the_end(void **state)
{
    struct harness *h = harness_new(NULL);
    const Mpc__Router__V1__PublishSessionEventRequest *end;
    char id[ID_TEXT_MAX], token[2048];
    const char *first[2], *second[2];
    uint8_t signature[SIGNATURE_LEN];

    (void)state;
    scene_begin(h, id, &plain);
    quorum_of(h, id, 0, first);
    scene_join(h, id, first[0], 0, KEY_A, token);
    assert_int_equal(scene_report_failure(h, id, first[0], token, 0, "POLICY", false).code, RPC_OK);
    quorum_of(h, id, 1, second);
    scene_join(h, id, second[0], 1, KEY_A, token);
    scene_signature(h, signature, 1);
    assert_int_equal(scene_report_signature(h, id, second[0], token, signature, 1).code, RPC_OK);
    end = harness_published(h, "session_completed", id, 0);
    assert_int_equal(end->n_to, 3);
    for (size_t i = 0; i < 2; i++) {
        assert_true(is_told(end, first[i]));
        assert_true(is_told(end, second[i]));
    }
    harness_free(h);
}

/* The shortest life in which it can begin on this machine, of 500 ms or longer; it is over at the
 * time that comes back, or sooner. */
static int64_t begin_short(struct harness *h, char id[ID_TEXT_MAX])
{
    struct sign_request request = {.message = 1, .life_ms = 500};
    Mpc__Coordinator__V1__CreateSessionResponse *r;
    struct rpc_status status;

    while (!(r = scene_sign(h, &request, &status))) {
        assert_string_equal(status.name, "deadline_passed");
        request.life_ms *= 2;
    }
    snprintf(id, ID_TEXT_MAX, "%s", r->session->session_id);
    mpc__coordinator__v1__create_session_response__free_unpacked(r, NULL);
    return clock_unix_ms() + request.life_ms;
}

/* The deadline is in the database: it passes also while nobody is there to see it. */
static void test_lesson_1_4_a_restart_after_the_deadline_ends_the_session(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX];

    (void)state;
    harness_restart_after(h, begin_short(h, id));
    harness_published(h, "session_expired", id, 0);
    scene_expect(h, id, "expired", "session_expired");
    assert_int_equal(h->c->open.n, 0);
    harness_free(h);
}

static void test_lesson_2_24_a_late_signature_of_a_failed_session_is_on_record(void **state)
{
    struct harness *h = harness_new(NULL);
    const struct sign_request request = {.message = 1, .preferred = {"party-1", "party-2"}};
    char id[ID_TEXT_MAX], a[2048], b[2048], log[512];
    uint8_t signature[SIGNATURE_LEN];

    (void)state;
    scene_begin(h, id, &request);
    scene_join(h, id, "party-1", 0, KEY_A, a);
    scene_join(h, id, "party-2", 0, KEY_B, b);
    scene_report_failure(h, id, "party-1", a, 0, "POLICY", false);
    scene_expect(h, id, "failed", "policy");
    scene_signature(h, signature, 1);
    assert_int_equal(scene_report_signature(h, id, "party-2", b, signature, 0).code, RPC_OK);
    scene_expect(h, id, "failed", "policy");
    harness_restart(h);
    scene_log(h, id, log, sizeof log);
    assert_non_null(strstr(log, "session_failed party_completed"));
    harness_free(h);
}

static void test_a_wrong_signature_is_refused_and_avoided(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], token[2048];
    const char *first[2], *second[2];
    uint8_t signature[SIGNATURE_LEN];

    (void)state;
    scene_begin(h, id, &plain);
    quorum_of(h, id, 0, first);
    scene_join(h, id, first[0], 0, KEY_A, token);
    scene_signature(h, signature, 2);
    assert_int_equal(scene_report_signature(h, id, first[0], token, signature, 0).code,
                     RPC_INVALID);
    quorum_of(h, id, 1, second);
    assert_string_not_equal(second[0], first[0]);
    scene_signature(h, signature, 1);
    signature[64] ^= 1; /* right, but for the recovery id */
    scene_join(h, id, second[0], 1, KEY_A, token);
    assert_int_equal(scene_report_signature(h, id, second[0], token, signature, 1).code,
                     RPC_INVALID);
    scene_expect(h, id, "failed", "invalid_result");
    harness_free(h);
}

static void test_lesson_1_7_a_party_that_goes_away_is_replaced_at_once(void **state)
{
    struct harness *h = harness_new(NULL);
    const struct sign_request request = {.message = 1};
    char id[ID_TEXT_MAX];
    const char *first[2], *second[2];
    struct party *gone = NULL;

    (void)state;
    scene_begin(h, id, &request);
    quorum_of(h, id, 0, first);
    for (size_t i = 0; i < PARTIES; i++)
        if (strcmp(h->parties[i].id, first[1]) == 0)
            gone = &h->parties[i];
    gone->is_live = false;
    harness_tell_presence(h);
    quorum_of(h, id, 1, second);
    assert_string_not_equal(second[0], gone->id);
    assert_string_not_equal(second[1], gone->id);
    /* and one that came back as another process has lost its run */
    for (size_t i = 0; i < PARTIES; i++)
        if (strcmp(h->parties[i].id, second[0]) == 0)
            h->parties[i].boot_id[0] ^= 1;
    harness_tell_presence(h);
    quorum_of(h, id, 2, second);
    harness_free(h);
}

static void test_lesson_1_6_a_restart_goes_on_with_running_sessions(void **state)
{
    struct harness *h = harness_new(NULL);
    const struct sign_request request = {.message = 1, .preferred = {"party-1", "party-2"}};
    char id[ID_TEXT_MAX], token[2048], log[512];
    uint8_t signature[SIGNATURE_LEN];

    (void)state;
    scene_begin(h, id, &request);
    assert_int_equal(scene_join(h, id, "party-1", 0, KEY_A, token).code, RPC_OK);
    harness_restart(h);
    assert_int_equal(h->c->open.n, 1);
    assert_int_equal(h->c->running[CLASS_SIGN], 1);
    scene_expect(h, id, "waiting", "");
    /* told again, with a token that is as good as the first */
    assert_string_equal(harness_published(h, "session_created", id, 1)->event->event_type,
                        "session_created");
    scene_signature(h, signature, 1);
    assert_int_equal(scene_report_signature(h, id, "party-1", token, signature, 0).code, RPC_OK);
    scene_expect(h, id, "completed", "");
    scene_log(h, id, log, sizeof log);
    assert_string_equal(log, "session_created party_joined party_completed session_completed");
    harness_free(h);
}

static void test_who_was_waited_for_is_asked_last(void **state)
{
    struct harness *h = harness_new(NULL);
    Mpc__Coordinator__V1__ReportCompletionRequest q =
        MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__INIT;
    Mpc__Coordinator__V1__FailureOutcome outcome = MPC__COORDINATOR__V1__FAILURE_OUTCOME__INIT;
    Mpc__Coordinator__V1__ReportCompletionResponse *r;
    char id[ID_TEXT_MAX], token[2048];
    const char *first[2], *second[2];
    struct rpc_status status;
    uint32_t index;

    (void)state;
    scene_begin(h, id, &plain);
    quorum_of(h, id, 0, first);
    scene_join(h, id, first[1], 0, KEY_A, token);
    /* whose turn would be next */
    index = (uint32_t)(first[0][strlen("party-")] - '0');
    outcome.code = "SILENT";
    outcome.text = "waited in vain";
    outcome.waiting_for = &index;
    outcome.n_waiting_for = 1;
    outcome.retry = true;
    q.session_id = id;
    q.party_id = (char *)(uintptr_t)first[1];
    q.session_token = token;
    q.outcome_case = MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__OUTCOME_FAILURE;
    q.failure = &outcome;
    r = harness_call(h, "ReportCompletion", &q.base, RESPONSE(report_completion), &status);
    mpc__coordinator__v1__report_completion_response__free_unpacked(r, NULL);
    quorum_of(h, id, 1, second);
    assert_string_not_equal(second[0], first[0]);
    assert_string_not_equal(second[1], first[0]);
    harness_free(h);
}

/* Nobody joins: it ends so, and says |why|. */
static void expect_nobody_joined(struct harness *h, const char *session_id, const char *status,
                                 const char *why)
{
    Mpc__Coordinator__V1__GetSessionStatusResponse *r = scene_status(h, session_id, 100);

    assert_string_equal(r->session->status, status);
    assert_non_null(strstr(r->session->error, why));
    mpc__coordinator__v1__get_session_status_response__free_unpacked(r, NULL);
    assert_int_equal(h->c->open.n, 0);
    harness_free(h);
}

static void test_lesson_1_4_deadlines_of_attempts_end_whatever_waits(void **state)
{
    struct harness *h = harness_new("SIGN_ATTEMPT_MS=150\n");
    char id[ID_TEXT_MAX];

    (void)state;
    scene_begin(h, id, &plain);
    /* an attempt that is over when it is on the disk is told to nobody: count none of those */
    expect_nobody_joined(h, id, "failed", "did not join in time; that was attempt 4 of 4");
}

static void test_lesson_1_4_the_deadline_ends_whatever_waits(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX];

    (void)state;
    scene_begin(h, id, &plain);
    record_find(h->c, id)->state.deadline_ms = clock_unix_ms();
    expect_nobody_joined(h, id, "expired", "did not join in time");
}

static void test_lesson_1_8_the_queue_is_fair_and_bounded(void **state)
{
    struct harness *h = harness_new("MAX_RUNNING_SIGN=1\nMAX_WAITING=2\n");
    char ids[3][ID_TEXT_MAX];
    struct rpc_status status;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        scene_begin(h, ids[i], &plain);
    assert_null(scene_sign(h, &plain, &status));
    assert_int_equal(status.code, RPC_EXHAUSTED);
    assert_true(status.retry_after > 0 || rpc_http_status(&status) == 429);
    scene_expect(h, ids[1], "waiting", "");
    scene_cancel(h, ids[0], RPC_OK);
    scene_cancel(h, ids[0], RPC_OK);
    scene_expect(h, ids[0], "cancelled", "session_cancelled");
    harness_published(h, "session_created", ids[1], 0);
    assert_int_equal(h->c->queue[CLASS_SIGN].n, 1);
    harness_restart(h);
    assert_int_equal(h->c->queue[CLASS_SIGN].n, 1);
    scene_cancel(h, ids[1], RPC_OK);
    harness_published(h, "session_created", ids[2], 0);
    harness_free(h);
}

struct watched {
    size_t n;
    char last[16];
    bool is_over;
};

static void each_state(void *arg, const ProtobufCMessage *message)
{
    struct watched *w = arg;
    const Mpc__Coordinator__V1__WatchSessionResponse *m = (const void *)message;

    w->n++;
    snprintf(w->last, sizeof w->last, "%s", m->session->status);
}

static void watch_over(void *arg, const struct rpc_status *status, const ProtobufCMessage *m)
{
    struct watched *w = arg;

    (void)m;
    assert_int_equal(status->code, RPC_OK);
    w->is_over = true;
}

static bool has_state(struct harness *h, const void *arg)
{
    (void)h;
    return ((const struct watched *)arg)->n > 0;
}

static bool watch_is_over(struct harness *h, const void *arg)
{
    (void)h;
    return ((const struct watched *)arg)->is_over;
}

static void test_a_watcher_sees_the_end(void **state)
{
    struct harness *h = harness_new(NULL);
    Mpc__Coordinator__V1__WatchSessionRequest q = MPC__COORDINATOR__V1__WATCH_SESSION_REQUEST__INIT;
    struct watched w = {0};
    char id[ID_TEXT_MAX];

    (void)state;
    scene_begin(h, id, &plain);
    q.session_id = id;
    for (int i = 0; i < 2; i++) { /* while it runs; again after its end */
        struct rpc_request request = {.path = "mpc.coordinator.v1.SessionCoordinator/WatchSession",
                                      .message = &q.base,
                                      .response = RESPONSE(watch_session),
                                      .each = each_state,
                                      .done = watch_over,
                                      .arg = &w};

        w = (struct watched){0};
        rpc_start(h->channel, &request);
        harness_run_until(h, has_state, &w);
        if (i == 0)
            scene_cancel(h, id, RPC_OK);
        harness_run_until(h, watch_is_over, &w);
        assert_string_equal(w.last, "cancelled");
    }
    harness_free(h);
}

static void test_requests_that_are_not_in_form(void **state)
{
    struct harness *h = harness_new(NULL);
    Mpc__Coordinator__V1__CreateSessionRequest q =
        MPC__COORDINATOR__V1__CREATE_SESSION_REQUEST__INIT;
    const struct sign_request late = {.message = 1, .life_ms = -1000};
    const struct sign_request other_hash = {.message = 1, .wrong_hash = true};
    struct rpc_status status;

    (void)state;
    q.session_type = "signing";
    assert_null(harness_call(h, "CreateSession", &q.base, RESPONSE(create_session), &status));
    assert_int_equal(status.code, RPC_INVALID);
    q.session_type = "sign";
    assert_null(harness_call(h, "CreateSession", &q.base, RESPONSE(create_session), &status));
    assert_int_equal(status.code, RPC_INVALID);
    assert_null(scene_sign(h, &late, &status));
    assert_string_equal(status.name, "deadline_passed");
    assert_null(scene_sign(h, &other_hash, &status));
    assert_string_equal(status.name, "invalid_intent");
    h->initiator_pk[0] ^= 1;
    assert_null(scene_sign(h, &plain, &status));
    assert_string_equal(status.name, "invalid_intent");
    harness_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_signature_from_its_request_to_its_end),
        cmocka_unit_test(test_invitations_and_starts_carry_the_whole_setup),
        cmocka_unit_test(test_completion_without_any_join),
        cmocka_unit_test(test_lesson_1_2_one_idempotency_key_is_one_session),
        cmocka_unit_test(test_a_refusal_leads_to_another_quorum_and_the_last_one_to_failure),
        cmocka_unit_test(test_lesson_1_6_parties_that_were_left_out_hear_of_the_end),
        cmocka_unit_test(test_lesson_1_4_a_restart_after_the_deadline_ends_the_session),
        cmocka_unit_test(test_lesson_2_24_a_late_signature_of_a_failed_session_is_on_record),
        cmocka_unit_test(test_a_wrong_signature_is_refused_and_avoided),
        cmocka_unit_test(test_lesson_1_7_a_party_that_goes_away_is_replaced_at_once),
        cmocka_unit_test(test_lesson_1_6_a_restart_goes_on_with_running_sessions),
        cmocka_unit_test(test_who_was_waited_for_is_asked_last),
        cmocka_unit_test(test_lesson_1_4_deadlines_of_attempts_end_whatever_waits),
        cmocka_unit_test(test_lesson_1_4_the_deadline_ends_whatever_waits),
        cmocka_unit_test(test_lesson_1_8_the_queue_is_fair_and_bounded),
        cmocka_unit_test(test_a_watcher_sees_the_end),
        cmocka_unit_test(test_requests_that_are_not_in_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
