/* SPDX-License-Identifier: Apache-2.0 */
/* The round engine, with a made-up protocol: the order of things, records, failure, misuse. Who
 * may speak and how often is in test_run. */
#include "../base/panics.h"
#include "toy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { B = QRT_KIND_BROADCAST, P = QRT_KIND_PRIVATE };

/* ---- the order of things ---- */

static void test_rounds_are_checked_then_written_in_order(void **state)
{
    static const char *const logs[] = {"w1", "w1c1w2", "w1c1w2p2c2w3", "w1c1w2p2c2w3p3c3w4",
                                       "w1c1w2p2c2w3p3c3w4p4c4"};
    static const size_t says[] = {1, 3, 2, 1, 0};
    struct qrt_run *run = toy_begin();

    (void)state;
    for (uint8_t round = 1; round <= 5; round++) {
        assert_string_equal(toy.log, logs[round - 1]);
        assert_int_equal(qrt_run_round(run), round < 4 ? round : 4);
        assert_int_equal(toy_drain(run), says[round - 1]);
        assert_int_equal(qrt_run_phase(run), round < 5 ? QRT_PHASE_RUNNING : QRT_PHASE_DONE);
        if (round < 5)
            assert_int_equal(toy_give_round(run, round), QRT_OK);
    }
    assert_int_equal(qrt_run_error(run), QRT_OK);
    toy_end(run);
}

static void test_every_message_says_what_and_from_whom_it_is(void **state)
{
    struct qrt_run *run = toy_begin();
    const struct qrt_msg *m;
    struct qrt_header h;

    (void)state;
    for (uint8_t round = 1; round <= 4; round++) {
        size_t privates = 0;

        while ((m = qrt_run_next(run))) {
            assert_int_equal(qrt_header_decode(&h, m->b, m->len), QRT_OK);
            assert_int_equal(h.protocol, QRT_KEYGEN);
            assert_int_equal(h.sender, toy_indices[0]);
            assert_int_equal(h.receiver, m->to);
            assert_int_equal(m->to, m->kind == B ? QRT_EVERYBODY : toy_indices[1 + privates++]);
            assert_int_equal(h.round, m->round);
            assert_int_equal(m->round, round);
            assert_int_equal(h.kind, m->kind);
            assert_int_equal(h.payload_len, qrt_payload_size(QRT_KEYGEN, round, m->kind, 2));
            assert_int_equal(m->len, QRT_HEADER_BYTES + h.payload_len);
            assert_memory_equal(h.sid, qrt_run_sid(run), 32);
            assert_memory_equal(h.echo, run->echo[round], 32);
            for (size_t i = QRT_HEADER_BYTES; i < m->len; i++)
                assert_int_equal(m->b[i], 16 * round + 128 * (m->kind == P));
        }
        assert_int_equal(privates, round == 2 || round == 3 ? 2 : 0);
        assert_int_equal(toy_give_round(run, round), QRT_OK);
    }
    toy_end(run);
}

static void test_early_messages_in_reverse_are_kept_and_used_at_once(void **state)
{
    struct qrt_run *run = toy_begin();

    (void)state;
    for (size_t i = toy_tape.n; i-- > 1;) {
        assert_int_equal(toy_give(run, &toy_tape.p[i]), QRT_OK);
        assert_string_equal(toy.log, "w1");
    }
    assert_int_equal(toy_give(run, &toy_tape.p[0]), QRT_OK);
    assert_string_equal(toy.log, "w1c1w2p2c2w3p3c3w4p4c4");
    assert_int_equal(qrt_run_phase(run), QRT_PHASE_DONE);
    assert_int_equal(toy_drain(run), 7); /* nothing is lost by running ahead */
    toy_end(run);
}

