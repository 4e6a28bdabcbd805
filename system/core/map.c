/* SPDX-License-Identifier: Apache-2.0 */
/* A table of slots with linear probing, never more than 3/4 full. Removing moves later slots of the
 * run back, so there are no tombstones and a search ends at the first empty slot. */
#include "system/core/map.h"

#include "system/core/buffer.h"

#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct slot {
    /* NULL: empty */
    const char *key;
    void *value;
    uint64_t hash;
};

struct map {
    struct slot *slots;
    /* |slots_n| is a power of two */
    size_t slots_n, n;
    uint8_t hash_key[crypto_shorthash_KEYBYTES];
};

struct map *map_new(void)
{
    struct map *map = mem_new(1, sizeof *map);

    map->slots_n = 16;
    map->slots = mem_new(map->slots_n, sizeof *map->slots);
    crypto_shorthash_keygen(map->hash_key);
    return map;
}

void map_free(struct map *map)
{
    if (!map)
        return;
    free(map->slots);
    free(map);
}

static uint64_t hash_of(const struct map *map, const char *key)
{
    uint64_t hash;

    crypto_shorthash((uint8_t *)&hash, (const uint8_t *)key, strlen(key), map->hash_key);
    return hash;
}

/* Where |key| is, or the empty slot where it would be. */
static size_t find(const struct map *map, const char *key, uint64_t hash)
{
    size_t i = hash & (map->slots_n - 1);

    while (map->slots[i].key && (map->slots[i].hash != hash || strcmp(map->slots[i].key, key) != 0))
        i = (i + 1) & (map->slots_n - 1);
    return i;
}

void *map_get(const struct map *map, const char *key)
{
    return map->slots[find(map, key, hash_of(map, key))].value;
}

static void grow(struct map *map)
{
    struct slot *old = map->slots;
    size_t old_n = map->slots_n;

    map->slots_n *= 2;
    map->slots = mem_new(map->slots_n, sizeof *map->slots);
    for (size_t i = 0; i < old_n; i++) {
        if (old[i].key)
            map->slots[find(map, old[i].key, old[i].hash)] = old[i];
    }
    free(old);
}

void map_put(struct map *map, const char *key, void *value)
{
    uint64_t hash = hash_of(map, key);
    size_t i;

    if (map->n + 1 > map->slots_n / 4 * 3)
        grow(map);
    i = find(map, key, hash);
    if (!map->slots[i].key)
        map->n++;
    map->slots[i] = (struct slot){key, value, hash};
}

/* Is slot |home| outside of the cyclic run (gap, at]? Then what lies at |at| may move to |gap|. */
static bool may_move(const struct map *map, size_t home, size_t gap, size_t at)
{
    size_t mask = map->slots_n - 1;

    return ((at - home) & mask) >= ((at - gap) & mask);
}

void *map_remove(struct map *map, const char *key)
{
    size_t mask = map->slots_n - 1, gap = find(map, key, hash_of(map, key));
    void *value = map->slots[gap].value;

    if (!map->slots[gap].key)
        return NULL;
    for (size_t i = (gap + 1) & mask; map->slots[i].key; i = (i + 1) & mask) {
        if (may_move(map, map->slots[i].hash & mask, gap, i)) {
            map->slots[gap] = map->slots[i];
            gap = i;
        }
    }
    map->slots[gap] = (struct slot){0};
    map->n--;
    return value;
}

size_t map_n(const struct map *map)
{
    return map->n;
}

void map_each(const struct map *map, bool (*each)(void *value, void *arg), void *arg)
{
    for (size_t i = 0; i < map->slots_n; i++) {
        if (map->slots[i].key && !each(map->slots[i].value, arg))
            return;
    }
}
