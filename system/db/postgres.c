/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL behind driver.h.
 *
 * Round trips. A statement whose outcome nobody asked for waits for the next one that is asked for,
 * or for the commit. A batch of works that only write is one round trip with its commit, and if all
 * goes well one without savepoints. If a step fails there, its work is taken back alone: the whole
 * is rolled back and sent again with savepoints, or the rest is sent again behind the work's
 * savepoint. What must hold for the commit is failed by the server itself (db_must), for the COMMIT
 * behind it is under way already.
 *
 * A server that goes away. A transaction is a list (pg_log.h), run again on the next connection;
 * whoever runs a work sees a pause. Whether a commit took place whose answer did not come is never
 * guessed. Every transaction that writes ends with a row of schema_writers: who commits, and the
 * commit's number. After the loss the old session is ended, then that row is read under its lock.
 * If it has the number, all is done; if not, nothing is, and the list is run again. So what was
 * told is in the database, and nothing is there twice. (pg_xact_status would not do: a server that
 * crashed gives the numbers of transactions that it had not written down to others.)
 *
 * Two processes in one schema may stand in each other's way: a deadlock is run again, too.
 * Otherwise isolation is READ COMMITTED for works that write, one snapshot for each batch of those
 * that read. */
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"
#include "system/db/pg_link.h"
#include "system/db/pg_log.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Statements and works that wait for each other; runs of one transaction that others disturbed. */
enum { DEFER_MAX = 1024, LATE_MAX = 256, AGAIN_MAX = 10, WRITER_BYTES = 16 };

static const char NO_TABLE[] = "42P01";

/* A work that was kept while statements of it waited: where it begins in the log, and whom to tell
 * if it fails. It ends where the next one begins, the last one at the mark. */
struct late {
    size_t at;
    enum db_result *result;
};

struct postgres {
    struct db_conn conn;
    struct pg_link link;
    struct pg_log log;
    bool is_reading;
    /* where the present work's savepoint stands in the log, or the end of those that were kept */
    size_t mark;
    /* where the first work begins; 0: there was none */
    size_t first;
    struct late late[LATE_MAX];
    size_t late_n;
    /* somebody has learnt something of this transaction */
    bool is_told;
    /* a step failed: nothing but taking back is left; not even that */
    enum db_result broken;
    bool is_hopeless;
    /* the server may have a transaction of ours; and a step of it that failed */
    bool is_open, is_torn;
    uint8_t writer[WRITER_BYTES];
    int64_t number;
};

static struct postgres *of(struct db_conn *conn)
{
    return (struct postgres *)conn;
}

static void fault(struct postgres *p, const char *what)
{
    snprintf(p->conn.error, sizeof p->conn.error, "database schema %.50s: %.180s", p->link.schema,
             what);
}

static void add(struct postgres *p, const char *sql)
{
    (void)pg_log_add_control(&p->log, sql);
}

static enum pg_outcome aside(struct postgres *p, const char *sql)
{
    return pg_log_aside(&p->log, p->link.c, sql, NULL);
}

/* Losses */

static bool find_again(struct postgres *p)
{
    atomic_store(&p->conn.is_down, true);
    if (!pg_link_again(&p->link, p->conn.error)) {
        p->conn.is_lost = true;
        return false;
    }
    pg_log_rewind(&p->log);
    atomic_store(&p->conn.is_down, false);
    return true;
}

static bool rest(struct db_conn *conn)
{
    struct postgres *p = of(conn);

    return conn->is_lost || pg_link_is_up(&p->link) || find_again(p);
}

/* The list begins again: its last run was taken back, or is lost. */
static bool start_over(struct postgres *p, enum pg_outcome why)
{
    if (why == PG_AGAIN && aside(p, "ROLLBACK") != PG_LOST) {
        p->log.sent = 0;
        return true;
    }
    return find_again(p);
}

