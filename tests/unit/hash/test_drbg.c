/* SPDX-License-Identifier: Apache-2.0 */
/* The generator: vectors of hash_vectors.py, the order of draws, and rejection. Linked with
 * --wrap=qrt_sc_decode, because no seed is known whose draw is refused. */
#include "pattern.h"

#include "hash/drbg.h"
#include "math/scalar.h"

#include <sodium.h>
#include <string.h>

enum answer { ACCEPT, REFUSE, ZERO };

/* What the next decodings answer; beyond them the real one does. */
static enum answer script[4];
static size_t script_n, script_at;

bool __real_qrt_sc_decode(struct qrt_sc *r, const uint8_t b[32]);
bool __wrap_qrt_sc_decode(struct qrt_sc *r, const uint8_t b[32]);

bool __wrap_qrt_sc_decode(struct qrt_sc *r, const uint8_t b[32])
{
    enum answer answer = script_at < script_n ? script[script_at++] : ACCEPT;

    if (answer == ACCEPT)
        return __real_qrt_sc_decode(r, b);
    *r = answer == ZERO ? qrt_sc_zero : qrt_sc_one;
    return answer == ZERO;
}

static void start(struct qrt_drbg *d, const struct qrt_ctx *ctx)
{
    uint8_t seed[32];

    pattern_fill(seed, sizeof seed);
    qrt_drbg_start(d, ctx, seed);
}

static void test_draws_equal_the_vectors(void **state)
{
    uint8_t b[1000], digest[32];
    struct qrt_drbg d;

    (void)state;
    for (size_t c = 0; c < CPU_CHOICES; c++) {
        const struct qrt_ctx *ctx = test_ctx(cpu_choices[c]);

        start(&d, ctx);
        qrt_drbg_bytes(&d, ctx, b, 40);
        assert_true(test_is_hex(b, 40,
                                "3d4be857616464a482512f44371e42d91b5e08842ec7ec26f0f7ea9f76c8af62"
                                "48e9c6705e44d4b2"));
        qrt_drbg_bytes(&d, ctx, b, 32);
        assert_true(
            test_is_hex(b, 32, "13c0b3417af083ae37436680e02d15b620345bb264fdf40d00aa227151226edd"));
        qrt_drbg_bytes(&d, ctx, b, 1000);
        assert_int_equal(crypto_hash_sha256(digest, b, 1000), 0);
        assert_true(test_is_hex(
            digest, 32, "2667815a475df8a49d66ba1837b63c3b750cfa378fde8e32d6f6e1c1a4be40fc"));
    }
}

static void test_start_wipes_the_seed(void **state)
{
    uint8_t seed[32];
    struct qrt_drbg d;

    (void)state;
    pattern_fill(seed, sizeof seed);
    qrt_drbg_start(&d, test_ctx(QRT_CPU_ALL), seed);
    assert_true(sodium_is_zero(seed, sizeof seed));
}

static void test_a_draw_takes_whole_blocks(void **state)
{
    static const uint64_t blocks[] = {0, 1, 1, 2, 2, 3, 16, 17};
    static const size_t lens[] = {0, 1, 32, 33, 64, 65, 512, 513};
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    uint8_t b[514];
    struct qrt_drbg d;

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(lens); i++) {
        start(&d, ctx);
        memset(b, 0xee, sizeof b);
        qrt_drbg_bytes(&d, ctx, b, lens[i]);
        assert_int_equal(d.counter, blocks[i]);
        assert_int_equal(b[lens[i]], 0xee);
    }
}

static void test_a_scalar_is_one_draw_of_32_bytes(void **state)
{
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    uint8_t b[32], encoded[32];
    struct qrt_drbg d;
    struct qrt_sc x;

    (void)state;
    start(&d, ctx);
    qrt_drbg_bytes(&d, ctx, b, 32);
    start(&d, ctx);
    qrt_drbg_scalar(&d, ctx, &x);
    qrt_sc_encode(encoded, &x);
    assert_memory_equal(encoded, b, 32);
    assert_int_equal(d.counter, 1);
}

static void test_a_scalar_too_large_or_zero_is_drawn_again(void **state)
{
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    uint8_t b[4][32], encoded[32];
    struct qrt_drbg d;
    struct qrt_sc x;

    (void)state;
    start(&d, ctx);
    qrt_drbg_bytes(&d, ctx, b[0], sizeof b);
    script[0] = REFUSE;
    script[1] = ZERO;
    script[2] = REFUSE;
    script_n = 3;
    start(&d, ctx);
    qrt_drbg_scalar(&d, ctx, &x);
    script_n = 0;
    qrt_sc_encode(encoded, &x);
    assert_memory_equal(encoded, b[3], 32);
    assert_int_equal(d.counter, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_draws_equal_the_vectors),
        cmocka_unit_test(test_start_wipes_the_seed),
        cmocka_unit_test(test_a_draw_takes_whole_blocks),
        cmocka_unit_test(test_a_scalar_is_one_draw_of_32_bytes),
        cmocka_unit_test(test_a_scalar_too_large_or_zero_is_drawn_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
