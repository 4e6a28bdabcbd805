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
    const struct session_failure failure = {0, 1, SEAT_NONE, 0, true, EXCUSE_NONE};

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
    const struct session_failure failure = {0, 2, 0, 0, false, EXCUSE_NONE};
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
    const struct session_failure failure = {0, 0, SEAT_NONE, 3, true, EXCUSE_NONE};
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
    const struct session_failure failure = {0, 0, SEAT_NONE, 2, true, EXCUSE_NONE};
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

static void begin(struct session *s, size_t needed, const uint8_t *seats)
{
    struct session_out out;

    session_init(s, SESSION_SIGN, 3, needed, 4, DEADLINE);
    session_attempt(s, &out, seats, ATTEMPT, true);
}

static bool excuse(struct session *s, uint8_t seat, uint32_t attempt, enum excuse excuse)
{
    const struct session_failure failure = {attempt, seat, SEAT_NONE, 0, true, excuse};
    struct session_out out;

    return session_failed(s, &out, &failure);
}

static void test_who_was_in_the_way_last_is_asked_last(void **state)
{
    const uint8_t first[] = {0, 1}, second[] = {1, 2};
    struct session s;
    struct session_out out;

    (void)state;
    begin(&s, 2, first);
    assert_int_equal(session_trouble(&s, 0), 0);
    assert_true(excuse(&s, 0, 0, EXCUSE_REQUEST));
    assert_int_equal(session_trouble(&s, 0), 1);
    assert_int_equal(session_pause_ms(&s, second, 0), 0);
    session_attempt(&s, &out, second, ATTEMPT, false);
    session_lost(&s, &out, 2);
    assert_int_equal(session_trouble(&s, 2), 2);
    /* a late word about an attempt before does not make it older */
    assert_false(excuse(&s, 2, 0, EXCUSE_REQUEST));
    assert_int_equal(session_trouble(&s, 2), 0 + 2);
    assert_int_equal(session_trouble(&s, 1), 0);
}

static void test_who_blames_others_is_not_in_the_way(void **state)
{
    const uint8_t seats[] = {0, 1};
    struct session s;

    (void)state;
    begin(&s, 2, seats);
    assert_true(excuse(&s, 0, 0, EXCUSE_NONE));
    assert_int_equal(session_trouble(&s, 0), 0);
    assert_int_equal(session_pause_ms(&s, seats, 0), 0);
}

static void test_pauses_grow_and_fit_before_the_deadline(void **state)
{
    const uint8_t seats[] = {0, 1};
    struct session s;
    struct session_out out;
    int64_t now = 0, before = 0, far = 60000;

    (void)state;
    session_init(&s, SESSION_SIGN, 2, 2, 16, far);
    session_attempt(&s, &out, seats, ATTEMPT, true);
    for (uint32_t i = 0; i < 15; i++) {
        int64_t pause;

        assert_true(excuse(&s, 0, i, EXCUSE_REQUEST));
        pause = session_pause_ms(&s, seats, now);
        assert_true(pause >= before || pause * (16 - i) <= far - now);
        if (i < 5)
            assert_int_equal(pause, SESSION_PAUSE_MS << i);
        before = pause;
        now += pause;
        session_attempt(&s, &out, seats, now + ATTEMPT, false);
    }
    assert_true(now < far && now > far / 2);
    assert_true(excuse(&s, 0, 15, EXCUSE_REQUEST));
    assert_int_equal(session_pause_ms(&s, seats, now), 0);
}

static void test_a_pause_of_a_short_session_is_short(void **state)
{
    const uint8_t seats[] = {0, 1};
    struct session s;

    (void)state;
    begin(&s, 2, seats);
    assert_true(excuse(&s, 0, 0, EXCUSE_REQUEST));
    assert_int_equal(session_pause_ms(&s, seats, DEADLINE - 8), 2);
    assert_int_equal(session_pause_ms(&s, seats, DEADLINE), 0);
    assert_int_equal(session_pause_ms(&s, seats, DEADLINE + 1), 0);
}

static void test_who_has_no_share_is_asked_twice_at_most(void **state)
{
    const uint8_t seats[] = {0, 1};
    struct session s;
    struct session_out out;

    (void)state;
    begin(&s, 2, seats);
    assert_true(excuse(&s, 0, 0, EXCUSE_SHARE));
    assert_false(s.seats[0] & SEAT_REFUSED);
    session_attempt(&s, &out, seats, ATTEMPT, false);
    assert_true(excuse(&s, 0, 1, EXCUSE_SHARE));
    assert_true(s.seats[0] & SEAT_REFUSED);
}

static void test_who_did_its_part_is_willing_again(void **state)
{
    const uint8_t seats[] = {0, 1}, one[32] = {1};
    struct session s;
    struct session_out out;

    (void)state;
    session_init(&s, SESSION_KEYGEN, 2, 2, 4, DEADLINE);
    session_attempt(&s, &out, seats, ATTEMPT, true);
    assert_true(excuse(&s, 0, 0, EXCUSE_PARTY));
    assert_true(session_pause_ms(&s, seats, 0) > 0);
    session_attempt(&s, &out, seats, ATTEMPT, false);
    assert_true(session_made(&s, &out, 0, 1, one));
    assert_int_equal(session_trouble(&s, 0), 0);
    assert_int_equal(session_pause_ms(&s, seats, 0), 0);
}

/* At a start: the report is on record, the attempt after it is not. */
static void test_a_failure_on_record_ends_its_attempt(void **state)
{
    const struct session_failure now = {1, 0, SEAT_NONE, 0, true, EXCUSE_REQUEST},
                                 before = {0, 0, SEAT_NONE, 0, true, EXCUSE_REQUEST},
                                 of_another = {1, 2, SEAT_NONE, 0, true, EXCUSE_REQUEST};
    const uint8_t seats[] = {0, 1};
    struct session s;
    struct session_out out;

    (void)state;
    begin(&s, 2, seats);
    session_recall(&s, &before);
    assert_false(s.is_open);
    assert_int_equal(session_trouble(&s, 0), 1);
    session_attempt(&s, &out, seats, ATTEMPT, false);
    session_recall(&s, &before);
    session_recall(&s, &of_another);
    assert_true(s.is_open);
    session_recall(&s, &now);
    assert_false(s.is_open);
    assert_true(session_wants_attempt(&s));
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
        cmocka_unit_test(test_who_was_in_the_way_last_is_asked_last),
        cmocka_unit_test(test_who_blames_others_is_not_in_the_way),
        cmocka_unit_test(test_pauses_grow_and_fit_before_the_deadline),
        cmocka_unit_test(test_a_pause_of_a_short_session_is_short),
        cmocka_unit_test(test_who_has_no_share_is_asked_twice_at_most),
        cmocka_unit_test(test_who_did_its_part_is_willing_again),
        cmocka_unit_test(test_a_failure_on_record_ends_its_attempt),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
