/* SPDX-License-Identifier: Apache-2.0 */
/* The race, as a model: one session of two attempts, a coordinator, a keeper and a network in which
 * events come early, late, twice and in any order, replies are delayed without limit, lost or come
 * after the end. Every reachable state is visited once; each step is checked against what must
 * never happen, and from each state the session must still come to its end when the network becomes
 * fair. */
#include "participant/front_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ATTEMPTS = 2, STATES_MAX = 1 << 22 };

/* What kind of session: bits. */
enum { WITH_SHARE = 1, HELD = 2, BLIND = 4 };

enum fate { NOTHING, AWAY, ACKNOWLEDGED, REFUSED };

/* The world: the party's core, and all that is outside. Bytes are compared: no padding matters
 * because every world starts from zero and is copied whole. */
struct world {
    struct front_session core;
    uint8_t attempts;
    uint8_t opened[ATTEMPTS], had_outcome[ATTEMPTS], report[ATTEMPTS];
    uint8_t had_share, share;
    /* the JoinSession that is away: 0 none, otherwise 1 + attempt, or BLIND_CALL */
    uint8_t join_away, joined[ATTEMPTS], has_token;
    uint8_t may_end, was_closed, asked, released;
};

enum { BLIND_CALL = 255 };

static unsigned kind;
static const char *broken;
static struct world *states;
static uint32_t *table;
static size_t states_n, table_n;

static void require(bool holds, const char *what)
{
    if (!holds && !broken)
        broken = what;
}

/* Steps of the party, each checked. */

static void check_open(struct world *w)
{
    uint32_t a = w->core.attempt;

    require(w->opened[a] == 0, "an attempt was opened twice");
    for (uint32_t b = a + 1; b < ATTEMPTS; b++)
        require(w->opened[b] == 0, "a lower attempt was opened after a higher one");
    require(!w->was_closed, "opened after the end");
    require(!(kind & HELD) || w->released, "a held session was opened before its release");
    w->opened[a] = 1;
}

static void check_join(struct world *w)
{
    require(w->join_away == 0, "two JoinSession at a time");
    require(!w->was_closed, "joined after the end");
    require(!(kind & HELD) || w->asked, "a held session was joined before it was asked to");
    if (w->core.is_known) {
        require(w->joined[w->core.attempt] == NOTHING, "joined again after an answer");
        w->join_away = (uint8_t)(1 + w->core.attempt);
    } else {
        w->join_away = BLIND_CALL;
    }
}

static void check_reports(struct world *w)
{
    uint32_t a;

    while (front_session_next_report(&w->core, &a)) {
        require(w->had_outcome[a], "a report without an outcome");
        require(w->has_token, "a report without a token");
        require(w->report[a] == NOTHING, "a report while one is away, or after its answer");
        require(!w->had_share || w->share == ACKNOWLEDGED || w->share == REFUSED,
                "a report before the share was acknowledged");
        require(!w->was_closed, "a report after the end");
        w->report[a] = AWAY;
    }
}

static void act(struct world *w, unsigned actions)
{
    if (actions & FRONT_OPEN)
        check_open(w);
    if (actions & FRONT_JOIN)
        check_join(w);
    if (actions & FRONT_SUBMIT) {
        require(w->had_share && w->has_token && w->share == NOTHING && !w->was_closed,
                "a share was sent twice, too early or too late");
        w->share = AWAY;
    }
    if (actions & FRONT_REPORT)
        check_reports(w);
    if (actions & FRONT_CLOSE) {
        require(!w->was_closed, "closed twice");
        w->was_closed = 1;
    }
}

/* Steps of the world. Each returns false if it cannot happen now. */

static bool step_next_attempt(struct world *w)
{
    if (w->attempts == ATTEMPTS || w->may_end)
        return false;
    w->attempts++;
    return true;
}

static bool step_event(struct world *w, uint32_t attempt)
{
    if (attempt >= w->attempts)
        return false;
    act(w, front_session_invited(&w->core, attempt, kind & HELD));
    return true;
}

static bool step_event_0(struct world *w)
{
    return step_event(w, 0);
}

static bool step_event_1(struct world *w)
{
    return step_event(w, 1);
}

/* A reply to a call that named no attempt carries the setup, as the front hands it in. */
static void learn(struct world *w)
{
    if (!w->core.is_known && w->attempts)
        act(w, front_session_invited(&w->core, w->attempts - 1u, kind & HELD));
}