/* The number of the last commit, under its lock. A row that is not there is made, which waits for
 * anybody else who makes it. Without the table not even its making was committed. */
static enum pg_outcome last_number(struct postgres *p, int64_t *number)
{
    struct pg_values v;
    enum pg_outcome outcome;

    *number = 0;
    (void)pg_values_copy(
        &v, (struct db_value[]){db_blob(p->writer, sizeof p->writer), db_int(clock_unix_ms())}, 2);
    outcome = pg_log_aside(&p->log, p->link.c,
                           "INSERT INTO schema_writers (writer, number, at_ms) VALUES ($1, 0, $2)"
                           " ON CONFLICT (writer) DO UPDATE SET at_ms = $2 RETURNING number",
                           &v);
    pg_values_free(&v);
    if (outcome == PG_OK) {
        struct pg_cursor cursor = {.result = p->log.last};

        *number = pg_get_int(&(struct db_row){&p->conn, &cursor}, 0);
    }
    return outcome == PG_ERROR && strcmp(p->log.code, NO_TABLE) == 0 ? PG_OK : outcome;
}

/* After a commit that was not answered. False: nobody knows, for the server is gone for good. */
static bool learn_fate(struct postgres *p, bool *is_done)
{
    int64_t number = 0;
    enum pg_outcome outcome;

    do {
        if (!find_again(p))
            return false;
        outcome = last_number(p, &number);
    } while (outcome == PG_LOST);
    *is_done = number == p->number;
    if (outcome == PG_OK)
        return true;
    fault(p, p->log.line);
    p->conn.is_lost = true;
    return false;
}

/* |is_end|: the last step is a COMMIT. What is run again commits nothing before its answers are
 * seen to be those of the first run. */
static enum pg_outcome exchange_once(struct postgres *p, bool is_end)
{
    enum pg_outcome outcome = PG_OK;

    if (is_end && pg_log_is_again(&p->log))
        outcome = pg_log_exchange(&p->log, p->link.c, p->log.n - 1);
    return outcome == PG_OK ? pg_log_exchange(&p->log, p->link.c, p->log.n) : outcome;
}

/* What the last error means for its work. */
static enum db_result verdict(struct postgres *p)
{
    if (pg_log_is_refused(&p->log))
        return DB_REFUSED;
    if (strcmp(p->log.code, "23505") == 0 || strcmp(p->log.code, "23P01") == 0)
        return DB_CONFLICT;
    fault(p, p->log.line);
    return DB_FAILED;
}

/* The kept work that the failed step belongs to, from 1; 0: none, it is of the whole transaction or
 * of the present work. */
static size_t failed_work(const struct postgres *p)
{
    size_t k = p->log.failed < p->mark ? p->late_n : 0;

    while (k > 0 && p->late[k - 1].at > p->log.failed)
        k--;
    return k;
}

/* Takes the |k|th kept work back and out of the list. */
static enum pg_outcome drop_work(struct postgres *p, size_t k)
{
    size_t from = p->late[k].at, to = k + 1 < p->late_n ? p->late[k + 1].at : p->mark;
    enum db_result result = verdict(p);
    enum pg_outcome outcome = aside(p, "ROLLBACK TO work");

    if (outcome == PG_OK)
        outcome = aside(p, "RELEASE work");
    if (outcome != PG_OK && outcome != PG_LOST)
        return outcome;
    *p->late[k].result = result;
    if (result == DB_FAILED)
        memcpy(p->conn.late, p->conn.error, sizeof p->conn.late);
    pg_log_drop(&p->log, from, to);
    p->mark -= to - from;
    p->late_n--;
    memmove(&p->late[k], &p->late[k + 1], (p->late_n - k) * sizeof *p->late);
    for (; k < p->late_n; k++)
        p->late[k].at -= to - from;
    return outcome != PG_LOST || find_again(p) ? PG_OK : PG_LOST;
}

