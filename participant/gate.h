/* SPDX-License-Identifier: Apache-2.0 */
/* The gate of protocol.md D.8: one lock per key and ordered pair, across all concurrent sessions.
 *
 * A run joins the pairs of its signers before its first message. What passed the extension
 * check is released inside gate_enter .. gate_leave; a burn is made durable inside as well, so
 * that after the first failed check no answer for that pair leaves, from any session. A pair
 * that was burned stays burned here for the process's life, whatever view of the share a run
 * has. */
#ifndef PARTICIPANT_GATE_H
#define PARTICIPANT_GATE_H

#include "quorate/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gates;
struct gate_pair;

struct gates *gates_new(void);
void gates_free(struct gates *gates);

/* A run's places at the gate; all zero before it joins. */
struct gate_seat {
    size_t n;
    struct gate_pair *pairs[QRT_PARTIES_MAX];
    /* in each pair's list of members */
    struct gate_seat *next[QRT_PARTIES_MAX];
    void *run;
};

/* Join the pairs (kgid, peer): ascending |peers|. False, and nothing joined, if one of them is
 * burned: |*burned|. */
bool gate_join(struct gates *gates, struct gate_seat *seat, const uint8_t kgid[32],
               const uint16_t *peers, size_t n, uint16_t *burned);
void gate_quit(struct gates *gates, struct gate_seat *seat);

/* Lock the pairs of |peers|, ascending, all of them joined by |seat|. True if none is burned. The
 * caller unlocks by gate_leave, whatever the answer. */
bool gate_enter(struct gate_seat *seat, const uint16_t *peers, size_t n);
void gate_leave(struct gate_seat *seat, const uint16_t *peers, size_t n);

/* Inside the lock of |peer|: the pair is burned from now on. |each| is called for every other run
 * that joined it. */
void gate_burn(struct gates *gates, struct gate_seat *seat, uint16_t peer, void (*each)(void *run));

#endif
