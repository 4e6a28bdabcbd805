/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in bytes: order, width, and what does not fit. */
#include "system/core/be.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_the_most_significant_byte_comes_first(void **state)
{
    static const uint8_t four[] = {1, 2, 3, 4};
    static const uint8_t eight[] = {0xFF, 0xEE, 0xDD, 0xCC, 0xBB, 0xAA, 0x99, 0x88};
    uint8_t b[8];

    (void)state;
    be_put(b, 4, 0x01020304);
    assert_memory_equal(b, four, 4);
    assert_int_equal(be_get(four, 4), 0x01020304);
    be_put(b, 8, 0xFFEEDDCCBBAA9988);
    assert_memory_equal(b, eight, 8);
    assert_true(be_get(eight, 8) == 0xFFEEDDCCBBAA9988);
}

static void test_only_the_bytes_asked_for_are_written(void **state)
{
    uint8_t b[4] = {9, 9, 9, 9};

    (void)state;
    be_put(b + 1, 2, 0xABCDEF);
    assert_int_equal(b[0], 9);
    assert_int_equal(be_get(b + 1, 2), 0xCDEF);
    assert_int_equal(b[3], 9);
    be_put(b, 0, 5);
    assert_int_equal(b[0], 9);
    assert_int_equal(be_get(b, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_most_significant_byte_comes_first),
        cmocka_unit_test(test_only_the_bytes_asked_for_are_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
