/* SPDX-License-Identifier: Apache-2.0 */
/* WatchPresence: who is there, told at once to whoever watches. The first batch is everybody; a
 * watcher that fell behind gets everybody again when it has drained, instead of a backlog. */
#ifndef ROUTER_PRESENCE_H
#define ROUTER_PRESENCE_H

#include "services/router/registry.h"
#include "system/rpc/server.h"

struct presence;

enum { PRESENCE_WATCHERS_MAX = 16 };

/* The registry is set later, since it calls presence_changed. */
struct presence *presence_new(void);
/* |self|: this router's name among routers, lent for the presence's life. */
void presence_set_registry(struct presence *presence, const struct registry *registry,
                           const char *self);
void presence_free(struct presence *presence);

/* |call| becomes a watcher; it is finished here. */
void presence_watch(struct presence *presence, struct rpc_call *call);
void presence_changed(struct presence *presence, const struct party *party);
/* Every watcher ends with UNAVAILABLE. */
void presence_close(struct presence *presence);

/* |party| as the wire says it. Points into |party| and |seen|. */
void party_fill(Mpc__Router__V1__Party *out, const struct party *party, char seen[32]);

#endif
