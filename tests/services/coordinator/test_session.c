/* SPDX-License-Identifier: Apache-2.0 */
/* The state machine of a session, tried in all interleavings: every order of every subset of a list
 * of facts (joins, marks, results, refusals, losses, timers, a cancellation, crashes), some of them
 * more than once, late, or about an attempt that is over. A crash takes the machine back to what
 * the log says, with or without the changes that nobody had waited for.
 *
 * The search walks states, not orders: two orders that lead to the same state go on as one. */
#include "seen.h"

#include "services/coordinator/choose.h"
#include "services/coordinator/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { DEADLINE = 1000, ATTEMPT = 100, FACTS_MAX = 24, SEATS_MAX = 3, STATE_LEN = 128 };

enum kind {
    JOIN,
    MARK,
    SIGNED,
    MADE,
    FAILED,
    LOST,
    /* at the attempt's deadline; when its reports have had their time */
    ATTEMPT_TIMER,
    REPORT_TIMER,
    /* the pause is over; also: the queue comes to a session that a start found between attempts */
    RESUME,
    CANCEL,
    CRASH,
    LOSSY_CRASH
};

struct fact {
    enum kind kind;
    uint8_t seat;
    /* of the report; for MADE also which result in |flag|; for FAILED: 0 it refused, 1 it may be
     * asked again, more: and its excuse is |flag| - 1 */
    uint32_t attempt;
    uint8_t flag;
    /* how often it may come */
    uint8_t times;
    /* FAILED: seats, a bit each, that it waited for */
    uint8_t waited;
};

struct model {
    enum session_type type;
    uint8_t seats_n, needed;
    uint32_t attempts;
    size_t facts_n;
    struct fact facts[FACTS_MAX];
};

/* What a log says, kept along with it. */
struct told {
    struct session s;
    uint32_t started, created;
    uint8_t finals, last_final;
    uint32_t last_attempt;
    /* failures, a bit each by their place in the list of facts, that it has */
    uint32_t failures;
};

struct node {
    struct session s;
    /* the whole log; the log as it is on the disk for sure */
    struct told log, disk;
    uint8_t left[FACTS_MAX];
    /* seats, a bit each, that a report has named by now */
    uint8_t named;
    /* seats whose last word was "not now" */
    uint8_t unwilling;
    /* between two attempts: for a pause, or since a start */
    bool is_pausing;
};

static const struct model *model;
static struct seen seen;

static uint8_t *put_session(uint8_t *at, const struct session *s)
{
    *at++ = (uint8_t)s->status;
    *at++ = (uint8_t)(s->is_open | s->has_result << 1 | (s->result[0] & 3) << 2);
    *at++ = (uint8_t)s->attempts_n;
    *at++ = s->joined_n;
    *at++ = s->completed_n;
    *at++ = (uint8_t)s->again_n;
    for (size_t i = 0; i < SEATS_MAX; i++) {
        *at++ = (uint8_t)s->seats[i];
        *at++ = (uint8_t)(s->seats[i] >> 8);
        *at++ = (uint8_t)s->trouble[i];
        *at++ = (uint8_t)s->bad_pairs[i];
    }
    return at;
}

static uint8_t *put_told(uint8_t *at, const struct told *t)
{
    at = put_session(at, &t->s);
    *at++ = (uint8_t)t->started;
    *at++ = (uint8_t)t->created;
    *at++ = t->finals;
    memcpy(at, &t->failures, 4);
    return at + 4;
}

/* True if the state is new. */
static bool visit(const struct node *node)
{
    uint8_t state[STATE_LEN] = {0}, *at = state;

    at = put_session(at, &node->s);
    at = put_told(at, &node->log);
    at = put_told(at, &node->disk);
    *at++ = node->named;
    *at++ = (uint8_t)(node->unwilling << 1 | node->is_pausing);
    memcpy(at, node->left, FACTS_MAX);
    assert_true(at + FACTS_MAX <= state + STATE_LEN);
    return seen_add(&seen, state, sizeof state);
}

static bool is_final_event(enum session_event_type type)
{
    return type >= EVENT_COMPLETED && type <= EVENT_CANCELLED;
}

