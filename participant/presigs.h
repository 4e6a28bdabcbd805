/* SPDX-License-Identifier: Apache-2.0 */
/* Presignatures that wait for a message: in guarded memory only, lost with the process, used once.
 * Each belongs to a share's epoch, a path, a quorum, and one life of every signer: an invitation
 * that names other boot ids does not get it. */
#ifndef PARTICIPANT_PRESIGS_H
#define PARTICIPANT_PRESIGS_H

#include "participant/permit.h"
#include "participant/presig_life.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In all, whatever the places; and how long. */
enum { PRESIGS_MAX = 1024 };
#define PRESIGS_LIFE_US (UINT64_C(1000000) * PRESIG_LIFE_S)

struct presigs;

/* Guarded |record|; the holder's, until presigs_put or presig_free. */
struct presig {
    struct presig *next;
    uint8_t id[32];
    /* key id, signers and their boot ids, path */
    uint8_t place[32];
    /* steady clock, when it came into the pool */
    uint64_t made_us;
    uint8_t *record;
    size_t len;
};

/* With room for a record of |len| bytes. */
struct presig *presig_new(size_t len);
void presig_free(struct presig *presig);

/* At most |pool| for one place. */
struct presigs *presigs_new(size_t pool);
void presigs_free(struct presigs *presigs);

/* What a presignature for this invitation is filed under. */
void presigs_place(uint8_t place[32], const struct permit *permit);
/* False: its size is 0. */
bool presigs_keeps(const struct presigs *presigs);
/* Takes |presig| over; the oldest of its place, or of all, goes if there is
 * no room. */
void presigs_put(struct presigs *presigs, struct presig *presig);
/* Out of the pool for good; NULL: not here, or of another place. */
struct presig *presigs_take(struct presigs *presigs, const uint8_t id[32], const uint8_t place[32]);
/* Wipe what is too old: nobody will ask for it. */
void presigs_expire(struct presigs *presigs, uint64_t now_us);
size_t presigs_count(struct presigs *presigs);

#endif
