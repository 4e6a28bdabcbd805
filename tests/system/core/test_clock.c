/* SPDX-License-Identifier: Apache-2.0 */
/* Times as text, and clocks that do not go back. */
#include "system/core/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static void test_text(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } times[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1769860800123, "2026-01-31T12:00:00.123Z"},
        {951827696999, "2000-02-29T12:34:56.999Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {INT64_MIN, "0000-01-01T00:00:00.000Z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char text[CLOCK_TEXT_MAX];

        clock_text(text, times[i].ms);
        assert_string_equal(text, times[i].text);
    }
}

static void test_clocks(void **state)
{
    uint64_t steady = clock_steady_us();
    int64_t seconds = (int64_t)time(NULL);

    (void)state;
    assert_true(clock_unix_ms() >= (seconds - 1) * 1000);
    for (int i = 0; i < 1000; i++) {
        uint64_t next = clock_steady_us();
        int64_t ms = clock_steady_ms();

        assert_true(next >= steady);
        assert_in_range(ms, next / 1000, clock_steady_us() / 1000);
        steady = next;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text), cmocka_unit_test(test_clocks)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
