/* SPDX-License-Identifier: Apache-2.0 */
/* The context: everything in it is filled, for any CPU, and the same. */
#include "../base/panics.h"
#include "base/ctx.h"
#include "math/scalar.h"
#include "support.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static secp256k1_context *secp;

static struct qrt_ctx *make(unsigned mask)
{
    struct qrt_ctx *ctx = aligned_alloc(QRT_ALIGN, (qrt_ctx_size() + 63) / 64 * 64);

    assert_non_null(ctx);
    memset(ctx, 0xA5, qrt_ctx_size());
    qrt_ctx_init(ctx, secp, mask);
    return ctx;
}

static int make_secp(void **state)
{
    (void)state;
    secp = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    return 0;
}

static int free_secp(void **state)
{
    (void)state;
    secp256k1_context_destroy(secp);
    return 0;
}

static void test_the_size_holds_a_context_and_is_aligned(void **state)
{
    (void)state;
    assert_true(qrt_ctx_size() >= sizeof(struct qrt_ctx));
    assert_int_equal(qrt_ctx_size() % QRT_ALIGN, 0);
}

static void test_a_mask_takes_away_and_never_adds(void **state)
{
    struct qrt_ctx *all = make(QRT_CPU_ALL);

    (void)state;
    assert_ptr_equal(all->secp, secp);
    for (unsigned mask = 0; mask <= QRT_CPU_ALL; mask++) {
        struct qrt_ctx *ctx = make(mask);

        assert_int_equal(qrt_ctx_cpu(ctx), qrt_ctx_cpu(all) & mask);
        free(ctx);
    }
    free(all);
}

static void test_the_tables_do_not_depend_on_the_cpu(void **state)
{
    struct qrt_ctx *all = make(QRT_CPU_ALL), *none = make(0);

    (void)state;
    none->cpu = all->cpu;
    assert_memory_equal(all, none, sizeof *all);
    free(none);
    free(all);
}

static void expect_gadget(const struct qrt_ctx *ctx, json_t *gadget, const char *name)
{
    uint8_t b[32];

    qrt_sc_encode(b, &ctx->gadget[atoi(name)]);
    assert_true(test_is_hex(b, sizeof b, json_string_value(json_object_get(gadget, name))));
}

static void test_the_gadget_is_the_known_one(void **state)
{
    json_t *kats = json_load_file(PROTO_KATS, 0, NULL), *gadget;
    struct qrt_ctx *ctx = make(QRT_CPU_ALL);

    (void)state;
    assert_non_null(kats);
    gadget = json_object_get(kats, "gadget");
    expect_gadget(ctx, gadget, "0");
    expect_gadget(ctx, gadget, "1");
    expect_gadget(ctx, gadget, "511");
    json_decref(kats);
    free(ctx);
}

static _Alignas(QRT_ALIGN) uint8_t room[sizeof(struct qrt_ctx) + QRT_ALIGN];

static void misaligned(void)
{
    qrt_ctx_init((struct qrt_ctx *)(void *)(room + 32), secp, 0);
}

static void without_secp(void)
{
    qrt_ctx_init((struct qrt_ctx *)(void *)room, NULL, 0);
}

static void test_misaligned_memory_and_no_curve_are_bugs(void **state)
{
    (void)state;
    assert_true(panics(misaligned));
    assert_true(panics(without_secp));
}

static void test_the_version_has_three_numbers(void **state)
{
    unsigned a, b, c;
    char more;

    (void)state;
    assert_int_equal(sscanf(qrt_version(), "%u.%u.%u%c", &a, &b, &c, &more), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_size_holds_a_context_and_is_aligned),
        cmocka_unit_test(test_a_mask_takes_away_and_never_adds),
        cmocka_unit_test(test_the_tables_do_not_depend_on_the_cpu),
        cmocka_unit_test(test_the_gadget_is_the_known_one),
        cmocka_unit_test(test_misaligned_memory_and_no_curve_are_bugs),
        cmocka_unit_test(test_the_version_has_three_numbers),
    };

    return cmocka_run_group_tests_name("ctx", tests, make_secp, free_secp);
}
