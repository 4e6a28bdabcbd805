/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 compressions with the SHA instructions of x86, one stream or two.
 *
 * sha256rnds2 takes four cycles but a new one may start after two, so two independent streams take
 * little longer than one. Compiled with -msha -mssse3, called only where QRT_CPU_SHA_NI is set. */
#include "hash/sha256_impl.h"
#include "hash/sha256_x86.h"

#include <immintrin.h>
#include <string.h>

/* The working variables as the instructions want them, lowest word first: f e b a and h g d c; and
 * the window of the schedule, four words a vector. */
struct stream {
    __m128i abef, cdgh;
    __m128i w[4];
};

static inline __m128i get(const void *p)
{
    return _mm_loadu_si128(p);
}

static inline void state_get(struct stream *s, const uint32_t state[8])
{
    __m128i abcd = get(state), efgh = get(state + 4);

    s->abef = _mm_shuffle_epi32(_mm_unpacklo_epi64(abcd, efgh), 0x1b);
    s->cdgh = _mm_shuffle_epi32(_mm_unpackhi_epi64(abcd, efgh), 0x1b);
}

static inline void state_put(uint32_t state[8], const struct stream *s)
{
    __m128i abef = _mm_shuffle_epi32(s->abef, 0x1b), cdgh = _mm_shuffle_epi32(s->cdgh, 0x1b);

    _mm_storeu_si128((void *)state, _mm_unpacklo_epi64(abef, cdgh));
    _mm_storeu_si128((void *)(state + 4), _mm_unpackhi_epi64(abef, cdgh));
}

static inline void block_get(struct stream *s, const uint8_t block[64])
{
    const __m128i order = _mm_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203);

    s->w[0] = _mm_shuffle_epi8(get(block), order);
    s->w[1] = _mm_shuffle_epi8(get(block + 16), order);
    s->w[2] = _mm_shuffle_epi8(get(block + 32), order);
    s->w[3] = _mm_shuffle_epi8(get(block + 48), order);
}

/* Rounds t to t+3 with i = t / 4 mod 4, |k| = K_t.. */
static inline void four(struct stream *s, const uint32_t *k, unsigned i)
{
    __m128i kw = _mm_add_epi32(s->w[i], get(k));

    s->cdgh = _mm_sha256rnds2_epu32(s->cdgh, s->abef, kw);
    s->abef = _mm_sha256rnds2_epu32(s->abef, s->cdgh, _mm_shuffle_epi32(kw, 0x0e));
}

/* The same, then W_(t+16).. over W_t.. */
static inline void step(struct stream *s, const uint32_t *k, unsigned i)
{
    __m128i last = s->w[(i + 3) % 4];
    __m128i sum = _mm_sha256msg1_epu32(s->w[i], s->w[(i + 1) % 4]);

    four(s, k, i);
    sum = _mm_add_epi32(sum, _mm_alignr_epi8(last, s->w[(i + 2) % 4], 4));
    s->w[i] = _mm_sha256msg2_epu32(sum, last);
}

static inline void rounds(struct stream *s)
{
    const uint32_t *k = qrt_sha256_k;

    for (; k < qrt_sha256_k + 48; k += 16) {
        step(s, k, 0);
        step(s, k + 4, 1);
        step(s, k + 8, 2);
        step(s, k + 12, 3);
    }
    four(s, k, 0);
    four(s, k + 4, 1);
    four(s, k + 8, 2);
    four(s, k + 12, 3);
}

static inline void rounds_two(struct stream *x, struct stream *y)
{
    const uint32_t *k = qrt_sha256_k;

    for (; k < qrt_sha256_k + 48; k += 16) {
        step(x, k, 0);
        step(y, k, 0);
        step(x, k + 4, 1);
        step(y, k + 4, 1);
        step(x, k + 8, 2);
        step(y, k + 8, 2);
        step(x, k + 12, 3);
        step(y, k + 12, 3);
    }
    four(x, k, 0);
    four(y, k, 0);
    four(x, k + 4, 1);
    four(y, k + 4, 1);
    four(x, k + 8, 2);
    four(y, k + 8, 2);
    four(x, k + 12, 3);
    four(y, k + 12, 3);
}

/* The end of a compression: add the state it started from. */
static inline void add(struct stream *s, __m128i abef, __m128i cdgh)
{
    s->abef = _mm_add_epi32(s->abef, abef);
    s->cdgh = _mm_add_epi32(s->cdgh, cdgh);
}

void qrt_sha256_shani(uint32_t state[8], const uint8_t *blocks, size_t n)
{
    struct stream s;

    state_get(&s, state);
    for (; n > 0; n--, blocks += 64) {
        __m128i abef = s.abef, cdgh = s.cdgh;

        block_get(&s, blocks);
        rounds(&s);
        add(&s, abef, cdgh);
    }
    state_put(state, &s);
}

void qrt_sha256_shani_two(uint32_t (*states)[8], const uint8_t (*blocks)[64])
{
    struct stream x, y, x0, y0;

    state_get(&x, states[0]);
    state_get(&y, states[1]);
    x0 = x;
    y0 = y;
    block_get(&x, blocks[0]);
    block_get(&y, blocks[1]);
    rounds_two(&x, &y);
    add(&x, x0.abef, x0.cdgh);
    add(&y, y0.abef, y0.cdgh);
    state_put(states[0], &x);
    state_put(states[1], &y);
}
