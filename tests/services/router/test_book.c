/* SPDX-License-Identifier: Apache-2.0 */
/* What events tell of sessions, in any order and more than once. */
#include "services/router/book.h"

#include "services/router/size_cap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define SESSION "6f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f"

enum { MEMBERS = 3 };

static const char *members[MEMBERS] = {"p1", "p2", "p3"};

static struct session *take(struct book *book, const char *session_id, const char *type,
                            int64_t deadline_ms, Mpc__Session__V1__Setup *setup)
{
    Mpc__Session__V1__SessionEvent event = MPC__SESSION__V1__SESSION_EVENT__INIT;

    event.session_id = (char *)(uintptr_t)session_id;
    event.event_type = (char *)(uintptr_t)type;
    event.trace_id = (char *)(uintptr_t) "0123456789abcdef0123456789abcdef";
    event.setup = setup;
    return book_take(book, &event, deadline_ms, 5000);
}

/* An attempt of the first |n| members, from |first| on. */
static struct session *invite(struct book *book, uint32_t attempt, size_t first, size_t n)
{
    Mpc__Session__V1__Setup setup = MPC__SESSION__V1__SETUP__INIT;
    Mpc__Session__V1__Member rows[MEMBERS];
    Mpc__Session__V1__Member *list[MEMBERS];

    for (size_t i = 0; i < n; i++) {
        mpc__session__v1__member__init(&rows[i]);
        rows[i].party_id = (char *)(uintptr_t)members[first + i];
        list[i] = &rows[i];
    }
    setup.session_type = (char *)(uintptr_t) "sign";
    setup.attempt = attempt;
    setup.threshold_t = 2;
    setup.threshold_n = 3;
    setup.members = list;
    setup.n_members = n;
    return take(book, SESSION, "session_created", 10000, &setup);
}

static void test_each_attempt_has_its_own_roster(void **state)
{
    struct book *book = book_new();
    struct session *session = invite(book, 0, 0, 2);

    (void)state;
    invite(book, 1, 1, 2);
    assert_true(roster_has(session_roster(session, 0), "p1"));
    assert_false(roster_has(session_roster(session, 0), "p3"));
    assert_false(roster_has(session_roster(session, 1), "p1"));
    assert_true(roster_has(session_roster(session, 1), "p3"));
    assert_null(session_roster(session, 2));
    assert_int_equal(session_roster(session, 0)->payload_max, size_cap("sign", 2, 2));
    assert_string_equal(session->trace, "0123456789abcdef0123456789abcdef");
    book_free(book);
}

static void test_an_event_that_comes_again_changes_nothing(void **state)
{
    struct book *book = book_new();
    struct session *session = invite(book, 0, 0, 2);

    (void)state;
    invite(book, 0, 1, 2); /* the first word stands */
    assert_int_equal(session->rosters_n, 1);
    assert_true(roster_has(session_roster(session, 0), "p1"));
    assert_int_equal(book_sessions(book), 1);
    book_free(book);
}

static size_t ended_n;

static void ended(const struct session *session, void *arg)
{
    assert_null(arg);
    assert_string_equal(session->id, SESSION);
    ended_n++;
}

static void test_an_ended_session_is_freed_once_and_remembered_until_its_deadline(void **state)
{
    struct book *book = book_new();
    struct session *session = invite(book, 0, 0, 2);

    (void)state;
    ended_n = 0;
    assert_false(session->has_ended);
    take(book, SESSION, "session_completed", 10000, NULL);
    assert_true(session->has_ended);
    book_tick(book, 4999, ended, NULL);
    assert_int_equal(ended_n, 0);
    book_tick(book, 5000, ended, NULL);
    book_tick(book, 5001, ended, NULL);
    assert_int_equal(ended_n, 1);
    assert_non_null(book_session(book, SESSION));
    take(book, SESSION, "session_completed", 10000, NULL);
    book_tick(book, 9999, ended, NULL);
    assert_int_equal(ended_n, 1);
    book_tick(book, 10000, ended, NULL);
    assert_null(book_session(book, SESSION));
    assert_int_equal(ended_n, 1);
    book_free(book);
}

