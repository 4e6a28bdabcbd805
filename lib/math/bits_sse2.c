/* SPDX-License-Identifier: Apache-2.0 */
/* The transpose with SSE2, which every x86-64 has (protocol.md L.3): a tile of 16 columns by 16
 * bytes is transposed as bytes, then movemask takes one bit of 16 bytes, so two bytes of a row, at
 * a time, the highest bit first. */
#include "math/bits.h"

#include <emmintrin.h>
#include <string.h>

/* One step of a transpose of 16 vectors of 16 bytes; four of them make the whole. */
static inline void interleave(__m128i out[16], const __m128i in[16])
{
    QRT_UNROLL
    for (size_t i = 0; i < 8; i++) {
        out[2 * i] = _mm_unpacklo_epi8(in[i], in[i + 8]);
        out[2 * i + 1] = _mm_unpackhi_epi8(in[i], in[i + 8]);
    }
}

/* |v|: one byte of each of 16 columns. Its bit b goes to two bytes of row b, at |at|. */
static inline void put_bits(uint8_t (*rows)[16], size_t at, __m128i v)
{
    QRT_UNROLL
    for (size_t b = 8; b > 0; b--) {
        uint16_t bits = (uint16_t)_mm_movemask_epi8(v);

        memcpy(rows[b - 1] + at, &bits, 2);
        v = _mm_add_epi8(v, v);
    }
}

static void tile(uint8_t (*rows)[16], size_t at, const uint8_t (*cols)[80], size_t byte)
{
    __m128i a[16], b[16];

    for (size_t i = 0; i < 16; i++)
        a[i] = _mm_loadu_si128((const __m128i *)(const void *)(cols[i] + byte));
    interleave(b, a);
    interleave(a, b);
    interleave(b, a);
    interleave(a, b);
    for (size_t i = 0; i < 16; i++)
        put_bits(rows + 8 * i, at, a[i]);
}

void qrt_bits_transpose(const struct qrt_ctx *ctx, uint8_t rows[QRT_XI][16],
                        const uint8_t cols[128][80])
{
    (void)ctx;
    for (size_t group = 0; group < 8; group++)
        for (size_t byte = 0; byte < QRT_XI / 8; byte += 16)
            tile(rows + 8 * byte, 2 * group, cols + 16 * group, byte);
}
