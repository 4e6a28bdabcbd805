/* SPDX-License-Identifier: Apache-2.0 */
/* Scalars mod q, the order of secp256k1. struct qrt_sc is in base/ctx.h; always fully reduced.
 * CT: everything, except names that end in _vartime. */
#ifndef QRT_MATH_SCALAR_H
#define QRT_MATH_SCALAR_H

#include "base/ctx.h"

#include <stdbool.h>

extern const struct qrt_sc qrt_sc_zero, qrt_sc_one;

/* |b| is 32 bytes big-endian. False (and |r| zero) if the value is >= q; zero is allowed. */
bool qrt_sc_decode(struct qrt_sc *r, const uint8_t b[32]);
/* mod q. */
void qrt_sc_reduce(struct qrt_sc *r, const uint8_t b[32]);
void qrt_sc_encode(uint8_t b[32], const struct qrt_sc *a);
void qrt_sc_set_u32(struct qrt_sc *r, uint32_t v);

void qrt_sc_add(struct qrt_sc *r, const struct qrt_sc *a, const struct qrt_sc *b);
void qrt_sc_sub(struct qrt_sc *r, const struct qrt_sc *a, const struct qrt_sc *b);
void qrt_sc_neg(struct qrt_sc *r, const struct qrt_sc *a);
void qrt_sc_mul(struct qrt_sc *r, const struct qrt_sc *a, const struct qrt_sc *b);
/* 1/a; 0 for 0. */
void qrt_sc_inv(struct qrt_sc *r, const struct qrt_sc *a);
void qrt_sc_inv_vartime(struct qrt_sc *r, const struct qrt_sc *a);
/* r = mask ? a : r, mask 0 or all ones. */
void qrt_sc_select(struct qrt_sc *r, const struct qrt_sc *a, uint64_t mask);
/* r = a & mask: a or 0. */
void qrt_sc_mask(struct qrt_sc *r, const struct qrt_sc *a, uint64_t mask);

/* The answers are public. */
bool qrt_sc_is_zero(const struct qrt_sc *a);
bool qrt_sc_equal(const struct qrt_sc *a, const struct qrt_sc *b);
/* True if a > (q-1)/2. */
bool qrt_sc_is_high(const struct qrt_sc *a);

/* Lazy inner products: a sum of up to 2^31 products or scalars, reduced once. */
struct qrt_sc_acc {
    qrt_limb v[2 * QRT_LIMBS + 1];
};
void qrt_sc_acc_zero(struct qrt_sc_acc *acc);
void qrt_sc_acc_add(struct qrt_sc_acc *acc, const struct qrt_sc *a);
void qrt_sc_acc_mul(struct qrt_sc_acc *acc, const struct qrt_sc *a, const struct qrt_sc *b);
void qrt_sc_acc_get(struct qrt_sc *r, const struct qrt_sc_acc *acc);

#endif
