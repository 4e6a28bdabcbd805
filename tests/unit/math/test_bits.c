/* SPDX-License-Identifier: Apache-2.0 */
/* The bit transpose against its definition. Built twice: with what this machine uses and with the
 * portable one. */
#include "support.h"

#include "math/bits.h"

#include <string.h>

static uint8_t cols[128][80];
static uint8_t rows[QRT_XI + 1][16];

static unsigned bit(const uint8_t *b, size_t i)
{
    return b[i / 8] >> i % 8 & 1;
}

static void transpose(void)
{
    memset(rows, 0xee, sizeof rows);
    qrt_bits_transpose(test_ctx(QRT_CPU_ALL), rows, (const uint8_t(*)[80])cols);
}

static void test_random_matrices_by_the_definition(void **state)
{
    struct test_rng rng = {1};

    (void)state;
    for (int round = 0; round < 10; round++) {
        test_rng_bytes(&rng, cols[0], sizeof cols);
        transpose();
        for (size_t i = 0; i < 128; i++)
            for (size_t j = 0; j < QRT_XI; j++)
                assert_int_equal(bit(rows[j], i), bit(cols[i], j));
        assert_int_equal(rows[QRT_XI][0], 0xee);
    }
}

static void test_a_single_bit_goes_to_its_place_alone(void **state)
{
    static const uint8_t zero[16];

    (void)state;
    for (size_t n = 0; n < 200; n++) {
        size_t i = n * 37 % 128, j = n * 211 % QRT_XI;

        memset(cols, 0, sizeof cols);
        cols[i][j / 8] = (uint8_t)(1 << j % 8);
        transpose();
        for (size_t k = 0; k < QRT_XI; k++) {
            uint8_t expected[16] = {0};

            expected[i / 8] = (uint8_t)(1 << i % 8);
            assert_memory_equal(rows[k], k == j ? expected : zero, 16);
        }
    }
}

static void test_the_last_128_bits_of_a_column_do_not_matter(void **state)
{
    struct test_rng rng = {2};
    static uint8_t before[QRT_XI][16];

    (void)state;
    test_rng_bytes(&rng, cols[0], sizeof cols);
    transpose();
    memcpy(before, rows, sizeof before);
    for (size_t i = 0; i < 128; i++)
        memset(cols[i] + 64, 0xff, 16);
    transpose();
    assert_memory_equal(rows, before, sizeof before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_matrices_by_the_definition),
        cmocka_unit_test(test_a_single_bit_goes_to_its_place_alone),
        cmocka_unit_test(test_the_last_128_bits_of_a_column_do_not_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
