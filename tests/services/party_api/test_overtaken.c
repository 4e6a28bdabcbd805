/* SPDX-License-Identifier: Apache-2.0 */
/* The session's end is heard before the keeper's result: the other party was faster, and its report
 * completed the session. Whoever lent his share gets the signature all the same. */
#include "delegate.h"

#include <string.h>

#define PUBLIC_KEY "02989c0b76cb563971fdc9bef31ec06c3560f3249d6ee9e5d83c57625596e05f6f"
#define HASH "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a"
#define OTHER_HASH "2b2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a"
#define R "62c0a046dacce86ddd0343c6d3c7c79c2208ba0d9c9cf24a6d046d21d21f90f7"
#define S "428bec699a7aba99642ea11cd781e88acc1945d8b0f7f9c79a6ee60e19ff3605"

/* What the coordinator says of the session when it is asked. */
static void complete(Mpc__Session__V1__Signature *signature)
{
    mpc__session__v1__signature__init(signature);
    signature->r = R;
    signature->s = S;
    w->found_status = "completed";
    w->found_member = PARTY;
    w->found_signature = signature;
    w->found_key = PUBLIC_KEY;
    w->found_hash = HASH;
}

/* The share is lent and the session open; then it is said to have ended. */
static void begin_overtaken(struct answer *answer)
{
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    world_settle(w);
    sign(answer, SESSION_ONE, "", SHARE);
    until_keeper_got(LEND, 1);
    keeper_answer(w, SESSION_ONE, "");
    until_keeper_got(OPEN, 1);
    say_ended(w, "session_completed", SESSION_ONE);
}

static void until_asked(const struct answer *answer, unsigned n)
{
    while (w->find.came < n && !answer->is_done)
        uv_run(&w->loop, UV_RUN_ONCE);
    if (answer->is_done)
        fail_msg("answered without the signature: \"%s\"", answer->status.text);
}

static void test_the_keepers_result_may_come_after_the_end(void **state)
{
    Mpc__Session__V1__Signature signature;
    struct answer answer;

    (void)state;
    w->find.manner = HOLD;
    begin_overtaken(&answer);
    until_asked(&answer, 1);
    keeper_signed(w, SESSION_ONE, 0);
    finish(&answer);
    assert_int_equal(answer.status.code, RPC_OK);
    assert_int_equal(strlen(answer.text), 128);
    assert_int_equal(w->report.came, 0); /* nobody wants to hear of it any more */
    complete(&signature);
    answer_find(w, take_held(&w->find), SESSION_ONE); /* too late to matter */
    world_settle(w);
}

static void test_the_sessions_signature_is_given_if_the_keeper_was_closed_before(void **state)
{
    Mpc__Session__V1__Signature signature;
    struct answer answer;

    (void)state;
    complete(&signature);
    begin_overtaken(&answer);
    finish(&answer);
    assert_int_equal(answer.status.code, RPC_OK);
    assert_string_equal(answer.text, R S);
}

static void test_a_signature_that_does_not_verify_is_not_given(void **state)
{
    Mpc__Session__V1__Signature signature;
    struct answer answer;

    (void)state;
    complete(&signature);
    w->found_hash = OTHER_HASH;
    begin_overtaken(&answer);
    finish(&answer);
    assert_string_equal(answer.status.name, "signature_invalid");
}

static void test_a_recovery_id_of_another_key_is_not_given(void **state)
{
    Mpc__Session__V1__Signature signature;
    struct answer answer;

    (void)state;
    complete(&signature);
    signature.recovery_id = 1;
    begin_overtaken(&answer);
    finish(&answer);
    assert_string_equal(answer.status.name, "signature_invalid");
}

static void test_a_coordinator_that_is_away_is_asked_again(void **state)
{
    Mpc__Session__V1__Signature signature;
    struct answer answer;

    (void)state;
    w->find.manner = FAIL;
    w->find.failure = rpc_error(RPC_UNAVAILABLE, "away", "away");
    begin_overtaken(&answer);
    until_asked(&answer, 1);
    world_settle(w);
    assert_false(answer.is_done);
    w->find.manner = ANSWER;
    complete(&signature);
    api->waiting->look_until_ms = 0;
    finish(&answer);
    assert_true(w->find.came >= 2); /* now and then by itself, too */
    assert_string_equal(answer.text, R S);
}

/* Whoever asks for it when it is over learns where it is. */
static void test_a_session_that_others_completed_before_is_over(void **state)
{
    struct answer answer;

    (void)state;
    say_invited(w, "session_created", SESSION_ONE, 0, TOKEN);
    world_settle(w);
    sign(&answer, SESSION_ONE, "", SHARE);
    until_keeper_got(LEND, 1);
    say_ended(w, "session_completed", SESSION_ONE); /* by a quorum without this party */
    assert_refused(&answer, 409, "completed by others");
    assert_int_equal(w->find.came, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_keepers_result_may_come_after_the_end),
        TEST(test_the_sessions_signature_is_given_if_the_keeper_was_closed_before),
        TEST(test_a_signature_that_does_not_verify_is_not_given),
        TEST(test_a_recovery_id_of_another_key_is_not_given),
        TEST(test_a_coordinator_that_is_away_is_asked_again),
        TEST(test_a_session_that_others_completed_before_is_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
