/* SPDX-License-Identifier: Apache-2.0 */
/* AES-128 in plain C, bitsliced: four blocks at a time, no tables, no branches, CT in everything.
 *
 * Slices. Bit i of every byte is in slice q[i]; the byte of row r, column c (FIPS 197, section 3.4)
 * and block b is at bit 16r + 4c + b. So MixColumns turns slices by rows of 16 bits, and ShiftRows
 * turns each row by columns of 4.
 *
 * The S-box is the inverse in GF(2^8), then an affine map. We invert in the tower
 * GF(16) = GF(2)[z]/(z^4 + z + 1), GF(256) = GF(16)[Y]/(Y^2 + Y + z^3): there a = hY + l has
 * 1/a = (hY + h + l) / d with d = z^3 h^2 + hl + l^2 in GF(16), and 1/d = d^14 = d^2 d^4 d^8 (and 0
 * for 0, as AES wants). The tower's element zY is a root of AES's polynomial x^8 + x^4 + x^3 + x +
 * 1, so x -> zY is an isomorphism. to_tower is its matrix: the images of 1, x, ..., x^7 are, as
 * bits h3..h0 l3..l0, 01 20 46 4c 3c d5 34 e5. from_tower is the inverse matrix followed by the
 * matrix of the affine map: columns 1f b2 ab 36 52 3e 65 60. Of the isomorphisms this one needs the
 * fewest XORs, 10 and 15 with common sums shared. */
#include "hash/aes.h"

#include "base/wipe.h"

#include <string.h>

struct slices {
    uint64_t q[8];
};

struct scratch {
    uint8_t word[11][16]; /* round keys as bytes */
    struct slices key[11];
    struct slices x;
    uint8_t rest[2][4][16];
};

static uint64_t ror(uint64_t x, unsigned n)
{
    return x >> n | x << (64 - n);
}

/* GF(16), four coefficients, that of 1 first. */
static inline void mul16(uint64_t c[4], const uint64_t a[4], const uint64_t b[4])
{
    uint64_t z4 = (a[1] & b[3]) ^ (a[2] & b[2]) ^ (a[3] & b[1]); /* z^4 = z + 1 */
    uint64_t z5 = (a[2] & b[3]) ^ (a[3] & b[2]);                 /* z^2 + z */
    uint64_t z6 = a[3] & b[3];                                   /* z^3 + z^2 */
    uint64_t c0 = (a[0] & b[0]) ^ z4;
    uint64_t c1 = (a[0] & b[1]) ^ (a[1] & b[0]) ^ z4 ^ z5;
    uint64_t c2 = (a[0] & b[2]) ^ (a[1] & b[1]) ^ (a[2] & b[0]) ^ z5 ^ z6;

    c[3] = (a[0] & b[3]) ^ (a[1] & b[2]) ^ (a[2] & b[1]) ^ (a[3] & b[0]) ^ z6;
    c[0] = c0;
    c[1] = c1;
    c[2] = c2;
}

static inline void square16(uint64_t c[4], const uint64_t a[4])
{
    uint64_t c0 = a[0] ^ a[2], c2 = a[1] ^ a[3];

    c[1] = a[2];
    c[0] = c0;
    c[2] = c2;
    c[3] = a[3];
}

/* d = 1/d. */
static inline void invert16(uint64_t d[4])
{
    uint64_t d2[4], d4[4], d8[4];

    square16(d2, d);
    square16(d4, d2);
    square16(d8, d4);
    mul16(d, d2, d4);
    mul16(d, d, d8);
}

static inline void to_tower(uint64_t l[4], uint64_t h[4], const uint64_t q[8])
{
    uint64_t s57 = q[5] ^ q[7], s46 = q[4] ^ q[6], s2357 = q[2] ^ q[3] ^ s57;

    l[0] = q[0] ^ s57;
    l[1] = q[2];
    l[2] = s46 ^ s2357;
    l[3] = q[3] ^ q[4];
    h[0] = q[5] ^ s46;
    h[1] = q[1] ^ q[7] ^ s46;
    h[2] = s2357;
    h[3] = s57;
}

