/* SPDX-License-Identifier: Apache-2.0 */
/* All interleavings of small sessions against the promises of intake.h: a model that knows only the
 * promises counts starts. */
#include "participant/intake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char session_a[] = "11111111-1111-4111-8111-111111111111";
static const char session_b[] = "22222222-2222-4222-8222-222222222222";
/* What a message takes beside its bytes. */
#define HEAD sizeof(struct intake_message)
static const struct intake_limits limits = {8, 4, 3, 3 * HEAD + 100, 3 * HEAD + 150, 1000};

/* What can happen, each as often as the list of a test says. */
enum event { OPEN_0, OPEN_1, MESSAGE_0, MESSAGE_1, ENDED_0, CLOSE, EVENTS };

struct model {
    unsigned starts[2], delivered[2], sent[2];
    bool opened[2], ended_0, closed;
    int running; /* attempt, -1 none */
    int highest;
};

static enum intake_answer open_it(struct intake *in, struct intake_start *start, const char *id,
                                  uint32_t attempt, uint8_t hash_byte)
{
    uint8_t hash[32] = {hash_byte};
    const struct intake_open open = {id, attempt, hash, 5000};

    return intake_open(in, start, &open);
}

static unsigned count(struct intake_message *list)
{
    unsigned n = 0;

    for (const struct intake_message *m = list; m; m = m->next)
        n++;
    intake_messages_free(list);
    return n;
}

static void do_open(struct intake *in, struct model *m, uint32_t attempt)
{
    struct intake_start start;
    bool may = !m->closed && (int)attempt > m->highest;
    enum intake_answer answer;

    assert_int_equal(intake_is_new(in, session_a, attempt), may);
    answer = open_it(in, &start, session_a, attempt, 1);
    assert_int_equal(answer == INTAKE_START, may);
    if (!may) {
        assert_true(answer == INTAKE_REPEAT || answer == INTAKE_LATE);
        return;
    }
    m->starts[attempt]++;
    assert_int_equal(start.ends_lower, m->running >= 0);
    if (start.ends_lower)
        assert_int_equal(start.lower, m->running);
    m->delivered[attempt] += count(start.kept);
    m->running = m->highest = (int)attempt;
}

static void do_message(struct intake *in, struct model *m, uint32_t attempt)
{
    struct intake_message *message = intake_message_new(attempt, "party", (const uint8_t *)"x", 1);
    enum intake_delivery delivery = intake_deliver(in, session_a, message, 0);

    m->sent[attempt]++;
    if (m->running == (int)attempt) {
        assert_int_equal(delivery, INTAKE_TO_RUN);
        m->delivered[attempt]++;
    } else if (m->closed || (int)attempt <= m->highest) {
        assert_int_equal(delivery, INTAKE_DROPPED);
    } else {
        assert_int_equal(delivery, INTAKE_KEPT);
    }
    if (delivery != INTAKE_KEPT)
        free(message);
}

static void do_close(struct intake *in, struct model *m)
{
    uint32_t attempt = 9;
    bool runs = intake_close(in, session_a, 0, &attempt);

    assert_int_equal(runs, m->running >= 0);
    if (runs)
        assert_int_equal(attempt, m->running);
    m->running = -1;
    m->closed = true;
}

static void do_event(struct intake *in, struct model *m, enum event event)
{
    switch (event) {
    case OPEN_0:
    case OPEN_1:
        do_open(in, m, event == OPEN_1);
        break;
    case MESSAGE_0:
    case MESSAGE_1:
        do_message(in, m, event == MESSAGE_1);
        break;
    case ENDED_0:
        intake_ended(in, session_a, 0);
        if (m->running == 0)
            m->running = -1;
        break;
    case CLOSE:
        do_close(in, m);
        break;
    case EVENTS:
        break;
    }
}

