/* SPDX-License-Identifier: Apache-2.0 */
/* The compression function of SHA-256 in plain C (FIPS 180-4, section 6.2.2), and its constants.
 *
 * The schedule lives in a window of 16 words that is overwritten in place: at round t, w[t % 16]
 * holds W_t. Sixteen rounds a time, so that the working variables trade names, not places. */
#include "hash/sha256_impl.h"

#include <string.h>

/* The first 32 bits of the fractional parts of the square roots of the first 8 primes. */
const uint32_t qrt_sha256_iv[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

/* The same of the cube roots of the first 64 primes. */
QRT_ALIGNED(64)
const uint32_t qrt_sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* Here and not from base/bytes.h: it must become one instruction. */
static inline uint32_t be32(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static inline uint32_t ror(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

/* W_(t+16) over W_t, i = t mod 16. */
static inline void extend(uint32_t w[16], unsigned i)
{
    uint32_t w2 = w[(i + 14) % 16], w15 = w[(i + 1) % 16];

    w[i] += (ror(w2, 17) ^ ror(w2, 19) ^ w2 >> 10) + w[(i + 9) % 16] +
            (ror(w15, 7) ^ ror(w15, 18) ^ w15 >> 3);
}

/* Round t with r = t mod 8: the working variable a is in s[-r mod 8], b in the next, and so on.
 * |kw| is K_t + W_t. T_1 is kept as two summands, early and late, for the rounds wait for e and a
 * of the round before. */
static inline void one(uint32_t s[8], unsigned r, uint32_t kw)
{
    uint32_t a = s[(8 - r) % 8], b = s[(9 - r) % 8], c = s[(10 - r) % 8], d = s[(11 - r) % 8];
    uint32_t e = s[(12 - r) % 8], f = s[(13 - r) % 8], g = s[(14 - r) % 8], h = s[(15 - r) % 8];
    uint32_t early = h + kw + (g ^ (e & (f ^ g)));
    uint32_t late = ror(e, 6) ^ ror(e, 11) ^ ror(e, 25);
    uint32_t majority = b ^ ((a ^ b) & (b ^ c));

    s[(11 - r) % 8] = d + early + late;
    s[(15 - r) % 8] = early + majority + late + (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22));
}

/* The schedule advances between the rounds, which leave the processor time for it. */
static void rounds_and_schedule(uint32_t s[8], uint32_t w[16], const uint32_t k[16])
{
    QRT_UNROLL
    for (unsigned i = 0; i < 16; i++) {
        one(s, i % 8, k[i] + w[i]);
        extend(w, i);
    }
}

static void last_rounds(uint32_t s[8], const uint32_t w[16], const uint32_t k[16])
{
    QRT_UNROLL
    for (unsigned i = 0; i < 16; i++)
        one(s, i % 8, k[i] + w[i]);
}

static void block_one(uint32_t state[8], const uint8_t block[64])
{
    uint32_t s[8], w[16];

    memcpy(s, state, sizeof s);
    for (size_t i = 0; i < 16; i++)
        w[i] = be32(block + 4 * i);
    for (size_t t = 0; t < 48; t += 16)
        rounds_and_schedule(s, w, qrt_sha256_k + t);
    last_rounds(s, w, qrt_sha256_k + 48);
    for (size_t i = 0; i < 8; i++)
        state[i] += s[i];
}

void qrt_sha256_portable(uint32_t state[8], const uint8_t *blocks, size_t n)
{
    for (; n > 0; n--, blocks += 64)
        block_one(state, blocks);
}