static bool answer_join(struct world *w, enum front_answer answer)
{
    uint8_t away = w->join_away;

    if (!away)
        return false;
    w->join_away = 0;
    if (answer == FRONT_ANSWER_OK) {
        w->has_token = 1;
        learn(w);
    }
    if (away == BLIND_CALL && w->core.is_known)
        away = (uint8_t)(1 + w->core.join_attempt);
    if (away != BLIND_CALL && answer != FRONT_ANSWER_LOST)
        w->joined[away - 1] = answer == FRONT_ANSWER_OK ? ACKNOWLEDGED : REFUSED;
    act(w, front_session_joined(&w->core, answer));
    return true;
}

static bool step_join_ok(struct world *w)
{
    return w->attempts && answer_join(w, FRONT_ANSWER_OK);
}

static bool step_join_lost(struct world *w)
{
    return answer_join(w, FRONT_ANSWER_LOST);
}

/* The coordinator refuses who comes too late. */
static bool step_join_refused(struct world *w)
{
    return w->may_end && w->join_away != BLIND_CALL && answer_join(w, FRONT_ANSWER_REFUSED);
}

static bool outcome(struct world *w, uint32_t attempt)
{
    if (!w->opened[attempt] || ((kind & WITH_SHARE) && !w->had_share))
        return false;
    if (!w->was_closed)
        w->had_outcome[attempt] = 1;
    act(w, front_session_outcome(&w->core, attempt));
    return true;
}

static bool step_outcome_0(struct world *w)
{
    return outcome(w, 0);
}

static bool step_outcome_1(struct world *w)
{
    return outcome(w, 1);
}

static bool step_share(struct world *w)
{
    if (!(kind & WITH_SHARE) || w->had_share || w->was_closed || (!w->opened[0] && !w->opened[1]))
        return false;
    w->had_share = 1;
    act(w, front_session_share(&w->core));
    return true;
}

static bool answer_share(struct world *w, enum front_answer answer)
{
    if (w->share != AWAY)
        return false;
    w->share = answer == FRONT_ANSWER_LOST ? NOTHING : ACKNOWLEDGED;
    act(w, front_session_submitted(&w->core, answer));
    return true;
}

static bool step_share_ok(struct world *w)
{
    return answer_share(w, FRONT_ANSWER_OK);
}

static bool step_share_lost(struct world *w)
{
    return answer_share(w, FRONT_ANSWER_LOST);
}

static bool answer_report(struct world *w, uint32_t attempt, enum front_answer answer)
{
    static const uint8_t fates[] = {[FRONT_ANSWER_OK] = ACKNOWLEDGED,
                                    [FRONT_ANSWER_LOST] = NOTHING,
                                    [FRONT_ANSWER_REFUSED] = REFUSED};

    if (w->report[attempt] != AWAY)
        return false;
    w->report[attempt] = fates[answer];
    act(w, front_session_reported(&w->core, attempt, answer));
    return true;
}

static bool step_report_0_ok(struct world *w)
{
    return answer_report(w, 0, FRONT_ANSWER_OK);
}

static bool step_report_0_lost(struct world *w)
{
    return answer_report(w, 0, FRONT_ANSWER_LOST);
}

static bool step_report_1_ok(struct world *w)
{
    return answer_report(w, 1, FRONT_ANSWER_OK);
}

static bool step_report_1_lost(struct world *w)
{
    return answer_report(w, 1, FRONT_ANSWER_LOST);
}

static bool step_report_1_refused(struct world *w)
{
    return w->may_end && answer_report(w, 1, FRONT_ANSWER_REFUSED);
}

static bool step_retry(struct world *w)
{
    if (!front_session_has_due(&w->core))
        return false;
    act(w, front_session_retry(&w->core));
    return true;
}

static bool step_ask(struct world *w)
{
    if (!(kind & HELD) || (!(kind & BLIND) && !w->core.is_known))
        return false;
    w->asked = 1;
    /* a host that was refused comes with another token */
    for (int a = 0; a < ATTEMPTS && !w->has_token; a++)
        if (w->joined[a] == REFUSED)
            w->joined[a] = NOTHING;
    act(w, front_session_ask(&w->core));
    return true;
}

/* A host asks once; the session's later attempts are joined without it. */
static bool step_ask_once(struct world *w)
{
    return !w->asked && step_ask(w);
}

