/* SPDX-License-Identifier: Apache-2.0 */
/* No honest message is refused for its length, and the caps are no longer than they have to be. */
#include "services/router/size_cap.h"

#include "quorate/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *const signing[] = {"sign", "presign", "co_managed_sign"};
static const char *const keygen[] = {"keygen", "co_managed_keygen"};

/* The longest there is, and whether the cap is exactly that. */
static void covers(const char *type, enum qrt_protocol protocol, size_t n, size_t t)
{
    size_t cap = size_cap(type, n, t);

    for (uint8_t round = 1; round < 8; round++)
        for (uint8_t kind = 0; kind < 4; kind++)
            assert_true(qrt_wire_size(protocol, round, kind, n, t) <= cap);
}

static void test_every_message_of_every_session_fits(void **state)
{
    (void)state;
    for (size_t t = 2; t <= QRT_PARTIES_MAX; t++)
        for (size_t i = 0; i < sizeof signing / sizeof signing[0]; i++) {
            covers(signing[i], QRT_SIGN, t, t);
            covers(signing[i], QRT_PRESIGN, t, t);
            covers(signing[i], QRT_ONLINE, t, t);
        }
    for (size_t n = 2; n <= QRT_PARTIES_MAX; n++)
        for (size_t t = 2; t <= n; t++)
            for (size_t i = 0; i < sizeof keygen / sizeof keygen[0]; i++)
                covers(keygen[i], QRT_KEYGEN, n, t);
}

static void test_caps_are_those_of_the_protocol(void **state)
{
    (void)state;
    /* the sealed second message of keygen: header, payload, tag */
    assert_int_equal(size_cap("keygen", 3, 2), 80 + 8448 + 16);
    assert_int_equal(size_cap("sign", 2, 2), qrt_wire_size(QRT_SIGN, 2, QRT_KIND_PRIVATE, 2, 2));
}

static void test_what_is_not_known_gets_the_longest_of_all(void **state)
{
    (void)state;
    assert_true(size_cap_general() >= size_cap("keygen", 8, 8));
    assert_true(size_cap_general() >= size_cap("sign", 8, 8));
    assert_true(size_cap_general() == size_cap("something", 8, 8));
    assert_true(size_cap("something", 64, 64) >= size_cap_general());
}

/* Counts come from events; none makes a cap of nothing or a step beyond a table. */
static void test_counts_out_of_range_have_caps_too(void **state)
{
    (void)state;
    for (size_t n = 0; n < 70; n++)
        for (size_t t = 0; t < 70; t++) {
            assert_true(size_cap("sign", n, t) > 0);
            assert_true(size_cap("keygen", n, t) > 0);
            assert_true(size_cap("", n, t) <= size_cap("", 64, 64));
        }
    assert_int_equal(size_cap("keygen", 1000000, 2), size_cap("keygen", 64, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_message_of_every_session_fits),
        cmocka_unit_test(test_caps_are_those_of_the_protocol),
        cmocka_unit_test(test_what_is_not_known_gets_the_longest_of_all),
        cmocka_unit_test(test_counts_out_of_range_have_caps_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
