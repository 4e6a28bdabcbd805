/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ct.h"
#include "cheat.h"
#include "math/scalar.h"
#include "ot/ext.h"
#include "ot/rvole.h"
#include "setup.h"

#include <stdlib.h>
#include <string.h>

/* One multiplication between two ends of a pair. */
struct run {
    const struct qrt_ctx *ctx;
    struct pair_seeds p;
    uint8_t ssid[32];
    struct qrt_rvole_id id;
    struct qrt_drbg rng_bob, rng_alice;
    struct qrt_rvole_bob bob;
    struct qrt_rvole_alice alice, kept; /* |kept|: before qrt_rvole_alice wipes it */
    struct qrt_sc a[2], b, c[2], d[2];
    uint8_t e1[QRT_E1_BYTES], e2[QRT_E2_BYTES];
};

static struct qrt_rvole_scratch *scratch(void)
{
    static _Alignas(64) uint8_t memory[90 * 1024];

    assert_in_range(qrt_rvole_scratch_size(), 1, sizeof memory);
    return (struct qrt_rvole_scratch *)memory;
}

static void start(struct run *r, uint64_t seed)
{
    struct qrt_ctx *ctx = test_ctx(~0u);
    struct test_rng rng = {seed};
    uint8_t b[32];

    qrt_gadget_init(ctx);
    r->ctx = ctx;
    setup_pair(&r->p, &rng);
    test_rng_bytes(&rng, r->ssid, 32);
    r->id = (struct qrt_rvole_id){.ssid = r->ssid, .alice = 1, .bob = 2};
    test_rng_bytes(&rng, b, 32);
    qrt_drbg_start(&r->rng_bob, ctx, b);
    test_rng_bytes(&rng, b, 32);
    qrt_drbg_start(&r->rng_alice, ctx, b);
    for (size_t i = 0; i < 2; i++) {
        test_rng_bytes(&rng, b, 32);
        qrt_sc_reduce(&r->a[i], b);
    }
}

static void bob1(struct run *r)
{
    const struct pair_seeds *p = &r->p;

    qrt_rvole_bob1(r->ctx, &r->bob, &r->b, r->e1, &r->id, p->bob, &r->rng_bob, scratch());
}

static enum qrt_err alice_check(struct run *r)
{
    const struct pair_seeds *p = &r->p;

    return qrt_rvole_alice_check(r->ctx, &r->alice, &r->id, p->alice, p->delta, r->e1, scratch());
}

static void alice(struct run *r)
{
    r->kept = r->alice;
    qrt_rvole_alice(r->ctx, r->c, r->e2, &r->alice, r->a, &r->rng_alice, scratch());
}

static enum qrt_err bob2(struct run *r)
{
    struct qrt_rvole_bob once = r->bob; /* a real Bob answers once */
    static const struct qrt_rvole_bob wiped;
    enum qrt_err e = qrt_rvole_e2_check(r->e2);

    if (e)
        return e;
    e = qrt_rvole_bob2(r->ctx, r->d, &once, r->e2, scratch());
    assert_memory_equal(&once, &wiped, sizeof once);
    return e;
}

/* Up to and including E2. */
static void play(struct run *r)
{
    bob1(r);
    assert_int_equal(alice_check(r), QRT_OK);
    alice(r);
}

static void assert_product(const struct run *r)
{
    for (size_t i = 0; i < 2; i++) {
        struct qrt_sc sum, ab;

        qrt_sc_add(&sum, &r->c[i], &r->d[i]);
        qrt_sc_mul(&ab, &r->a[i], &r->b);
        assert_true(qrt_sc_equal(&sum, &ab));
    }
}

static void assert_fails(struct run *r)
{
    r->d[0] = r->d[1] = qrt_sc_one;
    assert_int_equal(bob2(r), QRT_E_SG_MULTIPLICATION);
    assert_true(qrt_sc_is_zero(&r->d[0]) && qrt_sc_is_zero(&r->d[1]));
}

static void assert_scalar(const struct qrt_sc *s, const char *hex)
{
    uint8_t b[32];

    qrt_sc_encode(b, s);
    assert_true(test_is_hex(b, 32, hex));
}