/* The share was lent; the host opens a session that it joined. */
static bool step_release(struct world *w)
{
    if (!(kind & HELD) || !w->has_token || !w->core.is_known)
        return false;
    w->released = 1;
    act(w, front_session_release(&w->core));
    return true;
}

static bool step_final(struct world *w)
{
    if (w->may_end)
        return false;
    w->may_end = 1;
    return true;
}

static bool step_end(struct world *w)
{
    struct front_session after;
    uint32_t attempt;

    if (!w->may_end)
        return false;
    act(w, front_session_end(&w->core));
    memcpy(&after, &w->core, sizeof after);
    require(!front_session_next_report(&after, &attempt), "a report is offered after the end");
    return true;
}

/* One thing that happens, false if it cannot happen now. */
typedef bool world_step(struct world *w);

/* The first |FAIR_N| are what a fair network does in the end. */
static world_step *const steps[] = {step_event_0,       step_event_1,
                                    step_ask_once,      step_join_ok,
                                    step_release,       step_share,
                                    step_share_ok,      step_outcome_0,
                                    step_outcome_1,     step_report_0_ok,
                                    step_report_1_ok,   step_retry,
                                    step_join_lost,     step_join_refused,
                                    step_share_lost,    step_report_0_lost,
                                    step_report_1_lost, step_report_1_refused,
                                    step_next_attempt,  step_final,
                                    step_end,           step_ask};
enum { FAIR_N = 12, STEPS_N = sizeof steps / sizeof steps[0] };

/* Every state once. */

static uint64_t hash_of(const struct world *w)
{
    const uint8_t *b = (const uint8_t *)w;
    uint64_t hash = 1469598103934665603u;

    for (size_t i = 0; i < sizeof *w; i++)
        hash = (hash ^ b[i]) * 1099511628211u;
    return hash ^ hash >> 29;
}

static void visit(const struct world *w)
{
    size_t at = hash_of(w) % table_n;

    while (table[at]) {
        if (!memcmp(&states[table[at] - 1], w, sizeof *w))
            return;
        at = (at + 1) % table_n;
    }
    assert_true(states_n < STATES_MAX);
    memcpy(&states[states_n++], w, sizeof *w);
    table[at] = (uint32_t)states_n;
}

/* From here everything arrives: does the session come to its end? */
static void require_end(const struct world *from)
{
    struct world w;
    uint32_t last;

    memcpy(&w, from, sizeof w);
    if (w.may_end || !w.attempts)
        return;
    for (int round = 0; round < 12; round++)
        for (size_t i = 0; i < FAIR_N; i++)
            steps[i](&w);
    last = w.attempts - 1u;
    require(w.opened[last] == 1, "an invited attempt was never opened");
    require(w.joined[last] != NOTHING, "an invited attempt was never joined");
    require(!w.has_token || w.report[last] == ACKNOWLEDGED || w.report[last] == REFUSED,
            "an outcome was never acknowledged");
    require(!w.has_token || !w.had_share || w.share == ACKNOWLEDGED, "a share was lost");
    require(!front_session_has_due(&w.core), "something is due for ever");
}

static void explore(unsigned what)
{
    struct world *start = calloc(1, sizeof *start);

    kind = what;
    broken = NULL;
    table_n = (size_t)STATES_MAX * 2;
    states = calloc(STATES_MAX, sizeof *states);
    table = calloc(table_n, sizeof *table);
    states_n = 0;
    visit(start);
    for (size_t at = 0; at < states_n && !broken; at++) {
        require_end(&states[at]);
        for (size_t i = 0; i < STEPS_N && !broken; i++) {
            struct world w;

            memcpy(&w, &states[at], sizeof w);
            if (steps[i](&w))
                visit(&w);
        }
    }
    if (broken)
        print_error("kind %u, state %zu: %s\n", what, states_n, broken);
    assert_null(broken);
    assert_true(states_n > 100);
    print_message("kind %u: %zu states\n", what, states_n);
    free(states);
    free(table);
    free(start);
}

static void test_signing_starts_once_in_every_interleaving(void **state)
{
    (void)state;
    explore(0);
}

static void test_a_delegates_share_is_safe_before_its_report(void **state)
{
    (void)state;
    explore(WITH_SHARE);
}

static void test_a_held_session_waits_for_its_host(void **state)
{
    (void)state;
    explore(HELD);
}

