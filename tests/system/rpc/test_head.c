/* SPDX-License-Identifier: Apache-2.0 */
#include "system/rpc/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool add(struct head *head, const char *name, const char *value)
{
    return head_add(head, name, strlen(name), value, strlen(value));
}

static void test_fields(void **state)
{
    struct head head = {.max = 1000};

    (void)state;
    assert_null(head_get(&head, "x"));
    assert_true(add(&head, "X-Api-Key", "one"));
    assert_true(add(&head, "x-api", "two"));
    assert_true(add(&head, "empty", ""));
    assert_string_equal(head_get(&head, "x-api-key"), "one");
    assert_string_equal(head_get(&head, "x-api"), "two");
    assert_string_equal(head_get(&head, "empty"), "");
    assert_null(head_get(&head, "x-ap"));
    head_free(&head);
}

/* Nobody can read one of two and overlook the other. */
static void test_repeated_fields_are_joined(void **state)
{
    struct head head = {.max = 1000};

    (void)state;
    assert_true(add(&head, "X-Forwarded-For", "1.1.1.1"));
    assert_true(add(&head, "other", "x"));
    assert_true(add(&head, "x-forwarded-for", "2.2.2.2"));
    assert_true(add(&head, "X-FORWARDED-FOR", "3.3.3.3"));
    assert_string_equal(head_get(&head, "x-forwarded-for"), "1.1.1.1, 2.2.2.2, 3.3.3.3");
    assert_string_equal(head_get(&head, "other"), "x");
    head_free(&head);
}

static void test_bounds(void **state)
{
    struct head head = {.max = 20};
    char name[16];

    (void)state;
    assert_true(add(&head, "a", "0123456789012345"));
    assert_int_equal(head.text.len, 19);
    assert_false(add(&head, "b", ""));
    assert_false(add(&head, "a", ""));
    head_free(&head);
    head = (struct head){.max = 100000};
    for (int i = 0; i < HEAD_FIELDS_MAX; i++) {
        snprintf(name, sizeof name, "x%d", i);
        assert_true(add(&head, name, "y"));
    }
    assert_false(add(&head, "more", "y"));
    assert_true(add(&head, "x7", "z"));
    assert_false(head_add(&head, "x8", 2, "a\0b", 3));
    assert_false(head_add(&head, "x\0", 2, "a", 1));
    assert_string_equal(head_get(&head, "x8"), "y");
    head_free(&head);
}

/* Joining again and again costs room each time, so it ends. */
static void test_joining_is_bounded(void **state)
{
    struct head head = {.max = 32768};
    int n = 0;

    (void)state;
    while (add(&head, "x", "yyyyyyyyyy"))
        n++;
    assert_in_range(n, 10, 200);
    assert_true(head.text.len <= 32768);
    head_free(&head);
}

static void test_lists_and_types(void **state)
{
    (void)state;
    assert_true(head_list_has("keep-alive, Upgrade", "upgrade"));
    assert_true(head_list_has("upgrade ,x", "upgrade"));
    assert_false(head_list_has("upgraded, no-upgrade", "upgrade"));
    assert_false(head_list_has("", "upgrade"));
    assert_false(head_list_has(NULL, "upgrade"));
    assert_true(head_is_type("application/json", "application/json"));
    assert_true(head_is_type("Application/JSON ; charset=utf-8", "application/json"));
    assert_false(head_is_type("application/jsonx", "application/json"));
    assert_false(head_is_type(NULL, "application/json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),          cmocka_unit_test(test_repeated_fields_are_joined),
        cmocka_unit_test(test_bounds),          cmocka_unit_test(test_joining_is_bounded),
        cmocka_unit_test(test_lists_and_types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
