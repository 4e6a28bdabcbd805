/* SPDX-License-Identifier: Apache-2.0 */
/* The implementation of GF(2^128) that this build has besides the portable one. */
#ifndef QRT_MATH_GF128_IMPL_H
#define QRT_MATH_GF128_IMPL_H

#include <stddef.h>
#include <stdint.h>

/* As qrt_gf128_mul and qrt_gf128_hash. */
struct qrt_gf128_impl {
    unsigned cpu; /* the bits QRT_CPU_* it needs */
    void (*mul)(uint8_t r[16], const uint8_t a[16], const uint8_t b[16]);
    void (*hash)(uint8_t (*out)[16], const uint8_t (*rows)[80], size_t n, const uint8_t chi[4][16]);
};

/* NULL if there is none. */
extern const struct qrt_gf128_impl *const qrt_gf128_fast;

#endif
