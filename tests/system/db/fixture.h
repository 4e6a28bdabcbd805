/* SPDX-License-Identifier: Apache-2.0 */
/* A place for a test's database, one table in it, and works on that table. */
#ifndef TESTS_SYSTEM_DB_FIXTURE_H
#define TESTS_SYSTEM_DB_FIXTURE_H

#include "tests/support/db_place.h"

/* Connections of what fixture_open opens; 0: as many as db_open takes by itself. */
extern size_t fixture_connections;
/* The database with the table item(id PRIMARY KEY, name UNIQUE); a fault ends the test. */
struct db *fixture_open(const struct db_place *place, uv_loop_t *loop);

/* |arg| is the row's id; the name is made from it. */
struct item {
    int64_t id;
    enum db_result result;
    int done_n;
};
db_work item_insert;
/* Inserts, then refuses. */
db_work item_insert_refuse;
/* |arg| is an int64_t. */
db_work item_count;
int64_t fixture_count(struct db *db);

#endif
