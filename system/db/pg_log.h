/* SPDX-License-Identifier: Apache-2.0 */
/* A transaction as the list of its steps, from BEGIN on. Steps are sent together when an answer is
 * wanted (libpq's pipeline mode), and kept until the end: on a new connection the whole list is run
 * again. What the first run was answered is remembered as a digest. If the second run gives the
 * same answers, everybody who saw the first may believe in the second; if not, the transaction is
 * given up.
 *
 * A step that fails is not part of the list: the steps since its savepoint are cut off. */
#ifndef SYSTEM_DB_PG_LOG_H
#define SYSTEM_DB_PG_LOG_H

#include "system/db/pg_value.h"

#include <libpq-fe.h>

enum { PG_KEPT_MAX = 256, PG_DIGEST = 16, PG_CODE = 6 };

/* A statement that the server has prepared; its number is its name there. Values of other types
 * make it another one. Kept for good: a program has so many texts and no more. */
struct pg_kept {
    char *sql;
    int n;
    Oid types[PG_PARAMS_MAX];
    /* whether this connection knows it; whether it was told and has not answered yet */
    bool is_prepared, is_told;
};

struct pg_step {
    /* NULL: |sql| is run as it is */
    struct pg_kept *kept;
    char *sql;
    struct pg_values values;
    uint8_t digest[PG_DIGEST];
    bool is_answered;
    /* it stands in the list, and is not sent */
    bool is_silent;
    /* the server fails it where it changes, or finds, no row */
    bool must;
    /* it changed something when it was answered, or may when it is */
    bool writes;
};

struct pg_log {
    struct pg_kept kept[PG_KEPT_MAX];
    size_t kept_n;
    struct pg_step *steps;
    size_t n, cap;
    /* so many were sent on this connection, and answered */
    size_t sent;
    /* the first step of the last exchange that was not answered well */
    size_t failed;
    /* of the last step that was answered; the log's until the next exchange */
    PGresult *last;
    /* the last error: its code and its line */
    char code[PG_CODE], line[DB_ERROR_MAX];
};

enum pg_outcome {
    PG_OK,
    /* a step failed: the server waits for the savepoint's or the transaction's end */
    PG_ERROR,
    /* the same, and the whole transaction may succeed when it is run again */
    PG_AGAIN,
    /* an answer differs from that of the first run */
    PG_CHANGED,
    /* the connection is gone */
    PG_LOST
};

/* |values| become the log's. */
struct pg_step *pg_log_add(struct pg_log *log, const char *sql, const struct pg_values *values);
/* What begins, ends or divides a transaction. */
struct pg_step *pg_log_add_control(struct pg_log *log, const char *sql);
/* The same; the step fails where it changes, or finds, no row. */
struct pg_step *pg_log_add_must(struct pg_log *log, const char *sql,
                                const struct pg_values *values);
/* Run once and not prepared; |sql| becomes the log's. */
void pg_log_add_once(struct pg_log *log, char *sql);
/* Forget all steps from |n| on. */
void pg_log_cut(struct pg_log *log, size_t n);
/* Forget the steps from |from| on, up to |to|, which is the next to be sent. */
void pg_log_drop(struct pg_log *log, size_t from, size_t to);
/* From now on every step is sent, and what was answered is forgotten: for a transaction that was
 * taken back before anybody learnt of it. False: nothing was silent. */
bool pg_log_speak(struct pg_log *log);
/* A step changed something, or may when it is answered. */
bool pg_log_writes(const struct pg_log *log);
/* What failed last was a step that must change, or find, a row. */
bool pg_log_is_refused(const struct pg_log *log);
/* Send what was not sent of the first |n| steps, take the answers. */
enum pg_outcome pg_log_exchange(struct pg_log *log, PGconn *c, size_t n);
/* What is to be sent was answered before; whether that is the answer now shows afterwards only. */
bool pg_log_is_again(const struct pg_log *log);
/* One statement beside the list; |values| may be NULL. Its answer is in |last|. */
enum pg_outcome pg_log_aside(struct pg_log *log, PGconn *c, const char *sql,
                             const struct pg_values *values);
/* The connection is a new one. */
void pg_log_rewind(struct pg_log *log);
void pg_log_free(struct pg_log *log);

#endif
