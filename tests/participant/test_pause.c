/* SPDX-License-Identifier: Apache-2.0 */
/* The rest of a thread: its time ends it, a stop ends it, what is waited for ends it. */
#include "participant/pause.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { SHORT_MS = 1, DAY_MS = 24 * 3600 * 1000 };

static struct pause pause_of_test;
static pthread_cond_t begun = PTHREAD_COND_INITIALIZER;
/* under the pause's lock */
static bool has_come, is_waiting;

/* Asked under the lock, which is let go by nothing but the wait that follows. */
static bool came(const void *arg)
{
    is_waiting = true;
    pthread_cond_signal(&begun);
    return *(const bool *)arg;
}

static void *wait_for_it(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&pause_of_test.lock);
    pause_until(&pause_of_test, DAY_MS, came, &has_come);
    pthread_mutex_unlock(&pause_of_test.lock);
    return NULL;
}

static pthread_t start_waiting(void)
{
    pthread_t thread;

    has_come = is_waiting = false;
    assert_int_equal(pthread_create(&thread, NULL, wait_for_it, NULL), 0);
    pthread_mutex_lock(&pause_of_test.lock);
    while (!is_waiting)
        pthread_cond_wait(&begun, &pause_of_test.lock);
    pthread_mutex_unlock(&pause_of_test.lock);
    return thread;
}

static void test_time_ends_it(void **state)
{
    (void)state;
    pause_init(&pause_of_test);
    pause_for(&pause_of_test, SHORT_MS);
    assert_false(pause_is_stopped(&pause_of_test));
    pause_close(&pause_of_test);
}

static void test_a_stop_ends_it_after_and_before_it_began(void **state)
{
    pthread_t thread;

    (void)state;
    pause_init(&pause_of_test);
    thread = start_waiting();
    pause_stop(&pause_of_test);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(pause_is_stopped(&pause_of_test));
    pause_for(&pause_of_test, DAY_MS);
    pause_close(&pause_of_test);
}

static void test_what_is_waited_for_ends_it(void **state)
{
    pthread_t thread;

    (void)state;
    pause_init(&pause_of_test);
    thread = start_waiting();
    pthread_mutex_lock(&pause_of_test.lock);
    has_come = true;
    pthread_cond_signal(&pause_of_test.woken);
    pthread_mutex_unlock(&pause_of_test.lock);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(pause_is_stopped(&pause_of_test));
    pause_close(&pause_of_test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_ends_it),
        cmocka_unit_test(test_a_stop_ends_it_after_and_before_it_began),
        cmocka_unit_test(test_what_is_waited_for_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