/* The last four NOTs add the constant 63 of the affine map. */
static inline void from_tower(uint64_t q[8], const uint64_t l[4], const uint64_t h[4])
{
    uint64_t s05 = l[0] ^ h[1], s12 = l[1] ^ l[2], s67 = h[2] ^ h[3];
    uint64_t s035 = l[3] ^ s05, s0345 = h[0] ^ s035;

    q[0] = ~(l[0] ^ l[2] ^ h[2]);
    q[1] = ~(s12 ^ s0345);
    q[2] = h[2] ^ s035;
    q[3] = l[2] ^ s05;
    q[4] = l[1] ^ s0345;
    q[5] = ~(l[3] ^ h[1] ^ s12 ^ s67);
    q[6] = ~(h[0] ^ s67);
    q[7] = s12;
}

static void sub_bytes(struct slices *x)
{
    uint64_t l[4], h[4], d[4], sum[4];

    to_tower(l, h, x->q);
    mul16(d, h, l);
    d[0] ^= h[2] ^ l[0] ^ l[2]; /* z^3 h^2 + l^2 */
    d[1] ^= h[1] ^ h[2] ^ h[3] ^ l[2];
    d[2] ^= h[1] ^ l[1] ^ l[3];
    d[3] ^= h[0] ^ h[2] ^ h[3] ^ l[3];
    for (size_t i = 0; i < 4; i++)
        sum[i] = h[i] ^ l[i];
    invert16(d);
    mul16(h, h, d);
    mul16(l, sum, d);
    from_tower(x->q, l, h);
}

/* Row r turns left by r columns: by two in rows 2 and 3, then by one in rows 1 and 3. */
static uint64_t shift_rows(uint64_t x)
{
    uint64_t by2 = (x >> 8 & 0x00ff00ff00000000u) | (x << 8 & 0xff00ff0000000000u);

    x = (x & 0x00000000ffffffffu) | (by2 & 0xffffffff00000000u);
    return (x & 0x0000ffff0000ffffu) | (x >> 4 & 0x0fff00000fff0000u) |
           (x << 12 & 0xf0000000f0000000u);
}

static void mix_columns(struct slices *x)
{
    uint64_t q[8], top;

    memcpy(q, x->q, sizeof q);
    top = q[7] ^ ror(q[7], 16);
    for (size_t i = 0; i < 8;
         i++) { /* 2(a + b) + b + c + d; 2 moves bits up, 1b if one falls out */
        uint64_t below = i > 0 ? q[i - 1] ^ ror(q[i - 1], 16) : 0;
        uint64_t b = ror(q[i], 16);

        x->q[i] = below ^ b ^ ror(q[i] ^ b, 32);
    }
    x->q[0] ^= top;
    x->q[1] ^= top;
    x->q[3] ^= top;
    x->q[4] ^= top;
}

static void add_key(struct slices *x, const struct slices *key)
{
    for (size_t i = 0; i < 8; i++)
        x->q[i] ^= key->q[i];
}

static void encrypt(struct slices *x, const struct slices key[11])
{
    add_key(x, &key[0]);
    for (size_t r = 1; r <= 10; r++) {
        sub_bytes(x);
        for (size_t i = 0; i < 8; i++)
            x->q[i] = shift_rows(x->q[i]);
        if (r < 10)
            mix_columns(x);
        add_key(x, &key[r]);
    }
}

/* Exchange the bits of |*a| at 1s of |mask| << n with those of |*b| at 1s of |mask|. */
static inline void swap(uint64_t *a, uint64_t *b, unsigned n, uint64_t mask)
{
    uint64_t d = (*a >> n ^ *b) & mask;

    *a ^= d << n;
    *b ^= d;
}

