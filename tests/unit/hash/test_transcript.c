/* SPDX-License-Identifier: Apache-2.0 */
/* TH, FH and LH8: known answers, the vectors of hash_vectors.py, and that no two lists of fields
 * hash alike. */
#include "pattern.h"

#include "../base/panics.h"
#include "hash/transcript.h"
#include "math/scalar.h"

#include <sodium.h>
#include <string.h>

static void test_known_answers(void **state)
{
    static const uint8_t zero[32];
    uint8_t digest[32], rows[40];
    struct qrt_th th;

    (void)state;
    for (size_t i = 0; i < sizeof rows; i++)
        rows[i] = (uint8_t)(i % 2 == 0 ? 0 : i / 2);
    for (size_t c = 0; c < CPU_CHOICES; c++) {
        const struct qrt_ctx *ctx = test_ctx(cpu_choices[c]);

        qrt_th_start(&th, ctx, QRT_L_KG_COMMIT);
        qrt_th_field(&th, "ab", 2);
        qrt_th_field(&th, "c", 1);
        qrt_th_end(&th, digest);
        assert_true(test_is_hex(
            digest, 32, "e5909f08f482ab1aa3dfc7b795c2bfb39d60edb9b814de7f4a621c9194346c2a"));
        qrt_fh(ctx, digest, QRT_L_EXT_ROW, zero, (const uint8_t *)"x", 1);
        assert_true(test_is_hex(
            digest, 32, "d0fe8ceb980d66e273ddc9c0e080434117c43dfb3864e66b9e48338c4cd8a2b4"));
        qrt_lh8(ctx, digest, QRT_L_RV_MU, QRT_L_RV_MU_TOP, zero, rows, 2, 20);
        assert_true(test_is_hex(
            digest, 32, "7150b7b897a9a8fd88d855c2774c392fb056775ee026e8edc35d2b918f28cce8"));
    }
}

static void th_of(uint8_t digest[32], const char *const *fields, size_t n)
{
    struct qrt_th th;

    qrt_th_start(&th, test_ctx(QRT_CPU_ALL), QRT_L_KG_POK);
    for (size_t i = 0; i < n; i++)
        qrt_th_field(&th, fields[i], strlen(fields[i]));
    qrt_th_end(&th, digest);
}

static void assert_all_differ(uint8_t (*digests)[32], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(digests[i], digests[j], 32);
    }
}

static void test_tsshock_alpha_shuffle_moved_split_merged_and_reordered_fields_differ(void **state)
{
    static const struct {
        const char *fields[4];
        size_t n;
    } lists[] = {
        {{NULL}, 0},          {{""}, 1},
        {{"", ""}, 2},        {{"ab", "c"}, 2},
        {{"a", "bc"}, 2},     {{"abc"}, 1},
        {{"", "abc"}, 2},     {{"abc", ""}, 2},
        {{"c", "ab"}, 2},     {{"bc", "a"}, 2},
        {{"a", "b", "c"}, 3}, {{"a", "c", "b"}, 3},
        {{"ab", "c", ""}, 3}, {{"ab", "", "c"}, 3},
        {{"", "ab", "c"}, 3}, {{"a$b", "c"}, 2},
        {{"a", "b$c"}, 2},    {{"ab$c"}, 1},
    };
    uint8_t digests[QRT_ARRAY_LEN(lists)][32];

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(lists); i++)
        th_of(digests[i], lists[i].fields, lists[i].n);
    assert_all_differ(digests, QRT_ARRAY_LEN(lists));
}

/* Bit i of |cuts|: a field ends after byte i. */
static void th_of_cuts(uint8_t digest[32], const uint8_t b[8], unsigned cuts)
{
    struct qrt_th th;
    size_t from = 0;

    qrt_th_start(&th, test_ctx(0), QRT_L_KG_POK);
    for (size_t i = 0; i < 8; i++) {
        if (i < 7 && !(cuts >> i & 1))
            continue;
        qrt_th_field(&th, b + from, i + 1 - from);
        from = i + 1;
    }
    qrt_th_end(&th, digest);
}

