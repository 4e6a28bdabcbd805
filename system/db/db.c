/* SPDX-License-Identifier: Apache-2.0 */
/* The face of db.h: opening by URL, handing works to the thread (worker.c) and their ends to the
 * loop. A done callback runs on the loop's thread only, in the async handle or db_close. */
#include "system/core/buffer.h"
#include "system/core/log.h"
#include "system/db/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS = 2 };

struct db {
    struct db_worker *worker;
    /* NULL without a loop; outlives the struct until the loop has closed it */
    uv_async_t *async;
    void (*lost)(void *arg, const char *error);
    void *lost_arg;
    atomic_bool was_lost;
};

static const struct db_driver *const drivers[] = {&db_sqlite, &db_postgres, &db_remote, NULL};

static void deliver(struct db *db)
{
    struct db_job *job = db_worker_finished(db->worker);

    while (job) {
        struct db_job *next = job->next;

        if (job->done)
            job->done(job->arg, job->result);
        free(job);
        job = next;
    }
}

/* At most once, and never in db_close: whoever closes needs no news. */
static void tell_lost(struct db *db)
{
    char error[DB_ERROR_MAX];

    if (!db->lost || !db_worker_is_lost(db->worker) || atomic_exchange(&db->was_lost, true))
        return;
    db_worker_error(db->worker, error);
    db->lost(db->lost_arg, error);
}

static void on_async(uv_async_t *async)
{
    struct db *db = async->data;

    if (!db)
        return;
    tell_lost(db);
    deliver(db);
}

/* From the threads of the database. */
static void notify(void *arg)
{
    struct db *db = arg;

    if (db->async)
        uv_async_send(db->async);
    else
        tell_lost(db);
}

static void free_async(uv_handle_t *handle)
{
    free(handle);
}

const struct db_driver *db_driver_of(const char *url, char error[DB_ERROR_MAX])
{
    for (size_t i = 0; drivers[i]; i++)
        if (strncmp(url, drivers[i]->scheme, strlen(drivers[i]->scheme)) == 0)
            return drivers[i];
    snprintf(error, DB_ERROR_MAX,
             "database address \"%.*s...\" must look like sqlite:PATH or postgres:host=...",
             (int)strcspn(url, ":"), url);
    return NULL;
}

static void close_conns(struct db_conn **conns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        conns[i]->driver->close(conns[i]);
}

/* The first one, by which the schema is brought up to date, then those that read. 0: a fault. */
static size_t open_conns(struct db_conn *conns[DB_CONNECTIONS_MAX], const struct db_params *params,
                         char error[DB_ERROR_MAX])
{
    const struct db_driver *driver = db_driver_of(params->url, error);
    size_t want = params->connections ? params->connections : CONNECTIONS, n = 0;

    if (!driver)
        return 0;
    if (!driver->has_pool)
        want = 1;
    while (n < want && n < DB_CONNECTIONS_MAX) {
        conns[n] = driver->open(params, n == 0, error);
        if (!conns[n])
            break;
        n++;
        if (n == 1 && !params->reads_only && !db_migrate(conns[0], params->migrations, error))
            break;
        if (n == want || n == DB_CONNECTIONS_MAX)
            return n;
    }
    close_conns(conns, n);
    return 0;
}

static uv_async_t *make_async(uv_loop_t *loop, struct db *db)
{
    uv_async_t *async = mem_new(1, sizeof *async);

    if (uv_async_init(loop, async, on_async) != 0) {
        log_line(LOG_ERROR, "no descriptor for the database's thread");
        exit(1);
    }
    async->data = db;
    return async;
}

struct db *db_open(uv_loop_t *loop, const struct db_params *params, char error[DB_ERROR_MAX])
{
    struct db_conn *conns[DB_CONNECTIONS_MAX];
    size_t n = open_conns(conns, params, error);
    struct db *db;

    if (n == 0)
        return NULL;
    db = mem_new(1, sizeof *db);
    db->lost = params->lost;
    db->lost_arg = params->lost_arg;
    if (loop)
        db->async = make_async(loop, db);
    db->worker = db_worker_new(conns, n, notify, db);
    return db;
}

void db_close(struct db *db)
{
    db_worker_hurry(db->worker);
    /* A done callback may submit more. */
    do {
        deliver(db);
        db_worker_drain(db->worker);
    } while (db_worker_has_finished(db->worker));
    db_worker_free(db->worker);
    if (db->async) {
        db->async->data = NULL;
        uv_close((uv_handle_t *)db->async, free_async);
    }
    free(db);
}

