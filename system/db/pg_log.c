/* SPDX-License-Identifier: Apache-2.0 */
/* Steps, their answers, their digests. See pg_log.h. */
#include "system/db/pg_log.h"

#include "system/core/buffer.h"
#include "system/db/pg_fault.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* division_by_zero */
static const char NO_ROW[] = "22012";

/* Steps */

static bool is_kept(const struct pg_kept *k, const char *sql, const struct pg_values *v)
{
    return k->n == v->n && memcmp(k->types, v->types, (size_t)v->n * sizeof *v->types) == 0 &&
           strcmp(k->sql, sql) == 0;
}

/* NULL: there are too many already. */
static struct pg_kept *keep(struct pg_log *log, const char *sql, const struct pg_values *v)
{
    struct pg_kept *k;

    for (size_t i = 0; i < log->kept_n; i++)
        if (is_kept(&log->kept[i], sql, v))
            return &log->kept[i];
    if (log->kept_n == PG_KEPT_MAX)
        return NULL;
    k = &log->kept[log->kept_n++];
    *k = (struct pg_kept){.sql = text_copy(sql), .n = v->n};
    memcpy(k->types, v->types, sizeof k->types);
    return k;
}

static struct pg_step *new_step(struct pg_log *log)
{
    if (log->n == log->cap) {
        struct pg_step *more;

        log->cap = log->cap ? log->cap * 2 : 64;
        more = mem_new(log->cap, sizeof *more);
        if (log->n > 0)
            memcpy(more, log->steps, log->n * sizeof *more);
        free(log->steps);
        log->steps = more;
    }
    return &log->steps[log->n++];
}

struct pg_step *pg_log_add(struct pg_log *log, const char *sql, const struct pg_values *values)
{
    struct pg_step *step = new_step(log);

    *step = (struct pg_step){.kept = keep(log, sql, values), .values = *values, .writes = true};
    if (!step->kept)
        step->sql = text_copy(sql);
    return step;
}

struct pg_step *pg_log_add_control(struct pg_log *log, const char *sql)
{
    const struct pg_values none = {0};
    struct pg_step *step = pg_log_add(log, sql, &none);

    step->writes = false;
    return step;
}

/* A division by zero is what a statement can make of no rows without help from the schema. */
struct pg_step *pg_log_add_must(struct pg_log *log, const char *sql, const struct pg_values *values)
{
    bool finds = strncmp(sql, "SELECT ", 7) == 0;
    struct buffer text = {0};
    struct pg_step *step;

    buffer_printf(&text, "WITH it AS (%s%s) SELECT 1 / count(*) FROM it", sql,
                  finds ? "" : " RETURNING 1");
    step = pg_log_add(log, (const char *)text.b, values);
    step->must = true;
    step->writes = !finds;
    buffer_free(&text);
    return step;
}

void pg_log_add_once(struct pg_log *log, char *sql)
{
    *new_step(log) = (struct pg_step){.sql = sql, .writes = true};
}

static void free_step(struct pg_step *step)
{
    pg_values_free(&step->values);
    free(step->sql);
}

void pg_log_cut(struct pg_log *log, size_t n)
{
    while (log->n > n)
        free_step(&log->steps[--log->n]);
    if (log->sent > n)
        log->sent = n;
}

void pg_log_drop(struct pg_log *log, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        free_step(&log->steps[i]);
    memmove(&log->steps[from], &log->steps[to], (log->n - to) * sizeof *log->steps);
    log->n -= to - from;
    log->sent = from;
}

bool pg_log_speak(struct pg_log *log)
{
    bool was_silent = false;

    for (size_t i = 0; i < log->n; i++) {
        was_silent |= log->steps[i].is_silent;
        log->steps[i].is_silent = log->steps[i].is_answered = false;
    }
    return was_silent;
}

bool pg_log_writes(const struct pg_log *log)
{
    for (size_t i = 0; i < log->n; i++)
        if (log->steps[i].writes)
            return true;
    return false;
}

bool pg_log_is_refused(const struct pg_log *log)
{
    return strcmp(log->code, NO_ROW) == 0 && log->steps[log->failed].must;
}

void pg_log_rewind(struct pg_log *log)
{
    for (size_t i = 0; i < log->kept_n; i++)
        log->kept[i].is_prepared = log->kept[i].is_told = false;
    log->sent = 0;
}

