/* SPDX-License-Identifier: Apache-2.0 */
/* party_db.h: the same in the words of either server. Every call has a connection of its own. */
#include "party_db.h"

#include "participant/store.h"
#include "system/core/config.h"

#include <fcntl.h>
#include <libpq-fe.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SQL_MAX = 1024, BUSY_MS = 60000 };

static PGconn *as_owner(void)
{
    const char *const words[] = {"dbname", "password", NULL};
    const char *const values[] = {strchr(getenv("DB_TEST_URL"), ':') + 1,
                                  getenv("DB_TEST_PASSWORD"), NULL};

    return PQconnectdbParams(words, values, 1);
}

static PGresult *execute(PGconn *c, const char *sql)
{
    PGresult *r = PQexec(c, sql);

    if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
        fail_msg("%s", PQerrorMessage(c));
    return r;
}

/* As the party's role, in its schema. */
static PGresult *at_server(const struct party_db *db, const char *sql)
{
    struct buffer text = {0};
    PGconn *c = as_owner();
    PGresult *r;

    buffer_printf(&text, "SET client_min_messages = error; SET ROLE %s; SET search_path = %s;",
                  db->role, db->role);
    for (const char *at; (at = strstr(sql, "X'")); sql = at + 2) {
        buffer_add(&text, sql, (size_t)(at - sql));
        buffer_text(&text, "'\\x");
    }
    buffer_text(&text, sql);
    r = execute(c, (const char *)text.b);
    PQfinish(c);
    buffer_free(&text);
    return r;
}

static void as_owner_run(const char *sql)
{
    PGconn *c = as_owner();

    PQclear(execute(c, sql));
    PQfinish(c);
}

void party_db_make(struct party_db *db, const char *directory)
{
    static int number;
    char sql[SQL_MAX];

    *db = (struct party_db){0};
    snprintf(db->directory, sizeof db->directory, "%s", directory);
    if (!getenv("DB_TEST_URL"))
        return;
    snprintf(db->role, sizeof db->role, "party_%d_%d", (int)getpid(), ++number);
    snprintf(sql, sizeof sql,
             "CREATE ROLE %s LOGIN PASSWORD '%s-word'; CREATE SCHEMA %s AUTHORIZATION %s", db->role,
             db->role, db->role, db->role);
    as_owner_run(sql);
}

void party_db_remove(const struct party_db *db)
{
    char sql[SQL_MAX];

    if (!db->role[0])
        return;
    snprintf(sql, sizeof sql,
             "SET client_min_messages = error; DROP SCHEMA %s CASCADE; DROP ROLE %s", db->role,
             db->role);
    as_owner_run(sql);
}

void party_db_settings(const struct party_db *db, struct buffer *lines)
{
    PGconn *c;

    if (!db->role[0])
        return;
    c = as_owner();
    buffer_printf(lines, "POSTGRES_HOST=%s\nPOSTGRES_PORT=%s\nPOSTGRES_DB=%s\n", PQhost(c),
                  PQport(c), PQdb(c));
    buffer_printf(lines,
                  "POSTGRES_USER=%s\nPOSTGRES_SCHEMA=%s\nPOSTGRES_PASSWORD=%s-word\n"
                  "POSTGRES_TLS=off\nRETRY_DELAY_MS=20\n",
                  db->role, db->role, db->role);
    PQfinish(c);
}

/* A file */