void db_submit(struct db *db, enum db_mode mode, db_work *work, db_done *done, void *arg)
{
    struct db_job *job = mem_new(1, sizeof *job);

    *job = (struct db_job){.work = work, .done = done, .arg = arg, .mode = mode};
    db_worker_submit(db->worker, job);
}

enum db_result db_run(struct db *db, enum db_mode mode, db_work *work, void *arg)
{
    struct db_job job = {.work = work, .arg = arg, .mode = mode, .is_awaited = true};

    db_worker_submit(db->worker, &job);
    return db_worker_wait(db->worker, &job);
}

void db_fence(struct db *db, db_work *fence, void *arg, const char *why)
{
    db_worker_fence(db->worker, &(struct db_fence){fence, arg, why});
}

struct db_value db_int(int64_t number)
{
    return (struct db_value){.type = DB_INT, .number = number};
}

struct db_value db_text(const char *text)
{
    if (!text)
        return (struct db_value){.type = DB_NULL};
    return (struct db_value){.type = DB_TEXT, .b = text, .len = strlen(text)};
}

struct db_value db_blob(const void *b, size_t len)
{
    if (!b)
        return (struct db_value){.type = DB_NULL};
    return (struct db_value){.type = DB_BLOB, .b = b, .len = len};
}

static enum db_result run(struct db_tx *tx, const struct db_statement *statement)
{
    if (tx->worst == DB_OK)
        tx->worst = tx->conn->driver->run(tx->conn, statement);
    return tx->worst;
}

enum db_result db_exec(struct db_tx *tx, const char *sql, const struct db_value *params, size_t n,
                       int64_t *changed)
{
    return run(tx,
               &(struct db_statement){.sql = sql, .params = params, .n = n, .changed = changed});
}

enum db_result db_must(struct db_tx *tx, const char *sql, const struct db_value *params, size_t n)
{
    return run(tx, &(struct db_statement){.sql = sql, .params = params, .n = n, .must = true});
}

enum db_result db_query(struct db_tx *tx, const char *sql, const struct db_value *params, size_t n,
                        db_each *each, void *arg)
{
    return run(
        tx, &(struct db_statement){.sql = sql, .params = params, .n = n, .each = each, .arg = arg});
}

static bool note_found(const struct db_row *row, void *arg)
{
    (void)row;
    *(bool *)arg = true;
    return false;
}

enum db_result db_exists(struct db_tx *tx, const char *sql, const struct db_value *params, size_t n,
                         bool *found)
{
    *found = false;
    return db_query(tx, sql, params, n, note_found, found);
}

static bool take_count(const struct db_row *row, void *arg)
{
    *(size_t *)arg = (size_t)db_get_int(row, 0);
    return false;
}

enum db_result db_count(struct db_tx *tx, const char *sql, const struct db_value *params, size_t n,
                        size_t *count)
{
    *count = 0;
    return db_query(tx, sql, params, n, take_count, count);
}

bool db_is_null(const struct db_row *row, int column)
{
    return row->conn->driver->is_null(row, column);
}

int64_t db_get_int(const struct db_row *row, int column)
{
    return row->conn->driver->get_int(row, column);
}

const char *db_get_text(const struct db_row *row, int column)
{
    return row->conn->driver->get_text(row, column);
}

const uint8_t *db_get_blob(const struct db_row *row, int column, size_t *len)
{
    return row->conn->driver->get_blob(row, column, len);
}

void db_copy_text(char *out, size_t cap, const struct db_row *row, int column)
{
    snprintf(out, cap, "%s", db_get_text(row, column));
}

bool db_copy_blob(uint8_t *out, size_t len, const struct db_row *row, int column)
{
    size_t got = 0;
    const uint8_t *b = db_is_null(row, column) ? NULL : db_get_blob(row, column, &got);

    memset(out, 0, len);
    if (!b || got != len)
        return false;
    memcpy(out, b, len);
    return true;
}

uint8_t *db_take_blob(size_t *len, const struct db_row *row, int column)
{
    const uint8_t *b;

    *len = 0;
    b = db_is_null(row, column) ? NULL : db_get_blob(row, column, len);
    return b && *len ? mem_copy(b, *len) : NULL;
}

uint64_t db_commits(const struct db *db)
{
    return db_worker_commits(db->worker);
}

size_t db_queue(const struct db *db)
{
    return db_worker_waiting(db->worker);
}

bool db_is_up(const struct db *db)
{
    return db_worker_is_up(db->worker);
}

bool db_is_full(const struct db *db)
{
    return db_worker_is_full(db->worker);
}

void db_error(const struct db *db, char out[DB_ERROR_MAX])
{
    db_worker_error(db->worker, out);
}
