/* SPDX-License-Identifier: Apache-2.0 */
/* Group commit. The first thread takes all writes that wait (at most DB_BATCH_MAX), runs each
 * inside its own savepoint of one transaction, and commits once. No work is finished before that
 * commit, so what a caller was told is on the disk. Reads run in a transaction of their own, on
 * another thread or, where there is one connection only, before the writes: they do not wait for
 * the disk.
 *
 * Lazy works alone start no batch until the oldest has waited DB_LAZY_US or they fill a batch. */
#include "system/db/worker.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"
#include "system/core/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct jobs {
    struct db_job *first, *last;
    size_t n;
};

/* A thread and its connection. */
struct lane {
    struct db_worker *w;
    struct db_conn *conn;
    pthread_t thread;
    bool reads, writes;
    /* guarded by the worker's lock; batches that ended */
    bool is_busy;
    uint64_t rounds;
    uint64_t rested_us;
};

struct db_worker {
    struct lane *lanes;
    size_t lanes_n;
    void (*notify)(void *arg);
    void *notify_arg;
    struct metric *queue_metric, *commits_metric, *commit_time, *pool_metric;

    /* |lock| guards what follows. |wake|: for the threads; |done|: for those who wait for them */
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    struct jobs reads, writes, finished;
    /* before every transaction that writes; |work| NULL: none */
    struct db_fence fence;
    /* durable works among |writes|; threads at work */
    size_t durable_n, busy_n;
    bool is_draining, is_ending, is_lost;
    uint64_t commits;
    char error[DB_ERROR_MAX];
};

static void put(struct jobs *jobs, struct db_job *job)
{
    job->next = NULL;
    if (jobs->last)
        jobs->last->next = job;
    else
        jobs->first = job;
    jobs->last = job;
    jobs->n++;
}

static struct db_job *take(struct jobs *jobs)
{
    struct db_job *job = jobs->first;

    if (!job)
        return NULL;
    jobs->first = job->next;
    if (!jobs->first)
        jobs->last = NULL;
    jobs->n--;
    return job;
}

/* The front of the queue, at most a batch of it. */
static struct jobs take_batch(struct db_worker *w, struct jobs *from)
{
    struct jobs batch = {0};

    while (from->n > 0 && batch.n < DB_BATCH_MAX) {
        struct db_job *job = take(from);

        if (job->mode == DB_DURABLE)
            w->durable_n--;
        put(&batch, job);
    }
    return batch;
}

/* With the lock held. */
static void finish(struct db_worker *w, struct db_job *job)
{
    job->is_finished = true;
    if (job->is_awaited)
        return;
    put(&w->finished, job);
}

static void finish_batch(struct lane *lane, struct jobs *batch)
{
    struct db_worker *w = lane->w;
    struct db_job *job;
    bool is_first, is_any;

    pthread_mutex_lock(&w->lock);
    is_first = w->finished.n == 0;
    while ((job = take(batch)) != NULL)
        finish(w, job);
    is_any = w->finished.n > 0;
    lane->rounds++;
    pthread_cond_broadcast(&w->done);
    pthread_mutex_unlock(&w->lock);
    if (is_first && is_any)
        w->notify(w->notify_arg);
}

/* The one place where a fault is told. */
static void note_fault(struct lane *lane, const char *message, size_t works)
{
    struct db_worker *w = lane->w;
    struct db_conn *conn = lane->conn;
    bool is_news;

    if (conn->error[0] == '\0')
        snprintf(conn->error, sizeof conn->error, "a work gave up without a reason");
    log_event(LOG_ERROR, message, LOG_S("error", conn->error), LOG_I("works", works));
    pthread_mutex_lock(&w->lock);
    memcpy(w->error, conn->error, sizeof w->error);
    is_news = conn->is_lost && !w->is_lost;
    w->is_lost |= conn->is_lost;
    pthread_mutex_unlock(&w->lock);
    if (is_news)
        w->notify(w->notify_arg);
}

static void fail_all(struct lane *lane, struct jobs *batch)
{
    for (struct db_job *job = batch->first; job; job = job->next)
        job->result = DB_FAILED;
    note_fault(lane, "the database failed", batch->n);
}

static void run_work(struct lane *lane, struct db_job *job)
{
    struct db_tx tx = {.conn = lane->conn};

    lane->conn->error[0] = '\0';
    job->result = job->work(&tx, job->arg);
    if (tx.worst == DB_FAILED || job->result == DB_OK)
        job->result = tx.worst;
    if (job->result == DB_OK)
        job->result = lane->conn->driver->keep(lane->conn, &job->result);
    if (job->result == DB_FAILED)
        note_fault(lane, "a work of the database failed", 1);
}

