/* SPDX-License-Identifier: Apache-2.0 */
/* A directory for a test's database, one table in it, and works on that table. */
#ifndef TESTS_SYSTEM_DB_FIXTURE_H
#define TESTS_SYSTEM_DB_FIXTURE_H

#include "system/db/db.h"

struct fixture {
    char dir[64], path[80], url[96];
};

/* A fresh directory below TMPDIR or /tmp. */
void fixture_make(struct fixture *f);
/* Removes the directory and the files of the database. */
void fixture_remove(const struct fixture *f);
/* The database with the table item(id PRIMARY KEY, name UNIQUE); a fault ends the test. */
struct db *fixture_open(const struct fixture *f, uv_loop_t *loop);

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