static void kat_start(struct run *r, unsigned cpu_mask)
{
    struct qrt_ctx *ctx = test_ctx(cpu_mask);

    qrt_gadget_init(ctx);
    r->ctx = ctx;
    setup_kat_pair(ctx, &r->p);
    setup_sid(ctx, r->ssid);
    r->id = (struct qrt_rvole_id){.ssid = r->ssid, .alice = 1, .bob = 2};
    setup_drbg(ctx, &r->rng_bob, "kat-bob");
    setup_drbg(ctx, &r->rng_alice, "kat-alice");
    for (size_t i = 0; i < 2; i++) {
        uint8_t b[32];

        test_unhex(b, 32, kat_item("rvole", "a", i));
        assert_true(qrt_sc_decode(&r->a[i], b));
    }
}

static void test_multiplication_has_the_known_answers(void **state)
{
    static const unsigned masks[] = {0, ~0u};
    static struct run r;

    (void)state;
    for (size_t v = 0; v < QRT_ARRAY_LEN(masks); v++) {
        kat_start(&r, masks[v]);
        bob1(&r);
        assert_sha(r.ctx, r.e1, sizeof r.e1, kat_text("rvole", "e1_sha"));
        assert_true(test_is_hex(r.bob.beta, 64, kat_text("rvole", "beta_le")));
        assert_true(test_is_hex(r.bob.eid, 32, kat_text("rvole", "eid")));
        assert_true(test_is_hex(r.bob.psi[0], 16, kat_text("rvole", "psi_row0")));
        assert_true(test_is_hex(r.bob.psi[511], 16, kat_text("rvole", "psi_row511")));
        assert_scalar(&r.b, kat_text("rvole", "b"));
        assert_int_equal(alice_check(&r), QRT_OK);
        alice(&r);
        assert_true(test_is_hex(r.e2 + QRT_E2_BYTES - 64, 64, kat_text("rvole", "eta_mu")));
        assert_sha(r.ctx, r.e2, sizeof r.e2, kat_text("rvole", "e2_sha"));
        assert_int_equal(bob2(&r), QRT_OK);
        for (size_t i = 0; i < 2; i++) {
            assert_scalar(&r.c[i], kat_item("rvole", "c", i));
            assert_scalar(&r.d[i], kat_item("rvole", "d", i));
        }
    }
}

static void test_shares_sum_to_the_products(void **state)
{
    static struct run r;

    (void)state;
    for (uint64_t v = 0; v < 30; v++) {
        start(&r, v);
        if (v == 0)
            r.a[0] = qrt_sc_zero;
        if (v == 1)
            qrt_sc_neg(&r.a[1], &qrt_sc_one);
        play(&r);
        assert_int_equal(bob2(&r), QRT_OK);
        assert_product(&r);
    }
}

/* protocol.md D.6: zeta_j = psi_j + beta_j Delta. */
static void test_rows_differ_by_delta_where_beta_is_one(void **state)
{
    static struct run r;

    (void)state;
    for (uint64_t v = 0; v < 10; v++) {
        start(&r, v);
        bob1(&r);
        assert_int_equal(alice_check(&r), QRT_OK);
        assert_memory_equal(r.alice.eid, r.bob.eid, 32);
        assert_memory_equal(r.alice.delta, r.p.delta, 16);
        for (size_t j = 0; j < QRT_XI; j++) {
            uint8_t want[16];

            memcpy(want, r.bob.psi[j], 16);
            qrt_ct_xor_masked(want, r.p.delta, 16, qrt_mask_bit(qrt_bit_get(r.bob.beta, j)));
            assert_memory_equal(r.alice.zeta[j], want, 16);
        }
    }
}

/* protocol.md M.4b: a bet on one bit of beta, and beta is fresh each time. */
static void test_another_input_in_one_row_passes_only_if_that_beta_is_zero(void **state)
{
    static struct run r;
    static uint8_t honest[QRT_E2_BYTES];
    unsigned passed = 0, zeros = 0;

    (void)state;
    start(&r, 40);
    play(&r);
    memcpy(honest, r.e2, sizeof honest);
    for (size_t j = 0; j < QRT_XI; j += j < 16 || j > 495 ? 1 : 9) {
        bool zero = qrt_bit_get(r.bob.beta, j) == 0;

        memcpy(r.e2, honest, sizeof honest);
        cheat_e2_row(r.ctx, r.e2, &r.kept, j);
        zeros += zero;
        if (zero) {
            assert_int_equal(bob2(&r), QRT_OK);
            assert_product(&r);
            passed++;
        } else {
            assert_fails(&r);
        }
    }
    assert_int_equal(passed, zeros);
    assert_in_range(passed, 20, 65); /* of 85 */
}

