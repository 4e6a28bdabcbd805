/* SPDX-License-Identifier: Apache-2.0 */
/* Forms: what fits and what does not, one table of each. */
#include "system/core/config_form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HEX32 "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

struct given {
    enum config_form form;
    int64_t min, max;
    const char *text;
    bool fits;
};

static const struct given cases[] = {
    {CONFIG_FORM_TEXT, 0, 0, "any text", true},
    {CONFIG_FORM_TEXT, 0, 0, "bell\a", false},
    {CONFIG_FORM_INT, 0, 65535, "0", true},
    {CONFIG_FORM_INT, 0, 65535, "65535", true},
    {CONFIG_FORM_INT, 0, 65535, "65536", false},
    {CONFIG_FORM_INT, 0, 65535, "-1", false},
    {CONFIG_FORM_INT, -5, 5, "-5", true},
    {CONFIG_FORM_INT, 0, 65535, "", false},
    {CONFIG_FORM_INT, 0, 65535, "-", false},
    {CONFIG_FORM_INT, 0, 65535, " 1", false},
    {CONFIG_FORM_INT, 0, 65535, "+1", false},
    {CONFIG_FORM_INT, 0, 65535, "1x", false},
    {CONFIG_FORM_INT, 0, 65535, "0x10", false},
    {CONFIG_FORM_INT, 0, INT64_MAX, "9223372036854775808", false},
    {CONFIG_FORM_KEY, 32, 0, HEX32, true},
    {CONFIG_FORM_KEY, 32, 0, HEX32 "0", false},
    {CONFIG_FORM_KEY, 32, 0, &HEX32[1], false},
    {CONFIG_FORM_KEY, 32, 0, "g" HEX32, false},
    {CONFIG_FORM_SECRET_TEXT, 4, 0, "1234", true},
    {CONFIG_FORM_SECRET_TEXT, 4, 0, "123", false},
    {CONFIG_FORM_LIST, 1, 2, "a", true},
    {CONFIG_FORM_LIST, 1, 2, " a , b\t", true},
    {CONFIG_FORM_LIST, 1, 2, "a,b,c", false},
    {CONFIG_FORM_LIST, 1, 2, "a,", false},
    {CONFIG_FORM_LIST, 1, 2, ",", false},
    {CONFIG_FORM_LIST, 1, 2, "", false},
    {CONFIG_FORM_LIST, 2, 3, "a", false},
    {CONFIG_FORM_KEYS, 32, 2, HEX32, true},
    {CONFIG_FORM_KEYS, 32, 2, HEX32 ", " HEX32, true},
    {CONFIG_FORM_KEYS, 32, 2, HEX32 "," HEX32 "," HEX32, false},
    {CONFIG_FORM_KEYS, 32, 2, HEX32 ",00", false},
    {CONFIG_FORM_ROLES, 0, 0, "party-1", true},
    {CONFIG_FORM_ROLES, 0, 0, "a:persistent , b:delegate,c:temporary,d", true},
    {CONFIG_FORM_ROLES, 0, 0, "a:king", false},
    {CONFIG_FORM_ROLES, 0, 0, "a:", false},
    {CONFIG_FORM_ROLES, 0, 0, ":persistent", false},
    {CONFIG_FORM_ROLES, 0, 0, "a:persistent:b", false},
    {CONFIG_FORM_ROLES, 0, 0, "a,,b", false},
    {CONFIG_FORM_ROLES, 0, 0, "a/b", false},
    {CONFIG_FORM_ROLES, 0, 0, HEX32, true},
    {CONFIG_FORM_ROLES, 0, 0, HEX32 "0", false},
    {CONFIG_FORM_ADDRESSES, 0, 0, "127.0.0.1,::1", true},
    {CONFIG_FORM_ADDRESSES, 0, 0, "10.0.0.0/8, fd00::/8, 0.0.0.0/0, ::/0", true},
    {CONFIG_FORM_ADDRESSES, 0, 0, "10.0.0.0/33", false},
    {CONFIG_FORM_ADDRESSES, 0, 0, "fd00::/129", false},
    {CONFIG_FORM_ADDRESSES, 0, 0, "10.0.0.0/", false},
    {CONFIG_FORM_ADDRESSES, 0, 0, "10.0.0.0/-1", false},
    {CONFIG_FORM_ADDRESSES, 0, 0, "10.0.0/8", false},
    {CONFIG_FORM_ADDRESSES, 0, 0, "localhost", false},
    {CONFIG_FORM_ADDRESSES, 0, 0, "127.0.0.1,,::1", false},
    {CONFIG_FORM_ADDRESSES, 0, 0, HEX32 HEX32, false},
    {CONFIG_FORM_ORIGINS, 0, 0, "https://admin.example, http://127.0.0.1:3000, app://wallet", true},
    {CONFIG_FORM_ORIGINS, 0, 0, "*", true},
    {CONFIG_FORM_ORIGINS, 0, 0, "admin.example", false},
    {CONFIG_FORM_ORIGINS, 0, 0, "://admin.example", false},
    {CONFIG_FORM_ORIGINS, 0, 0, "https://", false},
    {CONFIG_FORM_ORIGINS, 0, 0, "https://admin.example/", false},
    {CONFIG_FORM_ORIGINS, 0, 0, "https://a.example,,https://b.example", false},
    {CONFIG_FORM_WORD, 0, 0, "on", true},
    {CONFIG_FORM_WORD, 0, 0, "off", true},
    {CONFIG_FORM_WORD, 0, 0, "o", false},
    {CONFIG_FORM_WORD, 0, 0, "on|off", false},
    {CONFIG_FORM_WORD, 0, 0, "On", false},
    {CONFIG_FORM_WORD, 0, 0, "", false},
    {CONFIG_FORM_TARGET, 0, 0, "router:50051", true},
    {CONFIG_FORM_TARGET, 0, 0, "127.0.0.1:1", true},
    {CONFIG_FORM_TARGET, 0, 0, "[::1]:65535", true},
    {CONFIG_FORM_TARGET, 0, 0, "router", false},
    {CONFIG_FORM_TARGET, 0, 0, "router:0", false},
    {CONFIG_FORM_TARGET, 0, 0, "router:65536", false},
    {CONFIG_FORM_TARGET, 0, 0, "router:", false},
    {CONFIG_FORM_TARGET, 0, 0, ":50051", false},
    {CONFIG_FORM_TARGET, 0, 0, "::1:50051", false},
    {CONFIG_FORM_TARGET, 0, 0, "[router]:50051", false},
    {CONFIG_FORM_TARGET, 0, 0, "[]:50051", false},
    {CONFIG_FORM_TARGET, 0, 0, "http://router:50051", false},
    {CONFIG_FORM_TARGET, 0, 0, "a:1,b:2", false},
    {CONFIG_FORM_TARGETS, 0, 0, "router:50051", true},
    {CONFIG_FORM_TARGETS, 0, 0, "a:1,b:2", true},
    {CONFIG_FORM_TARGETS, 0, 0, "a:1 , [::1]:2", true},
    {CONFIG_FORM_TARGETS, 0, 0, "a:1,", false},
    {CONFIG_FORM_TARGETS, 0, 0, ",a:1", false},
    {CONFIG_FORM_TARGETS, 0, 0, "a:1 b:2", false},
    {CONFIG_FORM_TARGETS, 0, 0, "a:1,b", false},
};