/* Bit i of byte p of word k becomes bit k of byte p of word i; and back. */
static void transpose(uint64_t q[8])
{
    for (size_t i = 0; i < 4; i++)
        swap(&q[2 * i], &q[2 * i + 1], 1, 0x5555555555555555u);
    for (size_t i = 0; i < 8; i += i % 4 == 0 ? 1 : 3)
        swap(&q[i], &q[i + 2], 2, 0x3333333333333333u);
    for (size_t i = 0; i < 4; i++)
        swap(&q[i], &q[i + 4], 4, 0x0f0f0f0f0f0f0f0fu);
}

/* The bytes of a column, row 0 first, two apart; and back. */
static uint64_t spread(const uint8_t column[4])
{
    return column[0] | (uint64_t)column[1] << 16 | (uint64_t)column[2] << 32 |
           (uint64_t)column[3] << 48;
}

static void gather(uint8_t column[4], uint64_t x)
{
    for (size_t r = 0; r < 4; r++)
        column[r] = (uint8_t)(x >> 16 * r);
}

/* Words before the transposition: columns 0 and 2 of block b are word b, 1 and 3 are word 4 + b. */
static void pack(struct slices *x, const uint8_t (*in)[16])
{
    for (size_t b = 0; b < 4; b++) {
        x->q[b] = spread(in[b]) | spread(in[b] + 8) << 8;
        x->q[4 + b] = spread(in[b] + 4) | spread(in[b] + 12) << 8;
    }
    transpose(x->q);
}

static void unpack(uint8_t (*out)[16], struct slices *x)
{
    transpose(x->q);
    for (size_t b = 0; b < 4; b++) {
        gather(out[b], x->q[b]);
        gather(out[b] + 8, x->q[b] >> 8);
        gather(out[b] + 4, x->q[4 + b]);
        gather(out[b] + 12, x->q[4 + b] >> 8);
    }
}

static void four(uint8_t (*out)[16], struct scratch *t, const uint8_t (*in)[16])
{
    pack(&t->x, in);
    encrypt(&t->x, t->key);
    unpack(out, &t->x);
}

/* The S-box of the first block of |t|->rest[0], through all of the slices. */
static void sub_block(struct scratch *t)
{
    pack(&t->x, (const uint8_t(*)[16])t->rest[0]);
    sub_bytes(&t->x);
    unpack(t->rest[0], &t->x);
}

/* FIPS 197, section 5.2, sixteen bytes a round. */
static void key_expand(struct scratch *t, const uint8_t key[16])
{
    static const uint8_t rcon[11] = {0, 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36};

    memset(t->rest, 0, sizeof t->rest);
    memcpy(t->word[0], key, 16);
    for (size_t r = 1; r <= 10; r++) {
        const uint8_t *old = t->word[r - 1];
        uint8_t *new = t->word[r], *sub = t->rest[0][0];

        memcpy(sub, old, 16);
        sub_block(t);
        for (size_t i = 0; i < 4; i++)
            new[i] = old[i] ^ sub[12 + (i + 1) % 4];
        new[0] ^= rcon[r];
        for (size_t i = 4; i < 16; i++)
            new[i] = old[i] ^ new[i - 4];
    }
}

static void keys_init(struct scratch *t, const uint8_t key[16])
{
    key_expand(t, key);
    for (size_t r = 0; r <= 10; r++) {
        for (size_t b = 0; b < 4; b++)
            memcpy(t->rest[0][b], t->word[r], 16);
        pack(&t->key[r], (const uint8_t(*)[16])t->rest[0]);
    }
}

void qrt_aes128_soft(uint8_t (*out)[16], const uint8_t key[16], const uint8_t (*in)[16], size_t n)
{
    struct scratch t;

    keys_init(&t, key);
    for (; n >= 4; n -= 4, in += 4, out += 4)
        four(out, &t, in);
    if (n > 0) {
        memcpy(t.rest[0], in, 16 * n);
        four(t.rest[1], &t, (const uint8_t(*)[16])t.rest[0]);
        memcpy(out, t.rest[1], 16 * n);
    }
    qrt_wipe(&t, sizeof t);
}
