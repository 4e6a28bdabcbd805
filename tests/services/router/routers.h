/* SPDX-License-Identifier: Apache-2.0 */
/* Three routers in this process, with a broker between them that delivers as the test wants it.
 * Parties and the coordinator call them over real connections. */
#ifndef TESTS_ROUTER_ROUTERS_H
#define TESTS_ROUTER_ROUTERS_H

#include "net.h"
#include "world.h"

/* A router besides the world's first. */
struct second {
    struct service_host host;
    struct router *router;
    char target[32];
    bool is_stopped;
};

/* Of the test that runs. Router 0 is the world's own. */
extern struct world *w;
extern struct net net;
extern struct second others[2];
extern struct listener one, two;

/* Started, connected, and each has heard of both others. NULL: the default. */
void cluster_start(const char *mailbox_bytes, const char *lease_ms);
void cluster_finish(void);
void cluster_until(bool (*is)(void));
bool cluster_is_whole(void);
void second_stop(struct second *s);

struct router *router_at(size_t i);
/* Router |r| has party |i| as a live one at router |home|. */
bool router_knows(size_t r, size_t i, size_t home);
/* All have. */
bool cluster_knows(size_t i, size_t home);
/* Until they do. */
void cluster_settle(size_t i, size_t home);

/* Party |i| and all it calls from now on is at router |r|. */
void party_go_to(size_t i, size_t r);
/* Party |i| at router |i|, which all know. */
void cluster_spread(void);
/* Its messages go to |listener|. */
void party_listen(size_t i, struct listener *listener);

/* Since the start of this program. */
int64_t forwarded_n(void);
int64_t refused_frames_n(void);

#endif
