/* SPDX-License-Identifier: Apache-2.0 */
/* Writing messages as JSON, and text as JSON: shapes one by one. That reading undoes writing is
 * test_json_trip.c. */
#include "system/rpc/json.h"

#include "shapes.pb-c.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* |want|: JSON of the members that must be there; |gone|: names, comma separated, that must not. */
static void expect(const Test__Shapes__Shapes *message, const char *want, const char *gone)
{
    json_t *json = json_of_message(&message->base), *wanted = json_loads(want, 0, NULL);
    char *names = strdup(gone), *rest = NULL;

    assert_non_null(wanted);
    for (void *i = json_object_iter(wanted); i != NULL; i = json_object_iter_next(wanted, i)) {
        json_t *have = json_object_get(json, json_object_iter_key(i));

        if (!json_equal(have, json_object_iter_value(i)))
            fail_msg("%s: %s instead of %s", json_object_iter_key(i),
                     json_dumps(have, JSON_ENCODE_ANY), want);
    }
    for (char *name = strtok_r(names, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
        assert_null(json_object_get(json, name));
    free(names);
    json_decref(wanted);
    json_decref(json);
}

static void test_what_an_empty_message_writes(void **state)
{
    Test__Shapes__Shapes m = TEST__SHAPES__SHAPES__INIT;

    (void)state;
    expect(&m,
           "{\"i32\":0,\"s32\":0,\"sf32\":0,\"i64\":0,\"s64\":0,\"sf64\":0,\"u32\":0,\"f32\":0,"
           "\"u64\":0,\"f64\":0,\"real32\":0.0,\"real64\":0.0,\"yes\":false,\"color\":\"NONE\","
           "\"numbers\":[],\"texts\":[],\"blobs\":[],\"inners\":[],\"colors\":[],\"flags\":[],"
           "\"reals\":[],\"longs\":[],\"names\":{},\"by_number\":{},\"by_truth\":{}}",
           "text,blob,inner,number_choice,text_choice,blob_choice,inner_choice,bool_choice,limit");
}

static void test_numbers_at_their_ends(void **state)
{
    Test__Shapes__Shapes m = TEST__SHAPES__SHAPES__INIT;

    (void)state;
    m.i32 = INT32_MIN;
    m.s32 = INT32_MAX;
    m.sf32 = -1;
    m.i64 = INT64_MIN;
    m.s64 = INT64_MAX;
    m.sf64 = -1;
    m.u32 = m.f32 = UINT32_MAX;
    m.u64 = INT64_MAX;
    m.f64 = UINT64_MAX;
    m.real32 = 0.5F;
    m.real64 = -1e300;
    m.yes = 1;
    expect(&m,
           "{\"i32\":-2147483648,\"s32\":2147483647,\"sf32\":-1,\"i64\":-9223372036854775808,"
           "\"s64\":9223372036854775807,\"sf64\":-1,\"u32\":4294967295,\"f32\":4294967295,"
           "\"u64\":9223372036854775807,\"f64\":\"18446744073709551615\",\"real32\":0.5,"
           "\"real64\":-1e300,\"yes\":true}",
           "");
}

static void test_reals_that_are_no_numbers_are_text(void **state)
{
    Test__Shapes__Shapes m = TEST__SHAPES__SHAPES__INIT;

    (void)state;
    m.real64 = (double)NAN;
    m.real32 = INFINITY;
    expect(&m, "{\"real64\":\"NaN\",\"real32\":\"Infinity\"}", "");
    m.real64 = -(double)INFINITY;
    expect(&m, "{\"real64\":\"-Infinity\"}", "");
}

static void test_enums_are_names(void **state)
{
    Test__Shapes__Shapes m = TEST__SHAPES__SHAPES__INIT;
    Test__Shapes__Color colors[] = {TEST__SHAPES__COLOR__RED, TEST__SHAPES__COLOR__NONE};

    (void)state;
    m.color = TEST__SHAPES__COLOR__BLUE;
    m.colors = colors;
    m.n_colors = 2;
    expect(&m, "{\"color\":\"BLUE\",\"colors\":[\"RED\",\"NONE\"]}", "");
    m.color = (Test__Shapes__Color)77;
    expect(&m, "{\"color\":77}", "");
}

static void test_bytes_are_base64(void **state)
{
    Test__Shapes__Shapes m = TEST__SHAPES__SHAPES__INIT;
    uint8_t b[] = {0xfb, 0xff, 0x00, 0x01};
    ProtobufCBinaryData blobs[] = {{1, b}, {0, NULL}, {3, b}};

    (void)state;
    m.blob = (ProtobufCBinaryData){4, b};
    m.blobs = blobs;
    m.n_blobs = 3;
    expect(&m, "{\"blob\":\"+/8AAQ==\",\"blobs\":[\"+w==\",\"\",\"+/8A\"]}", "");
}

static void test_oneof_writes_the_chosen_member_even_if_it_is_empty(void **state)
{
    Test__Shapes__Shapes m = TEST__SHAPES__SHAPES__INIT;
    Test__Shapes__Inner inner = TEST__SHAPES__INNER__INIT;

    (void)state;
    m.choice_case = TEST__SHAPES__SHAPES__CHOICE_TEXT_CHOICE;
    m.text_choice = (char *)(uintptr_t) "";
    m.limit_given_case = TEST__SHAPES__SHAPES__LIMIT_GIVEN_LIMIT;
    expect(&m, "{\"text_choice\":\"\",\"limit\":0}",
           "number_choice,blob_choice,inner_choice,bool_choice");
    m.choice_case = TEST__SHAPES__SHAPES__CHOICE_INNER_CHOICE;
    m.inner_choice = &inner;
    expect(&m, "{\"inner_choice\":{\"count\":0}}", "text_choice,number_choice,blob_choice");
}

static void test_maps_are_objects(void **state)
{
    Test__Shapes__Shapes m = TEST__SHAPES__SHAPES__INIT;
    Test__Shapes__Shapes__NamesEntry a = TEST__SHAPES__SHAPES__NAMES_ENTRY__INIT, b = a;
    Test__Shapes__Shapes__ByNumberEntry n = TEST__SHAPES__SHAPES__BY_NUMBER_ENTRY__INIT;
    Test__Shapes__Shapes__ByTruthEntry t = TEST__SHAPES__SHAPES__BY_TRUTH_ENTRY__INIT;
    Test__Shapes__Inner inner = TEST__SHAPES__INNER__INIT;
    Test__Shapes__Shapes__NamesEntry *names[] = {&a, &b};
    Test__Shapes__Shapes__ByNumberEntry *numbers[] = {&n};
    Test__Shapes__Shapes__ByTruthEntry *truths[] = {&t};

    (void)state;
    a.key = (char *)(uintptr_t) "p1";
    a.value = (char *)(uintptr_t) "token";
    n.key = 7;
    n.value = &inner;
    t.key = 1;
    t.value = -3;
    m.names = names;
    m.n_names = 2;
    m.by_number = numbers;
    m.by_truth = truths;
    m.n_by_number = m.n_by_truth = 1;
    expect(&m,
           "{\"names\":{\"p1\":\"token\",\"\":\"\"},\"by_number\":{\"7\":{\"count\":0}},"
           "\"by_truth\":{\"true\":-3}}",
           "");
}

static void test_text_of_a_peer_that_is_not_utf8_is_written_with_replacements(void **state)
{
    static const struct {
        const char *bad, *good;
    } rows[] = {
        {"a\xff"
         "b",
         "a\xef\xbf\xbd"
         "b"},
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"x\xed\xa0\x80", "x\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"end\xe2\x82", "end\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xe2\x82\xac", "\xe2\x82\xac"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Test__Shapes__Shapes m = TEST__SHAPES__SHAPES__INIT;
        json_t *json;

        m.text = (char *)(uintptr_t)rows[i].bad;
        json = json_of_message(&m.base);
        assert_string_equal(json_string_value(json_object_get(json, "text")), rows[i].good);
        json_decref(json);
    }
}

static void test_text_that_is_no_json_object_is_refused(void **state)
{
    static const struct {
        const char *text, *sentence;
        size_t len;
    } rows[] = {
        {"", "not valid JSON", 0},
        {"{", "not valid JSON", 1},
        {"[]", "a JSON object is needed", 2},
        {"3", "not valid JSON", 1},
        {"{}x", "not valid JSON", 3},
        {"{\"a\":1,\"a\":2}", "\"a\"", 13},
        {"{\"a\":\"\\u0000\"}", "not valid JSON", 14},
        {"{\"a\":\"\0\"}", "not valid JSON", 9},
        {"{\"a\\u0000\":1}", "not valid JSON", 13},
        {"{\"a\":\"\xff\"}", "not valid JSON", 9},
        {"{\"a\":\"\xed\xa0\x80\"}", "not valid JSON", 11},
        {"{\"a\":1e999}", "not valid JSON", 11},
        {"{\"a\":01}", "not valid JSON", 8},
        {"{\"a\":NaN}", "not valid JSON", 9},
        {"{'a':1}", "not valid JSON", 7},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rpc_status status = {0};

        assert_null(json_of_text(rows[i].text, rows[i].len, &status));
        assert_int_equal(status.code, RPC_INVALID);
        assert_string_equal(status.name, "invalid_json");
        if (strstr(status.text, rows[i].sentence) == NULL)
            fail_msg("%s: %s", rows[i].text, status.text);
    }
}

static void test_nesting_without_end_is_refused(void **state)
{
    enum { DEEP = 1000000 };
    char *text = malloc(DEEP);
    struct rpc_status status = {0};

    (void)state;
    memcpy(text, "{\"a\":", 5);
    memset(text + 5, '[', DEEP - 5);
    assert_null(json_of_text(text, DEEP, &status));
    assert_int_equal(status.code, RPC_INVALID);
    free(text);
}

static void test_good_text_is_read(void **state)
{
    struct rpc_status status = {0};
    json_t *json = json_of_text(" {\"a\":[1,2]} \n", 14, &status);

    (void)state;
    assert_non_null(json);
    assert_int_equal(json_array_size(json_object_get(json, "a")), 2);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_an_empty_message_writes),
        cmocka_unit_test(test_numbers_at_their_ends),
        cmocka_unit_test(test_reals_that_are_no_numbers_are_text),
        cmocka_unit_test(test_enums_are_names),
        cmocka_unit_test(test_bytes_are_base64),
        cmocka_unit_test(test_oneof_writes_the_chosen_member_even_if_it_is_empty),
        cmocka_unit_test(test_maps_are_objects),
        cmocka_unit_test(test_text_of_a_peer_that_is_not_utf8_is_written_with_replacements),
        cmocka_unit_test(test_text_that_is_no_json_object_is_refused),
        cmocka_unit_test(test_nesting_without_end_is_refused),
        cmocka_unit_test(test_good_text_is_read),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
