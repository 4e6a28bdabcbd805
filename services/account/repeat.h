/* SPDX-License-Identifier: Apache-2.0 */
/* Which id stands for a repeated request: the short way to an answer that was given before, for
 * this replica and all others. Only a hint: the database is the truth, and whoever follows a hint
 * reads there what the id stands for.
 *
 * What replicas share is not trusted. An entry is found under a keyed hash of the idempotency key,
 * and its id is bound by a keyed hash to that key and to the whole request (both under a key that
 * JWT_SECRET_KEY gives); an entry of another request, a copied and a forged one are none. No keys
 * of callers, no messages and no signatures go there. */
#ifndef ACCOUNT_REPEAT_H
#define ACCOUNT_REPEAT_H

#include "system/cache/cache.h"

#include <stdint.h>

struct repeats;

/* |redis| NULL: this process alone. */
struct repeats *repeats_new(const char *secret, struct redis *redis);
void repeats_free(struct repeats *repeats);

struct repeat {
    /* what the key belongs to: "" or an account's id */
    const char *scope;
    const char *idempotency_key;
    /* of everything that makes a request another one */
    uint8_t request[32];
};

/* |id| is lent; NULL: not known. */
typedef void repeat_found(void *arg, const char *id);
/* |done| comes once, at once or within REDIS_ANSWER_MS. */
void repeat_find(struct repeats *repeats, const struct repeat *repeat, repeat_found *done,
                 void *arg);
/* The request has been answered for good, by what |id| (a UUID) stands for. */
void repeat_note(struct repeats *repeats, const struct repeat *repeat, const char *id);

#endif
