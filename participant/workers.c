/* SPDX-License-Identifier: Apache-2.0 */
/* One lock, a queue per kind, a condition per group of threads. */
#include "participant/workers.h"

#include "system/core/buffer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* NICE_MAX: what the system has at most. */
enum { SLOW_NICE = 5, NICE_MAX = 19, STACK_BYTES = 1 << 20 };

struct queue {
    struct task *first, **end;
};

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t fast_wake, slow_wake, yielding;
    struct queue queues[WORK_KINDS];
    bool stopping, joined;
    size_t fast_n, slow_n;
    /* of slow_n: have their priority */
    size_t yielding_n;
    pthread_t *threads;
};

static struct task *queue_take(struct queue *queue)
{
    struct task *task = queue->first;

    if (!task)
        return NULL;
    queue->first = task->next;
    if (!queue->first)
        queue->end = &queue->first;
    task->next = NULL;
    return task;
}

static struct task *take_fast(struct workers *workers)
{
    return queue_take(&workers->queues[WORK_SIGN]);
}

static struct task *take_slow(struct workers *workers)
{
    struct task *task = queue_take(&workers->queues[WORK_KEYGEN]);

    return task ? task : queue_take(&workers->queues[WORK_PRESIGN]);
}

static void work(struct workers *workers, struct task *(*take)(struct workers *workers),
                 pthread_cond_t *wake)
{
    pthread_mutex_lock(&workers->lock);
    while (!workers->stopping) {
        struct task *task = take(workers);

        if (!task) {
            pthread_cond_wait(wake, &workers->lock);
            continue;
        }
        pthread_mutex_unlock(&workers->lock);
        task->work(task->arg);
        pthread_mutex_lock(&workers->lock);
    }
    pthread_mutex_unlock(&workers->lock);
}

static void *fast_thread(void *arg)
{
    struct workers *workers = arg;

    work(workers, take_fast, &workers->fast_wake);
    return NULL;
}

/* On Linux a nice value belongs to the thread that asks for it; it began with its process's, which
 * may be nice itself. */
static void yield_to_signing(void)
{
    int own = getpriority(PRIO_PROCESS, 0);

    (void)setpriority(PRIO_PROCESS, 0, own + SLOW_NICE < NICE_MAX ? own + SLOW_NICE : NICE_MAX);
}

static void *slow_thread(void *arg)
{
    struct workers *workers = arg;

    yield_to_signing();
    pthread_mutex_lock(&workers->lock);
    workers->yielding_n++;
    pthread_cond_signal(&workers->yielding);
    pthread_mutex_unlock(&workers->lock);
    work(workers, take_slow, &workers->slow_wake);
    return NULL;
}

static void start(struct workers *workers)
{
    pthread_attr_t attr;
    size_t n = workers->fast_n + workers->slow_n;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    for (size_t i = 0; i < n; i++) {
        if (pthread_create(&workers->threads[i], &attr,
                           i < workers->fast_n ? fast_thread : slow_thread, workers) != 0)
            abort();
    }
    pthread_attr_destroy(&attr);
}

/* What comes next, the sandbox, lets nobody change a priority any more. */
static void wait_until_yielding(struct workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    while (workers->yielding_n < workers->slow_n)
        pthread_cond_wait(&workers->yielding, &workers->lock);
    pthread_mutex_unlock(&workers->lock);
}

struct workers *workers_new(size_t n)
{
    struct workers *workers = mem_new(1, sizeof *workers);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (n == 0)
        n = cores > 0 ? (size_t)cores : 1;
    workers->fast_n = n;
    workers->slow_n = n > 1 ? n / 2 : 1;
    workers->threads = mem_new(n + workers->slow_n, sizeof *workers->threads);
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->fast_wake, NULL);
    pthread_cond_init(&workers->slow_wake, NULL);
    pthread_cond_init(&workers->yielding, NULL);
    for (size_t i = 0; i < WORK_KINDS; i++)
        workers->queues[i].end = &workers->queues[i].first;
    start(workers);
    wait_until_yielding(workers);
    return workers;
}

void workers_submit(struct workers *workers, enum work_kind kind, struct task *task)
{
    struct queue *queue = &workers->queues[kind];

    pthread_mutex_lock(&workers->lock);
    task->next = NULL;
    *queue->end = task;
    queue->end = &task->next;
    pthread_cond_signal(kind == WORK_SIGN ? &workers->fast_wake : &workers->slow_wake);
    pthread_mutex_unlock(&workers->lock);
}

void workers_stop(struct workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    workers->stopping = true;
    pthread_cond_broadcast(&workers->fast_wake);
    pthread_cond_broadcast(&workers->slow_wake);
    pthread_mutex_unlock(&workers->lock);
    for (size_t i = 0; !workers->joined && i < workers->fast_n + workers->slow_n; i++)
        (void)pthread_join(workers->threads[i], NULL);
    workers->joined = true;
}

void workers_free(struct workers *workers)
{
    if (!workers)
        return;
    workers_stop(workers);
    pthread_mutex_destroy(&workers->lock);
    pthread_cond_destroy(&workers->fast_wake);
    pthread_cond_destroy(&workers->slow_wake);
    pthread_cond_destroy(&workers->yielding);
    free(workers->threads);
    free(workers);
}
