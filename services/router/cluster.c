/* SPDX-License-Identifier: Apache-2.0 */
/* What one turn of the loop has for a router leaves as one frame in the next, by the idle handle;
 * parts of a frame are its encoding, one after the other. */
#include "services/router/cluster.h"

#include "services/router/forward.h"
#include "services/router/router.h"
#include "services/router/seal.h"
#include "system/core/clock.h"
#include "system/core/ids.h"
#include "system/core/log.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BEAT_US = 1000000,
    HELLO_US = 300000,
    /* between two changes of the boot id; and if the reason is a full mailbox */
    EPOCH_US = 1000000,
    EPOCH_FULL_US = 10000000,
    FLUSH_BYTES = 256 << 10
};

struct cluster_peer {
    /* in hex, as the broker has them; |instance| is a process, |address| its connection */
    char instance[ROUTER_INSTANCE_MAX], address[BROKER_ADDRESS_MAX];
    struct seal_window window;
    bool is_believed, is_alive;
    uint64_t seen_us, hello_us, full_until_us;
    struct buffer out;
};

struct cluster {
    struct router *router;
    struct broker *broker;
    uint8_t key[SEAL_KEY_BYTES];
    char instance[ROUTER_INSTANCE_MAX];
    /* "": not connected */
    char address[BROKER_ADDRESS_MAX];
    uint64_t number;
    uint64_t lease_us, ticked_us, beat_us;
    struct cluster_peer *peers[CLUSTER_PEERS_MAX];
    struct buffer out_all;
    bool was_up, has_broker, is_closed;
    /* a new boot id is owed, from then on */
    bool owes_epoch;
    uint64_t epoch_due_us, epoch_us;
    uv_idle_t idle;
    void (*closed)(void *arg);
    void *arg;
};

struct cluster *cluster_new(struct router *router, unsigned lease_ms)
{
    struct cluster *c = mem_new(1, sizeof *c);
    uint8_t id[SEAL_ID_BYTES];

    c->router = router;
    c->lease_us = (uint64_t)lease_ms * 1000;
    seal_key(c->key, config_text(router->host->config, "JWT_SECRET_KEY"));
    randombytes_buf(id, sizeof id);
    hex_encode(c->instance, id, sizeof id);
    uv_idle_init(router->host->loop, &c->idle);
    c->idle.data = c;
    return c;
}

void cluster_set_broker(struct cluster *cluster, struct broker *broker)
{
    cluster->broker = broker;
    cluster->has_broker = true;
    /* not shown where there is none, so that 0 is something to tell of */
    cluster->router->metrics.broker_up = metric_new(METRIC_GAUGE, "quorate_router_broker_up", NULL,
                                                    "1: connected to the broker between routers.");
}

bool cluster_is_ready(const struct cluster *cluster)
{
    return !cluster->has_broker || cluster->was_up;
}

const char *cluster_instance(const struct cluster *cluster)
{
    return cluster->instance;
}

const char *peer_instance(const struct cluster_peer *peer)
{
    return peer->instance;
}

static bool is_reached(const struct cluster_peer *peer)
{
    return peer && peer->is_alive && peer->is_believed;
}

size_t cluster_peers_n(const struct cluster *cluster)
{
    size_t n = 0;

    for (size_t i = 0; i < CLUSTER_PEERS_MAX; i++)
        n += is_reached(cluster->peers[i]);
    return n;
}

static struct cluster_peer *peer_named(const struct cluster *c, const char *instance)
{
    for (size_t i = 0; i < CLUSTER_PEERS_MAX; i++)
        if (c->peers[i] && strcmp(c->peers[i]->instance, instance) == 0)
            return c->peers[i];
    return NULL;
}

static struct cluster_peer *peer_at(const struct cluster *c, const char *address)
{
    for (size_t i = 0; i < CLUSTER_PEERS_MAX; i++)
        if (c->peers[i] && strcmp(c->peers[i]->address, address) == 0)
            return c->peers[i];
    return NULL;
}

struct cluster_peer *cluster_peer_of(struct cluster *cluster, const struct party *party)
{
    struct cluster_peer *peer;

    if (!cluster->address[0] || is_here(party))
        return NULL;
    peer = peer_named(cluster, party->home);
    return is_reached(peer) ? peer : NULL;
}

/* --- what was lost --- */

