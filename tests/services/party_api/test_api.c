/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of server-party-api, from the share that is made to the one that signs. */
#include "delegate.h"

#include <string.h>

static void test_the_share_key_comes_from_the_keeper(void **state)
{
    Mpc__PartyApi__V1__GetShareKeyRequest m = MPC__PARTY_API__V1__GET_SHARE_KEY_REQUEST__INIT;
    struct answer answer;

    (void)state;
    begin(&answer, SHARES "GetShareKey", &m.base,
          &mpc__party_api__v1__get_share_key_response__descriptor);
    assert_refused(&answer, 503, "not ready");
    keeper_share_key(w);
    world_settle(w);
    begin(&answer, SHARES "GetShareKey", &m.base,
          &mpc__party_api__v1__get_share_key_response__descriptor);
    finish(&answer);
    assert_memory_equal(answer.text, "ab00", 4);
    assert_int_equal(strlen(answer.text), 64);
}

static void test_malformed_fields_are_named(void **state)
{
    struct answer answer;

    (void)state;
    generate(&answer, "nonsense", "", KEY);
    assert_refused(&answer, 400, "session_id");
    generate(&answer, SESSION_ONE, TOKEN, "11");
    assert_refused(&answer, 400, "user_public_key");
    confirm(&answer, "");
    assert_refused(&answer, 400, "session_id");
    sign(&answer, "x", "", SHARE);
    assert_refused(&answer, 400, "session_id");
    sign(&answer, SESSION_ONE, TOKEN, "");
    assert_refused(&answer, 400, "user_share");
    sign(&answer, SESSION_ONE, TOKEN, "!!!!");
    assert_refused(&answer, 400, "user_share");
    assert_int_equal(w->join.came, 0);
}

static void test_unknown_sessions_are_not_found(void **state)
{
    struct answer answer;

    (void)state;
    generate(&answer, SESSION_ONE, "", KEY);
    assert_refused(&answer, 404, SESSION_ONE);
    sign(&answer, SESSION_ONE, "", SHARE);
    assert_refused(&answer, 404, SESSION_ONE);
    confirm(&answer, SESSION_ONE);
    until_keeper_got(CONFIRM, 1);
    keeper_answer(w, SESSION_ONE, "NO_SHARE");
    assert_refused(&answer, 404, SESSION_ONE);
}

static void test_a_keygen_without_a_key_waits_for_the_caller(void **state)
{
    struct answer answer, again;
    const Mpc__Keeper__V1__Open *opened;

    (void)state;
    w->session_type = "keygen";
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    world_settle(w);
    assert_int_equal(keeper_got(w, OPEN), 0);
    generate(&answer, SESSION_ONE, "", "");
    assert_refused(&answer, 400, "user_public_key");
    assert_int_equal(keeper_got(w, OPEN), 0);
    generate(&answer, SESSION_ONE, "", KEY);
    until_keeper_got(OPEN, 1);
    opened = keeper_frame(w, OPEN, 0)->open;
    assert_int_equal(opened->setup->user_public_key.len, 0);
    assert_int_equal(opened->user_public_key.len, 32);
    assert_int_equal(opened->user_public_key.data[31], 0x11);
    generate(&again, SESSION_ONE, "", OTHER_KEY);
    assert_refused(&again, 409, "another user_public_key");
    make_key(SESSION_ONE);
    finish(&answer);
    assert_string_equal(answer.text, "c2VhbGVk");
    assert_int_equal(w->join.came, 1);
}

static void test_a_keygen_with_a_configured_key_starts_by_itself(void **state)
{
    struct answer answer;

    (void)state;
    w->session_type = "keygen";
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    until_keeper_got(OPEN, 1);
    make_key(SESSION_ONE);
    world_settle(w);
    generate(&answer, SESSION_ONE, "", "");
    finish(&answer);
    assert_string_equal(answer.text, "c2VhbGVk");
}