static void tell(struct told *t, const struct session_event *event, const uint8_t *in, size_t in_n)
{
    if (t->finals > 0)
        assert_int_equal(event->type, EVENT_PARTY_COMPLETED);
    if (event->type == EVENT_STARTED) {
        assert_false(t->started >> event->attempt & 1);
        t->started |= 1U << event->attempt;
    }
    if (event->type == EVENT_CREATED && in_n > 0) {
        assert_false(t->created >> event->attempt & 1);
        assert_true(t->created == 0 || event->attempt == t->last_attempt + 1);
        t->created |= 1U << event->attempt;
        t->last_attempt = event->attempt;
    }
    if (is_final_event(event->type))
        t->finals++;
    session_replay(&t->s, event, in, in_n);
}

/* Every present fact of the row is what the log says. */
static void check_projection(const struct session *s, const struct told *log)
{
    assert_int_equal(s->status, log->s.status);
    assert_int_equal(s->attempts_n, log->s.attempts_n);
    assert_int_equal(s->joined_n, log->s.joined_n);
    assert_int_equal(s->completed_n, log->s.completed_n);
    for (size_t i = 0; i < s->seats_n; i++)
        assert_int_equal(s->seats[i] & (SEAT_IN | SEAT_JOINED | SEAT_DONE | SEAT_EVER),
                         log->s.seats[i] & (SEAT_IN | SEAT_JOINED | SEAT_DONE | SEAT_EVER));
    assert_int_equal(log->finals, session_is_final(s) ? 1 : 0);
}

static unsigned suspicion(const struct session *s, uint8_t seat)
{
    uint32_t trouble = session_trouble(s, seat);

    if (trouble > 0)
        return trouble + 1;
    return s->seats[seat] & SEAT_DOUBTED ? 1 : 0;
}

static bool choose(uint8_t *seats, const struct session *s)
{
    struct candidate candidates[SEATS_MAX] = {0};

    for (size_t i = 0; i < s->seats_n; i++)
        candidates[i] = (struct candidate){.is_able = !(s->seats[i] & SEAT_REFUSED),
                                           .suspicion = suspicion(s, (uint8_t)i),
                                           .capacity = 1,
                                           .turn = i,
                                           .bad_pairs = s->bad_pairs[i]};
    return choose_quorum(seats, candidates, s->seats_n, s->needed);
}

static void log_all(struct node *node, const struct session_out *out, const uint8_t *in,
                    size_t in_n)
{
    bool is_durable = false;

    for (size_t i = 0; i < out->events_n; i++) {
        tell(&node->log, &out->events[i], in, in_n);
        is_durable = is_durable || out->events[i].type == EVENT_CREATED ||
                     is_final_event(out->events[i].type);
    }
    if (is_durable)
        node->disk = node->log;
}

static void fail_session(struct node *node)
{
    struct session_out next = {0};

    assert_true(session_fail(&node->s, &next));
    log_all(node, &next, NULL, 0);
}

static void begin_next(struct node *node, const uint8_t *seats)
{
    struct session_out next = {0};

    assert_true(session_attempt(&node->s, &next, seats, ATTEMPT, false));
    log_all(node, &next, seats, node->s.needed);
}

/* A pause is for those alone without whom there is no quorum. */
static bool is_forced(const struct session *s)
{
    size_t willing = 0;

    for (size_t i = 0; i < s->seats_n; i++)
        willing += (s->seats[i] & (SEAT_SUSPECT | SEAT_REFUSED | SEAT_UNWILLING)) == 0;
    return willing < s->needed;
}

/* As the service does after an attempt: another one, at once or after a pause, or the end. */
static void after(struct node *node, const struct session_out *out)
{
    uint8_t seats[QRT_PARTIES_MAX];
    int64_t pause;

    if (!out->attempt_over)
        return;
    assert_false(node->s.is_open);
    assert_false(session_is_final(&node->s));
    if (!session_wants_attempt(&node->s) || !choose(seats, &node->s)) {
        fail_session(node);
        return;
    }
    pause = session_pause_ms(&node->s, seats, ATTEMPT);
    assert_true(pause >= 0 && ATTEMPT + pause < DEADLINE);
    if (pause > 0) {
        assert_true(is_forced(&node->s));
        node->is_pausing = true;
    } else {
        begin_next(node, seats);
    }
}

static void resume(struct node *node)
{
    uint8_t seats[QRT_PARTIES_MAX];

    if (!node->is_pausing || session_is_final(&node->s))
        return;
    node->is_pausing = false;
    assert_true(session_wants_attempt(&node->s));
    if (choose(seats, &node->s))
        begin_next(node, seats);
}

