/* SPDX-License-Identifier: Apache-2.0 */
/* The transpose in portable C: tiles of 8 by 8 bits in one word of 64, transposed by exchanging
 * halves three times. */
#include "math/bits.h"

/* Exchange the bits of |w| under |mask| with those |shift| above them. */
static uint64_t exchange(uint64_t w, uint64_t mask, unsigned shift)
{
    uint64_t d = (w ^ (w >> shift)) & mask;

    return w ^ d ^ (d << shift);
}

/* Bit 8 i + j becomes bit 8 j + i. */
static uint64_t transpose_8x8(uint64_t w)
{
    w = exchange(w, 0x00aa00aa00aa00aau, 7);
    w = exchange(w, 0x0000cccc0000ccccu, 14);
    return exchange(w, 0x00000000f0f0f0f0u, 28);
}

/* Eight columns, one byte of each, into byte |at| of eight rows. */
static void tile(uint8_t (*rows)[16], size_t at, const uint8_t (*cols)[80], size_t byte)
{
    uint64_t w = 0;

    for (size_t i = 0; i < 8; i++)
        w |= (uint64_t)cols[i][byte] << (8 * i);
    w = transpose_8x8(w);
    for (size_t i = 0; i < 8; i++)
        rows[i][at] = (uint8_t)(w >> (8 * i));
}

void qrt_bits_transpose(const struct qrt_ctx *ctx, uint8_t rows[QRT_XI][16],
                        const uint8_t cols[128][80])
{
    (void)ctx;
    for (size_t group = 0; group < 16; group++)
        for (size_t byte = 0; byte < QRT_XI / 8; byte++)
            tile(rows + 8 * byte, group, cols + 8 * group, byte);
}
