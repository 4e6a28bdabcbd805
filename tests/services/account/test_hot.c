/* SPDX-License-Identifier: Apache-2.0 */
/* Which accounts get presignatures, and how many presignings are under way. */
#include "services/account/hot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MINUTE = 60000 };

static struct hot *hot;

static int reset(void **state)
{
    (void)state;
    hot = hot_new(2);
    return 0;
}

static int end(void **state)
{
    (void)state;
    hot_free(hot);
    return 0;
}

static struct hot_name named(const char *account)
{
    struct hot_name name;

    hot_name(&name, account, NULL, 0);
    return name;
}

static void heat(const struct hot_name *name, uint64_t now_ms)
{
    for (int i = 0; i < 3; i++)
        hot_signed(hot, name, now_ms);
}

static void test_more_than_so_many_in_a_minute(void **state)
{
    const struct hot_name a = named("a"), b = named("b");

    (void)state;
    assert_false(hot_begin(hot, &a, 0));
    hot_signed(hot, &a, 0);
    hot_signed(hot, &a, 30000);
    assert_false(hot_begin(hot, &a, 30000));
    hot_signed(hot, &a, 30000);
    assert_false(hot_begin(hot, &b, 30000));
    assert_true(hot_begin(hot, &a, 59999));
    hot_end(hot, &a, true, 59999);
    assert_false(hot_begin(hot, &a, MINUTE)); /* the first one is too old */
}

static void test_after_a_long_silence_nothing_counts(void **state)
{
    const struct hot_name a = named("a");

    (void)state;
    heat(&a, 5000);
    assert_false(hot_begin(hot, &a, 1000 * MINUTE));
    heat(&a, 1000 * MINUTE);
    assert_true(hot_begin(hot, &a, 1000 * MINUTE));
}

static void test_one_at_a_time_and_a_pause_after_a_failure(void **state)
{
    const struct hot_name a = named("a");

    (void)state;
    heat(&a, 0);
    assert_true(hot_begin(hot, &a, 0));
    assert_false(hot_begin(hot, &a, 0));
    hot_end(hot, &a, true, 0);
    assert_true(hot_begin(hot, &a, 0));
    hot_end(hot, &a, false, 1);
    assert_false(hot_begin(hot, &a, HOT_PAUSE_MS));
    assert_true(hot_begin(hot, &a, HOT_PAUSE_MS + 1));
}

static void test_few_at_a_time_in_all(void **state)
{
    struct hot_name names[HOT_AWAY_MAX + 1];
    char text[16];

    (void)state;
    for (int i = 0; i <= HOT_AWAY_MAX; i++) {
        snprintf(text, sizeof text, "account-%d", i);
        names[i] = named(text);
        heat(&names[i], 0);
        assert_int_equal(hot_begin(hot, &names[i], 0), i < HOT_AWAY_MAX);
    }
    hot_end(hot, &names[0], true, 0);
    assert_true(hot_begin(hot, &names[HOT_AWAY_MAX], 0));
}

static void test_an_account_and_a_path(void **state)
{
    const uint32_t path[] = {44, 60}, other[] = {44, 61};
    struct hot_name a, b, c, d;

    (void)state;
    hot_name(&a, "a", path, 2);
    hot_name(&b, "a", other, 2);
    hot_name(&c, "a", path, 1);
    hot_name(&d, "a", path, 2);
    assert_memory_not_equal(a.b, b.b, 32);
    assert_memory_not_equal(a.b, c.b, 32);
    assert_memory_equal(a.b, d.b, 32);
}

/* Of two in one place the second waits until the first is quiet for a minute. */
static void test_two_in_one_place(void **state)
{
    struct hot_name a = named("a"), b = a;

    (void)state;
    b.b[31] ^= 1;
    heat(&a, 0);
    heat(&b, 0);
    assert_false(hot_begin(hot, &b, 0));
    assert_true(hot_begin(hot, &a, 0));
    heat(&b, MINUTE);
    assert_false(hot_begin(hot, &b, MINUTE)); /* the first one's presigning is under way */
    hot_end(hot, &a, true, MINUTE);
    heat(&b, MINUTE);
    assert_true(hot_begin(hot, &b, MINUTE));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, reset, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_more_than_so_many_in_a_minute),
        TEST(test_after_a_long_silence_nothing_counts),
        TEST(test_one_at_a_time_and_a_pause_after_a_failure),
        TEST(test_few_at_a_time_in_all),
        TEST(test_an_account_and_a_path),
        TEST(test_two_in_one_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
