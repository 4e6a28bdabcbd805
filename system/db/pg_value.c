/* SPDX-License-Identifier: Apache-2.0 */
/* Values, columns, names of types. See pg_value.h. */
#include "system/db/pg_value.h"

#include "system/core/buffer.h"

#include <ctype.h>
#include <endian.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* From the server's catalogue; they never change. */
enum {
    OID_NONE = 0,
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_NAME = 19,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_UNKNOWN = 705,
    OID_VARCHAR = 1043,
    OID_VOID = 2278
};

/* Parameters */

static Oid type_of(enum db_type type)
{
    switch (type) {
    case DB_INT:
        return OID_INT8;
    case DB_TEXT:
        return OID_TEXT;
    case DB_BLOB:
        return OID_BYTEA;
    case DB_NULL:
    default:
        return OID_NONE;
    }
}

static size_t length_of(const struct db_value *v)
{
    if (v->type == DB_INT)
        return sizeof v->number;
    return v->type == DB_NULL ? 0 : v->len;
}

/* A value of no bytes must still have an address: NULL would be another value. */
static uint8_t *put_value(struct pg_values *out, int i, const struct db_value *v, uint8_t *at)
{
    size_t len = length_of(v);
    uint64_t number = htobe64((uint64_t)v->number);

    out->types[i] = type_of(v->type);
    out->lengths[i] = (int)len;
    out->formats[i] = 1;
    out->values[i] = v->type == DB_NULL ? NULL : (const char *)at;
    if (len > 0)
        memcpy(at, v->type == DB_INT ? (const void *)&number : v->b, len);
    return at + len;
}

bool pg_values_copy(struct pg_values *out, const struct db_value *params, size_t n)
{
    size_t total = 1;
    uint8_t *at;

    *out = (struct pg_values){.n = (int)n};
    if (n > PG_PARAMS_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        total += length_of(&params[i]);
    if (total > INT_MAX / 2)
        return false;
    at = out->block = mem_new(1, total);
    for (size_t i = 0; i < n; i++)
        at = put_value(out, (int)i, &params[i], at);
    return true;
}

void pg_values_free(struct pg_values *values)
{
    free(values->block);
    values->block = NULL;
}

/* Columns */

static int int_size(Oid type)
{
    switch (type) {
    case OID_BOOL:
        return 1;
    case OID_INT2:
        return 2;
    case OID_INT4:
        return 4;
    case OID_INT8:
        return 8;
    default:
        return 0;
    }
}

bool pg_columns_are_known(const PGresult *result)
{
    static const Oid plain[] = {OID_BYTEA, OID_NAME, OID_TEXT, OID_UNKNOWN, OID_VARCHAR, OID_VOID};

    for (int i = 0; i < PQnfields(result); i++) {
        bool known = int_size(PQftype(result, i)) > 0;

        for (size_t k = 0; k < sizeof plain / sizeof plain[0]; k++)
            known |= PQftype(result, i) == plain[k];
        if (!known)
            return false;
    }
    return true;
}

bool pg_is_null(const struct db_row *row, int column)
{
    const struct pg_cursor *c = row->cursor;

    return PQgetisnull(c->result, c->row, column) != 0;
}

/* Big-endian, with its sign. */
static int64_t read_int(const uint8_t *b, int len)
{
    uint64_t number = b[0] & 0x80 ? UINT64_MAX : 0;

    for (int i = 0; i < len; i++)
        number = number << 8 | b[i];
    return (int64_t)number;
}

int64_t pg_get_int(const struct db_row *row, int column)
{
    const struct pg_cursor *c = row->cursor;
    const char *value = PQgetvalue(c->result, c->row, column);
    int size = int_size(PQftype(c->result, column));

    if (PQgetisnull(c->result, c->row, column))
        return 0;
    if (size == 0)
        return strtoll(value, NULL, 10);
    return PQgetlength(c->result, c->row, column) == size ? read_int((const uint8_t *)value, size)
                                                          : 0;
}

const char *pg_get_text(const struct db_row *row, int column)
{
    struct pg_cursor *c = row->cursor;

    if (int_size(PQftype(c->result, column)) == 0 || pg_is_null(row, column))
        return PQgetvalue(c->result, c->row, column);
    snprintf(c->number, sizeof c->number, "%lld", (long long)pg_get_int(row, column));
    return c->number;
}

const uint8_t *pg_get_blob(const struct db_row *row, int column, size_t *len)
{
    const struct pg_cursor *c = row->cursor;

    *len = (size_t)PQgetlength(c->result, c->row, column);
    return pg_is_null(row, column) ? NULL : (const uint8_t *)PQgetvalue(c->result, c->row, column);
}

int pg_width(const struct db_row *row)
{
    return PQnfields(((const struct pg_cursor *)row->cursor)->result);
}

enum db_type pg_type_of(const struct db_row *row, int column)
{
    Oid type = PQftype(((const struct pg_cursor *)row->cursor)->result, column);

    if (pg_is_null(row, column))
        return DB_NULL;
    if (int_size(type) > 0)
        return DB_INT;
    return type == OID_BYTEA ? DB_BLOB : DB_TEXT;
}

/* Names of types */

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* The length of |phrase| at the start of |sql|, any blanks between its words; 0: not there. */
static size_t matches(const char *sql, const char *phrase)
{
    const char *at = sql;

    for (; *phrase; phrase++) {
        if (*phrase == ' ') {
            if (!isspace((unsigned char)*at))
                return 0;
            at += strspn(at, " \t\r\n");
        } else if (toupper((unsigned char)*at++) != *phrase) {
            return 0;
        }
    }
    return is_word(*at) ? 0 : (size_t)(at - sql);
}

/* Appends the word at |sql|, or what it is called here; gives back its length. */
static size_t put_word(struct buffer *out, const char *sql)
{
    static const char *const names[][2] = {
        {"INTEGER PRIMARY KEY", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"},
        {"INTEGER", "BIGINT"},
        {"BLOB", "BYTEA"},
    };
    size_t len = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        len = matches(sql, names[i][0]);
        if (len > 0) {
            buffer_text(out, names[i][1]);
            return len;
        }
    }
    while (is_word(sql[len]))
        len++;
    buffer_add(out, sql, len);
    return len;
}

/* What is no word: one character, or all that stands in quotes. */
static size_t put_other(struct buffer *out, const char *sql)
{
    const char *end = *sql == '\'' || *sql == '"' ? strchr(sql + 1, *sql) : NULL;
    size_t len = end ? (size_t)(end - sql) + 1 : 1;

    buffer_add(out, sql, len);
    return len;
}

char *pg_translate(const char **sql)
{
    struct buffer out = {0};
    const char *at = *sql + strspn(*sql, " \t\r\n;");

    if (!*at)
        return NULL;
    while (*at && *at != ';')
        at += is_word(*at) ? put_word(&out, at) : put_other(&out, at);
    buffer_add(&out, "", 1);
    *sql = at;
    return (char *)out.b;
}