static void test_a_refused_e1_leaves_no_state_behind(void **state)
{
    static const struct qrt_rvole_alice zero;
    static struct run r;

    (void)state;
    start(&r, 41);
    bob1(&r);
    r.e1[QRT_E1_BYTES - 1] ^= 1;
    memset(&r.alice, 1, sizeof r.alice);
    assert_int_equal(alice_check(&r), QRT_E_SG_EXTENSION);
    assert_memory_equal(&r.alice, &zero, sizeof zero);
}

/* A guess that passes changes what Alice multiplies in that row, which Bob then finds, unless it
 * was in the tail, where it gains him nothing. */
static void test_a_right_guess_in_the_tail_leaves_the_product_right(void **state)
{
    static struct run r;
    const struct pair_seeds *p = &r.p;

    (void)state;
    for (size_t bit = 511; bit <= 512; bit++) {
        struct cheat_guess g = {.tree = 3, .bit = bit};

        start(&r, 42);
        g.guess = r.p.delta[1] >> 4;
        bob1(&r);
        cheat_e1_guess(r.ctx, r.e1, &r.id, p->bob, &g);
        assert_int_equal(alice_check(&r), QRT_OK);
        alice(&r);
        if (bit < QRT_XI && g.guess != 0) {
            assert_fails(&r);
        } else {
            assert_int_equal(bob2(&r), QRT_OK);
            assert_product(&r);
        }
    }
}

static void test_any_changed_bit_of_e2_is_found(void **state)
{
    static struct run r;
    struct test_rng rng = {43};

    (void)state;
    start(&r, 43);
    play(&r);
    for (int v = 0; v < 120; v++) {
        /* All regions: nonce, a~ of any row, eta, mu. */
        size_t at = v < 32   ? (size_t)v
                    : v < 96 ? QRT_E2_BYTES - 96 + (size_t)v - 32 + 32
                             : 32 + (size_t)test_rng_below(&rng, QRT_E2_BYTES - 96);
        uint8_t flip = (uint8_t)(1 << test_rng_below(&rng, 8));
        enum qrt_err e;

        r.e2[at] ^= flip;
        e = qrt_rvole_e2_check(r.e2);
        if (e == QRT_OK)
            assert_fails(&r);
        else
            assert_int_equal(e, QRT_E_MALFORMED_PRIVATE);
        r.e2[at] ^= flip;
    }
    assert_int_equal(bob2(&r), QRT_OK);
}

static void test_two_rows_exchanged_are_found(void **state)
{
    static struct run r;
    uint8_t row[96];

    (void)state;
    start(&r, 44);
    play(&r);
    memcpy(row, r.e2 + 32, 96);
    memcpy(r.e2 + 32, r.e2 + 32 + 96, 96);
    memcpy(r.e2 + 32 + 96, row, 96);
    assert_fails(&r);
}

static void test_an_e2_for_another_e1_is_found(void **state)
{
    static struct run r;

    (void)state;
    start(&r, 45);
    play(&r);
    bob1(&r);
    assert_fails(&r);
}

static void test_scalars_of_e2_that_are_not_below_q_are_malformed(void **state)
{
    static const char *const values[] = {
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364142",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"};
    static const size_t places[] = {0, 1, 2, 3, 767, 1534, 1535, 1536};
    static struct run r;
    uint8_t saved[32];

    (void)state;
    start(&r, 46);
    play(&r);
    for (size_t v = 0; v < QRT_ARRAY_LEN(values) * QRT_ARRAY_LEN(places); v++) {
        uint8_t *at = r.e2 + 32 + 32 * places[v % QRT_ARRAY_LEN(places)];

        memcpy(saved, at, 32);
        test_unhex(at, 32, values[v / QRT_ARRAY_LEN(places)]);
        assert_int_equal(qrt_rvole_e2_check(r.e2), QRT_E_MALFORMED_PRIVATE);
        memcpy(at, saved, 32);
    }
    memset(r.e2 + 32, 0, 32); /* zero is a value like any other, protocol.md K.3 */
    memset(r.e2 + QRT_E2_BYTES - 32, 0xff, 32);
    assert_int_equal(qrt_rvole_e2_check(r.e2), QRT_OK);
}

