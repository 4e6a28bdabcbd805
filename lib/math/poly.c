/* SPDX-License-Identifier: Apache-2.0 */
/* Polynomials by Horner's rule and Lagrange weights at 0 (protocol.md A.1). Coordinates are
 * public and arbitrary, not 1..n; |r| must not be an operand unless it is said. */
#include "math/poly.h"

#include "base/assert.h"

void qrt_poly_eval(struct qrt_sc *r, const struct qrt_sc *coeff, size_t n, const struct qrt_sc *x)
{
    *r = qrt_sc_zero;
    for (size_t m = n; m > 0; m--) {
        qrt_sc_mul(r, r, x);
        qrt_sc_add(r, r, &coeff[m - 1]);
    }
}

/* An x that is a small number makes the multiplications by it cheap, unlike those by powers. */
void qrt_poly_eval_points_vartime(const struct qrt_ctx *ctx, struct qrt_pt *r,
                                  const struct qrt_pt *commitments, size_t n,
                                  const struct qrt_sc *x)
{
    *r = (struct qrt_pt){.inf = true};
    for (size_t m = n; m > 0; m--) {
        qrt_pt_mul_vartime(ctx, r, r, x);
        qrt_pt_add(ctx, r, r, &commitments[m - 1]);
    }
}

void qrt_lagrange_at_zero(struct qrt_sc *r, const struct qrt_sc *xs, size_t n, size_t own)
{
    struct qrt_sc num = qrt_sc_one, den = qrt_sc_one, diff;

    qrt_assert(own < n);
    for (size_t j = 0; j < n; j++) {
        if (j == own)
            continue;
        qrt_sc_sub(&diff, &xs[j], &xs[own]);
        qrt_sc_mul(&den, &den, &diff);
        qrt_sc_mul(&num, &num, &xs[j]);
    }
    qrt_assert(!qrt_sc_is_zero(&den));
    qrt_sc_inv_vartime(&den, &den);
    qrt_sc_mul(r, &num, &den);
}

bool qrt_coordinates_valid(const struct qrt_sc *xs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (qrt_sc_is_zero(&xs[i]))
            return false;
        for (size_t j = 0; j < i; j++)
            if (qrt_sc_equal(&xs[i], &xs[j]))
                return false;
    }
    return true;
}
