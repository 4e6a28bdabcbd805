/* SPDX-License-Identifier: Apache-2.0 */
/* What a party sent, kept until its session ends: sealed messages leave in batches and leave again,
 * the same bytes, when the router lost them or nobody knows whether they arrived. Receivers know
 * repeats.
 *
 * Bounded by session and in all: what does not fit is dropped and told in the log; the session then
 * ends by its attempt's deadline. Payloads are sealed or public: nothing here is secret. */
#ifndef PARTICIPANT_FRONT_OUTBOX_H
#define PARTICIPANT_FRONT_OUTBOX_H

#include "keeper.pb-c.h"
#include "participant/front_link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum {
    FRONT_MAIL_SESSION_MAX = 32 << 20,
    FRONT_MAIL_TOTAL_MAX = 512 << 20,
    /* of one call: below the megabyte that a server takes */
    FRONT_BATCH_BYTES = 512 << 10,
    FRONT_BATCH_MESSAGES = 256,
    /* calls under way */
    FRONT_BATCHES_MAX = 8
};

struct front_outbox;
struct front_kept;

/* The messages of one session; all zero is none. Lives in the session, must not move. */
struct front_mail {
    struct front_kept *first, *last;
    size_t bytes;
    bool was_told;
};

struct front_outbox *front_outbox_new(uv_loop_t *loop, struct front_link *link);
/* After front_link_free, with no mail left. Memory goes on the loop's next turn. */
void front_outbox_free(struct front_outbox *outbox);

/* Keep and send. |session_id| outlives the mail. */
void front_outbox_add(struct front_outbox *outbox, struct front_mail *mail, const char *session_id,
                      uint32_t attempt, const Mpc__Keeper__V1__Outgoing *message);
/* Forget messages of attempts below |attempt|; UINT32_MAX forgets all. */
void front_outbox_drop(struct front_outbox *outbox, struct front_mail *mail, uint32_t attempt);
/* The router lost everything: all that is kept leaves again, in order. */
void front_outbox_resend(struct front_outbox *outbox);
/* Calls can be made (again). */
void front_outbox_wake(struct front_outbox *outbox);
size_t front_outbox_bytes(const struct front_outbox *outbox);
uint64_t front_outbox_sent(const struct front_outbox *outbox);
uint64_t front_outbox_resent(const struct front_outbox *outbox);

#endif
