/* SPDX-License-Identifier: Apache-2.0 */
/* What runs tell the front: messages for other parties, and how an attempt ended. */
#ifndef PARTICIPANT_OUTCOME_H
#define PARTICIPANT_OUTCOME_H

#include "participant/run.h"

/* A refusal of something that never became a run. */
void outcome_refused(struct keeper *keeper, const char *session_id, uint32_t attempt,
                     const struct refusal *refusal);
/* The end of |run|, which is neither going on nor replaced. */
void outcome_of(struct run *run);
/* A key that is active here. */
void outcome_key(struct run *run, const struct qrt_share *share);

/* Outgoing messages, collected and sent as one frame. */
struct outgoing {
    size_t n, cap;
    struct outgoing_message *messages;
};
struct outgoing_message {
    /* QRT_EVERYBODY: all other members */
    uint16_t to;
    uint8_t *b;
    size_t len;
};
void outgoing_add(struct outgoing *out, uint16_t to, const uint8_t *b, size_t len);
/* Sends and empties |out|. */
void outgoing_send(struct outgoing *out, struct run *run);

#endif