/* False: the transaction is lost, and with it every work of the batch. */
static bool run_one(struct lane *lane, struct db_job *job)
{
    struct db_conn *conn = lane->conn;

    if (!conn->driver->save(conn))
        return false;
    run_work(lane, job);
    return job->result == DB_OK || conn->driver->take_back(conn);
}

static bool run_all(struct lane *lane, struct jobs *batch)
{
    for (struct db_job *job = batch->first; job; job = job->next)
        if (!run_one(lane, job))
            return false;
    return true;
}

static void run_reads(struct lane *lane, struct jobs *batch)
{
    const struct db_driver *driver = lane->conn->driver;
    bool is_begun = driver->begin(lane->conn, false);

    if (!is_begun || !run_all(lane, batch))
        fail_all(lane, batch);
    if (is_begun)
        driver->rollback(lane->conn);
    finish_batch(lane, batch);
}

static void count_commit(struct db_worker *w, uint64_t microseconds)
{
    pthread_mutex_lock(&w->lock);
    w->commits++;
    pthread_mutex_unlock(&w->lock);
    metric_add(w->commits_metric, 1);
    metric_observe_us(w->commit_time, microseconds);
}

/* Reads that began before a commit may not have seen it. They are told first: whoever knows of a
 * write gets no read without it. */
