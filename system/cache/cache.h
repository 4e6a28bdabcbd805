/* SPDX-License-Identifier: Apache-2.0 */
/* What may be lost at any time: presence, rate limits, answers to repeated requests. One driver
 * now: this process's memory. Bounded; the oldest entries go first. Not thread-safe: one loop. */
#ifndef SYSTEM_CACHE_CACHE_H
#define SYSTEM_CACHE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;

/* At most |entries|. */
struct cache *cache_new(size_t entries);
void cache_free(struct cache *cache);
/* Another clock, in steady milliseconds; for tests. */
void cache_set_clock(struct cache *cache, int64_t (*now_ms)(void));

/* Keep a copy of |b| under |key| for |ttl_ms|. */
void cache_put(struct cache *cache, const char *key, const void *b, size_t len, int64_t ttl_ms);
/* Keep it only if there is none: true if it was kept. */
bool cache_put_new(struct cache *cache, const char *key, const void *b, size_t len, int64_t ttl_ms);
/* Lent until the next call; NULL if there is none or its time is over. */
const void *cache_get(struct cache *cache, const char *key, size_t *len);
void cache_remove(struct cache *cache, const char *key);

/* One event of |key| against a budget of |per_minute| with bursts of |burst|: false if it is used
 * up; |wait_s| then says when to come again. |per_minute| 0: no limit. */
bool cache_allow(struct cache *cache, const char *key, unsigned per_minute, unsigned burst,
                 unsigned *wait_s);

#endif
