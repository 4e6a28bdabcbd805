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

/* y or p - y is below 200 or close to 2^256 - p: the roots that have two spellings in 256 bits. */
static void test_roots_that_fit_twice_into_256_bits(void **state)
{
    static const char *const xs[] = {
        "021fe1e5ef3fceb5c135ab7741333ce5a6e80d68167653f6b2b24bcbcfaaaff507",
        "02c8b492e17665b9e65e4a124661e1103f1aebfcc849dcd94f7688dcf149f6f4f2",
        "02a95c7e1d4c5db1863b7c6fb26ac231479ff552c18707b69a9ac6bf9c3676f31b",
        "02c2b84dcef67220199a187064a65579cad41a3345bcf6974fe3a153128b81ca10",
        "0238c6df1539ef1082e6d1fd0a5d8226b86f5f34f10fe5ae536b703983014320b0",
        "02db2b0e9f3d35f7defc0362851b21ee6184f2ad044b4a06a08ae634778e583124",
        "02f346d78c225763a603a094a7876f2d1fbe5669a8ff9ee4dbadba044634093494",
        "0208a9a8ec60215e7d961f54cd56d5a6fa0fd8a5d2e161017179c15570c4279950",
        "026f912de5343a30bead7864892159756040cb009884d6274dd71a2d21a9ff623a",
        "025ec7747d945282669eec34382141122f0a9f663320f4b2ddd67f018c049ccd00",
        "02e333fcaa04d7bc97c28b5edc100e42d6a18b9d597ddc5db2bdc064bb12c4e30d",
        "02dbc4192fa5153539254f94079c14fc37b329561878dc2ea9dabc1e9e8931a76e",
        "024e3e3e682e418a5760d385258e0d7dc6cb08ad682ffb2a14360100d591c353a7",
        "02c88bc315d2ca7a58042c4723a8d173fc0d5e0cdd585fc062bf08ac1b9f888efd",
        "024902c2801268bed8cf48b23a7b694a451dd7d90a9f21b6c69e72fea5e48d89d2",
        "02b7666e56093256986cbdc69b796f41b317969b73c3c7b709bf76a9047d90efd2"};
    uint8_t candidates[2 * QRT_ARRAY_LEN(xs)][33];

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(candidates); i++) {
        test_unhex(candidates[i], 33, xs[i / 2]);
        candidates[i][0] = (uint8_t)(2 + i % 2);
    }
    assert_int_equal(check((const uint8_t(*)[33])candidates, QRT_ARRAY_LEN(candidates)),
                     QRT_ARRAY_LEN(candidates));
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
        cmocka_unit_test(test_roots_that_fit_twice_into_256_bits),
        cmocka_unit_test(test_every_length_of_a_batch),
        cmocka_unit_test(test_a_batch_too_long_is_a_bug),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
