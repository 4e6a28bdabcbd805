/* SPDX-License-Identifier: Apache-2.0 */
/* The face of db.h: opening by URL, handing works to the thread (worker.c) and their ends to the
 * loop. A done callback runs on the loop's thread only, in the async handle or db_close. */
#include "system/core/buffer.h"
#include "system/core/log.h"
#include "system/db/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct db {
    struct db_worker *worker;
    /* NULL without a loop; outlives the struct until the loop has closed it */
    uv_async_t *async;
};

static const struct db_driver *const drivers[] = {&db_sqlite, NULL};

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

static void on_async(uv_async_t *async)
{
    struct db *db = async->data;

    if (db)
        deliver(db);
}

static void notify(void *arg)
{
    uv_async_send(arg);
}

static void free_async(uv_handle_t *handle)
{
    free(handle);
}

static struct db_conn *open_conn(const char *url, char error[DB_ERROR_MAX])
{
    for (size_t i = 0; drivers[i]; i++) {
        size_t len = strlen(drivers[i]->scheme);

        if (strncmp(url, drivers[i]->scheme, len) == 0)
            return drivers[i]->open(url + len, error);
    }
    snprintf(error, DB_ERROR_MAX, "database address \"%.100s\" must look like sqlite:PATH", url);
    return NULL;
}

struct db *db_open(uv_loop_t *loop, const struct db_params *params, char error[DB_ERROR_MAX])
{
    struct db_conn *conn = open_conn(params->url, error);
    struct db *db;

    if (!conn)
        return NULL;
    if (!db_migrate(conn, params->migrations, error)) {
        conn->driver->close(conn);
        return NULL;
    }
    db = mem_new(1, sizeof *db);
    if (loop) {
        db->async = mem_new(1, sizeof *db->async);
        if (uv_async_init(loop, db->async, on_async) != 0) {
            log_line(LOG_ERROR, "no descriptor for the database's thread");
            exit(1);
        }
        db->async->data = db;
    }
    db->worker = db_worker_new(conn, loop ? notify : NULL, db->async);
    return db;
}

void db_close(struct db *db)
{
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
    enum db_result result = tx->conn->driver->run(tx->conn, statement);

    if (result == DB_FAILED)
        tx->failed = true;
    return result;
}

enum db_result db_exec(struct db_tx *tx, const char *sql, const struct db_value *params, size_t n,
                       int64_t *changed)
{
    return run(tx, &(struct db_statement){sql, params, n, changed, NULL, NULL});
}

enum db_result db_query(struct db_tx *tx, const char *sql, const struct db_value *params, size_t n,
                        db_each *each, void *arg)
{
    return run(tx, &(struct db_statement){sql, params, n, NULL, each, arg});
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

void db_error(const struct db *db, char out[DB_ERROR_MAX])
{
    db_worker_error(db->worker, out);
}