void pg_log_free(struct pg_log *log)
{
    pg_log_cut(log, 0);
    for (size_t i = 0; i < log->kept_n; i++)
        free(log->kept[i].sql);
    free(log->steps);
    PQclear(log->last);
}

/* Sending */

static void name_of(char out[16], const struct pg_log *log, const struct pg_kept *kept)
{
    snprintf(out, 16, "s%zu", (size_t)(kept - log->kept));
}

static bool send_step(struct pg_log *log, PGconn *c, const struct pg_step *step)
{
    const struct pg_values *v = &step->values;
    struct pg_kept *k = step->kept;
    char name[16];

    if (!k)
        return PQsendQueryParams(c, step->sql, v->n, v->types, v->values, v->lengths, v->formats,
                                 1);
    name_of(name, log, k);
    if (!k->is_prepared && !k->is_told) {
        if (!PQsendPrepare(c, name, k->sql, k->n, k->types))
            return false;
        k->is_told = true;
    }
    return PQsendQueryPrepared(c, name, v->n, v->values, v->lengths, v->formats, 1);
}

/* Receiving */

/* Two kinds of loss: the server said so, or nothing comes any more. */
static bool is_lost(const struct pg_log *log, const PGconn *c)
{
    return PQstatus(c) == CONNECTION_BAD || strncmp(log->code, "57P", 3) == 0;
}

static void note_error(struct pg_log *log, const PGresult *r)
{
    const char *code = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

    if (log->code[0])
        return;
    snprintf(log->code, sizeof log->code, "%.5s", code ? code : "?");
    pg_fault_line(log->line, sizeof log->line, text ? text : PQresultErrorMessage(r));
}

/* One result and the NULL behind it. NULL: the connection is gone. */
static PGresult *take_result(PGconn *c)
{
    PGresult *r = PQgetResult(c), *more;

    if (!r)
        return NULL;
    while ((more = PQgetResult(c)) != NULL) {
        PQclear(more);
        if (PQstatus(c) == CONNECTION_BAD)
            break;
    }
    return r;
}

static enum pg_outcome judge(struct pg_log *log, const PGresult *r)
{
    switch (PQresultStatus(r)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
        return PG_OK;
    case PGRES_PIPELINE_ABORTED:
        return PG_ERROR;
    default:
        note_error(log, r);
        return PG_ERROR;
    }
}

/* With lengths, so that two answers of different form differ. */
static void digest_of(uint8_t out[PG_DIGEST], const PGresult *r)
{
    crypto_generichash_state state;
    const char *status = PQcmdStatus((PGresult *)(uintptr_t)r);

    crypto_generichash_init(&state, NULL, 0, PG_DIGEST);
    crypto_generichash_update(&state, (const uint8_t *)status, strlen(status));
    for (int row = 0; row < PQntuples(r); row++)
        for (int i = 0; i < PQnfields(r); i++) {
            int len = PQgetisnull(r, row, i) ? -1 : PQgetlength(r, row, i);

            crypto_generichash_update(&state, (const uint8_t *)&len, sizeof len);
            if (len > 0)
                crypto_generichash_update(&state, (const uint8_t *)PQgetvalue(r, row, i),
                                          (unsigned long long)len);
        }
    crypto_generichash_final(&state, out, PG_DIGEST);
}

/* By the command's tag: INSERT 0 3, UPDATE 0, SELECT 5, CREATE TABLE. */
static bool changes(const PGresult *r)
{
    static const char *const harmless[] = {"SELECT", "BEGIN",    "SAVEPOINT", "RELEASE",
                                           "COMMIT", "ROLLBACK", "SET",       "SHOW"};
    const char *tag = PQcmdStatus((PGresult *)(uintptr_t)r);

    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
        if (strncmp(tag, harmless[i], strlen(harmless[i])) == 0)
            return false;
    return strcmp(PQcmdTuples((PGresult *)(uintptr_t)r), "0") != 0;
}

/* |r| becomes the log's. */
static enum pg_outcome answer(struct pg_log *log, struct pg_step *step, PGresult *r)
{
    uint8_t digest[PG_DIGEST];

