/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ct.h"
#include "cheat.h"
#include "ot/pprf.h"
#include "setup.h"

#include <string.h>

/* Trees from random base OT keys. */
struct run {
    uint8_t sid[32], choice[16];
    uint8_t both[QRT_OT_N][2][16], chosen[QRT_OT_N][16];
    uint8_t msg[QRT_PPRF_BYTES];
    qrt_seeds bob, alice;
    uint8_t delta[16];
};

static void build(const struct qrt_ctx *ctx, struct run *r)
{
    for (size_t i = 0; i < QRT_OT_N; i++)
        memcpy(r->chosen[i], r->both[i][qrt_bit_get(r->choice, i)], 16);
    qrt_pprf_build(ctx, r->bob, r->msg, r->sid, (const uint8_t(*)[2][16])r->both);
}

static void start(const struct qrt_ctx *ctx, struct run *r, uint64_t seed)
{
    struct test_rng rng = {seed};

    test_rng_bytes(&rng, r->sid, 32);
    test_rng_bytes(&rng, r->choice, 16);
    test_rng_bytes(&rng, (uint8_t *)r->both, sizeof r->both);
    build(ctx, r);
}

static enum qrt_err eval(const struct qrt_ctx *ctx, struct run *r)
{
    return qrt_pprf_eval(ctx, r->alice, r->delta, r->sid, r->choice,
                         (const uint8_t(*)[16])r->chosen, r->msg);
}

static unsigned missing(const struct run *r, size_t tau)
{
    return r->delta[tau / 2] >> 4 * (tau % 2) & 15u;
}

static void assert_fails(const struct qrt_ctx *ctx, struct run *r)
{
    static const uint8_t zero[QRT_SEEDS_BYTES];

    memset(r->alice, 1, sizeof r->alice);
    memset(r->delta, 1, sizeof r->delta);
    assert_int_equal(eval(ctx, r), QRT_E_OT_TREE);
    assert_memory_equal(r->alice, zero, sizeof r->alice);
    assert_memory_equal(r->delta, zero, sizeof r->delta);
}

static void assert_punctured(const struct run *r)
{
    static const uint8_t zero[16];

    for (size_t tau = 0; tau < QRT_TREES; tau++) {
        unsigned y = 0;

        /* y* is made of the complements of the choice bits, the first one on top. */
        for (size_t d = 0; d < 4; d++)
            y = 2 * y + (unsigned)(1 ^ qrt_bit_get(r->choice, 4 * tau + d));
        assert_int_equal(missing(r, tau), y);
        for (size_t x = 0; x < QRT_LEAVES; x++)
            assert_memory_equal(r->alice[tau][x], x == y ? zero : r->bob[tau][x], 16);
    }
}

static void test_trees_have_the_known_answers(void **state)
{
    static const unsigned masks[] = {0, ~0u};
    static struct pair_seeds p;

    (void)state;
    for (size_t v = 0; v < QRT_ARRAY_LEN(masks); v++) {
        const struct qrt_ctx *ctx = test_ctx(masks[v]);

        setup_kat_pair(ctx, &p);
        assert_sha(ctx, p.bob, sizeof p.bob, kat_text("pprf", "seeds_sha"));
        assert_true(test_is_hex(p.delta, 16, kat_text("pprf", "delta_le")));
        for (size_t tau = 0; tau < QRT_TREES; tau++)
            assert_int_equal(p.delta[tau / 2] >> 4 * (tau % 2) & 15, kat_int("pprf", "ystar", tau));
    }
}

static void test_message_has_the_known_answer(void **state)
{
    static uint8_t ot1[QRT_OT1_BYTES];
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);
    struct qrt_ot_recv recv;
    struct qrt_drbg rng;
    uint8_t b33[33];

    (void)state;
    setup_sid(ctx, r.sid);
    setup_drbg(ctx, &rng, "kat-ot-recv");
    qrt_ot_recv_start(ctx, &recv, ot1, r.sid, &rng);
    setup_drbg(ctx, &rng, "kat-ot-send");
    setup_send(ctx, b33, r.both, &(struct qrt_ot1){.sid = r.sid, .b = ot1}, &rng);
    build(ctx, &r);
    assert_sha(ctx, r.msg, sizeof r.msg, kat_text("pprf", "msg_sha"));
}

static void test_receiver_has_every_leaf_but_the_one_his_choices_name(void **state)
{
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);

    (void)state;
    for (uint64_t v = 0; v < 20; v++) {
        start(ctx, &r, v);
        if (v < 2) {
            memset(r.choice, v ? 0xff : 0, 16);
            build(ctx, &r);
        }
        assert_int_equal(eval(ctx, &r), QRT_OK);
        assert_punctured(&r);
    }
}

