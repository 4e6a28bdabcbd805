/* SPDX-License-Identifier: Apache-2.0 */
/* Constant-time helpers, exhaustive over small inputs and over positions of larger ones. */
#include "support.h"

#include "base/ct.h"

#include <string.h>

#define ONES UINT64_MAX

static void test_masks_are_all_or_nothing(void **state)
{
    (void)state;
    assert_true(qrt_mask_bit(0) == 0);
    assert_true(qrt_mask_bit(1) == ONES);
    assert_true(qrt_mask_hide(0x1234567890abcdefu) == 0x1234567890abcdefu);
    for (uint64_t a = 0; a < 256; a++)
        for (uint64_t b = 0; b < 256; b++)
            assert_true(qrt_mask_eq(a, b) == (a == b ? ONES : 0));
    for (unsigned bit = 0; bit < 64; bit++) {
        assert_true(qrt_mask_eq(0, (uint64_t)1 << bit) == 0);
        assert_true(qrt_mask_eq(ONES, ONES ^ (uint64_t)1 << bit) == 0);
    }
}

static void test_bits_count_from_the_low_end_of_byte_0(void **state)
{
    static const uint8_t b[3] = {0x01, 0x80, 0x5a};
    static const char expected[] = "100000000000000101011010";

    (void)state;
    for (size_t i = 0; i < 24; i++)
        assert_int_equal(qrt_bit_get(b, i), expected[i] - '0');
}

static void test_equality_of_all_pairs_of_bytes(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        uint8_t x = (uint8_t)a;

        assert_true(qrt_ct_is_zero(&x, 1) == (a == 0));
        for (unsigned b = 0; b < 256; b++) {
            uint8_t y = (uint8_t)b;

            assert_true(qrt_ct_equal(&x, &y, 1) == (a == b));
        }
    }
}

static void test_every_single_bit_of_every_length_counts(void **state)
{
    uint8_t a[40], b[40];
    const uint8_t zero[40] = {0};
    struct test_rng rng = {1};

    (void)state;
    for (size_t len = 0; len <= sizeof a; len++) {
        test_rng_bytes(&rng, a, sizeof a);
        memcpy(b, a, sizeof b);
        if (len < sizeof b)
            b[len] ^= 1; /* outside: must not count */
        assert_true(qrt_ct_equal(a, b, len));
        assert_true(qrt_ct_is_zero(zero, len));
        for (size_t bit = 0; bit < 8 * len; bit++) {
            uint8_t one[40] = {0};

            one[bit / 8] = (uint8_t)(1 << bit % 8);
            b[bit / 8] ^= one[bit / 8];
            assert_false(qrt_ct_equal(a, b, len));
            assert_false(qrt_ct_is_zero(one, len));
            b[bit / 8] ^= one[bit / 8];
        }
    }
}

static void test_swap_swaps_or_does_nothing(void **state)
{
    struct test_rng rng = {2};

    (void)state;
    for (size_t len = 0; len <= 40; len++) {
        uint8_t a[41], b[41], x[41], y[41];

        test_rng_bytes(&rng, a, sizeof a);
        test_rng_bytes(&rng, b, sizeof b);
        memcpy(x, a, sizeof a);
        memcpy(y, b, sizeof b);
        qrt_ct_swap(x, y, len, 0);
        assert_memory_equal(x, a, sizeof a);
        assert_memory_equal(y, b, sizeof b);
        qrt_ct_swap(x, y, len, ONES);
        assert_memory_equal(x, b, len);
        assert_memory_equal(y, a, len);
        assert_memory_equal(x + len, a + len, sizeof a - len);
        assert_memory_equal(y + len, b + len, sizeof b - len);
    }
}

static void test_xor_touches_exactly_its_length(void **state)
{
    struct test_rng rng = {3};

    (void)state;
    for (size_t len = 0; len <= 40; len++) {
        uint8_t a[41], b[41], masked[41], plain[41];

        test_rng_bytes(&rng, a, sizeof a);
        test_rng_bytes(&rng, b, sizeof b);
        memcpy(masked, a, sizeof a);
        memcpy(plain, a, sizeof a);
        qrt_ct_xor_masked(masked, b, len, 0);
        assert_memory_equal(masked, a, sizeof a);
        qrt_ct_xor_masked(masked, b, len, ONES);
        qrt_xor(plain, b, len);
        for (size_t i = 0; i < sizeof a; i++) {
            assert_int_equal(masked[i], i < len ? a[i] ^ b[i] : a[i]);
            assert_int_equal(plain[i], masked[i]);
        }
    }
}

static void test_marks_do_not_change_bytes(void **state)
{
    uint8_t b[4] = {1, 2, 3, 4};

    (void)state;
    qrt_secret(b, sizeof b);
    qrt_public(b, sizeof b, "the test looks at it");
    assert_memory_equal(b, "\x01\x02\x03\x04", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masks_are_all_or_nothing),
        cmocka_unit_test(test_bits_count_from_the_low_end_of_byte_0),
        cmocka_unit_test(test_equality_of_all_pairs_of_bytes),
        cmocka_unit_test(test_every_single_bit_of_every_length_counts),
        cmocka_unit_test(test_swap_swaps_or_does_nothing),
        cmocka_unit_test(test_xor_touches_exactly_its_length),
        cmocka_unit_test(test_marks_do_not_change_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
