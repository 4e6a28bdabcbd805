/* SPDX-License-Identifier: Apache-2.0 */
/* GF(2^128): the known answers of the specification (tests/vectors/kats.json, "gf128"), the laws of
 * a field, and the two implementations against each other. */
#include "support.h"

#include "math/gf128.h"

#include <string.h>

static struct qrt_ctx *contexts(size_t i)
{
    return test_ctx(i == 0 ? QRT_CPU_ALL : 0);
}

static void test_known_answers(void **state)
{
    static const char *const rows[][3] = {
        {"ca978112ca1bbdcafac231b39a23dc4d", "3e23e8160039594a33894f6564e1b134",
         "d91e23fa5c8af1929dae85e72eaef10a"},
        {"00000000000000000000000000000080", "02000000000000000000000000000000",
         "87000000000000000000000000000000"}}; /* X^127 X */

    (void)state;
    for (size_t c = 0; c < 2; c++)
        for (size_t i = 0; i < QRT_ARRAY_LEN(rows); i++) {
            uint8_t a[16], b[16], r[16];

            test_unhex(a, sizeof a, rows[i][0]);
            test_unhex(b, sizeof b, rows[i][1]);
            qrt_gf128_mul(contexts(c), r, a, b);
            assert_true(test_is_hex(r, sizeof r, rows[i][2]));
        }
}

/* X^e for e < 128. */
static void power_of_x(uint8_t r[16], size_t e)
{
    memset(r, 0, 16);
    r[e / 8] = (uint8_t)(1 << e % 8);
}

/* r = a X, from the definition. */
static void times_x(uint8_t r[16], const uint8_t a[16])
{
    for (size_t i = 0; i < 16; i++)
        r[i] = (uint8_t)(a[i] << 1 | (i == 0 ? 0 : a[i - 1] >> 7));
    if (a[15] & 0x80)
        r[0] ^= 0x87;
}

static void test_all_products_of_powers_of_x(void **state)
{
    uint8_t powers[256][16] = {{1}};

    (void)state;
    for (size_t e = 1; e < 256; e++)
        times_x(powers[e], powers[e - 1]);
    for (size_t c = 0; c < 2; c++) {
        const struct qrt_ctx *ctx = contexts(c);

        for (size_t i = 0; i < 128; i++)
            for (size_t j = 0; j < 128; j++) {
                uint8_t a[16], b[16], r[16];

                power_of_x(a, i);
                power_of_x(b, j);
                qrt_gf128_mul(ctx, r, a, b);
                assert_memory_equal(r, powers[i + j], 16);
            }
    }
}

static void test_the_laws_of_a_field_hold(void **state)
{
    struct test_rng rng = {1};

    (void)state;
    for (int i = 0; i < 500; i++) {
        const struct qrt_ctx *ctx = contexts((size_t)i % 2);
        uint8_t a[16], b[16], c[16], l[16], r[16], t[16];

        test_rng_bytes(&rng, a, sizeof a);
        test_rng_bytes(&rng, b, sizeof b);
        test_rng_bytes(&rng, c, sizeof c);
        qrt_gf128_mul(ctx, l, a, b);
        qrt_gf128_mul(ctx, r, b, a);
        assert_memory_equal(l, r, 16);
        qrt_gf128_mul(ctx, l, l, c); /* (a b) c, in place */
        qrt_gf128_mul(ctx, r, b, c);
        qrt_gf128_mul(ctx, r, a, r);
        assert_memory_equal(l, r, 16);
        for (size_t k = 0; k < 16; k++)
            t[k] = a[k] ^ b[k];
        qrt_gf128_mul(ctx, l, t, c);
        qrt_gf128_mul(ctx, r, a, c);
        qrt_gf128_mul(ctx, t, b, c);
        for (size_t k = 0; k < 16; k++)
            r[k] ^= t[k];
        assert_memory_equal(l, r, 16);
    }
}

static void test_squaring_128_times_gives_the_element_back(void **state)
{
    struct test_rng rng = {2};

    (void)state;
    for (size_t c = 0; c < 2; c++) {
        uint8_t a[16], r[16];

        test_rng_bytes(&rng, a, sizeof a);
        memcpy(r, a, sizeof r);
        for (int i = 0; i < 128; i++)
            qrt_gf128_mul(contexts(c), r, r, r);
        assert_memory_equal(r, a, 16);
    }
}

static void test_both_implementations_agree(void **state)
{
    struct test_rng rng = {3};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint8_t a[16], b[16], fast[16], portable[16];

        test_rng_bytes(&rng, a, sizeof a);
        test_rng_bytes(&rng, b, sizeof b);
        qrt_gf128_mul(contexts(0), fast, a, b);
        qrt_gf128_mul(contexts(1), portable, a, b);
        assert_memory_equal(fast, portable, 16);
    }
}

static void test_the_hash_is_the_sum_of_its_products(void **state)
{
    struct test_rng rng = {4};
    uint8_t rows[9][80], chi[4][16];

    (void)state;
    test_rng_bytes(&rng, rows[0], sizeof rows);
    test_rng_bytes(&rng, chi[0], sizeof chi);
    for (size_t c = 0; c < 2; c++) {
        uint8_t out[10][16];

        memset(out, 0xee, sizeof out);
        qrt_gf128_hash(contexts(c), out, (const uint8_t(*)[80])rows, 9, (const uint8_t(*)[16])chi);
        for (size_t i = 0; i < 9; i++) {
            uint8_t sum[16], t[16];

            memcpy(sum, rows[i] + 64, 16);
            for (size_t m = 0; m < 4; m++) {
                qrt_gf128_mul(contexts(c), t, chi[m], rows[i] + 16 * m);
                for (size_t k = 0; k < 16; k++)
                    sum[k] ^= t[k];
            }
            assert_memory_equal(out[i], sum, 16);
        }
        assert_int_equal(out[9][0], 0xee);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_all_products_of_powers_of_x),
        cmocka_unit_test(test_the_laws_of_a_field_hold),
        cmocka_unit_test(test_squaring_128_times_gives_the_element_back),
        cmocka_unit_test(test_both_implementations_agree),
        cmocka_unit_test(test_the_hash_is_the_sum_of_its_products),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