static void owe_epoch(struct cluster *c, uint64_t due_us)
{
    if (!c->owes_epoch || due_us < c->epoch_due_us)
        c->epoch_due_us = due_us;
    c->owes_epoch = true;
}

static void owe_epoch_soon(struct cluster *c)
{
    owe_epoch(c, c->epoch_us ? c->epoch_us + EPOCH_US : 0);
}

/* Whoever made it full may be at it again: sending all again must not be had often. */
void cluster_lost_messages(struct cluster *cluster)
{
    uint64_t soon = clock_steady_us() + (uint64_t)FORWARD_FULL_MS * 1000;
    uint64_t next = cluster->epoch_us ? cluster->epoch_us + EPOCH_FULL_US : 0;

    owe_epoch(cluster, next > soon ? next : soon);
}

static void pay_epoch(struct cluster *c, uint64_t now_us)
{
    if (!c->owes_epoch || now_us < c->epoch_due_us)
        return;
    c->owes_epoch = false;
    c->epoch_us = now_us;
    router_new_epoch(c->router);
}

static void vanish(struct cluster *c, struct cluster_peer *peer, const char *why)
{
    peer->is_believed = false;
    buffer_free(&peer->out);
    if (!peer->is_alive)
        return;
    peer->is_alive = false;
    log_event(LOG_WARN, "another router is gone", LOG_S("router", peer->instance),
              LOG_S("reason", why));
    registry_lose(c->router->registry, peer->instance);
    owe_epoch_soon(c);
}

/* --- frames out --- */

static void post(struct cluster *c, struct cluster_peer *peer, struct buffer *content)
{
    struct seal_head head = {.number = ++c->number};
    const char *to = peer ? peer->address : NULL;
    struct buffer frame = {0};

    hex_decode(head.instance, SEAL_ID_BYTES, c->instance);
    hex_decode(head.address, SEAL_ID_BYTES, c->address);
    if (to)
        hex_decode(head.to, SEAL_ID_BYTES, to);
    seal_frame(&frame, c->key, &head, content->b, content->len);
    if (broker_publish(c->broker, to, frame.b, frame.len)) {
        metric_add(c->router->metrics.frames_out, 1);
    } else if (peer) {
        peer->full_until_us = clock_steady_us() + (uint64_t)FORWARD_FULL_MS * 1000;
        cluster_lost_messages(c);
    }
    buffer_free(&frame);
    buffer_free(content);
}

static void flush(struct cluster *c)
{
    if (!c->address[0])
        return;
    if (c->out_all.len)
        post(c, NULL, &c->out_all);
    for (size_t i = 0; i < CLUSTER_PEERS_MAX; i++)
        if (c->peers[i] && c->peers[i]->out.len)
            post(c, c->peers[i], &c->peers[i]->out);
}

static void on_idle(uv_idle_t *idle)
{
    uv_idle_stop(idle);
    flush(idle->data);
}

static void add(struct cluster *c, struct buffer *out, const Mpc__Router__V1__RouterFrame *part)
{
    size_t len = mpc__router__v1__router_frame__get_packed_size(part);
    uint8_t *b = mem_new(len + 1, 1);

    mpc__router__v1__router_frame__pack(part, b);
    buffer_add(out, b, len);
    free(b);
    if (!c->is_closed)
        uv_idle_start(&c->idle, on_idle);
}

bool cluster_send(struct cluster *cluster, struct cluster_peer *peer,
                  const Mpc__Router__V1__RouterFrame *part)
{
    if (!cluster->address[0] || peer->out.len > CLUSTER_TURN_BYTES ||
        clock_steady_us() < peer->full_until_us)
        return false;
    add(cluster, &peer->out, part);
    if (peer->out.len >= FLUSH_BYTES)
        post(cluster, peer, &peer->out);
    return true;
}

void cluster_send_all(struct cluster *cluster, const Mpc__Router__V1__RouterFrame *part)
{
    if (!cluster->address[0])
        return;
    add(cluster, &cluster->out_all, part);
    if (cluster->out_all.len >= FLUSH_BYTES)
        post(cluster, NULL, &cluster->out_all);
}

/* A frame for its own address proves to |peer| that this router is there now. |asks|: it is to
 * prove the same, for it may have no reason of its own: who was not heard for a while heard all. */
static void greet(struct cluster *c, struct cluster_peer *peer, bool asks)
{
    uint64_t now_us = clock_steady_us();

    if (peer->hello_us && now_us - peer->hello_us < HELLO_US)
        return;
    peer->hello_us = now_us;
    forward_announce_all(c->router, peer, asks);
}

