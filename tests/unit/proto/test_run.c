/* SPDX-License-Identifier: Apache-2.0 */
/* Who may speak, with a made-up protocol: who may speak, how often, and what an abort of
 * somebody else does. */
#include "base/bytes.h"
#include "toy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { B = QRT_KIND_BROADCAST, P = QRT_KIND_PRIVATE };

/* ---- who may speak, and how often ---- */

struct change {
    const char *what;
    uint8_t at, value;
    enum qrt_err e;
};

static void test_what_is_not_for_this_run_changes_nothing(void **state)
{
    static const struct change changes[] = {
        {"magic", 0, 'E', QRT_E_DROP_FOREIGN},   {"protocol", 4, 3, QRT_E_DROP_FOREIGN},
        {"profile", 5, 2, QRT_E_DROP_FOREIGN},   {"round 0", 6, 0, QRT_E_DROP_FOREIGN},
        {"round 5", 6, 5, QRT_E_DROP_FOREIGN},   {"kind 3", 7, 3, QRT_E_DROP_FOREIGN},
        {"sender", 9, 0xFF, QRT_E_DROP_FOREIGN}, {"receiver", 11, 6, QRT_E_DROP_FOREIGN},
        {"sid", 16, 8, QRT_E_DROP_FOREIGN},      {"sid", 47, 8, QRT_E_DROP_FOREIGN},
    };
    struct qrt_run *run = toy_begin();
    struct parcel own = {.from = 5};

    (void)state;
    for (size_t m = 0; m < toy_tape.n; m++)
        for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
            const struct parcel *p = &toy_tape.p[m];
            uint8_t was = p->b[changes[i].at];

            p->b[changes[i].at] = changes[i].value;
            assert_int_equal(toy_give(run, p), changes[i].e);
            p->b[changes[i].at] = was;
            assert_int_equal(qrt_run_recv(run, (uint16_t)(p->from ^ 1), p->b, p->len),
                             QRT_E_DROP_FOREIGN);
            assert_int_equal(qrt_run_recv(run, p->from, p->b, QRT_HEADER_BYTES - 1),
                             QRT_E_DROP_FOREIGN);
            if (p->kind == P) { /* to somebody else, and to everybody */
                qrt_be16_put(p->b + 10, toy_indices[p->from == toy_indices[1] ? 2 : 1]);
                assert_int_equal(toy_give(run, p), QRT_E_DROP_FOREIGN);
                qrt_be16_put(p->b + 10, QRT_EVERYBODY);
                assert_int_equal(toy_give(run, p), QRT_E_DROP_FOREIGN);
                qrt_be16_put(p->b + 10, toy_indices[0]);
            } else { /* to this party alone */
                qrt_be16_put(p->b + 10, toy_indices[0]);
                assert_int_equal(toy_give(run, p), QRT_E_DROP_FOREIGN);
                qrt_be16_put(p->b + 10, QRT_EVERYBODY);
            }
        }
    /* from oneself, and from somebody who sends both as a member and as a stranger */
    own.b = toy_taped(1, B, toy_indices[1])->b;
    own.len = toy_taped(1, B, toy_indices[1])->len;
    qrt_be16_put(own.b + 8, toy_indices[0]);
    assert_int_equal(toy_give(run, &own), QRT_E_DROP_FOREIGN);
    qrt_be16_put(own.b + 8, 4);
    own.from = 4;
    assert_int_equal(toy_give(run, &own), QRT_E_DROP_FOREIGN);
    qrt_be16_put(own.b + 8, toy_indices[1]);
    assert_string_equal(toy.log, "w1");
    assert_int_equal(qrt_run_waiting_for(run, NULL, 0), 2);
    for (uint8_t round = 1; round <= 4; round++)
        assert_int_equal(toy_give_round(run, round), QRT_OK);
    assert_int_equal(qrt_run_phase(run), QRT_PHASE_DONE);
    toy_end(run);
}

