/* SPDX-License-Identifier: Apache-2.0 */
/* What a party writes down about itself, by name: a few bytes each, which store_*.c understand. */
#include "participant/store_state.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static bool take_fact(const struct db_row *row, void *arg)
{
    struct store_fact *fact = arg;
    const uint8_t *b = db_get_blob(row, 0, &fact->len);

    fact->is_set = true;
    if (fact->len > sizeof fact->b)
        fact->len = 0;
    if (fact->len > 0)
        memcpy(fact->b, b, fact->len);
    return false;
}

enum db_result store_read_fact(struct db_tx *tx, struct store_fact *out, const char *name)
{
    struct db_value v[] = {db_text(name)};

    *out = (struct store_fact){0};
    return db_query(tx, "SELECT value FROM facts WHERE name = $1", v, COUNT(v), take_fact, out);
}

bool store_fact_is(const struct store_fact *fact, const uint8_t *b, size_t len)
{
    return fact->is_set && b && fact->len == len && memcmp(fact->b, b, len) == 0;
}

enum db_result store_write_fact(struct db_tx *tx, const char *name, const uint8_t *b, size_t len)
{
    struct db_value v[] = {db_text(name), db_blob(b, len)};

    if (!b)
        return db_exec(tx, "DELETE FROM facts WHERE name = $1", v, 1, NULL);
    return db_exec(tx,
                   "INSERT INTO facts (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE"
                   " SET value = $2",
                   v, COUNT(v), NULL);
}
