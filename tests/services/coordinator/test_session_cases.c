/* SPDX-License-Identifier: Apache-2.0 */
/* The state machine of a session, case by case; test_session.c tries all interleavings. */
#include "services/coordinator/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { DEADLINE = 1000, ATTEMPT = 100 };

static void test_a_valid_signature_completes_whatever_attempt_it_is_of(void **state)
{
    struct session s;
    struct session_out out;
    const uint8_t first[] = {0, 1}, second[] = {1, 2};
    const struct session_failure failure = {0, 1, SEAT_NONE, 0, true};

    (void)state;
    session_init(&s, SESSION_SIGN, 3, 2, 4, DEADLINE);
    session_attempt(&s, &out, first, ATTEMPT, true);
    assert_true(session_failed(&s, &out, &failure));
    assert_true(out.attempt_over);
    assert_true(session_attempt(&s, &out, second, ATTEMPT, false));
    assert_true(session_signed(&s, &out, 0, 0));
    assert_true(out.ended);
    assert_int_equal(s.status, SESSION_COMPLETED);
}

static void test_a_signature_after_a_failure_is_recorded_and_changes_nothing(void **state)
{
    struct session s;
    struct session_out out;
    const uint8_t seats[] = {0, 1};

    (void)state;
    session_init(&s, SESSION_SIGN, 3, 2, 4, DEADLINE);
    session_attempt(&s, &out, seats, ATTEMPT, true);
    session_timer(&s, &out, DEADLINE);
    assert_int_equal(s.status, SESSION_EXPIRED);
    assert_true(session_signed(&s, &out, 0, 0));
    assert_int_equal(out.events_n, 1);
    assert_int_equal(out.events[0].type, EVENT_PARTY_COMPLETED);
    assert_int_equal(s.status, SESSION_EXPIRED);
    assert_false(session_signed(&s, &out, 0, 0));
}

static void test_results_that_differ_end_the_attempt(void **state)
{
    struct session s;
    struct session_out out;
    const uint8_t seats[] = {0, 1}, one[32] = {1}, two[32] = {2};

    (void)state;
    session_init(&s, SESSION_KEYGEN, 2, 2, 4, DEADLINE);
    session_attempt(&s, &out, seats, ATTEMPT, true);
    assert_true(session_made(&s, &out, 0, 0, one));
    assert_true(session_made(&s, &out, 1, 0, two));
    assert_true(out.attempt_over);
    assert_int_equal(out.events_n, 0);
    assert_int_equal(s.status, SESSION_WAITING);
    /* what was said of that attempt does not count for the next one */
    session_attempt(&s, &out, seats, ATTEMPT, false);
    assert_true(session_made(&s, &out, 0, 1, two));
    assert_true(session_made(&s, &out, 1, 1, two));
    assert_int_equal(s.status, SESSION_COMPLETED);
}

static void test_a_stranger_changes_nothing(void **state)
{
    struct session s, before;
    struct session_out out;
    const uint8_t seats[] = {0, 1};
    const struct session_failure failure = {0, 2, 0, 0, false};
    const uint8_t result[32] = {0};

    (void)state;
    session_init(&s, SESSION_SIGN, 3, 2, 4, DEADLINE);
    session_attempt(&s, &out, seats, ATTEMPT, true);
    before = s;
    for (unsigned seat = 2; seat <= SEAT_NONE; seat += SEAT_NONE - 2) {
        struct session_failure f = failure;

        f.seat = (uint8_t)seat;
        assert_false(session_join(&s, &out, (uint8_t)seat));
        assert_false(session_mark(&s, (uint8_t)seat, 0));
        assert_false(session_signed(&s, &out, (uint8_t)seat, 0));
        assert_false(session_made(&s, &out, (uint8_t)seat, 0, result));
        assert_false(session_failed(&s, &out, &f));
        assert_false(session_lost(&s, &out, (uint8_t)seat));
    }
    assert_false(session_signed(&s, &out, 0, 1));
    assert_memory_equal(&s, &before, sizeof s);
}

