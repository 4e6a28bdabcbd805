/* SPDX-License-Identifier: Apache-2.0 */
/* Who is there: every party that registered, whether it is live, how busy it is. In memory only;
 * parties register again after a restart of the router.
 *
 * A party is live while its last sign of life is younger than the lease. Leases run on the steady
 * clock. A router that itself stood still (stopped, swapped out) does not count that time against
 * anybody: the signs of life of that time still wait in its sockets. Whether a registration is
 * genuine is admission's question, not this one's. */
#ifndef ROUTER_REGISTRY_H
#define ROUTER_REGISTRY_H

#include "router.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PARTY_ID_MAX = 65, PARTY_ROLE_MAX = 16, PARTY_VERSION_MAX = 65, PARTIES_MAX = 10000 };

struct party {
    char id[PARTY_ID_MAX], role[PARTY_ROLE_MAX], version[PARTY_VERSION_MAX];
    uint32_t capacity, load;
    uint8_t boot_id[16];
    /* the encoded PartyIdentity and the authority's signature */
    uint8_t *body, *signature;
    size_t body_len, signature_len;
    bool live;
    /* wall clock, for people */
    int64_t last_seen_ms;
    /* steady clock, for the lease */
    uint64_t seen_us;
    /* what it sent for sessions that are unknown here, in the minute that began then */
    uint64_t stray_since_us;
    size_t stray_items, stray_bytes;
    /* when a refusal of its messages was last logged: once a second is enough */
    uint64_t refusal_logged_us;
    /* the registry's own */
    struct party *next_gone;
};

/* Now, on both clocks. */
struct moment {
    int64_t unix_ms;
    uint64_t steady_us;
};

struct registry;

/* |changed| is called at once for every party that came, went, came back, restarted or changed its
 * load. */
struct registry *registry_new(unsigned lease_ms,
                              void (*changed)(const struct party *party, void *arg), void *arg);
void registry_free(struct registry *registry);

enum registered {
    /* unknown so far, or the same start of it again */
    REGISTERED,
    /* it restarted: what the old one left open is stale */
    REGISTERED_RESTARTED,
    /* PARTIES_MAX are known */
    REGISTERED_FULL
};
/* |request| was verified. */
enum registered registry_register(struct registry *registry,
                                  const Mpc__Router__V1__RegisterPartyRequest *request,
                                  struct moment now);
/* A sign of life. NULL: not registered here. */
struct party *registry_heartbeat(struct registry *registry, const char *party_id, uint32_t load,
                                 struct moment now);
struct party *registry_party(const struct registry *registry, const char *party_id);
/* Leases that ran out; parties gone for a day are forgotten. Call it several times in a lease. */
void registry_tick(struct registry *registry, struct moment now);
size_t registry_live_n(const struct registry *registry);

/* All parties of |role| ("" for all), by id: |n| of them, heap, the caller's. Lent parties. */
const struct party **registry_list(const struct registry *registry, const char *role, size_t *n);

#endif
