/* SPDX-License-Identifier: Apache-2.0 */
/* GF(2^128) with PCLMULQDQ (protocol.md D.6-4, L.3).
 *
 * Bit i of 16 bytes is the coefficient of X^i, which is the order of the instruction, so nothing is
 * reflected. A product has 255 bits; the universal hash adds its four products first and reduces
 * once. Compiled with -mpclmul; called only if the CPU has it. */
#include "math/gf128_impl.h"

#include "quorate/context.h"

#include <emmintrin.h>
#include <wmmintrin.h>

struct wide {
    __m128i lo, hi;
};

static inline __m128i load(const uint8_t b[16])
{
    return _mm_loadu_si128((const __m128i *)(const void *)b);
}

static inline void store(uint8_t b[16], __m128i v)
{
    _mm_storeu_si128((__m128i *)(void *)b, v);
}

/* w += a b. */
static inline void mul_add(struct wide *w, __m128i a, __m128i b)
{
    __m128i mid = _mm_xor_si128(_mm_clmulepi64_si128(a, b, 0x01), _mm_clmulepi64_si128(a, b, 0x10));

    w->lo = _mm_xor_si128(w->lo, _mm_clmulepi64_si128(a, b, 0x00));
    w->hi = _mm_xor_si128(w->hi, _mm_clmulepi64_si128(a, b, 0x11));
    w->lo = _mm_xor_si128(w->lo, _mm_slli_si128(mid, 8));
    w->hi = _mm_xor_si128(w->hi, _mm_srli_si128(mid, 8));
}

/* X^128 = X^7 + X^2 + X + 1 (0x87): the upper half of hi is folded onto hi and lo, then the lower,
 * whose product of at most 71 bits stays within lo. */
static inline __m128i reduce(struct wide w)
{
    const __m128i poly = _mm_set_epi32(0, 0, 0, 0x87);
    __m128i t = _mm_clmulepi64_si128(w.hi, poly, 0x01);

    w.hi = _mm_xor_si128(w.hi, _mm_srli_si128(t, 8));
    w.lo = _mm_xor_si128(w.lo, _mm_slli_si128(t, 8));
    return _mm_xor_si128(w.lo, _mm_clmulepi64_si128(w.hi, poly, 0x00));
}

static void mul(uint8_t r[16], const uint8_t a[16], const uint8_t b[16])
{
    struct wide w = {_mm_setzero_si128(), _mm_setzero_si128()};

    mul_add(&w, load(a), load(b));
    store(r, reduce(w));
}

static void hash(uint8_t (*out)[16], const uint8_t (*rows)[80], size_t n, const uint8_t chi[4][16])
{
    const __m128i c[4] = {load(chi[0]), load(chi[1]), load(chi[2]), load(chi[3])};

    for (size_t i = 0; i < n; i++) {
        struct wide w = {load(rows[i] + 64), _mm_setzero_si128()};

        mul_add(&w, load(rows[i]), c[0]);
        mul_add(&w, load(rows[i] + 16), c[1]);
        mul_add(&w, load(rows[i] + 32), c[2]);
        mul_add(&w, load(rows[i] + 48), c[3]);
        store(out[i], reduce(w));
    }
}

static const struct qrt_gf128_impl impl = {QRT_CPU_PCLMUL, mul, hash};
const struct qrt_gf128_impl *const qrt_gf128_fast = &impl;
