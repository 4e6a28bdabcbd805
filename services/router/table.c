/* SPDX-License-Identifier: Apache-2.0 */
/* Chains in a power-of-two array that doubles when there are as many entries as chains. */
#include "services/router/table.h"

#include "system/core/buffer.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { CHAINS_MIN = 64 };

struct entry {
    struct entry *next;
    char *key;
    void *value;
};

struct table {
    struct entry **chains;
    size_t chains_n, n;
    uint8_t secret[crypto_shorthash_KEYBYTES];
};

struct table *table_new(void)
{
    struct table *table = mem_new(1, sizeof *table);

    table->chains_n = CHAINS_MIN;
    table->chains = mem_new(table->chains_n, sizeof *table->chains);
    randombytes_buf(table->secret, sizeof table->secret);
    return table;
}

static size_t chain_of(const struct table *table, const char *key)
{
    uint64_t hash;
    uint8_t out[crypto_shorthash_BYTES];

    crypto_shorthash(out, (const uint8_t *)key, strlen(key), table->secret);
    memcpy(&hash, out, sizeof hash);
    return (size_t)hash & (table->chains_n - 1);
}

/* Where the pointer to the entry of |key| is, or the end of its chain. */
static struct entry **place_of(const struct table *table, const char *key)
{
    struct entry **at = &table->chains[chain_of(table, key)];

    while (*at && strcmp((*at)->key, key) != 0)
        at = &(*at)->next;
    return at;
}

static void free_entry(struct entry *entry)
{
    free(entry->key);
    free(entry);
}

void table_free(struct table *table, void (*free_value)(void *value))
{
    if (!table)
        return;
    for (size_t i = 0; i < table->chains_n; i++) {
        while (table->chains[i]) {
            struct entry *entry = table->chains[i];

            table->chains[i] = entry->next;
            if (free_value)
                free_value(entry->value);
            free_entry(entry);
        }
    }
    free(table->chains);
    free(table);
}

static void grow(struct table *table)
{
    struct entry **old = table->chains;
    size_t old_n = table->chains_n;

    table->chains_n = 2 * old_n;
    table->chains = mem_new(table->chains_n, sizeof *table->chains);
    for (size_t i = 0; i < old_n; i++) {
        while (old[i]) {
            struct entry *entry = old[i];
            size_t chain = chain_of(table, entry->key);

            old[i] = entry->next;
            entry->next = table->chains[chain];
            table->chains[chain] = entry;
        }
    }
    free(old);
}

void *table_get(const struct table *table, const char *key)
{
    const struct entry *entry = *place_of(table, key);

    return entry ? entry->value : NULL;
}

void table_add(struct table *table, const char *key, void *value)
{
    struct entry *entry = mem_new(1, sizeof *entry);
    struct entry **at;

    if (table->n >= table->chains_n)
        grow(table);
    at = place_of(table, key);
    entry->key = text_copy(key);
    entry->value = value;
    entry->next = *at;
    *at = entry;
    table->n++;
}

void *table_remove(struct table *table, const char *key)
{
    struct entry **at = place_of(table, key), *entry = *at;
    void *value;

    if (!entry)
        return NULL;
    *at = entry->next;
    value = entry->value;
    free_entry(entry);
    table->n--;
    return value;
}

void table_sweep(struct table *table, bool (*keep)(void *value, void *arg), void *arg)
{
    for (size_t i = 0; i < table->chains_n; i++) {
        struct entry **at = &table->chains[i];

        while (*at) {
            struct entry *entry = *at;

            if (keep(entry->value, arg)) {
                at = &entry->next;
                continue;
            }
            *at = entry->next;
            free_entry(entry);
            table->n--;
        }
    }
}

size_t table_n(const struct table *table)
{
    return table->n;
}
