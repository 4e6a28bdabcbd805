/* SPDX-License-Identifier: Apache-2.0 */
/* What an API server says of slices: lists, events in any order, and what is none of both. */
#include "system/discovery/slices.h"

#include "system/core/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define POD(name) "{\"targetRef\":{\"kind\":\"Pod\",\"name\":\"" name "\"}}"
#define LEAVING(name)                                                                              \
    "{\"conditions\":{\"terminating\":true},\"targetRef\":{\"kind\":\"Pod\",\"name\":\"" name "\"" \
    "}}"
#define SLICE(name, version, endpoints)                                                            \
    "{\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" version                          \
    "\"},\"endpoints\":" endpoints "}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}"
#define LIST(version, items)                                                                       \
    "{\"kind\":\"EndpointSliceList\",\"metadata\":{\"resourceVersion\":\"" version                 \
    "\"},\"items\":" items "}"

static bool list(struct slices *slices, const char *text)
{
    char why[RPC_TEXT_MAX] = "";
    bool taken = slices_list(slices, text, strlen(text), why);

    assert_int_equal(taken, why[0] == 0);
    return taken;
}

static bool event(struct slices *slices, const char *text)
{
    char why[RPC_TEXT_MAX] = "";
    bool taken = slices_event(slices, text, strlen(text), why);

    assert_int_equal(taken, why[0] == 0);
    return taken;
}

/* "a b c" */
static void assert_pods(struct slices *slices, const char *wanted)
{
    size_t n;
    const char *const *pods = slices_pods(slices, &n);
    struct buffer text = {0};

    buffer_text(&text, "");
    for (size_t i = 0; i < n; i++)
        buffer_printf(&text, "%s%s", i ? " " : "", pods[i]);
    assert_string_equal((const char *)text.b, wanted);
    buffer_free(&text);
}

static void test_a_list_replaces_all(void **state)
{
    struct slices *slices = slices_new();

    (void)state;
    assert_pods(slices, "");
    assert_string_equal(slices_version(slices), "");
    assert_true(list(slices, LIST("7", "[" SLICE("s", "3", "[" POD("b") "," POD("a") "]") "]")));
    assert_pods(slices, "a b");
    assert_string_equal(slices_version(slices), "7");
    assert_true(list(slices, LIST("9", "[" SLICE("t", "3", "[" POD("c") "]") "]")));
    assert_pods(slices, "c");
    assert_true(list(slices, LIST("10", "null")));
    assert_pods(slices, "");
    assert_string_equal(slices_version(slices), "10");
    slices_free(slices);
}

static void test_a_pod_is_there_while_any_slice_has_it_and_it_stays(void **state)
{
    struct slices *slices = slices_new();

    (void)state;
    assert_true(event(slices, EVENT("ADDED", SLICE("s", "1", "[" POD("a") "," POD("b") "]"))));
    assert_true(event(slices, EVENT("ADDED", SLICE("t", "2", "[" POD("b") "," POD("b") "]"))));
    assert_pods(slices, "a b");
    assert_true(event(slices, EVENT("MODIFIED", SLICE("s", "3", "[" LEAVING("b") "]"))));
    assert_pods(slices, "b");
    assert_true(event(slices, EVENT("DELETED", SLICE("t", "4", "[" POD("b") "]"))));
    assert_pods(slices, "");
    assert_string_equal(slices_version(slices), "4");
    slices_free(slices);
}

static void test_what_no_party_can_be_is_left_out(void **state)
{
    struct slices *slices = slices_new();

    (void)state;
    assert_true(event(
        slices,
        EVENT("ADDED",
              SLICE("s", "1",
                    "[" POD("a/b") "," POD("") "," POD(
                        "ok") ",{\"targetRef\":{\"kind\":\"Node\","
                              "\"name\":\"n\"}},{\"addresses\":[\"10.0.0.1\"]},7,null,"
                              "{\"targetRef\":null},{\"targetRef\":{\"kind\":\"Pod\",\"name\":7}}"
                              "," POD("012345678901234567890123456789012345678901234567890123456789"
                                      "0123") "," POD("01234567890123456789012345678901234567890123"
                                                      "456789012345678901234") "]"))));
    assert_pods(slices, "0123456789012345678901234567890123456789012345678901234567890123 ok");
    assert_true(event(slices, EVENT("MODIFIED", SLICE("s", "2", "null"))));
    assert_pods(slices, "");
    slices_free(slices);
}

