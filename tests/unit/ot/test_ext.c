/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ct.h"
#include "cheat.h"
#include "hash/prg.h"
#include "hash/transcript.h"
#include "ot/ext.h"
#include "setup.h"

#include <string.h>

/* Both sides of one extension. */
struct run {
    struct pair_seeds p;
    struct qrt_ext bob, alice;
    struct qrt_e1 e1;
    uint8_t ssid[32];
    struct qrt_rvole_id id;
};

static void start(struct run *r, struct test_rng *rng)
{
    setup_pair(&r->p, rng);
    test_rng_bytes(rng, r->ssid, 32);
    r->id = (struct qrt_rvole_id){.ssid = r->ssid, .alice = 1, .bob = 2};
}

/* Bob's honest E1 for a random choice vector. */
static void send(const struct qrt_ctx *ctx, struct run *r, struct test_rng *rng)
{
    const struct pair_seeds *p = &r->p;

    test_rng_bytes(rng, r->e1.nonce, 32);
    test_rng_bytes(rng, (uint8_t *)&r->bob.choice, 80);
    qrt_ext_id(ctx, r->bob.eid, &r->id, r->e1.nonce);
    qrt_ext_recv(ctx, &r->bob, &r->e1, p->bob);
}

static enum qrt_err check(const struct qrt_ctx *ctx, struct run *r)
{
    const struct pair_seeds *p = &r->p;

    qrt_ext_id(ctx, r->alice.eid, &r->id, r->e1.nonce);
    return qrt_ext_send(ctx, &r->alice, &r->e1, p->alice, p->delta);
}

static unsigned missing(const struct run *r, size_t tau)
{
    return r->p.delta[tau / 2] >> 4 * (tau % 2) & 15u;
}

/* protocol.md M.2: W_i = V_i + Delta_i c, for all 640 bits. */
static void assert_correlated(const struct run *r)
{
    for (size_t i = 0; i < QRT_EXT_COLS; i++) {
        struct qrt_ext_row want = r->bob.cols[i];

        qrt_ct_xor_masked((uint8_t *)&want, (const uint8_t *)&r->bob.choice, 80,
                          qrt_mask_bit(qrt_bit_get(r->p.delta, i)));
        assert_memory_equal(&want, &r->alice.cols[i], 80);
    }
}

static void test_columns_differ_by_the_choice_vector_where_delta_is_one(void **state)
{
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);
    struct test_rng rng = {1};

    (void)state;
    for (int v = 0; v < 50; v++) {
        start(&r, &rng);
        if (v < 2) {
            uint8_t delta[16];

            memset(delta, v ? 0xff : 0, 16);
            setup_pair_delta(&r.p, &rng, delta);
        }
        send(ctx, &r, &rng);
        assert_int_equal(check(ctx, &r), QRT_OK);
        assert_correlated(&r);
    }
}

/* D.5: the rows of one tree. */
static void rows_of(const struct qrt_ctx *ctx, uint8_t rows[16][80], const uint8_t eid[32],
                    size_t tau, const uint8_t seeds[16][16])
{
    uint8_t digest[32], number = (uint8_t)tau;

    qrt_fh(ctx, digest, QRT_L_EXT_PRG, eid, &number, 1);
    qrt_prg_tree(ctx, rows, digest, seeds);
}

/* D.6-1, D.6-2 and W, word for word: with a branch on y*. */
static void test_u_and_both_columns_are_those_of_the_definition(void **state)
{
    static struct run r;
    static uint8_t rows[16][80];
    const struct qrt_ctx *ctx = test_ctx(~0u);
    const struct pair_seeds *p = &r.p;
    struct test_rng rng = {2};

    (void)state;
    start(&r, &rng);
    send(ctx, &r, &rng);
    assert_int_equal(check(ctx, &r), QRT_OK);
    for (size_t i = 0; i < QRT_EXT_COLS; i++) {
        size_t tau = i / 4, b = i % 4, missed = missing(&r, tau);
        uint8_t u[80], v[80] = {0}, w[80] = {0};

        rows_of(ctx, rows, r.bob.eid, tau, p->bob[tau]);
        memcpy(u, &r.bob.choice, 80);
        for (size_t x = 0; x < 16; x++)
            qrt_xor(u, rows[x], 80);
        assert_memory_equal(u, r.e1.u[tau], 80);
        if (missed >> b & 1)
            memcpy(w, u, 80);
        for (size_t x = 0; x < 16; x++) {
            if (x >> b & 1)
                qrt_xor(v, rows[x], 80);
            if (x != missed && ((x ^ missed) >> b & 1))
                qrt_xor(w, rows[x], 80);
        }
        assert_memory_equal(v, &r.bob.cols[i], 80);
        assert_memory_equal(w, &r.alice.cols[i], 80);
    }
}

