/* SPDX-License-Identifier: Apache-2.0 */
/* Many points from their x-coordinates at once, for hashing to the curve (protocol.md C.3). The
 * square roots of one batch are computed side by side in vector registers where the CPU has them.
 */
#ifndef QRT_MATH_SQRT_H
#define QRT_MATH_SQRT_H

#include "math/point.h"

#define QRT_LIFT_MAX 64

/* ok[i] = qrt_pt_decode(&out[i], candidates[i]) for i < n <= QRT_LIFT_MAX. Everything is public.
 * Full batches pay: the time is that of the next multiple of the number of lanes. */
void qrt_curve_lift_many_vartime(const struct qrt_ctx *ctx, struct qrt_pt *out, bool *ok,
                                 const uint8_t (*candidates)[33], size_t n);

#endif
