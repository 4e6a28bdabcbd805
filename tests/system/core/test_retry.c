/* SPDX-License-Identifier: Apache-2.0 */
/* Waits between tries: growing, capped, jittered, and an end. */
#include "system/core/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_waits_grow_to_the_end(void **state)
{
    struct retry retry = {.step_ms = 2000, .cap_ms = 20000, .max = 10};
    uint32_t wait;

    (void)state;
    for (uint32_t i = 1; i <= 10; i++) {
        assert_true(retry_next(&retry, &wait));
        assert_in_range(wait, i * 1600, i * 2400);
    }
    assert_false(retry_next(&retry, &wait));
    assert_false(retry_next(&retry, &wait));
}

static void test_cap_and_no_end(void **state)
{
    struct retry retry = {.step_ms = 100, .cap_ms = 250};
    uint32_t wait = 0, least = UINT32_MAX, most = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_true(retry_next(&retry, &wait));
        if (i >= 3 && wait < least)
            least = wait;
        if (i >= 3 && wait > most)
            most = wait;
    }
    assert_in_range(least, 200, 220);
    assert_in_range(most, 280, 300);
}

static void test_success_begins_anew(void **state)
{
    struct retry retry = {.step_ms = 1000, .cap_ms = 9000, .max = 3};
    uint32_t wait;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_true(retry_next(&retry, &wait));
    retry_success(&retry);
    assert_true(retry_next(&retry, &wait));
    assert_in_range(wait, 800, 1200);
}

static void test_extremes(void **state)
{
    struct retry retry = {.step_ms = UINT32_MAX, .cap_ms = UINT32_MAX, .failed = UINT32_MAX};
    uint32_t wait;

    (void)state;
    assert_true(retry_next(&retry, &wait));
    assert_true(wait >= UINT32_MAX / 5 * 4);
    retry = (struct retry){0};
    assert_true(retry_next(&retry, &wait));
    assert_int_equal(wait, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_grow_to_the_end),
        cmocka_unit_test(test_cap_and_no_end),
        cmocka_unit_test(test_success_begins_anew),
        cmocka_unit_test(test_extremes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
