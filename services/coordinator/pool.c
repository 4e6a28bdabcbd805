/* SPDX-License-Identifier: Apache-2.0 */
/* A map by party id. Parties are never forgotten while the process lives: there are as
 * many as the authority has certified, and a message about one that is gone names when it was seen
 * last. */
#include "services/coordinator/pool.h"

#include "system/access/identity.h"
#include "system/core/buffer.h"
#include "system/core/log.h"
#include "system/core/map.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* About a party and a key. */
struct hint {
    /* no hint: until_ms is 0 */
    uint8_t tag[16];
    int64_t until_ms;
    bool has_no_share;
};

struct pool {
    uint8_t ca[32];
    void (*lost)(void *arg, const char *party_id);
    void *arg;
    struct map *by_id;
    size_t n;
    /* the same, in the order of their ids */
    struct pool_party **all;
    uint64_t turns;
    /* the last whole list came then; 0: none yet */
    int64_t listed_ms;
    /* by their tags; |has_hints|: there was one */
    bool has_hints;
    struct hint hints[POOL_HINTS];
};

struct pool *pool_new(const uint8_t ca[32], void (*lost)(void *arg, const char *party_id),
                      void *arg)
{
    struct pool *pool = mem_new(1, sizeof *pool);

    memcpy(pool->ca, ca, sizeof pool->ca);
    pool->lost = lost;
    pool->arg = arg;
    pool->by_id = map_new();
    return pool;
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    for (size_t i = 0; i < pool->n; i++) {
        free(pool->all[i]->certificate);
        free(pool->all[i]);
    }
    free(pool->all);
    map_free(pool->by_id);
    free(pool);
}

struct pool_party *pool_find(const struct pool *pool, const char *party_id)
{
    return map_get(pool->by_id, party_id);
}

static int party_order(const void *a, const void *b)
{
    return strcmp((*(struct pool_party *const *)a)->id, (*(struct pool_party *const *)b)->id);
}

static struct pool_party *add(struct pool *pool, const char *party_id)
{
    struct pool_party *party;

    if (pool->n >= POOL_MAX)
        return NULL;
    party = mem_new(1, sizeof *party);
    snprintf(party->id, sizeof party->id, "%s", party_id);
    map_put(pool->by_id, party->id, party);
    pool->all = realloc(pool->all, (pool->n + 1) * sizeof pool->all[0]);
    if (!pool->all)
        abort();
    pool->all[pool->n++] = party;
    qsort(pool->all, pool->n, sizeof pool->all[0], party_order);
    return party;
}

void pool_each(const struct pool *pool, void (*each)(struct pool_party *party, void *arg),
               void *arg)
{
    for (size_t i = 0; i < pool->n; i++)
        each(pool->all[i], arg);
}

/* Certified under this name and role, or NULL. The certificate is verified when it changes. */
static struct pool_party *admit(struct pool *pool, const Mpc__Router__V1__Presence *presence)
{
    const Mpc__Session__V1__PartyCertificate *certificate = presence->certificate;
    struct pool_party *party = pool_find(pool, presence->party->party_id);
    struct identity identity;
    uint8_t *packed;
    size_t len;

    if (!certificate)
        return party;
    len = mpc__session__v1__party_certificate__get_packed_size(certificate);
    packed = mem_new(len + 1, 1);
    mpc__session__v1__party_certificate__pack(certificate, packed);
    if (party && party->certificate_len == len && memcmp(party->certificate, packed, len) == 0) {
        free(packed);
        return party;
    }
    if (!identity_verify(&identity, certificate, pool->ca) ||
        strcmp(identity.party_id, presence->party->party_id) != 0 ||
        (!party && !(party = add(pool, identity.party_id)))) {
        log_event(LOG_WARN, "a party without a valid certificate is left out",
                  LOG_S("party", presence->party->party_id));
        free(packed);
        return NULL;
    }
    free(party->certificate);
    party->certificate = packed;
    party->certificate_len = len;
    memcpy(party->key, identity.key, sizeof party->key);
    memcpy(party->role, identity.role, sizeof party->role);
    return party;
}

/* True if the process behind the party is another one than before. */
static bool take_boot_id(struct pool_party *party, const ProtobufCBinaryData *boot_id)
{
    bool is_other;

    if (boot_id->len != sizeof party->boot_id)
        return false;
    is_other = party->has_boot_id && memcmp(party->boot_id, boot_id->data, boot_id->len) != 0;
    memcpy(party->boot_id, boot_id->data, sizeof party->boot_id);
    party->has_boot_id = true;
    return is_other;
}

static void tell(struct pool *pool, struct pool_party *party, const char *what)
{
    log_event(LOG_INFO, what, LOG_S("party", party->id), LOG_S("role", party->role));
    if (!party->is_live || party->given > 0)
        pool->lost(pool->arg, party->id);
}

/* True if the party can be had now and could not before. */
static bool take_presence(struct pool *pool, struct pool_party *party,
                          const Mpc__Router__V1__Presence *presence, int64_t now_ms)
{
    bool was_able = pool_is_able(party), was_live = party->is_live;
    bool is_other = take_boot_id(party, &presence->boot_id);

    party->is_live = presence->party->live;
    party->capacity = presence->party->capacity;
    party->load = presence->party->load;
    snprintf(party->router, sizeof party->router, "%s", presence->router);
    party->doubt_until_ms = 0;
    if (party->is_live || was_live)
        party->seen_ms = now_ms;
    if (was_live && !party->is_live)
        tell(pool, party, "a party went away");
    else if (was_live && is_other)
        tell(pool, party, "a party came back as another process");
    else if (!was_live && party->is_live)
        log_event(LOG_INFO, "a party is there", LOG_S("party", party->id),
                  LOG_S("role", party->role), LOG_I("capacity", party->capacity));
    return !was_able && pool_is_able(party);
}