static void test_there_is_no_broadcast_in_round_three(void **state)
{
    struct qrt_run *run = toy_begin();
    struct parcel p = *toy_taped(1, B, toy_indices[1]);
    uint8_t b[QRT_HEADER_BYTES + 64];

    (void)state;
    memcpy(b, p.b, sizeof b);
    b[6] = 3;
    assert_int_equal(qrt_run_recv(run, p.from, b, sizeof b), QRT_E_DROP_UNEXPECTED);
    b[6] = 1;
    b[7] = P;
    qrt_be16_put(b + 10, toy_indices[0]);
    assert_int_equal(qrt_run_recv(run, p.from, b, sizeof b), QRT_E_DROP_UNEXPECTED);
    assert_int_equal(qrt_run_phase(run), QRT_PHASE_RUNNING);
    toy_end(run);
}

/* A private message is looked at once: what comes after it is not even compared. */
static enum qrt_err again(const struct parcel *p)
{
    return p->kind == B ? QRT_OK : QRT_E_DROP_DUPLICATE;
}

/* At the time, after its round, and when all is done. */
static void test_the_same_again_is_nothing_new(void **state)
{
    struct qrt_run *run = toy_begin();

    (void)state;
    for (uint8_t round = 1; round <= 4; round++) {
        assert_int_equal(toy_give(run, toy_taped(round, round == 3 ? P : B, toy_indices[2])),
                         QRT_OK);
        for (size_t i = 0; i < toy_tape.n; i++)
            if (toy_tape.p[i].round < round)
                assert_int_equal(toy_give(run, &toy_tape.p[i]), again(&toy_tape.p[i]));
        assert_int_equal(qrt_run_round(run), round);
        assert_int_equal(toy_give_round(run, round), QRT_OK);
    }
    assert_int_equal(qrt_run_phase(run), QRT_PHASE_DONE);
    for (size_t i = 0; i < toy_tape.n; i++)
        assert_int_equal(toy_give(run, &toy_tape.p[i]), again(&toy_tape.p[i]));
    toy_end(run);
}

static enum qrt_err give_changed(struct qrt_run *run, const struct parcel *p, size_t at)
{
    enum qrt_err e;

    p->b[at] ^= 1;
    e = toy_give(run, p);
    p->b[at] ^= 1;
    return e;
}

static void test_another_private_message_for_a_filled_slot_is_dropped(void **state)
{
    struct qrt_run *run = toy_begin();
    const struct parcel *p = toy_taped(2, P, toy_indices[1]);

    (void)state;
    assert_int_equal(toy_give(run, p), QRT_OK);
    assert_int_equal(toy_give(run, p), QRT_E_DROP_DUPLICATE);
    assert_int_equal(give_changed(run, p, QRT_HEADER_BYTES), QRT_E_DROP_DUPLICATE);
    assert_int_equal(give_changed(run, p, p->len - 1), QRT_E_DROP_DUPLICATE);
    assert_int_equal(give_changed(run, p, 48), QRT_E_DROP_DUPLICATE);
    assert_int_equal(qrt_run_recv(run, p->from, p->b, p->len - 1), QRT_E_DROP_DUPLICATE);
    assert_int_equal(qrt_run_recv(run, p->from, p->b, QRT_HEADER_BYTES), QRT_E_DROP_DUPLICATE);
    for (uint8_t round = 1; round <= 4; round++)
        assert_int_equal(toy_give_round(run, round), QRT_OK);
    assert_int_equal(qrt_run_phase(run), QRT_PHASE_DONE);
    toy_end(run);
}

