/* SPDX-License-Identifier: Apache-2.0 */
/* The line between db.h and a database: what a driver gives. Everything above it (queue, group
 * commit, migrations) is the same for all.
 *
 * A connection is used by one thread at a time. Every function that can fail leaves one line in
 * conn->error. A statement that conflicts leaves the transaction usable; a driver whose database
 * does otherwise guards each statement itself. */
#ifndef SYSTEM_DB_DRIVER_H
#define SYSTEM_DB_DRIVER_H

#include "system/db/db.h"

/* The first member of a driver's own connection. */
struct db_conn {
    const struct db_driver *driver;
    char error[DB_ERROR_MAX];
};

struct db_tx {
    struct db_conn *conn;
    /* a statement failed: the work cannot succeed any more */
    bool failed;
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
};

struct db_driver {
    /* what an URL begins with: "sqlite:" */
    const char *scheme;
    /* |where|: the URL after the scheme. NULL with one line */
    struct db_conn *(*open)(const char *where, char error[DB_ERROR_MAX]);
    void (*close)(struct db_conn *conn);
    /* |writes| false: statements that change something are refused until the end */
    bool (*begin)(struct db_conn *conn, bool writes);
    /* True: on the disk. |wrote|: there was something to write. False: taken back altogether */
    bool (*commit)(struct db_conn *conn, bool *wrote);
    void (*rollback)(struct db_conn *conn);
    /* One savepoint at a time: open, keep, take back (which also ends it). False: the whole
     * transaction is lost */
    bool (*save)(struct db_conn *conn);
    bool (*keep)(struct db_conn *conn);
    bool (*take_back)(struct db_conn *conn);
    /* Several statements without values */
    bool (*script)(struct db_conn *conn, const char *sql);
    enum db_result (*run)(struct db_conn *conn, const struct db_statement *statement);
    /* Columns of a row, from 0 */
    bool (*is_null)(const struct db_row *row, int column);
    int64_t (*get_int)(const struct db_row *row, int column);
    const char *(*get_text)(const struct db_row *row, int column);
    const uint8_t *(*get_blob)(const struct db_row *row, int column, size_t *len);
};

extern const struct db_driver db_sqlite;

/* Bring |conn| up to the last of |migrations| (db_params). False with one line in |error|. */
bool db_migrate(struct db_conn *conn, const char *const *migrations, char error[DB_ERROR_MAX]);

#endif