static void test_any_bytes_as_e2_are_refused(void **state)
{
    static struct run r;
    struct test_rng rng = {47};

    (void)state;
    start(&r, 47);
    play(&r);
    for (int v = 0; v < 20; v++) {
        test_rng_bytes(&rng, r.e2, sizeof r.e2);
        for (size_t k = 0; k <= 3 * QRT_XI; k++)
            r.e2[32 + 32 * k] &= 0x7f;
        assert_fails(&r);
    }
}

static int compare_scalars(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

/* lessons.md part 2, row 19 (Bron 5): the row number in the hash. All rows are equal here, so a~
 * would be too. */
static void test_equal_rows_give_different_pads_in_every_row_and_column(void **state)
{
    static struct run r;
    static uint8_t at[3 * QRT_XI][32];

    (void)state;
    start(&r, 48);
    bob1(&r);
    assert_int_equal(alice_check(&r), QRT_OK);
    for (size_t j = 1; j < QRT_XI; j++)
        memcpy(r.alice.zeta[j], r.alice.zeta[0], 16);
    alice(&r);
    memcpy(at, r.e2 + 32, sizeof at);
    qsort(at, 3 * QRT_XI, 32, compare_scalars);
    for (size_t v = 1; v < 3 * QRT_XI; v++)
        assert_memory_not_equal(at[v], at[v - 1], 32);
}

/* DEV-4: nonceA makes pads new even for a replayed E1. */
static void test_a_replayed_e1_meets_new_pads(void **state)
{
    static struct run r;
    static uint8_t first[QRT_E2_BYTES];

    (void)state;
    start(&r, 49);
    play(&r);
    memcpy(first, r.e2, sizeof first);
    assert_int_equal(alice_check(&r), QRT_OK);
    alice(&r);
    for (size_t k = 0; k < QRT_E2_BYTES / 32; k++)
        assert_memory_not_equal(r.e2 + 32 * k, first + 32 * k, 32);
}

static void assert_all_zero(const void *b, size_t len)
{
    assert_true(qrt_ct_is_zero(b, len));
}

static void test_working_memory_and_used_state_are_wiped(void **state)
{
    static struct run r;

    (void)state;
    start(&r, 50);
    bob1(&r);
    assert_all_zero(scratch(), qrt_rvole_scratch_size());
    assert_int_equal(alice_check(&r), QRT_OK);
    assert_all_zero(scratch(), qrt_rvole_scratch_size());
    alice(&r);
    assert_all_zero(&r.alice, sizeof r.alice);
    assert_all_zero(scratch(), qrt_rvole_scratch_size());
    assert_int_equal(bob2(&r), QRT_OK);
    assert_all_zero(scratch(), qrt_rvole_scratch_size());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_multiplication_has_the_known_answers),
        cmocka_unit_test(test_shares_sum_to_the_products),
        cmocka_unit_test(test_rows_differ_by_delta_where_beta_is_one),
        cmocka_unit_test(test_another_input_in_one_row_passes_only_if_that_beta_is_zero),
        cmocka_unit_test(test_a_refused_e1_leaves_no_state_behind),
        cmocka_unit_test(test_a_right_guess_in_the_tail_leaves_the_product_right),
        cmocka_unit_test(test_any_changed_bit_of_e2_is_found),
        cmocka_unit_test(test_two_rows_exchanged_are_found),
        cmocka_unit_test(test_an_e2_for_another_e1_is_found),
        cmocka_unit_test(test_scalars_of_e2_that_are_not_below_q_are_malformed),
        cmocka_unit_test(test_any_bytes_as_e2_are_refused),
        cmocka_unit_test(test_equal_rows_give_different_pads_in_every_row_and_column),
        cmocka_unit_test(test_a_replayed_e1_meets_new_pads),
        cmocka_unit_test(test_working_memory_and_used_state_are_wiped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
