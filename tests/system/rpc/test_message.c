/* SPDX-License-Identifier: Apache-2.0 */
/* An own copy of a message that was lent. */
#include "system/rpc/message.h"

#include "session.pb-c.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_copy_stands_alone),
        cmocka_unit_test(test_an_empty_message_is_copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
