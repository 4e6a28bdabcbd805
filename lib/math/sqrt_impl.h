/* SPDX-License-Identifier: Apache-2.0 */
/* The vector implementations of the square root that this build has. */
#ifndef QRT_MATH_SQRT_IMPL_H
#define QRT_MATH_SQRT_IMPL_H

#include <stddef.h>
#include <stdint.h>

struct qrt_sqrt_impl {
    unsigned cpu; /* the bits QRT_CPU_* it needs */
    /* y[i] = (x^3 + 7)^((p+1)/4), below p, big-endian, for x = the last 32 bytes of
     * candidates[i]: a root of x^3 + 7 if there is one, any number if not. */
    void (*roots)(uint8_t (*y)[32], const uint8_t (*candidates)[33], size_t n);
};

/* Best first, then NULL. */
extern const struct qrt_sqrt_impl *const qrt_sqrt_impls[];

void qrt_sqrt_roots_avx2(uint8_t (*y)[32], const uint8_t (*candidates)[33], size_t n);
void qrt_sqrt_roots_avx512(uint8_t (*y)[32], const uint8_t (*candidates)[33], size_t n);

#endif
