/* SPDX-License-Identifier: Apache-2.0 */
/* Heads: where they end, however they arrive, and every byte that must not be in them. */
#include "system/rpc/h1_check.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char good[] =
    "GET /a?b=c HTTP/1.1\r\nHost: a\r\nX-Y: caf\xc3\xa9\tz\r\nEmpty:\r\n\r\n";

static const char *fault(const char *text, size_t len)
{
    return h1_head_fault((const uint8_t *)text, len);
}

static void test_good_head(void **state)
{
    (void)state;
    assert_null(fault(good, sizeof good - 1));
    assert_null(fault("GET / HTTP/1.0\r\n\r\n", 18));
}

static void test_every_cut_is_a_fault(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof good - 1; len++)
        assert_non_null(fault(good, len));
}

/* At each place, each byte: what is let through keeps the number of lines and of colons. */
static void test_every_changed_byte(void **state)
{
    char text[sizeof good];

    (void)state;
    for (size_t i = 0; i < sizeof good - 1; i++) {
        for (int c = 0; c < 256; c++) {
            const char *said;

            memcpy(text, good, sizeof good);
            text[i] = (char)c;
            said = fault(text, sizeof good - 1);
            if (c == '\n' || c == '\r' || c == 0 || c == 0x7f)
                assert_true(said || text[i] == good[i]);
            if ((good[i] == '\r' || good[i] == '\n') && c != good[i])
                assert_non_null(said);
        }
    }
}

static void test_bytes_of_names_and_targets(void **state)
{
    static const char tokens[] = "!#$%&'*+-.^_`|~0189azAZ";
    char head[] = "GET /? HTTP/1.1\r\nx?: y\r\n\r\n";

    (void)state;
    for (int c = 1; c < 256; c++) {
        head[5] = (char)c;
        head[18] = 'a';
        assert_int_equal(!fault(head, sizeof head - 1), c > ' ' && c < 0x7f && c != '#');
        head[5] = 'a';
        head[18] = (char)c;
        assert_int_equal(!fault(head, sizeof head - 1),
                         strchr(tokens, c) || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                             (c >= 'A' && c <= 'Z') || c == ':');
    }
}

static void test_end_is_found_in_any_pieces(void **state)
{
    const uint8_t *b = (const uint8_t *)good;

    (void)state;
    for (size_t step = 1; step < sizeof good; step++) {
        size_t seen = 0, len = 0, found = 0;

        while (!found && len < sizeof good - 1) {
            len = len + step < sizeof good - 1 ? len + step : sizeof good - 1;
            found = h1_head_len(b, len, &seen);
        }
        assert_int_equal(found, sizeof good - 1);
    }
}

static void test_first_byte(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        const char *said = h1_first_fault((uint8_t)c);

        assert_int_equal(!said, c == '\r' || (c && strchr("!#$%&'*+-.^_`|~", c)) ||
                                    (c < 128 && isalnum(c)));
        if (said)
            assert_int_equal(c == 0x16, strstr(said, "TLS") != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_head),
        cmocka_unit_test(test_every_cut_is_a_fault),
        cmocka_unit_test(test_every_changed_byte),
        cmocka_unit_test(test_bytes_of_names_and_targets),
        cmocka_unit_test(test_end_is_found_in_any_pieces),
        cmocka_unit_test(test_first_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
