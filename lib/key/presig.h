/* SPDX-License-Identifier: Apache-2.0 */
/* The presignature record (protocol.md G.6), 312 + 2t bytes, secret and used once. */
#ifndef QRT_KEY_PRESIG_H
#define QRT_KEY_PRESIG_H

#include "math/point.h"
#include "quorate/sign.h"

struct qrt_presig {
    struct qrt_presig_info info;
    uint8_t bh2[32];
    struct qrt_sc tau; /* public */
    struct qrt_pt R;   /* public */
    struct qrt_sc phi, u, v;
};

/* Exactly QRT_PRESIG_BYTES(t) bytes. */
void qrt_presig_encode(const struct qrt_ctx *ctx, uint8_t *out, const struct qrt_presig *presig);
/* Range checks of K.3 on every field: version, suite, counts, own among the signers (ascending),
 * points, scalars below q. CT in phi, u, v. */
QRT_MUST enum qrt_err qrt_presig_decode(struct qrt_presig *out, const struct qrt_ctx *ctx,
                                        const uint8_t *record, size_t len);

#endif
