/* SPDX-License-Identifier: Apache-2.0 */
/* An order of the main process to take part in a run. What is asked stands in the intent, which the
 * initiator signed; the main process adds who takes part, with which identity keys, and the number
 * of the attempt. Nothing of that is believed where the intent or the share says something else
 * (protocol.md B.3). */
#ifndef QUORATE_CLI_PARTY_ORDER_H
#define QUORATE_CLI_PARTY_ORDER_H

#include "party.h"

struct order {
    uint8_t intent_bytes[QRT_MESSAGE_MAX + 4096]; /* the message, and at most 2,368 bytes */
    size_t intent_len;
    struct qrt_intent intent;
    uint8_t iid[32];
    struct qrt_peer_key keys[QRT_PARTIES_MAX]; /* of the participants, in the order's order */
    uint16_t indices[QRT_PARTIES_MAX];
    size_t n;
};

/* The list of participants alone: enough where a share has the roster. */
bool order_read_parties(struct order *out, const json_t *json, struct trouble *trouble);
/* All of it, verified: the intent asks for |operation| and allows the participants and the attempt,
 * which is higher than any before; for a keygen the participants are exactly those whom the intent
 * seats. */
bool order_read(struct order *out, struct party *party, const json_t *json,
                enum qrt_operation operation, struct trouble *trouble);

#endif