bool pool_update(struct pool *pool, const Mpc__Router__V1__PresenceBatch *batch, int64_t now_ms)
{
    bool gained = false;

    if (batch->snapshot)
        pool->listed_ms = now_ms;
    for (size_t i = 0; batch->snapshot && i < pool->n; i++)
        if (pool->all[i]->is_live)
            pool->all[i]->doubt_until_ms = now_ms + POOL_GRACE_MS;
    for (size_t i = 0; i < batch->n_presences; i++) {
        const Mpc__Router__V1__Presence *presence = batch->presences[i];
        struct pool_party *party = presence->party ? admit(pool, presence) : NULL;

        if (party && take_presence(pool, party, presence, now_ms))
            gained = true;
    }
    return gained;
}

void pool_expire(struct pool *pool, int64_t now_ms)
{
    for (size_t i = 0; i < pool->n; i++) {
        struct pool_party *party = pool->all[i];

        if (!party->is_live || party->doubt_until_ms == 0 || now_ms < party->doubt_until_ms)
            continue;
        party->is_live = false;
        party->doubt_until_ms = 0;
        tell(pool, party, "a party did not come back to the router");
    }
}

size_t pool_live_n(const struct pool *pool)
{
    size_t n = 0;

    for (size_t i = 0; i < pool->n; i++)
        n += pool->all[i]->is_live;
    return n;
}

bool pool_is_listed(const struct pool *pool)
{
    return pool->listed_ms != 0;
}

bool pool_is_able(const struct pool_party *party)
{
    return party && party->is_live && party->capacity > 0;
}

bool pool_may_return(const struct pool *pool, const char *party_id, int64_t now_ms)
{
    const struct pool_party *party = pool_find(pool, party_id);

    if (party && party->is_live)
        return false;
    if (!pool_is_listed(pool) || now_ms - pool->listed_ms < POOL_GRACE_MS)
        return true;
    return party && now_ms - party->seen_ms < POOL_RECENT_MS;
}

/* The party as the process that it is: a share may come back with another one. */
static void tag_of(uint8_t tag[16], const struct pool_party *party, const struct qrt_intent *intent)
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, NULL, 0, 16);
    crypto_generichash_update(&state, (const uint8_t *)party->id, strlen(party->id) + 1);
    crypto_generichash_update(&state, party->boot_id, sizeof party->boot_id);
    crypto_generichash_update(&state, intent->account, sizeof intent->account);
    crypto_generichash_update(&state, intent->keyid, sizeof intent->keyid);
    crypto_generichash_final(&state, tag, 16);
}

static size_t place_of(const uint8_t tag[16])
{
    return ((size_t)tag[0] << 8 | tag[1]) % POOL_HINTS;
}

void pool_note_excuse(struct pool *pool, const char *party_id, const struct qrt_intent *intent,
                      enum excuse excuse, int64_t now_ms)
{
    struct pool_party *party = pool_find(pool, party_id);
    struct hint hint = {.until_ms = now_ms + POOL_ACCOUNT_HINT_MS};

    if (!party || excuse == EXCUSE_NONE)
        return;
    if (excuse == EXCUSE_PARTY) {
        party->avoid_until_ms = now_ms + POOL_PARTY_HINT_MS;
        return;
    }
    if (excuse == EXCUSE_SHARE) {
        hint.until_ms = INT64_MAX;
        hint.has_no_share = true;
    }
    tag_of(hint.tag, party, intent);
    pool->hints[place_of(hint.tag)] = hint;
    pool->has_hints = true;
}

void pool_note_service(struct pool *pool, const char *party_id, const struct qrt_intent *intent)
{
    struct pool_party *party = pool_find(pool, party_id);
    uint8_t tag[16];
    struct hint *hint;

    if (!party)
        return;
    party->avoid_until_ms = 0;
    if (!pool->has_hints)
        return;
    tag_of(tag, party, intent);
    hint = &pool->hints[place_of(tag)];
    if (memcmp(hint->tag, tag, sizeof tag) == 0)
        hint->until_ms = 0;
}

enum pool_hint pool_hint(const struct pool *pool, const struct pool_party *party,
                         const struct qrt_intent *intent, int64_t now_ms)
{
    enum pool_hint general = now_ms < party->avoid_until_ms ? POOL_NOT_NOW : POOL_NOTHING;
    const struct hint *hint;
    uint8_t tag[16];

    if (!pool->has_hints)
        return general;
    tag_of(tag, party, intent);
    hint = &pool->hints[place_of(tag)];
    if (memcmp(hint->tag, tag, sizeof tag) != 0 || now_ms >= hint->until_ms)
        return general;
    return hint->has_no_share ? POOL_HAS_NO_SHARE : POOL_NOT_NOW;
}

uint32_t pool_load(const struct pool_party *party)
{
    return party->given > party->load ? party->given : party->load;
}

void pool_give(struct pool *pool, const char *party_id)
{
    struct pool_party *party = pool_find(pool, party_id);

    if (!party)
        return;
    party->given++;
    party->turn = ++pool->turns;
}

void pool_take(struct pool *pool, const char *party_id)
{
    struct pool_party *party = pool_find(pool, party_id);

    if (party && party->given > 0)
        party->given--;
}
