/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's freeze: obeyed by a keeper whatever the front asks, across restarts, by serial. */
#include "keepers.h"

#include "system/access/order.h"
#include "system/core/ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct keepers *k;
static struct job keygen;
static uint8_t key_id[32], pk[33];
static const size_t quorum[] = {0, 1};

/* Stored when this returns, if it can be. */
static void order(size_t who, const char *action, const char *account, uint64_t serial,
                  const uint8_t secret[64])
{
    Mpc__Keeper__V1__ToKeeper frame = MPC__KEEPER__V1__TO_KEEPER__INIT;
    Mpc__Session__V1__OrderBody body = MPC__SESSION__V1__ORDER_BODY__INIT;
    Mpc__Session__V1__Order signed_one = MPC__SESSION__V1__ORDER__INIT;
    uint8_t b[512], signature[64];

    body.action = (char *)action;
    body.account_id = (char *)account;
    body.serial = serial;
    signed_one.body = (ProtobufCBinaryData){mpc__session__v1__order_body__pack(&body, b), b};
    order_sign(signature, b, signed_one.body.len, secret);
    signed_one.signature = (ProtobufCBinaryData){64, signature};
    frame.request_case = MPC__KEEPER__V1__TO_KEEPER__REQUEST_ORDER;
    frame.order = &signed_one;
    keepers_send(k, who, &frame);
    keepers_sync(k, who);
}

/* NULL: it signs. */
static void expect(const char *code)
{
    struct job job = keepers_sign(&keygen, key_id, quorum, 2);
    Mpc__Session__V1__Setup *setup = keepers_setup(k, &job);
    struct job alone = job;

    keepers_open(k, 0, setup);
    if (!code)
        keepers_open(k, 1, setup);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
    alone.members_n = 1;
    keepers_play(k, &alone);
    if (code)
        assert_string_equal(keepers_told(k, 0, job.session_id, 0)->code, code);
    else
        assert_true(keepers_is_signed(keepers_told(k, 0, job.session_id, 0), &job, pk));
}

static void test_only_the_operator_freezes(void **state)
{
    (void)state;
    order(0, "freeze", "", 1, k->initiator_secret);
    expect(NULL);
    order(0, "melt", "", 1, k->operator_secret);
    expect(NULL);
    order(0, "freeze", "not an account", 1, k->operator_secret);
    expect(NULL);
}

static void test_an_account_is_frozen_and_others_are_not(void **state)
{
    char account[37], other[37];

    (void)state;
    id_text(account, keygen.intent.account);
    id_new(other);
    order(0, "freeze", other, 5, k->operator_secret);
    expect(NULL);
    order(0, "freeze", account, 5, k->operator_secret);
    expect("FROZEN");
    order(0, "unfreeze", account, 5, k->operator_secret);
    order(0, "unfreeze", account, 4, k->operator_secret);
    expect("FROZEN");
    order(0, "unfreeze", account, 6, k->operator_secret);
    expect(NULL);
    order(0, "freeze", account, 5, k->operator_secret);
    expect(NULL);
}

static void test_a_freeze_of_the_system_outlives_a_kill(void **state)
{
    (void)state;
    order(0, "freeze", "", 1, k->operator_secret);
    expect("FROZEN");
    keepers_kill(k, 0);
    assert_true(keepers_start(k, 0));
    expect("FROZEN");
    order(0, "unfreeze", "", 2, k->operator_secret);
    expect(NULL);
}

static void test_a_freeze_ends_what_runs(void **state)
{
    struct job job = keepers_sign(&keygen, key_id, quorum, 2);
    Mpc__Session__V1__Setup *setup = keepers_setup(k, &job);

    (void)state;
    keepers_open(k, 0, setup);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
    keepers_sync(k, 0);
    order(0, "freeze", "", 3, k->operator_secret);
    job.members_n = 1;
    keepers_play(k, &job);
    assert_string_equal(keepers_told(k, 0, job.session_id, 0)->code, "FROZEN");
    order(0, "unfreeze", "", 4, k->operator_secret);
    expect(NULL);
}

/* A disk that takes no order: the freeze holds, and is stored once the disk takes it. Its end counts
 * once it is stored. */
static void test_a_freeze_that_cannot_be_stored_holds(void **state)
{
    struct job job = keepers_sign(&keygen, key_id, quorum, 2);
    Mpc__Session__V1__Setup *setup = keepers_setup(k, &job);

    (void)state;
    party_db_refuse(&k->seats[0].db, "INSERT ON orders");
    keepers_open(k, 0, setup);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
    keepers_sync(k, 0);
    order(0, "freeze", "", 7, k->operator_secret);
    job.members_n = 1;
    keepers_play(k, &job);
    assert_string_equal(keepers_told(k, 0, job.session_id, 0)->code, "FROZEN");
    expect("FROZEN");
    order(0, "unfreeze", "", 7, k->operator_secret);
    expect("FROZEN");
    assert_false(party_db_has(&k->seats[0].db, "SELECT 1 FROM orders WHERE serial = 7"));
    party_db_allow(&k->seats[0].db, "orders");
    while (!party_db_has(&k->seats[0].db, "SELECT 1 FROM orders WHERE serial = 7 AND frozen = 1"))
        keepers_sync(k, 0);
    keepers_kill(k, 0);
    assert_true(keepers_start(k, 0));
    expect("FROZEN");
    party_db_refuse(&k->seats[0].db, "UPDATE ON orders");
    order(0, "unfreeze", "", 9, k->operator_secret);
    expect("FROZEN");
    assert_false(party_db_has(&k->seats[0].db, "SELECT 1 FROM orders WHERE serial = 9"));
    party_db_allow(&k->seats[0].db, "orders");
    while (!party_db_has(&k->seats[0].db, "SELECT 1 FROM orders WHERE serial = 9 AND frozen = 0"))
        keepers_sync(k, 0);
    keepers_sync(k, 0);
    expect(NULL);
}

