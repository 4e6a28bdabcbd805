/* SPDX-License-Identifier: Apache-2.0 */
/* Reading JSON and words into messages: what is taken, and the sentence for what is not. */
#include "system/rpc/json.h"

#include "account.pb-c.h"
#include "shapes.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static Test__Shapes__Shapes *read_good(const char *text)
{
    struct rpc_status status = {0};
    json_t *json = json_of_text(text, strlen(text), &status);
    ProtobufCMessage *message;

    if (json == NULL)
        fail_msg("%s: %s", text, status.text);
    message = message_of_json(&test__shapes__shapes__descriptor, json, &status);
    if (message == NULL)
        fail_msg("%s: %s", text, status.text);
    json_decref(json);
    return (Test__Shapes__Shapes *)message;
}

static void done(Test__Shapes__Shapes *message)
{
    protobuf_c_message_free_unpacked(&message->base, NULL);
}

static void test_all_members_arrive(void **state)
{
    Test__Shapes__Shapes *m = read_good(
        "{\"i32\":-5,\"u32\":4294967295,\"u64\":\"18446744073709551615\",\"i64\":-7,\"real32\":1,"
        "\"real64\":2.5,\"yes\":true,\"color\":\"BLUE\",\"text\":\"h\\u20ac\",\"blob\":\"+/"
        "8AAQ==\","
        "\"inner\":{\"name\":\"x\",\"count\":3.0},\"numbers\":[1,2],\"texts\":[\"a\",\"\"],"
        "\"blobs\":[\"\",\"AA==\"],\"inners\":[{},{\"count\":1}],\"flags\":[true,false],"
        "\"colors\":[\"RED\"],\"longs\":[1,\"9223372036854775808\"],"
        "\"names\":{\"k\":\"v\"},\"by_number\":{\"4\":{\"count\":4}},\"by_truth\":{\"true\":5},"
        "\"text_choice\":\"t\",\"limit\":0}");

    (void)state;
    assert_int_equal(m->i32, -5);
    assert_int_equal(m->u32, UINT32_MAX);
    assert_true(m->u64 == UINT64_MAX);
    assert_int_equal(m->i64, -7);
    assert_true(m->real32 >= 1 && m->real32 <= 1 && m->real64 > 2.4 && m->real64 < 2.6);
    assert_true(m->yes);
    assert_int_equal(m->color, TEST__SHAPES__COLOR__BLUE);
    assert_string_equal(m->text, "h\xe2\x82\xac");
    assert_int_equal(m->blob.len, 4);
    assert_memory_equal(m->blob.data, "\xfb\xff\x00\x01", 4);
    assert_string_equal(m->inner->name, "x");
    assert_int_equal(m->inner->count, 3);
    assert_int_equal(m->n_numbers, 2);
    assert_int_equal(m->numbers[1], 2);
    assert_string_equal(m->texts[0], "a");
    assert_int_equal(m->blobs[1].len, 1);
    assert_int_equal(m->inners[1]->count, 1);
    assert_true(m->flags[0] && !m->flags[1]);
    assert_int_equal(m->colors[0], TEST__SHAPES__COLOR__RED);
    assert_true(m->longs[1] == (uint64_t)INT64_MAX + 1);
    assert_string_equal(m->names[0]->key, "k");
    assert_string_equal(m->names[0]->value, "v");
    assert_int_equal(m->by_number[0]->key, 4);
    assert_int_equal(m->by_number[0]->value->count, 4);
    assert_true(m->by_truth[0]->key);
    assert_int_equal(m->by_truth[0]->value, 5);
    assert_int_equal(m->choice_case, TEST__SHAPES__SHAPES__CHOICE_TEXT_CHOICE);
    assert_string_equal(m->text_choice, "t");
    assert_int_equal(m->limit_given_case, TEST__SHAPES__SHAPES__LIMIT_GIVEN_LIMIT);
    assert_int_equal(m->limit, 0);
    done(m);
}

static void test_null_is_absent(void **state)
{
    Test__Shapes__Shapes *m =
        read_good("{\"i32\":null,\"text\":null,\"inner\":null,\"numbers\":null,\"names\":null,"
                  "\"limit\":null,\"text_choice\":null,\"number_choice\":5}");

    (void)state;
    assert_string_equal(m->text, "");
    assert_null(m->inner);
    assert_int_equal(m->n_numbers + m->n_names, 0);
    assert_int_equal(m->limit_given_case, 0);
    assert_int_equal(m->choice_case, TEST__SHAPES__SHAPES__CHOICE_NUMBER_CHOICE);
    done(m);
}

