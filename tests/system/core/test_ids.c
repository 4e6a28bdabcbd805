/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers: forms that are taken and forms that are not. */
#include "system/core/ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_new_ids_parse(void **state)
{
    char id[ID_TEXT_MAX], other[ID_TEXT_MAX], again[ID_TEXT_MAX];
    uint8_t b[16];

    (void)state;
    for (int i = 0; i < 100; i++) {
        id_new(id);
        id_new(other);
        assert_string_not_equal(id, other);
        assert_true(id_parse(b, id));
        id_text(again, b);
        assert_string_equal(id, again);
    }
}

static void test_parse_takes_either_case(void **state)
{
    static const uint8_t want[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0x4c, 0xde,
                                     0x8f, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd};
    uint8_t b[16];
    char text[ID_TEXT_MAX];

    (void)state;
    assert_true(id_parse(b, "01234567-89AB-4cde-8f01-23456789abCD"));
    assert_memory_equal(b, want, 16);
    id_text(text, b);
    assert_string_equal(text, "01234567-89ab-4cde-8f01-23456789abcd");
}

static void test_parse_refuses(void **state)
{
    static const char *const bad[] = {
        "",
        "01234567-89ab-4cde-8f01-23456789abc",
        "01234567-89ab-4cde-8f01-23456789abcde",
        "01234567089ab-4cde-8f01-23456789abcd",
        "01234567-89ab-4cde-8f01023456789abcd",
        "0123456789ab4cde8f0123456789abcd",
        "g1234567-89ab-4cde-8f01-23456789abcd",
        "01234567-89ab-1cde-8f01-23456789abcd", /* version 1 */
        "01234567-89ab-4cde-cf01-23456789abcd", /* another variant */
        "01234567-89ab-4cde-7f01-23456789abcd",
        "{1234567-89ab-4cde-8f01-23456789abcd",
        " 1234567-89ab-4cde-8f01-23456789abcd",
    };
    uint8_t b[16];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(id_parse(b, bad[i]));
}

static void test_trace(void **state)
{
    char a[TRACE_TEXT_MAX], b[TRACE_TEXT_MAX];

    (void)state;
    trace_new(a);
    trace_new(b);
    assert_int_equal(strspn(a, "0123456789abcdef"), 32);
    assert_int_equal(strlen(a), 32);
    assert_string_not_equal(a, b);
}

/* Every character there is. */
static void test_hex_digit(void **state)
{
    (void)state;
    for (int c = -128; c < 256; c++) {
        const char *lower = "0123456789abcdef", *upper = "0123456789ABCDEF";
        const char *at = (char)c ? strchr(lower, (char)c) : NULL;

        if (!at && (char)c)
            at = strchr(upper, (char)c) ? lower + (strchr(upper, (char)c) - upper) : NULL;
        assert_int_equal(hex_digit((char)c), at ? at - lower : -1);
    }
}

static void test_hex(void **state)
{
    uint8_t b[4] = {0};
    char text[9];

    (void)state;
    assert_true(hex_decode(b, 4, "00fFA510"));
    assert_memory_equal(b, "\x00\xff\xa5\x10", 4);
    hex_encode(text, b, 4);
    assert_string_equal(text, "00ffa510");
    assert_false(hex_decode(b, 4, "00ffa51"));
    assert_false(hex_decode(b, 4, "00ffa5100"));
    assert_false(hex_decode(b, 4, "00ffa5g0"));
    assert_false(hex_decode(b, 4, "00ffa50g"));
    assert_false(hex_decode(b, 4, ""));
    assert_true(hex_decode(b, 0, ""));
    hex_encode(text, b, 0);
    assert_string_equal(text, "");
}

static void test_party_ids(void **state)
{
    char longest[66];

    (void)state;
    assert_true(party_id_is_valid("party-1"));
    assert_true(party_id_is_valid("A.b_c-9"));
    assert_false(party_id_is_valid(""));
    assert_false(party_id_is_valid("party 1"));
    assert_false(party_id_is_valid("party/1"));
    assert_false(party_id_is_valid("p\xc3\xa4rty"));
    memset(longest, 'a', sizeof longest);
    longest[64] = 0;
    assert_true(party_id_is_valid(longest));
    longest[64] = 'a';
    longest[65] = 0;
    assert_false(party_id_is_valid(longest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_ids_parse), cmocka_unit_test(test_parse_takes_either_case),
        cmocka_unit_test(test_parse_refuses), cmocka_unit_test(test_trace),
        cmocka_unit_test(test_hex_digit),     cmocka_unit_test(test_hex),
        cmocka_unit_test(test_party_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