static void test_tsshock_every_way_to_cut_eight_bytes_differs(void **state)
{
    static const uint8_t b[8] = {0, 0, 0, 1, 0, 0, 0, 1}; /* looks like lengths */
    static uint8_t digests[128][32];

    (void)state;
    for (unsigned cuts = 0; cuts < 128; cuts++)
        th_of_cuts(digests[cuts], b, cuts);
    assert_all_differ(digests, 128);
}

static void test_labels_separate_th_and_fh(void **state)
{
    static const uint8_t zero[32];
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    uint8_t digests[4][32];
    struct qrt_th th;

    (void)state;
    qrt_th_start(&th, ctx, QRT_L_KG_POK);
    qrt_th_end(&th, digests[0]);
    qrt_th_start(&th, ctx, QRT_L_RS_POK);
    qrt_th_end(&th, digests[1]);
    qrt_fh(ctx, digests[2], QRT_L_EXT_ROW, zero, NULL, 0);
    qrt_fh(ctx, digests[3], QRT_L_EXT_PRG, zero, NULL, 0);
    assert_all_differ(digests, 4);
}

static void test_a_field_in_parts_and_numbers_hash_as_their_bytes(void **state)
{
    static const uint8_t bytes[] = {7, 1, 2, 3, 4, 5, 6, 9, 8};
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    uint8_t whole[32], parts[32];
    struct qrt_th th;

    (void)state;
    qrt_th_start(&th, ctx, QRT_L_BCAST);
    qrt_th_field(&th, bytes, 1);
    qrt_th_field(&th, bytes + 1, 2);
    qrt_th_field(&th, bytes + 1, 4);
    qrt_th_field(&th, bytes + 5, 4);
    qrt_th_end(&th, whole);

    qrt_th_start(&th, ctx, QRT_L_BCAST);
    qrt_th_u8(&th, 7);
    qrt_th_be16(&th, 0x0102);
    qrt_th_be32(&th, 0x01020304);
    qrt_th_open(&th, 4);
    qrt_th_part(&th, bytes + 5, 2);
    qrt_th_part_be16(&th, 0x0908);
    qrt_th_end(&th, parts);
    assert_memory_equal(parts, whole, 32);
    assert_true(sodium_is_zero((const uint8_t *)&th, sizeof th));
}

static struct qrt_th open_field;

static void field_inside_a_field(void)
{
    qrt_th_field(&open_field, "a", 1);
}

static void end_inside_a_field(void)
{
    uint8_t digest[32];

    qrt_th_end(&open_field, digest);
}

static void part_longer_than_its_field(void)
{
    qrt_th_part(&open_field, "abc", 3);
}

static void test_a_field_must_be_filled_exactly(void **state)
{
    (void)state;
    qrt_th_start(&open_field, test_ctx(QRT_CPU_ALL), QRT_L_BCAST);
    qrt_th_open(&open_field, 2);
    assert_true(panics(field_inside_a_field));
    assert_true(panics(end_inside_a_field));
    assert_true(panics(part_longer_than_its_field));
    qrt_th_part(&open_field, "ab", 2);
    assert_false(panics(end_inside_a_field));
}

static void test_a_scalar_digest_is_reduced(void **state)
{
    uint8_t b[40], digest[32];
    struct qrt_sc expected, got;
    struct qrt_th th;

    (void)state;
    pattern_fill(b, sizeof b);
    test_unhex(digest, 32, "14aea1e4086995035339dcd5190d0e2fb9435cb932b13a907a60a6319b07e30e");
    qrt_sc_reduce(&expected, digest);
    qrt_th_start(&th, test_ctx(QRT_CPU_ALL), QRT_L_KG_POK);
    qrt_th_field(&th, b, sizeof b);
    qrt_th_end_scalar(&th, &got);
    assert_true(qrt_sc_equal(&got, &expected));
}

