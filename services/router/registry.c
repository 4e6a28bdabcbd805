/* SPDX-License-Identifier: Apache-2.0 */
#include "services/router/registry.h"

#include "system/core/buffer.h"
#include "system/core/log.h"
#include "system/core/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORGET_US (UINT64_C(86400) * 1000000)

struct registry {
    struct map *parties;
    uint64_t lease_us, ticked_us;
    size_t live_n;
    void (*changed)(const struct party *party, void *arg);
    void *arg;
};

struct registry *registry_new(unsigned lease_ms,
                              void (*changed)(const struct party *party, void *arg), void *arg)
{
    struct registry *registry = mem_new(1, sizeof *registry);

    registry->parties = map_new();
    registry->lease_us = (uint64_t)lease_ms * 1000;
    registry->changed = changed;
    registry->arg = arg;
    return registry;
}

static bool free_party(void *value, void *arg)
{
    struct party *party = value;

    (void)arg;
    free(party->body);
    free(party->signature);
    free(party);
    return true;
}

void registry_free(struct registry *registry)
{
    if (!registry)
        return;
    map_each(registry->parties, free_party, NULL);
    map_free(registry->parties);
    free(registry);
}

static void tell(struct registry *registry, const struct party *party)
{
    registry->changed(party, registry->arg);
}

static void set_live(struct registry *registry, struct party *party, bool live)
{
    if (party->live == live)
        return;
    party->live = live;
    registry->live_n = live ? registry->live_n + 1 : registry->live_n - 1;
}

static void seen(struct registry *registry, struct party *party, struct moment now)
{
    party->last_seen_ms = now.unix_ms;
    party->seen_us = now.steady_us;
    set_live(registry, party, true);
}

static void set_certificate(struct party *party,
                            const Mpc__Session__V1__PartyCertificate *certificate)
{
    free(party->body);
    free(party->signature);
    party->body = mem_copy(certificate->body.data, certificate->body.len);
    party->body_len = certificate->body.len;
    party->signature = mem_copy(certificate->signature.data, certificate->signature.len);
    party->signature_len = certificate->signature.len;
}

static void fill(struct party *party, const Mpc__Router__V1__RegisterPartyRequest *request)
{
    snprintf(party->role, sizeof party->role, "%s", request->role);
    snprintf(party->version, sizeof party->version, "%s", request->version);
    party->capacity = request->capacity;
    party->is_home_lost = false;
    party->proof_ms = request->time_ms;
    memcpy(party->boot_id, request->boot_id.data, sizeof party->boot_id);
    memcpy(party->nonce, request->nonce.data, sizeof party->nonce);
    memcpy(party->proof, request->proof.data, sizeof party->proof);
    set_certificate(party, request->certificate);
}

static struct party *add(struct registry *registry, const char *party_id)
{
    struct party *party = mem_new(1, sizeof *party);

    snprintf(party->id, sizeof party->id, "%s", party_id);
    map_put(registry->parties, party->id, party);
    return party;
}

enum registered registry_register(struct registry *registry,
                                  const Mpc__Router__V1__RegisterPartyRequest *request,
                                  struct moment now)
{
    struct party *party = map_get(registry->parties, request->party_id);
    bool restarted;

    if (!party && map_n(registry->parties) >= PARTIES_MAX)
        return REGISTERED_FULL;
    restarted = party && memcmp(party->boot_id, request->boot_id.data, sizeof party->boot_id) != 0;
    if (!party)
        party = add(registry, request->party_id);
    fill(party, request);
    party->home[0] = '\0';
    if (restarted)
        party->load = 0;
    seen(registry, party, now);
    tell(registry, party);
    return restarted ? REGISTERED_RESTARTED : REGISTERED;
}

struct party *registry_heartbeat(struct registry *registry, const char *party_id, uint32_t load,
                                 struct moment now)
{
    struct party *party = map_get(registry->parties, party_id);
    bool news;

    if (!party || !is_here(party))
        return NULL;
    news = !party->live || party->load != load;
    if (!party->live)
        log_event(LOG_INFO, "a party is back", LOG_S("party", party->id));
    party->load = load;
    seen(registry, party, now);
    if (news)
        tell(registry, party);
    return party;
}

struct party *registry_party(const struct registry *registry, const char *party_id)
{
    return map_get(registry->parties, party_id);
}

bool is_here(const struct party *party)
{
    return !party->home[0];
}

/* Is what |e| says newer than what is known of |party|? */
static bool is_newer(const struct party *party, const struct elsewhere *e)
{
    const Mpc__Router__V1__RegisterPartyRequest *r = e->said->registration;
    const char *holder = is_here(party) ? e->self : party->home;

    if (strcmp(holder, e->home) == 0)
        return e->number > party->said;
    if (party->is_home_lost)
        return true;
    if (r->time_ms != party->proof_ms)
        return r->time_ms > party->proof_ms;
    return r->nonce.len != sizeof party->nonce ||
           memcmp(r->nonce.data, party->nonce, sizeof party->nonce) > 0;
}

