/* SPDX-License-Identifier: Apache-2.0 */
/* What caches say to Redis: one command each. The key there is REDIS_PREFIX, then the cache's name,
 * then the kind and the caller's key. For cache.c. */
#ifndef SYSTEM_CACHE_SHARED_H
#define SYSTEM_CACHE_SHARED_H

#include "system/cache/cache.h"
#include "system/cache/redis.h"

/* In the units of cache.c: one millisecond adds |per_minute|. */
struct shared_budget {
    int64_t per_minute, full, charge;
};

/* |left|: of the shared budget after the charge; negative is a debt, of |full| at most. */
typedef void shared_charged(void *arg, bool is_answered, int64_t left);
void shared_charge(struct redis *redis, const char *name, const char *key,
                   const struct shared_budget *budget, shared_charged *done, void *arg);

typedef void shared_claimed(void *arg, bool is_answered, bool is_first);
void shared_claim(struct redis *redis, const char *name, const char *key, int64_t ttl_ms,
                  shared_claimed *done, void *arg);

struct shared_value {
    const void *b;
    size_t len;
    int64_t ttl_ms;
};
void shared_put(struct redis *redis, const char *name, const char *key,
                const struct shared_value *value);
void shared_get(struct redis *redis, const char *name, const char *key, cache_found *done,
                void *arg);

#endif
