/* SPDX-License-Identifier: Apache-2.0 */
/* A broker in this process, for several routers on one loop: what goes from one to another is held,
 * delivered in any order, twice, or not at all, as a test wants it. */
#ifndef TESTS_ROUTER_NET_H
#define TESTS_ROUTER_NET_H

#include "system/bus/broker.h"

enum { NET_WIRES_MAX = 4 };

struct parcel {
    struct parcel *next;
    struct wire *from;
    char to[BROKER_ADDRESS_MAX];
    uint8_t *b;
    size_t len;
};

/* One router's connection. */
struct wire {
    struct broker base;
    struct net *net;
    struct broker_events events;
    char address[BROKER_ADDRESS_MAX];
    bool is_up, is_freed;
    /* its frames to others are refused: too much waits there */
    bool is_refused;
    /* it hears and says nothing, but is connected: a process that stands still */
    bool is_still;
    /* it hears, but nobody hears it */
    bool is_mute;
};

struct net {
    uv_timer_t pump;
    struct wire wires[NET_WIRES_MAX];
    struct parcel *list;
    bool holds, any_order, doubles, is_over;
    unsigned random;
    /* in frames that were for one router alone */
    size_t direct_bytes;
    /* a copy of every frame, if it is not NULL */
    struct parcel **record;
};

void net_start(struct net *net, uv_loop_t *loop);
void net_stop(struct net *net);
/* Wire |i|, not yet up. */
struct broker *net_wire(struct net *net, size_t i, struct broker_events events);
void wire_up(struct wire *wire);
void wire_down(struct wire *wire);
/* |parcel| once more, to whoever it is for now. */
void net_repeat(struct net *net, const struct parcel *parcel);
void net_forget(struct parcel **list);

#endif