/* protocol.md M.4g, D.4: a bet on one choice bit. */
static void test_a_wrong_correction_passes_only_if_the_choice_bit_is_the_other_one(void **state)
{
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);
    unsigned passed = 0;

    (void)state;
    start(ctx, &r, 5);
    for (size_t v = 0; v < QRT_TREES * 3 * 2; v++) {
        size_t tree = v / 6, depth = 1 + v / 2 % 3, side = v % 2;
        bool other = qrt_bit_get(r.choice, 4 * tree + depth) != side;

        cheat_pprf_branch(r.msg, tree, depth, side);
        if (other) {
            assert_int_equal(eval(ctx, &r), QRT_OK);
            assert_punctured(&r);
            passed++;
        } else {
            assert_fails(ctx, &r);
        }
        cheat_pprf_branch(r.msg, tree, depth, side);
    }
    assert_int_equal(passed, QRT_TREES * 3);
}

/* protocol.md M.4g: who bets on a random branch without knowing the choice bits wins one time in two,
 * and learns one bit by it. 800 bets, bounds of four standard deviations around 400. */
static void test_bets_on_random_branches_pass_one_time_in_two(void **state)
{
    enum { BETS = 800, DEVIATIONS = 57 };
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);
    struct test_rng bettor = {4};
    unsigned passed = 0;

    (void)state;
    for (uint64_t v = 0; v < BETS; v++) {
        size_t tree = (size_t)test_rng_below(&bettor, QRT_TREES);
        size_t depth = 1 + (size_t)test_rng_below(&bettor, 3);
        size_t side = (size_t)test_rng_below(&bettor, 2);

        start(ctx, &r, 1000 + v); /* fresh keys and choice bits */
        cheat_pprf_branch(r.msg, tree, depth, side);
        passed += eval(ctx, &r) == QRT_OK;
    }
    assert_in_range(passed, BETS / 2 - DEVIATIONS, BETS / 2 + DEVIATIONS);
}

static void test_a_changed_leaf_sum_or_digest_is_always_found(void **state)
{
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);

    (void)state;
    start(ctx, &r, 6);
    for (size_t tau = 0; tau < QRT_TREES; tau++) {
        r.msg[128 * tau + 96 + tau] ^= 0x80;
        assert_fails(ctx, &r);
        r.msg[128 * tau + 96 + tau] ^= 0x80;
        r.msg[4096 + tau] ^= 1;
        assert_fails(ctx, &r);
        r.msg[4096 + tau] ^= 1;
    }
    assert_int_equal(eval(ctx, &r), QRT_OK);
}

static void test_a_wrong_key_or_session_is_found(void **state)
{
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);

    (void)state;
    start(ctx, &r, 7);
    for (size_t i = 0; i < QRT_OT_N; i += 9) {
        r.chosen[i][i % 16] ^= 1;
        assert_fails(ctx, &r);
        r.chosen[i][i % 16] ^= 1;
    }
    r.sid[0] ^= 1;
    assert_fails(ctx, &r);
}

static void test_any_bytes_as_a_message_are_refused(void **state)
{
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);
    struct test_rng rng = {8};

    (void)state;
    start(ctx, &r, 8);
    for (int v = 0; v < 50; v++) {
        test_rng_bytes(&rng, r.msg, sizeof r.msg);
        assert_fails(ctx, &r);
    }
}

/* lessons.md part 2, row 19: an index missing in a hash. All trees start from the same keys here,
 * and within a tree the two nodes of level 1 are equal. */
static void test_equal_nodes_grow_into_different_leaves(void **state)
{
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);

    (void)state;
    memset(&r, 0, sizeof r);
    build(ctx, &r);
    for (size_t v = 0; v < QRT_TREES * QRT_LEAVES; v++)
        for (size_t k = 0; k < v; k++)
            assert_memory_not_equal(r.bob[v / 16][v % 16], r.bob[k / 16][k % 16], 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees_have_the_known_answers),
        cmocka_unit_test(test_message_has_the_known_answer),
        cmocka_unit_test(test_receiver_has_every_leaf_but_the_one_his_choices_name),
        cmocka_unit_test(test_a_wrong_correction_passes_only_if_the_choice_bit_is_the_other_one),
        cmocka_unit_test(test_bets_on_random_branches_pass_one_time_in_two),
        cmocka_unit_test(test_a_changed_leaf_sum_or_digest_is_always_found),
        cmocka_unit_test(test_a_wrong_key_or_session_is_found),
        cmocka_unit_test(test_any_bytes_as_a_message_are_refused),
        cmocka_unit_test(test_equal_nodes_grow_into_different_leaves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