static void test_whoever_lacks_a_message_is_waited_for(void **state)
{
    struct qrt_run *run = toy_begin();
    uint16_t out[TOY_N] = {0};

    (void)state;
    assert_int_equal(qrt_run_waiting_for(run, out, TOY_N), 2);
    assert_int_equal(out[0], toy_indices[1]);
    assert_int_equal(out[1], toy_indices[2]);
    assert_int_equal(out[2], 0);
    assert_int_equal(toy_give(run, toy_taped(1, B, toy_indices[1])), QRT_OK);
    assert_int_equal(qrt_run_waiting_for(run, out, 1), 1);
    assert_int_equal(out[0], toy_indices[2]);
    assert_int_equal(toy_give(run, toy_taped(2, P, toy_indices[1])),
                     QRT_OK); /* early: round 1 is awaited */
    assert_int_equal(qrt_run_waiting_for(run, out, TOY_N), 1);
    assert_int_equal(toy_give(run, toy_taped(1, B, toy_indices[2])), QRT_OK);
    assert_int_equal(qrt_run_waiting_for(run, out, TOY_N), 2); /* half a round is not enough */
    assert_int_equal(toy_give(run, toy_taped(2, B, toy_indices[1])), QRT_OK);
    out[0] = 0;
    assert_int_equal(qrt_run_waiting_for(run, out, 0), 1);
    assert_int_equal(out[0], 0);
    assert_int_equal(toy_give_round(run, 2), QRT_OK);
    assert_int_equal(qrt_run_waiting_for(run, NULL, 0), 2);
    assert_int_equal(toy_give_round(run, 3), QRT_OK);
    assert_int_equal(toy_give_round(run, 4), QRT_OK);
    assert_int_equal(qrt_run_waiting_for(run, out, TOY_N), 0);
    toy_end(run);
    toy.fail_check = 1;
    toy.error = QRT_E_KG_PROOF;
    run = toy_begin();
    assert_int_equal(toy_give_round(run, 1), QRT_E_KG_PROOF);
    assert_int_equal(qrt_run_waiting_for(run, out, TOY_N), 0);
    toy_end(run);
}

/* ---- records ---- */

static void test_nothing_moves_while_a_record_waits(void **state)
{
    struct qrt_run *run;

    (void)state;
    toy.hold[0] = 2;
    run = toy_begin();
    assert_int_equal(toy_drain(run), 1);
    for (uint8_t round = 1; round <= 4; round++) /* rounds 2 to 4 arrive while it waits */
        assert_int_equal(toy_give_round(run, round), QRT_OK);
    assert_string_equal(toy.log, "w1c1w2");
    assert_non_null(qrt_run_record(run));
    assert_int_equal(qrt_run_record(run)->kind, QRT_RECORD_GATE);
    assert_int_equal(qrt_run_record(run)->len, 32);
    assert_ptr_equal(qrt_run_record(run)->b, run->sid);
    assert_null(qrt_run_next(run));
    assert_int_equal(qrt_run_waiting_for(run, NULL, 0), 0); /* it may be they who wait */
    assert_int_equal(qrt_run_confirm(run), QRT_OK);
    assert_null(qrt_run_record(run));
    assert_string_equal(toy.log, "w1c1w2p2c2w3p3c3w4p4c4");
    assert_int_equal(qrt_run_phase(run), QRT_PHASE_DONE);
    assert_int_equal(toy_drain(run), 6);
    assert_int_equal(qrt_run_confirm(run), QRT_E_STATE);
    toy_end(run);
}

static void test_a_confirmed_record_may_uncover_the_next(void **state)
{
    struct qrt_run *run;

    (void)state;
    toy.hold[0] = 2;
    toy.hold[1] = 4;
    run = toy_begin();
    for (uint8_t round = 1; round <= 4; round++)
        assert_int_equal(toy_give_round(run, round), QRT_OK);
    assert_int_equal(qrt_run_confirm(run), QRT_OK);
    assert_string_equal(toy.log, "w1c1w2p2c2w3p3c3w4");
    assert_int_equal(qrt_run_phase(run), QRT_PHASE_RUNNING);
    assert_null(qrt_run_next(run)); /* not even what was written before the second record */
    assert_int_equal(qrt_run_confirm(run), QRT_OK);
    assert_int_equal(qrt_run_phase(run), QRT_PHASE_DONE);
    assert_int_equal(toy_drain(run), 7);
    toy_end(run);
}

static void test_a_confirm_can_be_where_a_run_fails(void **state)
{
    struct qrt_run *run;

    (void)state;
    toy.hold[0] = 2;
    toy.fail_check = 3;
    toy.error = QRT_E_KG_SHARE;
    run = toy_begin();
    for (uint8_t round = 1; round <= 3; round++)
        assert_int_equal(toy_give_round(run, round), QRT_OK);
    assert_int_equal(qrt_run_confirm(run), QRT_E_KG_SHARE);
    assert_int_equal(qrt_run_phase(run), QRT_PHASE_FAILED);
    assert_int_equal(qrt_run_confirm(run), QRT_E_STATE);
    toy_end(run);
}

