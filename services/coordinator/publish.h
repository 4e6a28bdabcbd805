/* SPDX-License-Identifier: Apache-2.0 */
/* What the router is told and what it tells: session events out, presence in.
 *
 * Publications are hints: each is tried once, with a deadline; parties read what they missed by
 * ListInvitations. After the router was away (a new presence stream) the invitations of all open
 * sessions are published again. */
#ifndef COORDINATOR_PUBLISH_H
#define COORDINATOR_PUBLISH_H

#include "services/coordinator/coordinator.h"

struct publisher *publisher_new(struct coordinator *c);
void publisher_free(struct publisher *publisher);
/* True while the router tells who is present: its list has come, and the stream lasts. */
bool publisher_is_ready(const struct publisher *publisher);

/* session_created of |attempt| with setup and join tokens, to its parties; nothing if that is not
 * the present attempt any more. */
void publish_invitation(struct coordinator *c, const struct record *r, uint32_t attempt);
void publish_started(struct coordinator *c, const struct record *r,
                     const struct store_event *event);
/* To everybody who took part in any attempt. */
void publish_end(struct coordinator *c, const struct record *r);

#endif