static void play(const enum event *order, size_t n)
{
    struct intake *in = intake_new(&limits);
    struct model m = {.running = -1, .highest = -1};

    for (size_t i = 0; i < n; i++)
        do_event(in, &m, order[i]);
    assert_true(m.starts[0] <= 1 && m.starts[1] <= 1);
    /* Whoever was opened first of all, and not after a close, has started. */
    if (order[0] == OPEN_0)
        assert_int_equal(m.starts[0], 1);
    intake_free(in);
}

/* Every order of a multiset of events. */
static size_t permute(enum event *order, size_t at, unsigned left[EVENTS], size_t n)
{
    size_t played = 0;

    if (at == n) {
        play(order, n);
        return 1;
    }
    for (size_t e = 0; e < EVENTS; e++) {
        if (left[e] == 0)
            continue;
        left[e]--;
        order[at] = (enum event)e;
        played += permute(order, at + 1, left, n);
        left[e]++;
    }
    return played;
}

static void test_lesson_1_5_a_session_starts_exactly_once_in_every_order(void **state)
{
    unsigned left[EVENTS] = {
        [OPEN_0] = 2, [OPEN_1] = 2, [MESSAGE_0] = 2, [MESSAGE_1] = 1, [ENDED_0] = 1, [CLOSE] = 1};
    enum event order[9];

    (void)state;
    assert_int_equal(permute(order, 0, left, 9), 45360);
}

/* Without an end, an open session gets every message, whenever it came. */
static void test_lesson_1_5_no_message_is_lost_before_the_end(void **state)
{
    unsigned left[EVENTS] = {[OPEN_0] = 2, [MESSAGE_0] = 3};
    enum event order[5] = {0};
    struct intake *in;

    (void)state;
    assert_int_equal(permute(order, 0, left, 5), 10);
    for (size_t first = 0; first <= 3; first++) {
        struct model m = {.running = -1, .highest = -1};

        in = intake_new(&limits);
        for (size_t i = 0; i < 3; i++) {
            if (i == first)
                do_open(in, &m, 0);
            do_message(in, &m, 0);
        }
        if (first == 3)
            do_open(in, &m, 0);
        assert_int_equal(m.delivered[0], 3);
        intake_free(in);
    }
}

static void test_early_messages_keep_their_order(void **state)
{
    struct intake *in = intake_new(&limits);
    struct intake_start start;
    const struct intake_message *m;

    (void)state;
    for (uint8_t i = 0; i < 3; i++)
        assert_int_equal(
            intake_deliver(in, session_a, intake_message_new(i == 1, "party", &i, 1), 0),
            INTAKE_KEPT);
    assert_int_equal(open_it(in, &start, session_a, 0, 1), INTAKE_START);
    m = start.kept;
    assert_int_equal(m->b[0], 0);
    assert_int_equal(m->next->b[0], 2);
    assert_null(m->next->next);
    intake_messages_free(start.kept);
    assert_int_equal(open_it(in, &start, session_a, 1, 1), INTAKE_START);
    assert_int_equal(start.kept->b[0], 1);
    intake_messages_free(start.kept);
    intake_free(in);
}

static void test_messages_of_an_attempt_that_did_not_start_are_nobodys(void **state)
{
    struct intake *in = intake_new(&limits);
    struct intake_start start;

    (void)state;
    for (uint8_t i = 0; i < 2; i++)
        assert_int_equal(intake_deliver(in, session_a, intake_message_new(i, "party", &i, 1), 0),
                         INTAKE_KEPT);
    assert_int_equal(open_it(in, &start, session_a, 1, 1), INTAKE_START);
    assert_int_equal(start.kept->b[0], 1);
    assert_int_equal(count(start.kept), 1);
    assert_int_equal(intake_kept_bytes(in), 0);
    intake_free(in);
}