static void test_confirm_and_refuse_need_a_record(void **state)
{
    struct qrt_run *run = toy_begin();

    (void)state;
    assert_int_equal(qrt_run_confirm(run), QRT_E_STATE);
    qrt_run_refuse(run);
    assert_int_equal(qrt_run_phase(run), QRT_PHASE_RUNNING);
    for (uint8_t round = 1; round <= 4; round++)
        assert_int_equal(toy_give_round(run, round), QRT_OK);
    qrt_run_refuse(run);
    assert_int_equal(qrt_run_confirm(run), QRT_E_STATE);
    assert_int_equal(qrt_run_phase(run), QRT_PHASE_DONE);
    toy_end(run);
}
/* ---- failure ---- */

static void test_any_step_that_fails_ends_in_one_abort(void **state)
{
    (void)state;
    for (uint8_t step = 0; step < 3; step++)
        for (uint8_t round = 2; round <= 4; round++) {
            struct qrt_run *run;

            (void)toy_reset(NULL);
            toy.error = QRT_E_SG_NONCE_PRODUCT;
            *(step == 0 ? &toy.fail_write : step == 1 ? &toy.fail_parse : &toy.fail_check) = round;
            run = toy_begin();
            for (uint8_t r = 1; r < round; r++)
                assert_int_equal(toy_give_round(run, r),
                                 step == 0 && r == round - 1 ? QRT_E_SG_NONCE_PRODUCT : QRT_OK);
            if (step)
                assert_int_equal(toy_give_round(run, round), QRT_E_SG_NONCE_PRODUCT);
            toy_expect_failed(run, QRT_E_SG_NONCE_PRODUCT, toy_indices[1], round);
        }
}

/* A broadcast that never left may hold shares of a signature; one that left is public. */
static void test_a_broadcast_that_did_not_leave_is_wiped_by_a_failure(void **state)
{
    for (unsigned left = 0; left < 2; left++) {
        struct qrt_run *run;
        const uint8_t *first, *second;

        (void)toy_reset(state);
        toy.fail_check = 2;
        toy.error = QRT_E_KG_PROOF;
        run = toy_begin();
        first = qrt_run_inbox(run, 1, QRT_KIND_BROADCAST, 0);
        second = qrt_run_inbox(run, 2, QRT_KIND_BROADCAST, 0);
        assert_int_equal(toy_drain(run), 1);
        assert_int_equal(toy_give_round(run, 1), QRT_OK);
        toy_expect_all(second, 195, 0x20);
        if (left)
            assert_non_null(qrt_run_next(run));
        assert_int_equal(toy_give_round(run, 2), QRT_E_KG_PROOF);
        toy_expect_all(first, 64, 0x10);
        toy_expect_all(second, 195, left ? 0x20 : 0);
        toy_expect_failed(run, QRT_E_KG_PROOF, toy_indices[1], 2);
    }
}

static void test_a_first_round_that_cannot_be_written_fails_the_run(void **state)
{
    struct qrt_run *run;

    (void)state;
    toy.fail_write = 1;
    toy.error = QRT_E_INTERNAL;
    run = toy_start(0);
    toy.watched = run;
    assert_int_equal(qrt_run_begin(run), QRT_E_INTERNAL);
    toy_expect_failed(run, QRT_E_INTERNAL, toy_indices[1], 1);
}

static void test_a_burn_is_recorded_before_the_abort_leaves(void **state)
{
    struct qrt_run *run;

    (void)state;
    toy.fail_check = 1;
    toy.error = QRT_E_SG_EXTENSION;
    run = toy_begin();
    assert_int_equal(toy_give_round(run, 1), QRT_E_SG_EXTENSION);
    assert_null(qrt_run_next(run));
    assert_non_null(qrt_run_record(run));
    assert_int_equal(qrt_run_record(run)->kind, QRT_RECORD_BURN);
    assert_ptr_equal(qrt_run_record(run)->b, run->burn);
    assert_int_equal(qrt_run_record(run)->len, 11);
    toy_expect_all(run->secret, run->secret_len, 0);
    assert_int_equal(qrt_run_confirm(run), QRT_OK);
    toy_expect_failed(run, QRT_E_SG_EXTENSION, toy_indices[1], 1);
}

