/* SPDX-License-Identifier: Apache-2.0 */
/* The streams that parties hold open: one of events, one of messages each. A second one of the same
 * kind replaces the first.
 *
 * What was put into a mailbox during one turn of the loop leaves together in the next: many
 * messages make one batch. A reader that does not keep up stops its stream, not the router: the
 * mailbox waits, within its bounds, and goes on when the connection has drained. */
#ifndef ROUTER_STREAMS_H
#define ROUTER_STREAMS_H

#include "services/router/mail.h"
#include "system/rpc/server.h"

#include <uv.h>

struct streams;

/* |boot_id|: 16 bytes, lent for the streams' life, as is |mail|. */
struct streams *streams_new(uv_loop_t *loop, struct mail *mail, const uint8_t *boot_id);
/* Every stream ends with UNAVAILABLE; |closed| when nothing of this is in the loop any more. */
void streams_close(struct streams *streams, void (*closed)(void *arg), void *arg);
/* After streams_close. */
void streams_free(struct streams *streams);

/* |call| becomes the stream of |party_id|'s mailbox from |after| on; the stream finishes it, with
 * UNAVAILABLE if these are closed. */
void streams_open(struct streams *streams, struct rpc_call *call, enum mail_box box,
                  const char *party_id, int64_t after);
/* Both streams of |party_id| end: it has restarted. */
void streams_drop(struct streams *streams, const char *party_id);
size_t streams_n(const struct streams *streams);

#endif
