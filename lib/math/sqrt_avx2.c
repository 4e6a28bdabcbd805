/* SPDX-License-Identifier: Apache-2.0 */
/* Square roots in four lanes of AVX2. Compiled with -mavx2; called only if the CPU has it. */
#include "math/sqrt_impl.h"

#include <immintrin.h>

#define LANES 4
typedef __m256i vec;

static inline vec vec_load(const uint64_t *p)
{
    return _mm256_loadu_si256((const vec *)(const void *)p);
}

static inline void vec_store(uint64_t *p, vec a)
{
    _mm256_storeu_si256((vec *)(void *)p, a);
}

static inline vec vec_set(uint32_t v)
{
    return _mm256_set1_epi64x(v);
}

static inline vec vec_add(vec a, vec b)
{
    return _mm256_add_epi64(a, b);
}

static inline vec vec_and(vec a, vec b)
{
    return _mm256_and_si256(a, b);
}

/* The product of the low 32 bits of each lane. */
static inline vec vec_mul(vec a, vec b)
{
    return _mm256_mul_epu32(a, b);
}

static inline vec vec_shl(vec a, unsigned n)
{
    return _mm256_slli_epi64(a, (int)n);
}

static inline vec vec_shr(vec a, unsigned n)
{
    return _mm256_srli_epi64(a, (int)n);
}

#include "math/sqrt_lanes.h"

void qrt_sqrt_roots_avx2(uint8_t (*y)[32], const uint8_t (*candidates)[33], size_t n)
{
    roots(y, candidates, n);
}
