/* SPDX-License-Identifier: Apache-2.0 */
/* Fields come back as they were written; what is missing is noticed, and stays so. */
#include "system/core/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_fields_come_back(void **state)
{
    uint8_t b[16], *at = b, text[3];
    struct fields f = {b, 0, false};

    (void)state;
    at = fields_put(at, "abc", 3);
    at = fields_put_number(at, 0x0102, 2);
    at = fields_put(at, NULL, 0);
    at = fields_put_number(at, UINT64_MAX, 8);
    at = fields_put(at, "x", 1);
    f.left = (size_t)(at - b);
    assert_int_equal(f.left, 14);
    fields_copy(&f, text, 3);
    assert_memory_equal(text, "abc", 3);
    assert_int_equal(fields_number(&f, 2), 0x0102);
    assert_true(fields_number(&f, 8) == UINT64_MAX);
    assert_false(fields_end(&f));
    assert_ptr_equal(fields_take(&f, 1), b + 13);
    assert_true(fields_end(&f));
}

static void test_what_is_missing_is_noticed_for_good(void **state)
{
    const uint8_t b[] = {1, 2, 3};
    uint8_t out[2] = {9, 9};
    struct fields f = {b, sizeof b, false};

    (void)state;
    assert_int_equal(fields_number(&f, 2), 0x0102);
    assert_int_equal(fields_number(&f, 2), 0);
    assert_null(fields_take(&f, 1));
    fields_copy(&f, out, 2);
    assert_int_equal(out[0] | out[1], 0);
    assert_false(fields_end(&f));
    /* nor does a length beyond all memory pass */
    f = (struct fields){b, sizeof b, false};
    assert_null(fields_take(&f, SIZE_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_come_back),
        cmocka_unit_test(test_what_is_missing_is_noticed_for_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
