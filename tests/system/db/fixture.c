/* SPDX-License-Identifier: Apache-2.0 */
/* See fixture.h. */
#include "fixture.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

static const char *const migrations[] = {
    "CREATE TABLE item (id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE)", NULL};

size_t fixture_connections;

struct db *fixture_open(const struct db_place *place, uv_loop_t *loop)
{
    struct db_params params = db_place_params(place, migrations);
    char error[DB_ERROR_MAX];
    struct db *db;

    params.connections = fixture_connections;
    db = db_open(loop, &params, error);
    if (!db)
        fail_msg("%s", error);
    return db;
}

enum db_result item_insert(struct db_tx *tx, void *arg)
{
    const struct item *item = arg;
    char name[32];

    snprintf(name, sizeof name, "item %lld", (long long)item->id);
    return db_exec(tx, "INSERT INTO item (id, name) VALUES ($1, $2)",
                   (struct db_value[]){db_int(item->id), db_text(name)}, 2, NULL);
}

enum db_result item_insert_refuse(struct db_tx *tx, void *arg)
{
    enum db_result result = item_insert(tx, arg);

    return result == DB_OK ? DB_REFUSED : result;
}

static bool take_int(const struct db_row *row, void *arg)
{
    int64_t *n = arg;

    *n = db_get_int(row, 0);
    return true;
}

enum db_result item_count(struct db_tx *tx, void *arg)
{
    return db_query(tx, "SELECT count(*) FROM item", NULL, 0, take_int, arg);
}

int64_t fixture_count(struct db *db)
{
    int64_t n = -1;

    assert_int_equal(db_run(db, DB_READ, item_count, &n), DB_OK);
    return n;
}
