/* SPDX-License-Identifier: Apache-2.0 */
/* AES-128: the vectors of FIPS 197, and both implementations against one that follows its text byte
 * by byte. */
#include "support.h"

#include "hash/aes.h"
#include "hash/prg.h"

#include <string.h>

static const unsigned choices[] = {0, QRT_CPU_AES};

/* FIPS 197, section 4.2. */
static uint8_t mul(uint8_t a, uint8_t b)
{
    unsigned r = 0, x = a;

    for (unsigned i = 0; i < 8; i++) {
        r ^= b >> i & 1 ? x : 0;
        x = x << 1 ^ (x & 0x80 ? 0x11b : 0);
    }
    return (uint8_t)r;
}

static uint8_t sub(uint8_t x)
{
    unsigned inv = 1, r = 0x63;

    for (unsigned i = 0; i < 254; i++)
        inv = mul((uint8_t)inv, x);
    for (unsigned i = 0; i < 5; i++)
        r ^= (inv << i | inv >> (8 - i)) & 0xff;
    return (uint8_t)r;
}

static uint8_t sbox[256];

static void model_round(uint8_t s[16], bool last)
{
    uint8_t t[16];

    for (size_t i = 0; i < 16; i++) /* row i % 4, column i / 4 */
        t[i] = sbox[s[i % 4 + 4 * ((i / 4 + i % 4) % 4)]];
    for (size_t i = 0; i < 16; i++) {
        const uint8_t *c = t + i / 4 * 4;

        s[i] = last ? t[i]
                    : (uint8_t)(mul(2, c[i % 4]) ^ mul(3, c[(i + 1) % 4]) ^ c[(i + 2) % 4] ^
                                c[(i + 3) % 4]);
    }
}

static void model_next_key(uint8_t k[16], uint8_t rcon)
{
    for (size_t i = 0; i < 4; i++)
        k[i] ^= sbox[k[12 + (i + 1) % 4]] ^ (i == 0 ? rcon : 0);
    for (size_t i = 4; i < 16; i++)
        k[i] ^= k[i - 4];
}

static void model(uint8_t out[16], const uint8_t key[16], const uint8_t in[16])
{
    uint8_t k[16], s[16], rcon = 1;

    memcpy(k, key, 16);
    for (size_t i = 0; i < 16; i++)
        s[i] = in[i] ^ k[i];
    for (unsigned r = 1; r <= 10; r++) {
        model_round(s, r == 10);
        model_next_key(k, rcon);
        rcon = mul(rcon, 2);
        for (size_t i = 0; i < 16; i++)
            s[i] ^= k[i];
    }
    memcpy(out, s, 16);
}

static int make_sbox(void **state)
{
    (void)state;
    for (unsigned x = 0; x < 256; x++)
        sbox[x] = sub((uint8_t)x);
    return 0;
}

static void test_vectors_of_fips_197(void **state)
{
    static const char *const vectors[][3] = {
        /* key, plaintext, ciphertext: appendices B and C.1 */
        {"2b7e151628aed2a6abf7158809cf4f3c", "3243f6a8885a308d313198a2e0370734",
         "3925841d02dc09fbdc118597196a0b32"},
        {"000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff",
         "69c4e0d86a7b0430d8cdb78070b4c55a"},
    };
    uint8_t key[16], in[16], out[16];

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(vectors); i++) {
        test_unhex(key, 16, vectors[i][0]);
        test_unhex(in, 16, vectors[i][1]);
        for (size_t c = 0; c < QRT_ARRAY_LEN(choices); c++) {
            qrt_aes128_block(test_ctx(choices[c]), out, key, in);
            assert_true(test_is_hex(out, 16, vectors[i][2]));
        }
        model(out, key, in);
        assert_true(test_is_hex(out, 16, vectors[i][2]));
    }
}

/* Every batch size: both the blocks done together and the rest. */
static void test_both_implementations_equal_the_text_of_fips_197(void **state)
{
    struct test_rng rng = {2};
    uint8_t key[16], in[21][16], out[21][16], expected[21][16];

    (void)state;
    for (size_t n = 0; n <= 20; n++) {
        test_rng_bytes(&rng, key, sizeof key);
        test_rng_bytes(&rng, in[0], sizeof in);
        memset(expected, 0xee, sizeof expected);
        for (size_t v = 0; v < n; v++)
            model(expected[v], key, in[v]);
        for (size_t c = 0; c < QRT_ARRAY_LEN(choices); c++) {
            memset(out, 0xee, sizeof out);
            qrt_aes128(test_ctx(choices[c]), out, key, (const uint8_t(*)[16])in, n);
            assert_memory_equal(out, expected, sizeof out);
        }
    }
}

/* The key is zero, so the first round looks up the bytes of the block. */
static void test_every_entry_of_the_s_box_in_every_place(void **state)
{
    static const uint8_t key[16];
    uint8_t in[16], out[16], expected[16];

    (void)state;
    for (unsigned x = 0; x < 256; x++) {
        for (unsigned i = 0; i < 16; i++)
            in[i] = (uint8_t)(x + 16 * i);
        model(expected, key, in);
        for (size_t c = 0; c < QRT_ARRAY_LEN(choices); c++) {
            qrt_aes128_block(test_ctx(choices[c]), out, key, in);
            assert_memory_equal(out, expected, 16);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_of_fips_197),
        cmocka_unit_test(test_both_implementations_equal_the_text_of_fips_197),
        cmocka_unit_test(test_every_entry_of_the_s_box_in_every_place),
    };

    return cmocka_run_group_tests(tests, make_sbox, NULL);
}
