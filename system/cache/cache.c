/* SPDX-License-Identifier: Apache-2.0 */
/* Values and rate limits in one map, in one list from oldest to youngest. Writing a value or
 * counting against a limit makes an entry the youngest; reading does not. What goes through Redis
 * is in shared.c. */
#include "system/cache/shared.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/map.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* A limit is counted in sixty-thousandths of an event: one millisecond then adds |per_minute|. */
enum { EVENT = 60000 };

struct entry {
    struct entry *older, *younger;
    /* what the map knows it by: 'v' or 'l', then the caller's key */
    char *name;
    void *b;
    size_t len;
    /* values */
    int64_t until_ms;
    /* limits: what may still be used, as of |at_ms|; a debt is negative */
    int64_t left, at_ms;
    /* events that the shared budget has not been charged with; a charge is under way */
    int64_t unsent;
    bool is_asking;
};

struct cache {
    size_t max;
    int64_t (*now_ms)(void);
    struct map *map;
    struct entry *oldest, *youngest;
    struct redis *redis;
    const char *shared_name;
};

struct cache *cache_new(size_t entries)
{
    struct cache *cache = mem_new(1, sizeof *cache);

    cache->max = entries ? entries : 1;
    cache->now_ms = clock_steady_ms;
    cache->map = map_new();
    return cache;
}

void cache_set_clock(struct cache *cache, int64_t (*now_ms)(void))
{
    cache->now_ms = now_ms;
}

void cache_share(struct cache *cache, struct redis *redis, const char *name)
{
    cache->redis = redis;
    cache->shared_name = name;
}

static void unlink_entry(struct cache *cache, struct entry *entry)
{
    *(entry->older ? &entry->older->younger : &cache->oldest) = entry->younger;
    *(entry->younger ? &entry->younger->older : &cache->youngest) = entry->older;
}

static void link_youngest(struct cache *cache, struct entry *entry)
{
    entry->older = cache->youngest;
    entry->younger = NULL;
    *(cache->youngest ? &cache->youngest->younger : &cache->oldest) = entry;
    cache->youngest = entry;
}

static void drop(struct cache *cache, struct entry *entry)
{
    map_remove(cache->map, entry->name);
    unlink_entry(cache, entry);
    free(entry->name);
    free(entry->b);
    free(entry);
}

void cache_free(struct cache *cache)
{
    if (!cache)
        return;
    while (cache->oldest)
        drop(cache, cache->oldest);
    map_free(cache->map);
    free(cache);
}

static char *name_of(char kind, const char *key)
{
    size_t len = strlen(key);
    char *name = mem_new(1, len + 2);

    name[0] = kind;
    memcpy(name + 1, key, len + 1);
    return name;
}

static struct entry *find(struct cache *cache, char kind, const char *key)
{
    char *name = name_of(kind, key);
    struct entry *entry = map_get(cache->map, name);

    free(name);
    return entry;
}

/* A new one, the youngest; the oldest makes room. */
static struct entry *add(struct cache *cache, char kind, const char *key)
{
    struct entry *entry = mem_new(1, sizeof *entry);

    if (map_n(cache->map) >= cache->max)
        drop(cache, cache->oldest);
    entry->name = name_of(kind, key);
    map_put(cache->map, entry->name, entry);
    link_youngest(cache, entry);
    return entry;
}

/* The value, if its time is not over. */
static struct entry *live(struct cache *cache, const char *key)
{
    struct entry *entry = find(cache, 'v', key);

    if (entry && cache->now_ms() >= entry->until_ms) {
        drop(cache, entry);
        return NULL;
    }
    return entry;
}

void cache_put(struct cache *cache, const char *key, const void *b, size_t len, int64_t ttl_ms)
{
    struct entry *entry = find(cache, 'v', key);
    void *copy = mem_copy(b, len);

    if (entry)
        drop(cache, entry);
    entry = add(cache, 'v', key);
    entry->b = copy;
    entry->len = len;
    entry->until_ms = cache->now_ms() + ttl_ms;
}

bool cache_put_new(struct cache *cache, const char *key, const void *b, size_t len, int64_t ttl_ms)
{
    if (live(cache, key))
        return false;
    cache_put(cache, key, b, len, ttl_ms);
    return true;
}

const void *cache_get(struct cache *cache, const char *key, size_t *len)
{
    struct entry *entry = live(cache, key);

    *len = entry ? entry->len : 0;
    return entry ? entry->b : NULL;
}

void cache_remove(struct cache *cache, const char *key)
{
    struct entry *entry = find(cache, 'v', key);

    if (entry)
        drop(cache, entry);
}

/* What came back since the last event. The quotient is compared first, so that the product of a
 * long pause and a large budget cannot overflow. */
static void refill(struct entry *limit, int64_t now, int64_t per_minute, int64_t full)
{
    int64_t passed = now > limit->at_ms ? now - limit->at_ms : 0;

    if (limit->left > full)
        limit->left = full;
    if (passed > (full - limit->left) / per_minute)
        limit->left = full;
    else
        limit->left += passed * per_minute;
    limit->at_ms = now;
}

