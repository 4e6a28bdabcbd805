/* SPDX-License-Identifier: Apache-2.0 */
/* The parties there are: what the router's presence says of them, and what this coordinator has
 * given them to do. Only parties with a certificate of the operator's authority are in it.
 *
 * The router may forget everything when it restarts. A party that a fresh list lacks therefore
 * counts as alive for POOL_GRACE_MS more: its heartbeat will find the router again.
 *
 * What parties said when they could not is kept as a hint for other sessions, in memory and
 * bounded: one that is lost costs an attempt, one that is out of date only the order of asking. */
#ifndef COORDINATOR_POOL_H
#define COORDINATOR_POOL_H

#include "quorate/intent.h"
#include "services/coordinator/excuse.h"

#include "router.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    POOL_GRACE_MS = 5000,
    /* whoever was seen this shortly ago may come back: worth waiting for */
    POOL_RECENT_MS = 10000,
    /* parties known at a time */
    POOL_MAX = 65536,
    /* for so long a "not now" holds, for its party and for its account */
    POOL_PARTY_HINT_MS = 3000,
    POOL_ACCOUNT_HINT_MS = 10000,
    /* places for hints about accounts; a newer one may take an older one's */
    POOL_HINTS = 4096
};

/* What speaks against asking a party, of all sessions that did. */
enum pool_hint {
    POOL_NOTHING,
    POOL_NOT_NOW,
    /* of this key, while this process of the party lives */
    POOL_HAS_NO_SHARE
};

struct pool_party {
    char id[65];
    char role[16];
    uint8_t key[32];
    uint8_t boot_id[16];
    bool has_boot_id;
    /* the router that it is at, as routers name each other; "": they do not say */
    char router[33];
    uint32_t capacity, load;
    /* sessions that this coordinator has running at it; presence lags behind */
    uint32_t given;
    uint64_t turn;
    bool is_live;
    /* alive until then unless presence says so again; 0: no doubt */
    int64_t doubt_until_ms;
    /* not now, it said */
    int64_t avoid_until_ms;
    /* the last moment at which it was alive for sure */
    int64_t seen_ms;
    /* encoded PartyCertificate, heap */
    uint8_t *certificate;
    size_t certificate_len;
};

struct pool;

/* |lost| is told when a party went away or came back as another process. */
struct pool *pool_new(const uint8_t ca[32], void (*lost)(void *arg, const char *party_id),
                      void *arg);
void pool_free(struct pool *pool);

/* Take a batch of WatchPresence. True if somebody became available. */
bool pool_update(struct pool *pool, const Mpc__Router__V1__PresenceBatch *batch, int64_t now_ms);
/* Parties in doubt whose time is over are gone. */
void pool_expire(struct pool *pool, int64_t now_ms);

/* NULL: never seen. Lent until the next pool_update. */
struct pool_party *pool_find(const struct pool *pool, const char *party_id);
/* All of them, in the order of their ids. */
void pool_each(const struct pool *pool, void (*each)(struct pool_party *party, void *arg),
               void *arg);
size_t pool_live_n(const struct pool *pool);
/* A whole list has come: until then nothing is known of who is not there. */
bool pool_is_listed(const struct pool *pool);
/* Alive, and takes sessions: a party with capacity 0 is being drained. */
bool pool_is_able(const struct pool_party *party);
/* Is not there, but may come back any moment: it was seen shortly ago, or the router's list is so
 * fresh that it may not have registered yet. */
bool pool_may_return(const struct pool *pool, const char *party_id, int64_t now_ms);
/* A party said why it could not do what |intent| asks for; it could after all. */
void pool_note_excuse(struct pool *pool, const char *party_id, const struct qrt_intent *intent,
                      enum excuse excuse, int64_t now_ms);
void pool_note_service(struct pool *pool, const char *party_id, const struct qrt_intent *intent);
enum pool_hint pool_hint(const struct pool *pool, const struct pool_party *party,
                         const struct qrt_intent *intent, int64_t now_ms);
uint32_t pool_load(const struct pool_party *party);
/* A session began or ended at the party; unknown ids are nothing. */
void pool_give(struct pool *pool, const char *party_id);
void pool_take(struct pool *pool, const char *party_id);

#endif
