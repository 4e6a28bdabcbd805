/* SPDX-License-Identifier: Apache-2.0 */
/* Abort payloads: every class of protocol.md J, and every value out of range. */
#include "support.h"

#include "wire/abort.h"

#include <string.h>

static void test_the_payload_has_the_layout_of_the_specification(void **state)
{
    const struct qrt_abort a = {QRT_ABORT_BURN, 32, 2, 0x0102};
    uint8_t b[QRT_ABORT_BYTES];

    (void)state;
    qrt_abort_encode(b, &a);
    assert_true(test_is_hex(b, sizeof b, "8120020102"));
}

static void test_every_final_error_survives_the_wire(void **state)
{
    (void)state;
    for (int e = 0; e < QRT_E_COUNT; e++) {
        struct qrt_abort a, back;
        uint8_t b[QRT_ABORT_BYTES];

        if (!qrt_err_is_final((enum qrt_err)e))
            continue;
        qrt_abort_of(&a, (enum qrt_err)e, 3, 7);
        qrt_abort_encode(b, &a);
        assert_true(qrt_abort_decode(&back, b));
        assert_int_equal(back.class, a.class);
        assert_int_equal(back.code, qrt_err_code((enum qrt_err)e));
        assert_int_equal(back.round, 3);
        assert_int_equal(back.accused, 7);
    }
}

static void test_classes_are_those_of_section_j(void **state)
{
    static const struct {
        enum qrt_err e;
        uint8_t class;
    } cases[] = {{QRT_E_PEER_ABORT, 0},      {QRT_E_INTERNAL, 0}, {QRT_E_KG_SHARE, 1},
                 {QRT_E_SG_EXTENSION, 0x81}, {QRT_E_KG_PROOF, 2}, {QRT_E_ECHO, 3}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct qrt_abort a;

        qrt_abort_of(&a, cases[i].e, 1, 0);
        assert_int_equal(a.class, cases[i].class);
    }
}

static void test_values_out_of_range_are_refused(void **state)
{
    struct qrt_abort a;

    (void)state;
    for (unsigned class = 0; class < 256; class ++) {
        uint8_t b[QRT_ABORT_BYTES] = {(uint8_t) class, 16, 1, 0, 0};

        assert_int_equal(qrt_abort_decode(&a, b), class <= 3 || class == 0x81);
    }
    for (unsigned round = 0; round < 256; round++) {
        uint8_t b[QRT_ABORT_BYTES] = {0, 16, (uint8_t)round, 0, 0};

        assert_int_equal(qrt_abort_decode(&a, b), round >= 1 && round <= 4);
    }
    assert_true(qrt_abort_decode(&a, (const uint8_t *)"\1\20\1\377\376"));
    assert_false(qrt_abort_decode(&a, (const uint8_t *)"\1\20\1\377\377"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_payload_has_the_layout_of_the_specification),
        cmocka_unit_test(test_every_final_error_survives_the_wire),
        cmocka_unit_test(test_classes_are_those_of_section_j),
        cmocka_unit_test(test_values_out_of_range_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
