/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of sixteen 32-bit words with AVX-512 F and BW, for sha256_lanes.h: rotations and all
 * three-input functions are single instructions. */
#ifndef QRT_HASH_LANES_AVX512_H
#define QRT_HASH_LANES_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

typedef __m512i lanes;

static inline lanes lanes_all(uint32_t v)
{
    return _mm512_set1_epi32((int)v);
}

static inline lanes lanes_add(lanes a, lanes b)
{
    return _mm512_add_epi32(a, b);
}

static inline lanes lanes_sub(lanes a, lanes b)
{
    return _mm512_sub_epi32(a, b);
}

static inline lanes lanes_xor3(lanes a, lanes b, lanes c)
{
    return _mm512_ternarylogic_epi32(a, b, c, 0x96);
}

/* FIPS 180-4, (4.4) to (4.7). */
static inline lanes lanes_sum0(lanes a)
{
    return lanes_xor3(_mm512_ror_epi32(a, 2), _mm512_ror_epi32(a, 13), _mm512_ror_epi32(a, 22));
}

static inline lanes lanes_sum1(lanes e)
{
    return lanes_xor3(_mm512_ror_epi32(e, 6), _mm512_ror_epi32(e, 11), _mm512_ror_epi32(e, 25));
}

static inline lanes lanes_mix0(lanes w)
{
    return lanes_xor3(_mm512_ror_epi32(w, 7), _mm512_ror_epi32(w, 18), _mm512_srli_epi32(w, 3));
}

static inline lanes lanes_mix1(lanes w)
{
    return lanes_xor3(_mm512_ror_epi32(w, 17), _mm512_ror_epi32(w, 19), _mm512_srli_epi32(w, 10));
}

/* e ? f : g, bit by bit. */
static inline lanes lanes_choose(lanes e, lanes f, lanes g)
{
    return _mm512_ternarylogic_epi32(e, f, g, 0xca);
}

static inline lanes lanes_majority(lanes a, lanes b, lanes c)
{
    return _mm512_ternarylogic_epi32(a, b, c, 0xe8);
}

static inline lanes lanes_swap_bytes(lanes a)
{
    const lanes order = _mm512_set4_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203);

    return _mm512_shuffle_epi8(a, order);
}

static inline lanes lanes_low32(lanes a, lanes b)
{
    return _mm512_unpacklo_epi32(a, b);
}

static inline lanes lanes_high32(lanes a, lanes b)
{
    return _mm512_unpackhi_epi32(a, b);
}

static inline lanes lanes_low64(lanes a, lanes b)
{
    return _mm512_unpacklo_epi64(a, b);
}

static inline lanes lanes_high64(lanes a, lanes b)
{
    return _mm512_unpackhi_epi64(a, b);
}

/* The low (high) quarters of each half, as in lanes_avx2.h. */
static inline lanes lanes_low128(lanes a, lanes b)
{
    return _mm512_permutex2var_epi64(a, _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0), b);
}

static inline lanes lanes_high128(lanes a, lanes b)
{
    return _mm512_permutex2var_epi64(a, _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2), b);
}

static inline __m256i row_get(const uint8_t *rows, size_t stride, size_t i, size_t n)
{
    size_t row = i < n ? i : n - 1;

    return _mm256_loadu_si256((const __m256i *)(const void *)(rows + row * stride));
}

static inline void row_put(uint8_t (*rows)[32], size_t i, size_t n, __m256i a)
{
    if (i < n)
        _mm256_storeu_si256((__m256i *)(void *)rows[i], a);
}

/* Rows |i| and i + 8, each, or the last of |n|. */
static inline lanes lanes_row_get(const uint8_t *rows, size_t stride, size_t i, size_t n)
{
    __m512i low = _mm512_castsi256_si512(row_get(rows, stride, i, n));

    return _mm512_inserti64x4(low, row_get(rows, stride, i + 8, n), 1);
}

/* Rows |i| and i + 8, those of them that are among the |n|. */
static inline void lanes_row_put(uint8_t (*rows)[32], size_t i, size_t n, lanes a)
{
    row_put(rows, i, n, _mm512_castsi512_si256(a));
    row_put(rows, i + 8, n, _mm512_extracti64x4_epi64(a, 1));
}

#endif
