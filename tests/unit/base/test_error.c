/* SPDX-License-Identifier: Apache-2.0 */
/* The error table: names and wire codes are unique, classes and codes fit each other. */
#include "support.h"

#include "panics.h"

#include <string.h>

static void test_zero_is_success(void **state)
{
    (void)state;
    assert_int_equal(QRT_OK, 0);
    assert_int_equal(qrt_err_class(QRT_OK), QRT_CLASS_OK);
    assert_string_equal(qrt_err_name(QRT_OK), "OK");
    assert_string_equal(qrt_err_text(QRT_OK), "done");
    assert_false(qrt_err_is_final(QRT_OK));
}

static void test_names_and_texts_are_unique(void **state)
{
    (void)state;
    for (unsigned a = 0; a < QRT_E_COUNT; a++)
        for (unsigned b = 0; b < a; b++) {
            assert_string_not_equal(qrt_err_name(a), qrt_err_name(b));
            assert_string_not_equal(qrt_err_text(a), qrt_err_text(b));
        }
}

static void test_codes_on_the_wire_are_unique_where_there_is_one(void **state)
{
    unsigned seen[256] = {0};

    (void)state;
    for (unsigned e = 0; e < QRT_E_COUNT; e++)
        seen[qrt_err_code(e)]++;
    for (unsigned code = 1; code < 256; code++)
        assert_true(seen[code] <= 1);
}

static void test_exactly_what_ends_a_run_has_a_code(void **state)
{
    (void)state;
    for (unsigned e = 0; e < QRT_E_COUNT; e++)
        assert_true(qrt_err_is_final(e) == (qrt_err_code(e) != 0));
}

static void test_texts_are_one_sentence_without_a_full_stop(void **state)
{
    (void)state;
    for (unsigned e = 0; e < QRT_E_COUNT; e++) {
        const char *text = qrt_err_text(e);
        size_t len = strlen(text);

        assert_true(len > 3 && text[len - 1] != '.' && !strchr(text, '\n'));
    }
}

static void test_codes_that_stand_in_old_evidence_have_not_moved(void **state)
{
    (void)state;
    assert_int_equal(qrt_err_code(QRT_E_PEER_ABORT), 1);
    assert_int_equal(qrt_err_code(QRT_E_SG_EXTENSION), 32);
    assert_int_equal(qrt_err_class(QRT_E_SG_EXTENSION), QRT_CLASS_BURN);
    assert_int_equal(qrt_err_code(QRT_E_EQUIVOCATION), 49);
    assert_int_equal(qrt_err_class(QRT_E_EQUIVOCATION), QRT_CLASS_B2);
    assert_int_equal(qrt_err_code(QRT_E_INTERNAL), 127);
}

static void ask_for_no_error(void)
{
    qrt_err_text(QRT_E_COUNT);
}

static void test_a_value_outside_the_table_is_a_bug(void **state)
{
    (void)state;
    assert_true(panics(ask_for_no_error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero_is_success),
        cmocka_unit_test(test_names_and_texts_are_unique),
        cmocka_unit_test(test_codes_on_the_wire_are_unique_where_there_is_one),
        cmocka_unit_test(test_exactly_what_ends_a_run_has_a_code),
        cmocka_unit_test(test_texts_are_one_sentence_without_a_full_stop),
        cmocka_unit_test(test_codes_that_stand_in_old_evidence_have_not_moved),
        cmocka_unit_test(test_a_value_outside_the_table_is_a_bug),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