static void test_another_broadcast_for_a_filled_slot_is_equivocation(void **state)
{
    static const long places[] = {48, 79, QRT_HEADER_BYTES, -1};

    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        for (uint8_t early = 0; early < 2; early++) {
            struct qrt_run *run = toy_begin();
            const struct parcel *p = toy_taped(2, B, toy_indices[2]);
            size_t at = places[i] < 0 ? p->len - 1 : (size_t)places[i];

            if (!early)
                assert_int_equal(toy_give_round(run, 1), QRT_OK);
            assert_int_equal(toy_give(run, p), QRT_OK);
            assert_int_equal(give_changed(run, p, at), QRT_E_EQUIVOCATION);
            toy_expect_failed(run, QRT_E_EQUIVOCATION, toy_indices[2], early ? 1 : 2);
        }
}

static void test_a_shorter_broadcast_for_a_filled_slot_is_equivocation(void **state)
{
    struct qrt_run *run = toy_begin();
    const struct parcel *p = toy_taped(1, B, toy_indices[2]);

    (void)state;
    assert_int_equal(toy_give(run, p), QRT_OK);
    assert_int_equal(qrt_run_recv(run, p->from, p->b, p->len - 1), QRT_E_EQUIVOCATION);
    toy_expect_failed(run, QRT_E_EQUIVOCATION, toy_indices[2], 1);
}

static void test_a_done_run_blames_nobody_any_more(void **state)
{
    struct qrt_run *run = toy_begin();

    (void)state;
    for (uint8_t round = 1; round <= 4; round++)
        assert_int_equal(toy_give_round(run, round), QRT_OK);
    for (size_t i = 0; i < toy_tape.n; i++) {
        const struct parcel *p = &toy_tape.p[i];

        assert_int_equal(give_changed(run, p, p->len - 1), QRT_E_DROP_DUPLICATE);
        assert_int_equal(qrt_run_recv(run, p->from, p->b, p->len - 1), QRT_E_DROP_DUPLICATE);
    }
    assert_int_equal(qrt_run_phase(run), QRT_PHASE_DONE);
    assert_int_equal(qrt_run_culprit(run), 0);
    toy_end(run);
}

static void test_a_wrong_length_is_its_senders(void **state)
{
    (void)state;
    for (size_t i = 0; i < toy_tape.n; i++)
        for (int d = -1; d <= 1; d++) {
            const struct parcel *p = &toy_tape.p[i];
            struct qrt_run *run = toy_begin();
            enum qrt_err e = p->kind == B ? QRT_E_MALFORMED_BROADCAST : QRT_E_MALFORMED_PRIVATE;
            size_t len = p->len - QRT_HEADER_BYTES;
            uint8_t *b = calloc(1, p->len + 1);

            memcpy(b, p->b, p->len);
            qrt_be32_put(b + 12, (uint32_t)(d ? len + (size_t)d : len + 1));
            assert_int_equal(qrt_run_recv(run, p->from, b, (size_t)((long)p->len + d)), e);
            toy_expect_failed(run, e, p->from, 1);
            free(b);
        }
}

/* ---- while a record is lent ---- */

static void abort_of(uint8_t b[QRT_HEADER_BYTES + QRT_ABORT_BYTES], uint16_t from, uint8_t round)
{
    struct qrt_header h = {.protocol = QRT_KEYGEN, .profile = 1, .round = round, .kind = 2};
    struct qrt_abort a = {
        .class = QRT_ABORT_BURN, .code = 32, .round = 2, .accused = toy_indices[0]};

    h.sender = from;
    h.receiver = QRT_EVERYBODY;
    h.payload_len = QRT_ABORT_BYTES;
    memset(h.sid, 7, sizeof h.sid);
    qrt_header_encode(b, &h);
    qrt_abort_encode(b + QRT_HEADER_BYTES, &a);
}