static unsigned seconds_until(int64_t missing, int64_t per_minute)
{
    int64_t ms = (missing + per_minute - 1) / per_minute;

    return (unsigned)((ms + 999) / 1000);
}

static struct entry *limit_of(struct cache *cache, const char *key, int64_t full)
{
    struct entry *limit = find(cache, 'l', key);

    if (limit) {
        unlink_entry(cache, limit);
        link_youngest(cache, limit);
        return limit;
    }
    limit = add(cache, 'l', key);
    limit->left = full;
    limit->at_ms = cache->now_ms();
    return limit;
}

/* What an exchange must know when its answer comes; the entry may be gone by then. */
struct exchange {
    struct cache *cache;
    int64_t per_minute, full;
    char key[];
};

static void exchange(struct exchange *exchange, struct entry *limit);

/* Whoever writes to Redis can make callers wait for one budget to come back, and no longer. */
static int64_t believable(int64_t left, int64_t full)
{
    if (left > full)
        return full;
    return left < -full ? -full : left;
}

/* Everybody's budget bounds ours. What was let pass since is not in it yet. */
static void exchanged(void *arg, bool is_answered, int64_t left)
{
    struct exchange *x = arg;
    struct entry *limit = find(x->cache, 'l', x->key);
    int64_t known = limit && is_answered ? believable(left, x->full) - limit->unsent * EVENT : 0;

    if (limit)
        limit->is_asking = false;
    if (limit && is_answered) {
        refill(limit, x->cache->now_ms(), x->per_minute, x->full);
        if (known < limit->left)
            limit->left = known;
    }
    if (limit && is_answered && limit->unsent > 0)
        exchange(x, limit);
    else
        free(x);
}

/* What has come back since need not be charged: after a time without Redis only what is still
 * missing here is told. */
static void exchange(struct exchange *x, struct entry *limit)
{
    int64_t missing = x->full - limit->left;
    int64_t charge = limit->unsent * EVENT < missing ? limit->unsent * EVENT : missing;
    const struct shared_budget budget = {x->per_minute, x->full, charge};

    limit->unsent = 0;
    limit->is_asking = true;
    shared_charge(x->cache->redis, x->cache->shared_name, x->key, &budget, exchanged, x);
}

/* The entry may be gone after this. */
static void charge_everywhere(struct cache *cache, const char *key, struct entry *limit,
                              int64_t per_minute, int64_t full)
{
    size_t len = strlen(key) + 1;
    struct exchange *x;

    if (!cache->redis)
        return;
    limit->unsent++;
    if (limit->is_asking || !redis_is_up(cache->redis))
        return;
    x = mem_new(1, sizeof *x + len);
    *x = (struct exchange){.cache = cache, .per_minute = per_minute, .full = full};
    memcpy(x->key, key, len);
    exchange(x, limit);
}

bool cache_allow(struct cache *cache, const char *key, unsigned per_minute, unsigned burst,
                 unsigned *wait_s)
{
    int64_t full = (int64_t)(burst ? burst : 1) * EVENT;
    struct entry *limit;

    *wait_s = 0;
    if (per_minute == 0)
        return true;
    limit = limit_of(cache, key, full);
    refill(limit, cache->now_ms(), per_minute, full);
    if (limit->left < EVENT) {
        *wait_s = seconds_until(EVENT - limit->left, per_minute);
        return false;
    }
    limit->left -= EVENT;
    charge_everywhere(cache, key, limit, per_minute, full);
    return true;
}

/* Values that all processes share. The local memory is asked and told first: it alone answers when
 * Redis does not. */

struct claim {
    cache_claimed *done;
    void *arg;
};

static void claimed(void *arg, bool is_answered, bool is_first)
{
    struct claim *claim = arg;

    claim->done(claim->arg, !is_answered || is_first ? CACHE_FIRST : CACHE_ELSEWHERE);
    free(claim);
}

void cache_claim(struct cache *cache, const char *key, int64_t ttl_ms, cache_claimed *done,
                 void *arg)
{
    bool is_first = cache_put_new(cache, key, "", 1, ttl_ms);
    struct claim *claim;

    if (!is_first || !cache->redis) {
        done(arg, is_first ? CACHE_FIRST : CACHE_AGAIN);
        return;
    }
    claim = mem_new(1, sizeof *claim);
    *claim = (struct claim){done, arg};
    shared_claim(cache->redis, cache->shared_name, key, ttl_ms, claimed, claim);
}

void cache_publish(struct cache *cache, const char *key, const void *b, size_t len, int64_t ttl_ms)
{
    const struct shared_value value = {b, len, ttl_ms};

    cache_put(cache, key, b, len, ttl_ms);
    if (cache->redis)
        shared_put(cache->redis, cache->shared_name, key, &value);
}

void cache_lookup(struct cache *cache, const char *key, cache_found *done, void *arg)
{
    size_t len;
    const void *own = cache_get(cache, key, &len);

    if (own || !cache->redis)
        done(arg, own, len);
    else
        shared_get(cache->redis, cache->shared_name, key, done, arg);
}
