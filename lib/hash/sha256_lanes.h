/* SPDX-License-Identifier: Apache-2.0 */
/* One SHA-256 compression in each lane of a vector (FIPS 180-4, section 6.2.2): the text that
 * sha256_x8.c and sha256_x16.c share.
 *
 * Included after lanes_avx2.h or lanes_avx512.h, which define the type lanes, a vector of 32-bit
 * words, and the operations on it. Word v of every vector belongs to lane v; lanes |n| and up
 * repeat lane n-1, and their results are not stored. Where |i| or |r| is a parameter it is a
 * constant at every call, so that state and schedule stay in registers. */
#ifndef QRT_HASH_SHA256_LANES_H
#define QRT_HASH_SHA256_LANES_H

#include "hash/sha256_impl.h"

/* Left to itself the compiler keeps the steps out of line, and with them s and w in memory. */
#define INLINED __attribute__((always_inline)) static inline

/* Where m[i] held words 0..7 of lanes i and i+8, it holds word i of lanes 0..7 and 8..15; and back,
 * for it is a transposition in each half of 256 bits. */
INLINED void lanes_transpose(lanes m[8])
{
    lanes a0 = lanes_low32(m[0], m[1]), a1 = lanes_high32(m[0], m[1]);
    lanes a2 = lanes_low32(m[2], m[3]), a3 = lanes_high32(m[2], m[3]);
    lanes a4 = lanes_low32(m[4], m[5]), a5 = lanes_high32(m[4], m[5]);
    lanes a6 = lanes_low32(m[6], m[7]), a7 = lanes_high32(m[6], m[7]);
    lanes b0 = lanes_low64(a0, a2), b1 = lanes_high64(a0, a2);
    lanes b2 = lanes_low64(a1, a3), b3 = lanes_high64(a1, a3);
    lanes b4 = lanes_low64(a4, a6), b5 = lanes_high64(a4, a6);
    lanes b6 = lanes_low64(a5, a7), b7 = lanes_high64(a5, a7);

    m[0] = lanes_low128(b0, b4);
    m[1] = lanes_low128(b1, b5);
    m[2] = lanes_low128(b2, b6);
    m[3] = lanes_low128(b3, b7);
    m[4] = lanes_high128(b0, b4);
    m[5] = lanes_high128(b1, b5);
    m[6] = lanes_high128(b2, b6);
    m[7] = lanes_high128(b3, b7);
}

INLINED void lanes_get(lanes m[8], const uint8_t *rows, size_t stride, size_t n)
{
    m[0] = lanes_row_get(rows, stride, 0, n);
    m[1] = lanes_row_get(rows, stride, 1, n);
    m[2] = lanes_row_get(rows, stride, 2, n);
    m[3] = lanes_row_get(rows, stride, 3, n);
    m[4] = lanes_row_get(rows, stride, 4, n);
    m[5] = lanes_row_get(rows, stride, 5, n);
    m[6] = lanes_row_get(rows, stride, 6, n);
    m[7] = lanes_row_get(rows, stride, 7, n);
    lanes_transpose(m);
}

INLINED void lanes_put(uint8_t (*rows)[32], lanes m[8], size_t n)
{
    lanes_transpose(m);
    lanes_row_put(rows, 0, n, m[0]);
    lanes_row_put(rows, 1, n, m[1]);
    lanes_row_put(rows, 2, n, m[2]);
    lanes_row_put(rows, 3, n, m[3]);
    lanes_row_put(rows, 4, n, m[4]);
    lanes_row_put(rows, 5, n, m[5]);
    lanes_row_put(rows, 6, n, m[6]);
    lanes_row_put(rows, 7, n, m[7]);
}

/* Round t with r = t mod 8: the working variable a is s[-r mod 8], b the next, and so on. The order
 * of the sums leaves three operations from one a or e to the next; t1 = new_e - d costs one more
 * sum but takes an operation off that path, and the path is what limits the speed. */
INLINED void lanes_round(lanes s[8], lanes w, uint32_t k, unsigned r)
{
    lanes a = s[(8 - r) % 8], b = s[(9 - r) % 8], c = s[(10 - r) % 8];
    lanes e = s[(12 - r) % 8], f = s[(13 - r) % 8], g = s[(14 - r) % 8];
    lanes d = s[(11 - r) % 8], h = s[(15 - r) % 8];
    lanes hkw = lanes_add(h, lanes_add(w, lanes_all(k)));
    lanes new_e = lanes_add(lanes_add(lanes_add(hkw, d), lanes_choose(e, f, g)), lanes_sum1(e));
    lanes t1 = lanes_sub(new_e, d);

    s[(11 - r) % 8] = new_e;
    s[(15 - r) % 8] = lanes_add(lanes_add(t1, lanes_majority(a, b, c)), lanes_sum0(a));
}

