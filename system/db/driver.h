/* SPDX-License-Identifier: Apache-2.0 */
/* The line between db.h and a database: what a driver gives. Everything above it (queue, group
 * commit, migrations) is the same for all.
 *
 * A connection is used by one thread at a time. Every function that can fail leaves one line in
 * conn->error. After a statement that did not succeed its work is taken back, and nothing else
 * happens before: db.c sees to that. A driver may put off a statement whose outcome nobody asked
 * for until the next one that is asked for, a work later in its transaction, or the commit. */
#ifndef SYSTEM_DB_DRIVER_H
#define SYSTEM_DB_DRIVER_H

#include "system/db/db.h"

#include <stdatomic.h>

/* The first member of a driver's own connection. */
struct db_conn {
    const struct db_driver *driver;
    char error[DB_ERROR_MAX];
    /* the server cannot be reached now; told to other threads */
    atomic_bool is_down;
    /* nothing can be stored now: the disk is full */
    atomic_bool is_full;
    /* given up: nothing succeeds from here on */
    bool is_lost;
    /* since |begin|: what stands before the first savepoint was refused, and with it everything */
    bool is_refused;
    /* since |begin|: the line of the last work that failed after its |keep| */
    char late[DB_ERROR_MAX];
};

struct db_tx {
    struct db_conn *conn;
    /* what the first statement that did not succeed ended with: the work cannot do better */
    enum db_result worst;
};

struct db_row {
    const struct db_conn *conn;
    void *cursor;
};

struct db_statement {
    const char *sql;
    const struct db_value *params;
    size_t n;
    /* may be NULL */
    int64_t *changed;
    /* NULL: the statement gives no rows */
    db_each *each;
    void *arg;
    /* see db_must; then |changed| and |each| are NULL */
    bool must;
};

struct db_driver {
    /* what an URL begins with: "sqlite:" */
    const char *scheme;
    /* more than one connection may be open at a time: the first writes, the others read */
    bool has_pool;
    /* |params|->url after the scheme says where. NULL with one line */
    struct db_conn *(*open)(const struct db_params *params, bool writes, char error[DB_ERROR_MAX]);
    void (*close)(struct db_conn *conn);
    /* Between transactions, every second without work: see whether the server is there, and find it
     * again; whether a disk that was full has room. False: it was given up. NULL: nothing to see */
    bool (*rest)(struct db_conn *conn);
    /* From any thread: wait no longer for a server that is gone. NULL: there is no server */
    void (*hurry)(struct db_conn *conn);
    /* Inside a transaction that writes: from here to its end nobody else migrates. NULL: |begin|
     * has seen to it */
    bool (*lock)(struct db_conn *conn);
    /* |writes| false: statements that change something are refused until the end */
    bool (*begin)(struct db_conn *conn, bool writes);
    /* True: on the disk. |wrote|: there was something to write. False: taken back altogether */
    bool (*commit)(struct db_conn *conn, bool *wrote);
    void (*rollback)(struct db_conn *conn);
    /* One savepoint at a time: open, keep, take back (which also ends it). False: the whole
     * transaction is lost. |keep| says how the work ended; if it is not kept, it is there to be
     * taken back. If statements of it were put off, what becomes of it may be known later: if it
     * fails then, the driver takes it back by itself and sets |*result|, at the latest in |commit|,
     * and nobody else notices. |result| NULL: it must be known now */
    bool (*save)(struct db_conn *conn);
    enum db_result (*keep)(struct db_conn *conn, enum db_result *result);
    bool (*take_back)(struct db_conn *conn);
    /* Several statements without values */
    bool (*script)(struct db_conn *conn, const char *sql);
    enum db_result (*run)(struct db_conn *conn, const struct db_statement *statement);
    /* Columns of a row, from 0 */
    bool (*is_null)(const struct db_row *row, int column);
    int64_t (*get_int)(const struct db_row *row, int column);
    const char *(*get_text)(const struct db_row *row, int column);
    const uint8_t *(*get_blob)(const struct db_row *row, int column, size_t *len);
    /* How many there are, and of what type one is */
    int (*width)(const struct db_row *row);
    enum db_type (*type_of)(const struct db_row *row, int column);
};

extern const struct db_driver db_sqlite;
extern const struct db_driver db_postgres;
extern const struct db_driver db_remote;

/* The driver of an URL. NULL with one line */
const struct db_driver *db_driver_of(const char *url, char error[DB_ERROR_MAX]);

/* Bring |conn| up to the last of |migrations| (db_params). False with one line in |error|. */
bool db_migrate(struct db_conn *conn, const char *const *migrations, char error[DB_ERROR_MAX]);

#endif