bool registry_is_unproven(const struct registry *registry, const struct elsewhere *e)
{
    const Mpc__Router__V1__RegisterPartyRequest *r = e->said->registration;
    const struct party *party = map_get(registry->parties, r->party_id);

    if (!party)
        return true;
    return is_newer(party, e) &&
           (strcmp(party->role, r->role) != 0 || r->boot_id.len != sizeof party->boot_id ||
            memcmp(party->boot_id, r->boot_id.data, sizeof party->boot_id) != 0 ||
            r->proof.len != sizeof party->proof ||
            memcmp(party->proof, r->proof.data, sizeof party->proof) != 0 ||
            r->time_ms != party->proof_ms || r->nonce.len != sizeof party->nonce ||
            memcmp(r->nonce.data, party->nonce, sizeof party->nonce) != 0 || !r->certificate ||
            r->certificate->body.len != party->body_len ||
            memcmp(r->certificate->body.data, party->body, party->body_len) != 0);
}

enum elsewhere_result registry_take(struct registry *registry, const struct elsewhere *e,
                                    struct moment now)
{
    const Mpc__Router__V1__PartyHere *said = e->said;
    struct party *party = map_get(registry->parties, said->registration->party_id);
    bool was_here = party && is_here(party), was_live = party && party->live, is_news;

    if (party && !is_newer(party, e))
        return was_here ? ELSEWHERE_OUTDATED : ELSEWHERE_IGNORED;
    if (!party && map_n(registry->parties) >= PARTIES_MAX)
        return ELSEWHERE_IGNORED;
    if (!party)
        party = add(registry, said->registration->party_id);
    is_news = said->live != was_live || party->load != said->load ||
              party->proof_ms != said->registration->time_ms ||
              memcmp(party->boot_id, said->registration->boot_id.data, sizeof party->boot_id) != 0;
    fill(party, said->registration);
    snprintf(party->home, sizeof party->home, "%s", e->home);
    party->said = e->number;
    party->load = said->load;
    seen(registry, party, now);
    set_live(registry, party, said->live);
    if (is_news)
        tell(registry, party);
    return was_here ? ELSEWHERE_MOVED : ELSEWHERE_TAKEN;
}

struct loss {
    struct registry *registry;
    const char *home;
};

static bool lose_party(void *value, void *arg)
{
    struct party *party = value;
    const struct loss *loss = arg;

    if (strcmp(party->home, loss->home) != 0)
        return true;
    party->is_home_lost = true;
    if (!party->live)
        return true;
    set_live(loss->registry, party, false);
    tell(loss->registry, party);
    return true;
}

void registry_lose(struct registry *registry, const char *home)
{
    struct loss loss = {registry, home};

    map_each(registry->parties, lose_party, &loss);
}

struct tick {
    struct registry *registry;
    uint64_t now_us, slept_us;
    struct party *gone;
};

static bool tick_party(void *value, void *arg)
{
    struct party *party = value;
    struct tick *tick = arg;
    struct registry *registry = tick->registry;

    party->seen_us += tick->slept_us;
    if (party->seen_us > tick->now_us)
        party->seen_us = tick->now_us;
    if (is_here(party) && party->live && tick->now_us - party->seen_us >= registry->lease_us) {
        set_live(registry, party, false);
        log_event(LOG_WARN, "a party is silent: its lease ran out", LOG_S("party", party->id));
        tell(registry, party);
    }
    if (!party->live && tick->now_us - party->seen_us >= FORGET_US) {
        party->next_gone = tick->gone;
        tick->gone = party;
    }
    return true;
}

void registry_tick(struct registry *registry, struct moment now)
{
    uint64_t gap = registry->ticked_us ? now.steady_us - registry->ticked_us : 0;
    struct tick tick = {registry, now.steady_us, gap > registry->lease_us / 2 ? gap : 0, NULL};

    registry->ticked_us = now.steady_us;
    map_each(registry->parties, tick_party, &tick);
    while (tick.gone) {
        struct party *party = tick.gone;

        tick.gone = party->next_gone;
        map_remove(registry->parties, party->id);
        free_party(party, NULL);
    }
}

size_t registry_n(const struct registry *registry)
{
    return map_n(registry->parties);
}

size_t registry_live_n(const struct registry *registry)
{
    return registry->live_n;
}

struct listing {
    const struct party **parties;
    size_t n;
    const char *role;
};

static bool list_party(void *value, void *arg)
{
    const struct party *party = value;
    struct listing *listing = arg;

    if (!*listing->role || strcmp(party->role, listing->role) == 0)
        listing->parties[listing->n++] = party;
    return true;
}

static int by_id(const void *a, const void *b)
{
    const struct party *const *left = a, *const *right = b;

    return strcmp((*left)->id, (*right)->id);
}

const struct party **registry_list(const struct registry *registry, const char *role, size_t *n)
{
    struct listing listing = {mem_new(map_n(registry->parties) + 1, sizeof(const struct party *)),
                              0, role};

    map_each(registry->parties, list_party, &listing);
    qsort(listing.parties, listing.n, sizeof *listing.parties, by_id);
    *n = listing.n;
    return listing.parties;
}
