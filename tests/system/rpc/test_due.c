/* SPDX-License-Identifier: Apache-2.0 */
/* The heap of waits against a plain list of the same waits. */
#include "system/rpc/due.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { WAITS = 300 };

struct wait {
    struct due due;
    uint64_t asked_ms;
    unsigned fired;
};

static struct wait waits[WAITS];
static uv_loop_t loop;
static struct due_heap heap;
static uint64_t last_ms;
static unsigned fired, again;

static struct wait *wait_of(struct due *due)
{
    return (struct wait *)(void *)due;
}

static void on_fire(struct due *due)
{
    struct wait *wait = wait_of(due);

    assert_false(due_is_set(due));
    assert_true(uv_now(&loop) >= wait->asked_ms);
    assert_true(due->at_ms >= last_ms);
    last_ms = due->at_ms;
    wait->fired++;
    fired++;
}

static void set(struct wait *wait, uint64_t after_ms)
{
    wait->asked_ms = uv_now(&loop) + after_ms;
    due_set(&heap, &wait->due, wait->asked_ms);
}

static void begin(void)
{
    uv_loop_init(&loop);
    due_init(&heap, &loop);
    last_ms = 0;
    fired = again = 0;
    for (size_t i = 0; i < WAITS; i++)
        waits[i] = (struct wait){.due = {.fire = on_fire}};
}

static void end(void)
{
    due_close(&heap, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_all_fire_in_order(void **state)
{
    unsigned set_n = 0;

    (void)state;
    begin();
    srand(1);
    for (int i = 0; i < 3 * WAITS; i++) {
        struct wait *wait = &waits[rand() % WAITS];

        if (rand() % 4 == 0)
            due_clear(&heap, &wait->due);
        else
            set(wait, (uint64_t)(rand() % 200));
    }
    for (size_t i = 0; i < WAITS; i++)
        set_n += due_is_set(&waits[i].due);
    while (fired < set_n)
        uv_run(&loop, UV_RUN_ONCE);
    for (size_t i = 0; i < WAITS; i++)
        assert_true(waits[i].fired <= 1);
    assert_int_equal(heap.n, 0);
    end();
}

static void set_again(struct due *due)
{
    /* For now: the next turn's, or a round would never end. */
    if (++again < 5)
        due_set(&heap, due, uv_now(&loop));
    else
        due_clear(&heap, &waits[1].due);
}

static void test_setting_and_clearing_while_firing(void **state)
{
    (void)state;
    begin();
    waits[0].due.fire = set_again;
    due_set(&heap, &waits[0].due, uv_now(&loop));
    set(&waits[1], 1000000);
    while (again < 5)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(heap.n, 0);
    assert_int_equal(waits[1].fired, 0);
    end();
}

static void test_earlier_wait_moves_the_timer(void **state)
{
    (void)state;
    begin();
    set(&waits[0], 1000000);
    set(&waits[1], 10);
    set(&waits[2], 1000000);
    set(&waits[2], 5);
    due_clear(&heap, &waits[3].due);
    while (fired < 2)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(waits[0].fired, 0);
    due_clear(&heap, &waits[0].due);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_fire_in_order),
        cmocka_unit_test(test_setting_and_clearing_while_firing),
        cmocka_unit_test(test_earlier_wait_moves_the_timer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