static void test_an_attempt_of_an_intent_runs_in_one_session_only(void **state)
{
    struct intake *in = intake_new(&limits);
    struct intake_start start;

    (void)state;
    assert_int_equal(open_it(in, &start, session_a, 1, 7), INTAKE_START);
    assert_int_equal(open_it(in, &start, session_b, 1, 7), INTAKE_USED);
    assert_int_equal(open_it(in, &start, session_b, 0, 7), INTAKE_USED);
    assert_int_equal(open_it(in, &start, session_b, 2, 7), INTAKE_START);
    assert_false(start.ends_lower);
    assert_int_equal(open_it(in, &start, session_b, 2, 8), INTAKE_REPEAT);
    intake_free(in);
}

static enum intake_delivery deliver(struct intake *in, const char *id, size_t len, int64_t now_ms)
{
    static const uint8_t b[600];
    struct intake_message *m = intake_message_new(0, "party", b, len);
    enum intake_delivery delivery = intake_deliver(in, id, m, now_ms);

    if (delivery != INTAKE_KEPT)
        free(m);
    return delivery;
}

static void test_bounds_hold_for_a_session_and_for_all(void **state)
{
    struct intake *in = intake_new(&limits);

    (void)state;
    assert_int_equal(deliver(in, session_a, 2 * HEAD + 101, 0), INTAKE_DROPPED);
    assert_int_equal(deliver(in, session_a, HEAD + 100, 0), INTAKE_KEPT);
    assert_int_equal(deliver(in, session_a, 1, 0), INTAKE_DROPPED);
    assert_int_equal(deliver(in, session_b, 50, 0), INTAKE_KEPT);
    assert_int_equal(intake_kept_bytes(in), 3 * HEAD + 150);
    intake_expire(in, 1000);
    assert_int_equal(intake_kept_bytes(in), 0);
    for (uint8_t i = 0; i < 3; i++)
        assert_int_equal(deliver(in, session_a, 1, 2000), INTAKE_KEPT);
    assert_int_equal(deliver(in, session_a, 1, 2000), INTAKE_DROPPED);
    intake_free(in);
}

/* What nobody invited to makes room for what comes now, be it of number or of memory. */
static void test_the_oldest_stranger_makes_room(void **state)
{
    struct intake *in = intake_new(&limits);
    struct intake_start start;

    (void)state;
    assert_int_equal(deliver(in, session_a, HEAD + 100, 0), INTAKE_KEPT);
    assert_int_equal(deliver(in, session_b, 100, 0), INTAKE_KEPT);
    assert_int_equal(intake_kept_bytes(in), HEAD + 100);
    assert_int_equal(open_it(in, &start, session_a, 0, 1), INTAKE_START);
    assert_null(start.kept);
    assert_int_equal(open_it(in, &start, session_b, 0, 2), INTAKE_START);
    assert_int_equal(count(start.kept), 1);
    assert_int_equal(intake_kept_bytes(in), 0);
    intake_free(in);
}

/* A party that is in no session of this one names as many as it likes. */
static void test_strangers_never_keep_an_open_out(void **state)
{
    struct intake *in = intake_new(&limits);
    struct intake_start start;
    char id[37];

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(id, sizeof id, "44444444-4444-4444-8444-%012u", i);
        assert_int_equal(deliver(in, id, 1, 0), INTAKE_KEPT);
        if (i % 100 == 0) {
            snprintf(id, sizeof id, "55555555-5555-4555-8555-%012u", i);
            (void)intake_close(in, id, 0, &(uint32_t){0});
        }
        assert_true(intake_sessions(in) <= 4);
    }
    for (unsigned i = 0; i < 8; i++) {
        snprintf(id, sizeof id, "33333333-3333-4333-8333-%012u", i);
        assert_int_equal(open_it(in, &start, id, 0, (uint8_t)i), INTAKE_START);
    }
    assert_int_equal(intake_sessions(in), 12);
    snprintf(id, sizeof id, "44444444-4444-4444-8444-%012u", 998);
    assert_int_equal(open_it(in, &start, id, 0, 8), INTAKE_FULL);
    intake_free(in);
}

