/* SPDX-License-Identifier: Apache-2.0 */
/* A party that is there and says "not now": others are asked, and where there are none, the same
 * again, later. */
#include "scene.h"

#include "services/coordinator/record.h"
#include "services/coordinator/sweep.h"
#include "system/core/clock.h"

#include <stdio.h>
#include <string.h>

#define KEY_A "0123456789abcdef-a"
#define KEY_B "0123456789abcdef-b"

static const struct sign_request plain = {.message = 1},
                                 by_two = {.message = 1, .preferred = {"party-1", "party-2"}};

static bool is_asked(struct harness *h, const char *session_id, size_t n, const char *party_id)
{
    const Mpc__Router__V1__PublishSessionEventRequest *p =
        harness_published(h, "session_created", session_id, n);

    for (size_t i = 0; i < p->n_to; i++)
        if (strcmp(p->to[i], party_id) == 0)
            return true;
    return false;
}

/* The party was asked for the |n|th attempt and says so. */
static void excuse(struct harness *h, const char *session_id, const char *party_id, uint32_t n,
                   const char *code)
{
    char token[2048];

    assert_int_equal(scene_join(h, session_id, party_id, n, KEY_A, token).code, RPC_OK);
    assert_int_equal(scene_report_failure(h, session_id, party_id, token, n, code, true).code,
                     RPC_OK);
}

/* Who of the first attempt says it. */
static const char *excuse_first(struct harness *h, const char *session_id, const char *code)
{
    const char *who = harness_published(h, "session_created", session_id, 0)->to[0];

    excuse(h, session_id, who, 0, code);
    return who;
}

static const char *const codes[] = {"NO_SHARE", "STORAGE", "POLICY_RETRY"};

static void test_others_are_asked_at_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct harness *h = harness_new(NULL);
        char id[ID_TEXT_MAX];
        const char *who;

        scene_begin(h, id, &plain);
        who = excuse_first(h, id, codes[i]);
        assert_false(is_asked(h, id, 1, who));
        assert_int_equal(h->c->queue[CLASS_SIGN].n, 0);
        harness_free(h);
    }
}

static void test_later_sessions_know(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct harness *h = harness_new(NULL);
        char id[ID_TEXT_MAX];
        const char *who;
        int64_t said_ms;
        bool is_asked_too_soon;

        scene_begin(h, id, &plain);
        said_ms = clock_unix_ms();
        who = excuse_first(h, id, codes[i]);
        scene_cancel(h, id, RPC_OK);
        for (int later = 0; later < 2; later++) {
            scene_begin(h, id, &plain);
            is_asked_too_soon =
                is_asked(h, id, 0, who) && clock_unix_ms() - said_ms < POOL_PARTY_HINT_MS;
            assert_false(is_asked_too_soon);
        }
        harness_free(h);
    }
}

static void test_the_same_are_asked_again_after_a_pause(void **state)
{
    struct harness *h = harness_new("MAX_RUNNING_SIGN=1\n");
    char id[ID_TEXT_MAX], other[ID_TEXT_MAX], token[2048];
    uint8_t signature[SIGNATURE_LEN];
    const struct record *r;
    int64_t before;

    (void)state;
    scene_begin(h, id, &by_two);
    scene_begin(h, other, &plain);
    r = record_find(h->c, id);
    before = clock_unix_ms();
    excuse(h, id, "party-1", 0, "POLICY_RETRY");
    /* its place is another's meanwhile */
    harness_published(h, "session_created", other, 0);
    scene_expect(h, id, "waiting", "");
    scene_cancel(h, other, RPC_OK);
    assert_true(is_asked(h, id, 1, "party-1"));
    assert_true(r->invited_ms >= before + SESSION_PAUSE_MS);
    before = clock_unix_ms();
    excuse(h, id, "party-1", 1, "POLICY_RETRY");
    assert_true(is_asked(h, id, 2, "party-1"));
    assert_true(r->invited_ms >= before + 2 * SESSION_PAUSE_MS);
    assert_int_equal(scene_join(h, id, "party-2", 2, KEY_B, token).code, RPC_OK);
    scene_signature(h, signature, 1);
    assert_int_equal(scene_report_signature(h, id, "party-2", token, signature, 2).code, RPC_OK);
    scene_expect(h, id, "completed", "");
    harness_free(h);
}