/* The book looks at its sessions only when something is due: each in its own time. */
static void test_each_session_goes_at_its_own_deadline(void **state)
{
    static const char *const ids[] = {"00000000-0000-4000-8000-000000000001",
                                      "00000000-0000-4000-8000-000000000002",
                                      "00000000-0000-4000-8000-000000000003"};
    struct book *book = book_new();

    (void)state;
    for (size_t i = 0; i < 3; i++)
        take(book, ids[i], "session_created", 10000 * (3 - (int64_t)i), NULL);
    for (size_t left = 3; left > 0; left--) {
        book_tick(book, 10000 * (4 - (int64_t)left) - 1, ended, NULL);
        assert_int_equal(book_sessions(book), left);
        book_tick(book, 10000 * (4 - (int64_t)left), ended, NULL);
        assert_int_equal(book_sessions(book), left - 1);
        assert_null(book_session(book, ids[left - 1]));
    }
    book_free(book);
}

static void test_the_end_may_come_first(void **state)
{
    struct book *book = book_new();
    struct session *session = take(book, SESSION, "session_cancelled", 10000, NULL);

    (void)state;
    invite(book, 0, 0, 2);
    assert_true(session->has_ended);
    book_free(book);
}

static void test_what_is_an_end(void **state)
{
    static const char *const others[] = {"session_created", "party_joined",    "session_ready",
                                         "session_started", "party_completed", ""};

    (void)state;
    assert_true(is_final_event("session_completed"));
    assert_true(is_final_event("session_failed"));
    assert_true(is_final_event("session_expired"));
    assert_true(is_final_event("session_cancelled"));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(is_final_event(others[i]));
}

static void test_attempts_are_bounded_the_oldest_go(void **state)
{
    struct book *book = book_new();
    struct session *session = NULL;

    (void)state;
    for (uint32_t i = 0; i <= BOOK_ATTEMPTS_MAX; i++)
        session = invite(book, i, 0, 2);
    assert_int_equal(session->rosters_n, BOOK_ATTEMPTS_MAX);
    assert_null(session_roster(session, 0));
    assert_non_null(session_roster(session, 1));
    assert_non_null(session_roster(session, BOOK_ATTEMPTS_MAX));
    book_free(book);
}

static void test_the_general_cap_grows_with_the_biggest_roster(void **state)
{
    struct book *book = book_new();
    Mpc__Session__V1__Setup setup = MPC__SESSION__V1__SETUP__INIT;
    Mpc__Session__V1__Member rows[20];
    Mpc__Session__V1__Member *list[20];

    (void)state;
    assert_int_equal(book_payload_max(book), size_cap_general());
    for (size_t i = 0; i < 20; i++) {
        mpc__session__v1__member__init(&rows[i]);
        list[i] = &rows[i];
    }
    setup.session_type = (char *)(uintptr_t) "keygen";
    setup.threshold_t = 20;
    setup.n_members = 20;
    setup.members = list;
    take(book, SESSION, "session_created", 10000, &setup);
    assert_true(book_payload_max(book) >= size_cap("keygen", 20, 20));
    assert_true(book_payload_max(book) >= size_cap_general());
    book_free(book);
}

static void test_the_number_of_sessions_is_bounded(void **state)
{
    struct book *book = book_new();
    char id[37];

    (void)state;
    for (int i = 0; i < BOOK_SESSIONS_MAX; i++) {
        snprintf(id, sizeof id, "session-%d", i);
        assert_non_null(take(book, id, "session_created", 10000, NULL));
    }
    assert_null(take(book, "one-more", "session_created", 10000, NULL));
    assert_non_null(take(book, "session-0", "session_created", 10000, NULL));
    book_tick(book, 10000, ended, NULL);
    assert_int_equal(book_sessions(book), 0);
    book_free(book);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_attempt_has_its_own_roster),
        cmocka_unit_test(test_an_event_that_comes_again_changes_nothing),
        cmocka_unit_test(test_an_ended_session_is_freed_once_and_remembered_until_its_deadline),
        cmocka_unit_test(test_each_session_goes_at_its_own_deadline),
        cmocka_unit_test(test_the_end_may_come_first),
        cmocka_unit_test(test_what_is_an_end),
        cmocka_unit_test(test_attempts_are_bounded_the_oldest_go),
        cmocka_unit_test(test_the_general_cap_grows_with_the_biggest_roster),
        cmocka_unit_test(test_the_number_of_sessions_is_bounded),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