static void let_reads_end(struct lane *lane)
{
    struct db_worker *w = lane->w;

    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->lanes_n; i++) {
        const struct lane *other = &w->lanes[i];
        uint64_t round = other->rounds;

        while (other != lane && other->is_busy && other->rounds == round)
            pthread_cond_wait(&w->done, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
}

void db_worker_fence(struct db_worker *w, const struct db_fence *fence)
{
    pthread_mutex_lock(&w->lock);
    w->fence = *fence;
    pthread_mutex_unlock(&w->lock);
}

static struct db_fence fence_of(struct db_worker *w)
{
    struct db_fence fence;

    pthread_mutex_lock(&w->lock);
    fence = w->fence;
    pthread_mutex_unlock(&w->lock);
    return fence;
}

/* False: the transaction is over. True: it is not, yet: the fence may have been put off. */
static bool passes_fence(struct lane *lane)
{
    struct db_tx tx = {.conn = lane->conn};
    struct db_fence fence = fence_of(lane->w);
    enum db_result result = DB_OK;

    if (fence.work)
        result = fence.work(&tx, fence.arg);
    if (tx.worst != DB_OK)
        result = tx.worst;
    lane->conn->is_refused |= result == DB_REFUSED;
    return result == DB_OK;
}

/* False: nothing was written. */
static bool write_all(struct lane *lane, struct jobs *batch)
{
    const struct db_driver *driver = lane->conn->driver;
    bool wrote = false;
    uint64_t start;

    if (!passes_fence(lane) || !run_all(lane, batch)) {
        driver->rollback(lane->conn);
        return false;
    }
    start = clock_steady_us();
    if (!driver->commit(lane->conn, &wrote))
        return false;
    if (wrote)
        count_commit(lane->w, clock_steady_us() - start);
    return true;
}

/* Whoever stands behind a fence that is lost has lost what it guards, and with it the database. */
static void run_writes(struct lane *lane, struct jobs *batch)
{
    struct db_conn *conn = lane->conn;

    conn->is_refused = false;
    conn->late[0] = '\0';
    if (!conn->driver->begin(conn, true) || !write_all(lane, batch)) {
        if (conn->is_refused) {
            conn->is_lost = true;
            snprintf(conn->error, sizeof conn->error, "%s", fence_of(lane->w).why);
        }
        fail_all(lane, batch);
    } else if (conn->late[0]) {
        memcpy(conn->error, conn->late, sizeof conn->error);
        note_fault(lane, "a work of the database failed", 1);
    }
    let_reads_end(lane);
    finish_batch(lane, batch);
}

static bool lazies_are_due(const struct db_worker *w, uint64_t now)
{
    return w->writes.n > 0 && (w->is_draining || w->writes.n >= DB_BATCH_MAX ||
                               now - w->writes.first->since_us >= DB_LAZY_US);
}

/* A look at an idle server, at most every second: nobody else would see that it is gone. */
static bool may_rest(const struct lane *lane, uint64_t now)
{
    return lane->conn->driver->rest && now - lane->rested_us >= DB_REST_US;
}

/* With the lock held, which is given away meanwhile. */
static void rest(struct lane *lane)
{
    pthread_mutex_unlock(&lane->w->lock);
    if (!lane->conn->driver->rest(lane->conn))
        note_fault(lane, "the database is gone", 0);
    pthread_mutex_lock(&lane->w->lock);
    lane->rested_us = clock_steady_us();
}

/* Nothing to do now: until somebody submits, the oldest lazy work is due, or the server is to be
 * looked at. */
static void wait_for_work(const struct lane *lane, uint64_t now)
{
    struct db_worker *w = lane->w;
    bool has_lazy = w->writes.n > 0 && lane->writes, rests = lane->conn->driver->rest != NULL;
    uint64_t until = UINT64_MAX;
    struct timespec at;

    if (!has_lazy && !rests) {
        pthread_cond_wait(&w->wake, &w->lock);
        return;
    }
    if (has_lazy)
        until = w->writes.first->since_us + DB_LAZY_US;
    if (rests && lane->rested_us + DB_REST_US < until)
        until = lane->rested_us + DB_REST_US;
    if (until <= now)
        return;
    clock_gettime(CLOCK_MONOTONIC, &at);
    until = (uint64_t)at.tv_nsec / 1000 + (until - now);
    at.tv_sec += (time_t)(until / 1000000);
    at.tv_nsec = (long)(until % 1000000) * 1000;
    pthread_cond_timedwait(&w->wake, &w->lock, &at);
}

static void set_busy(struct lane *lane, bool is_busy)
{
    struct db_worker *w = lane->w;

    if (is_busy && !lane->is_busy)
        w->busy_n++;
    else if (!is_busy && lane->is_busy)
        w->busy_n--;
    lane->is_busy = is_busy;
    metric_set(w->pool_metric, (int64_t)w->busy_n);
}

/* The next batches; false when the thread is to end. */
static bool next_batches(struct lane *lane, struct jobs *reads, struct jobs *writes)
{
    struct db_worker *w = lane->w;

    *reads = *writes = (struct jobs){0};
    pthread_mutex_lock(&w->lock);
    set_busy(lane, false);
    for (;;) {
        uint64_t now = clock_steady_us();

        if (lane->reads)
            *reads = take_batch(w, &w->reads);
        if (lane->writes && (w->durable_n > 0 || lazies_are_due(w, now)))
            *writes = take_batch(w, &w->writes);
        if (reads->n > 0 || writes->n > 0 || w->is_ending)
            break;
        pthread_cond_broadcast(&w->done);
        if (may_rest(lane, now))
            rest(lane);
        else
            wait_for_work(lane, now);
    }
    set_busy(lane, reads->n > 0 || writes->n > 0);
    metric_set(w->queue_metric, (int64_t)(w->reads.n + w->writes.n));
    pthread_mutex_unlock(&w->lock);
    return reads->n > 0 || writes->n > 0;
}

static void *run(void *arg)
{
    struct lane *lane = arg;
    struct jobs reads, writes;

    while (next_batches(lane, &reads, &writes)) {
        if (reads.n > 0)
            run_reads(lane, &reads);
        if (writes.n > 0)
            run_writes(lane, &writes);
    }
    return NULL;
}

/* Waits are measured by the steady clock. */
static void init_conditions(struct db_worker *w)
{
    pthread_condattr_t steady;

    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &steady);
    pthread_cond_init(&w->done, NULL);
    pthread_condattr_destroy(&steady);
}

static void make_metrics(struct db_worker *w)
{
    w->queue_metric =
        metric_new(METRIC_GAUGE, "quorate_db_queue", NULL, "Works that wait for the database.");
    w->commits_metric =
        metric_new(METRIC_COUNTER, "quorate_db_commits_total", NULL, "Durable commits.");
    w->commit_time =
        metric_new(METRIC_HISTOGRAM, "quorate_db_commit_seconds", NULL, "Time of a commit.");
    w->pool_metric = metric_new(METRIC_GAUGE, "quorate_db_connections_busy", NULL,
                                "Connections to the database that are at work.");
    metric_set(
        metric_new(METRIC_GAUGE, "quorate_db_connections", NULL, "Connections to the database."),
        (int64_t)w->lanes_n);
}

static void start_lane(struct lane *lane)
{
    if (pthread_create(&lane->thread, NULL, run, lane) != 0) {
        log_line(LOG_ERROR, "no thread for the database");
        exit(1);
    }
}

