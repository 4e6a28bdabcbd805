/* SPDX-License-Identifier: Apache-2.0 */
/* The end of remote.h that asks. */
#include "system/db/remote.h"
#include "system/db/remote_wire.h"

#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An answer that takes longer: the server is waited for. */
enum { COLUMNS_MAX = 64, PATIENCE_MS = 1000 };

struct remote {
    struct db_conn conn;
    int fd;
    struct buffer question;
    struct wire answer;
    int64_t number;
};

/* A row that was taken out of an answer. */
struct cells {
    int64_t n;
    struct db_value cells[COLUMNS_MAX];
    char number[24];
};

static struct remote *of(struct db_conn *conn)
{
    return (struct remote *)conn;
}

static void gone(struct remote *r)
{
    r->conn.is_lost = true;
    atomic_store(&r->conn.is_down, true);
    snprintf(r->conn.error, sizeof r->conn.error, "the database's own process has ended");
}

static bool receive(struct remote *r)
{
    struct pollfd fd = {.fd = r->fd, .events = POLLIN};

    if (poll(&fd, 1, PATIENCE_MS) == 0)
        atomic_store(&r->conn.is_down, true);
    if (!wire_receive(r->fd, &r->answer))
        return false;
    atomic_store(&r->conn.is_down, false);
    return true;
}

/* The question is in |r->question|; the rows of the answer are what is left of |r->answer|. */
static enum db_result ask(struct remote *r)
{
    enum db_result result;
    const char *line;

    free(r->answer.b);
    if (!wire_send(r->fd, &r->question) || !receive(r)) {
        r->answer = (struct wire){0};
        gone(r);
        return DB_FAILED;
    }
    result = (enum db_result)wire_get_int(&r->answer);
    r->conn.is_lost = wire_get_int(&r->answer) != 0;
    line = wire_get_text(&r->answer);
    r->number = wire_get_int(&r->answer);
    /* what is cut off reads as zeroes, which would be success */
    if (r->answer.is_bad) {
        gone(r);
        return DB_FAILED;
    }
    if (result == DB_FAILED)
        snprintf(r->conn.error, sizeof r->conn.error, "%s", line);
    return result;
}

static enum db_result ask_plain(struct db_conn *conn, enum remote_what what)
{
    struct remote *r = of(conn);

    wire_put_int(&r->question, what);
    return ask(r);
}

static bool begin(struct db_conn *conn, bool writes)
{
    struct remote *r = of(conn);

    wire_put_int(&r->question, REMOTE_BEGIN);
    wire_put_int(&r->question, writes);
    return ask(r) == DB_OK;
}

static bool commit(struct db_conn *conn, bool *wrote)
{
    bool ok = ask_plain(conn, REMOTE_COMMIT) == DB_OK;

    *wrote = of(conn)->number != 0;
    return ok;
}

static void rollback(struct db_conn *conn)
{
    (void)ask_plain(conn, REMOTE_ROLLBACK);
}

static bool lock(struct db_conn *conn)
{
    return ask_plain(conn, REMOTE_LOCK) == DB_OK;
}

static bool save(struct db_conn *conn)
{
    return ask_plain(conn, REMOTE_SAVE) == DB_OK;
}

static enum db_result keep(struct db_conn *conn, enum db_result *result)
{
    (void)result;
    return ask_plain(conn, REMOTE_KEEP);
}

static bool take_back(struct db_conn *conn)
{
    return ask_plain(conn, REMOTE_TAKE_BACK) == DB_OK;
}

static bool rest(struct db_conn *conn)
{
    return conn->is_lost || ask_plain(conn, REMOTE_REST) == DB_OK;
}

static bool script(struct db_conn *conn, const char *sql)
{
    struct remote *r = of(conn);

    wire_put_int(&r->question, REMOTE_SCRIPT);
    wire_put_text(&r->question, sql);
    return ask(r) == DB_OK;
}

static bool take_row(struct wire *in, struct cells *out)
{
    out->n = wire_get_int(in);
    if (out->n < 0 || out->n > COLUMNS_MAX)
        return false;
    for (int64_t i = 0; i < out->n; i++)
        out->cells[i] = wire_get_value(in);
    return !in->is_bad;
}

/* The receiver may ask further questions: the answer is its own until all rows are given. */
static enum db_result give_rows(struct remote *r, const struct db_statement *st)
{
    struct wire rows = r->answer;
    struct cells cells;
    const struct db_row row = {.conn = &r->conn, .cursor = &cells};
    bool goes_on = true;

