/* SPDX-License-Identifier: Apache-2.0 */
/* Keccak-256 with the padding of the original submission (01), as Ethereum uses it; SHA3-256 pads
 * with 06 and differs. Keccak-f[1600] after the specification's own step names: theta, rho and pi,
 * chi, iota. Lane (x, y) is a[x + 5 y]. For public messages. */
#include "quorate/address.h"

#include <string.h>

enum { RATE = 136, ROUNDS = 24 };

static const uint64_t round_constant[ROUNDS] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008};

/* rho's rotation of lane i. */
static const uint8_t rotation[25] = {0,  1,  62, 28, 27, 36, 44, 6,  55, 20, 3,  10, 43,
                                     25, 39, 41, 45, 15, 21, 8,  18, 2,  61, 56, 14};

static uint64_t rotate_left(uint64_t v, unsigned n)
{
    return n ? v << n | v >> (64 - n) : v;
}

static void theta(uint64_t a[25])
{
    uint64_t c[5];

    for (size_t x = 0; x < 5; x++)
        c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
    for (size_t i = 0; i < 25; i++)
        a[i] ^= c[(i + 4) % 5] ^ rotate_left(c[(i + 1) % 5], 1);
}

/* Lane (x, y), rotated, moves to (y, 2x + 3y). */
static void rho_pi(uint64_t b[25], const uint64_t a[25])
{
    for (size_t y = 0; y < 5; y++)
        for (size_t x = 0; x < 5; x++)
            b[y + 5 * ((2 * x + 3 * y) % 5)] = rotate_left(a[x + 5 * y], rotation[x + 5 * y]);
}

static void chi(uint64_t a[25], const uint64_t b[25])
{
    for (size_t y = 0; y < 25; y += 5)
        for (size_t x = 0; x < 5; x++)
            a[y + x] = b[y + x] ^ (~b[y + (x + 1) % 5] & b[y + (x + 2) % 5]);
}

static void permute(uint64_t a[25])
{
    uint64_t b[25];

    for (size_t round = 0; round < ROUNDS; round++) {
        theta(a);
        rho_pi(b, a);
        chi(a, b);
        a[0] ^= round_constant[round];
    }
}

static void absorb(uint64_t a[25], const uint8_t block[RATE])
{
    for (size_t i = 0; i < RATE; i++)
        a[i / 8] ^= (uint64_t)block[i] << 8 * (i % 8);
    permute(a);
}

void qrt_keccak256(uint8_t out[32], const uint8_t *b, size_t len)
{
    uint64_t a[25] = {0};
    uint8_t last[RATE] = {0};

    for (; len >= RATE; b += RATE, len -= RATE)
        absorb(a, b);
    if (len > 0)
        memcpy(last, b, len);
    last[len] = 0x01;
    last[RATE - 1] |= 0x80;
    absorb(a, last);
    for (size_t i = 0; i < 32; i++)
        out[i] = (uint8_t)(a[i / 8] >> 8 * (i % 8));
}
