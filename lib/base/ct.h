/* SPDX-License-Identifier: Apache-2.0 */
/* Constant-time selection and comparison, and the marks that the constant-time tests read.
 *
 * A mask is 0 or all ones. qrt_mask_hide keeps the compiler from turning masks back into branches.
 * CT: everything here, for every argument but lengths. */
#ifndef QRT_BASE_CT_H
#define QRT_BASE_CT_H

#include "base/port.h"

#include <stdbool.h>

static inline uint64_t qrt_mask_hide(uint64_t m)
{
    __asm__("" : "+r"(m));
    return m;
}

/* All ones if |bit| (0 or 1) is 1. */
static inline uint64_t qrt_mask_bit(uint64_t bit)
{
    return qrt_mask_hide((uint64_t)0 - bit);
}

/* All ones if a == b. */
static inline uint64_t qrt_mask_eq(uint64_t a, uint64_t b)
{
    uint64_t d = a ^ b;

    return qrt_mask_bit(1 ^ ((d | ((uint64_t)0 - d)) >> 63));
}

/* Bit |i| of a bit string, least significant bit of byte 0 first (protocol.md A.1). */
static inline uint64_t qrt_bit_get(const uint8_t *b, size_t i)
{
    return (uint64_t)(b[i / 8] >> (i % 8)) & 1;
}

/* Equality of |len| secret bytes. The answer is public. */
bool qrt_ct_equal(const uint8_t *a, const uint8_t *b, size_t len);
bool qrt_ct_is_zero(const uint8_t *a, size_t len);
/* Exchange |a| and |b| where |mask| is all ones. */
void qrt_ct_swap(uint8_t *a, uint8_t *b, size_t len, uint64_t mask);
/* dst ^= src & mask. */
void qrt_ct_xor_masked(uint8_t *dst, const uint8_t *src, size_t len, uint64_t mask);
void qrt_xor(uint8_t *dst, const uint8_t *src, size_t len);

/* Declassify: from here on |p| is public, because |why|. No code in an ordinary build; in the
 * constant-time build (option ctime) valgrind learns that branching on it is allowed. */
void qrt_public(const void *p, size_t len, const char *why);
/* The opposite, at the place where a secret is born. */
void qrt_secret(const void *p, size_t len);

#endif