    PQclear(log->last);
    log->last = r;
    if (!step->must)
        step->writes = changes(r);
    digest_of(digest, r);
    if (step->is_answered && memcmp(digest, step->digest, sizeof digest) != 0)
        return PG_CHANGED;
    memcpy(step->digest, digest, sizeof digest);
    step->is_answered = true;
    return PG_OK;
}

static enum pg_outcome take_prepared(struct pg_log *log, PGconn *c, struct pg_kept *k)
{
    PGresult *r = take_result(c);
    enum pg_outcome outcome;

    if (!r)
        return PG_LOST;
    outcome = judge(log, r);
    k->is_told = false;
    k->is_prepared = outcome == PG_OK;
    PQclear(r);
    return outcome;
}

static enum pg_outcome take_step(struct pg_log *log, PGconn *c, struct pg_step *step)
{
    enum pg_outcome prepared = PG_OK, outcome;
    PGresult *r;

    if (step->kept && step->kept->is_told)
        prepared = take_prepared(log, c, step->kept);
    if (prepared == PG_LOST)
        return PG_LOST;
    r = take_result(c);
    if (!r)
        return PG_LOST;
    outcome = judge(log, r);
    if (outcome == PG_OK)
        return answer(log, step, r);
    PQclear(r);
    return outcome;
}

/* The end of what was sent together. */
static bool take_sync(PGconn *c)
{
    PGresult *r = PQgetResult(c);
    bool is_sync = PQresultStatus(r) == PGRES_PIPELINE_SYNC;

    PQclear(r);
    return is_sync;
}

/* Serialisation failure, deadlock: the other one goes first. */
static bool is_disturbed(const struct pg_log *log)
{
    return strcmp(log->code, "40001") == 0 || strcmp(log->code, "40P01") == 0;
}

static enum pg_outcome receive(struct pg_log *log, PGconn *c, size_t n)
{
    enum pg_outcome worst = PG_OK;

    for (size_t i = log->sent; i < n; i++) {
        struct pg_step *step = &log->steps[i];
        enum pg_outcome outcome = step->is_silent ? PG_OK : take_step(log, c, step);

        if (outcome == PG_LOST)
            return PG_LOST;
        if (worst != PG_OK || outcome == PG_OK)
            continue;
        worst = outcome == PG_ERROR && step->is_answered ? PG_CHANGED : outcome;
        log->failed = i;
    }
    if (!take_sync(c) || is_lost(log, c))
        return PG_LOST;
    return worst != PG_OK && is_disturbed(log) ? PG_AGAIN : worst;
}

static void note_loss(struct pg_log *log, const PGconn *c)
{
    if (!log->code[0])
        pg_fault_line(log->line, sizeof log->line, PQerrorMessage(c));
}

static bool send_steps(struct pg_log *log, PGconn *c, size_t n)
{
    for (size_t i = log->sent; i < n; i++)
        if (!log->steps[i].is_silent && !send_step(log, c, &log->steps[i]))
            return false;
    return PQpipelineSync(c) == 1;
}

enum pg_outcome pg_log_exchange(struct pg_log *log, PGconn *c, size_t n)
{
    enum pg_outcome outcome;

    log->code[0] = '\0';
    outcome = send_steps(log, c, n) ? receive(log, c, n) : PG_LOST;
    if (outcome == PG_OK)
        log->sent = n;
    if (outcome == PG_LOST)
        note_loss(log, c);
    return outcome;
}

bool pg_log_is_again(const struct pg_log *log)
{
    return log->sent < log->n && log->steps[log->sent].is_answered;
}

enum pg_outcome pg_log_aside(struct pg_log *log, PGconn *c, const char *sql,
                             const struct pg_values *values)
{
    static const struct pg_values none;
    const struct pg_values *v = values ? values : &none;
    enum pg_outcome outcome;

    log->code[0] = '\0';
    PQclear(log->last);
    log->last = NULL;
    if (!PQsendQueryParams(c, sql, v->n, v->types, v->values, v->lengths, v->formats, 1) ||
        PQpipelineSync(c) != 1)
        return PG_LOST;
    log->last = take_result(c);
    outcome = log->last ? judge(log, log->last) : PG_LOST;
    if (outcome == PG_LOST || !take_sync(c) || is_lost(log, c))
        return PG_LOST;
    return outcome;
}
