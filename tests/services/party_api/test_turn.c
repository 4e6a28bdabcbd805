/* SPDX-License-Identifier: Apache-2.0 */
/* Calls about a session whose invitation has not come: it is on its way, it waits for its turn, it
 * was never this party's, or it is over. */
#include "delegate.h"

#include "system/core/clock.h"

#include <string.h>

/* The caller was told of the session before this party was: the call makes it ask. */
static void test_a_call_before_the_invitation_asks_for_it(void **state)
{
    Mpc__Coordinator__V1__ListInvitationsResponse none =
        MPC__COORDINATOR__V1__LIST_INVITATIONS_RESPONSE__INIT;
    struct answer answer;

    (void)state;
    w->session_type = "keygen";
    w->poll.manner = HOLD; /* one that was asked before the session was made */
    while (!w->poll.held_n)
        uv_run(&w->loop, UV_RUN_ONCE);
    generate(&answer, SESSION_ONE, "", KEY);
    while (!api->waiting)
        uv_run(&w->loop, UV_RUN_ONCE);
    w->poll.manner = ANSWER;
    poll_invited(w, SESSION_ONE, 0, TOKEN);
    none.server_time_ms = clock_unix_ms();
    rpc_reply(take_held(&w->poll), &none.base);
    until_keeper_got(OPEN, 1);
    make_key(SESSION_ONE);
    finish(&answer);
    assert_string_equal(answer.text, "c2VhbGVk");
}

static void test_signing_before_the_invitation_asks_for_it(void **state)
{
    struct answer answer;

    (void)state;
    poll_invited(w, SESSION_ONE, 0, TOKEN);
    sign(&answer, SESSION_ONE, "", SHARE);
    until_keeper_got(LEND, 1);
    keeper_answer(w, SESSION_ONE, "");
    until_keeper_got(OPEN, 1);
    keeper_signed(w, SESSION_ONE, 0);
    finish(&answer);
    assert_int_equal(answer.status.code, RPC_OK);
}

static void test_without_an_answer_nobody_is_told_that_there_is_no_session(void **state)
{
    struct answer answer;

    (void)state;
    w->poll.manner = HOLD;
    generate(&answer, SESSION_ONE, "", KEY);
    while (!api->waiting)
        uv_run(&w->loop, UV_RUN_ONCE);
    api->waiting->look_until_ms = 0;
    assert_refused(&answer, 503, "cannot ask");
}

static void until_found(unsigned n)
{
    while (w->find.came < n)
        uv_run(&w->loop, UV_RUN_ONCE);
}

/* The coordinator has the session, with this party, and its turn has not come; the call has been
 * told so, and waits for more at the held desk. */
static void begin_in_queue(struct answer *answer)
{
    w->session_type = "keygen";
    w->found_status = "waiting";
    w->found_member = PARTY;
    w->find.manner = HOLD;
    generate(answer, SESSION_ONE, "", KEY);
    until_found(1);
    assert_int_equal(w->find_wait_s, 0);
    answer_find(w, take_held(&w->find), SESSION_ONE);
    until_found(2);
    assert_true(w->find_wait_s > 0 && w->find_wait_s <= 61);
    assert_false(answer->is_done);
}

static void test_a_session_that_waits_its_turn_is_waited_for(void **state)
{
    struct answer answer;

    (void)state;
    begin_in_queue(&answer);
    poll_invited(w, SESSION_ONE, 0, TOKEN);
    until_keeper_got(OPEN, 1);
    make_key(SESSION_ONE);
    finish(&answer);
    assert_string_equal(answer.text, "c2VhbGVk");
    assert_int_equal(w->find.came, 2);
    w->found_status = "completed";
    answer_find(w, take_held(&w->find), SESSION_ONE); /* too late to matter */
    world_settle(w);
}

/* A poll that brings nothing for it, but for another: the loop must go on. */
static void test_polls_go_by_who_waits_its_turn(void **state)
{
    struct answer first, second;
    unsigned polls;

    (void)state;
    begin_in_queue(&first);
    polls = w->poll.came;
    generate(&second, SESSION_TWO, "", KEY);
    poll_invited(w, SESSION_TWO, 0, TOKEN);
    until_keeper_got(OPEN, 1);
    make_key(SESSION_TWO);
    finish(&second);
    assert_true(w->poll.came > polls);
    assert_string_equal(second.text, "c2VhbGVk");
    assert_false(first.is_done);
    api->waiting->until_ms = 0;
    assert_refused(&first, 504, "goes on");
}

