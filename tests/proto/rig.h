/* SPDX-License-Identifier: Apache-2.0 */
/* A victim on the bench: one honest participant of a session whose other messages are on tape.
 *
 * The session is played once in fair weather; then the victim is started again from the same seed
 * and its memory is copied before each round's inbox. An attack rewinds to a round, gives the
 * victim other bytes in place of the tape's, and looks at what becomes of it. Copying a run is what
 * no host may do (run.h); here it goes back to the very place it came from.
 *
 * The cheats are written as headers and plain payloads. Against a peer they are sealed and signed
 * with the cheater's own keys (rig_pack), against a run they are given as they are. */
#ifndef QRT_TEST_RIG_H
#define QRT_TEST_RIG_H

#include "session.h"

#define RIG_ROUNDS 4

struct rig {
    const char *what; /* the attack at work, for messages */
    struct session s;
    uint16_t victim;
    struct node node;               /* the victim */
    struct parcels tape;            /* to the victim, by round, at the session's level */
    struct parcels plain;           /* everything everybody said, as runs say it */
    uint8_t *image[RIG_ROUNDS + 2]; /* memory before the inbox of a round; NULL: no such round */
    struct parcels said; /* what the victim said since it was rewound; |to| 0 for everybody */
    size_t may_say;      /* messages the victim rightly sent before it failed; reset by rewinding */
};

void rig_make(struct rig *r, const struct session *s, uint16_t victim);
void rig_free(struct rig *r);

/* Back to the point where the victim waits for the inbox of |round|. */
void rig_rewind(struct rig *r, uint8_t round);
/* As taped for the victim, and as plain header and payload. */
const struct parcel *rig_parcel(const struct rig *r, uint8_t round, uint8_t kind, uint16_t from);
const struct parcel *rig_plain(const struct rig *r, uint8_t round, uint8_t kind, uint16_t from);
/* A copy of |p| to change; free its |b|. */
struct parcel rig_copy(const struct parcel *p, size_t extra);
/* What goes over the wire for the plain message |p|, sealed or signed as |p->from|. E1s of a first
 * broadcast's ext are those of |r->plain|, but |e1| (may be NULL) for the victim. Free |b|. */
struct parcel rig_pack(const struct rig *r, const struct parcel *p, const struct parcel *e1);

/* Sign a broadcast again, as |wire->from|, whose ext of |ext_len| bytes or payload was changed. */
void rig_sign_again(const struct rig *r, struct parcel *wire, size_t ext_len);

/* Give the victim bytes as if |from| had sent them; then deal with its records and output. */
enum qrt_err rig_give(struct rig *r, uint16_t from, const uint8_t *b, size_t len);
/* Give it everything of |round| on the tape but |except| (NULL: everything). */
void rig_round(struct rig *r, uint8_t round, const struct parcel *except);
/* The same for |round| and all later ones. */
void rig_rest(struct rig *r, uint8_t round, const struct parcel *except);
/* Give it the plain message |p|, sealed or signed as |p->from|. */
enum qrt_err rig_give_plain(struct rig *r, const struct parcel *p);
/* What the victim said since it was rewound; NULL: nothing of that kind. */
const struct parcel *rig_said(const struct rig *r, uint8_t round, uint8_t kind);
/* Rewind to the plain message's round and play that round with it instead of the honest one. */
void rig_attack(struct rig *r, const struct parcel *changed);

/* The victim ended with |error|, accuses |culprit| (0: nobody); it said nothing but one abort
 * message that tells the same; a burn was recorded if and only if |error| is of class BURN, before
 * the abort left; nothing is left to say and nothing is taken any more. A peer has evidence that
 * verifies if and only if the class is B2 or BURN. */
void rig_expect_failure(struct rig *r, enum qrt_err error, uint16_t culprit);
/* The victim lives on, nobody is accused, and it finishes when it gets the tape from |round| on. */
void rig_expect_recovery(struct rig *r, uint8_t round);
/* The victim is done, accusing nobody. */
void rig_expect_done(struct rig *r);

#endif