/* After a step that failed: PG_OK if the list can be sent again from |log.sent| on, without the
 * work whose step it was, or for the first time with savepoints. */
static enum pg_outcome go_on_without(struct postgres *p)
{
    size_t k = failed_work(p);

    if (k == 0)
        return PG_ERROR;
    if (p->is_told || !pg_log_speak(&p->log))
        return drop_work(p, k - 1);
    if (aside(p, "ROLLBACK") == PG_LOST && !find_again(p))
        return PG_LOST;
    p->log.sent = 0;
    return PG_OK;
}

/* Until there is an answer. */
static enum pg_outcome exchange(struct postgres *p, bool is_end)
{
    enum pg_outcome outcome;
    bool is_done = false;

    p->is_open = true;
    for (int runs = 0; runs < AGAIN_MAX;) {
        outcome = exchange_once(p, is_end);
        if (outcome == PG_ERROR && (outcome = go_on_without(p)) == PG_OK)
            continue;
        if (p->conn.is_lost || (outcome != PG_LOST && outcome != PG_AGAIN))
            return outcome;
        if (is_end && outcome == PG_LOST) {
            if (!learn_fate(p, &is_done))
                return PG_LOST;
            if (is_done)
                return PG_OK;
        } else if (!start_over(p, outcome)) {
            return PG_LOST;
        }
        runs += outcome == PG_AGAIN;
    }
    return PG_AGAIN;
}

static enum db_result give_up(struct postgres *p, enum pg_outcome why)
{
    bool is_of_work = p->is_reading || (why == PG_ERROR && p->log.failed >= p->mark);

    p->broken = DB_FAILED;
    p->is_torn = true;
    p->is_hopeless = why == PG_LOST || !is_of_work;
    if (why == PG_LOST)
        return p->broken;
    p->conn.is_refused = !p->is_reading && p->log.failed < p->first && pg_log_is_refused(&p->log);
    if (why == PG_CHANGED)
        fault(p, "what a work had read was changed by others while the server was away");
    else
        p->broken = verdict(p);
    return p->broken;
}

/* What was sent is answered well, or known to be the present work's fault: the others stay. */
static void settle(struct postgres *p)
{
    p->late_n = 0;
    p->is_told = true;
}

/* Sends what waits. */
static enum db_result flush(struct postgres *p)
{
    enum pg_outcome outcome;

    if (p->broken != DB_OK)
        return p->broken;
    outcome = p->log.sent < p->log.n ? exchange(p, false) : PG_OK;
    if (outcome != PG_OK)
        return give_up(p, outcome);
    settle(p);
    return DB_OK;
}

/* Statements */

static enum db_result give_rows(struct postgres *p, const struct db_statement *st)
{
    PGresult *result = p->log.last;
    struct pg_cursor cursor = {.result = result};
    struct db_row row = {.conn = &p->conn, .cursor = &cursor};
    bool goes_on = true;

    /* The receiver may run statements of its own. */
    p->log.last = NULL;
    if (!pg_columns_are_known(result)) {
        fault(p, "a column is of a type that cannot be read");
        PQclear(result);
        return DB_FAILED;
    }
    for (; goes_on && cursor.row < PQntuples(result); cursor.row++)
        goes_on = st->each(&row, st->arg);
    PQclear(result);
    return DB_OK;
}

static struct pg_step *add_statement(struct postgres *p, const struct db_statement *st,
                                     const struct pg_values *values)
{
    return st->must ? pg_log_add_must(&p->log, st->sql, values)
                    : pg_log_add(&p->log, st->sql, values);
}

static bool may_wait(const struct postgres *p, const struct db_statement *st,
                     const struct pg_step *step)
{
    bool is_known = step->kept && step->kept->is_prepared;

    return is_known && !p->is_reading && !st->each && !st->changed &&
           p->log.n - p->log.sent < DEFER_MAX;
}

