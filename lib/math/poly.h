/* SPDX-License-Identifier: Apache-2.0 */
/* Polynomials over the scalars, in the clear and in the exponent; Lagrange on arbitrary points. */
#ifndef QRT_MATH_POLY_H
#define QRT_MATH_POLY_H

#include "math/point.h"
#include "math/scalar.h"

/* p(x), coefficients ascending. CT in the coefficients. */
void qrt_poly_eval(struct qrt_sc *r, const struct qrt_sc *coeff, size_t n, const struct qrt_sc *x);
/* p(x) G from the commitments A_m; |x| public. */
void qrt_poly_eval_points_vartime(const struct qrt_ctx *ctx, struct qrt_pt *r,
                                  const struct qrt_pt *commitments, size_t n,
                                  const struct qrt_sc *x);
/* The weight at 0 of xs[own] among xs[0..n): product of x_j / (x_j - x_own). Distinct, public. */
void qrt_lagrange_at_zero(struct qrt_sc *r, const struct qrt_sc *xs, size_t n, size_t own);
/* True if all are nonzero and pairwise distinct. */
bool qrt_coordinates_valid(const struct qrt_sc *xs, size_t n);

#endif