static void test_fits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct given *c = &cases[i];
        const struct config_row row = {
            .form = c->form, .min = c->min, .max = c->max, .words = "on|off"};
        char text[256];
        size_t n;

        strcpy(text, c->text);
        n = config_form_is_list(c->form) ? config_form_split(text) : 0;
        if (config_form_fits(&row, text, n) != c->fits)
            fail_msg("form %d, \"%s\": should%s fit", (int)c->form, c->text, c->fits ? "" : " not");
    }
}

static void test_split(void **state)
{
    char text[] = "  one , two three,,\tfour";

    (void)state;
    assert_int_equal(config_form_split(text), 4);
    assert_memory_equal(text, "one\0two three\0\0four", 20);
}

static void assert_words(const char *want, struct config_row row)
{
    char text[CONFIG_FORM_TEXT_MAX];

    config_form_text(text, &row);
    assert_string_equal(text, want);
}

static void test_in_words(void **state)
{
    (void)state;
    assert_words("a whole number from -1 to 10",
                 (struct config_row){.form = CONFIG_FORM_INT, .min = -1, .max = 10});
    assert_words("exactly 64 hex digits", (struct config_row){.form = CONFIG_FORM_KEY, .min = 32});
    assert_words("a, b or c", (struct config_row){.form = CONFIG_FORM_WORD, .words = "a|b|c"});
    assert_words("on or off", (struct config_row){.form = CONFIG_FORM_WORD, .words = "on|off"});
    assert_words("1 to 2 texts, comma separated",
                 (struct config_row){.form = CONFIG_FORM_LIST, .min = 1, .max = 2});
}

/* Every default of the table is of its own form, and every placeholder too. */
static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_rows_n; i++) {
        const struct config_row *row = &config_rows[i];
        const char *const texts[] = {row->fallback, row->placeholder};

        for (size_t j = 0; j < 2; j++) {
            char text[256] = "";
            size_t n = 0;

            if (!texts[j])
                continue;
            strncat(text, texts[j], sizeof text - 1);
            if (config_form_is_list(row->form))
                n = config_form_split(text);
            if (!config_form_fits(row, text, n))
                fail_msg("%s: %s does not fit", row->name, texts[j]);
        }
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(row->name, config_rows[j].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_in_words),
        cmocka_unit_test(test_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