/* Round t with i = t mod 16, then W_(t+16) over W_t. */
INLINED void lanes_step(lanes s[8], lanes w[16], const uint32_t *k, unsigned i)
{
    lanes_round(s, w[i], k[i], i % 8);
    w[i] = lanes_add(lanes_add(w[i], lanes_mix0(w[(i + 1) % 16])),
                     lanes_add(w[(i + 9) % 16], lanes_mix1(w[(i + 14) % 16])));
}

INLINED void lanes_steps(lanes s[8], lanes w[16], const uint32_t *k)
{
    lanes_step(s, w, k, 0);
    lanes_step(s, w, k, 1);
    lanes_step(s, w, k, 2);
    lanes_step(s, w, k, 3);
    lanes_step(s, w, k, 4);
    lanes_step(s, w, k, 5);
    lanes_step(s, w, k, 6);
    lanes_step(s, w, k, 7);
    lanes_step(s, w, k, 8);
    lanes_step(s, w, k, 9);
    lanes_step(s, w, k, 10);
    lanes_step(s, w, k, 11);
    lanes_step(s, w, k, 12);
    lanes_step(s, w, k, 13);
    lanes_step(s, w, k, 14);
    lanes_step(s, w, k, 15);
}

INLINED void lanes_last_rounds(lanes s[8], const lanes w[16], const uint32_t *k)
{
    lanes_round(s, w[0], k[0], 0);
    lanes_round(s, w[1], k[1], 1);
    lanes_round(s, w[2], k[2], 2);
    lanes_round(s, w[3], k[3], 3);
    lanes_round(s, w[4], k[4], 4);
    lanes_round(s, w[5], k[5], 5);
    lanes_round(s, w[6], k[6], 6);
    lanes_round(s, w[7], k[7], 7);
    lanes_round(s, w[8], k[8], 0);
    lanes_round(s, w[9], k[9], 1);
    lanes_round(s, w[10], k[10], 2);
    lanes_round(s, w[11], k[11], 3);
    lanes_round(s, w[12], k[12], 4);
    lanes_round(s, w[13], k[13], 5);
    lanes_round(s, w[14], k[14], 6);
    lanes_round(s, w[15], k[15], 7);
}

/* s = compress(s, blocks). The copies are local so that they need no memory. */
static void lanes_rounds(lanes s[8], const uint8_t (*blocks)[64], size_t n)
{
    lanes x[8], w[16];

    lanes_get(w, blocks[0], 64, n);
    lanes_get(w + 8, blocks[0] + 32, 64, n);
    w[0] = lanes_swap_bytes(w[0]);
    w[1] = lanes_swap_bytes(w[1]);
    w[2] = lanes_swap_bytes(w[2]);
    w[3] = lanes_swap_bytes(w[3]);
    w[4] = lanes_swap_bytes(w[4]);
    w[5] = lanes_swap_bytes(w[5]);
    w[6] = lanes_swap_bytes(w[6]);
    w[7] = lanes_swap_bytes(w[7]);
    w[8] = lanes_swap_bytes(w[8]);
    w[9] = lanes_swap_bytes(w[9]);
    w[10] = lanes_swap_bytes(w[10]);
    w[11] = lanes_swap_bytes(w[11]);
    w[12] = lanes_swap_bytes(w[12]);
    w[13] = lanes_swap_bytes(w[13]);
    w[14] = lanes_swap_bytes(w[14]);
    w[15] = lanes_swap_bytes(w[15]);
    x[0] = s[0];
    x[1] = s[1];
    x[2] = s[2];
    x[3] = s[3];
    x[4] = s[4];
    x[5] = s[5];
    x[6] = s[6];
    x[7] = s[7];
    for (unsigned t = 0; t < 48; t += 16)
        lanes_steps(x, w, qrt_sha256_k + t);
    lanes_last_rounds(x, w, qrt_sha256_k + 48);
    s[0] = lanes_add(s[0], x[0]);
    s[1] = lanes_add(s[1], x[1]);
    s[2] = lanes_add(s[2], x[2]);
    s[3] = lanes_add(s[3], x[3]);
    s[4] = lanes_add(s[4], x[4]);
    s[5] = lanes_add(s[5], x[5]);
    s[6] = lanes_add(s[6], x[6]);
    s[7] = lanes_add(s[7], x[7]);
}

static inline void lanes_compress(uint32_t (*states)[8], const uint8_t (*blocks)[64], size_t n)
{
    lanes s[8];

    lanes_get(s, (const uint8_t *)states, sizeof *states, n);
    lanes_rounds(s, blocks, n);
    lanes_put((uint8_t(*)[32])states, s, n);
}

static inline void lanes_digest(uint8_t (*out)[32], const uint32_t mid[8],
                                const uint8_t (*blocks)[64], size_t n)
{
    lanes s[8];

    for (unsigned i = 0; i < 8; i++)
        s[i] = lanes_all(mid[i]);
    lanes_rounds(s, blocks, n);
    for (unsigned i = 0; i < 8; i++)
        s[i] = lanes_swap_bytes(s[i]);
    lanes_put(out, s, n);
}

#endif
