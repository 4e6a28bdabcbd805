/* SPDX-License-Identifier: Apache-2.0 */
/* The map against a plain array, through thousands of random puts and removes. */
#include "system/core/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { KEYS = 500 };

struct thing {
    char key[16];
    bool in;
};

static bool count(void *value, void *arg)
{
    size_t *n = arg;

    assert_true(((struct thing *)value)->in);
    (*n)++;
    return true;
}

static bool stop_at_once(void *value, void *arg)
{
    (void)value;
    (*(size_t *)arg)++;
    return false;
}

static void compare(const struct map *map, struct thing *things)
{
    size_t in = 0, seen = 0;

    for (size_t i = 0; i < KEYS; i++) {
        assert_ptr_equal(map_get(map, things[i].key), things[i].in ? &things[i] : NULL);
        in += things[i].in;
    }
    map_each(map, count, &seen);
    assert_int_equal(map_n(map), in);
    assert_int_equal(seen, in);
}

static void test_like_an_array(void **state)
{
    static struct thing things[KEYS];
    struct map *map = map_new();
    size_t seen = 0;

    (void)state;
    srand(7);
    for (size_t i = 0; i < KEYS; i++)
        snprintf(things[i].key, sizeof things[i].key, "key-%zu", i);
    for (size_t step = 0; step < 20000; step++) {
        struct thing *t = &things[rand() % KEYS];

        /* mostly full in one half of the run, mostly empty in the other */
        if (rand() % 4 < (step < 10000 ? 3 : 1)) {
            map_put(map, t->key, t);
            t->in = true;
        } else {
            assert_ptr_equal(map_remove(map, t->key), t->in ? t : NULL);
            t->in = false;
        }
        if (step % 500 == 0)
            compare(map, things);
    }
    compare(map, things);
    map_each(map, stop_at_once, &seen);
    assert_int_equal(seen, 1);
    map_free(map);
    map_free(NULL);
}

static void test_put_replaces(void **state)
{
    struct thing a = {"same", true}, b = {"same", true};
    struct map *map = map_new();

    (void)state;
    assert_null(map_get(map, "same"));
    map_put(map, a.key, &a);
    map_put(map, b.key, &b);
    assert_int_equal(map_n(map), 1);
    assert_ptr_equal(map_get(map, "same"), &b);
    /* the old key may go now */
    a.key[0] = 'x';
    assert_ptr_equal(map_remove(map, "same"), &b);
    assert_null(map_remove(map, "same"));
    assert_int_equal(map_n(map), 0);
    map_free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_an_array),
        cmocka_unit_test(test_put_replaces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
