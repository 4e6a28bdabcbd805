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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_known),
        cmocka_unit_test(test_what_was_cut_is_mended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
