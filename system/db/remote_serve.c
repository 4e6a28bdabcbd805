/* SPDX-License-Identifier: Apache-2.0 */
/* The end of remote.h that answers: a table of what it does, nothing else. */
#include "system/db/remote.h"
#include "system/db/remote_wire.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES_MAX = 64 };

struct host {
    struct db_conn *conn;
    /* lent to the connection for good */
    char *password;
    struct wire question;
    struct buffer rows;
    int64_t rows_n, number;
    /* of an opening that failed */
    char error[DB_ERROR_MAX];
};

static enum db_result result_of(bool ok)
{
    return ok ? DB_OK : DB_FAILED;
}

/* One after the other: the order of arguments would be open. */
static enum db_result serve_open(struct host *h)
{
    struct db_params params = {.url = wire_get_text(&h->question)};
    const struct db_driver *driver = db_driver_of(params.url, h->error);
    bool writes;

    params.password = h->password = text_copy(wire_get_text(&h->question));
    params.retry.step_ms = (uint32_t)wire_get_int(&h->question);
    params.retry.cap_ms = (uint32_t)wire_get_int(&h->question);
    params.retry.max = (uint32_t)wire_get_int(&h->question);
    params.is_alone = wire_get_int(&h->question) != 0;
    params.erases = wire_get_int(&h->question) != 0;
    writes = wire_get_int(&h->question) != 0;
    if (h->question.is_bad || !driver || driver == &db_remote)
        return DB_FAILED;
    h->conn = driver->open(&params, writes, h->error);
    return result_of(h->conn);
}

static enum db_result serve_begin(struct host *h)
{
    return result_of(h->conn->driver->begin(h->conn, wire_get_int(&h->question) != 0));
}

static enum db_result serve_commit(struct host *h)
{
    bool wrote = false, ok = h->conn->driver->commit(h->conn, &wrote);

    h->number = wrote;
    return result_of(ok);
}

static enum db_result serve_rollback(struct host *h)
{
    h->conn->driver->rollback(h->conn);
    return DB_OK;
}

static enum db_result serve_lock(struct host *h)
{
    return result_of(!h->conn->driver->lock || h->conn->driver->lock(h->conn));
}

static enum db_result serve_save(struct host *h)
{
    return result_of(h->conn->driver->save(h->conn));
}

static enum db_result serve_keep(struct host *h)
{
    return h->conn->driver->keep(h->conn, NULL);
}

static enum db_result serve_take_back(struct host *h)
{
    return result_of(h->conn->driver->take_back(h->conn));
}

static enum db_result serve_rest(struct host *h)
{
    return result_of(!h->conn->driver->rest || h->conn->driver->rest(h->conn));
}

static enum db_result serve_script(struct host *h)
{
    return result_of(h->conn->driver->script(h->conn, wire_get_text(&h->question)));
}

static struct db_value value_of(const struct db_row *row, int column)
{
    const struct db_driver *driver = row->conn->driver;
    struct db_value v = {.type = driver->type_of(row, column)};

    if (v.type == DB_INT)
        v.number = driver->get_int(row, column);
    if (v.type == DB_TEXT || v.type == DB_BLOB)
        v.b = driver->get_blob(row, column, &v.len);
    return v;
}

static bool put_row(const struct db_row *row, void *arg)
{
    struct host *h = arg;
    int n = row->conn->driver->width(row);

    wire_put_int(&h->rows, n);
    for (int i = 0; i < n; i++) {
        struct db_value v = value_of(row, i);

        wire_put_value(&h->rows, &v);
    }
    h->rows_n++;
    return true;
}

static enum db_result serve_run(struct host *h)
{
    int64_t wants = wire_get_int(&h->question), n;
    struct db_value values[VALUES_MAX];
    struct db_statement st = {.sql = wire_get_text(&h->question), .params = values, .arg = h};

    n = wire_get_int(&h->question);
    if (n < 0 || n > VALUES_MAX)
        return DB_FAILED;
    for (st.n = 0; st.n < (size_t)n; st.n++)
        values[st.n] = wire_get_value(&h->question);
    if (h->question.is_bad)
        return DB_FAILED;
    st.each = wants & REMOTE_ROWS ? put_row : NULL;
    st.changed = wants & REMOTE_CHANGED ? &h->number : NULL;
    st.must = (wants & REMOTE_MUST) != 0;
    return h->conn->driver->run(h->conn, &st);
}

static enum db_result (*const served[])(struct host *h) = {
    [REMOTE_OPEN] = serve_open,     [REMOTE_BEGIN] = serve_begin,
    [REMOTE_COMMIT] = serve_commit, [REMOTE_ROLLBACK] = serve_rollback,
    [REMOTE_LOCK] = serve_lock,     [REMOTE_SAVE] = serve_save,
    [REMOTE_KEEP] = serve_keep,     [REMOTE_TAKE_BACK] = serve_take_back,
    [REMOTE_SCRIPT] = serve_script, [REMOTE_RUN] = serve_run,
    [REMOTE_REST] = serve_rest,
};

/* An opening comes first, and once. */
static bool makes_sense(const struct host *h, int64_t what)
{
    return what >= 0 && what < (int64_t)(sizeof served / sizeof served[0]) &&
           (what == REMOTE_OPEN) == !h->conn;
}

static bool answer(struct host *h, int fd, enum db_result result)
{
    struct buffer out = {0};
    bool ok;

    wire_put_int(&out, result);
    wire_put_int(&out, h->conn ? h->conn->is_lost : false);
    wire_put_text(&out, result != DB_FAILED ? "" : h->conn ? h->conn->error : h->error);
    wire_put_int(&out, h->number);
    wire_put_int(&out, h->rows_n);
    buffer_add(&out, h->rows.b ? h->rows.b : (const uint8_t *)"", h->rows.len);
    ok = wire_send(fd, &out);
    buffer_free(&out);
    return ok;
}

static bool serve_one(struct host *h, int fd)
{
    int64_t what = wire_get_int(&h->question);
    enum db_result result;

    if (!makes_sense(h, what))
        return false;
    h->number = h->rows_n = 0;
    buffer_drop(&h->rows, h->rows.len);
    result = served[what](h);
    return !h->question.is_bad && answer(h, fd, result);
}

/* The password was in the opening. */
static void forget_question(struct host *h)
{
    if (h->question.b)
        sodium_memzero(h->question.b, h->question.len);
    free(h->question.b);
    h->question = (struct wire){0};
}

void db_remote_serve(int fd)
{
    struct host h = {0};
    bool goes_on = true;

    while (goes_on && wire_receive(fd, &h.question)) {
        goes_on = serve_one(&h, fd);
        forget_question(&h);
    }
    if (h.conn)
        h.conn->driver->close(h.conn);
    if (h.password)
        sodium_memzero(h.password, strlen(h.password));
    free(h.password);
    buffer_free(&h.rows);
}
