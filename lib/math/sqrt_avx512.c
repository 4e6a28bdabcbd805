/* SPDX-License-Identifier: Apache-2.0 */
/* Square roots in eight lanes of AVX-512. Compiled with -mavx512f; called only if the CPU has it.
 */
#include "math/sqrt_impl.h"

#include <immintrin.h>

#define LANES 8
typedef __m512i vec;

static inline vec vec_load(const uint64_t *p)
{
    return _mm512_loadu_si512(p);
}

static inline void vec_store(uint64_t *p, vec a)
{
    _mm512_storeu_si512(p, a);
}

static inline vec vec_set(uint32_t v)
{
    return _mm512_set1_epi64(v);
}

static inline vec vec_add(vec a, vec b)
{
    return _mm512_add_epi64(a, b);
}

static inline vec vec_and(vec a, vec b)
{
    return _mm512_and_si512(a, b);
}

/* The product of the low 32 bits of each lane. */
static inline vec vec_mul(vec a, vec b)
{
    return _mm512_mul_epu32(a, b);
}

static inline vec vec_shl(vec a, unsigned n)
{
    return _mm512_slli_epi64(a, n);
}

static inline vec vec_shr(vec a, unsigned n)
{
    return _mm512_srli_epi64(a, n);
}

#include "math/sqrt_lanes.h"

void qrt_sqrt_roots_avx512(uint8_t (*y)[32], const uint8_t (*candidates)[33], size_t n)
{
    roots(y, candidates, n);
}