static void test_fh_of_any_length(void **state)
{
    static const struct {
        size_t len;
        const char *digest;
    } vectors[] = {
        {0, "f5387e25b5c648261d91c04a98cc745c050f0fc49699bee871b232a68c6e1cad"},
        {55, "f8c31b4bdb55265a3ce1d3a46fa4d6a4845d4253149b730411d9668f7bad9fd3"},
        {56, "bad31d61aa205dcdb802233b16e00c2d6f8e10af229974884cd2a1ac374bad7e"},
        {64, "9cfb7cfb008c1727485f305299ce9482c3d4534157926ff023bd115a89ebe8dc"},
        {200, "8e9e6836d33f6c0dce7783163758313f653d73acb67d276fe1f7afa9e5d8383b"},
    };
    uint8_t b[200], digest[32];

    (void)state;
    pattern_fill(b, sizeof b);
    for (size_t i = 0; i < QRT_ARRAY_LEN(vectors); i++) {
        qrt_fh(test_ctx(QRT_CPU_ALL), digest, QRT_L_EXT_ROW, b, b, vectors[i].len);
        assert_true(test_is_hex(digest, 32, vectors[i].digest));
    }
}

/* Digests beyond |n| must stay as they were. */
static void check_fh_many(const struct qrt_ctx *ctx, size_t len, size_t n)
{
    static uint8_t data[QRT_FH_MANY_MAX][64], out[QRT_FH_MANY_MAX][32];
    static uint8_t expected[QRT_FH_MANY_MAX][32];
    uint8_t c[32];
    uint32_t mid[8];

    pattern_fill(c, sizeof c);
    pattern_fill(data[0], sizeof data);
    memset(out, 0xee, sizeof out);
    memset(expected, 0xee, sizeof expected);
    for (size_t v = 0; v < n; v++)
        qrt_fh(ctx, expected[v], QRT_L_EXT_ROW, c, data[v], len);
    qrt_fh_mid(ctx, mid, QRT_L_EXT_ROW, c);
    qrt_fh_many(ctx, out, mid, data, len, n);
    assert_memory_equal(out, expected, sizeof out);
}

static void test_many_fh_equal_single_ones(void **state)
{
    (void)state;
    for (size_t c = 0; c < CPU_CHOICES; c++) {
        const struct qrt_ctx *ctx = test_ctx(cpu_choices[c]);

        for (size_t n = 0; n <= QRT_FH_MANY_MAX; n++)
            check_fh_many(ctx, 19, n);
        for (size_t len = 0; len <= 55; len++)
            check_fh_many(ctx, len, 3);
    }
}

static void test_batches_in_the_same_memory_are_padded_once(void **state)
{
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    uint8_t data[3][64], out[3][32], expected[32], c[32];
    uint32_t mid[8];

    (void)state;
    pattern_fill(c, sizeof c);
    qrt_fh_mid(ctx, mid, QRT_L_EXT_ROW, c);
    for (size_t len = 0; len <= 55; len++) {
        memset(data, 0xee, sizeof data);
        qrt_fh_pad(data, len, 3);
        for (uint8_t batch = 0; batch < 2; batch++) {
            for (uint8_t v = 0; v < 3; v++)
                memset(data[v], 16 * batch + v, len);
            qrt_fh_padded(ctx, out, mid, (const uint8_t(*)[64])data, 3);
            for (size_t v = 0; v < 3; v++) {
                qrt_fh(ctx, expected, QRT_L_EXT_ROW, c, data[v], len);
                assert_memory_equal(out[v], expected, 32);
            }
        }
    }
}

