/* SPDX-License-Identifier: Apache-2.0 */
/* The other routers: who is there, how to reach them, and when what they held must be taken as
 * lost. What frames say is forward.h's; that they are genuine, new and of now is this one's.
 *
 * A router is believed once a frame of it came for this connection's own address: made after this
 * connection began, so no old one repeated. Frames to all of one that is not believed yet are only
 * answered, so that it may prove itself. One that is silent for the lease, or whose address is gone
 * from the broker, has vanished.
 *
 * Whenever something that was taken from a party may be lost (a router vanished, the broker's
 * connection broke, a frame or a message was refused), the boot id that parties are told changes:
 * they send everything again that open sessions need, and receivers drop what they have. */
#ifndef ROUTER_CLUSTER_H
#define ROUTER_CLUSTER_H

#include "peering.pb-c.h"
#include "services/router/registry.h"
#include "system/bus/broker.h"

enum {
    /* routers besides this one */
    CLUSTER_PEERS_MAX = 64,
    /* what one turn of the loop may collect for one router */
    CLUSTER_TURN_BYTES = 8 << 20
};

struct cluster;
struct cluster_peer;
struct router;

/* Alone, until there is a broker. */
struct cluster *cluster_new(struct router *router, unsigned lease_ms);
/* |broker| is this one's from now on; made with cluster_events. */
void cluster_set_broker(struct cluster *cluster, struct broker *broker);
struct broker_events cluster_events(struct cluster *cluster);
/* Several times in a lease. */
void cluster_tick(struct cluster *cluster, struct moment now);
/* Tells the others and frees the broker; |closed| when nothing of this is in the loop any more. */
void cluster_close(struct cluster *cluster, void (*closed)(void *arg), void *arg);
/* After cluster_close. */
void cluster_free(struct cluster *cluster);

/* False: a broker is configured and was not reached yet. */
bool cluster_is_ready(const struct cluster *cluster);
/* Others that are there. */
size_t cluster_peers_n(const struct cluster *cluster);
/* This process, in hex. */
const char *cluster_instance(const struct cluster *cluster);

/* The router that |party| is at, if a message can be sent there now; NULL: keep it here. */
struct cluster_peer *cluster_peer_of(struct cluster *cluster, const struct party *party);
/* |part| goes with the next frame to |peer|. False: too much waits for it. */
bool cluster_send(struct cluster *cluster, struct cluster_peer *peer,
                  const Mpc__Router__V1__RouterFrame *part);
void cluster_send_all(struct cluster *cluster, const Mpc__Router__V1__RouterFrame *part);
/* Messages that were taken did not arrive. */
void cluster_lost_messages(struct cluster *cluster);

const char *peer_instance(const struct cluster_peer *peer);

#endif