static enum db_result run(struct db_conn *conn, const struct db_statement *st)
{
    struct postgres *p = of(conn);
    struct pg_values values;
    enum db_result result;

    if (p->broken != DB_OK)
        return p->broken;
    if (!pg_values_copy(&values, st->params, st->n)) {
        fault(p, "too many values, or too long");
        return p->broken = DB_FAILED;
    }
    if (may_wait(p, st, add_statement(p, st, &values)))
        return DB_OK;
    result = flush(p);
    if (result != DB_OK)
        return result;
    if (st->changed)
        *st->changed = strtoll(PQcmdTuples(p->log.last), NULL, 10);
    return st->each ? give_rows(p, st) : DB_OK;
}

/* One statement at a time, for the pipeline takes no more. */
static bool script(struct db_conn *conn, const char *sql)
{
    struct postgres *p = of(conn);
    char *text;

    while ((text = pg_translate(&sql)) != NULL)
        pg_log_add_once(&p->log, text);
    return flush(p) == DB_OK;
}

/* Transactions */

static void forget(struct postgres *p)
{
    pg_log_cut(&p->log, 0);
    p->broken = DB_OK;
    p->is_hopeless = p->is_open = p->is_torn = p->is_told = false;
    p->mark = p->first = p->late_n = 0;
}

