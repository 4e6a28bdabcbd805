/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256: the vectors of FIPS 180-4, libsodium's SHA-256 as a model, and every implementation
 * against the one in plain C. */
#include "pattern.h"

#include "hash/sha256.h"
#include "hash/sha256_impl.h"

#include <sodium.h>
#include <string.h>

#define MANY 64

struct vector {
    const char *message;
    const char *digest;
};

static const struct vector vectors[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnop"
     "qrs"
     "mnopqrstnopqrstu",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
};

static void test_vectors_of_fips_180_4(void **state)
{
    (void)state;
    for (size_t c = 0; c < CPU_CHOICES; c++) {
        const struct qrt_ctx *ctx = test_ctx(cpu_choices[c]);

        for (size_t i = 0; i < QRT_ARRAY_LEN(vectors); i++) {
            uint8_t digest[32];

            qrt_sha256(ctx, digest, vectors[i].message, strlen(vectors[i].message));
            assert_true(test_is_hex(digest, 32, vectors[i].digest));
        }
    }
}

static void test_one_million_letters_a(void **state)
{
    struct qrt_sha256 h;
    uint8_t a[1000], digest[32];

    (void)state;
    memset(a, 'a', sizeof a);
    for (size_t c = 0; c < CPU_CHOICES; c++) {
        qrt_sha256_start(&h, test_ctx(cpu_choices[c]));
        for (size_t i = 0; i < 1000; i++)
            qrt_sha256_put(&h, a, sizeof a);
        qrt_sha256_end(&h, digest);
        assert_true(test_is_hex(
            digest, 32, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"));
    }
}

static void check_splits(const struct qrt_ctx *ctx, const uint8_t *b, size_t len)
{
    uint8_t expected[32], digest[32];
    struct qrt_sha256 h;

    assert_int_equal(crypto_hash_sha256(expected, b, len), 0);
    for (size_t at = 0; at <= len; at++) {
        qrt_sha256_start(&h, ctx);
        qrt_sha256_put(&h, b, at);
        qrt_sha256_put(&h, b + at, len - at);
        qrt_sha256_end(&h, digest);
        assert_memory_equal(digest, expected, 32);
    }
}

static void test_every_length_split_at_every_point(void **state)
{
    static const unsigned choices[] = {0, QRT_CPU_ALL};
    uint8_t b[300];

    (void)state;
    pattern_fill(b, sizeof b);
    for (size_t c = 0; c < QRT_ARRAY_LEN(choices); c++) {
        const struct qrt_ctx *ctx = test_ctx(choices[c]);

        for (size_t len = 0; len <= sizeof b; len++)
            check_splits(ctx, b, len);
    }
}

static void test_a_stream_resumes_from_a_midstate(void **state)
{
    uint8_t b[200], expected[32], digest[32];
    uint32_t mid[8];
    struct qrt_sha256 h;
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);

    (void)state;
    pattern_fill(b, sizeof b);
    assert_int_equal(crypto_hash_sha256(expected, b, sizeof b), 0);
    memcpy(mid, qrt_sha256_iv, sizeof mid);
    qrt_sha256_compress(ctx, mid, b, 2);
    qrt_sha256_resume(&h, ctx, mid, 2);
    qrt_sha256_put(&h, b + 128, sizeof b - 128);
    qrt_sha256_end(&h, digest);
    assert_memory_equal(digest, expected, 32);
}

static void test_the_end_wipes_the_stream(void **state)
{
    struct qrt_sha256 h;
    uint8_t digest[32];

    (void)state;
    qrt_sha256_start(&h, test_ctx(QRT_CPU_ALL));
    qrt_sha256_put(&h, "secret", 6);
    qrt_sha256_end(&h, digest);
    assert_true(sodium_is_zero((const uint8_t *)&h, sizeof h));
}

/* Odd addresses: nothing may ask for aligned blocks. */
struct batch {
    uint8_t odd;
    uint8_t blocks[MANY][64];
    uint32_t states[MANY][8];
    uint32_t expected[MANY][8];
    uint8_t digests[MANY][32];
    uint8_t expected_digests[MANY][32];
};

static void batch_init(struct batch *t)
{
    struct test_rng rng = {1};

    test_rng_bytes(&rng, (uint8_t *)t->blocks, sizeof t->blocks);
    test_rng_bytes(&rng, (uint8_t *)t->states, sizeof t->states);
    memset(t->digests, 0, sizeof t->digests);
}

static void check_states(const struct qrt_ctx *ctx, struct batch *t, size_t n)
{
    batch_init(t);
    memcpy(t->expected, t->states, sizeof t->states);
    for (size_t v = 0; v < n; v++)
        qrt_sha256_portable(t->expected[v], t->blocks[v], 1);
    qrt_sha256_compress_many(ctx, t->states, (const uint8_t(*)[64])t->blocks, n);
    assert_memory_equal(t->states, t->expected, sizeof t->states);
}

static void check_digests(const struct qrt_ctx *ctx, struct batch *t, size_t n)
{
    uint32_t one[8];

    batch_init(t);
    memcpy(t->expected_digests, t->digests, sizeof t->digests);
    for (size_t v = 0; v < n; v++) {
        memcpy(one, t->states[0], sizeof one);
        qrt_sha256_portable(one, t->blocks[v], 1);
        qrt_sha256_words_put(t->expected_digests[v], one);
    }
    qrt_sha256_digest_many(ctx, t->digests, t->states[0], (const uint8_t(*)[64])t->blocks, n);
    assert_memory_equal(t->digests, t->expected_digests, sizeof t->digests);
}

static void test_every_batch_size_of_every_implementation_equals_plain_c(void **state)
{
    static struct batch t;

    (void)state;
    for (size_t c = 0; c < CPU_CHOICES; c++) {
        const struct qrt_ctx *ctx = test_ctx(cpu_choices[c]);

        for (size_t n = 0; n <= MANY; n++) {
            check_states(ctx, &t, n);
            check_digests(ctx, &t, n);
        }
    }
}

/* sodium_malloc ends at a page that may not be touched. */
static void test_nothing_beyond_the_last_block_is_touched(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 17; n++) {
        uint8_t(*blocks)[64] = sodium_malloc(n * sizeof *blocks);
        uint32_t(*states)[8] = sodium_malloc(n * sizeof *states);
        uint8_t(*out)[32] = sodium_malloc(n * sizeof *out);

        assert_true(blocks && states && out);
        for (size_t c = 0; c < CPU_CHOICES; c++) {
            const struct qrt_ctx *ctx = test_ctx(cpu_choices[c]);

            qrt_sha256_compress_many(ctx, states, (const uint8_t(*)[64])blocks, n);
            qrt_sha256_digest_many(ctx, out, states[0], (const uint8_t(*)[64])blocks, n);
        }
        sodium_free(blocks);
        sodium_free(states);
        sodium_free(out);
    }
}

static void test_runs_of_blocks_equal_plain_c(void **state)
{
    static struct batch t;

    (void)state;
    for (size_t n = 0; n <= MANY; n++) {
        batch_init(&t);
        memcpy(t.expected[0], t.states[0], sizeof t.states[0]);
        qrt_sha256_portable(t.expected[0], t.blocks[0], n);
        qrt_sha256_compress(test_ctx(QRT_CPU_ALL), t.states[0], t.blocks[0], n);
        assert_memory_equal(t.states[0], t.expected[0], sizeof t.states[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_of_fips_180_4),
        cmocka_unit_test(test_one_million_letters_a),
        cmocka_unit_test(test_every_length_split_at_every_point),
        cmocka_unit_test(test_a_stream_resumes_from_a_midstate),
        cmocka_unit_test(test_the_end_wipes_the_stream),
        cmocka_unit_test(test_every_batch_size_of_every_implementation_equals_plain_c),
        cmocka_unit_test(test_nothing_beyond_the_last_block_is_touched),
        cmocka_unit_test(test_runs_of_blocks_equal_plain_c),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
