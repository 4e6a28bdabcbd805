/* SPDX-License-Identifier: Apache-2.0 */
/* What a party says of itself. */
#include "services/coordinator/excuse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_not_now_is_of_the_party_the_request_or_the_share(void **state)
{
    (void)state;
    assert_int_equal(excuse_of("STORAGE", true, false), EXCUSE_PARTY);
    assert_int_equal(excuse_of("OVERLOADED", true, false), EXCUSE_PARTY);
    assert_int_equal(excuse_of("POLICY_RETRY", true, false), EXCUSE_REQUEST);
    assert_int_equal(excuse_of("RESTARTED", true, false), EXCUSE_REQUEST);
    assert_int_equal(excuse_of("NO_SHARE", true, false), EXCUSE_SHARE);
    assert_int_equal(excuse_of("", true, false), EXCUSE_REQUEST);
    assert_int_equal(excuse_of("SOMETHING_NEW", true, false), EXCUSE_REQUEST);
}

static void test_a_refusal_is_no_excuse(void **state)
{
    (void)state;
    assert_int_equal(excuse_of("POLICY_REJECT", false, false), EXCUSE_NONE);
    assert_int_equal(excuse_of("NO_SHARE", false, false), EXCUSE_NONE);
}

static void test_who_was_kept_from_it_by_others_has_none(void **state)
{
    (void)state;
    assert_int_equal(excuse_of("SILENT", true, false), EXCUSE_NONE);
    assert_int_equal(excuse_of("PEER_ABORT", true, false), EXCUSE_NONE);
    assert_int_equal(excuse_of("PRESIGNATURE_MISSING", true, false), EXCUSE_NONE);
    assert_int_equal(excuse_of("STORAGE", true, true), EXCUSE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_now_is_of_the_party_the_request_or_the_share),
        cmocka_unit_test(test_a_refusal_is_no_excuse),
        cmocka_unit_test(test_who_was_kept_from_it_by_others_has_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
