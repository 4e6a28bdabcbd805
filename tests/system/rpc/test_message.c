/* SPDX-License-Identifier: Apache-2.0 */
/* An own copy of a message that was lent; what comes as bytes, with text in it. */
#include "system/rpc/message.h"

#include "session.pb-c.h"
#include "shapes.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void test_a_copy_stands_alone(void **state)
{
    Mpc__Session__V1__Session lent = MPC__SESSION__V1__SESSION__INIT, *own;
    Mpc__Session__V1__Signature signature = MPC__SESSION__V1__SIGNATURE__INIT;
    char id[] = "one", party[] = "party-1", *parties[] = {party};

    (void)state;
    lent.session_id = id;
    lent.parties = parties;
    lent.n_parties = 1;
    lent.attempt = 7;
    signature.recovery_id = 1;
    lent.signature = &signature;
    own = message_copy(&lent.base);
    memset(id, 'x', 3);
    memset(party, 'x', 7);
    signature.recovery_id = 2;
    assert_string_equal(own->session_id, "one");
    assert_int_equal(own->n_parties, 1);
    assert_string_equal(own->parties[0], "party-1");
    assert_int_equal(own->attempt, 7);
    assert_int_equal(own->signature->recovery_id, 1);
    mpc__session__v1__session__free_unpacked(own, NULL);
}

static void test_an_empty_message_is_copied(void **state)
{
    const Mpc__Session__V1__Session lent = MPC__SESSION__V1__SESSION__INIT;
    Mpc__Session__V1__Session *own = message_copy(&lent.base);

    (void)state;
    assert_string_equal(own->session_id, "");
    assert_null(own->signature);
    mpc__session__v1__session__free_unpacked(own, NULL);
}

static void refuse(const char *b, size_t len, const char *sentence)
{
    struct rpc_status status = {.code = RPC_OK};

    assert_null(
        message_of_bytes(&test__shapes__shapes__descriptor, (const uint8_t *)b, len, &status));
    assert_int_equal(status.code, RPC_INVALID);
    assert_string_equal(status.text, sentence);
}

#define REFUSE(bytes, sentence) refuse(bytes, sizeof bytes - 1, sentence)

/* Fields 15 text, 19 texts, 17 inner {1 name}, 21 inners, 26 names, 27 by_number, 30 text_choice,
 * 32 inner_choice. */
static void test_attack_text_that_is_none_is_refused_by_name(void **state)
{
    (void)state;
    REFUSE("\x7a\x01\xff", "text is not valid UTF-8");
    REFUSE("\x7a\x03zo\xc3", "text is not valid UTF-8");
    REFUSE("\x7a\x03\xed\xa0\x80", "text is not valid UTF-8");
    REFUSE("\x7a\x03"
           "a\0b",
           "text must not hold a zero byte");
    REFUSE("\x7a\x01\0", "text must not hold a zero byte");
    REFUSE("\x9a\x01\x01"
           "a\x9a\x01\x01\xc3",
           "texts is not valid UTF-8");
    REFUSE("\x8a\x01\x03\x0a\x01\x80", "inner.name is not valid UTF-8");
    REFUSE("\xaa\x01\x03\x0a\x01\0", "inners.name must not hold a zero byte");
    REFUSE("\xd2\x01\x06\x0a\x01k\x12\x01\xff", "names.value is not valid UTF-8");
    REFUSE("\xd2\x01\x06\x0a\x01\xff\x12\x01v", "names.key is not valid UTF-8");
    REFUSE("\xda\x01\x07\x08\x01\x12\x03\x0a\x01\xfe", "by_number.value.name is not valid UTF-8");
    REFUSE("\xf2\x01\x01\xff", "text_choice is not valid UTF-8");
    REFUSE("\x82\x02\x03\x0a\x01\xff", "inner_choice.name is not valid UTF-8");
    /* A later value of the same field does not make the first one good. */
    REFUSE("\x7a\x01\xff\x7a\x01x", "text is not valid UTF-8");
}

static void test_what_is_no_message_is_refused(void **state)
{
    (void)state;
    REFUSE("\x7a\x05"
           "a",
           "the message is not a valid test.shapes.Shapes");
    REFUSE("\x7a", "the message is not a valid test.shapes.Shapes");
    REFUSE("\x7b\x01\xff", "the message is not a valid test.shapes.Shapes");
    REFUSE("\x79\x01\xff", "the message is not a valid test.shapes.Shapes");
    REFUSE("\x7d\x01\xff", "the message is not a valid test.shapes.Shapes");
    REFUSE("\x7a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "the message is not a valid"
                                                               " test.shapes.Shapes");
}

/* Bytes, unknown fields and every type of the wire pass. */
static void test_what_is_no_text_may_hold_anything(void **state)
{
    static const char b[] = "\x7a\x04zo\xc3\xa9"
                            "\x82\x01\x02\xff\0"
                            "\xc2\x3e\x02\xff\0"
                            "\x45\1\2\3\4"
                            "\x51\1\2\3\4\5\6\7\x08"
                            "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    struct rpc_status status;
    Test__Shapes__Shapes *m = message_of_bytes(&test__shapes__shapes__descriptor,
                                               (const uint8_t *)b, sizeof b - 1, &status);

    (void)state;
    assert_non_null(m);
    assert_string_equal(m->text, "zo\xc3\xa9");
    assert_int_equal(m->blob.len, 2);
    assert_int_equal(m->i32, -1);
    assert_int_equal(m->f32, 0x04030201);
    test__shapes__shapes__free_unpacked(m, NULL);
    m = message_of_bytes(&test__shapes__shapes__descriptor, NULL, 0, &status);
    assert_non_null(m);
    test__shapes__shapes__free_unpacked(m, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_copy_stands_alone),
        cmocka_unit_test(test_an_empty_message_is_copied),
        cmocka_unit_test(test_attack_text_that_is_none_is_refused_by_name),
        cmocka_unit_test(test_what_is_no_message_is_refused),
        cmocka_unit_test(test_what_is_no_text_may_hold_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
