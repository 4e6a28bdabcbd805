/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies in one piece and byte by byte must come out the same; what is not strict is refused. */
#include "system/rpc/h1_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct result {
    enum h1_step last;
    char text[256];
    size_t n, used;
};

static struct result run(bool is_chunked, uint64_t length, const char *text, size_t step)
{
    struct result result = {.last = H1_MORE};
    size_t len = strlen(text), given = 0;
    struct h1_body body;

    h1_body_init(&body, is_chunked, length);
    do {
        given = given + step < len ? given + step : len;
        do {
            struct h1_piece piece;

            result.last = h1_body_next(&body, &piece, (const uint8_t *)text + result.used,
                                       given - result.used);
            result.used += piece.used;
            assert_true(result.used <= given);
            memcpy(result.text + result.n, piece.b ? piece.b : (const uint8_t *)"", piece.n);
            result.n += piece.n;
        } while (result.last == H1_DATA);
    } while (result.last == H1_MORE && given < len);
    return result;
}

static void check(bool is_chunked, uint64_t length, const char *text, const char *body)
{
    size_t len = strlen(text);

    for (size_t step = 1; step <= len + 1; step++) {
        struct result result = run(is_chunked, length, text, step);

        assert_int_equal(result.last, H1_DONE);
        assert_int_equal(result.n, strlen(body));
        assert_memory_equal(result.text, body, result.n);
    }
}

static void test_by_length(void **state)
{
    (void)state;
    check(false, 0, "GET", "");
    check(false, 5, "helloGET", "hello");
    assert_int_equal(run(false, 5, "helloGET", 8).used, 5);
    assert_int_equal(run(false, 9, "hello", 1).last, H1_MORE);
}

static void test_by_chunks(void **state)
{
    (void)state;
    check(true, 0, "0\r\n\r\n", "");
    check(true, 0, "5\r\nhello\r\n0\r\n\r\n", "hello");
    check(true, 0, "5;a=b\r\nhello\r\n00000006 \r\n world\r\n0;x\r\nA: b\r\nC: d\r\n\r\n",
          "hello world");
    check(true, 0, "A\r\n0123456789\r\n0\r\n\r\n", "0123456789");
    assert_int_equal(run(true, 0, "0\r\n\r\nGET", 1).used, 5);
}

static void test_faults(void **state)
{
    static const char *const texts[] = {
        "\r\n",
        "x\r\n",
        "-1\r\n",
        "5\nhello",
        "5\r\rhello",
        "5\r\nhello0",
        "5\r\nhello\n0",
        "5\r\nhello\rx",
        "000000005\r\n",
        " 5\r\n",
        "0\r\n\n",
        "0\r\nA\x01\r\n",
        "0\r\n\rx",
        "5;\x01\r\nhello",
        "5;a\nb\r\nhello",
        "0x5\r\nhello\r\n",
        "+5\r\n",
        "5\r\nhello\r\n\r\n",
        "0\r\nA: b\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t step = 1; step < 8; step++) {
            if (run(true, 0, texts[i], step).last != H1_FAULT)
                fail_msg("accepted: %s", texts[i]);
        }
    }
}

static void test_extensions_and_trailers_are_bounded(void **state)
{
    struct h1_body body;
    struct h1_piece piece;
    size_t n = 0;

    (void)state;
    h1_body_init(&body, true, 0);
    assert_int_equal(h1_body_next(&body, &piece, (const uint8_t *)"5;", 2), H1_MORE);
    while (n < 100000 && h1_body_next(&body, &piece, (const uint8_t *)"a", 1) == H1_MORE)
        n++;
    assert_in_range(n, 100, 300);
    h1_body_init(&body, true, 0);
    assert_int_equal(h1_body_next(&body, &piece, (const uint8_t *)"0\r\n", 3), H1_MORE);
    n = 0;
    while (n < 100000 && h1_body_next(&body, &piece, (const uint8_t *)"a: b\r\n", 6) == H1_MORE)
        n++;
    assert_in_range(n, 100, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_length),
        cmocka_unit_test(test_by_chunks),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_extensions_and_trailers_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