/* The host reads a record's bytes: whatever would end the run has to come again. */
static void test_nothing_ends_a_run_while_its_record_is_lent(void **state)
{
    uint8_t b[QRT_HEADER_BYTES + QRT_ABORT_BYTES];
    const struct parcel *early = toy_taped(4, B, toy_indices[1]);

    (void)state;
    abort_of(b, toy_indices[2], 3);
    toy.hold[0] = 2;
    for (unsigned ending = 0; ending < 4; ending++) {
        struct qrt_run *run = toy_begin();

        assert_int_equal(toy_give_round(run, 1), QRT_OK);
        for (unsigned later = 0; later < 2; later++) {
            enum qrt_err e = QRT_E_PEER_ABORT, got;

            if (ending == 0) {
                got = qrt_run_recv(run, toy_indices[2], b, sizeof b);
            } else if (ending == 1) {
                e = QRT_E_MALFORMED_BROADCAST;
                got = qrt_run_recv(run, early->from, early->b, early->len - 1);
            } else if (ending == 2) {
                const struct parcel *p = toy_taped(2, P, toy_indices[1]);

                e = QRT_E_MALFORMED_PRIVATE;
                got = qrt_run_recv(run, p->from, p->b, p->len - 1);
            } else {
                e = QRT_E_EQUIVOCATION;
                got = give_changed(run, toy_taped(1, B, toy_indices[1]), QRT_HEADER_BYTES);
            }
            assert_int_equal(got, later ? e : QRT_E_AGAIN);
            if (!later) {
                assert_int_equal(qrt_run_phase(run), QRT_PHASE_RUNNING);
                assert_int_equal(qrt_run_culprit(run), 0);
                assert_non_null(qrt_run_record(run));
                assert_int_equal(qrt_run_confirm(run), QRT_OK);
            }
        }
        assert_int_equal(qrt_run_phase(run), QRT_PHASE_FAILED);
        toy_end(run);
    }
}

/* ---- aborts of others ---- */

/* Whatever it says: it ends the run, accuses nobody and is not answered. */
static void test_an_abort_ends_the_run_without_another(void **state)
{
    uint8_t b[QRT_HEADER_BYTES + QRT_ABORT_BYTES];
    const struct qrt_peer_abort *said;
    struct qrt_run *run = toy_begin();

    (void)state;
    abort_of(b, toy_indices[2], 3);
    assert_null(qrt_run_peer_abort(run));
    assert_int_equal(qrt_run_recv(run, toy_indices[2], b, sizeof b), QRT_E_PEER_ABORT);
    assert_int_equal(qrt_run_phase(run), QRT_PHASE_FAILED);
    assert_int_equal(qrt_run_culprit(run), 0);
    assert_null(qrt_run_next(run));
    assert_null(qrt_run_record(run));
    toy_expect_all(run->secret, run->secret_len, 0);
    assert_int_equal(qrt_run_recv(run, toy_indices[2], b, sizeof b), QRT_E_STATE);
    said = qrt_run_peer_abort(run);
    assert_non_null(said);
    assert_int_equal(said->from, toy_indices[2]);
    assert_int_equal(said->error, QRT_E_SG_EXTENSION);
    assert_int_equal(said->round, 2);
    assert_int_equal(said->accused, toy_indices[0]);
    toy_end(run);
}

static void test_an_abort_with_a_code_of_later_versions_is_an_abort(void **state)
{
    uint8_t b[QRT_HEADER_BYTES + QRT_ABORT_BYTES];

    (void)state;
    for (unsigned code = 0; code < 256; code += 100) {
        struct qrt_run *run = toy_begin();

        abort_of(b, toy_indices[2], 1);
        b[81] = (uint8_t)code;
        assert_int_equal(qrt_run_recv(run, toy_indices[2], b, sizeof b), QRT_E_PEER_ABORT);
        assert_int_equal(qrt_run_peer_abort(run)->error, QRT_E_PEER_ABORT);
        toy_end(run);
    }
}