static void test_the_same_share_until_it_is_confirmed(void **state)
{
    struct answer answer;

    test_a_keygen_with_a_configured_key_starts_by_itself(state);
    generate(&answer, SESSION_ONE, "", "");
    finish(&answer);
    assert_string_equal(answer.text, "c2VhbGVk");
    confirm(&answer, SESSION_ONE);
    until_keeper_got(CONFIRM, 1);
    keeper_answer(w, SESSION_ONE, "");
    finish(&answer);
    assert_string_equal(answer.text, "confirmed");
    confirm(&answer, SESSION_ONE);
    finish(&answer);
    assert_string_equal(answer.text, "confirmed");
    assert_int_equal(keeper_got(w, CONFIRM), 1);
    generate(&answer, SESSION_ONE, "", "");
    assert_refused(&answer, 409, "confirmed");
}

static void test_a_share_is_neither_given_nor_confirmed_before_the_key_is_made(void **state)
{
    struct answer answer, early;

    (void)state;
    w->session_type = "keygen";
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    until_keeper_got(OPEN, 1);
    keeper_share(w, SESSION_ONE, "sealed");
    generate(&answer, SESSION_ONE, "", "");
    world_settle(w);
    assert_false(answer.is_done);
    confirm(&early, SESSION_ONE);
    assert_refused(&early, 409, "has not ended");
    say_ended(w, "session_failed", SESSION_ONE);
    assert_refused(&answer, 422, "failed");
    generate(&answer, SESSION_ONE, "", "");
    assert_refused(&answer, 409, "failed");
}

/* The caller's token is there before the event: one join, one start, with the caller's key. */
static void test_a_token_may_come_before_the_event(void **state)
{
    struct answer answer;

    (void)state;
    w->session_type = "keygen";
    w->join.manner = HOLD;
    generate(&answer, SESSION_ONE, TOKEN, KEY);
    while (!w->join.held_n)
        uv_run(&w->loop, UV_RUN_ONCE);
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    world_settle(w);
    assert_int_equal(keeper_got(w, OPEN), 0);
    answer_join(w, take_held(&w->join), "session-token");
    until_keeper_got(OPEN, 1);
    assert_int_equal(keeper_frame(w, OPEN, 0)->open->user_public_key.data[0], 0x11);
    make_key(SESSION_ONE);
    finish(&answer);
    assert_string_equal(answer.text, "c2VhbGVk");
    assert_int_equal(w->join.came, 1);
    assert_int_equal(keeper_got(w, OPEN), 1);
}

/* The keeper seals to the configured key whatever the caller says: he is told. */
static void test_a_caller_with_another_key_than_the_configured_one_is_told(void **state)
{
    struct answer answer;

    (void)state;
    w->session_type = "keygen";
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    until_keeper_got(OPEN, 1);
    generate(&answer, SESSION_ONE, "", OTHER_KEY);
    assert_refused(&answer, 409, "another user_public_key");
    assert_int_equal(keeper_frame(w, OPEN, 0)->open->user_public_key.len, 0);
}

/* A key of the network goes to the keeper where it came, in the setup, and nowhere else. */
static void test_a_key_in_the_setup_stays_there(void **state)
{
    struct answer answer;
    const Mpc__Keeper__V1__Open *opened;

    (void)state;
    w->session_type = "keygen";
    w->user_key = key_bytes;
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    until_keeper_got(OPEN, 1);
    opened = keeper_frame(w, OPEN, 0)->open;
    assert_int_equal(opened->user_public_key.len, 0);
    assert_int_equal(opened->setup->user_public_key.len, 32);
    generate(&answer, SESSION_ONE, "", OTHER_KEY);
    assert_refused(&answer, 409, "another user_public_key");
    generate(&answer, SESSION_ONE, "", KEY);
    make_key(SESSION_ONE);
    finish(&answer);
    assert_string_equal(answer.text, "c2VhbGVk");
}