static void test_silent_parties_are_suspect_and_joined_ones_are_not(void **state)
{
    struct session s;
    struct session_out out;
    const uint8_t seats[] = {0, 1};

    (void)state;
    session_init(&s, SESSION_SIGN, 3, 2, 4, DEADLINE);
    session_attempt(&s, &out, seats, ATTEMPT, true);
    session_join(&s, &out, 0);
    assert_false(session_timer(&s, &out, ATTEMPT - 1));
    assert_true(session_timer(&s, &out, ATTEMPT));
    assert_true(out.attempt_over);
    assert_false(s.seats[0] & SEAT_SUSPECT);
    assert_true(s.seats[1] & SEAT_SUSPECT);
}

static void test_an_attempt_that_all_joined_waits_for_its_reports(void **state)
{
    const struct session_failure failure = {0, 0, SEAT_NONE, 3, true};
    const uint8_t seats[] = {0, 1};
    struct session s;
    struct session_out out;

    (void)state;
    session_init(&s, SESSION_SIGN, 3, 2, 4, DEADLINE);
    session_attempt(&s, &out, seats, ATTEMPT, true);
    session_join(&s, &out, 0);
    assert_int_equal(session_next_ms(&s), ATTEMPT);
    session_join(&s, &out, 1);
    assert_int_equal(session_next_ms(&s), ATTEMPT + SESSION_REPORT_MS);
    assert_false(session_timer(&s, &out, ATTEMPT + SESSION_REPORT_MS - 1));
    assert_true(session_failed(&s, &out, &failure));
    assert_true(out.attempt_over);
    /* it does not speak of itself */
    assert_int_equal(s.seats[0] & (SEAT_SUSPECT | SEAT_DOUBTED), 0);
    assert_true(s.seats[1] & SEAT_SUSPECT);
}

static void test_a_late_report_turns_doubt_into_a_name(void **state)
{
    const struct session_failure failure = {0, 0, SEAT_NONE, 2, true};
    const uint8_t seats[] = {0, 1}, next[] = {1, 2};
    struct session s;
    struct session_out out;

    (void)state;
    session_init(&s, SESSION_SIGN, 3, 2, 4, DEADLINE);
    session_attempt(&s, &out, seats, ATTEMPT, true);
    session_join(&s, &out, 0);
    session_join(&s, &out, 1);
    assert_true(session_timer(&s, &out, ATTEMPT + SESSION_REPORT_MS));
    assert_int_equal(s.seats[0] & (SEAT_SUSPECT | SEAT_DOUBTED), SEAT_DOUBTED);
    assert_int_equal(s.seats[1] & (SEAT_SUSPECT | SEAT_DOUBTED), SEAT_DOUBTED);
    session_attempt(&s, &out, next, ATTEMPT, false);
    assert_false(session_failed(&s, &out, &failure));
    assert_int_equal(s.seats[0] & (SEAT_SUSPECT | SEAT_DOUBTED), 0);
    assert_true(s.seats[1] & SEAT_SUSPECT);
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < SESSION_TYPES; i++)
        assert_int_equal(session_type_of(session_type_name((enum session_type)i)), i);
    for (int i = 0; i < SESSION_STATUSES; i++)
        assert_int_equal(session_status_of(session_status_name((enum session_status)i)), i);
    for (int i = 0; i < EVENT_TYPES; i++)
        assert_int_equal(session_event_of(session_event_name((enum session_event_type)i)), i);
    assert_int_equal(session_type_of("signing"), SESSION_TYPES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_valid_signature_completes_whatever_attempt_it_is_of),
        cmocka_unit_test(test_a_signature_after_a_failure_is_recorded_and_changes_nothing),
        cmocka_unit_test(test_results_that_differ_end_the_attempt),
        cmocka_unit_test(test_a_stranger_changes_nothing),
        cmocka_unit_test(test_silent_parties_are_suspect_and_joined_ones_are_not),
        cmocka_unit_test(test_an_attempt_that_all_joined_waits_for_its_reports),
        cmocka_unit_test(test_a_late_report_turns_doubt_into_a_name),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
