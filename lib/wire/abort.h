/* SPDX-License-Identifier: Apache-2.0 */
/* The payload of an abort message, 5 bytes (protocol.md J): what one party says of why it ended the
 * run. It is signed like every broadcast, and it is no evidence of anything. */
#ifndef QRT_WIRE_ABORT_H
#define QRT_WIRE_ABORT_H

#include "quorate/types.h"

#include <stdbool.h>

#define QRT_ABORT_BYTES 5

/* The classes on the wire. */
enum {
    QRT_ABORT_B0 = 0,
    QRT_ABORT_B1 = 1,
    QRT_ABORT_B2 = 2,
    QRT_ABORT_B3 = 3,
    QRT_ABORT_BURN = 0x81
};

struct qrt_abort {
    uint8_t class;
    uint8_t code; /* as in QRT_ERRORS; those of later versions are kept as they are */
    uint8_t round;
    uint16_t accused; /* 0: nobody */
};

/* What is said of the final error |e|; an internal error blames nobody (B0). */
void qrt_abort_of(struct qrt_abort *out, enum qrt_err e, uint8_t round, uint16_t accused);
void qrt_abort_encode(uint8_t out[QRT_ABORT_BYTES], const struct qrt_abort *abort);
/* False unless class, round (1..4) and accused are in range. */
bool qrt_abort_decode(struct qrt_abort *out, const uint8_t b[QRT_ABORT_BYTES]);

#endif
