/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/db_place.h"

#include <assert.h>
#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *server(void)
{
    return getenv("DB_TEST_URL");
}

bool db_place_is_server(void)
{
    return server() != NULL;
}

static void make_file(struct db_place *p)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(p->dir, sizeof p->dir, "%.40s/qrt-db-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof p->path, "%s/test.db", p->dir);
    snprintf(p->url, sizeof p->url, "sqlite:%s", p->path);
}

void db_place_make(struct db_place *p)
{
    static int number;

    *p = (struct db_place){0};
    if (!server()) {
        make_file(p);
        return;
    }
    snprintf(p->schema, sizeof p->schema, "test_%d_%d", (int)getpid(), ++number);
    snprintf(p->url, sizeof p->url, "%.300s options=-csearch_path=%s", server(), p->schema);
}

static void remove_file(const struct db_place *p)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    char name[96];

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(name, sizeof name, "%s%s", p->path, ends[i]);
        unlink(name);
    }
    assert_int_equal(rmdir(p->dir), 0);
}

static void remove_schema(const struct db_place *p)
{
    const char *const words[] = {"dbname", "password", NULL};
    const char *const values[] = {strchr(server(), ':') + 1, getenv("DB_TEST_PASSWORD"), NULL};
    PGconn *c = PQconnectdbParams(words, values, 1);
    char sql[160];
    PGresult *r;

    snprintf(sql, sizeof sql, "SET client_min_messages = error; DROP SCHEMA IF EXISTS %s CASCADE",
             p->schema);
    r = PQexec(c, sql);
    if (PQresultStatus(r) != PGRES_COMMAND_OK)
        fail_msg("%s", PQerrorMessage(c));
    PQclear(r);
    PQfinish(c);
}

void db_place_remove(const struct db_place *p)
{
    if (p->schema[0])
        remove_schema(p);
    else
        remove_file(p);
}

struct db_params db_place_params(const struct db_place *p, const char *const *migrations)
{
    return (struct db_params){
        .url = p->url, .migrations = migrations, .password = getenv("DB_TEST_PASSWORD")};
}