/* A burn that is not durable: nobody may hear of it. */
static void test_a_refused_burn_keeps_the_abort_back(void **state)
{
    struct qrt_run *run;

    (void)state;
    toy.fail_check = 1;
    toy.error = QRT_E_SG_EXTENSION;
    run = toy_begin();
    assert_int_equal(toy_give_round(run, 1), QRT_E_SG_EXTENSION);
    qrt_run_refuse(run);
    assert_null(qrt_run_record(run));
    assert_int_equal(qrt_run_error(run), QRT_E_SG_EXTENSION);
    assert_int_equal(qrt_run_culprit(run), toy_indices[1]);
    assert_int_equal(qrt_run_confirm(run), QRT_E_STATE);
    assert_null(qrt_run_next(run));
    toy_end(run);
}

static void test_a_refused_record_ends_the_run(void **state)
{
    struct qrt_run *run;

    (void)state;
    toy.hold[0] = 2;
    run = toy_begin();
    assert_int_equal(toy_give_round(run, 1), QRT_OK);
    assert_int_equal(qrt_run_waiting_for(run, NULL, 0), 0);
    qrt_run_refuse(run);
    toy_expect_failed(run, QRT_E_REFUSED, 0, 2);
}

static void test_other_echoes_end_the_run_before_anything_is_parsed(void **state)
{
    static const uint8_t kinds[][2] = {{1, B}, {2, B}, {2, P}, {3, P}, {4, B}};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (size_t from = 1; from < TOY_N; from++)
            for (size_t at = 48; at < 80; at += 31) {
                const struct parcel *p = toy_taped(kinds[i][0], kinds[i][1], toy_indices[from]);
                char expected[64];
                struct qrt_run *run;

                (void)toy_reset(NULL);
                run = toy_begin();
                for (uint8_t r = 1; r < p->round; r++)
                    assert_int_equal(toy_give_round(run, r), QRT_OK);
                snprintf(expected, sizeof expected, "%s", toy.log);
                p->b[at] ^= 0x80;
                assert_int_equal(toy_give(run, p), QRT_OK);
                p->b[at] ^= 0x80;
                for (size_t k = 0; k < toy_tape.n; k++)
                    if (toy_tape.p[k].round == p->round && &toy_tape.p[k] != p)
                        (void)toy_give(run, &toy_tape.p[k]);
                assert_string_equal(toy.log, expected);
                toy_expect_failed(run, QRT_E_ECHO, 0, p->round);
            }
}
/* ---- misuse, and the end ---- */

static struct qrt_run *moved;

static void recv_copy(void)
{
    (void)toy_give(moved, &toy_tape.p[0]);
}

static void next_copy(void)
{
    (void)qrt_run_next(moved);
}

static void confirm_copy(void)
{
    (void)!qrt_run_confirm(moved);
}

static void refuse_copy(void)
{
    qrt_run_refuse(moved);
}

static void fill_copy(void)
{
    struct qrt_header h;
    struct qrt_slot *slot;
    size_t pos;

    if (!qrt_header_decode(&h, toy_tape.p[0].b, toy_tape.p[0].len) &&
        !qrt_run_find(moved, &h, &slot, &pos))
        (void)!qrt_run_fill(moved, slot, &h, toy_tape.p[0].b + QRT_HEADER_BYTES);
}

static void test_a_copied_run_dies(void **state)
{
    struct qrt_run *run = toy_begin();

    (void)state;
    moved = aligned_alloc(QRT_ALIGN, run->size);
    memcpy(moved, run, run->size);
    assert_true(panics(recv_copy));
    assert_true(panics(next_copy));
    assert_true(panics(confirm_copy));
    assert_true(panics(refuse_copy));
    assert_true(panics(fill_copy));
    free(moved);
    moved = run; /* the original lives */
    assert_false(panics(next_copy));
    assert_false(panics(recv_copy));
    toy_end(run);
}

static void fill_twice(void)
{
    fill_copy();
    fill_copy();
}

static void fail_twice(void)
{
    (void)qrt_run_fail(moved, QRT_E_ECHO);
    (void)qrt_run_fail(moved, QRT_E_ECHO);
}

static void fail_without_reason(void)
{
    (void)qrt_run_fail(moved, QRT_E_STATE);
}

static void own_row(void)
{
    (void)qrt_run_peer_row(moved, 0);
}

static void misaligned(void)
{
    struct qrt_run_params p = {.def = &toy_def, .index = toy_indices, .n = TOY_N, .t = 2};

    qrt_run_init((struct qrt_run *)(void *)((uint8_t *)moved + 8), full_ctx(), &p);
}

static void test_bugs_of_the_caller_die(void **state)
{
    (void)state;
    moved = toy_begin();
    assert_false(panics(fill_copy));
    assert_true(panics(fill_twice));
    assert_true(panics(fail_twice));
    assert_true(panics(fail_without_reason));
    assert_true(panics(own_row));
    assert_true(panics(misaligned));
    toy_end(moved);
}

