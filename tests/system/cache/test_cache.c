/* SPDX-License-Identifier: Apache-2.0 */
/* The cache under a clock that the test moves. */
#include "system/cache/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int64_t now;

static int64_t test_clock(void)
{
    return now;
}

static struct cache *cache_of(size_t entries)
{
    struct cache *cache = cache_new(entries);

    now = 1000000;
    cache_set_clock(cache, test_clock);
    return cache;
}

static bool has(struct cache *cache, const char *key, const char *text)
{
    size_t len = 99;
    const char *b = cache_get(cache, key, &len);

    assert_true(b || len == 0);
    return b && len == strlen(text) && memcmp(b, text, len) == 0;
}

static bool has_none(struct cache *cache, const char *key)
{
    size_t len;

    return !cache_get(cache, key, &len);
}

static void test_values(void **state)
{
    struct cache *cache = cache_of(10);

    (void)state;
    assert_true(has_none(cache, "a"));
    cache_put(cache, "a", "one", 3, 100);
    cache_put(cache, "b", "", 0, 100);
    assert_true(has(cache, "a", "one"));
    assert_true(has(cache, "b", ""));
    cache_put(cache, "a", "two and more", 12, 100);
    assert_true(has(cache, "a", "two and more"));
    cache_remove(cache, "a");
    cache_remove(cache, "a");
    assert_true(has_none(cache, "a"));
    cache_free(cache);
    cache_free(NULL);
}

static void test_time_to_live(void **state)
{
    struct cache *cache = cache_of(10);

    (void)state;
    cache_put(cache, "a", "one", 3, 100);
    now += 99;
    assert_true(has(cache, "a", "one"));
    now += 1;
    assert_true(has_none(cache, "a"));
    cache_put(cache, "a", "two", 3, 0);
    assert_true(has_none(cache, "a"));
    cache_free(cache);
}

static void test_put_new(void **state)
{
    struct cache *cache = cache_of(10);

    (void)state;
    assert_true(cache_put_new(cache, "a", "one", 3, 100));
    assert_false(cache_put_new(cache, "a", "two", 3, 100));
    assert_true(has(cache, "a", "one"));
    now += 100;
    assert_true(cache_put_new(cache, "a", "two", 3, 100));
    assert_true(has(cache, "a", "two"));
    cache_free(cache);
}

static void test_oldest_goes_first(void **state)
{
    struct cache *cache = cache_of(3);

    (void)state;
    cache_put(cache, "a", "1", 1, 1000);
    cache_put(cache, "b", "2", 1, 1000);
    cache_put(cache, "c", "3", 1, 1000);
    /* written again, so no longer the oldest */
    cache_put(cache, "a", "4", 1, 1000);
    cache_put(cache, "d", "5", 1, 1000);
    assert_true(has_none(cache, "b"));
    assert_true(has(cache, "a", "4") && has(cache, "c", "3") && has(cache, "d", "5"));
    cache_remove(cache, "c");
    cache_put(cache, "e", "6", 1, 1000);
    assert_true(has(cache, "a", "4") && has(cache, "d", "5") && has(cache, "e", "6"));
    for (int i = 0; i < 1000; i++) {
        char key[16];

        snprintf(key, sizeof key, "key-%d", i);
        cache_put(cache, key, key, strlen(key), 1000);
    }
    assert_true(has(cache, "key-997", "key-997") && has(cache, "key-999", "key-999"));
    assert_true(has_none(cache, "key-996") && has_none(cache, "a"));
    cache_free(cache);
}

static void test_limit(void **state)
{
    struct cache *cache = cache_of(10);
    unsigned wait = 99;

    (void)state;
    /* a burst of 5, then one each 2 s */
    for (int i = 0; i < 5; i++) {
        assert_true(cache_allow(cache, "k", 30, 5, &wait));
        assert_int_equal(wait, 0);
    }
    assert_false(cache_allow(cache, "k", 30, 5, &wait));
    assert_int_equal(wait, 2);
    now += 1500;
    assert_false(cache_allow(cache, "k", 30, 5, &wait));
    assert_int_equal(wait, 1);
    now += 499;
    assert_false(cache_allow(cache, "k", 30, 5, &wait));
    now += 1;
    assert_true(cache_allow(cache, "k", 30, 5, &wait));
    assert_false(cache_allow(cache, "k", 30, 5, &wait));
    /* others have their own budget, and a value of the same name is something else */
    assert_true(cache_allow(cache, "other", 30, 5, &wait));
    assert_true(has_none(cache, "k"));
    cache_put(cache, "k", "v", 1, 1000000);
    assert_false(cache_allow(cache, "k", 30, 5, &wait));
    cache_free(cache);
}

static void test_limit_fills_up_to_the_burst(void **state)
{
    struct cache *cache = cache_of(10);
    unsigned wait;

    (void)state;
    assert_true(cache_allow(cache, "k", 4000000000u, 4000000000u, &wait));
    for (int i = 0; i < 3; i++)
        assert_true(cache_allow(cache, "k", 60, 3, &wait));
    assert_false(cache_allow(cache, "k", 60, 3, &wait));
    now += INT64_MAX / 2;
    for (int i = 0; i < 3; i++)
        assert_true(cache_allow(cache, "k", 60, 3, &wait));
    assert_false(cache_allow(cache, "k", 60, 3, &wait));
    /* a clock that goes back gives nothing and takes nothing */
    now -= 1000000;
    assert_false(cache_allow(cache, "k", 60, 3, &wait));
    now += 1000;
    assert_true(cache_allow(cache, "k", 60, 3, &wait));
    cache_free(cache);
}

static void test_limit_of_nothing(void **state)
{
    struct cache *cache = cache_of(10);
    unsigned wait;

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_true(cache_allow(cache, "k", 0, 1, &wait));
    assert_true(cache_allow(cache, "k", 60, 0, &wait));
    assert_false(cache_allow(cache, "k", 60, 0, &wait));
    assert_int_equal(wait, 1);
    cache_free(cache);
}

/* Somebody who is being limited cannot be pushed out by others while he keeps coming. */
static void test_limit_stays_while_used(void **state)
{
    struct cache *cache = cache_of(4);
    unsigned wait;

    (void)state;
    assert_true(cache_allow(cache, "loud", 1, 1, &wait));
    for (int i = 0; i < 100; i++) {
        char key[16];

        snprintf(key, sizeof key, "k%d", i);
        assert_true(cache_allow(cache, key, 1, 1, &wait));
        assert_false(cache_allow(cache, "loud", 1, 1, &wait));
    }
    cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_time_to_live),
        cmocka_unit_test(test_put_new),
        cmocka_unit_test(test_oldest_goes_first),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_limit_fills_up_to_the_burst),
        cmocka_unit_test(test_limit_of_nothing),
        cmocka_unit_test(test_limit_stays_while_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