/* --- frames in --- */

static void free_peer(struct cluster_peer *peer)
{
    buffer_free(&peer->out);
    free(peer);
}

/* A place for one more: a free one, else that of the one that is gone longest. */
static struct cluster_peer **place(struct cluster *c)
{
    struct cluster_peer **found = NULL;

    for (size_t i = 0; i < CLUSTER_PEERS_MAX; i++) {
        if (!c->peers[i])
            return &c->peers[i];
        if (!c->peers[i]->is_alive && (!found || c->peers[i]->seen_us < (*found)->seen_us))
            found = &c->peers[i];
    }
    if (found)
        free_peer(*found);
    return found;
}

static struct cluster_peer *peer_made(struct cluster *c, const char *instance)
{
    struct cluster_peer *peer = peer_named(c, instance), **at;

    if (peer)
        return peer;
    at = place(c);
    if (!at)
        return NULL;
    *at = mem_new(1, sizeof **at);
    snprintf((*at)->instance, sizeof(*at)->instance, "%s", instance);
    return *at;
}

/* It is connected anew: what was under way to the old address is lost. */
static void move(struct cluster *c, struct cluster_peer *peer, const char *address)
{
    if (peer->is_alive)
        owe_epoch_soon(c);
    buffer_free(&peer->out);
    snprintf(peer->address, sizeof peer->address, "%s", address);
    peer->is_believed = false;
    peer->hello_us = 0;
}

/* The frame's maker, if the frame is new and for this router as it is connected now. */
static struct cluster_peer *sender_of(struct cluster *c, const struct seal_head *head,
                                      bool *is_to_us)
{
    char instance[ROUTER_INSTANCE_MAX], address[BROKER_ADDRESS_MAX], to[BROKER_ADDRESS_MAX];
    struct cluster_peer *peer;

    hex_encode(instance, head->instance, SEAL_ID_BYTES);
    hex_encode(address, head->address, SEAL_ID_BYTES);
    hex_encode(to, head->to, SEAL_ID_BYTES);
    *is_to_us = strcmp(to, c->address) == 0;
    if (strcmp(instance, c->instance) == 0)
        return NULL;
    peer = *is_to_us || sodium_is_zero(head->to, SEAL_ID_BYTES) ? peer_made(c, instance) : NULL;
    if (!peer || (strcmp(peer->address, address) != 0 && head->number < peer->window.highest) ||
        !seal_window_take(&peer->window, head->number)) {
        metric_add(c->router->metrics.frames_refused, 1);
        return NULL;
    }
    if (strcmp(peer->address, address) != 0)
        move(c, peer, address);
    return peer;
}

static void believe(struct cluster *c, struct cluster_peer *peer)
{
    if (peer->is_believed)
        return;
    peer->is_believed = true;
    peer->full_until_us = 0;
    greet(c, peer, false);
}

static void take_content(struct cluster *c, struct cluster_peer *peer, uint64_t number,
                         const uint8_t *b, size_t len)
{
    Mpc__Router__V1__RouterFrame *frame = mpc__router__v1__router_frame__unpack(NULL, len, b);

    if (!frame) {
        metric_add(c->router->metrics.frames_refused, 1);
        return;
    }
    if (!peer->is_alive)
        log_event(LOG_INFO, "another router is there", LOG_S("router", peer->instance));
    peer->is_alive = true;
    peer->seen_us = clock_steady_us();
    forward_take(c->router, peer, number, frame);
    if (frame->hello)
        greet(c, peer, false);
    if (frame->leaving)
        vanish(c, peer, "it stops");
    mpc__router__v1__router_frame__free_unpacked(frame, NULL);
}

static void on_frame(void *arg, const uint8_t *b, size_t len)
{
    struct cluster *c = arg;
    struct seal_head head;
    struct cluster_peer *peer;
    uint8_t *content;
    size_t content_len;
    bool is_to_us;

    if (!open_frame(&head, &content, &content_len, c->key, b, len)) {
        metric_add(c->router->metrics.frames_refused, 1);
        return;
    }
    peer = sender_of(c, &head, &is_to_us);
    if (peer)
        metric_add(c->router->metrics.frames_in, 1);
    if (peer && is_to_us)
        believe(c, peer);
    if (peer && peer->is_believed)
        take_content(c, peer, head.number, content, content_len);
    else if (peer)
        greet(c, peer, true);
    free(content);
}

