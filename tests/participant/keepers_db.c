/* SPDX-License-Identifier: Apache-2.0 */
/* keepers_db.h: the same in the words of either server. Every call has a connection of its own. */
#include "keepers_db.h"

#include "participant/store.h"
#include "participant/store_helper.h"
#include "system/core/config.h"
#include "system/db/configured.h"

#include <libpq-fe.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SQL_MAX = 1024, BUSY_MS = 5000 };

static bool is_server(void)
{
    return getenv("DB_TEST_URL") != NULL;
}

/* A server */

static void role_of(char role[64], const struct keepers *k, size_t i)
{
    /* the directory's name is of this run alone, its letters are of both cases */
    snprintf(role, 64, "k%d_%s_%zu", (int)getpid(), k->directory + strlen(k->directory) - 6, i + 1);
    for (char *c = role; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
}

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

/* As the role of seat |i|, in its schema. */
static PGresult *at_server(const struct keepers *k, size_t i, const char *sql)
{
    char role[64];
    struct buffer text = {0};
    PGconn *c = as_owner();
    PGresult *r;

    role_of(role, k, i);
    buffer_printf(&text, "SET client_min_messages = error; SET ROLE %s; SET search_path = %s;",
                  role, role);
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

static void add_words(struct buffer *settings, PGconn *c, const char *role)
{
    buffer_printf(settings, "POSTGRES_HOST=%s\nPOSTGRES_PORT=%s\nPOSTGRES_DB=%s\n", PQhost(c),
                  PQport(c), PQdb(c));
    buffer_printf(settings,
                  "POSTGRES_USER=%s\nPOSTGRES_SCHEMA=%s\nPOSTGRES_PASSWORD=%s-word\n"
                  "POSTGRES_TLS=off\nRETRY_DELAY_MS=20\n",
                  role, role, role);
}

void keepers_db_make(struct keepers *k, size_t i, struct buffer *settings)
{
    char role[64], sql[SQL_MAX];
    PGconn *c;

    if (!is_server())
        return;
    c = as_owner();
    role_of(role, k, i);
    snprintf(sql, sizeof sql,
             "CREATE ROLE %s LOGIN PASSWORD '%s-word'; CREATE SCHEMA %s AUTHORIZATION %s", role,
             role, role, role);
    PQclear(execute(c, sql));
    add_words(settings, c, role);
    PQfinish(c);
}

void keepers_db_remove(struct keepers *k, size_t i)
{
    char role[64], sql[SQL_MAX];
    PGconn *c;

    if (!is_server())
        return;
    c = as_owner();
    role_of(role, k, i);
    snprintf(sql, sizeof sql,
             "SET client_min_messages = error; DROP SCHEMA %s CASCADE; DROP ROLE %s", role, role);
    PQclear(execute(c, sql));
    PQfinish(c);
}

/* A file */

static sqlite3 *file_of(const struct keepers *k, size_t i)
{
    char path[192];
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/party.db", k->seats[i].directory);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, BUSY_MS);
    return db;
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
static size_t at_file(const struct keepers *k, size_t i, const char *sql, size_t *changed)
{
    sqlite3 *db = file_of(k, i);
    size_t rows = 0;

    if (sqlite3_exec(db, sql, count_row, &rows, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    *changed = (size_t)sqlite3_changes(db);
    sqlite3_close(db);
    return rows;
}

/* Either */

size_t keepers_db_run(const struct keepers *k, size_t i, const char *sql)
{
    size_t changed;
    PGresult *r;

    if (!is_server()) {
        (void)at_file(k, i, sql, &changed);
        return changed;
    }
    r = at_server(k, i, sql);
    changed = (size_t)strtoul(PQcmdTuples(r), NULL, 10);
    PQclear(r);
    return changed;
}

bool keepers_db_has(const struct keepers *k, size_t i, const char *query)
{
    size_t changed;
    PGresult *r;
    bool has;

    if (!is_server())
        return at_file(k, i, query, &changed) > 0;
    r = at_server(k, i, query);
    has = PQntuples(r) > 0;
    PQclear(r);
    return has;
}

static void spoil(const struct keepers *k, size_t i, const char *event, const char *const words[2])
{
    char sql[SQL_MAX];

    if (is_server())
        snprintf(sql, sizeof sql,
                 "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS"
                 " 'BEGIN %s; RETURN NEW; END';"
                 "CREATE TRIGGER spoilt BEFORE %s FOR EACH ROW EXECUTE FUNCTION spoil()",
                 words[1], event);
    else
        snprintf(sql, sizeof sql, "CREATE TRIGGER spoilt BEFORE %s BEGIN SELECT %s; END", event,
                 words[0]);
    (void)keepers_db_run(k, i, sql);
}

void keepers_db_refuse(const struct keepers *k, size_t i, const char *event)
{
    spoil(k, i, event, (const char *const[]){"RAISE(ABORT, 'full')", "RAISE ''full''"});
}

void keepers_db_hang(const struct keepers *k, size_t i, const char *event)
{
    spoil(k, i, event,
          (const char *const[]){"count(*) FROM (WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT"
                                " x + 1 FROM c) SELECT x FROM c)",
                                "PERFORM pg_sleep(1e6)"});
}

void keepers_db_allow(const struct keepers *k, size_t i, const char *table)
{
    char sql[SQL_MAX];

    if (is_server())
        /* who hangs there holds the table, even when the keeper has gone */
        snprintf(sql, sizeof sql,
                 "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename ="
                 " CURRENT_USER AND wait_event = 'PgSleep';"
                 "DROP TRIGGER spoilt ON %s; DROP FUNCTION spoil()",
                 table);
    else
        snprintf(sql, sizeof sql, "DROP TRIGGER spoilt");
    (void)keepers_db_run(k, i, sql);
}

struct store *keepers_db_store(const struct keepers *k, size_t i)
{
    static const char *const no_files[STORE_HELPER_FILES] = {"", ""};
    char path[192], error[STORE_ERROR_MAX] = "";
    struct config *config;
    struct store *store;
    int helper = -1;

    snprintf(path, sizeof path, "%s/env", k->seats[i].directory);
    config = config_load(CONFIG_KEEPER, path, error);
    assert_non_null(config);
    if (db_configured_is_server(config))
        helper = store_helper_start("/proc/self/exe", no_files, error);
    store = store_open_configured(config, helper, error);
    if (!store)
        fail_msg("%s", error);
    config_free(config);
    return store;
}
