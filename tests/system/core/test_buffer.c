/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers grow, are always ended by a zero, and forget from the front. */
#include "system/core/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_adds_and_ends_with_zero(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    buffer_text(&buffer, "abc");
    buffer_add(&buffer, "\0x", 2);
    buffer_printf(&buffer, "-%d-%s", 42, "end");
    assert_int_equal(buffer.len, 12);
    assert_memory_equal(buffer.b, "abc\0x-42-end", 13);
    buffer_free(&buffer);
    assert_null(buffer.b);
    assert_int_equal(buffer.len + buffer.cap, 0);
}

static void test_grows(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    for (unsigned i = 0; i < 10000; i++)
        buffer_printf(&buffer, "%04u", i);
    assert_int_equal(buffer.len, 40000);
    assert_memory_equal(buffer.b + 4 * 1234, "1234", 4);
    assert_int_equal(buffer.b[buffer.len], 0);
    assert_true(buffer.cap > buffer.len);
    buffer_free(&buffer);
}

static void test_drops_from_the_front(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    buffer_drop(&buffer, 7);
    buffer_text(&buffer, "0123456789");
    buffer_drop(&buffer, 0);
    buffer_drop(&buffer, 4);
    assert_string_equal((char *)buffer.b, "456789");
    buffer_drop(&buffer, 100);
    assert_int_equal(buffer.len, 0);
    assert_string_equal((char *)buffer.b, "");
    buffer_free(&buffer);
}

static void test_nothing_added_is_text(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    buffer_add(&buffer, NULL, 0);
    assert_string_equal((char *)buffer.b, "");
    buffer_free(&buffer);
}

static void test_heap(void **state)
{
    const uint8_t zeroes[32] = {0};
    uint8_t *p = mem_new(8, 4);
    char *copy = mem_copy("abc", 3), *text = text_copy("hello"), *none = mem_copy(NULL, 0);

    (void)state;
    assert_memory_equal(p, zeroes, 32);
    assert_memory_equal(copy, "abc", 3);
    assert_string_equal(text, "hello");
    assert_non_null(none);
    free(p);
    free(copy);
    free(text);
    free(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adds_and_ends_with_zero),
        cmocka_unit_test(test_grows),
        cmocka_unit_test(test_drops_from_the_front),
        cmocka_unit_test(test_nothing_added_is_text),
        cmocka_unit_test(test_heap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
