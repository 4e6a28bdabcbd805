/* SPDX-License-Identifier: Apache-2.0 */
/* Points of secp256k1 over libsecp256k1's public API (protocol.md O). The identity is a value here,
 * never a zeroed secp256k1_pubkey, which would end the process. */
#ifndef QRT_MATH_POINT_H
#define QRT_MATH_POINT_H

#include "base/ctx.h"

#include <stdbool.h>

struct qrt_pt {
    bool inf;
    secp256k1_pubkey p; /* undefined if inf */
};

/* 33 bytes, 02 or 03, on the curve. */
bool qrt_pt_decode(const struct qrt_ctx *ctx, struct qrt_pt *r, const uint8_t b[33]);
/* Asserts that |a| is not the identity. */
void qrt_pt_encode(const struct qrt_ctx *ctx, uint8_t b[33], const struct qrt_pt *a);

/* r = k G. CT in k, except that k = 0 (the identity) shows. */
void qrt_pt_base(const struct qrt_ctx *ctx, struct qrt_pt *r, const struct qrt_sc *k);
/* enc(k P) for a secret k, by secp256k1_ecdh; false and zeros if k = 0. |p| is not the identity.
 * The product never passes through libsecp256k1's parser, which is not constant time (protocol.md
 * O.3). CT in k and in the result. */
bool qrt_pt_mul_encoded(const struct qrt_ctx *ctx, uint8_t b[33], const struct qrt_pt *p,
                        const struct qrt_sc *k);
/* r = k P for public k, zero and the identity included. */
void qrt_pt_mul_vartime(const struct qrt_ctx *ctx, struct qrt_pt *r, const struct qrt_pt *p,
                        const struct qrt_sc *k);
/* r = P + k G for public k. */
void qrt_pt_add_base_vartime(const struct qrt_ctx *ctx, struct qrt_pt *r, const struct qrt_pt *p,
                             const struct qrt_sc *k);
/* CT in finite operands; whether one is, or the sum becomes, the identity shows. */
void qrt_pt_add(const struct qrt_ctx *ctx, struct qrt_pt *r, const struct qrt_pt *a,
                const struct qrt_pt *b);
void qrt_pt_neg(const struct qrt_ctx *ctx, struct qrt_pt *r, const struct qrt_pt *a);
/* Public points. */
bool qrt_pt_equal(const struct qrt_ctx *ctx, const struct qrt_pt *a, const struct qrt_pt *b);

#endif
