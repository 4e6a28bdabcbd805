/* SPDX-License-Identifier: Apache-2.0 */
/* Lifting candidates to the curve: roots from a vector implementation, everything else from
 * libsecp256k1. The root goes back through its parser as 04 || x || y, which checks x < p and the
 * equation of the curve. So a root that is none, because there is none or because of a fault, is
 * refused; it can never become a bad point. */
#include "math/sqrt.h"

#include "base/assert.h"
#include "math/sqrt_impl.h"

#include <string.h>

static const uint8_t field_p[32] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xfc, 0x2f};

static const struct qrt_sqrt_impl *impl_for(const struct qrt_ctx *ctx)
{
    const struct qrt_sqrt_impl *const *impl = qrt_sqrt_impls;

    while (*impl && ((*impl)->cpu & ~ctx->cpu) != 0)
        impl++;
    return *impl;
}

/* y = p - y, for 0 < y < p. */
static void negate(uint8_t y[32])
{
    unsigned borrow = 0;

    for (size_t i = 32; i > 0; i--) {
        unsigned d = 256u + field_p[i - 1] - y[i - 1] - borrow;

        y[i - 1] = (uint8_t)d;
        borrow = 1 - (d >> 8);
    }
}

static bool lift(const struct qrt_ctx *ctx, struct qrt_pt *out, const uint8_t candidate[33],
                 const uint8_t root[32])
{
    uint8_t xy[65] = {4};
    struct qrt_pt t = {.inf = false};

    *out = (struct qrt_pt){.inf = true};
    if ((candidate[0] & 0xfe) != 2)
        return false;
    memcpy(xy + 1, candidate + 1, 32);
    memcpy(xy + 33, root, 32);
    if ((root[31] & 1) != (candidate[0] & 1))
        negate(xy + 33);
    if (!secp256k1_ec_pubkey_parse(ctx->secp, &t.p, xy, sizeof xy))
        return false;
    *out = t;
    return true;
}

void qrt_curve_lift_many_vartime(const struct qrt_ctx *ctx, struct qrt_pt *out, bool *ok,
                                 const uint8_t (*candidates)[33], size_t n)
{
    const struct qrt_sqrt_impl *impl = impl_for(ctx);
    uint8_t y[QRT_LIFT_MAX][32];

    qrt_assert(n <= QRT_LIFT_MAX);
    if (impl)
        impl->roots(y, candidates, n);
    for (size_t i = 0; i < n; i++)
        ok[i] = impl ? lift(ctx, &out[i], candidates[i], y[i])
                     : qrt_pt_decode(ctx, &out[i], candidates[i]);
}
