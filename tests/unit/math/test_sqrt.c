/* SPDX-License-Identifier: Apache-2.0 */
/* Lifting many candidates: every implementation gives exactly what decoding one by one gives. */
#include "support.h"

#include "../base/panics.h"
#include "math/scalar.h"
#include "math/sqrt.h"

#include <string.h>

#define MAX QRT_LIFT_MAX

static const unsigned cpus[] = {0, QRT_CPU_AVX2, QRT_CPU_AVX512, QRT_CPU_ALL};

/* The number of candidates on the curve. */
static size_t check(const uint8_t (*candidates)[33], size_t n)
{
    size_t good = 0;

    for (size_t c = 0; c < QRT_ARRAY_LEN(cpus); c++) {
        const struct qrt_ctx *ctx = test_ctx(cpus[c]);
        struct qrt_pt out[MAX + 1], one;
        bool ok[MAX + 1];

        memset(out, 0x55, sizeof out);
        memset(ok, 0x55, sizeof ok);
        qrt_curve_lift_many_vartime(ctx, out, ok, candidates, n);
        good = 0;
        for (size_t i = 0; i < n; i++) {
            assert_true(ok[i] == qrt_pt_decode(ctx, &one, candidates[i]));
            assert_true(out[i].inf == !ok[i]);
            assert_true(qrt_pt_equal(ctx, &out[i], &one));
            good += ok[i];
        }
        assert_memory_equal(&ok[n], "\x55", 1);
    }
    return good;
}

static void test_thousands_of_random_candidates(void **state)
{
    struct test_rng rng = {1};
    size_t good = 0;

    (void)state;
    for (int round = 0; round < 30; round++) {
        uint8_t candidates[MAX][33];

        test_rng_bytes(&rng, candidates[0], sizeof candidates);
        for (size_t i = 0; i < MAX; i++)
            candidates[i][0] = (uint8_t)(2 | (candidates[i][0] & 1));
        good += check((const uint8_t(*)[33])candidates, MAX);
    }
    assert_true(good > 30 * MAX / 3 && good < 30 * MAX * 2 / 3);
}

/* Runs of zeros and ones: they make the carries that uniform numbers do not. */
static void test_candidates_with_long_runs_of_equal_bits(void **state)
{
    struct test_rng rng = {2};

    (void)state;
    for (int round = 0; round < 20; round++) {
        uint8_t candidates[MAX][33];

        for (size_t i = 0; i < MAX; i++) {
            size_t from = (size_t)test_rng_below(&rng, 257), to = (size_t)test_rng_below(&rng, 257);

            memset(candidates[i] + 1, test_rng_below(&rng, 2) ? 0xff : 0, 32);
            for (size_t bit = from; bit < to; bit++)
                candidates[i][32 - bit / 8] ^= (uint8_t)(1 << bit % 8);
            candidates[i][0] = (uint8_t)(2 + i % 2);
        }
        check((const uint8_t(*)[33])candidates, MAX);
    }
}

static void test_coordinates_around_zero_and_the_field_prime(void **state)
{
    uint8_t candidates[MAX][33];

    (void)state;
    for (size_t i = 0; i < MAX; i++) { /* 0 .. 31, then p - 16 .. p + 15 */
        if (i < 32) {
            memset(candidates[i], 0, 33);
            candidates[i][32] = (uint8_t)i;
        } else {
            test_unhex(candidates[i], 33,
                       "02fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc1f");
            candidates[i][32] = (uint8_t)(0x1f + i - 32);
        }
        candidates[i][0] = (uint8_t)(2 + i % 2);
    }
    assert_true(check((const uint8_t(*)[33])candidates, MAX) > 10);
}

static void test_other_prefixes_are_refused(void **state)
{
    uint8_t candidates[MAX][33];

    (void)state;
    for (unsigned from = 0; from < 256; from += MAX) {
        for (size_t i = 0; i < MAX; i++) {
            test_unhex(candidates[i], 33,
                       "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
            candidates[i][0] = (uint8_t)(from + i);
        }
        assert_int_equal(check((const uint8_t(*)[33])candidates, MAX), from == 0 ? 2 : 0);
    }
}

static void test_points_of_the_curve_come_back_with_their_sign(void **state)
{
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    uint8_t candidates[MAX][33];
    struct qrt_sc k;
    struct qrt_pt p;

    (void)state;
    for (uint32_t i = 0; i < MAX; i++) {
        qrt_sc_set_u32(&k, i / 2 + 1);
        if (i % 2)
            qrt_sc_neg(&k, &k);
        qrt_pt_base(ctx, &p, &k);
        qrt_pt_encode(ctx, candidates[i], &p);
    }
    assert_int_equal(check((const uint8_t(*)[33])candidates, MAX), MAX);
}

static void test_every_length_of_a_batch(void **state)
{
    struct test_rng rng = {3};
    uint8_t candidates[MAX][33];

    (void)state;
    test_rng_bytes(&rng, candidates[0], sizeof candidates);
    for (size_t i = 0; i < MAX; i++)
        candidates[i][0] = 2;
    for (size_t n = 0; n <= MAX; n++)
        check((const uint8_t(*)[33])candidates, n);
}

static void lift_too_many(void)
{
    static uint8_t candidates[MAX + 1][33];
    static struct qrt_pt out[MAX + 1];
    static bool ok[MAX + 1];

    qrt_curve_lift_many_vartime(test_ctx(QRT_CPU_ALL), out, ok, (const uint8_t(*)[33])candidates,
                                MAX + 1);
}

static void test_a_batch_too_long_is_a_bug(void **state)
{
    (void)state;
    assert_true(panics(lift_too_many));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thousands_of_random_candidates),
        cmocka_unit_test(test_candidates_with_long_runs_of_equal_bits),
        cmocka_unit_test(test_coordinates_around_zero_and_the_field_prime),
        cmocka_unit_test(test_other_prefixes_are_refused),
        cmocka_unit_test(test_points_of_the_curve_come_back_with_their_sign),
        cmocka_unit_test(test_every_length_of_a_batch),
        cmocka_unit_test(test_a_batch_too_long_is_a_bug),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
