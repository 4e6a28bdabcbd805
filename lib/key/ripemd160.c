/* SPDX-License-Identifier: Apache-2.0 */
/* RIPEMD-160 after Dobbertin, Bosselaers and Preneel (1996): two lines of five rounds of sixteen
 * steps, joined at the end of each block. All numbers are little-endian. For public data. */
#include "key/ripemd160.h"

#include <string.h>

/* clang-format off */
static const uint8_t word_left[80] = {
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
    7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8,
    3, 10, 14, 4, 9, 15, 8, 1, 2, 7, 0, 6, 13, 11, 5, 12,
    1, 9, 11, 10, 0, 8, 12, 4, 13, 3, 7, 15, 14, 5, 6, 2,
    4, 0, 5, 9, 7, 12, 2, 10, 14, 1, 3, 8, 11, 6, 15, 13};
static const uint8_t word_right[80] = {
    5, 14, 7, 0, 9, 2, 11, 4, 13, 6, 15, 8, 1, 10, 3, 12,
    6, 11, 3, 7, 0, 13, 5, 10, 14, 15, 8, 12, 4, 9, 1, 2,
    15, 5, 1, 3, 7, 14, 6, 9, 11, 8, 12, 2, 10, 0, 4, 13,
    8, 6, 4, 1, 3, 11, 15, 0, 5, 12, 2, 13, 9, 7, 10, 14,
    12, 15, 10, 4, 1, 5, 8, 7, 6, 2, 13, 14, 0, 3, 9, 11};
static const uint8_t shift_left[80] = {
    11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8,
    7, 6, 8, 13, 11, 9, 7, 15, 7, 12, 15, 9, 11, 7, 13, 12,
    11, 13, 6, 7, 14, 9, 13, 15, 14, 8, 13, 6, 5, 12, 7, 5,
    11, 12, 14, 15, 14, 15, 9, 8, 9, 14, 5, 6, 8, 6, 5, 12,
    9, 15, 5, 11, 6, 8, 13, 12, 5, 12, 13, 14, 11, 8, 5, 6};
static const uint8_t shift_right[80] = {
    8, 9, 9, 11, 13, 15, 15, 5, 7, 7, 8, 11, 14, 14, 12, 6,
    9, 13, 15, 7, 12, 8, 9, 11, 7, 7, 12, 7, 6, 15, 13, 11,
    9, 7, 15, 11, 8, 6, 6, 14, 12, 13, 5, 14, 13, 13, 7, 5,
    15, 5, 8, 11, 14, 14, 6, 14, 6, 9, 12, 9, 12, 5, 15, 8,
    8, 5, 12, 9, 12, 5, 14, 6, 8, 13, 6, 5, 15, 13, 11, 11};
/* clang-format on */

static const uint32_t add_left[5] = {0, 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xa953fd4e};
static const uint32_t add_right[5] = {0x50a28be6, 0x5c4dd124, 0x6d703ef3, 0x7a6d76e9, 0};

static uint32_t rotate_left(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}

static uint32_t mix(size_t kind, uint32_t x, uint32_t y, uint32_t z)
{
    switch (kind) {
    case 0:
        return x ^ y ^ z;
    case 1:
        return (x & y) | (~x & z);
    case 2:
        return (x | ~y) ^ z;
    case 3:
        return (x & z) | (y & ~z);
    default:
        return x ^ (y | ~z);
    }
}

/* One step of one line: |sum| is a + f(b, c, d) + word + constant. */
static void step(uint32_t v[5], uint32_t sum, unsigned shift)
{
    uint32_t b = rotate_left(sum, shift) + v[4];

    v[0] = v[4];
    v[4] = v[3];
    v[3] = rotate_left(v[2], 10);
    v[2] = v[1];
    v[1] = b;
}

static void compress(uint32_t h[5], const uint8_t block[64])
{
    uint32_t x[16], l[5], r[5], t;

    for (size_t i = 0; i < 16; i++)
        x[i] = (uint32_t)block[4 * i] | (uint32_t)block[4 * i + 1] << 8 |
               (uint32_t)block[4 * i + 2] << 16 | (uint32_t)block[4 * i + 3] << 24;
    memcpy(l, h, sizeof l);
    memcpy(r, h, sizeof r);
    for (size_t i = 0; i < 80; i++) {
        step(l, l[0] + mix(i / 16, l[1], l[2], l[3]) + x[word_left[i]] + add_left[i / 16],
             shift_left[i]);
        step(r, r[0] + mix(4 - i / 16, r[1], r[2], r[3]) + x[word_right[i]] + add_right[i / 16],
             shift_right[i]);
    }
    t = h[1] + l[2] + r[3];
    h[1] = h[2] + l[3] + r[4];
    h[2] = h[3] + l[4] + r[0];
    h[3] = h[4] + l[0] + r[1];
    h[4] = h[0] + l[1] + r[2];
    h[0] = t;
}

/* The rest of the message, 80, zeros, and the length in bits: one block or two. */
static void finish(uint32_t h[5], const uint8_t *rest, size_t rest_len, uint64_t total)
{
    uint8_t last[128] = {0};
    size_t len = rest_len < 56 ? 64 : 128;

    if (rest_len > 0)
        memcpy(last, rest, rest_len);
    last[rest_len] = 0x80;
    for (size_t i = 0; i < 8; i++)
        last[len - 8 + i] = (uint8_t)(total * 8 >> 8 * i);
    for (size_t at = 0; at < len; at += 64)
        compress(h, last + at);
}

void qrt_ripemd160(uint8_t out[20], const uint8_t *b, size_t len)
{
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint64_t total = len;

    for (; len >= 64; b += 64, len -= 64)
        compress(h, b);
    finish(h, b, len, total);
    for (size_t i = 0; i < 20; i++)
        out[i] = (uint8_t)(h[i / 4] >> 8 * (i % 4));
}
