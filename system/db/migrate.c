/* SPDX-License-Identifier: Apache-2.0 */
/* Migrations: each runs in one transaction together with the row that remembers it, so that a
 * crash leaves it undone or done. Of several processes one runs it, the others wait and see it
 * done. A program older than its database changes nothing. */
#include "system/core/clock.h"
#include "system/db/driver.h"

#include <stdio.h>
#include <string.h>

static const char table_sql[] = "CREATE TABLE IF NOT EXISTS schema_migrations ("
                                "number INTEGER PRIMARY KEY, applied_ms BIGINT NOT NULL)";

static bool take_number(const struct db_row *row, void *arg)
{
    int64_t *number = arg;

    *number = db_get_int(row, 0);
    return false;
}

/* The highest number applied so far; -1 on a fault. */
static int64_t applied(struct db_conn *conn)
{
    int64_t number = 0;
    const struct db_statement ask = {.sql =
                                         "SELECT coalesce(max(number), 0) FROM schema_migrations",
                                     .each = take_number,
                                     .arg = &number};

    return conn->driver->run(conn, &ask) == DB_OK ? number : -1;
}

/* "--only file:" or "--only server:" may stand before a migration: it is for that kind alone, and
 * nothing to do for the other. */
static bool is_for(const struct db_conn *conn, const char *sql)
{
    static const char only[] = "--only ";
    const char *kind = conn->driver == &db_sqlite ? "file:" : "server:";

    return strncmp(sql, only, sizeof only - 1) != 0 ||
           strncmp(sql + sizeof only - 1, kind, strlen(kind)) == 0;
}

static bool apply_inner(struct db_conn *conn, int64_t number, const char *sql)
{
    const struct db_value values[] = {db_int(number), db_int(clock_unix_ms())};
    const struct db_statement note = {
        .sql = "INSERT INTO schema_migrations (number, applied_ms) VALUES ($1, $2)",
        .params = values,
        .n = 2};

    if (is_for(conn, sql) && !conn->driver->script(conn, sql))
        return false;
    return conn->driver->run(conn, &note) == DB_OK;
}

static bool lock(struct db_conn *conn)
{
    return !conn->driver->lock || conn->driver->lock(conn);
}

/* Also true if another process was faster. */
static bool apply_once(struct db_conn *conn, int64_t number, const char *sql)
{
    int64_t have = lock(conn) ? applied(conn) : -1;

    return have >= number || (have == number - 1 && apply_inner(conn, number, sql));
}

static bool apply(struct db_conn *conn, int64_t number, const char *sql)
{
    bool wrote;

    if (!conn->driver->begin(conn, true))
        return false;
    if (apply_once(conn, number, sql))
        return conn->driver->commit(conn, &wrote);
    conn->driver->rollback(conn);
    return false;
}

static bool make_table(struct db_conn *conn)
{
    bool wrote;

    if (!conn->driver->begin(conn, true))
        return false;
    if (lock(conn) && conn->driver->script(conn, table_sql))
        return conn->driver->commit(conn, &wrote);
    conn->driver->rollback(conn);
    return false;
}

bool db_migrate(struct db_conn *conn, const char *const *migrations, char error[DB_ERROR_MAX])
{
    int64_t have, want = 0;

    while (migrations && migrations[want])
        want++;
    have = make_table(conn) ? applied(conn) : -1;
    if (have < 0) {
        snprintf(error, DB_ERROR_MAX, "%s", conn->error);
        return false;
    }
    if (have > want) {
        snprintf(error, DB_ERROR_MAX,
                 "the database is at version %lld, this program knows %lld: use a newer program",
                 (long long)have, (long long)want);
        return false;
    }
    for (; have < want; have++)
        if (!apply(conn, have + 1, migrations[have])) {
            snprintf(error, DB_ERROR_MAX, "migration %lld: %.200s", (long long)have + 1,
                     conn->error);
            return false;
        }
    return true;
}