static struct session_failure failure_of(const struct fact *fact)
{
    return (struct session_failure){.attempt = fact->attempt,
                                    .seat = fact->seat,
                                    .culprit = SEAT_NONE,
                                    .waited = fact->waited,
                                    .retry = fact->flag > 0,
                                    .excuse = (enum excuse)(fact->flag > 1 ? fact->flag - 1 : 0)};
}

/* The reports that were written are read again. */
static void crash(struct node *node, const struct told *log)
{
    int64_t attempt_deadline = node->s.attempt_deadline_ms;

    node->log = node->disk = *log;
    node->s = node->log.s;
    node->s.attempt_deadline_ms = attempt_deadline;
    node->named = node->unwilling = 0;
    for (size_t i = 0; i < model->facts_n; i++) {
        const struct session_failure failure = failure_of(&model->facts[i]);

        if (!(node->log.failures >> i & 1))
            continue;
        session_recall(&node->s, &failure);
        if (failure.excuse)
            node->unwilling |= (uint8_t)(1 << failure.seat);
    }
    node->is_pausing = !session_is_final(&node->s) && !node->s.is_open;
}

/* As the test expects it to be taken. */
static void note_failure(struct node *node, const struct fact *fact)
{
    const struct session *s = &node->s;

    if (session_is_final(s) || fact->attempt >= s->attempts_n ||
        !(s->seats[fact->seat] & SEAT_EVER))
        return;
    node->named |= fact->waited;
    if (fact->flag > 1)
        node->unwilling |= (uint8_t)(1 << fact->seat);
    node->log.failures |= 1U << (fact - model->facts);
}

static void apply(struct node *node, const struct fact *fact)
{
    const struct session_failure failure = failure_of(fact);
    uint8_t result[32] = {fact->flag};
    struct session_out out = {0};
    struct session *s = &node->s;

    switch (fact->kind) {
    case JOIN:
        session_join(s, &out, fact->seat);
        break;
    case MARK:
        session_mark(s, fact->seat, fact->attempt);
        break;
    case SIGNED:
        session_signed(s, &out, fact->seat, fact->attempt);
        break;
    case MADE:
        session_made(s, &out, fact->seat, fact->attempt, result);
        break;
    case FAILED:
        note_failure(node, fact);
        session_failed(s, &out, &failure);
        break;
    case LOST:
        session_lost(s, &out, fact->seat);
        break;
    case ATTEMPT_TIMER:
        session_timer(s, &out, ATTEMPT);
        break;
    case REPORT_TIMER:
        session_timer(s, &out, ATTEMPT + SESSION_REPORT_MS);
        break;
    case RESUME:
        resume(node);
        return;
    case CANCEL:
        session_cancel(s, &out);
        break;
    case CRASH:
        crash(node, &node->log);
        break;
    case LOSSY_CRASH:
        crash(node, &node->disk);
        break;
    }
    log_all(node, &out, NULL, 0);
    after(node, &out);
}

/* Whatever it waits for, the deadline ends it. */
static void check_deadline(const struct node *node)
{
    struct session s = node->s;
    struct session_out out;
    bool was_final = session_is_final(&s);

    assert_int_equal(session_timer(&s, &out, DEADLINE), !was_final);
    assert_true(session_is_final(&s));
    if (was_final)
        assert_memory_equal(&s, &node->s, sizeof s);
    else
        assert_int_equal(s.status, SESSION_EXPIRED);
}

static void check_step(const struct node *before, const struct node *after_it,
                       const struct fact *fact)
{
    check_projection(&after_it->s, &after_it->log);
    assert_true(after_it->s.attempts_n <= model->attempts);
    assert_true(session_is_final(&after_it->s) || after_it->s.is_open || after_it->is_pausing);
    assert_true(after_it->s.joined_n <= model->needed);
    if (session_is_final(&before->s))
        assert_int_equal(after_it->s.status, before->s.status);
    if (fact->kind != LOSSY_CRASH)
        assert_true(after_it->s.attempts_n >= before->s.attempts_n);
}

static size_t in_the_way(const struct session *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->seats_n; i++)
        n += (s->seats[i] & (SEAT_SUSPECT | SEAT_UNWILLING)) != 0;
    return n;
}

/* Who waits for reports has no attempt to lose: one that all have joined is not over at its
 * deadline, and none begins with a party that was named, while there are others. */
static void check_blame(const struct node *before, const struct node *after_it,
                        const struct fact *fact)
{
    const struct session *s = &after_it->s;

    if (fact->kind == ATTEMPT_TIMER && before->s.joined_n == before->s.needed)
        assert_int_equal(s->attempts_n, before->s.attempts_n);
    if (s->attempts_n == before->s.attempts_n || s->seats_n - in_the_way(s) < s->needed)
        return;
    for (size_t i = 0; i < s->seats_n; i++)
        if (after_it->named >> i & 1)
            assert_false(s->seats[i] & SEAT_IN);
}

