/* SPDX-License-Identifier: Apache-2.0 */
/* AES-128 with the AES instructions of x86, eight blocks at a time: aesenc takes several cycles but
 * one or two may start in each. Compiled with -maes, called only where QRT_CPU_AES is set. */
#include "hash/aes.h"

#include "base/wipe.h"

#include <immintrin.h>
#include <string.h>

struct keys {
    __m128i k[11];
};

/* FIPS 197, section 5.2: |assist| has RotWord(SubWord(last word)) ^ Rcon in its highest word; every
 * new word is the running sum of the old ones and that. */
static inline __m128i key_next(__m128i k, __m128i assist)
{
    k = _mm_xor_si128(k, _mm_slli_si128(k, 4));
    k = _mm_xor_si128(k, _mm_slli_si128(k, 8));
    return _mm_xor_si128(k, _mm_shuffle_epi32(assist, 0xff));
}

static void keys_init(struct keys *s, const uint8_t key[16])
{
    __m128i *k = s->k;

    k[0] = _mm_loadu_si128((const void *)key);
    k[1] = key_next(k[0], _mm_aeskeygenassist_si128(k[0], 0x01));
    k[2] = key_next(k[1], _mm_aeskeygenassist_si128(k[1], 0x02));
    k[3] = key_next(k[2], _mm_aeskeygenassist_si128(k[2], 0x04));
    k[4] = key_next(k[3], _mm_aeskeygenassist_si128(k[3], 0x08));
    k[5] = key_next(k[4], _mm_aeskeygenassist_si128(k[4], 0x10));
    k[6] = key_next(k[5], _mm_aeskeygenassist_si128(k[5], 0x20));
    k[7] = key_next(k[6], _mm_aeskeygenassist_si128(k[6], 0x40));
    k[8] = key_next(k[7], _mm_aeskeygenassist_si128(k[7], 0x80));
    k[9] = key_next(k[8], _mm_aeskeygenassist_si128(k[8], 0x1b));
    k[10] = key_next(k[9], _mm_aeskeygenassist_si128(k[9], 0x36));
}

static inline __m128i get(const uint8_t block[16], __m128i k)
{
    return _mm_xor_si128(_mm_loadu_si128((const void *)block), k);
}

static inline void put(uint8_t block[16], __m128i x, __m128i k)
{
    _mm_storeu_si128((void *)block, _mm_aesenclast_si128(x, k));
}

static void one(uint8_t out[16], const struct keys *s, const uint8_t in[16])
{
    __m128i x = get(in, s->k[0]);

    for (size_t r = 1; r < 10; r++)
        x = _mm_aesenc_si128(x, s->k[r]);
    put(out, x, s->k[10]);
}

static void eight(uint8_t (*out)[16], const struct keys *s, const uint8_t (*in)[16])
{
    __m128i k = s->k[0];
    __m128i x0 = get(in[0], k), x1 = get(in[1], k), x2 = get(in[2], k), x3 = get(in[3], k);
    __m128i x4 = get(in[4], k), x5 = get(in[5], k), x6 = get(in[6], k), x7 = get(in[7], k);

    for (size_t r = 1; r < 10; r++) {
        k = s->k[r];
        x0 = _mm_aesenc_si128(x0, k);
        x1 = _mm_aesenc_si128(x1, k);
        x2 = _mm_aesenc_si128(x2, k);
        x3 = _mm_aesenc_si128(x3, k);
        x4 = _mm_aesenc_si128(x4, k);
        x5 = _mm_aesenc_si128(x5, k);
        x6 = _mm_aesenc_si128(x6, k);
        x7 = _mm_aesenc_si128(x7, k);
    }
    k = s->k[10];
    put(out[0], x0, k);
    put(out[1], x1, k);
    put(out[2], x2, k);
    put(out[3], x3, k);
    put(out[4], x4, k);
    put(out[5], x5, k);
    put(out[6], x6, k);
    put(out[7], x7, k);
}

void qrt_aes128_ni(uint8_t (*out)[16], const uint8_t key[16], const uint8_t (*in)[16], size_t n)
{
    struct keys s;

    keys_init(&s, key);
    for (; n >= 8; n -= 8, in += 8, out += 8)
        eight(out, &s, in);
    for (; n > 0; n--, in++, out++)
        one(*out, &s, *in);
    qrt_wipe(&s, sizeof s);
}