static void test_a_token_alone_is_enough(void **state)
{
    struct answer answer;

    (void)state;
    w->session_type = "keygen";
    generate(&answer, SESSION_ONE, TOKEN, KEY);
    until_keeper_got(OPEN, 1);
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    make_key(SESSION_ONE);
    finish(&answer);
    assert_string_equal(answer.text, "c2VhbGVk");
    assert_int_equal(w->join.came, 1);
    assert_int_equal(keeper_got(w, OPEN), 1);
}

static void test_a_refused_token_is_told_and_leaves_no_trace(void **state)
{
    struct answer answer;

    (void)state;
    w->join.manner = FAIL;
    w->join.failure = rpc_error(RPC_UNAUTHENTICATED, "token", "the token has expired");
    generate(&answer, SESSION_ONE, TOKEN, KEY);
    assert_refused(&answer, 400, "the token has expired");
    generate(&answer, SESSION_ONE, "", KEY);
    assert_refused(&answer, 404, SESSION_ONE);
    w->join.manner = ANSWER;
    w->session_type = "keygen";
    generate(&answer, SESSION_ONE, TOKEN, KEY);
    until_keeper_got(OPEN, 1);
    make_key(SESSION_ONE);
    finish(&answer);
    assert_string_equal(answer.text, "c2VhbGVk");
}

static void test_signing_waits_for_the_share(void **state)
{
    struct answer answer;

    (void)state;
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    world_settle(w);
    assert_int_equal(w->join.came, 0);
    sign(&answer, SESSION_ONE, "", SHARE);
    until_keeper_got(LEND, 1);
    world_settle(w);
    assert_int_equal(keeper_got(w, OPEN), 0);
    keeper_answer(w, SESSION_ONE, "");
    until_keeper_got(OPEN, 1);
    keeper_signed(w, SESSION_ONE, 0);
    finish(&answer);
    assert_int_equal(answer.status.code, RPC_OK);
    assert_int_equal(strlen(answer.text), 128);
    assert_int_equal(w->join.came, 1);
    assert_int_equal(keeper_got(w, LEND), 1);
}

/* A configured key is for keygens: it lets no signing session start by itself. */
static void test_signing_waits_for_the_share_whatever_is_configured(void **state)
{
    test_signing_waits_for_the_share(state);
}

static void test_the_keepers_word_goes_to_the_call_that_waits_for_it(void **state)
{
    struct answer first, second;

    (void)state;
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    world_settle(w);
    sign(&first, SESSION_ONE, "", SHARE);
    until_keeper_got(LEND, 1);
    keeper_answer(w, SESSION_ONE, "");
    until_keeper_got(OPEN, 1);
    sign(&second, SESSION_ONE, "", SHARE);
    until_keeper_got(LEND, 2);
    keeper_answer(w, SESSION_ONE, "NO_SHARE");
    assert_refused(&second, 400, "user_share");
    assert_false(first.is_done);
    keeper_signed(w, SESSION_ONE, 0);
    finish(&first);
    assert_int_equal(first.status.code, RPC_OK);
}

static void test_a_share_that_does_not_open_is_the_callers_fault(void **state)
{
    struct answer answer;

    (void)state;
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    world_settle(w);
    sign(&answer, SESSION_ONE, "", SHARE);
    until_keeper_got(LEND, 1);
    keeper_answer(w, SESSION_ONE, "NO_SHARE");
    assert_refused(&answer, 400, "user_share");
    assert_int_equal(keeper_got(w, OPEN), 0);
    sign(&answer, SESSION_ONE, "", SHARE);
    until_keeper_got(LEND, 2);
    keeper_answer(w, SESSION_ONE, "");
    until_keeper_got(OPEN, 1);
    keeper_signed(w, SESSION_ONE, 0);
    finish(&answer);
    assert_int_equal(answer.status.code, RPC_OK);
}

