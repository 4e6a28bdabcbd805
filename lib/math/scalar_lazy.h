/* SPDX-License-Identifier: Apache-2.0 */
/* Sums for the rows of ot/rvole.c, where numbers stay unreduced until they are sent or hashed.
 * A struct qrt_lazy is any number below 2^256 and stands for its residue mod q.
 * CT: everything. */
#ifndef QRT_MATH_SCALAR_LAZY_H
#define QRT_MATH_SCALAR_LAZY_H

#include "math/scalar.h"

struct qrt_lazy {
    qrt_limb v[QRT_LIMBS];
};

/* r = the 32 bytes |b|, big-endian. */
void qrt_lazy_load(struct qrt_lazy *r, const uint8_t b[32]);
/* r = the number in |a| + the number in |b| & mask; |b| is below q, mask 0 or all ones. */
void qrt_lazy_load_sum(struct qrt_lazy *r, const uint8_t a[32], const uint8_t b[32], uint64_t mask);
/* |out| = the encoding of a - (the number in |b|) + c, where |c_moved| is from qrt_lazy_move of c.
 */
void qrt_lazy_difference_put(uint8_t out[32], const struct qrt_lazy *a, const uint8_t b[32],
                             const struct qrt_sc *c_moved);
/* r = c + 1 - 2^256 mod q. */
void qrt_lazy_move(struct qrt_sc *r, const struct qrt_sc *c);
/* acc += a b. */
void qrt_lazy_acc_mul(struct qrt_sc_acc *acc, const struct qrt_sc *a, const struct qrt_lazy *b);
/* |out| = the encoding of b[0] theta[0] + b[1] theta[1] + b[2] + c; may overlap them. */
void qrt_lazy_check_put(uint8_t out[32], const struct qrt_sc theta[2], const struct qrt_lazy b[3],
                        const struct qrt_sc *c);

#endif
