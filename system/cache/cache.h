/* SPDX-License-Identifier: Apache-2.0 */
/* What may be lost at any time: rate limits, nonces, answers to repeated requests.
 *
 * Every cache is this process's memory: bounded, the oldest entries go first. One that is shared
 * (cache_share) exchanges with Redis what all replicas must know, and goes on with its own memory
 * whenever Redis is away or slower than REDIS_ANSWER_MS; what is written meanwhile stays here.
 * Redis is not trusted with anything: no secrets go there, and what comes from there is checked by
 * who uses it. Not thread-safe: one loop. */
#ifndef SYSTEM_CACHE_CACHE_H
#define SYSTEM_CACHE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;
struct redis;

/* At most |entries|. */
struct cache *cache_new(size_t entries);
/* After redis_close of what it shares through. */
void cache_free(struct cache *cache);
/* Another clock, in steady milliseconds; for tests. */
void cache_set_clock(struct cache *cache, int64_t (*now_ms)(void));
/* Share with all caches of this |name| through |redis|, which outlives every use; NULL: share with
 * nobody. |name| is lent. */
void cache_share(struct cache *cache, struct redis *redis, const char *name);

/* This process's own. */

/* Keep a copy of |b| under |key| for |ttl_ms|. */
void cache_put(struct cache *cache, const char *key, const void *b, size_t len, int64_t ttl_ms);
/* Keep it only if there is none: true if it was kept. */
bool cache_put_new(struct cache *cache, const char *key, const void *b, size_t len, int64_t ttl_ms);
/* Lent until the next call; NULL if there is none or its time is over. */
const void *cache_get(struct cache *cache, const char *key, size_t *len);
void cache_remove(struct cache *cache, const char *key);

/* Shared. */

/* One event of |key| against a budget of |per_minute| with bursts of |burst|: false if it is used
 * up; |wait_s| then says when to come again. |per_minute| 0: no limit.
 *
 * The answer is this process's at once; what it let pass is charged to the shared budget right
 * after, at most one exchange per key at a time, and the shared budget then bounds its own. So
 * replicas together let pass more than the budget only by what each of them lets pass within two
 * exchanges (two round trips, 100 ms at most); that is a debt that the following minutes repay,
 * down to one burst. Without Redis each replica keeps the whole budget by itself. */
bool cache_allow(struct cache *cache, const char *key, unsigned per_minute, unsigned burst,
                 unsigned *wait_s);

/* CACHE_FIRST: nobody claimed |key| within its |ttl_ms|, here or in any process that shares. |done|
 * comes once, at once or within REDIS_ANSWER_MS. Without Redis it is the first of this process; a
 * key that was claimed here is never first again, whatever Redis says. CACHE_ELSEWHERE: only Redis
 * says that it was claimed. */
enum cache_claim { CACHE_FIRST, CACHE_AGAIN, CACHE_ELSEWHERE };
typedef void cache_claimed(void *arg, enum cache_claim claim);
void cache_claim(struct cache *cache, const char *key, int64_t ttl_ms, cache_claimed *done,
                 void *arg);

/* cache_put, here and for everybody who shares; lost without Redis. */
void cache_publish(struct cache *cache, const char *key, const void *b, size_t len, int64_t ttl_ms);
/* What this process has, else what was published: |b| is lent, NULL for none. Anybody who reaches
 * Redis may have written it. |done| comes once, at once or within REDIS_ANSWER_MS. */
typedef void cache_found(void *arg, const void *b, size_t len);
void cache_lookup(struct cache *cache, const char *key, cache_found *done, void *arg);

#endif
