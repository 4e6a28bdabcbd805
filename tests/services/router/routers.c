/* SPDX-License-Identifier: Apache-2.0 */
/* See routers.h. */
#include "routers.h"

#include <stdio.h>
#include <string.h>

struct world *w;
struct net net;
struct second others[2];
struct listener one, two;

static int64_t metric_of(const char *name, const char *labels)
{
    return metric_value(metric_new(METRIC_COUNTER, name, labels, ""));
}

int64_t forwarded_n(void)
{
    return metric_of("quorate_router_messages_forwarded_total", NULL);
}

int64_t refused_frames_n(void)
{
    return metric_of("quorate_router_broker_frames_refused_total", NULL);
}

static void start_second(struct second *s)
{
    struct rpc_limits limits = {0};
    char error[RPC_TEXT_MAX];

    *s = (struct second){.host = w->host};
    s->host.server = rpc_server_new(&w->loop, &limits);
    rpc_server_guard(s->host.server, access_guard, w->host.access);
    s->router = router_start(&s->host, error);
    assert_non_null(s->router);
    assert_true(rpc_server_listen(s->host.server, "127.0.0.1", 0, NULL, error));
    snprintf(s->target, sizeof s->target, "127.0.0.1:%d", rpc_server_port(s->host.server));
}

struct router *router_at(size_t i)
{
    return i ? others[i - 1].router : w->router;
}

static void connect_router(size_t i)
{
    struct cluster *cluster = router_at(i)->cluster;

    cluster_set_broker(cluster, net_wire(&net, i, cluster_events(cluster)));
    wire_up(&net.wires[i]);
}

void cluster_until(bool (*is)(void))
{
    world_until_is(w, is);
}

bool cluster_is_whole(void)
{
    return cluster_peers_n(w->router->cluster) == 2 &&
           cluster_peers_n(others[0].router->cluster) == 2 &&
           cluster_peers_n(others[1].router->cluster) == 2;
}

void cluster_start(const char *mailbox_bytes, const char *lease_ms)
{
    w = world_new(mailbox_bytes, lease_ms);
    net_start(&net, &w->loop);
    start_second(&others[0]);
    start_second(&others[1]);
    for (size_t i = 0; i < 3; i++)
        connect_router(i);
    cluster_until(cluster_is_whole);
}

static void on_stopped(void *arg)
{
    *(bool *)arg = true;
}

void second_stop(struct second *s)
{
    if (s->is_stopped)
        return;
    router_stop(s->router, on_stopped, &s->is_stopped);
    world_until(w, &s->is_stopped);
}

void cluster_finish(void)
{
    for (size_t i = 0; i < 2; i++) {
        struct second *s = &others[i];
        bool is_server_stopped = false;

        second_stop(s);
        rpc_server_stop(s->host.server, 1000, on_stopped, &is_server_stopped);
        world_until(w, &is_server_stopped);
        router_free(s->router);
        rpc_server_free(s->host.server);
    }
    net_stop(&net);
    world_free(w);
}

void party_go_to(size_t i, size_t r)
{
    char first[32];

    snprintf(first, sizeof first, "%s", w->target);
    if (r)
        snprintf(w->target, sizeof w->target, "%s", others[r - 1].target);
    rpc_channel_free(w->peers[i].channel);
    w->peers[i].channel = world_channel(w, NULL, NULL);
    snprintf(w->target, sizeof w->target, "%s", first);
    assert_int_equal(peer_register(w, i), RPC_OK);
}

bool router_knows(size_t r, size_t i, size_t home)
{
    const struct party *party = registry_party(router_at(r)->registry, w->peers[i].id);

    return party && party->live &&
           strcmp(party->home, r == home ? "" : cluster_instance(router_at(home)->cluster)) == 0;
}

bool cluster_knows(size_t i, size_t home)
{
    for (size_t r = 0; r < 3; r++)
        if (router_at(r)->cluster && !others[0].is_stopped && !router_knows(r, i, home))
            return false;
    return true;
}

static size_t wanted_party, wanted_home;

static bool is_settled(void)
{
    return cluster_knows(wanted_party, wanted_home);
}

void cluster_settle(size_t i, size_t home)
{
    wanted_party = i;
    wanted_home = home;
    cluster_until(is_settled);
}

void cluster_spread(void)
{
    for (size_t i = 0; i < 3; i++)
        party_go_to(i, i);
    for (size_t i = 0; i < 3; i++)
        cluster_settle(i, i);
}

void party_listen(size_t i, struct listener *listener)
{
    listen_messages(w, i, listener, 0);
}
