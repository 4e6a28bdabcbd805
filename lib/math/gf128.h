/* SPDX-License-Identifier: Apache-2.0 */
/* GF(2^128) of protocol.md A.1: bit i is the coefficient of X^i, modulus X^128+X^7+X^2+X+1.
 * Two implementations, PCLMULQDQ and portable without tables, chosen by ctx->cpu. CT: everything.
 */
#ifndef QRT_MATH_GF128_H
#define QRT_MATH_GF128_H

#include "base/ctx.h"

/* r = a b. May alias. */
void qrt_gf128_mul(const struct qrt_ctx *ctx, uint8_t r[16], const uint8_t a[16],
                   const uint8_t b[16]);

/* The universal hash of protocol.md D.6-4 over |n| rows of 80 bytes (5 chunks each):
 * out[i] = chunk 4 + sum over m < 4 of chi[m] chunk m. */
void qrt_gf128_hash(const struct qrt_ctx *ctx, uint8_t (*out)[16], const uint8_t (*rows)[80],
                    size_t n, const uint8_t chi[4][16]);

#endif