static void test_rows_of_peers_leave_out_the_own_one(void **state)
{
    (void)state;
    for (size_t own = 0; own < TOY_N; own++) {
        struct qrt_run *run = toy_start(own);
        size_t row = 0;

        for (size_t i = 0; i < TOY_N; i++) {
            assert_int_equal(qrt_run_position(run, toy_indices[i]), i);
            if (i != own)
                assert_int_equal(qrt_run_peer_row(run, i), row++);
        }
        assert_int_equal(qrt_run_position(run, 6), TOY_N);
        toy_end(run);
    }
}

static void test_wiping_leaves_no_byte(void **state)
{
    struct qrt_run *run = toy_begin();
    size_t size = run->size;

    (void)state;
    assert_int_equal(toy_give_round(run, 1), QRT_OK);
    qrt_run_wipe(run);
    toy_expect_all((const uint8_t *)run, size, 0);
    free(run);
}

static void test_the_broadcast_hash_knows_order_round_and_session(void **state)
{
    uint8_t a[32] = {1}, b[32] = {2}, sid[32] = {3}, other[32] = {4}, base[32], h[32];
    struct qrt_broadcasts x = {.n = 2, .index = {1, 2}, .payload = {a, b}, .len = 32};
    struct qrt_broadcasts y = {.n = 2, .index = {1, 2}, .payload = {b, a}, .len = 32};
    struct qrt_broadcasts z = {.n = 2, .index = {1, 3}, .payload = {a, b}, .len = 32};

    (void)state;
    qrt_broadcasts_hash(full_ctx(), base, sid, 1, &x);
    qrt_broadcasts_hash(full_ctx(), h, sid, 2, &x);
    assert_memory_not_equal(h, base, 32);
    qrt_broadcasts_hash(full_ctx(), h, other, 1, &x);
    assert_memory_not_equal(h, base, 32);
    qrt_broadcasts_hash(full_ctx(), h, sid, 1, &y);
    assert_memory_not_equal(h, base, 32);
    qrt_broadcasts_hash(full_ctx(), h, sid, 1, &z);
    assert_memory_not_equal(h, base, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_rounds_are_checked_then_written_in_order, toy_reset),
        cmocka_unit_test_setup(test_every_message_says_what_and_from_whom_it_is, toy_reset),
        cmocka_unit_test_setup(test_early_messages_in_reverse_are_kept_and_used_at_once, toy_reset),
        cmocka_unit_test_setup(test_whoever_lacks_a_message_is_waited_for, toy_reset),
        cmocka_unit_test_setup(test_nothing_moves_while_a_record_waits, toy_reset),
        cmocka_unit_test_setup(test_a_confirmed_record_may_uncover_the_next, toy_reset),
        cmocka_unit_test_setup(test_a_confirm_can_be_where_a_run_fails, toy_reset),
        cmocka_unit_test_setup(test_confirm_and_refuse_need_a_record, toy_reset),
        cmocka_unit_test_setup(test_any_step_that_fails_ends_in_one_abort, toy_reset),
        cmocka_unit_test_setup(test_a_broadcast_that_did_not_leave_is_wiped_by_a_failure,
                               toy_reset),
        cmocka_unit_test_setup(test_a_first_round_that_cannot_be_written_fails_the_run, toy_reset),
        cmocka_unit_test_setup(test_a_burn_is_recorded_before_the_abort_leaves, toy_reset),
        cmocka_unit_test_setup(test_a_refused_burn_keeps_the_abort_back, toy_reset),
        cmocka_unit_test_setup(test_a_refused_record_ends_the_run, toy_reset),
        cmocka_unit_test_setup(test_other_echoes_end_the_run_before_anything_is_parsed, toy_reset),
        cmocka_unit_test_setup(test_a_copied_run_dies, toy_reset),
        cmocka_unit_test_setup(test_bugs_of_the_caller_die, toy_reset),
        cmocka_unit_test_setup(test_rows_of_peers_leave_out_the_own_one, toy_reset),
        cmocka_unit_test_setup(test_wiping_leaves_no_byte, toy_reset),
        cmocka_unit_test_setup(test_the_broadcast_hash_knows_order_round_and_session, toy_reset),
    };

    return cmocka_run_group_tests_name("round", tests, toy_make_tape, toy_free_tape);
}