/* Forgetting under pressure would allow a second start. */
static void test_a_full_table_refuses_and_does_not_forget(void **state)
{
    struct intake *in = intake_new(&limits);
    struct intake_start start;
    char id[37];

    (void)state;
    for (unsigned i = 0; i < 9; i++) {
        snprintf(id, sizeof id, "33333333-3333-4333-8333-%012u", i);
        assert_int_equal(open_it(in, &start, id, 0, (uint8_t)i),
                         i < 8 ? INTAKE_START : INTAKE_FULL);
        intake_ended(in, id, 0);
    }
    assert_int_equal(open_it(in, &start, "33333333-3333-4333-8333-000000000000", 0, 0),
                     INTAKE_REPEAT);
    intake_expire(in, 4999);
    assert_int_equal(intake_sessions(in), 8);
    intake_expire(in, 5000);
    assert_int_equal(intake_sessions(in), 0);
    intake_free(in);
}

static void test_sessions_and_intents_are_bounded_each(void **state)
{
    struct intake *in = intake_new(&limits);
    struct intake_start start;
    char id[37];

    (void)state;
    for (unsigned i = 0; i < 9; i++) {
        snprintf(id, sizeof id, "33333333-3333-4333-8333-%012u", i);
        assert_int_equal(open_it(in, &start, id, i, 1), i < 8 ? INTAKE_START : INTAKE_FULL);
    }
    intake_free(in);
    in = intake_new(&limits);
    for (unsigned i = 0; i < 9; i++)
        assert_int_equal(open_it(in, &start, session_a, i, (uint8_t)i),
                         i < 8 ? INTAKE_START : INTAKE_FULL);
    intake_free(in);
}

/* No stranger's messages make room: these all belong to sessions that were opened. */
static void test_early_messages_of_opened_sessions_are_bounded(void **state)
{
    static const uint8_t b[300];
    static const struct {
        const char *id;
        size_t len;
    } wanted[] = {{session_a, HEAD + 100}, {session_b, 50}, {session_b, 1}};
    struct intake *in = intake_new(&limits);
    struct intake_start start;

    (void)state;
    assert_int_equal(open_it(in, &start, session_a, 0, 1), INTAKE_START);
    assert_int_equal(open_it(in, &start, session_b, 0, 2), INTAKE_START);
    for (size_t i = 0; i < 3; i++) {
        struct intake_message *m = intake_message_new(1, "party", b, wanted[i].len);

        assert_int_equal(intake_deliver(in, wanted[i].id, m, 0),
                         i < 2 ? INTAKE_KEPT : INTAKE_DROPPED);
        if (i == 2)
            free(m);
    }
    intake_free(in);
}

static void test_a_running_session_outlives_its_time(void **state)
{
    struct intake *in = intake_new(&limits);
    struct intake_start start;
    struct intake_message *m = intake_message_new(0, "party", NULL, 0);

    (void)state;
    assert_int_equal(open_it(in, &start, session_a, 0, 1), INTAKE_START);
    intake_expire(in, 1 << 30);
    assert_int_equal(intake_deliver(in, session_a, m, 0), INTAKE_TO_RUN);
    free(m);
    intake_free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lesson_1_5_a_session_starts_exactly_once_in_every_order),
        cmocka_unit_test(test_lesson_1_5_no_message_is_lost_before_the_end),
        cmocka_unit_test(test_early_messages_keep_their_order),
        cmocka_unit_test(test_messages_of_an_attempt_that_did_not_start_are_nobodys),
        cmocka_unit_test(test_an_attempt_of_an_intent_runs_in_one_session_only),
        cmocka_unit_test(test_bounds_hold_for_a_session_and_for_all),
        cmocka_unit_test(test_the_oldest_stranger_makes_room),
        cmocka_unit_test(test_strangers_never_keep_an_open_out),
        cmocka_unit_test(test_a_full_table_refuses_and_does_not_forget),
        cmocka_unit_test(test_sessions_and_intents_are_bounded_each),
        cmocka_unit_test(test_early_messages_of_opened_sessions_are_bounded),
        cmocka_unit_test(test_a_running_session_outlives_its_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
