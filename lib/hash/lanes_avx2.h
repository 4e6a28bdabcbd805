/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of eight 32-bit words with AVX2, for sha256_lanes.h. */
#ifndef QRT_HASH_LANES_AVX2_H
#define QRT_HASH_LANES_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

typedef __m256i lanes;

static inline lanes lanes_all(uint32_t v)
{
    return _mm256_set1_epi32((int)v);
}

static inline lanes lanes_add(lanes a, lanes b)
{
    return _mm256_add_epi32(a, b);
}

static inline lanes lanes_sub(lanes a, lanes b)
{
    return _mm256_sub_epi32(a, b);
}

static inline lanes lanes_ror(lanes a, int n)
{
    return _mm256_or_si256(_mm256_srli_epi32(a, n), _mm256_slli_epi32(a, 32 - n));
}

static inline lanes lanes_xor3(lanes a, lanes b, lanes c)
{
    return _mm256_xor_si256(_mm256_xor_si256(a, b), c);
}

/* FIPS 180-4, (4.4) to (4.7). */
static inline lanes lanes_sum0(lanes a)
{
    return lanes_xor3(lanes_ror(a, 2), lanes_ror(a, 13), lanes_ror(a, 22));
}

static inline lanes lanes_sum1(lanes e)
{
    return lanes_xor3(lanes_ror(e, 6), lanes_ror(e, 11), lanes_ror(e, 25));
}

static inline lanes lanes_mix0(lanes w)
{
    return lanes_xor3(lanes_ror(w, 7), lanes_ror(w, 18), _mm256_srli_epi32(w, 3));
}

static inline lanes lanes_mix1(lanes w)
{
    return lanes_xor3(lanes_ror(w, 17), lanes_ror(w, 19), _mm256_srli_epi32(w, 10));
}

/* e ? f : g, bit by bit. */
static inline lanes lanes_choose(lanes e, lanes f, lanes g)
{
    return _mm256_xor_si256(g, _mm256_and_si256(e, _mm256_xor_si256(f, g)));
}

static inline lanes lanes_majority(lanes a, lanes b, lanes c)
{
    return _mm256_xor_si256(b, _mm256_and_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(b, c)));
}

static inline lanes lanes_swap_bytes(lanes a)
{
    const lanes order = _mm256_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203, 0x0c0d0e0f,
                                         0x08090a0b, 0x04050607, 0x00010203);

    return _mm256_shuffle_epi8(a, order);
}

static inline lanes lanes_low32(lanes a, lanes b)
{
    return _mm256_unpacklo_epi32(a, b);
}

static inline lanes lanes_high32(lanes a, lanes b)
{
    return _mm256_unpackhi_epi32(a, b);
}

static inline lanes lanes_low64(lanes a, lanes b)
{
    return _mm256_unpacklo_epi64(a, b);
}

static inline lanes lanes_high64(lanes a, lanes b)
{
    return _mm256_unpackhi_epi64(a, b);
}

static inline lanes lanes_low128(lanes a, lanes b)
{
    return _mm256_permute2x128_si256(a, b, 0x20);
}

static inline lanes lanes_high128(lanes a, lanes b)
{
    return _mm256_permute2x128_si256(a, b, 0x31);
}

/* Row |i|, or the last of |n|. */
static inline lanes lanes_row_get(const uint8_t *rows, size_t stride, size_t i, size_t n)
{
    size_t row = i < n ? i : n - 1;

    return _mm256_loadu_si256((const __m256i *)(const void *)(rows + row * stride));
}

/* Row |i|, if it is one of the |n|. */
static inline void lanes_row_put(uint8_t (*rows)[32], size_t i, size_t n, lanes a)
{
    if (i < n)
        _mm256_storeu_si256((__m256i *)(void *)rows[i], a);
}

#endif
