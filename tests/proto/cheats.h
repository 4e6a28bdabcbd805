/* SPDX-License-Identifier: Apache-2.0 */
/* Cheats as data: which field of which message becomes what, and what the victim makes of it. */
#ifndef QRT_TEST_CHEATS_H
#define QRT_TEST_CHEATS_H

#include "rig.h"

enum twist {
    FLIP,     /* the lowest bit of the byte */
    LAST_BIT, /* of a scalar: the lowest bit of its 32 bytes */
    NEGATE,   /* of a point: the other parity */
    PREFIX_4, /* of a point: 04 and 06 are other encodings */
    PREFIX_6,
    OFF_CURVE, /* no point has x = 0 */
    X_TOO_BIG, /* x >= p */
    ZERO,      /* of a scalar */
    ORDER,     /* q */
    ORDER_1,   /* q + 1 */
    MAX        /* 2^256 - 1 */
};

/* A network's hook: |who| signs something else for |to| (0: for everybody) in |round|. */
struct lie {
    const struct session *s;
    uint16_t who, to;
    uint8_t round;
    size_t at; /* in the payload */
};
void cheat_lie(void *lie, struct network *net, struct parcel *p);

#define ECHO_FIELD (-32) /* the header's last field, seen from the payload */

struct cheat {
    const char *what;
    uint8_t round, kind;
    long at; /* offset in the payload */
    enum twist twist;
    enum qrt_err error; /* QRT_OK: not seen in this run */
    size_t says;        /* messages the victim rightly sends before it notices */
};

/* Play each cheat by |cheater| against the victim, then the rest of the tape. */
void cheats_play(struct rig *r, const struct cheat *cheats, size_t n, uint16_t cheater);
void cheat_twist(uint8_t *field, enum twist twist);

/* Every message on the victim's tape, at each wrong length: a run blames the sender, a peer drops
 * it and goes on. */
void cheats_lengths(struct rig *r);
/* Every message, each field of its header changed and, towards a peer, validly signed or sealed:
 * dropped, or for the round and kind of a run's message blamed on the length. */
void cheats_headers(struct rig *r);
/* Every broadcast, signed once more with other contents (towards a peer also with another ext). */
void cheats_equivocation(struct rig *r);
/* Every message to a peer: single bits, cuts, a byte more. All dropped; the run goes on. */
void cheats_in_transit(struct rig *r);

#endif
