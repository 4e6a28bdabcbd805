/* SPDX-License-Identifier: Apache-2.0 */
/* A map from ids (text) to things. Keys are copied; what the values are and who frees them is the
 * caller's. No order. Lookups are keyed hashes, so that chosen ids do not collide. */
#ifndef ROUTER_TABLE_H
#define ROUTER_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct table;

struct table *table_new(void);
/* |free_value| NULL: the values stay. */
void table_free(struct table *table, void (*free_value)(void *value));

/* NULL if there is none. */
void *table_get(const struct table *table, const char *key);
/* |key| must not be there. |value| is not NULL. */
void table_add(struct table *table, const char *key, void *value);
/* What was there, or NULL. */
void *table_remove(struct table *table, const char *key);
/* Visit all; an entry whose visit returns false is removed, its value being the visitor's. The
 * visitor must not change the table. */
void table_sweep(struct table *table, bool (*keep)(void *value, void *arg), void *arg);
size_t table_n(const struct table *table);

#endif
