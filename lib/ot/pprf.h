/* SPDX-License-Identifier: Apache-2.0 */
/* All-but-one OT: 32 trees of 16 leaves, one leaf of each unknown to the receiver (protocol.md
 * D.1-D.4). */
#ifndef QRT_OT_PPRF_H
#define QRT_OT_PPRF_H

#include "base/ctx.h"
#include "ot/baseot.h"

#define QRT_TREES 32
#define QRT_LEAVES 16
#define QRT_PPRF_BYTES 4128
#define QRT_SEEDS_BYTES 8192

typedef uint8_t qrt_seeds[QRT_TREES][QRT_LEAVES][16]; /* as in the share record: tree, leaf */

/* Sender: all leaves and the message. CT. */
void qrt_pprf_build(const struct qrt_ctx *ctx, qrt_seeds seeds, uint8_t msg[QRT_PPRF_BYTES],
                    const uint8_t ot_sid[32], const uint8_t keys[QRT_OT_N][2][16]);

/* Receiver: all leaves but y*, whose slot is zero, and Delta (nibble tau is y* of tree tau).
 * QRT_E_OT_TREE if the digest does not match; then |seeds| and |delta| are zero.
 * CT in keys, choice bits, y*. */
QRT_MUST enum qrt_err qrt_pprf_eval(const struct qrt_ctx *ctx, qrt_seeds seeds, uint8_t delta[16],
                                    const uint8_t ot_sid[32], const uint8_t choice[16],
                                    const uint8_t keys[QRT_OT_N][16],
                                    const uint8_t msg[QRT_PPRF_BYTES]);

#endif