static void test_a_broken_or_late_abort_does_nothing(void **state)
{
    uint8_t b[QRT_HEADER_BYTES + QRT_ABORT_BYTES + 1] = {0};
    struct qrt_run *run = toy_begin();
    size_t len = sizeof b - 1;

    (void)state;
    abort_of(b, toy_indices[1], 4); /* beyond what the protocol takes */
    assert_int_equal(qrt_run_recv(run, toy_indices[1], b, len), QRT_E_DROP_UNEXPECTED);
    abort_of(b, toy_indices[1], 3);
    assert_int_equal(qrt_run_recv(run, toy_indices[1], b, len - 1), QRT_E_DROP_UNEXPECTED);
    assert_int_equal(qrt_run_recv(run, toy_indices[1], b, len + 1), QRT_E_DROP_UNEXPECTED);
    b[80] = 4; /* no class */
    assert_int_equal(qrt_run_recv(run, toy_indices[1], b, len), QRT_E_DROP_UNEXPECTED);
    b[80] = 1;
    assert_int_equal(qrt_run_recv(run, toy_indices[2], b, len), QRT_E_DROP_FOREIGN);
    b[10] = 0;
    assert_int_equal(qrt_run_recv(run, toy_indices[1], b, len), QRT_E_DROP_FOREIGN);
    b[10] = 0xFF;
    assert_int_equal(qrt_run_phase(run), QRT_PHASE_RUNNING);
    for (uint8_t round = 1; round <= 4; round++)
        assert_int_equal(toy_give_round(run, round), QRT_OK);
    assert_int_equal(qrt_run_recv(run, toy_indices[1], b, len), QRT_E_DROP_DUPLICATE);
    assert_int_equal(qrt_run_phase(run), QRT_PHASE_DONE);
    assert_null(qrt_run_peer_abort(run));
    toy_end(run);
}

/* ---- what was said ---- */

/* A private message holds shares: the next call overwrites it. A broadcast stays in its slot. */
static void test_a_private_message_is_forgotten_when_the_next_is_asked_for(void **state)
{
    struct qrt_run *run = toy_begin();
    const struct qrt_msg *m;
    const uint8_t *b;
    size_t len;

    (void)state;
    assert_int_equal(toy_drain(run), 1);
    assert_int_equal(toy_give_round(run, 1), QRT_OK);
    m = qrt_run_next(run);
    assert_int_equal(m->kind, B);
    b = m->b;
    m = qrt_run_next(run);
    assert_int_equal(b[QRT_HEADER_BYTES], 0x20);
    for (size_t i = 0; i < 2; i++) {
        assert_non_null(m);
        assert_int_equal(m->kind, P);
        b = m->b;
        len = m->len;
        assert_int_equal(b[len - 1], 0xA0);
        m = qrt_run_next(run);
        toy_expect_all(b, len, 0);
    }
    assert_null(m);
    toy_end(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_what_is_not_for_this_run_changes_nothing, toy_reset),
        cmocka_unit_test_setup(test_there_is_no_broadcast_in_round_three, toy_reset),
        cmocka_unit_test_setup(test_the_same_again_is_nothing_new, toy_reset),
        cmocka_unit_test_setup(test_another_private_message_for_a_filled_slot_is_dropped,
                               toy_reset),
        cmocka_unit_test_setup(test_another_broadcast_for_a_filled_slot_is_equivocation, toy_reset),
        cmocka_unit_test_setup(test_a_shorter_broadcast_for_a_filled_slot_is_equivocation,
                               toy_reset),
        cmocka_unit_test_setup(test_a_done_run_blames_nobody_any_more, toy_reset),
        cmocka_unit_test_setup(test_a_wrong_length_is_its_senders, toy_reset),
        cmocka_unit_test_setup(test_nothing_ends_a_run_while_its_record_is_lent, toy_reset),
        cmocka_unit_test_setup(test_an_abort_ends_the_run_without_another, toy_reset),
        cmocka_unit_test_setup(test_an_abort_with_a_code_of_later_versions_is_an_abort, toy_reset),
        cmocka_unit_test_setup(test_a_broken_or_late_abort_does_nothing, toy_reset),
        cmocka_unit_test_setup(test_a_private_message_is_forgotten_when_the_next_is_asked_for,
                               toy_reset),
    };

    return cmocka_run_group_tests_name("run", tests, toy_make_tape, toy_free_tape);
}
