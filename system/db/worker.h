/* SPDX-License-Identifier: Apache-2.0 */
/* The database's threads: queues of works in, finished works out. Each owns a connection. The first
 * thread writes; further ones, if there are more connections, read, otherwise the first does that
 * too. Reads and writes wait in two queues; each queue is begun in its order. At most DB_QUEUE_MAX
 * works wait, one more fails. */
#ifndef SYSTEM_DB_WORKER_H
#define SYSTEM_DB_WORKER_H

#include "system/db/driver.h"

enum {
    DB_QUEUE_MAX = 65536,
    DB_BATCH_MAX = 256,
    DB_LAZY_US = 200000,
    DB_REST_US = 1000000,
    DB_CONNECTIONS_MAX = 64
};

struct db_worker;

struct db_job {
    db_work *work;
    db_done *done;
    void *arg;
    enum db_mode mode;
    /* db_run's: told by db_worker_wait, never in the finished list */
    bool is_awaited;
    bool is_finished;
    enum db_result result;
    uint64_t since_us;
    struct db_job *next;
};

/* See db_fence. */
struct db_fence {
    db_work *work;
    void *arg;
    const char *why;
};

/* Starts |n| threads; |conns| become theirs, the first one writes. |notify| is called from a thread
 * when the finished list is not empty any more, or when the server was given up. */
struct db_worker *db_worker_new(struct db_conn *const *conns, size_t n, void (*notify)(void *arg),
                                void *arg);
void db_worker_fence(struct db_worker *worker, const struct db_fence *fence);
/* |job| is lent until it is finished. */
void db_worker_submit(struct db_worker *worker, struct db_job *job);
/* Blocks until |job| is finished. */
enum db_result db_worker_wait(struct db_worker *worker, struct db_job *job);
/* The finished works, first to last; the caller's. */
struct db_job *db_worker_finished(struct db_worker *worker);
bool db_worker_has_finished(struct db_worker *worker);
/* Blocks until nothing waits or runs. Lazy works wait no more from here on. */
void db_worker_drain(struct db_worker *worker);
/* From here on a server that is gone is not waited for. */
void db_worker_hurry(struct db_worker *worker);
/* Drains, ends the threads, closes the connections. */
void db_worker_free(struct db_worker *worker);

/* False: a server is waited for, or was given up, or the disk is full. */
bool db_worker_is_up(struct db_worker *worker);
bool db_worker_is_full(struct db_worker *worker);
bool db_worker_is_lost(struct db_worker *worker);

uint64_t db_worker_commits(struct db_worker *worker);
size_t db_worker_waiting(struct db_worker *worker);
void db_worker_error(struct db_worker *worker, char out[DB_ERROR_MAX]);

#endif