/* Three slices with two events each, the second of which may repeat, change or end it: all 90
 * orders that keep each slice's own, from nothing and from a list that had it all. */
static const char *const plays[3][2] = {
    {EVENT("ADDED", SLICE("s", "1", "[" POD("a") "," POD("b") "]")),
     EVENT("MODIFIED", SLICE("s", "2", "[" POD("b") "]"))},
    {EVENT("MODIFIED", SLICE("t", "3", "[" POD("b") "," POD("c") "]")),
     EVENT("DELETED", SLICE("t", "4", "[" POD("c") "]"))},
    {EVENT("DELETED", SLICE("u", "5", "[]")),
     EVENT("ADDED", SLICE("u", "6", "[" POD("d") "," LEAVING("a") "]"))},
};

static unsigned play_all(struct slices *slices, unsigned at[3], unsigned done, unsigned order)
{
    unsigned n = 0;

    if (done == 6) {
        static const char before[] = LIST("1", "[" SLICE("u", "1", "[" POD("x") "]") "]");

        for (unsigned k = 0; k < 2; k++) {
            unsigned next[3] = {0};

            assert_true(list(slices, k ? before : LIST("1", "[]")));
            for (unsigned i = 0; i < 6; i++) {
                unsigned who = order >> 2 * (5 - i) & 3;

                assert_true(event(slices, plays[who][next[who]]));
                /* the server may say it again */
                assert_true(event(slices, plays[who][next[who]++]));
            }
            assert_pods(slices, "b d");
        }
        return 1;
    }
    for (unsigned who = 0; who < 3; who++) {
        if (at[who] == 2)
            continue;
        at[who]++;
        n += play_all(slices, at, done + 1, order << 2 | who);
        at[who]--;
    }
    return n;
}

static void test_events_of_slices_in_any_order(void **state)
{
    struct slices *slices = slices_new();
    unsigned at[3] = {0};

    (void)state;
    assert_int_equal(play_all(slices, at, 0, 0), 90);
    slices_free(slices);
}

static void test_a_bookmark_moves_the_version_alone(void **state)
{
    struct slices *slices = slices_new();

    (void)state;
    assert_true(list(slices, LIST("7", "[" SLICE("s", "3", "[" POD("a") "]") "]")));
    assert_true(event(slices, "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{"
                              "\"resourceVersion\":\"88\"}}}"));
    assert_pods(slices, "a");
    assert_string_equal(slices_version(slices), "88");
    slices_free(slices);
}

static void test_what_is_no_event_changes_nothing(void **state)
{
    static const char *const rows[] = {
        "",
        "{",
        "7",
        "null",
        "[]",
        "{}",
        "{\"type\":\"ADDED\"}",
        "\"ADDED\"",
        EVENT("ADDED", "null"),
        EVENT("ADDED", "[]"),
        EVENT("", SLICE("s", "9", "[]")),
        EVENT("added", SLICE("s", "9", "[]")),
        EVENT("ADDED", SLICE("", "9", "[]")),
        EVENT("ADDED", SLICE("s", "", "[]")),
        EVENT("ADDED", SLICE("s", "9&watch=0", "[]")),
        EVENT("ADDED", SLICE("s", "9\\r\\nX: y", "[]")),
        EVENT("ADDED", SLICE("s\\u0000", "9", "[]")),
        EVENT(
            "ADDED",
            SLICE("s", "01234567890123456789012345678901234567890123456789012345678901234", "[]")),
        "{\"type\":7,\"object\":" SLICE("s", "9", "[]") "}",
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"s\"},\"endpoints\":[]}}",
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"9\"}}}",
        "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{}}}",
        "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":9}}}",
        EVENT("ADDED", SLICE("s", "9", "[]")) " " EVENT("ADDED", SLICE("s", "9", "[]")),
    };
    struct slices *slices = slices_new();

    (void)state;
    assert_true(list(slices, LIST("7", "[" SLICE("s", "3", "[" POD("a") "]") "]")));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_false(event(slices, rows[i]));
        assert_pods(slices, "a");
        assert_string_equal(slices_version(slices), "7");
    }
    slices_free(slices);
}