static bool begin(struct db_conn *conn, bool writes)
{
    struct postgres *p = of(conn);

    if (conn->is_lost) {
        fault(p, "the server was given up");
        return false;
    }
    forget(p);
    p->is_reading = !writes;
    add(p, writes ? "BEGIN" : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    p->mark = p->log.n;
    return true;
}

/* A transaction that is open at the server is ended there. */
static void rollback(struct db_conn *conn)
{
    struct postgres *p = of(conn);

    if (!conn->is_lost && p->is_open)
        (void)aside(p, "ROLLBACK");
    forget(p);
}

static void add_marker(struct postgres *p)
{
    struct pg_values v;

    p->number++;
    (void)pg_values_copy(&v,
                         (struct db_value[]){db_blob(p->writer, sizeof p->writer),
                                             db_int(p->number), db_int(clock_unix_ms())},
                         3);
    pg_log_add(&p->log,
               "INSERT INTO schema_writers (writer, number, at_ms) VALUES ($1, $2, $3)"
               " ON CONFLICT (writer) DO UPDATE SET number = $2, at_ms = $3",
               &v);
}

static bool commit(struct db_conn *conn, bool *wrote)
{
    struct postgres *p = of(conn);
    enum pg_outcome outcome;

    *wrote = pg_log_writes(&p->log);
    if (!*wrote) {
        rollback(conn);
        return true;
    }
    add_marker(p);
    add(p, "COMMIT");
    outcome = exchange(p, true);
    if (outcome == PG_OK) {
        forget(p);
        return true;
    }
    (void)give_up(p, outcome);
    if (p->broken == DB_CONFLICT)
        fault(p, p->log.line);
    rollback(conn);
    return false;
}

/* The savepoint of a batch that reads is its beginning: there is nothing to take back. */
static bool save(struct db_conn *conn)
{
    struct postgres *p = of(conn);

    if (conn->is_lost)
        return false;
    p->mark = p->log.n;
    p->first = p->first ? p->first : p->mark;
    if (p->is_reading)
        pg_log_cut(&p->log, p->mark = 1);
    else
        add(p, "SAVEPOINT work");
    return true;
}

/* The savepoint of a work of which nothing was sent before it ended can be left out, if nothing was
 * sent of the whole transaction, either, and nobody was told of it: then all of it can begin again.
 * After a loss nothing is sent, but savepoints must be spoken as soon as somebody knows. */
static void put_off(struct postgres *p, enum db_result *result)
{
    if (p->log.sent == 0 && !p->is_told)
        p->log.steps[p->mark].is_silent = p->log.steps[p->log.n - 1].is_silent = true;
    p->late[p->late_n++] = (struct late){p->mark, result};
    p->mark = p->log.n;
}

static enum db_result keep(struct db_conn *conn, enum db_result *result)
{
    struct postgres *p = of(conn);

    if (p->is_reading || p->broken != DB_OK)
        return p->broken;
    /* A work without statements. */
    if (p->log.n == p->mark + 1) {
        pg_log_cut(&p->log, p->mark);
        return DB_OK;
    }
    add(p, "RELEASE work");
    if (!result || p->late_n == LATE_MAX)
        return flush(p);
    put_off(p, result);
    return DB_OK;
}

/* What was lost with the connection is begun again, without the work. */
static bool undo_at_server(struct postgres *p)
{
    enum pg_outcome outcome = aside(p, p->is_reading ? "ROLLBACK" : "ROLLBACK TO work");

    if (outcome == PG_OK && !p->is_reading)
        outcome = aside(p, "RELEASE work");
    if (outcome == PG_LOST)
        return find_again(p);
    p->log.sent = p->is_reading ? 0 : p->log.n;
    settle(p);
    return outcome == PG_OK;
}

static bool take_back(struct db_conn *conn)
{
    struct postgres *p = of(conn);
    bool was_sent = p->log.sent > p->mark || p->is_torn;

    if (conn->is_lost || p->is_hopeless)
        return false;
    pg_log_cut(&p->log, p->mark);
    p->broken = DB_OK;
    p->is_torn = false;
    return !was_sent || undo_at_server(p);
}

/* Writers that were not heard of for a month are no more. */
static bool lock(struct db_conn *conn)
{
    struct postgres *p = of(conn);

    add(p, "SELECT pg_advisory_xact_lock(hashtextextended('quorate migrate ' ||"
           " current_schema(), 0))");
    add(p, "CREATE TABLE IF NOT EXISTS schema_writers (writer BYTEA PRIMARY KEY,"
           " number BIGINT NOT NULL, at_ms BIGINT NOT NULL)");
    add(p, "CREATE OR REPLACE FUNCTION now_ms() RETURNS BIGINT LANGUAGE sql VOLATILE AS"
           " 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint'");
    add(p, "CREATE OR REPLACE FUNCTION chain_hash(BYTEA, BYTEA) RETURNS BYTEA LANGUAGE sql"
           " IMMUTABLE AS 'SELECT sha256($1 || $2)'");
    add(p, "DELETE FROM schema_writers WHERE at_ms <"
           " (extract(epoch FROM now()) - 2592000)::bigint * 1000");
    return flush(p) == DB_OK;
}

/* Opening */

static void close_conn(struct db_conn *conn)
{
    struct postgres *p = of(conn);

    pg_log_free(&p->log);
    pg_link_close(&p->link);
    free(p);
}

static struct db_conn *open_conn(const struct db_params *params, bool writes,
                                 char error[DB_ERROR_MAX])
{
    struct postgres *p = mem_new(1, sizeof *p);

    p->conn.driver = &db_postgres;
    atomic_init(&p->conn.is_down, false);
    randombytes_buf(p->writer, sizeof p->writer);
    if (pg_link_open(&p->link, params, writes, error))
        return &p->conn;
    close_conn(&p->conn);
    return NULL;
}

static void hurry(struct db_conn *conn)
{
    pg_link_hurry(&of(conn)->link);
}

const struct db_driver db_postgres = {
    .scheme = "postgres:",
    .has_pool = true,
    .open = open_conn,
    .close = close_conn,
    .rest = rest,
    .hurry = hurry,
    .lock = lock,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .save = save,
    .keep = keep,
    .take_back = take_back,
    .script = script,
    .run = run,
    .is_null = pg_is_null,
    .get_int = pg_get_int,
    .get_text = pg_get_text,
    .get_blob = pg_get_blob,
    .width = pg_width,
    .type_of = pg_type_of,
};
