/* SPDX-License-Identifier: Apache-2.0 */
/* Base OT: endemic OT of Masny-Rindal on secp256k1, 128 instances for one ordered pair
 * (protocol.md C). The receiver is the future Alice, the sender the future Bob. */
#ifndef QRT_OT_BASEOT_H
#define QRT_OT_BASEOT_H

#include "hash/drbg.h"
#include "math/point.h"
#include "quorate/error.h"

#define QRT_OT_N 128
#define QRT_OT1_BYTES 8448 /* 128 times R_0, R_1 */

/* What the receiver keeps between OT1 and OT2. Secret. */
struct qrt_ot_recv {
    uint8_t delta[16]; /* choice bits */
    struct qrt_sc a[QRT_OT_N];
};

/* H2C of protocol.md C.3: a point nobody knows the logarithm of. Time depends on public values. */
void qrt_ot_hash_to_curve(const struct qrt_ctx *ctx, struct qrt_pt *out, const uint8_t ot_sid[32],
                          uint16_t i, uint8_t j, const uint8_t point[33]);

/* Make OT1. Draws from |rng| in the order of protocol.md B.8. CT in the choice bits, the scalars.
 */
void qrt_ot_recv_start(const struct qrt_ctx *ctx, struct qrt_ot_recv *st,
                       uint8_t ot1[QRT_OT1_BYTES], const uint8_t ot_sid[32], struct qrt_drbg *rng);
/* keys[i] = rho_{i, delta_i} from the sender's point |b33|, decoded as |b|. CT in |st|. */
void qrt_ot_recv_keys(const struct qrt_ctx *ctx, uint8_t keys[QRT_OT_N][16],
                      const struct qrt_ot_recv *st, const uint8_t ot_sid[32],
                      const uint8_t ot1[QRT_OT1_BYTES], const uint8_t b33[33],
                      const struct qrt_pt *b);

/* An OT1 as the sender has it. */
struct qrt_ot1 {
    const uint8_t *sid;          /* 32: ot_sid */
    const uint8_t *b;            /* QRT_OT1_BYTES */
    const struct qrt_pt *points; /* 2 QRT_OT_N: what qrt_ot1_decode made of |b| */
};
/* K.3 for OT1: QRT_E_MALFORMED_PRIVATE unless all 256 points are on the curve. */
QRT_MUST enum qrt_err qrt_ot1_decode(const struct qrt_ctx *ctx, struct qrt_pt points[2 * QRT_OT_N],
                                     const uint8_t b[QRT_OT1_BYTES]);
/* The sender's part: draws b, gives B and both keys of every instance. QRT_E_OT_POINT if some M is
 * the identity; then the outputs are zero. CT in b and the keys. */
QRT_MUST enum qrt_err qrt_ot_send(const struct qrt_ctx *ctx, uint8_t b33[33],
                                  uint8_t keys[QRT_OT_N][2][16], const struct qrt_ot1 *ot1,
                                  struct qrt_drbg *rng);

#endif
