/* SPDX-License-Identifier: Apache-2.0 */
/* Base58Check at its ends: all zeros, all ones, and Tron's version byte (key_vectors.py). */
#include "support.h"

#include "key/base58.h"

#include <string.h>

static void check(uint8_t version, uint8_t fill, const char *want)
{
    char out[QRT_BASE58_MAX];
    uint8_t hash[20];

    memset(hash, fill, sizeof hash);
    memset(out, 'x', sizeof out);
    qrt_base58check(out, test_ctx(QRT_CPU_ALL), version, hash);
    assert_string_equal(out, want);
}

static void test_every_leading_zero_byte_is_a_digit(void **state)
{
    (void)state;
    check(0, 0, "1111111111111111111114oLvT2");
}

static void test_the_largest_number_fits(void **state)
{
    (void)state;
    check(0xff, 0xff, "2n1XR4oJkmBdJMxhBGQGb96gQ88xUyGML1i");
}

static void test_zeros_behind_the_version_are_no_leading_ones(void **state)
{
    (void)state;
    check(0x41, 0, "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_leading_zero_byte_is_a_digit),
        cmocka_unit_test(test_the_largest_number_fits),
        cmocka_unit_test(test_zeros_behind_the_version_are_no_leading_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
