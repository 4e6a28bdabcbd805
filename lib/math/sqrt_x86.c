/* SPDX-License-Identifier: Apache-2.0 */
/* The vector implementations of the square root on x86. */
#include "math/sqrt_impl.h"

#include "quorate/context.h"

static const struct qrt_sqrt_impl avx512 = {QRT_CPU_AVX512, qrt_sqrt_roots_avx512};
static const struct qrt_sqrt_impl avx2 = {QRT_CPU_AVX2, qrt_sqrt_roots_avx2};

const struct qrt_sqrt_impl *const qrt_sqrt_impls[] = {&avx512, &avx2, NULL};
