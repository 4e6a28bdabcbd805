/* SPDX-License-Identifier: Apache-2.0 */
/* Texts to things. Keys may come from the network: their hash is keyed at random for each map, so
 * that nobody can choose ones that collide. Not thread-safe. */
#ifndef SYSTEM_CORE_MAP_H
#define SYSTEM_CORE_MAP_H

#include <stdbool.h>
#include <stddef.h>

struct map;

struct map *map_new(void);
/* The map alone: what it leads to is its owner's. NULL is nothing. */
void map_free(struct map *map);

/* NULL if there is none. */
void *map_get(const struct map *map, const char *key);
/* |key| is lent until it is removed or the map is freed; best a part of |value|, which is not NULL.
 * Putting a key that is there replaces both. */
void map_put(struct map *map, const char *key, void *value);
/* What it led to, or NULL. */
void *map_remove(struct map *map, const char *key);
size_t map_n(const struct map *map);
/* In no order, until |each| returns false; it must not change the map. */
void map_each(const struct map *map, bool (*each)(void *value, void *arg), void *arg);

#endif