static void test_a_caller_may_come_before_the_event(void **state)
{
    (void)state;
    explore(HELD | BLIND);
}

static void test_a_newer_share_replaces_one_that_is_away(void **state)
{
    struct front_session s = {0};

    (void)state;
    front_session_invited(&s, 0, false);
    front_session_joined(&s, FRONT_ANSWER_OK);
    assert_int_equal(front_session_share(&s), FRONT_SUBMIT);
    assert_int_equal(front_session_share(&s), 0);
    assert_int_equal(front_session_submitted(&s, FRONT_ANSWER_OK), FRONT_SUBMIT);
    assert_int_equal(front_session_outcome(&s, 0), 0);
    assert_int_equal(front_session_submitted(&s, FRONT_ANSWER_OK), FRONT_REPORT);
}

static void test_acknowledged_reports_make_room(void **state)
{
    struct front_session s = {0};
    uint32_t attempt;

    (void)state;
    for (uint32_t a = 0; a < 3 * FRONT_ATTEMPTS_MAX; a++) {
        front_session_invited(&s, a, false);
        front_session_joined(&s, FRONT_ANSWER_OK);
        assert_int_equal(front_session_outcome(&s, a), FRONT_REPORT);
        assert_true(front_session_next_report(&s, &attempt));
        assert_int_equal(attempt, a);
        front_session_reported(&s, a, FRONT_ANSWER_OK);
    }
}

static void test_unacknowledged_reports_are_bounded(void **state)
{
    struct front_session s = {0};

    (void)state;
    front_session_invited(&s, 1000, false);
    for (uint32_t a = 0; a < 3 * FRONT_ATTEMPTS_MAX; a++)
        front_session_outcome(&s, a);
    assert_int_equal(s.reports_n, FRONT_ATTEMPTS_MAX);
}

static void test_a_refused_token_may_be_replaced_by_the_host(void **state)
{
    struct front_session s = {0};

    (void)state;
    assert_int_equal(front_session_ask(&s), FRONT_JOIN);
    front_session_joined(&s, FRONT_ANSWER_REFUSED);
    assert_int_equal(front_session_retry(&s), 0);
    assert_int_equal(front_session_ask(&s), FRONT_JOIN);
    front_session_joined(&s, FRONT_ANSWER_OK);
    assert_int_equal(front_session_ask(&s), 0);
}

static void test_a_token_without_a_name_counts_for_the_attempt_it_came_with(void **state)
{
    struct front_session s = {0};

    (void)state;
    assert_int_equal(front_session_ask(&s), FRONT_JOIN);
    front_session_invited(&s, 0, true);
    assert_int_equal(front_session_invited(&s, 1, true), 0);
    assert_int_equal(front_session_joined(&s, FRONT_ANSWER_OK), FRONT_JOIN);
    assert_int_equal(front_session_joined(&s, FRONT_ANSWER_OK), 0);
}

static void test_an_answer_that_nobody_waits_for_changes_nothing(void **state)
{
    struct front_session s = {0};
    uint32_t attempt;

    (void)state;
    front_session_invited(&s, 0, false);
    front_session_outcome(&s, 0);
    front_session_reported(&s, 0, FRONT_ANSWER_OK);
    front_session_submitted(&s, FRONT_ANSWER_OK);
    assert_int_equal(front_session_joined(&s, FRONT_ANSWER_OK), FRONT_REPORT);
    assert_true(front_session_next_report(&s, &attempt));
    assert_int_equal(front_session_joined(&s, FRONT_ANSWER_LOST), 0);
    assert_false(front_session_has_due(&s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signing_starts_once_in_every_interleaving),
        cmocka_unit_test(test_a_delegates_share_is_safe_before_its_report),
        cmocka_unit_test(test_a_held_session_waits_for_its_host),
        cmocka_unit_test(test_a_caller_may_come_before_the_event),
        cmocka_unit_test(test_a_newer_share_replaces_one_that_is_away),
        cmocka_unit_test(test_acknowledged_reports_make_room),
        cmocka_unit_test(test_unacknowledged_reports_are_bounded),
        cmocka_unit_test(test_a_refused_token_may_be_replaced_by_the_host),
        cmocka_unit_test(test_a_token_without_a_name_counts_for_the_attempt_it_came_with),
        cmocka_unit_test(test_an_answer_that_nobody_waits_for_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
