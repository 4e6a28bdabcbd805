/* SPDX-License-Identifier: Apache-2.0 */
/* Threads: signing goes on while all others are busy, key generation goes before presigning, and
 * nothing starts after the stop. */
#include "participant/workers.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmocka.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static bool released;
static unsigned blocked, done_n;
static int order[16];

static void block(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&lock);
    blocked++;
    pthread_cond_broadcast(&wake);
    while (!released)
        pthread_cond_wait(&wake, &lock);
    pthread_mutex_unlock(&lock);
}

static void note(void *arg)
{
    pthread_mutex_lock(&lock);
    order[done_n++] = *(int *)arg;
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&lock);
}

static void wait_for(const unsigned *what, unsigned n)
{
    pthread_mutex_lock(&lock);
    while (*what < n)
        pthread_cond_wait(&wake, &lock);
    pthread_mutex_unlock(&lock);
}

static void release(void)
{
    pthread_mutex_lock(&lock);
    released = true;
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&lock);
}

static int reset(void **state)
{
    (void)state;
    released = false;
    blocked = done_n = 0;
    return 0;
}

static void test_lesson_1_9_key_generations_keep_no_signature_waiting(void **state)
{
    struct workers *workers = workers_new(2);
    struct task slow[4] = {0}, sign = {0};
    int one = 1;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        slow[i].work = block;
        workers_submit(workers, i % 2 ? WORK_PRESIGN : WORK_KEYGEN, &slow[i]);
    }
    wait_for(&blocked, 1);
    sign = (struct task){.work = note, .arg = &one};
    workers_submit(workers, WORK_SIGN, &sign);
    wait_for(&done_n, 1);
    assert_int_equal(blocked, 1);
    release();
    wait_for(&blocked, 4);
    workers_free(workers);
}

/* The nice value of the thread that asks. */
static void note_priority(void *arg)
{
    *(int *)arg = getpriority(PRIO_PROCESS, 0);
    pthread_mutex_lock(&lock);
    done_n++;
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&lock);
}

static void test_lesson_1_9_background_work_has_lower_priority(void **state)
{
    struct workers *workers = workers_new(1);
    int nice_of[WORK_KINDS], own = getpriority(PRIO_PROCESS, 0);
    struct task tasks[WORK_KINDS] = {0};

    (void)state;
    for (int i = 0; i < WORK_KINDS; i++) {
        tasks[i] = (struct task){.work = note_priority, .arg = &nice_of[i]};
        workers_submit(workers, (enum work_kind)i, &tasks[i]);
    }
    wait_for(&done_n, WORK_KINDS);
    assert_int_equal(nice_of[WORK_SIGN], own);
    if (own < 19) { /* the lowest there is */
        assert_true(nice_of[WORK_KEYGEN] > own);
        assert_true(nice_of[WORK_PRESIGN] > own);
    }
    workers_free(workers);
}

enum { THREADS_MAX = 256 };

/* Of this process. One that was joined may be there a moment longer. */
static size_t list_threads(id_t out[THREADS_MAX])
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    size_t n = 0;

    assert_non_null(tasks);
    while ((entry = readdir(tasks))) {
        assert_true(n < THREADS_MAX);
        if (entry->d_name[0] != '.')
            out[n++] = (id_t)strtoul(entry->d_name, NULL, 10);
    }
    closedir(tasks);
    return n;
}

static bool is_in(const id_t *list, size_t n, id_t thread)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i] == thread)
            return true;
    }
    return false;
}

/* They have it before workers_new returns: the keeper's sandbox allows no change of it. */
static void test_lesson_1_9_priorities_are_set_before_the_sandbox(void **state)
{
    id_t before[THREADS_MAX], all[THREADS_MAX];
    size_t before_n = list_threads(before), all_n, nicer = 0;
    struct workers *workers = workers_new(64);
    int own = getpriority(PRIO_PROCESS, 0);

    (void)state;
    all_n = list_threads(all);
    for (size_t i = 0; i < all_n; i++)
        nicer += !is_in(before, before_n, all[i]) && getpriority(PRIO_PROCESS, all[i]) > own;
    if (own < 19)
        assert_int_equal(nicer, 32);
    workers_free(workers);
}

/* Of a process that was started with a nice value of its own, or has the highest. */
static void test_background_work_yields_in_a_nice_process_too(void **state)
{
    static const int own[] = {10, 17}, background[] = {15, 19};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct workers *workers;
        struct task tasks[WORK_KINDS] = {0};
        int nice_of[WORK_KINDS];

        if (setpriority(PRIO_PROCESS, 0, own[i]) != 0)
            skip(); /* it is nicer already */
        done_n = 0;
        workers = workers_new(1);
        for (int kind = 0; kind < WORK_KINDS; kind++) {
            tasks[kind] = (struct task){.work = note_priority, .arg = &nice_of[kind]};
            workers_submit(workers, (enum work_kind)kind, &tasks[kind]);
        }
        wait_for(&done_n, WORK_KINDS);
        assert_int_equal(nice_of[WORK_SIGN], own[i]);
        assert_int_equal(nice_of[WORK_KEYGEN], background[i]);
        assert_int_equal(nice_of[WORK_PRESIGN], background[i]);
        workers_free(workers);
    }
}

static void test_key_generation_goes_before_presigning_in_order(void **state)
{
    static int names[] = {3, 4, 1, 2};
    struct workers *workers = workers_new(1);
    struct task first = {.work = block}, tasks[4] = {0};

    (void)state;
    workers_submit(workers, WORK_KEYGEN, &first);
    wait_for(&blocked, 1);
    for (size_t i = 0; i < 4; i++) {
        tasks[i] = (struct task){.work = note, .arg = &names[i]};
        workers_submit(workers, i < 2 ? WORK_PRESIGN : WORK_KEYGEN, &tasks[i]);
    }
    release();
    wait_for(&done_n, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(order[i], i + 1);
    workers_free(workers);
}

static void test_nothing_starts_after_the_stop(void **state)
{
    struct workers *workers = workers_new(3);
    struct task task = {.work = note, .arg = order};

    (void)state;
    workers_stop(workers);
    workers_submit(workers, WORK_SIGN, &task);
    workers_stop(workers);
    workers_free(workers);
    assert_int_equal(done_n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lesson_1_9_key_generations_keep_no_signature_waiting, reset),
        cmocka_unit_test_setup(test_lesson_1_9_background_work_has_lower_priority, reset),
        cmocka_unit_test_setup(test_lesson_1_9_priorities_are_set_before_the_sandbox, reset),
        cmocka_unit_test_setup(test_key_generation_goes_before_presigning_in_order, reset),
        cmocka_unit_test_setup(test_nothing_starts_after_the_stop, reset),
        cmocka_unit_test_setup(test_background_work_yields_in_a_nice_process_too, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
