/* SPDX-License-Identifier: Apache-2.0 */
/* Between the values of db.h and PostgreSQL's: parameters, columns of a row, and names of types in
 * migrations. All in binary form, so that bytes need no escaping.
 *
 * One text of SQL serves both databases. Two names of types differ, and one means less than it says
 * in SQLite: BLOB is called BYTEA, INTEGER has 64 bits in SQLite and 32 here, INTEGER PRIMARY KEY
 * numbers itself there. So migrations are read with these three replaced; nothing else is. */
#ifndef SYSTEM_DB_PG_VALUE_H
#define SYSTEM_DB_PG_VALUE_H

#include "system/db/driver.h"

#include <libpq-fe.h>

enum { PG_PARAMS_MAX = 32 };

/* Copies of a statement's values, as libpq takes them. */
struct pg_values {
    int n;
    Oid types[PG_PARAMS_MAX];
    const char *values[PG_PARAMS_MAX];
    int lengths[PG_PARAMS_MAX], formats[PG_PARAMS_MAX];
    /* what |values| points into */
    uint8_t *block;
};

/* False: too many, or too long. */
bool pg_values_copy(struct pg_values *out, const struct db_value *params, size_t n);
void pg_values_free(struct pg_values *values);

/* What db_row.cursor points to. */
struct pg_cursor {
    const PGresult *result;
    int row;
    /* a number as text */
    char number[24];
};
/* False: a column is of a type that cannot be read here. */
bool pg_columns_are_known(const PGresult *result);
bool pg_is_null(const struct db_row *row, int column);
int64_t pg_get_int(const struct db_row *row, int column);
const char *pg_get_text(const struct db_row *row, int column);
const uint8_t *pg_get_blob(const struct db_row *row, int column, size_t *len);
int pg_width(const struct db_row *row);
enum db_type pg_type_of(const struct db_row *row, int column);

/* The next statement of |*sql|, with PostgreSQL's names of types; |*sql| moves behind it. The
 * caller's; NULL: there is none left. Text in quotes stays as it is. */
char *pg_translate(const char **sql);

#endif