static void test_a_session_that_ends_before_its_turn_is_told(void **state)
{
    struct answer answer;

    (void)state;
    begin_in_queue(&answer);
    w->found_status = "cancelled";
    answer_find(w, take_held(&w->find), SESSION_ONE);
    assert_refused(&answer, 409, "the session is cancelled");
}

static void test_waiting_its_turn_outlives_the_coordinator(void **state)
{
    struct answer answer;

    (void)state;
    begin_in_queue(&answer);
    rpc_fail(take_held(&w->find), rpc_error(RPC_UNAVAILABLE, "away", "away"));
    world_settle(w);
    assert_false(answer.is_done);
    api->waiting->until_ms = 0;
    assert_refused(&answer, 504, "goes on");
    assert_string_equal(answer.status.session_id, SESSION_ONE);
}

static void test_a_session_that_is_over_is_told(void **state)
{
    struct answer answer;

    (void)state;
    w->found_status = "completed";
    w->found_member = PARTY;
    generate(&answer, SESSION_ONE, "", KEY);
    assert_refused(&answer, 409, "the session is completed, and no share of it is here");
    w->found_status = "expired";
    sign(&answer, SESSION_ONE, "", SHARE);
    assert_refused(&answer, 409, "the session is expired");
}

static void test_a_session_of_others_is_not_found(void **state)
{
    struct answer answer;

    (void)state;
    w->found_status = "waiting";
    w->found_member = "party-of-another";
    generate(&answer, SESSION_ONE, "", KEY);
    assert_refused(&answer, 404, SESSION_ONE);
    w->found_status = "running"; /* by a quorum without this party */
    w->found_member = PARTY;
    w->found_party = "party-of-another";
    sign(&answer, SESSION_ONE, "", SHARE);
    assert_refused(&answer, 404, SESSION_ONE);
}

static void test_an_invitation_on_its_way_is_waited_for(void **state)
{
    struct answer answer;

    (void)state;
    w->found_status = "waiting";
    w->found_member = w->found_party = PARTY;
    w->find.manner = HOLD;
    sign(&answer, SESSION_ONE, "", SHARE);
    until_found(1);
    w->find.manner = ANSWER;
    poll_invited(w, SESSION_ONE, 0, TOKEN);
    answer_find(w, take_held(&w->find), SESSION_ONE);
    until_keeper_got(LEND, 1);
    keeper_answer(w, SESSION_ONE, "");
    until_keeper_got(OPEN, 1);
    keeper_signed(w, SESSION_ONE, 0);
    finish(&answer);
    assert_int_equal(answer.status.code, RPC_OK);
}

/* What the coordinator said is older than the invitation that was heard meanwhile. */
static void test_an_invitation_outweighs_an_older_word(void **state)
{
    struct answer answer;

    (void)state;
    w->session_type = "keygen";
    w->find.manner = HOLD;
    generate(&answer, SESSION_ONE, "", KEY);
    until_found(1);
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    world_settle(w);
    answer_find(w, take_held(&w->find), SESSION_ONE); /* that it knows none */
    until_keeper_got(OPEN, 1);
    make_key(SESSION_ONE);
    finish(&answer);
    assert_string_equal(answer.text, "c2VhbGVk");
}

static void test_without_word_of_the_session_nobody_is_told_that_there_is_none(void **state)
{
    struct answer answer;

    (void)state;
    w->find.manner = FAIL;
    w->find.failure = rpc_error(RPC_UNAVAILABLE, "away", "away");
    generate(&answer, SESSION_ONE, "", KEY);
    assert_refused(&answer, 503, "cannot ask");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_call_before_the_invitation_asks_for_it),
        TEST(test_signing_before_the_invitation_asks_for_it),
        TEST(test_without_an_answer_nobody_is_told_that_there_is_no_session),
        TEST(test_a_session_that_waits_its_turn_is_waited_for),
        TEST(test_polls_go_by_who_waits_its_turn),
        TEST(test_a_session_that_ends_before_its_turn_is_told),
        TEST(test_waiting_its_turn_outlives_the_coordinator),
        TEST(test_a_session_that_is_over_is_told),
        TEST(test_a_session_of_others_is_not_found),
        TEST(test_an_invitation_on_its_way_is_waited_for),
        TEST(test_an_invitation_outweighs_an_older_word),
        TEST(test_without_word_of_the_session_nobody_is_told_that_there_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