/* Nobody who said "not now" is asked while others can do, and nobody at once. */
static void check_excuses(const struct node *before, const struct node *after_it,
                          const struct fact *fact)
{
    const struct session *s = &after_it->s;

    if (s->attempts_n <= before->s.attempts_n)
        return;
    for (size_t i = 0; i < s->seats_n; i++)
        if ((s->seats[i] & SEAT_IN) && (after_it->unwilling >> i & 1))
            assert_true(fact->kind == RESUME && is_forced(s));
}

static size_t reached[SESSION_STATUSES];

static void walk(const struct node *node)
{
    if (!visit(node))
        return;
    reached[node->s.status]++;
    check_deadline(node);
    for (size_t i = 0; i < model->facts_n; i++) {
        struct node next;

        if (node->left[i] == 0)
            continue;
        next = *node;
        next.left[i]--;
        apply(&next, &model->facts[i]);
        check_step(node, &next, &model->facts[i]);
        check_blame(node, &next, &model->facts[i]);
        check_excuses(node, &next, &model->facts[i]);
        walk(&next);
    }
}

static void run(const struct model *m)
{
    struct node node = {0};
    struct session_out out;
    uint8_t seats[SEATS_MAX] = {0, 1, 2};

    model = m;
    memset(reached, 0, sizeof reached);
    session_init(&node.s, m->type, m->seats_n, m->needed, m->attempts, DEADLINE);
    node.log.s = node.disk.s = node.s;
    session_create(&node.s, &out);
    {
        struct session_out none;

        assert_true(session_attempt(&node.s, &none, seats, ATTEMPT, true));
        assert_int_equal(none.events_n, 0);
    }
    log_all(&node, &out, seats, m->needed);
    for (size_t i = 0; i < m->facts_n; i++)
        node.left[i] = m->facts[i].times;
    walk(&node);
    print_message("%zu states\n", seen.n);
    seen_free(&seen);
}

static void test_signing_in_all_interleavings(void **state)
{
    static const struct model m = {.type = SESSION_SIGN,
                                   .seats_n = 3,
                                   .needed = 2,
                                   .attempts = 3,
                                   .facts_n = 13,
                                   .facts = {{JOIN, 0, 0, 0, 2, 0},
                                             {JOIN, 1, 0, 0, 1, 0},
                                             {JOIN, 2, 0, 0, 1, 0},
                                             {SIGNED, 0, 0, 0, 2, 0},
                                             {SIGNED, 1, 0, 0, 1, 0},
                                             {SIGNED, 2, 1, 0, 1, 0},
                                             {FAILED, 0, 0, true, 1, 0},
                                             {FAILED, 1, 0, false, 1, 0},
                                             {LOST, 1, 0, 0, 1, 0},
                                             {REPORT_TIMER, 0, 0, 0, 1, 0},
                                             {CANCEL, 0, 0, 0, 1, 0},
                                             {CRASH, 0, 0, 0, 1, 0},
                                             {LOSSY_CRASH, 0, 0, 0, 1, 0}}};

    (void)state;
    run(&m);
    assert_true(reached[SESSION_COMPLETED] && reached[SESSION_FAILED] &&
                reached[SESSION_CANCELLED] && reached[SESSION_RUNNING] && reached[SESSION_WAITING]);
}

static void test_keygen_in_all_interleavings(void **state)
{
    static const struct model m = {.type = SESSION_KEYGEN,
                                   .seats_n = 2,
                                   .needed = 2,
                                   .attempts = 3,
                                   .facts_n = 13,
                                   .facts = {{JOIN, 0, 0, 0, 2, 0},
                                             {JOIN, 1, 0, 0, 1, 0},
                                             {MADE, 0, 0, 1, 2, 0},
                                             {MADE, 1, 0, 1, 1, 0},
                                             {MADE, 1, 0, 2, 1, 0},
                                             {MADE, 0, 1, 3, 1, 0},
                                             {MADE, 1, 1, 3, 1, 0},
                                             {FAILED, 1, 1, false, 1, 0},
                                             {LOST, 0, 0, 0, 1, 0},
                                             {REPORT_TIMER, 0, 0, 0, 1, 0},
                                             {CANCEL, 0, 0, 0, 1, 0},
                                             {CRASH, 0, 0, 0, 1, 0},
                                             {LOSSY_CRASH, 0, 0, 0, 1, 0}}};

    (void)state;
    run(&m);
    assert_true(reached[SESSION_COMPLETED] && reached[SESSION_FAILED] &&
                reached[SESSION_CANCELLED] && reached[SESSION_RUNNING]);
}

