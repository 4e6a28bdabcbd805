/* SPDX-License-Identifier: Apache-2.0 */
#include "system/rpc/grpc_wire.h"

#include "echo.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_frames(void **state)
{
    Test__Echo__Request request = TEST__ECHO__REQUEST__INIT;
    struct buffer out = {0};
    struct grpc_frame frame;
    size_t at = 0;

    (void)state;
    request.text = (char *)(uintptr_t) "abc";
    grpc_frame_add(&out, &request.base);
    grpc_frame_bytes(&out, GRPC_TRAILERS, "x", 1);
    assert_int_equal(grpc_frame_next(&frame, &out, &at, 5), GRPC_FRAME);
    assert_int_equal(frame.flags, 0);
    assert_int_equal(frame.len, 5);
    assert_memory_equal(frame.b,
                        "\x12\x03"
                        "abc",
                        5);
    assert_int_equal(grpc_frame_next(&frame, &out, &at, 5), GRPC_FRAME);
    assert_int_equal(frame.flags, GRPC_TRAILERS);
    assert_int_equal(at, out.len);
    assert_int_equal(grpc_frame_next(&frame, &out, &at, 5), GRPC_MORE);
    buffer_free(&out);
}

static void test_cut_frames_and_long_ones(void **state)
{
    struct buffer out = {0};
    struct grpc_frame frame;
    size_t len, at = 0;

    (void)state;
    assert_int_equal(grpc_frame_next(&frame, &out, &at, 10), GRPC_MORE);
    grpc_frame_bytes(&out, 0, "0123456789", 10);
    len = out.len;
    for (out.len = 0; out.len < len; out.len++)
        assert_int_equal(grpc_frame_next(&frame, &out, &at, 10), GRPC_MORE);
    assert_int_equal(at, 0);
    /* The head alone tells. */
    out.len = GRPC_HEAD;
    assert_int_equal(grpc_frame_next(&frame, &out, &at, 9), GRPC_TOO_LONG);
    memset(out.b + 1, 0xff, 4);
    assert_int_equal(grpc_frame_next(&frame, &out, &at, 1 << 20), GRPC_TOO_LONG);
    buffer_free(&out);
}

static void check_percent(const char *plain, const char *encoded)
{
    struct buffer out = {0};
    char back[64];

    buffer_text(&out, "");
    grpc_percent_encode(&out, plain);
    assert_string_equal((const char *)out.b, encoded);
    grpc_percent_decode(back, sizeof back, (const char *)out.b, out.len);
    assert_string_equal(back, plain);
    buffer_free(&out);
}

static void test_percent(void **state)
{
    char out[8];

    (void)state;
    check_percent("", "");
    check_percent("plain text ~!", "plain text ~!");
    check_percent("100% caf\xc3\xa9\r\n\x7f", "100%25 caf%C3%A9%0D%0A%7F");
    grpc_percent_decode(out, sizeof out, "%zz%4", 5);
    assert_string_equal(out, "%zz%4");
    grpc_percent_decode(out, sizeof out, "%41%4a%4A%%41", 13);
    assert_string_equal(out, "AJJ%A");
    grpc_percent_decode(out, sizeof out, "0123456789", 10);
    assert_string_equal(out, "0123456");
    grpc_percent_decode(out, 1, "x", 1);
    assert_string_equal(out, "");
}

static void test_timeouts(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"1H", 3600000}, {"2M", 120000}, {"3S", 3000},
                {"4m", 4},       {"1u", 1},      {"1n", 1},
                {"1000u", 1},    {"0m", 0},      {"99999999H", 359999996400000}};
    static const char *const bad[] = {"",    "1",   "m",    "-1S",  "1s", "123456789m",
                                      "1 S", "1mS", "0x1m", "1.5S", "+1m"};
    uint64_t ms;
    char text[GRPC_TIMEOUT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(grpc_timeout_parse(&ms, good[i].text));
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(grpc_timeout_parse(&ms, bad[i]));
    for (uint64_t wanted = 1; wanted < 99999999000ULL; wanted = wanted * 7 + 3) {
        grpc_timeout_text(text, wanted);
        assert_true(grpc_timeout_parse(&ms, text));
        assert_true(ms <= wanted && wanted - ms < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_cut_frames_and_long_ones),
        cmocka_unit_test(test_percent),
        cmocka_unit_test(test_timeouts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
