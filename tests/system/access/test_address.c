/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses, ranges, and who called behind proxies. */
#include "system/access/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

static void expect_text(const char *text, const char *printed)
{
    struct address address;
    char out[ADDRESS_TEXT_MAX];

    assert_true(address_parse(&address, text));
    address_print(out, &address);
    assert_string_equal(out, printed);
}

static void test_addresses_have_one_form(void **state)
{
    (void)state;
    expect_text("10.1.2.3", "10.1.2.3");
    expect_text("::ffff:10.1.2.3", "10.1.2.3");
    expect_text("::FFFF:0A01:0203", "10.1.2.3");
    expect_text("2001:DB8:0::1", "2001:db8::1");
    expect_text("fe80::1%eth0", "fe80::1");
    expect_text("::1", "::1");
}

static void test_malformed_addresses_are_refused(void **state)
{
    static const char *const bad[] = {
        "",          "1",
        "1.2.3",     "1.2.3.4.5",
        "1.2.3.256", "01.2.3.4",
        ":::1",      "10.0.0.1:80",
        "[::1]",     " 10.0.0.1",
        "10.0.0.1 ", "localhost",
        "unknown",   "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd"};
    struct address address;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(address_parse(&address, bad[i]));
}

static bool is_in(const char *text, const char *range)
{
    struct address_range one;
    struct address_list list = {&one, 1};
    struct address address;

    assert_true(address_range_parse(&one, range));
    assert_true(address_parse(&address, text));
    return address_is_in(&address, &list);
}

static void test_ranges_hold_what_they_say(void **state)
{
    (void)state;
    assert_true(is_in("10.255.0.1", "10.0.0.0/8"));
    assert_false(is_in("11.0.0.0", "10.0.0.0/8"));
    assert_true(is_in("192.168.1.127", "192.168.1.0/25"));
    assert_false(is_in("192.168.1.128", "192.168.1.0/25"));
    assert_true(is_in("1.2.3.4", "1.2.3.4"));
    assert_false(is_in("1.2.3.5", "1.2.3.4"));
    assert_true(is_in("9.9.9.9", "0.0.0.0/0"));
    assert_true(is_in("2001:db8:ffff::1", "2001:db8::/32"));
    assert_false(is_in("2001:db9::1", "2001:db8::/32"));
    assert_true(is_in("2001:db8::7", "2001:db8::4/126"));
    assert_false(is_in("2001:db8::8", "2001:db8::4/126"));
    assert_true(is_in("::1", "::/0"));
}

/* Neither family holds the other, but for the mapped form, which is IPv4. */
static void test_families_are_apart(void **state)
{
    (void)state;
    assert_false(is_in("10.0.0.1", "::/0"));
    assert_false(is_in("::1", "0.0.0.0/0"));
    assert_true(is_in("::ffff:10.1.1.1", "10.0.0.0/8"));
    assert_true(is_in("10.1.1.1", "::ffff:10.0.0.0/104"));
    assert_false(is_in("11.1.1.1", "::ffff:10.0.0.0/104"));
}

static void test_malformed_ranges_are_refused(void **state)
{
    static const char *const bad[] = {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8x", "10.0.0.0/-1",
                                      "10.0.0.1/8",  "::/129",    "/8",          "10.0.0.0/0008",
                                      "10.0.0.0//8", "::1/127"};
    struct address_range range;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(address_range_parse(&range, bad[i]));
}

static void expect_caller(const char *peer, const char *forwarded, const char *caller)
{
    struct address_range proxies[2];
    struct address_list list = {proxies, 2};
    struct address from, out;
    char text[ADDRESS_TEXT_MAX];

    assert_true(address_range_parse(&proxies[0], "10.0.0.0/8"));
    assert_true(address_range_parse(&proxies[1], "fd00::/8"));
    assert_true(address_parse(&from, peer));
    address_of_caller(&out, &from, forwarded, &list);
    address_print(text, &out);
    assert_string_equal(text, caller);
}

static void test_caller_is_the_last_hop_that_is_no_proxy(void **state)
{
    (void)state;
    expect_caller("10.0.0.1", "1.1.1.1", "1.1.1.1");
    expect_caller("10.0.0.1", "2.2.2.2, 1.1.1.1", "1.1.1.1");
    expect_caller("10.0.0.1", "2.2.2.2,1.1.1.1 , 10.0.0.2\t,fd00::1", "1.1.1.1");
    expect_caller("fd00::9", "2001:db8::5", "2001:db8::5");
    expect_caller("::ffff:10.0.0.1", "::ffff:1.1.1.1", "1.1.1.1");
}

static void test_attack_stranger_writes_forwarded_himself(void **state)
{
    (void)state;
    expect_caller("1.1.1.1", "10.0.0.5", "1.1.1.1");
    expect_caller("1.1.1.1", "127.0.0.1, 10.0.0.1", "1.1.1.1");
    expect_caller("10.0.0.1", "10.0.0.7, 6.6.6.6, 10.0.0.2", "6.6.6.6");
}

static void test_malformed_forwarded_names_the_proxy(void **state)
{
    (void)state;
    expect_caller("10.0.0.1", NULL, "10.0.0.1");
    expect_caller("10.0.0.1", "", "10.0.0.1");
    expect_caller("10.0.0.1", "1.1.1.1, nonsense, 10.0.0.2", "10.0.0.2");
    expect_caller("10.0.0.1", "1.1.1.1,", "10.0.0.1");
    expect_caller("10.0.0.1", ",,,,", "10.0.0.1");
    expect_caller("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_have_one_form),
        cmocka_unit_test(test_malformed_addresses_are_refused),
        cmocka_unit_test(test_ranges_hold_what_they_say),
        cmocka_unit_test(test_families_are_apart),
        cmocka_unit_test(test_malformed_ranges_are_refused),
        cmocka_unit_test(test_caller_is_the_last_hop_that_is_no_proxy),
        cmocka_unit_test(test_attack_stranger_writes_forwarded_himself),
        cmocka_unit_test(test_malformed_forwarded_names_the_proxy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
