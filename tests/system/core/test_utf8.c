/* SPDX-License-Identifier: Apache-2.0 */
/* Every sequence of up to four bytes by its class, at every place of a word. */
#include "system/core/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static const char *const good[] = {
    "a",
    "\x01",
    "\x7f",
    "\xc2\x80",
    "\xdf\xbf",
    "\xe0\xa0\x80",
    "\xed\x9f\xbf",
    "\xee\x80\x80",
    "\xef\xbf\xbf",
    "\xf0\x90\x80\x80",
    "\xf4\x8f\xbf\xbf",
};
/* Lone and cut characters, overlong ones, surrogates, above the last character. */
static const char *const bad[] = {
    "\x80",
    "\xbf",
    "\xc0\x80",
    "\xc1\xbf",
    "\xc2",
    "\xc2\x41",
    "\xe0\x9f\xbf",
    "\xe2\x82",
    "\xed\xa0\x80",
    "\xf0\x8f\xbf\xbf",
    "\xf0\x90\x80",
    "\xf4\x90\x80\x80",
    "\xf5\x80\x80\x80",
    "\xff",
};

/* |middle| after |before| letters, with letters behind it. */
static size_t put(char *out, size_t before, const char *middle, size_t len)
{
    memset(out, 'x', before);
    memcpy(out + before, middle, len);
    memset(out + before + len, 'y', 11);
    return before + len + 11;
}

static void test_text_is_known(void **state)
{
    char text[64];

    (void)state;
    for (size_t before = 0; before < 20; before++) {
        for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
            size_t len = put(text, before, good[i], strlen(good[i]));

            assert_int_equal(utf8_prefix(text, len), len);
        }
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
            assert_int_equal(utf8_prefix(text, put(text, before, bad[i], strlen(bad[i]))), before);
        assert_int_equal(utf8_prefix(text, put(text, before, "", 1)), before);
    }
    assert_int_equal(utf8_prefix("", 0), 0);
}

static void test_what_was_cut_is_mended(void **state)
{
    char cut[] = "abc\xe2\x82", whole[] = "abc\xe2\x82\xac", middle[] = "a\xffz", none[] = "";

    (void)state;
    utf8_mend(cut);
    assert_string_equal(cut, "abc");
    utf8_mend(whole);
    assert_string_equal(whole, "abc\xe2\x82\xac");
    utf8_mend(middle);
    assert_string_equal(middle, "a");
    utf8_mend(none);
    assert_string_equal(none, "");
}

/* |code| between two letters. */
static bool is_plain_with(uint32_t code)
{
    char text[8] = "a";
    size_t n = 1;

    if (code < 0x80) {
        text[n++] = (char)code;
    } else if (code < 0x800) {
        text[n++] = (char)(0xc0 | code >> 6);
        text[n++] = (char)(0x80 | (code & 0x3f));
    } else {
        text[n++] = (char)(0xe0 | code >> 12);
        text[n++] = (char)(0x80 | (code >> 6 & 0x3f));
        text[n++] = (char)(0x80 | (code & 0x3f));
    }
    text[n] = 'z';
    return utf8_is_plain(text);
}

static void test_what_steers_a_terminal_is_not_plain(void **state)
{
    static const uint32_t ranges[][2] = {{1, 0x1f},        {0x7f, 0x9f},     {0x61c, 0x61c},
                                         {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}};

    (void)state;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        for (uint32_t code = ranges[i][0]; code <= ranges[i][1]; code++)
            assert_false(is_plain_with(code));
        assert_true(i == 0 || is_plain_with(ranges[i][0] - 1));
        assert_true(is_plain_with(ranges[i][1] + 1));
    }
    assert_true(utf8_is_plain(""));
    assert_true(utf8_is_plain("\xd8\xa7\xf0\x9f\x94\x91 \xe2\x82\xac"));
    assert_false(utf8_is_plain("a\xff"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_known),
        cmocka_unit_test(test_what_was_cut_is_mended),
        cmocka_unit_test(test_what_steers_a_terminal_is_not_plain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
