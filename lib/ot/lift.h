/* SPDX-License-Identifier: Apache-2.0 */
/* Lifting many encoded points, one after the other.
 * Public points only. */
#ifndef QRT_OT_LIFT_H
#define QRT_OT_LIFT_H

#include "math/point.h"

/* ok[v]: candidates[v] is a point, and out[v] is it. */
static inline void qrt_curve_lift_many_vartime(const struct qrt_ctx *ctx, struct qrt_pt *out,
                                               bool *ok, const uint8_t (*candidates)[33], size_t n)
{
    for (size_t v = 0; v < n; v++)
        ok[v] = qrt_pt_decode(ctx, &out[v], candidates[v]);
}

#endif
