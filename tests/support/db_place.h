/* SPDX-License-Identifier: Apache-2.0 */
/* Where a test's database is. Without DB_TEST_URL a SQLite file in a new directory. With it (an
 * address of a PostgreSQL server as db.h takes it, without a schema; DB_TEST_PASSWORD beside it,
 * and a role that may make schemas) a new schema there. So one program tests both. */
#ifndef TESTS_SUPPORT_DB_PLACE_H
#define TESTS_SUPPORT_DB_PLACE_H

#include "system/db/db.h"

struct db_place {
    /* of SQLite; "" if it is a server */
    char dir[64], path[80];
    /* of a server; "" if it is SQLite */
    char schema[48];
    char url[400];
};

void db_place_make(struct db_place *place);
/* The database is closed by then. */
void db_place_remove(const struct db_place *place);
/* To open it with; |place| is lent. */
struct db_params db_place_params(const struct db_place *place, const char *const *migrations);
bool db_place_is_server(void);

#endif