static void test_no_json_is_an_empty_message(void **state)
{
    struct rpc_status status = {0};
    ProtobufCMessage *m = message_of_json(&test__shapes__shapes__descriptor, NULL, &status);

    (void)state;
    assert_non_null(m);
    protobuf_c_message_free_unpacked(m, NULL);
}

#define LONG_NAME "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_what_does_not_fit_is_named(void **state)
{
    static const struct {
        const char *text, *sentence;
    } rows[] = {
        {"{\"u32\":-1}", "u32 must be a whole number from 0 to 4294967295"},
        {"{\"u32\":4294967296}", "u32 must be a whole number from 0 to 4294967295"},
        {"{\"u32\":1.5}", "u32 must be a whole number from 0 to 4294967295"},
        {"{\"u32\":\"1\"}", "u32 must be a whole number from 0 to 4294967295"},
        {"{\"u32\":true}", "u32 must be a whole number from 0 to 4294967295"},
        {"{\"u32\":[1]}", "u32 must be a whole number from 0 to 4294967295"},
        {"{\"f32\":-1}", "f32 must be a whole number from 0 to 4294967295"},
        {"{\"i32\":2147483648}", "i32 must be a whole number from -2147483648 to 2147483647"},
        {"{\"s32\":-2147483649}", "s32 must be a whole number from -2147483648 to 2147483647"},
        {"{\"sf32\":1e10}", "sf32 must be a whole number from -2147483648 to 2147483647"},
        {"{\"i64\":1e16}",
         "i64 must be a whole number from -9223372036854775808 to 9223372036854775807"},
        {"{\"u32\":3,\"i64\":9223372036854775808}",
         "i64 must be a whole number from -9223372036854775808 to 9223372036854775807"},
        {"{\"i64\":\"5\"}",
         "i64 must be a whole number from -9223372036854775808 to 9223372036854775807"},
        {"{\"u64\":-1}",
         "u64 must be a whole number from 0 to 18446744073709551615 (as text if above 2^63-1)"},
        {"{\"u64\":\"18446744073709551616\"}",
         "u64 must be a whole number from 0 to 18446744073709551615 (as text if above 2^63-1)"},
        {"{\"u64\":\"\"}",
         "u64 must be a whole number from 0 to 18446744073709551615 (as text if above 2^63-1)"},
        {"{\"f64\":\"1x\"}",
         "f64 must be a whole number from 0 to 18446744073709551615 (as text if above 2^63-1)"},
        {"{\"real64\":\"1\"}", "real64 must be a number"},
        {"{\"real32\":1e39}", "real32 must be a number that fits 32 bits"},
        {"{\"yes\":1}", "yes must be true or false"},
        {"{\"yes\":\"true\"}", "yes must be true or false"},
        {"{\"color\":\"GREEN\"}", "color must be one of BLUE, NONE, RED"},
        {"{\"color\":1}", "color must be one of BLUE, NONE, RED"},
        {"{\"text\":5}", "text must be text"},
        {"{\"text\":{}}", "text must be text"},
        {"{\"blob\":\"AA=\"}", "blob must be base64 text"},
        {"{\"blob\":\"AA\"}", "blob must be base64 text"},
        {"{\"blob\":\"AB==\"}", "blob must be base64 text"},
        {"{\"blob\":\"AA==AA==\"}", "blob must be base64 text"},
        {"{\"blob\":\"-_8=\"}", "blob must be base64 text"},
        {"{\"blob\":\"A A=\"}", "blob must be base64 text"},
        {"{\"blob\":7}", "blob must be base64 text"},
        {"{\"inner\":[]}", "inner must be an object, {...}"},
        {"{\"inner\":\"x\"}", "inner must be an object, {...}"},
        {"{\"inner\":{\"count\":-1}}", "inner.count must be a whole number from 0 to 4294967295"},
        {"{\"inner\":{\"nmae\":\"\"}}", "unknown field \"inner.nmae\""},
        {"{\"inner\":{\"cuont\":\"\"}}", "unknown field \"inner.cuont\""},
        {"{\"inner\":{\"coun\":\"\"}}", "unknown field \"inner.coun\"; did you mean \"count\"?"},
        {"{\"numbers\":5}", "numbers must be a list, [...]"},
        {"{\"numbers\":{}}", "numbers must be a list, [...]"},
        {"{\"numbers\":[1,null]}", "numbers[1] must be a whole number from 0 to 4294967295"},
        {"{\"texts\":[\"a\",3]}", "texts[1] must be text"},
        {"{\"blobs\":[\"AA==\",\"!\"]}", "blobs[1] must be base64 text"},
        {"{\"inners\":[{},{\"name\":1}]}", "inners[1].name must be text"},
        {"{\"inners\":[{},null]}", "inners[1] must be an object, {...}"},
        {"{\"names\":[]}", "names must be an object, {...}"},
        {"{\"names\":{\"a\":\"\",\"b\":2}}", "names.b must be text"},
        {"{\"names\":{\"a\":null}}", "names.a must be text"},
        {"{\"by_number\":{\"x\":{}}}", "by_number.x must be a whole number from 0 to 4294967295"},
        {"{\"by_number\":{\"1\":{},\"1.0\":{}}}",
         "by_number.1.0 must be a whole number from 0 to 4294967295"},
        {"{\"by_number\":{\"-1\":{}}}", "by_number.-1 must be a whole number from 0 to 4294967295"},
        {"{\"by_number\":{\"1\":{\"name\":0}}}", "by_number.1.name must be text"},
        {"{\"by_truth\":{\"yes\":0}}", "by_truth.yes must be true or false"},
        {"{\"text_choice\":\"a\",\"number_choice\":1}",
         "number_choice and text_choice exclude each other"},
        {"{\"inner_choice\":{},\"text_choice\":\"b\"}",
         "text_choice and inner_choice exclude each other"},
        {"{\"limit\":\"5\"}", "limit must be a whole number from 0 to 4294967295"},
        {"{\"text_choice\":1}", "text_choice must be text"},
        {"{\"usr\":1}", "unknown field \"usr\""},
        {"{\"Text\":\"\"}", "unknown field \"Text\"; did you mean \"text\"?"},
        {"{\"\":1}", "unknown field \"\""},
        {"{\"a\\nb\":1}", "unknown field \"a?b\""},
        {"{\"" LONG_NAME "\":1}",
         "unknown field \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rpc_status status = {0};
        json_t *json = json_of_text(rows[i].text, strlen(rows[i].text), &status);

        if (json == NULL)
            fail_msg("%s: %s", rows[i].text, status.text);
        assert_null(message_of_json(&test__shapes__shapes__descriptor, json, &status));
        assert_int_equal(status.code, RPC_INVALID);
        assert_string_equal(status.text, rows[i].sentence);
        json_decref(json);
    }
}

static void test_typos_in_a_real_request(void **state)
{
    static const struct {
        const char *text, *sentence;
    } rows[] = {
        {"{\"usr_id\":\"u\"}", "unknown field \"usr_id\"; did you mean \"user_id\"?"},
        {"{\"threshold\":2}", "unknown field \"threshold\"; did you mean \"threshold_t\"?"},
        {"{\"user_id\":\"u\",\"threshold_t\":\"2\"}",
         "threshold_t must be a whole number from 0 to 4294967295"},
        {"{\"participants\":[{\"partyid\":\"a\"}]}",
         "unknown field \"participants[0].partyid\"; did you mean \"party_id\"?"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rpc_status status = {0};
        json_t *json = json_of_text(rows[i].text, strlen(rows[i].text), &status);

        assert_null(
            message_of_json(&mpc__account__v1__create_account_request__descriptor, json, &status));
        assert_string_equal(status.text, rows[i].sentence);
        json_decref(json);
    }
}

static void expect_refused(const char *name, json_t *value, const char *sentence)
{
    struct rpc_status status = {0};
    json_t *json = json_object();

    json_object_set_new_nocheck(json, name, value);
    assert_null(message_of_json(&test__shapes__shapes__descriptor, json, &status));
    assert_string_equal(status.text, sentence);
    json_decref(json);
}

/* Values that the parser would not let through, from a caller that makes its JSON itself. */
static void test_zero_bytes_and_bad_utf8_are_refused(void **state)
{
    struct rpc_status status = {0};
    json_t *list = json_array();

    (void)state;
    expect_refused("text", json_stringn_nocheck("a\0b", 3), "text holds a zero byte");
    expect_refused("text", json_stringn_nocheck("a\xc3", 2), "text is not valid UTF-8");
    expect_refused("\xc3", json_null(), "unknown field \"\"");
    assert_null(message_of_json(&test__shapes__shapes__descriptor, list, &status));
    assert_string_equal(status.text, "a JSON object is needed, {...}");
    json_decref(list);
}

static void test_words_of_paths_and_queries(void **state)
{
    static const struct {
        const char *field, *text, *sentence;
    } rows[] = {
        {"text", "caf\xc3\xa9", NULL},
        {"text", "123", NULL},
        {"text", "", NULL},
        {"text", "\xff", "text is not valid UTF-8"},
        {"u32", "7", NULL},
        {"u32", "", "u32 must be a whole number from 0 to 4294967295"},
        {"u32", "x", "u32 must be a whole number from 0 to 4294967295"},
        {"u32", "-1", "u32 must be a whole number from 0 to 4294967295"},
        {"u32", "7x", "u32 must be a whole number from 0 to 4294967295"},
        {"u32", "0", NULL},
        {"u32", "01", "u32 must be a whole number from 0 to 4294967295"},
        {"u32", "-0", "u32 must be a whole number from 0 to 4294967295"},
        {"u32", "1e2", "u32 must be a whole number from 0 to 4294967295"},
        {"u32", " 1", "u32 must be a whole number from 0 to 4294967295"},
        {"u32", "4294967296", "u32 must be a whole number from 0 to 4294967295"},
        {"u32", "99999999999999999999", "u32 must be a whole number from 0 to 4294967295"},
        {"u64", "18446744073709551615", NULL},
        {"i64", "-9223372036854775808", NULL},
        {"limit", "10", NULL},
        {"yes", "true", NULL},
        {"yes", "1", "yes must be true or false"},
        {"yes", "", "yes must be true or false"},
        {"real64", "1.5", NULL},
        {"color", "RED", NULL},
        {"color", "1", "color must be one of BLUE, NONE, RED"},
        {"blob", "AA==", NULL},
        {"blob", "?", "blob must be base64 text"},
        {"inner", "{}", "inner cannot be given in a path or query"},
        {"names", "a", "names cannot be given in a path or query"},
        {"numbers", "1", NULL},
        {"text_choice", "a", NULL},
        {"txet", "a", "unknown field \"txet\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Test__Shapes__Shapes *m = read_good("{}");
        struct rpc_status status = {0};
        bool is_good = message_set_text(&m->base, rows[i].field, rows[i].text, &status);

        if (is_good != (rows[i].sentence == NULL))
            fail_msg("%s=%s: %s", rows[i].field, rows[i].text, status.text);
        if (!is_good)
            assert_string_equal(status.text, rows[i].sentence);
        done(m);
    }
}

static void test_words_replace_what_is_set_and_lists_grow(void **state)
{
    Test__Shapes__Shapes *m = read_good("{\"text\":\"old\",\"blob\":\"AAAA\",\"texts\":[\"a\"],"
                                        "\"text_choice\":\"old\"}");
    struct rpc_status status = {0};

    (void)state;
    assert_true(message_set_text(&m->base, "text", "new", &status));
    assert_true(message_set_text(&m->base, "text", "newer", &status));
    assert_true(message_set_text(&m->base, "blob", "AA==", &status));
    assert_true(message_set_text(&m->base, "text_choice", "new", &status));
    assert_true(message_set_text(&m->base, "texts", "b", &status));
    assert_true(message_set_text(&m->base, "texts", "c", &status));
    assert_false(message_set_text(&m->base, "number_choice", "1", &status));
    assert_string_equal(status.text, "number_choice and text_choice exclude each other");
    assert_false(message_set_text(&m->base, "text", "\xff", &status));
    assert_string_equal(m->text, "");
    assert_int_equal(m->blob.len, 1);
    assert_string_equal(m->text_choice, "new");
    assert_int_equal(m->n_texts, 3);
    assert_string_equal(m->texts[0], "a");
    assert_string_equal(m->texts[2], "c");
    done(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_members_arrive),
        cmocka_unit_test(test_null_is_absent),
        cmocka_unit_test(test_no_json_is_an_empty_message),
        cmocka_unit_test(test_what_does_not_fit_is_named),
        cmocka_unit_test(test_typos_in_a_real_request),
        cmocka_unit_test(test_zero_bytes_and_bad_utf8_are_refused),
        cmocka_unit_test(test_words_of_paths_and_queries),
        cmocka_unit_test(test_words_replace_what_is_set_and_lists_grow),
    };

    return cmocka_run_group_tests_name("json_read", tests, NULL, NULL);
}