/* Seat 1 joins what it is asked for and then is silent; the others say so, sooner or later than
 * the timers. */
static void test_a_silent_party_in_all_interleavings(void **state)
{
    static const struct model m = {.type = SESSION_SIGN,
                                   .seats_n = 3,
                                   .needed = 2,
                                   .attempts = 4,
                                   .facts_n = 8,
                                   .facts = {{JOIN, 0, 0, 0, 3, 0},
                                             {JOIN, 1, 0, 0, 3, 0},
                                             {JOIN, 2, 0, 0, 3, 0},
                                             {FAILED, 0, 0, true, 1, 1 << 1},
                                             {FAILED, 2, 1, true, 1, 1 << 1},
                                             {ATTEMPT_TIMER, 0, 0, 0, 2, 0},
                                             {REPORT_TIMER, 0, 0, 0, 3, 0},
                                             {SIGNED, 0, 2, 0, 1, 0}}};

    (void)state;
    run(&m);
    assert_true(reached[SESSION_COMPLETED] && reached[SESSION_FAILED]);
}

/* Seat 0 says "not now" whenever it is asked, the others would do. */
static void test_a_party_that_says_not_now_in_all_interleavings(void **state)
{
    static const struct model m = {.type = SESSION_SIGN,
                                   .seats_n = 3,
                                   .needed = 2,
                                   .attempts = 4,
                                   .facts_n = 12,
                                   .facts = {{JOIN, 1, 0, 0, 1, 0},
                                             {FAILED, 0, 0, 1 + EXCUSE_REQUEST, 1, 0},
                                             {FAILED, 0, 1, 1 + EXCUSE_SHARE, 1, 0},
                                             {FAILED, 0, 2, 1 + EXCUSE_SHARE, 1, 0},
                                             {FAILED, 1, 0, 1, 1, 1 << 0},
                                             {FAILED, 2, 1, 1 + EXCUSE_PARTY, 1, 0},
                                             {LOST, 1, 0, 0, 1, 0},
                                             {SIGNED, 1, 1, 0, 1, 0},
                                             {RESUME, 0, 0, 0, 3, 0},
                                             {CANCEL, 0, 0, 0, 1, 0},
                                             {CRASH, 0, 0, 0, 1, 0},
                                             {LOSSY_CRASH, 0, 0, 0, 1, 0}}};

    (void)state;
    run(&m);
    assert_true(reached[SESSION_COMPLETED] && reached[SESSION_FAILED] &&
                reached[SESSION_CANCELLED]);
}

/* All are needed, and two of them want time. */
static void test_parties_that_all_are_needed_for_in_all_interleavings(void **state)
{
    static const struct model m = {.type = SESSION_SIGN,
                                   .seats_n = 3,
                                   .needed = 3,
                                   .attempts = 4,
                                   .facts_n = 10,
                                   .facts = {{JOIN, 1, 0, 0, 1, 0},
                                             {FAILED, 0, 0, 1 + EXCUSE_REQUEST, 1, 0},
                                             {FAILED, 0, 1, 1 + EXCUSE_REQUEST, 1, 0},
                                             {FAILED, 2, 1, 1 + EXCUSE_REQUEST, 1, 0},
                                             {FAILED, 0, 2, 1 + EXCUSE_PARTY, 1, 0},
                                             {FAILED, 2, 3, 1 + EXCUSE_REQUEST, 1, 0},
                                             {SIGNED, 1, 2, 0, 1, 0},
                                             {RESUME, 0, 0, 0, 4, 0},
                                             {CRASH, 0, 0, 0, 2, 0},
                                             {LOSSY_CRASH, 0, 0, 0, 1, 0}}};

    (void)state;
    run(&m);
    assert_true(reached[SESSION_COMPLETED] && reached[SESSION_FAILED]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signing_in_all_interleavings),
        cmocka_unit_test(test_keygen_in_all_interleavings),
        cmocka_unit_test(test_a_silent_party_in_all_interleavings),
        cmocka_unit_test(test_a_party_that_says_not_now_in_all_interleavings),
        cmocka_unit_test(test_parties_that_all_are_needed_for_in_all_interleavings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