static sqlite3 *file_of(const struct party_db *db)
{
    char path[192];
    sqlite3 *file;

    snprintf(path, sizeof path, "%s/party.db", db->directory);
    assert_int_equal(sqlite3_open_v2(path, &file, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(file, BUSY_MS);
    return file;
}

static int count_row(void *arg, int n, char **values, char **names)
{
    (void)n;
    (void)values;
    (void)names;
    ++*(size_t *)arg;
    return 0;
}

/* The rows that it gives; *changed of the last statement that changes. */
static size_t at_file(const struct party_db *db, const char *sql, size_t *changed)
{
    sqlite3 *file = file_of(db);
    size_t rows = 0;

    if (sqlite3_exec(file, sql, count_row, &rows, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(file));
    *changed = (size_t)sqlite3_changes(file);
    sqlite3_close(file);
    return rows;
}

/* Either */

size_t party_db_run(const struct party_db *db, const char *sql)
{
    size_t changed;
    PGresult *r;

    if (!db->role[0]) {
        (void)at_file(db, sql, &changed);
        return changed;
    }
    r = at_server(db, sql);
    changed = (size_t)strtoul(PQcmdTuples(r), NULL, 10);
    PQclear(r);
    return changed;
}

bool party_db_has(const struct party_db *db, const char *query)
{
    size_t changed;
    PGresult *r;
    bool has;

    if (!db->role[0])
        return at_file(db, query, &changed) > 0;
    r = at_server(db, query);
    has = PQntuples(r) > 0;
    PQclear(r);
    return has;
}

static void spoil(const struct party_db *db, const char *event, const char *const words[2])
{
    char sql[SQL_MAX];

    if (db->role[0])
        snprintf(sql, sizeof sql,
                 "DROP FUNCTION IF EXISTS spoil CASCADE;"
                 "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS"
                 " 'BEGIN %s; RETURN NEW; END';"
                 "CREATE TRIGGER spoilt BEFORE %s FOR EACH ROW EXECUTE FUNCTION spoil()",
                 words[1], event);
    else
        snprintf(sql, sizeof sql,
                 "BEGIN IMMEDIATE; DROP TRIGGER IF EXISTS spoilt;"
                 "CREATE TRIGGER spoilt BEFORE %s BEGIN SELECT %s; END; COMMIT",
                 event, words[0]);
    (void)party_db_run(db, sql);
}

void party_db_refuse(const struct party_db *db, const char *event)
{
    spoil(db, event, (const char *const[]){"RAISE(ABORT, 'full')", "RAISE ''full''"});
}

void party_db_hang(const struct party_db *db, const char *event)
{
    spoil(db, event,
          (const char *const[]){"count(*) FROM (WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT"
                                " x + 1 FROM c) SELECT x FROM c)",
                                "PERFORM pg_sleep(1e6)"});
}

void party_db_allow(const struct party_db *db, const char *table)
{
    char sql[SQL_MAX];

    if (db->role[0])
        /* who hangs there, or is about to, holds the table, even when the keeper has gone */
        snprintf(sql, sizeof sql,
                 "DO $$ BEGIN LOOP"
                 " PERFORM pg_terminate_backend(pid) FROM pg_stat_activity"
                 " WHERE usename = CURRENT_USER AND wait_event = 'PgSleep';"
                 " PERFORM pg_stat_clear_snapshot();"
                 " BEGIN SET LOCAL lock_timeout = '50ms'; DROP TRIGGER spoilt ON %s;"
                 " DROP FUNCTION spoil(); RETURN;"
                 " EXCEPTION WHEN lock_not_available THEN END;"
                 " END LOOP; END $$",
                 table);
    else
        snprintf(sql, sizeof sql, "DROP TRIGGER spoilt");
    (void)party_db_run(db, sql);
}

/* What else a party must be told, which none of its rows depends on. */
static void write_env(const struct party_db *db, const char *path)
{
    struct buffer text = {0};
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    buffer_printf(&text, "ENVIRONMENT=development\nDATA_DIR=%s\nIDENTITY_KEY_FILE=%s\n",
                  db->directory, path);
    buffer_printf(&text, "CERTIFICATE_FILE=%s\nCRYPTO_MASTER_KEY=%064d\nCA_KEY=%064d\n", path, 1,
                  1);
    buffer_printf(&text, "INITIATOR_KEYS=%064d\nOPERATOR_KEY=%064d\n", 1, 1);
    party_db_settings(db, &text);
    assert_int_equal(write(fd, text.b, text.len), (ssize_t)text.len);
    assert_int_equal(close(fd), 0);
    buffer_free(&text);
}

struct store *party_db_open(const struct party_db *db)
{
    char path[192], error[STORE_ERROR_MAX];
    struct config *config;
    struct store *store;

    snprintf(path, sizeof path, "%s/database.env", db->directory);
    write_env(db, path);
    config = config_load(CONFIG_KEEPER, path, error);
    if (!config)
        fail_msg("%s", error);
    store = store_open_configured(config, 0, error);
    if (!store)
        fail_msg("%s", error);
    config_free(config);
    assert_int_equal(unlink(path), 0);
    return store;
}
