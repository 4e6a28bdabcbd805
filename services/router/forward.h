/* SPDX-License-Identifier: Apache-2.0 */
/* What routers tell each other: parties that registered, messages and events for parties that are
 * elsewhere, mailboxes that are full. Without other routers everything stays here. */
#ifndef ROUTER_FORWARD_H
#define ROUTER_FORWARD_H

#include "services/router/cluster.h"
#include "services/router/mail.h"

/* REPEAT_: parties that forward_repeat repeats at least; calls after which all were repeated */
enum { FORWARD_FULL_MS = 1000, REPEAT_MIN = 64, REPEAT_BEATS = 8 };

/* Into |to|'s mailbox, here or where it is. False: that is full. */
bool forward_letter(struct router *router, const char *to, const struct letter *letter);
/* The receivers of |in| that are elsewhere get it from there; |rest|, with room for all of |in|,
 * gets the others, and |rest_n| how many. */
void forward_event(struct router *router, const Mpc__Router__V1__PublishSessionEventRequest *in,
                   char **rest, size_t *rest_n);

/* What a genuine frame of |peer| with |number| says. */
void forward_take(struct router *router, struct cluster_peer *peer, uint64_t number,
                  const Mpc__Router__V1__RouterFrame *frame);
/* Tell all of |party|, which is here. */
void forward_announce(struct router *router, const struct party *party);
/* Tell |peer|, or with NULL all, of all parties that are here. |asks|: it is to answer. */
void forward_announce_all(struct router *router, struct cluster_peer *peer, bool asks);
/* A sign of life for all, and once more a part of the parties that are here, in turn: all have been
 * told of every change, but a word may be lost. */
void forward_repeat(struct router *router);

#endif
