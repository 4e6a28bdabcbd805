/* SPDX-License-Identifier: Apache-2.0 */
/* One SQL interface: text with $1 parameters that SQLite and PostgreSQL both take. Two drivers:
 * sqlite (WAL, synchronous=FULL, one file per service) and postgres (one schema per service,
 * libpq). Which one is a matter of the URL alone. Columns are TEXT, BLOB (or BYTEA) and INTEGER
 * (or BIGINT), always of 64 bits; INTEGER PRIMARY KEY numbers itself. now_ms() in a statement is
 * the database's own clock in Unix milliseconds: the one that several processes share.
 * chain_hash(a, b) is SHA-256 over two byte strings, one behind the other.
 *
 * Work is a function that runs its statements in a transaction on a thread of the database. Works
 * that wait together share one commit: each inside its own savepoint, so that one that fails takes
 * only itself back. A done callback comes after the commit is durable. A work that writes runs
 * alone; one that reads may run beside it, on a thread of its own. A statement that conflicts or
 * fails ends its work: later statements answer the same.
 *
 * A server that goes away is waited for. Works that wait or run meanwhile go on when it is back:
 * none is lost, none is done twice. Only when the tries are used up they end with DB_FAILED.
 *
 *   DB_DURABLE  the caller waits for the disk
 *   DB_LAZY     committed with the next durable work, or after 200 ms; nobody waits for it
 *   DB_READ     reads only; sees everything committed before; may overtake writes that wait. If a
 *               write is told before it, it has seen that write
 */
#ifndef SYSTEM_DB_DB_H
#define SYSTEM_DB_DB_H

#include "system/core/retry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct db;
struct db_tx;
struct db_row;

enum db_result {
    DB_OK = 0,
    /* a UNIQUE or PRIMARY KEY stands against it */
    DB_CONFLICT,
    /* the work itself said no: its changes are taken back, that is no fault */
    DB_REFUSED,
    /* disk full, file damaged, server gone: |db_error| has a line */
    DB_FAILED
};

enum db_mode { DB_DURABLE, DB_LAZY, DB_READ };
enum { DB_ERROR_MAX = 256 };

struct db_params {
    /* sqlite:PATH, or postgres:KEYWORD=VALUE ... as libpq takes them, with
     * options=-csearch_path=SCHEMA, without a password */
    const char *url;
    /* numbered from 1, each one or more statements; NULL ends. Applied once each, in order, inside
     * a transaction, remembered in schema_migrations; a database that knows a higher number is
     * refused. A text that begins with "--only file:" and a line's end is for SQLite alone, one
     * with "--only server:" for PostgreSQL */
    const char *const *migrations;
    /* What follows may be left out. The server's password, lent until db_close; never told */
    const char *password;
    /* Tries to reach a server, at first and whenever it is gone; none given: ten */
    struct retry retry;
    /* Connections to a server, one of which writes; 0: two */
    size_t connections;
    /* A server ends a transaction of ours in which nothing was said for so long; 0: a minute */
    unsigned idle_ms;
    /* No other process may have it open. A SQLite file never lets one */
    bool is_alone;
    /* Only DB_READ, also beside a process that has the file; the schema is taken as it is */
    bool reads_only;
    /* What is deleted is overwritten, where the database can do that (SQLite) */
    bool erases;
    /* The server is gone for good; called once on the loop's thread, without a loop on one of the
     * database's own. May be NULL */
    void (*lost)(void *arg, const char *error);
    void *lost_arg;
};

/* |loop| is where done callbacks run; NULL: only db_run is used. NULL with one line on a fault. */
struct db *db_open(uv_loop_t *loop, const struct db_params *params, char error[DB_ERROR_MAX]);
/* Finishes what was submitted, then closes. A server that is gone now is not waited for. */
void db_close(struct db *db);

/* In the database's thread, inside a transaction. Anything but DB_OK takes its changes back. */
typedef enum db_result db_work(struct db_tx *tx, void *arg);
typedef void db_done(void *arg, enum db_result result);

/* |arg| must live until |done| (may be NULL for DB_LAZY). */
void db_submit(struct db *db, enum db_mode mode, db_work *work, db_done *done, void *arg);
/* The same from a thread that may block; never from the loop's thread once it runs. */
enum db_result db_run(struct db *db, enum db_mode mode, db_work *work, void *arg);

/* From here on every transaction that writes begins with |fence|, which keeps until the commit what
 * it looked at. If it ends with DB_REFUSED (by db_must: the server itself sees to it), nothing is
 * written any more and the database is lost, with |why| (lent) as its line. */
void db_fence(struct db *db, db_work *fence, void *arg, const char *why);

/* Values and statements; only inside a work. Pointers are borrowed for the call. */
enum db_type { DB_NULL, DB_INT, DB_TEXT, DB_BLOB };
struct db_value {
    enum db_type type;
    int64_t number;
    const void *b;
    size_t len;
};
struct db_value db_int(int64_t number);
/* A NULL pointer is NULL. */
struct db_value db_text(const char *text);
struct db_value db_blob(const void *b, size_t len);

/* A statement without rows; |changed|, if not NULL, gets how many rows it changed. Without it the
 * statement may be put off: then DB_OK says nothing yet, and what is wrong is said by a later
 * statement or is the work's result. */
enum db_result db_exec(struct db_tx *tx, const char *sql, const struct db_value *params, size_t n,
                       int64_t *changed);
/* A statement that must change, or find, at least one row: else the work ends with DB_REFUSED. The
 * database itself sees to that, so it may be put off as well. */
enum db_result db_must(struct db_tx *tx, const char *sql, const struct db_value *params, size_t n);
/* |each| for every row, until it returns false; the row is lent for the call. */
typedef bool db_each(const struct db_row *row, void *arg);
enum db_result db_query(struct db_tx *tx, const char *sql, const struct db_value *params, size_t n,
                        db_each *each, void *arg);
/* Is there a row? |found| is false if the query fails. */
enum db_result db_exists(struct db_tx *tx, const char *sql, const struct db_value *params, size_t n,
                         bool *found);
/* The number that the query answers, a count(*) say; 0 if it fails. */
enum db_result db_count(struct db_tx *tx, const char *sql, const struct db_value *params, size_t n,
                        size_t *count);
bool db_is_null(const struct db_row *row, int column);
int64_t db_get_int(const struct db_row *row, int column);
/* "" for NULL; lent. */
const char *db_get_text(const struct db_row *row, int column);
const uint8_t *db_get_blob(const struct db_row *row, int column, size_t *len);
/* Copies. Text is cut to |cap| with its zero byte. A blob of another length than |len| (NULL too)
 * is none: false, and |out| is zeroes. The heap copy is the caller's; NULL, and |len| 0, for NULL
 * and for no bytes. */
void db_copy_text(char *out, size_t cap, const struct db_row *row, int column);
bool db_copy_blob(uint8_t *out, size_t len, const struct db_row *row, int column);
uint8_t *db_take_blob(size_t *len, const struct db_row *row, int column);

/* Durable commits since the opening: what the tests count. */
uint64_t db_commits(const struct db *db);
/* Works waiting now. */
size_t db_queue(const struct db *db);
/* False: a server is waited for, or the disk takes nothing. */
bool db_is_up(const struct db *db);
/* The disk is full: works that write fail until there is room, which is looked for every second. */
bool db_is_full(const struct db *db);
/* The last DB_FAILED in words; for logs. */
void db_error(const struct db *db, char out[DB_ERROR_MAX]);

#endif