static void test_what_stands_in_the_missing_leafs_slot_does_not_matter(void **state)
{
    static struct run r;
    static struct qrt_ext before;
    const struct qrt_ctx *ctx = test_ctx(~0u);
    struct test_rng rng = {3};

    (void)state;
    start(&r, &rng);
    send(ctx, &r, &rng);
    assert_int_equal(check(ctx, &r), QRT_OK);
    before = r.alice;
    for (size_t tau = 0; tau < QRT_TREES; tau++)
        test_rng_bytes(&rng, r.p.alice[tau][missing(&r, tau)], 16);
    assert_int_equal(check(ctx, &r), QRT_OK);
    assert_memory_equal(before.cols, r.alice.cols, sizeof before.cols);
}

static void test_every_cpu_path_gives_the_same_message_and_columns(void **state)
{
    static struct run r;
    static struct qrt_e1 e1;
    static struct qrt_ext_row cols[QRT_EXT_COLS];
    struct test_rng rng = {4}, same;

    (void)state;
    start(&r, &rng);
    for (unsigned v = 0; v < 9; v++) {
        const struct qrt_ctx *ctx = test_ctx(v == 0 ? 0 : v == 8 ? ~0u : 1u << (v - 1));

        same = (struct test_rng){99};
        send(ctx, &r, &same);
        assert_int_equal(check(ctx, &r), QRT_OK);
        if (v == 0) {
            e1 = r.e1;
            memcpy(cols, r.alice.cols, sizeof cols);
        }
        assert_memory_equal(&e1, &r.e1, sizeof e1);
        assert_memory_equal(cols, r.alice.cols, sizeof cols);
    }
}

/* protocol.md M.4c. chi is a hash of U, so the digest cannot fit, not even where y* = 0 and u is
 * multiplied by nothing. */
static void test_a_bit_of_u_flipped_in_transit_is_always_found(void **state)
{
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);
    struct test_rng rng = {5};

    (void)state;
    start(&r, &rng);
    r.p.delta[0] = 0;
    setup_pair_delta(&r.p, &rng, r.p.delta);
    send(ctx, &r, &rng);
    for (size_t v = 0; v < 4 * QRT_TREES; v++) {
        size_t bit = (size_t)test_rng_below(&rng, 640);

        cheat_e1_flip((uint8_t *)&r.e1, v % QRT_TREES, bit);
        assert_int_equal(check(ctx, &r), QRT_E_SG_EXTENSION);
        cheat_e1_flip((uint8_t *)&r.e1, v % QRT_TREES, bit);
    }
    assert_int_equal(check(ctx, &r), QRT_OK);
}

static void test_a_u_that_bob_changes_himself_passes_only_if_the_missing_leaf_is_zero(void **state)
{
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);
    const struct pair_seeds *p = &r.p;
    struct test_rng rng = {6};
    unsigned passed = 0;

    (void)state;
    start(&r, &rng);
    r.p.delta[0] &= 0xf0;
    r.p.delta[4] &= 0x0f; /* y* = 0 in the trees 0 and 9 */
    setup_pair_delta(&r.p, &rng, r.p.delta);
    send(ctx, &r, &rng);
    for (size_t tau = 0; tau < QRT_TREES; tau++) {
        const struct cheat_guess g = {.tree = tau, .bit = 17 * tau, .guess = 0};
        struct qrt_e1 honest = r.e1;

        cheat_e1_guess(ctx, (uint8_t *)&r.e1, &r.id, p->bob, &g);
        assert_int_equal(check(ctx, &r) == QRT_OK, missing(&r, tau) == 0);
        if (missing(&r, tau) == 0) {
            assert_correlated(&r);
            passed++;
        }
        r.e1 = honest;
    }
    assert_true(passed >= 2);
}

/* protocol.md M.4a. */
static void test_a_guess_of_the_missing_leaf_passes_only_if_it_is_right(void **state)
{
    static const size_t trees[] = {0, 7, 10, 31};
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);
    const struct pair_seeds *p = &r.p;
    struct test_rng rng = {7};

    (void)state;
    start(&r, &rng);
    for (size_t v = 0; v < QRT_ARRAY_LEN(trees) * 16; v++) {
        const struct cheat_guess g = {.tree = trees[v / 16], .bit = 77, .guess = v % 16};

        send(ctx, &r, &rng);
        cheat_e1_guess(ctx, (uint8_t *)&r.e1, &r.id, p->bob, &g);
        assert_int_equal(check(ctx, &r),
                         g.guess == missing(&r, g.tree) ? QRT_OK : QRT_E_SG_EXTENSION);
    }
}

