/* SPDX-License-Identifier: Apache-2.0 */
/* What a run tells its front, of runs that never had a peer: whom messages go to, and which word an
 * end from outside has. Outcomes of the protocol are in test_keeper.c and test_gate.c. */
#include "participant/outcome.h"

#include "system/core/buffer.h"
#include "system/service/library.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PARTIES = 3, OWN = 2 };

/* The keeper's frames, as text. */
static char said[4096];
static size_t frames;

static void say(const char *text)
{
    size_t at = strlen(said);

    assert_true(at + strlen(text) < sizeof said);
    strcpy(said + at, text);
}

static void hear(void *arg, const Mpc__Keeper__V1__FromKeeper *frame)
{
    char line[512];

    (void)arg;
    frames++;
    if (frame->reply_case == MPC__KEEPER__V1__FROM_KEEPER__REPLY_OUTCOME) {
        const Mpc__Keeper__V1__Outcome *o = frame->outcome;

        assert_int_equal(o->outcome_case, MPC__KEEPER__V1__OUTCOME__OUTCOME_FAILURE);
        snprintf(line, sizeof line, "%s/%u %s%s: %s\n", o->session_id, o->attempt, o->failure->code,
                 o->failure->retry ? " retry" : "", o->failure->text);
        say(line);
        return;
    }
    assert_int_equal(frame->reply_case, MPC__KEEPER__V1__FROM_KEEPER__REPLY_SEND);
    for (size_t i = 0; i < frame->send->n_messages; i++) {
        const Mpc__Keeper__V1__Outgoing *m = frame->send->messages[i];

        snprintf(line, sizeof line, "%s/%u %.*s to", frame->send->session_id, frame->send->attempt,
                 (int)m->payload.len, (const char *)m->payload.data);
        say(line);
        for (size_t j = 0; j < m->n_to; j++) {
            say(" ");
            say(m->to[j]);
        }
        say("\n");
    }
}

struct world {
    struct keeper keeper;
    struct run run;
    Mpc__Session__V1__Setup setup;
    Mpc__Session__V1__Member rows[PARTIES], *members[PARTIES];
};
static struct world w;

static struct delegate *delegate_of(bool is_delegate)
{
    static const uint8_t identity_key[32] = {1};
    const struct delegate_params params = {
        .ctx = library_ctx(), .is_delegate = is_delegate, .identity_key = identity_key};

    return delegate_new(&params);
}

/* A session of indices 1, 2, 5; this party is 2. */
static int begin(void **state)
{
    static const uint16_t indices[PARTIES] = {1, OWN, 5};
    static char *names[PARTIES] = {"one", "two", "five"};

    (void)state;
    memset(&w, 0, sizeof w);
    said[0] = '\0';
    frames = 0;
    mpc__session__v1__setup__init(&w.setup);
    w.setup.session_id = "session";
    w.setup.attempt = 4;
    w.setup.members = w.members;
    w.setup.n_members = w.run.permit.n = PARTIES;
    for (size_t i = 0; i < PARTIES; i++) {
        mpc__session__v1__member__init(&w.rows[i]);
        w.rows[i].party_id = names[i];
        w.members[i] = &w.rows[i];
        w.run.permit.indices[i] = indices[i];
    }
    w.run.permit.own = OWN;
    w.keeper.rules.party_id = "two";
    w.keeper.emit = hear;
    w.keeper.delegate = delegate_of(false);
    w.run.keeper = &w.keeper;
    w.run.setup = &w.setup;
    return 0;
}

static int end(void **state)
{
    (void)state;
    delegate_free(w.keeper.delegate);
    return 0;
}

static void add(struct outgoing *out, uint16_t to, const char *text)
{
    outgoing_add(out, to, (const uint8_t *)text, strlen(text));
}

static void test_messages_go_to_all_others_or_to_one(void **state)
{
    struct outgoing out = {0};

    (void)state;
    add(&out, QRT_EVERYBODY, "A");
    add(&out, 5, "B");
    add(&out, 1, "C");
    outgoing_send(&out, &w.run);
    assert_int_equal(frames, 1);
    assert_string_equal(said, "session/4 A to one five\nsession/4 B to five\nsession/4 C to one\n");
    assert_int_equal(out.n, 0);
    outgoing_send(&out, &w.run);
    assert_int_equal(frames, 1); /* nothing to say */
}

static void test_any_number_of_messages_is_one_frame(void **state)
{
    struct outgoing out = {0};
    char expected[4096];
    size_t at = 0;

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        char text[8];

        snprintf(text, sizeof text, "%u", i);
        add(&out, 1, text);
        at += (size_t)snprintf(expected + at, sizeof expected - at, "session/4 %u to one\n", i);
    }
    outgoing_send(&out, &w.run);
    assert_int_equal(frames, 1);
    assert_string_equal(said, expected);
}

static void test_a_run_whose_pair_is_burned_says_nothing_more(void **state)
{
    struct outgoing out = {0};

    (void)state;
    add(&out, QRT_EVERYBODY, "A");
    atomic_store(&w.run.end, RUN_BURNED);
    outgoing_send(&out, &w.run);
    assert_int_equal(frames, 0);
    assert_int_equal(out.n, 0);
}

static void expect_end(enum run_end how, const char *line)
{
    said[0] = '\0';
    memset(&w.run.refusal, 0, sizeof w.run.refusal);
    atomic_store(&w.run.end, how);
    outcome_of(&w.run);
    assert_string_equal(said, line);
}

static void test_each_end_from_outside_has_its_word(void **state)
{
    (void)state;
    expect_end(RUN_FROZEN,
               "session/4 FROZEN: the operator has frozen this account or the system\n");
    expect_end(RUN_TIMEOUT, "session/4 OVERLOADED retry: party two was too busy to begin\n");
    w.run.policy_until_ms = 1;
    expect_end(RUN_TIMEOUT,
               "session/4 POLICY_RETRY retry: the policy of party two did not answer\n");
    w.run.policy_until_ms = 0;
    delegate_free(w.keeper.delegate);
    w.keeper.delegate = delegate_of(true);
    expect_end(RUN_TIMEOUT,
               "session/4 NO_SHARE retry: the user's share was not handed in in time\n");
    assert_int_equal(atomic_load(&w.keeper.counts.failures), 4);
}

static void test_a_refusal_goes_before_the_end(void **state)
{
    (void)state;
    refuse(&w.run.refusal, "POLICY_REJECT", "no");
    atomic_store(&w.run.end, RUN_TIMEOUT);
    outcome_of(&w.run);
    assert_string_equal(said, "session/4 POLICY_REJECT: no\n");
}

/* Of a burn that is not stored the front hears when it is. */
static void test_what_owes_a_burn_is_not_told(void **state)
{
    (void)state;
    w.run.owes_burn = true;
    refuse_for_now(&w.run.refusal, "STORAGE", "full");
    outcome_of(&w.run);
    assert_int_equal(frames, 0);
    outcome_refused(&w.keeper, "session", 4, &w.run.refusal);
    assert_string_equal(said, "session/4 STORAGE retry: full\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_messages_go_to_all_others_or_to_one, begin, end),
        cmocka_unit_test_setup_teardown(test_any_number_of_messages_is_one_frame, begin, end),
        cmocka_unit_test_setup_teardown(test_a_run_whose_pair_is_burned_says_nothing_more, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_each_end_from_outside_has_its_word, begin, end),
        cmocka_unit_test_setup_teardown(test_a_refusal_goes_before_the_end, begin, end),
        cmocka_unit_test_setup_teardown(test_what_owes_a_burn_is_not_told, begin, end),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