/* In a pause that does not end while the test looks. */
static void begin_pause(struct harness *h, char id[ID_TEXT_MAX], const struct sign_request *request)
{
    struct record *r;

    scene_begin(h, id, request);
    r = record_find(h->c, id);
    uv_timer_stop(&h->c->sweep); /* which might end the pause before it is seen */
    excuse(h, id, "party-1", 0, "POLICY_RETRY");
    assert_true(r->resume_ms > 0);
    r->resume_ms = INT64_MAX;
    sweep_start(h->c);
}

static void test_no_pause_delays_another_quorum(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX];

    (void)state;
    h->parties[2].is_live = false;
    harness_tell_presence(h);
    begin_pause(h, id, &plain);
    h->parties[2].is_live = true;
    harness_tell_presence(h);
    assert_false(is_asked(h, id, 1, "party-1"));
    harness_free(h);
}

/* That somebody appears is no reason to ask the same ones sooner. */
static void test_a_pause_lasts(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], other[ID_TEXT_MAX];

    (void)state;
    h->parties[2].is_live = false;
    harness_tell_presence(h);
    begin_pause(h, id, &by_two);
    h->parties[2].is_live = true;
    harness_tell_presence(h);
    scene_begin(h, other, &plain);
    harness_published(h, "session_created", other, 0);
    assert_int_equal(record_find(h->c, id)->state.attempts_n, 1);
    scene_cancel(h, id, RPC_OK);
    assert_int_equal(h->c->queue[CLASS_SIGN].n, 0);
    harness_free(h);
}

static void test_a_signature_in_the_pause_counts(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], token[2048];
    uint8_t signature[SIGNATURE_LEN];

    (void)state;
    begin_pause(h, id, &by_two);
    assert_int_equal(scene_join(h, id, "party-2", 0, KEY_B, token).code, RPC_OK);
    scene_signature(h, signature, 1);
    assert_int_equal(scene_report_signature(h, id, "party-2", token, signature, 0).code, RPC_OK);
    scene_expect(h, id, "completed", "");
    assert_int_equal(h->c->queue[CLASS_SIGN].n, 0);
    harness_free(h);
}

static void test_a_pause_ends_at_the_deadline_and_says_what_it_was_for(void **state)
{
    struct harness *h = harness_new(NULL);
    Mpc__Coordinator__V1__GetSessionStatusResponse *r;
    char id[ID_TEXT_MAX];

    (void)state;
    begin_pause(h, id, &by_two);
    record_find(h->c, id)->state.deadline_ms = clock_unix_ms();
    r = scene_status(h, id, 100);
    assert_string_equal(r->session->status, "expired");
    assert_non_null(strstr(r->session->error, "party-1: POLICY_RETRY"));
    mpc__coordinator__v1__get_session_status_response__free_unpacked(r, NULL);
    harness_free(h);
}

static void test_a_start_in_the_pause_goes_on(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX];

    (void)state;
    begin_pause(h, id, &by_two);
    harness_restart(h);
    /* the report is on record: its attempt is over, and is not waited for */
    assert_true(is_asked(h, id, 1, "party-1"));
    assert_int_equal(record_find(h->c, id)->state.attempts_n, 2);
    harness_free(h);
}

static void test_who_has_no_share_ends_what_needs_it(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX];
    Mpc__Coordinator__V1__GetSessionStatusResponse *r;

    (void)state;
    scene_begin(h, id, &by_two);
    excuse(h, id, "party-1", 0, "NO_SHARE");
    assert_true(is_asked(h, id, 1, "party-1"));
    excuse(h, id, "party-1", 1, "NO_SHARE");
    r = scene_status(h, id, 100);
    assert_string_equal(r->session->status, "failed");
    assert_string_equal(r->session->error_code, "no_share");
    assert_non_null(strstr(r->session->error, "party-1 refused"));
    mpc__coordinator__v1__get_session_status_response__free_unpacked(r, NULL);
    harness_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_others_are_asked_at_once),
        cmocka_unit_test(test_later_sessions_know),
        cmocka_unit_test(test_the_same_are_asked_again_after_a_pause),
        cmocka_unit_test(test_no_pause_delays_another_quorum),
        cmocka_unit_test(test_a_pause_lasts),
        cmocka_unit_test(test_a_signature_in_the_pause_counts),
        cmocka_unit_test(test_a_pause_ends_at_the_deadline_and_says_what_it_was_for),
        cmocka_unit_test(test_a_start_in_the_pause_goes_on),
        cmocka_unit_test(test_who_has_no_share_ends_what_needs_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