static void test_an_error_says_why(void **state)
{
    static const char gone[] =
        "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"message\":\"too old "
        "resource version\",\"metadata\":{\"resourceVersion\":\"99\"}}}";
    struct slices *slices = slices_new();
    char why[RPC_TEXT_MAX];

    (void)state;
    assert_true(list(slices, LIST("7", "[" SLICE("s", "3", "[" POD("a") "]") "]")));
    assert_false(slices_event(slices, gone, strlen(gone), why));
    assert_string_equal(why, "410: too old resource version");
    assert_pods(slices, "a");
    assert_string_equal(slices_version(slices), "7");
    slices_free(slices);
}

static void test_what_is_no_list_changes_nothing(void **state)
{
    static const char *const rows[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"kind\":\"Status\",\"metadata\":{\"resourceVersion\":\"9\"}}",
        LIST("", "[]"),
        LIST("9", "[7]"),
        LIST("9", "[{}]"),
        LIST("9", "[" SLICE("t", "9", "[]") "," SLICE("", "9", "[]") "]"),
        "{\"kind\":\"EndpointSliceList\",\"items\":[]}",
    };
    struct slices *slices = slices_new();

    (void)state;
    assert_true(list(slices, LIST("7", "[" SLICE("s", "3", "[" POD("a") "]") "]")));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_false(list(slices, rows[i]));
        assert_pods(slices, "a");
        assert_string_equal(slices_version(slices), "7");
    }
    slices_free(slices);
}

/* An event with |n| pods in slice |name|. */
static bool add_many(struct slices *slices, const char *name, size_t n)
{
    struct buffer text = {0};
    bool taken;

    buffer_printf(&text,
                  "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"%s\","
                  "\"resourceVersion\":\"5\"},\"endpoints\":[",
                  name);
    for (size_t i = 0; i < n; i++)
        buffer_printf(&text, "%s{\"targetRef\":{\"kind\":\"Pod\",\"name\":\"%s-%zu\"}}",
                      i ? "," : "", name, i);
    buffer_text(&text, "]}}");
    taken = event(slices, (const char *)text.b);
    buffer_free(&text);
    return taken;
}

static void test_endpoints_are_bounded_in_all_slices_together(void **state)
{
    struct slices *slices = slices_new();
    size_t n;

    (void)state;
    assert_false(add_many(slices, "s", SLICES_ENDPOINTS_MAX + 1));
    assert_true(add_many(slices, "s", SLICES_ENDPOINTS_MAX - 1));
    assert_false(add_many(slices, "t", 2));
    assert_true(add_many(slices, "t", 1));
    assert_false(add_many(slices, "u", 1));
    slices_pods(slices, &n);
    assert_int_equal(n, SLICES_ENDPOINTS_MAX);
    /* one of its own is not counted twice */
    assert_true(add_many(slices, "s", SLICES_ENDPOINTS_MAX - 1));
    assert_true(add_many(slices, "s", 1));
    assert_true(add_many(slices, "u", 1));
    slices_pods(slices, &n);
    assert_int_equal(n, 3);
    slices_free(slices);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_list_replaces_all),
        cmocka_unit_test(test_a_pod_is_there_while_any_slice_has_it_and_it_stays),
        cmocka_unit_test(test_what_no_party_can_be_is_left_out),
        cmocka_unit_test(test_events_of_slices_in_any_order),
        cmocka_unit_test(test_a_bookmark_moves_the_version_alone),
        cmocka_unit_test(test_what_is_no_event_changes_nothing),
        cmocka_unit_test(test_an_error_says_why),
        cmocka_unit_test(test_what_is_no_list_changes_nothing),
        cmocka_unit_test(test_endpoints_are_bounded_in_all_slices_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
