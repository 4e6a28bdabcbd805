/* SPDX-License-Identifier: Apache-2.0 */
#include "services/router/presence.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"

#include <stdlib.h>

struct watcher {
    struct presence *all;
    struct rpc_call *call;
    bool is_sending, is_blocked, is_gone;
    /* something changed while it was blocked */
    bool has_missed;
};

struct presence {
    bool is_closed;
    const struct registry *registry;
    /* this router's name among routers */
    const char *self;
    struct watcher *watchers[PRESENCE_WATCHERS_MAX];
};

struct presence *presence_new(void)
{
    return mem_new(1, sizeof(struct presence));
}

void presence_set_registry(struct presence *presence, const struct registry *registry,
                           const char *self)
{
    presence->registry = registry;
    presence->self = self;
}

void presence_free(struct presence *presence)
{
    free(presence);
}

void party_fill(Mpc__Router__V1__Party *out, const struct party *party, char seen[CLOCK_TEXT_MAX])
{
    mpc__router__v1__party__init(out);
    clock_text(seen, party->last_seen_ms);
    out->party_id = (char *)(uintptr_t)party->id;
    out->role = (char *)(uintptr_t)party->role;
    out->version = (char *)(uintptr_t)party->version;
    out->capacity = party->capacity;
    out->load = party->load;
    out->last_seen = seen;
    out->live = party->live;
}

/* All parts of one presence message, which point at each other. */
struct said {
    Mpc__Router__V1__Presence presence;
    Mpc__Router__V1__Party party;
    Mpc__Session__V1__PartyCertificate certificate;
    char seen[CLOCK_TEXT_MAX];
};

static void say(struct said *out, const struct party *party, const char *self)
{
    mpc__router__v1__presence__init(&out->presence);
    mpc__session__v1__party_certificate__init(&out->certificate);
    party_fill(&out->party, party, out->seen);
    out->certificate.body.data = party->body;
    out->certificate.body.len = party->body_len;
    out->certificate.signature.data = party->signature;
    out->certificate.signature.len = party->signature_len;
    out->presence.party = &out->party;
    out->presence.certificate = &out->certificate;
    out->presence.boot_id.data = (uint8_t *)(uintptr_t)party->boot_id;
    out->presence.boot_id.len = sizeof party->boot_id;
    out->presence.router = (char *)(uintptr_t)(is_here(party) ? self : party->home);
}

static void forget(struct watcher *watcher)
{
    for (size_t i = 0; i < PRESENCE_WATCHERS_MAX; i++)
        if (watcher->all->watchers[i] == watcher)
            watcher->all->watchers[i] = NULL;
    free(watcher);
}

static void end_watcher(struct watcher *watcher, struct rpc_status status)
{
    struct rpc_call *call = watcher->call;

    rpc_on_cancel(call, NULL, NULL);
    rpc_on_drain(call, NULL, NULL);
    forget(watcher);
    rpc_fail(call, status);
}

static struct rpc_status stopping(void)
{
    return rpc_error(RPC_UNAVAILABLE, "stopping", "the message router is stopping: connect again");
}

static void cancelled(struct rpc_call *call, void *arg)
{
    struct watcher *watcher = arg;

    (void)call;
    if (watcher->is_sending)
        watcher->is_gone = true;
    else
        end_watcher(watcher, rpc_error(RPC_CANCELLED, "cancelled", "the caller went away"));
}

static void send_all(struct watcher *watcher);

static void drained(struct rpc_call *call, void *arg)
{
    struct watcher *watcher = arg;

    (void)call;
    watcher->is_blocked = false;
    if (watcher->has_missed)
        send_all(watcher);
}

static void send_some(struct watcher *watcher, const struct party *const *parties, size_t n,
                      bool is_snapshot)
{
    struct said *said = mem_new(n + 1, sizeof *said);
    Mpc__Router__V1__Presence **list = mem_new(n + 1, sizeof(Mpc__Router__V1__Presence *));
    Mpc__Router__V1__PresenceBatch batch = MPC__ROUTER__V1__PRESENCE_BATCH__INIT;

    for (size_t i = 0; i < n; i++) {
        say(&said[i], parties[i], watcher->all->self);
        list[i] = &said[i].presence;
    }
    batch.snapshot = is_snapshot;
    batch.n_presences = n;
    batch.presences = list;
    watcher->is_sending = true;
    if (!rpc_send(watcher->call, &batch.base)) {
        watcher->is_blocked = true;
        rpc_on_drain(watcher->call, drained, watcher);
    }
    watcher->is_sending = false;
    free(list);
    free(said);
    if (watcher->is_gone)
        cancelled(watcher->call, watcher);
}

static void send_all(struct watcher *watcher)
{
    size_t n;
    const struct party **parties = registry_list(watcher->all->registry, "", &n);

    watcher->has_missed = false;
    send_some(watcher, parties, n, true);
    free(parties);
}

void presence_watch(struct presence *presence, struct rpc_call *call)
{
    size_t i = 0;
    struct watcher *watcher;

    if (presence->is_closed) {
        rpc_fail(call, stopping());
        return;
    }
    while (i < PRESENCE_WATCHERS_MAX && presence->watchers[i])
        i++;
    if (i == PRESENCE_WATCHERS_MAX) {
        rpc_fail(call, rpc_error(RPC_EXHAUSTED, "too_many_watchers",
                                 "%d calls watch presence already", PRESENCE_WATCHERS_MAX));
        return;
    }
    watcher = mem_new(1, sizeof *watcher);
    watcher->all = presence;
    watcher->call = call;
    presence->watchers[i] = watcher;
    rpc_on_cancel(call, cancelled, watcher);
    send_all(watcher);
}

void presence_changed(struct presence *presence, const struct party *party)
{
    for (size_t i = 0; i < PRESENCE_WATCHERS_MAX; i++) {
        struct watcher *watcher = presence->watchers[i];

        if (!watcher)
            continue;
        if (watcher->is_blocked)
            watcher->has_missed = true;
        else
            send_some(watcher, &party, 1, false);
    }
}

void presence_close(struct presence *presence)
{
    presence->is_closed = true;
    for (size_t i = 0; i < PRESENCE_WATCHERS_MAX; i++)
        if (presence->watchers[i])
            end_watcher(presence->watchers[i], stopping());
}