    r->answer = (struct wire){0};
    for (int64_t n = wire_get_int(&rows); goes_on && n > 0; n--) {
        if (!take_row(&rows, &cells))
            break;
        goes_on = st->each(&row, st->arg);
    }
    free(rows.b);
    if (!rows.is_bad)
        return DB_OK;
    snprintf(r->conn.error, sizeof r->conn.error, "the database's own process makes no sense");
    return DB_FAILED;
}

static enum db_result run(struct db_conn *conn, const struct db_statement *st)
{
    struct remote *r = of(conn);
    enum db_result result;

    wire_put_int(&r->question, REMOTE_RUN);
    wire_put_int(&r->question, (st->each ? REMOTE_ROWS : 0) | (st->changed ? REMOTE_CHANGED : 0) |
                                   (st->must ? REMOTE_MUST : 0));
    wire_put_text(&r->question, st->sql);
    wire_put_int(&r->question, (int64_t)st->n);
    for (size_t i = 0; i < st->n; i++)
        wire_put_value(&r->question, &st->params[i]);
    result = ask(r);
    if (result != DB_OK)
        return result;
    if (st->changed)
        *st->changed = r->number;
    return st->each ? give_rows(r, st) : DB_OK;
}

/* Columns */

static const struct db_value *cell(const struct db_row *row, int column)
{
    static const struct db_value none = {.type = DB_NULL, .b = ""};
    const struct cells *c = row->cursor;

    return column < c->n ? &c->cells[column] : &none;
}

static bool is_null(const struct db_row *row, int column)
{
    return cell(row, column)->type == DB_NULL;
}

static int64_t get_int(const struct db_row *row, int column)
{
    const struct db_value *v = cell(row, column);

    return v->type == DB_INT ? v->number : strtoll(v->b, NULL, 10);
}

static const char *get_text(const struct db_row *row, int column)
{
    struct cells *c = row->cursor;
    const struct db_value *v = cell(row, column);

    if (v->type != DB_INT)
        return v->b;
    snprintf(c->number, sizeof c->number, "%lld", (long long)v->number);
    return c->number;
}

static const uint8_t *get_blob(const struct db_row *row, int column, size_t *len)
{
    const struct db_value *v = cell(row, column);

    *len = v->len;
    return v->type == DB_NULL ? NULL : v->b;
}

static int width(const struct db_row *row)
{
    return (int)((const struct cells *)row->cursor)->n;
}

static enum db_type type_of(const struct db_row *row, int column)
{
    return cell(row, column)->type;
}

/* Opening */

static void close_conn(struct db_conn *conn)
{
    struct remote *r = of(conn);

    close(r->fd);
    buffer_free(&r->question);
    free(r->answer.b);
    free(r);
}

/* It was in the question. */
static void forget_password(struct remote *r)
{
    if (r->question.b)
        sodium_memzero(r->question.b, r->question.cap);
    buffer_free(&r->question);
}

/* "remote:FD:URL" */
static struct db_conn *open_conn(const struct db_params *params, bool writes,
                                 char error[DB_ERROR_MAX])
{
    struct remote *r = mem_new(1, sizeof *r);
    char *url = NULL;
    bool ok;

    r->conn.driver = &db_remote;
    atomic_init(&r->conn.is_down, false);
    r->fd = (int)strtol(params->url + strlen(db_remote.scheme), &url, 10);
    wire_put_int(&r->question, REMOTE_OPEN);
    wire_put_text(&r->question, url + (*url == ':'));
    wire_put_text(&r->question, params->password ? params->password : "");
    wire_put_int(&r->question, params->retry.step_ms);
    wire_put_int(&r->question, params->retry.cap_ms);
    wire_put_int(&r->question, params->retry.max);
    wire_put_int(&r->question, params->is_alone);
    wire_put_int(&r->question, params->erases);
    wire_put_int(&r->question, writes);
    ok = ask(r) == DB_OK;
    forget_password(r);
    if (ok)
        return &r->conn;
    snprintf(error, DB_ERROR_MAX, "%s", r->conn.error);
    close_conn(&r->conn);
    return NULL;
}

const struct db_driver db_remote = {
    .scheme = "remote:",
    .open = open_conn,
    .close = close_conn,
    .rest = rest,
    .lock = lock,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .save = save,
    .keep = keep,
    .take_back = take_back,
    .script = script,
    .run = run,
    .is_null = is_null,
    .get_int = get_int,
    .get_text = get_text,
    .get_blob = get_blob,
    .width = width,
    .type_of = type_of,
};