/* --- the broker --- */

static void on_up(void *arg, const char *address)
{
    struct cluster *c = arg;

    log_event(LOG_INFO, "connected to the broker", LOG_S("address", address));
    metric_set(c->router->metrics.broker_up, 1);
    snprintf(c->address, sizeof c->address, "%s", address);
    if (c->was_up)
        owe_epoch_soon(c);
    c->was_up = true;
    c->beat_us = clock_steady_us();
    forward_announce_all(c->router, NULL, false);
}

/* The others prove anew that they are there, to the next address. */
static void on_down(void *arg, bool gave_up, const char *why)
{
    struct cluster *c = arg;

    metric_set(c->router->metrics.broker_up, 0);
    c->address[0] = '\0';
    buffer_free(&c->out_all);
    for (size_t i = 0; i < CLUSTER_PEERS_MAX; i++)
        if (c->peers[i]) {
            c->peers[i]->is_believed = false;
            c->peers[i]->hello_us = 0;
            buffer_free(&c->peers[i]->out);
        }
    if (gave_up)
        service_fault("RABBITMQ_HOST: the broker could not be reached in %lld tries: %s",
                      (long long)config_int(c->router->host->config, "RETRY_MAX"), why);
    else
        log_event(LOG_WARN, "not connected to the broker", LOG_S("reason", why));
}

static void on_refused(void *arg, const char *to, bool is_gone)
{
    struct cluster *c = arg;
    struct cluster_peer *peer = peer_at(c, to);

    if (!peer || !peer->is_alive)
        return;
    if (is_gone) {
        vanish(c, peer, "its address is gone");
        return;
    }
    peer->full_until_us = clock_steady_us() + (uint64_t)FORWARD_FULL_MS * 1000;
    log_event(LOG_WARN, "the broker refuses frames: too much waits for another router",
              LOG_S("router", peer->instance));
    cluster_lost_messages(c);
}

struct broker_events cluster_events(struct cluster *cluster)
{
    return (struct broker_events){on_up, on_down, on_frame, on_refused, cluster};
}

/* --- time --- */

/* A router that stood still itself does not count that time against others: their frames of that
 * time still wait. */
void cluster_tick(struct cluster *cluster, struct moment now)
{
    uint64_t gap = cluster->ticked_us ? now.steady_us - cluster->ticked_us : 0;
    uint64_t slept = gap > cluster->lease_us / 2 ? gap : 0;
    uint64_t every = cluster->lease_us / 3 < BEAT_US ? cluster->lease_us / 3 : BEAT_US;

    cluster->ticked_us = now.steady_us;
    for (size_t i = 0; i < CLUSTER_PEERS_MAX; i++) {
        struct cluster_peer *peer = cluster->peers[i];

        if (!peer || !peer->is_alive)
            continue;
        peer->seen_us += slept;
        if (peer->seen_us > now.steady_us)
            peer->seen_us = now.steady_us;
        if (now.steady_us - peer->seen_us >= cluster->lease_us)
            vanish(cluster, peer, "it is silent");
    }
    pay_epoch(cluster, now.steady_us);
    if (now.steady_us - cluster->beat_us < every)
        return;
    cluster->beat_us = now.steady_us;
    forward_repeat(cluster->router);
}

static void on_closed(uv_handle_t *handle)
{
    struct cluster *c = handle->data;

    c->closed(c->arg);
}

void cluster_close(struct cluster *cluster, void (*closed)(void *arg), void *arg)
{
    Mpc__Router__V1__RouterFrame leaving = MPC__ROUTER__V1__ROUTER_FRAME__INIT;

    cluster->is_closed = true;
    leaving.leaving = true;
    flush(cluster);
    cluster_send_all(cluster, &leaving);
    flush(cluster);
    cluster->address[0] = '\0';
    broker_free(cluster->broker);
    cluster->broker = NULL;
    cluster->closed = closed;
    cluster->arg = arg;
    uv_close((uv_handle_t *)&cluster->idle, on_closed);
}

void cluster_free(struct cluster *cluster)
{
    if (!cluster)
        return;
    for (size_t i = 0; i < CLUSTER_PEERS_MAX; i++)
        if (cluster->peers[i])
            free_peer(cluster->peers[i]);
    buffer_free(&cluster->out_all);
    sodium_memzero(cluster->key, sizeof cluster->key);
    free(cluster);
}
