/* SPDX-License-Identifier: Apache-2.0 */
/* Chained hashing with a fixed number of chains: ids are random UUIDs, but they come from the
 * network, so a key chosen at start decides where they go. */
#include "participant/front_table.h"

#include "system/core/buffer.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 16384 };

static uint8_t hash_key[crypto_shorthash_KEYBYTES];

static struct front_entry **row_of(const struct front_table *table, const char *session_id)
{
    uint8_t hash[crypto_shorthash_BYTES];
    uint32_t at;

    crypto_shorthash(hash, (const uint8_t *)session_id, strlen(session_id), hash_key);
    memcpy(&at, hash, sizeof at);
    return &table->rows[at % table->rows_n];
}

void front_table_init(struct front_table *table)
{
    randombytes_buf(hash_key, sizeof hash_key);
    *table = (struct front_table){.rows_n = ROWS};
    table->rows = mem_new(ROWS, sizeof *table->rows);
}

struct front_entry *front_table_find(const struct front_table *table, const char *session_id)
{
    struct front_entry *entry = *row_of(table, session_id);

    while (entry && strcmp(entry->id, session_id) != 0)
        entry = entry->next;
    return entry;
}

struct front_entry *front_table_add(struct front_table *table, const char *session_id)
{
    struct front_entry **row = row_of(table, session_id);
    struct front_entry *entry;

    if (table->live >= FRONT_SESSIONS_MAX || table->all >= FRONT_REMNANTS_MAX)
        return NULL;
    entry = mem_new(1, sizeof *entry);
    memcpy(entry->id, session_id, strlen(session_id) + 1);
    entry->next = *row;
    *row = entry;
    table->all++;
    table->live++;
    return entry;
}

static void wipe_text(char **text)
{
    if (*text)
        sodium_memzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

void front_table_end(struct front_table *table, struct front_entry *entry)
{
    if (entry->setup)
        mpc__session__v1__setup__free_unpacked(entry->setup, NULL);
    entry->setup = NULL;
    wipe_text(&entry->join_token);
    wipe_text(&entry->session_token);
    for (size_t i = 0; i < FRONT_ATTEMPTS_MAX; i++) {
        if (entry->outcomes[i])
            mpc__keeper__v1__outcome__free_unpacked(entry->outcomes[i], NULL);
        entry->outcomes[i] = NULL;
    }
    free(entry->share);
    entry->share = NULL;
    table->live--;
}

static void free_entry(struct front_table *table, struct front_entry *entry)
{
    if (!entry->core.has_ended)
        front_table_end(table, entry);
    free(entry->detail);
    free(entry);
    table->all--;
}

void front_table_each(struct front_table *table,
                      bool (*visit)(void *arg, struct front_entry *entry), void *arg)
{
    for (size_t i = 0; table->all > 0 && i < table->rows_n; i++) {
        struct front_entry **at = &table->rows[i];

        while (*at) {
            struct front_entry *entry = *at;

            if (visit(arg, entry)) {
                at = &entry->next;
                continue;
            }
            *at = entry->next;
            free_entry(table, entry);
        }
    }
}

static bool visit_none(void *arg, struct front_entry *entry)
{
    (void)arg;
    (void)entry;
    return false;
}

void front_table_free(struct front_table *table)
{
    front_table_each(table, visit_none, NULL);
    free(table->rows);
    table->rows = NULL;
}
