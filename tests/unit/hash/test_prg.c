/* SPDX-License-Identifier: Apache-2.0 */
/* The generator of one tree (protocol.md D.5): the vector of hash_vectors.py, its definition block
 * by block, and both implementations of AES alike. */
#include "pattern.h"

#include "hash/prg.h"

#include <sodium.h>
#include <string.h>

static const unsigned choices[] = {0, QRT_CPU_AES};

struct tree {
    uint8_t key[16];
    uint8_t seeds[16][16];
    uint8_t rows[16][80];
};

static void tree_make(struct tree *t, const struct qrt_ctx *ctx)
{
    uint8_t b[272];

    pattern_fill(b, sizeof b);
    memcpy(t->key, b, 16);
    memcpy(t->seeds, b + 16, 256);
    qrt_prg_tree(ctx, t->rows, t->key, (const uint8_t(*)[16])t->seeds);
}

static void test_rows_equal_the_vector(void **state)
{
    struct tree t;
    uint8_t digest[32];

    (void)state;
    for (size_t c = 0; c < QRT_ARRAY_LEN(choices); c++) {
        tree_make(&t, test_ctx(choices[c]));
        assert_int_equal(crypto_hash_sha256(digest, t.rows[0], sizeof t.rows), 0);
        assert_true(test_is_hex(
            digest, 32, "a381b5e872306a060adde7810cd8466adfdea43a74068b5085c6bd88dc901b61"));
    }
}

static void test_every_block_equals_its_definition(void **state)
{
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    struct tree t;
    uint8_t in[16], out[16];

    (void)state;
    tree_make(&t, ctx);
    for (size_t x = 0; x < 16; x++) {
        for (size_t c = 0; c < 5; c++) {
            memcpy(in, t.seeds[x], 16);
            in[15] ^= (uint8_t)c;
            qrt_aes128_block(ctx, out, t.key, in);
            for (size_t i = 0; i < 16; i++)
                assert_int_equal(t.rows[x][16 * c + i], out[i] ^ in[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_equal_the_vector),
        cmocka_unit_test(test_every_block_equals_its_definition),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