/* protocol.md M.4a: 1,600 cheats, of which 100 should pass, with a deviation of 9.7. */
static void test_guesses_pass_once_in_sixteen_and_every_failure_burns(void **state)
{
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);
    const struct pair_seeds *p = &r.p;
    struct test_rng rng = {8};
    unsigned passed = 0;

    (void)state;
    start(&r, &rng);
    for (int v = 0; v < 1600; v++) {
        const struct cheat_guess g = {.tree = (size_t)test_rng_below(&rng, QRT_TREES),
                                      .bit = (size_t)test_rng_below(&rng, 640),
                                      .guess = (uint8_t)test_rng_below(&rng, 16)};
        enum qrt_err e;

        send(ctx, &r, &rng);
        cheat_e1_guess(ctx, (uint8_t *)&r.e1, &r.id, p->bob, &g);
        e = check(ctx, &r);
        if (e == QRT_OK)
            passed++;
        else
            assert_int_equal(qrt_err_class(e), QRT_CLASS_BURN);
    }
    assert_in_range(passed, 61, 139);
}

static void test_any_other_changed_byte_of_e1_is_found(void **state)
{
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);
    struct test_rng rng = {9};
    uint8_t *e1 = (uint8_t *)&r.e1;

    (void)state;
    start(&r, &rng);
    send(ctx, &r, &rng);
    for (size_t v = 0; v < 80; v++) {
        size_t at = v < 32 ? v : QRT_E1_BYTES - 80 + v;
        uint8_t flip = (uint8_t)(1 << v % 8);

        e1[at] ^= flip;
        assert_int_equal(check(ctx, &r), QRT_E_SG_EXTENSION);
        e1[at] ^= flip;
    }
    assert_int_equal(check(ctx, &r), QRT_OK);
}

static void test_an_e1_of_another_session_pair_or_direction_is_found(void **state)
{
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);
    struct test_rng rng = {10};
    const struct qrt_rvole_id wrong[] = {{r.ssid, 2, 1}, {r.ssid, 1, 3}, {r.ssid, 3, 2}};

    (void)state;
    start(&r, &rng);
    send(ctx, &r, &rng);
    for (size_t v = 0; v < QRT_ARRAY_LEN(wrong); v++) {
        r.id = wrong[v];
        assert_int_equal(check(ctx, &r), QRT_E_SG_EXTENSION);
    }
    r.id = (struct qrt_rvole_id){r.ssid, 1, 2};
    r.ssid[13] ^= 4;
    assert_int_equal(check(ctx, &r), QRT_E_SG_EXTENSION);
}

static void test_any_bytes_as_e1_are_refused(void **state)
{
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);
    struct test_rng rng = {11};

    (void)state;
    start(&r, &rng);
    for (int v = 0; v < 50; v++) {
        test_rng_bytes(&rng, (uint8_t *)&r.e1, sizeof r.e1);
        assert_int_equal(check(ctx, &r), QRT_E_SG_EXTENSION);
    }
}

/* lessons.md part 2, row 19 (Bron 6): seeds that collide must not give equal rows, neither in two
 * trees nor in two sessions. */
static void test_equal_seeds_give_different_rows_in_each_tree_and_session(void **state)
{
    static struct run r;
    static struct qrt_e1 first;
    const struct qrt_ctx *ctx = test_ctx(~0u);
    const struct pair_seeds *p = &r.p;
    struct test_rng rng = {12};

    (void)state;
    start(&r, &rng);
    for (size_t tau = 1; tau < QRT_TREES; tau++)
        memcpy(r.p.bob[tau], r.p.bob[0], sizeof r.p.bob[0]);
    send(ctx, &r, &rng);
    first = r.e1;
    for (size_t v = 0; v < QRT_TREES; v++)
        for (size_t k = 0; k < v; k++)
            assert_memory_not_equal(first.u[v], first.u[k], 80);
    r.e1.nonce[0] ^= 1;
    qrt_ext_id(ctx, r.bob.eid, &r.id, r.e1.nonce);
    qrt_ext_recv(ctx, &r.bob, &r.e1, p->bob);
    for (size_t tau = 0; tau < QRT_TREES; tau++)
        assert_memory_not_equal(first.u[tau], r.e1.u[tau], 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_differ_by_the_choice_vector_where_delta_is_one),
        cmocka_unit_test(test_u_and_both_columns_are_those_of_the_definition),
        cmocka_unit_test(test_what_stands_in_the_missing_leafs_slot_does_not_matter),
        cmocka_unit_test(test_every_cpu_path_gives_the_same_message_and_columns),
        cmocka_unit_test(test_a_bit_of_u_flipped_in_transit_is_always_found),
        cmocka_unit_test(test_a_u_that_bob_changes_himself_passes_only_if_the_missing_leaf_is_zero),
        cmocka_unit_test(test_a_guess_of_the_missing_leaf_passes_only_if_it_is_right),
        cmocka_unit_test(test_guesses_pass_once_in_sixteen_and_every_failure_burns),
        cmocka_unit_test(test_any_other_changed_byte_of_e1_is_found),
        cmocka_unit_test(test_an_e1_of_another_session_pair_or_direction_is_found),
        cmocka_unit_test(test_any_bytes_as_e1_are_refused),
        cmocka_unit_test(test_equal_seeds_give_different_rows_in_each_tree_and_session),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