static void again(size_t who)
{
    keepers_sync(k, who);
    keepers_kill(k, who);
    assert_true(keepers_start(k, who));
}

static void lose_ledger(size_t who)
{
    char path[192];

    keepers_sync(k, who);
    keepers_kill(k, who);
    snprintf(path, sizeof path, "%s/ledger", k->seats[who].directory);
    assert_int_equal(unlink(path), 0);
    assert_true(keepers_start(k, who));
}

/* Whoever writes to the database is not the operator. */
static void test_the_database_ends_no_freeze(void **state)
{
    (void)state;
    order(0, "freeze", "", 20, k->operator_secret);
    expect("FROZEN");
    party_db_run(&k->seats[0].db, "UPDATE orders SET frozen = 0, serial = 21");
    again(0);
    expect("FROZEN");
    party_db_run(&k->seats[0].db, "DELETE FROM orders");
    again(0);
    expect("FROZEN");
    party_db_run(&k->seats[0].db,
                 "INSERT INTO orders (subject, serial, frozen) VALUES ('', 9000000000, 0)");
    again(0);
    expect("FROZEN");
    order(0, "unfreeze", "", 21, k->operator_secret);
    expect(NULL);
}

/* The row that is there has a serial that no order of the operator reaches. */
static void test_the_database_bars_no_order(void **state)
{
    (void)state;
    again(0);
    expect(NULL);
    order(0, "freeze", "", 22, k->operator_secret);
    expect("FROZEN");
    again(0);
    expect("FROZEN");
    order(0, "unfreeze", "", 23, k->operator_secret);
    again(0);
    expect(NULL);
    party_db_run(&k->seats[0].db, "DELETE FROM orders");
}

/* An order that was signed counts for what was signed, without the party's own file as well. */
static void test_a_signed_row_counts_for_what_was_signed(void **state)
{
    (void)state;
    order(0, "freeze", "", 30, k->operator_secret);
    keepers_sync(k, 0);
    party_db_run(&k->seats[0].db, "UPDATE orders SET frozen = 0, serial = 31, subject = 'nobody'");
    lose_ledger(0);
    expect("FROZEN");
    order(0, "unfreeze", "", 31, k->operator_secret);
    expect(NULL);
    party_db_run(&k->seats[0].db, "UPDATE orders SET frozen = 1 WHERE subject = ''");
    again(0);
    expect(NULL);
}

/* A row of an earlier version, or a forged one: who ends it is the operator. */
static void test_a_freeze_that_nobody_signed_holds_until_the_operator_ends_it(void **state)
{
    (void)state;
    party_db_run(&k->seats[0].db, "DELETE FROM orders");
    party_db_run(&k->seats[0].db,
                 "INSERT INTO orders (subject, serial, frozen) VALUES ('', 50, 1)");
    again(0);
    expect("FROZEN");
    order(0, "unfreeze", "", 50, k->operator_secret);
    expect("FROZEN");
    order(0, "freeze", "", 40, k->operator_secret);
    order(0, "unfreeze", "", 41, k->operator_secret);
    expect("FROZEN");
    party_db_run(&k->seats[0].db, "DELETE FROM orders");
    again(0);
    expect("FROZEN");
    order(0, "unfreeze", "", 51, k->operator_secret);
    expect(NULL);
}

static void test_a_party_that_cannot_read_its_orders_does_not_start(void **state)
{
    (void)state;
    keepers_kill(k, 2);
    party_db_run(&k->seats[2].db, "ALTER TABLE orders RENAME TO elsewhere");
    assert_int_equal(WEXITSTATUS(keepers_refuse_to_start(k, 2)), 1);
    party_db_run(&k->seats[2].db, "ALTER TABLE elsewhere RENAME TO orders");
    assert_true(keepers_start(k, 2));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_operator_freezes),
        cmocka_unit_test(test_an_account_is_frozen_and_others_are_not),
        cmocka_unit_test(test_a_freeze_of_the_system_outlives_a_kill),
        cmocka_unit_test(test_a_freeze_ends_what_runs),
        cmocka_unit_test(test_a_freeze_that_cannot_be_stored_holds),
        cmocka_unit_test(test_the_database_ends_no_freeze),
        cmocka_unit_test(test_the_database_bars_no_order),
        cmocka_unit_test(test_a_signed_row_counts_for_what_was_signed),
        cmocka_unit_test(test_a_freeze_that_nobody_signed_holds_until_the_operator_ends_it),
        cmocka_unit_test(test_a_party_that_cannot_read_its_orders_does_not_start),
    };
    int result;

    if (keepers_main(argc, argv, &result))
        return result;
    k = keepers_new(3, NULL);
    keygen = keepers_keygen(k, 3, 2);
    keepers_make_key(k, &keygen, key_id, pk);
    result = cmocka_run_group_tests(tests, NULL, NULL);
    keepers_free(k);
    return result;
}