struct db_worker *db_worker_new(struct db_conn *const *conns, size_t n, void (*notify)(void *arg),
                                void *arg)
{
    struct db_worker *w = mem_new(1, sizeof *w);

    w->lanes = mem_new(n, sizeof *w->lanes);
    w->lanes_n = n;
    w->notify = notify;
    w->notify_arg = arg;
    make_metrics(w);
    pthread_mutex_init(&w->lock, NULL);
    init_conditions(w);
    for (size_t i = 0; i < n; i++)
        w->lanes[i] =
            (struct lane){.w = w, .conn = conns[i], .writes = i == 0, .reads = i > 0 || n == 1};
    for (size_t i = 0; i < n; i++)
        start_lane(&w->lanes[i]);
    return w;
}

static bool enqueue(struct db_worker *w, struct db_job *job)
{
    if (w->reads.n + w->writes.n >= DB_QUEUE_MAX)
        return false;
    job->since_us = clock_steady_us();
    put(job->mode == DB_READ ? &w->reads : &w->writes, job);
    w->durable_n += job->mode == DB_DURABLE;
    pthread_cond_broadcast(&w->wake);
    return true;
}

void db_worker_submit(struct db_worker *w, struct db_job *job)
{
    bool is_full, is_first;

    pthread_mutex_lock(&w->lock);
    is_full = !enqueue(w, job);
    is_first = w->finished.n == 0;
    if (is_full) {
        job->result = DB_FAILED;
        snprintf(w->error, sizeof w->error, "too many works wait for the database");
        finish(w, job);
    }
    pthread_mutex_unlock(&w->lock);
    if (is_full && is_first && !job->is_awaited)
        w->notify(w->notify_arg);
}

enum db_result db_worker_wait(struct db_worker *w, struct db_job *job)
{
    pthread_mutex_lock(&w->lock);
    while (!job->is_finished)
        pthread_cond_wait(&w->done, &w->lock);
    pthread_mutex_unlock(&w->lock);
    return job->result;
}

struct db_job *db_worker_finished(struct db_worker *w)
{
    struct db_job *first;

    pthread_mutex_lock(&w->lock);
    first = w->finished.first;
    w->finished = (struct jobs){0};
    pthread_mutex_unlock(&w->lock);
    return first;
}

bool db_worker_has_finished(struct db_worker *w)
{
    bool has;

    pthread_mutex_lock(&w->lock);
    has = w->finished.n > 0;
    pthread_mutex_unlock(&w->lock);
    return has;
}

void db_worker_drain(struct db_worker *w)
{
    pthread_mutex_lock(&w->lock);
    w->is_draining = true;
    pthread_cond_broadcast(&w->wake);
    while (w->reads.n + w->writes.n > 0 || w->busy_n > 0)
        pthread_cond_wait(&w->done, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

void db_worker_free(struct db_worker *w)
{
    db_worker_drain(w);
    pthread_mutex_lock(&w->lock);
    w->is_ending = true;
    pthread_cond_broadcast(&w->wake);
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < w->lanes_n; i++) {
        pthread_join(w->lanes[i].thread, NULL);
        w->lanes[i].conn->driver->close(w->lanes[i].conn);
    }
    free(w->lanes);
    pthread_cond_destroy(&w->wake);
    pthread_cond_destroy(&w->done);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void db_worker_hurry(struct db_worker *w)
{
    for (size_t i = 0; i < w->lanes_n; i++)
        if (w->lanes[i].conn->driver->hurry)
            w->lanes[i].conn->driver->hurry(w->lanes[i].conn);
}

bool db_worker_is_up(struct db_worker *w)
{
    for (size_t i = 0; i < w->lanes_n; i++)
        if (atomic_load(&w->lanes[i].conn->is_down))
            return false;
    return !db_worker_is_full(w);
}

bool db_worker_is_full(struct db_worker *w)
{
    for (size_t i = 0; i < w->lanes_n; i++)
        if (atomic_load(&w->lanes[i].conn->is_full))
            return true;
    return false;
}

bool db_worker_is_lost(struct db_worker *w)
{
    bool is_lost;

    pthread_mutex_lock(&w->lock);
    is_lost = w->is_lost;
    pthread_mutex_unlock(&w->lock);
    return is_lost;
}

uint64_t db_worker_commits(struct db_worker *w)
{
    uint64_t n;

    pthread_mutex_lock(&w->lock);
    n = w->commits;
    pthread_mutex_unlock(&w->lock);
    return n;
}

size_t db_worker_waiting(struct db_worker *w)
{
    size_t n;

    pthread_mutex_lock(&w->lock);
    n = w->reads.n + w->writes.n;
    pthread_mutex_unlock(&w->lock);
    return n;
}

void db_worker_error(struct db_worker *w, char out[DB_ERROR_MAX])
{
    pthread_mutex_lock(&w->lock);
    memcpy(out, w->error, DB_ERROR_MAX);
    pthread_mutex_unlock(&w->lock);
}
