/* SPDX-License-Identifier: Apache-2.0 */
#include "math/scalar.h"
#include "setup.h"

#include <stdio.h>

static void test_gadget_has_the_known_answers(void **state)
{
    static const int known[] = {0, 1, 511};
    struct qrt_ctx *ctx = test_ctx(~0u);

    (void)state;
    qrt_gadget_init(ctx);
    for (size_t v = 0; v < QRT_ARRAY_LEN(known); v++) {
        uint8_t b[32];
        char name[8];

        snprintf(name, sizeof name, "%d", known[v]);
        qrt_sc_encode(b, &ctx->gadget[known[v]]);
        assert_true(test_is_hex(b, 32, kat_text("gadget", name)));
    }
}

static void test_gadget_scalars_are_distinct_and_not_zero(void **state)
{
    struct qrt_ctx *ctx = test_ctx(~0u);

    (void)state;
    qrt_gadget_init(ctx);
    for (size_t i = 0; i < QRT_XI; i++) {
        assert_false(qrt_sc_is_zero(&ctx->gadget[i]));
        for (size_t j = 0; j < i; j++)
            assert_false(qrt_sc_equal(&ctx->gadget[i], &ctx->gadget[j]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gadget_has_the_known_answers),
        cmocka_unit_test(test_gadget_scalars_are_distinct_and_not_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
