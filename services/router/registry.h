/* SPDX-License-Identifier: Apache-2.0 */
/* Who is there: every party that registered, whether it is live, how busy it is. In memory only;
 * parties register again after a restart of the router.
 *
 * A party is live while its last sign of life is younger than the lease. Leases run on the steady
 * clock. A router that itself stood still (stopped, swapped out) does not count that time against
 * anybody: the signs of life of that time still wait in its sockets. Whether a registration is
 * genuine is admission's question, not this one's.
 *
 * With several routers the list has the parties of all: what another router says of those that
 * registered there. A party is at one router. Which of two registrations is the newer one the
 * party says itself, by the time that it signed; of equal ones the greater nonce's counts, which is
 * signed as well. So no router can hold a party by an old registration. One that loses, as when
 * the party's clock was set back, is repeated by the party. */
#ifndef ROUTER_REGISTRY_H
#define ROUTER_REGISTRY_H

#include "peering.pb-c.h"
#include "router.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PARTY_ID_MAX = 65, PARTY_ROLE_MAX = 16, PARTY_VERSION_MAX = 65, PARTIES_MAX = 10000 };
enum { ROUTER_INSTANCE_MAX = 33 };

struct party {
    char id[PARTY_ID_MAX], role[PARTY_ROLE_MAX], version[PARTY_VERSION_MAX];
    uint32_t capacity, load;
    uint8_t boot_id[16];
    /* the encoded PartyIdentity and the authority's signature */
    uint8_t *body, *signature;
    size_t body_len, signature_len;
    bool live;
    /* what it registered with last: other routers verify it again */
    int64_t proof_ms;
    uint8_t nonce[16], proof[64];
    /* the process that it is registered at, in hex; "": here */
    char home[ROUTER_INSTANCE_MAX];
    /* that is gone: any other counts more */
    bool is_home_lost;
    /* of its home's word: the frame's number */
    uint64_t said;
    /* its mailbox elsewhere was full; refuse until then */
    uint64_t full_until_us;
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

/* What router |home| says of a party there, by its frame |number|. |self|: this router. */
struct elsewhere {
    const char *home, *self;
    uint64_t number;
    const Mpc__Router__V1__PartyHere *said;
};
enum elsewhere_result {
    ELSEWHERE_TAKEN,
    /* it was here until now */
    ELSEWHERE_MOVED,
    /* older than what is known, or PARTIES_MAX are known */
    ELSEWHERE_IGNORED,
    /* older than its registration here: |home| does not know */
    ELSEWHERE_OUTDATED
};
/* Would it be taken, and is it a registration that was not seen yet? Then it must be verified. */
bool registry_is_unproven(const struct registry *registry, const struct elsewhere *elsewhere);
/* Genuine. */
enum elsewhere_result registry_take(struct registry *registry, const struct elsewhere *elsewhere,
                                    struct moment now);
/* Nothing is heard of |home| any more: its parties are not live. */
void registry_lose(struct registry *registry, const char *home);
bool is_here(const struct party *party);
/* Leases that ran out; parties gone for a day are forgotten. Call it several times in a lease. */
void registry_tick(struct registry *registry, struct moment now);
size_t registry_n(const struct registry *registry);
size_t registry_live_n(const struct registry *registry);

/* All parties of |role| ("" for all), by id: |n| of them, heap, the caller's. Lent parties. */
const struct party **registry_list(const struct registry *registry, const char *role, size_t *n);

#endif