/* The second attempt of a session that a share was lent for needs no second call. */
static void test_a_lent_share_serves_every_attempt_of_its_session(void **state)
{
    struct answer answer;

    (void)state;
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    world_settle(w);
    sign(&answer, SESSION_ONE, "", SHARE);
    until_keeper_got(LEND, 1);
    keeper_answer(w, SESSION_ONE, "");
    until_keeper_got(OPEN, 1);
    say_invited(w, "session_created", SESSION_ONE, 1, TOKEN);
    until_keeper_got(OPEN, 2);
    keeper_signed(w, SESSION_ONE, 1);
    finish(&answer);
    assert_int_equal(answer.status.code, RPC_OK);
    assert_int_equal(w->join.came, 2);
}

static void test_a_session_of_another_kind_is_a_wrong_state(void **state)
{
    struct answer answer;

    (void)state;
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    world_settle(w);
    generate(&answer, SESSION_ONE, "", KEY);
    assert_refused(&answer, 409, "no keygen");
    w->session_type = "presign";
    say_invited(w, "session_created", SESSION_TWO, 0, TOKEN);
    world_settle(w);
    sign(&answer, SESSION_TWO, "", SHARE);
    assert_refused(&answer, 409, "signs nothing");
    assert_int_equal(keeper_got(w, OPEN), 0);
}

static void test_a_session_that_fails_ends_the_wait(void **state)
{
    struct answer answer;

    (void)state;
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    world_settle(w);
    sign(&answer, SESSION_ONE, "", SHARE);
    until_keeper_got(LEND, 1);
    say_ended(w, "session_cancelled", SESSION_ONE);
    assert_refused(&answer, 422, "cancelled");
    sign(&answer, SESSION_ONE, "", SHARE);
    assert_refused(&answer, 409, "cancelled");
}

static void test_calls_that_wait_are_told_when_the_service_stops(void **state)
{
    struct answer answer;

    (void)state;
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    world_settle(w);
    sign(&answer, SESSION_ONE, "", SHARE);
    until_keeper_got(LEND, 1);
    api_stop(api);
    assert_refused(&answer, 503, "stops");
}

static void test_a_wait_that_runs_out_names_the_session(void **state)
{
    struct answer answer;

    (void)state;
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    world_settle(w);
    sign(&answer, SESSION_ONE, "", SHARE);
    until_keeper_got(LEND, 1);
    api->waiting->until_ms = 0;
    assert_refused(&answer, 504, "goes on");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_share_key_comes_from_the_keeper),
        TEST(test_malformed_fields_are_named),
        TEST(test_unknown_sessions_are_not_found),
        TEST(test_a_keygen_without_a_key_waits_for_the_caller),
        TEST_WITH_KEY(test_a_keygen_with_a_configured_key_starts_by_itself),
        TEST_WITH_KEY(test_the_same_share_until_it_is_confirmed),
        TEST_WITH_KEY(test_a_share_is_neither_given_nor_confirmed_before_the_key_is_made),
        TEST(test_a_token_may_come_before_the_event),
        TEST_WITH_KEY(test_a_caller_with_another_key_than_the_configured_one_is_told),
        TEST(test_a_key_in_the_setup_stays_there),
        TEST_WITH_KEY(test_signing_waits_for_the_share_whatever_is_configured),
        TEST(test_the_keepers_word_goes_to_the_call_that_waits_for_it),
        TEST(test_a_token_alone_is_enough),
        TEST(test_a_refused_token_is_told_and_leaves_no_trace),
        TEST(test_signing_waits_for_the_share),
        TEST(test_a_share_that_does_not_open_is_the_callers_fault),
        TEST(test_a_lent_share_serves_every_attempt_of_its_session),
        TEST(test_a_session_of_another_kind_is_a_wrong_state),
        TEST(test_a_session_that_fails_ends_the_wait),
        TEST(test_calls_that_wait_are_told_when_the_service_stops),
        TEST(test_a_wait_that_runs_out_names_the_session),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
