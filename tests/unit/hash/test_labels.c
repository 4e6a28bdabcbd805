/* SPDX-License-Identifier: Apache-2.0 */
/* The label table against the one of the known answers, entry by entry. */
#include "support.h"

#include "hash/labels.h"
#include "hash/sha256.h"

#include <jansson.h>
#include <string.h>

static json_t *known_labels(json_t **root)
{
    *root = json_load_file(QRT_KATS, 0, NULL);
    assert_non_null(*root);
    assert_true(json_is_object(json_object_get(*root, "T")));
    return json_object_get(*root, "T");
}

static void test_every_label_has_the_known_constant(void **state)
{
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    json_t *root, *known = known_labels(&root);

    (void)state;
    assert_int_equal(json_object_size(known), QRT_LABEL_COUNT);
    for (unsigned i = 0; i < QRT_LABEL_COUNT; i++) {
        const char *text = qrt_label_text((enum qrt_label)i);
        json_t *t = json_object_get(known, text);

        assert_true(json_is_string(t));
        assert_true(test_is_hex(ctx->label[i], 32, json_string_value(t)));
    }
    json_decref(root);
}

static void test_midstates_continue_after_the_block_of_the_label_twice(void **state)
{
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    uint8_t twice[64], expected[32], digest[32];
    struct qrt_sha256 h;

    (void)state;
    for (size_t i = 0; i < QRT_LABEL_COUNT; i++) {
        memcpy(twice, ctx->label[i], 32);
        memcpy(twice + 32, ctx->label[i], 32);
        qrt_sha256(ctx, expected, twice, 64);
        qrt_sha256_resume(&h, ctx, ctx->label_mid[i], 1);
        qrt_sha256_end(&h, digest);
        assert_memory_equal(digest, expected, 32);
    }
}

/* TH and FH never collide because their labels differ (protocol.md B.1). */
static void test_no_label_occurs_twice(void **state)
{
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);

    (void)state;
    for (unsigned i = 0; i < QRT_LABEL_COUNT; i++) {
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(qrt_label_text((enum qrt_label)i),
                                    qrt_label_text((enum qrt_label)j));
            assert_memory_not_equal(ctx->label[i], ctx->label[j], 32);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_label_has_the_known_constant),
        cmocka_unit_test(test_midstates_continue_after_the_block_of_the_label_twice),
        cmocka_unit_test(test_no_label_occurs_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
