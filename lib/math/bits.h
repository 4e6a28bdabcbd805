/* SPDX-License-Identifier: Apache-2.0 */
/* Transposing bit matrices (protocol.md D.6-6). CT: everything. */
#ifndef QRT_MATH_BITS_H
#define QRT_MATH_BITS_H

#include "base/ctx.h"

/* 128 columns of 640 bits in, the first 512 rows of 128 bits out:
 * bit i of rows[j] = bit j of cols[i]. */
void qrt_bits_transpose(const struct qrt_ctx *ctx, uint8_t rows[QRT_XI][16],
                        const uint8_t cols[128][80]);

#endif