static void test_lh8_of_whole_and_ragged_rows(void **state)
{
    static const struct {
        size_t row_len, rows_n;
        const char *digest;
    } vectors[] = {
        {96, 512, "b5091ae6e22fd0b6994b3138e6bbf852bf0b59e26f625df4362c8bafa6b7eca9"},
        {32, 512, "7bc9712e8f32592f23ea2e0f303ce1b243533ec9f1035df2addd690ed579538b"},
        {2, 20, "820dc6a802f00693c8864ca30005c618c6b69388fcb0472e814933ff650ba963"},
        {5, 8, "b55a7e92b2e6c8645f733117b28e39b41c57375296b1547591773574ad2ee168"},
        {0, 8, "0dcb03327df53d04489d1a46b5d6bff5151249822da3a17938bf45f793e57dc4"},
        {3, 0, "0dcb03327df53d04489d1a46b5d6bff5151249822da3a17938bf45f793e57dc4"},
        {96, 515, "aadecbbf0c6091590559219858b3cad21d45aaa0548a6e2c5ab0effbd2c20b37"},
    };
    static uint8_t rows[96 * 515];
    uint8_t c[32], digest[32];

    (void)state;
    pattern_fill(c, sizeof c);
    pattern_fill(rows, sizeof rows);
    for (size_t i = 0; i < CPU_CHOICES; i++) {
        const struct qrt_ctx *ctx = test_ctx(cpu_choices[i]);

        for (size_t v = 0; v < QRT_ARRAY_LEN(vectors); v++) {
            qrt_lh8(ctx, digest, QRT_L_RV_AT, QRT_L_RV_AT_TOP, c, rows, vectors[v].row_len,
                    vectors[v].rows_n);
            assert_true(test_is_hex(digest, 32, vectors[v].digest));
        }
    }
}

/* LH8 by its definition, one lane after the other. */
static void lh8_model(const struct qrt_ctx *ctx, uint8_t out[32], const uint8_t *rows,
                      size_t row_len, size_t rows_n)
{
    static uint8_t lane[96 * 40 + 1];
    uint8_t digests[8][32];
    struct qrt_th th;

    for (size_t v = 0; v < 8; v++) {
        size_t len = 0;

        for (size_t r = v; r < rows_n; r += 8) {
            memcpy(lane + len, rows + r * row_len, row_len);
            len += row_len;
        }
        lane[len++] = (uint8_t)v;
        qrt_fh(ctx, digests[v], QRT_L_RV_AT, rows, lane, len);
    }
    qrt_th_start(&th, ctx, QRT_L_RV_AT_TOP);
    qrt_th_field(&th, rows, 32);
    qrt_th_field(&th, digests, sizeof digests);
    qrt_th_end(&th, out);
}

static void test_lh8_of_every_shape_equals_its_definition(void **state)
{
    static const size_t lens[] = {1, 7, 16, 31, 32, 33, 63, 64, 65, 96};
    static uint8_t rows[96 * 40];
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    uint8_t expected[32], digest[32];

    (void)state;
    pattern_fill(rows, sizeof rows);
    for (size_t i = 0; i < QRT_ARRAY_LEN(lens); i++) {
        for (size_t n = 0; n <= 40; n++) {
            lh8_model(ctx, expected, rows, lens[i], n);
            qrt_lh8(ctx, digest, QRT_L_RV_AT, QRT_L_RV_AT_TOP, rows, rows, lens[i], n);
            assert_memory_equal(digest, expected, 32);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_tsshock_alpha_shuffle_moved_split_merged_and_reordered_fields_differ),
        cmocka_unit_test(test_tsshock_every_way_to_cut_eight_bytes_differs),
        cmocka_unit_test(test_labels_separate_th_and_fh),
        cmocka_unit_test(test_a_field_in_parts_and_numbers_hash_as_their_bytes),
        cmocka_unit_test(test_a_field_must_be_filled_exactly),
        cmocka_unit_test(test_a_scalar_digest_is_reduced),
        cmocka_unit_test(test_fh_of_any_length),
        cmocka_unit_test(test_many_fh_equal_single_ones),
        cmocka_unit_test(test_batches_in_the_same_memory_are_padded_once),
        cmocka_unit_test(test_lh8_of_whole_and_ragged_rows),
        cmocka_unit_test(test_lh8_of_every_shape_equals_its_definition),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
