/* SPDX-License-Identifier: Apache-2.0 */
/* Orders of a state file into a new party: what the operator did not sign lifts no freeze, whatever
 * a row of a database had made a party put into its state. */
#include "participant/restore.h"

#include "participant/orders.h"
#include "participant/store_backups.h"
#include "system/access/order.h"
#include "system/core/secret.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ACCOUNT "a0000000-0000-4000-8000-000000000001"

static char directory[64], env[128];
static uint8_t operator_key[32], secret[64];
static struct config *config;
static struct store *store;
static struct orders *orders;

static int begin(void **state)
{
    char error[CONFIG_ERROR_MAX], hex[65];
    FILE *f;

    (void)state;
    secret_harden();
    umask(077);
    strcpy(directory, "/tmp/quorate-restore-XXXXXX");
    crypto_sign_keypair(operator_key, secret);
    sodium_bin2hex(hex, sizeof hex, operator_key, 32);
    if (!mkdtemp(directory))
        return -1;
    snprintf(env, sizeof env, "%s/env", directory);
    f = fopen(env, "w");
    if (!f)
        return -1;
    fprintf(f,
            "DATA_DIR=%s/data\nOPERATOR_KEY=%s\nCA_KEY=%s\nINITIATOR_KEYS=%s\n"
            "CRYPTO_MASTER_KEY=%s\nIDENTITY_KEY_FILE=%s/key\nCERTIFICATE_FILE=%s/certificate\n",
            directory, hex, hex, hex, hex, directory, directory);
    fclose(f);
    config = config_load(CONFIG_KEEPER, env, error);
    if (!config)
        fprintf(stderr, "%s\n", error);
    return config ? 0 : -1;
}

static int end(void **state)
{
    char command[128];

    (void)state;
    orders_free(orders);
    store_close(store);
    orders = NULL;
    store = NULL;
    config_free(config);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command);
}

struct signed_order {
    uint8_t body[256], signature[64];
    size_t len;
};

static void sign(struct signed_order *out, const char *action, const char *account, uint64_t serial)
{
    Mpc__Session__V1__OrderBody body = MPC__SESSION__V1__ORDER_BODY__INIT;

    body.action = (char *)action;
    body.account_id = (char *)account;
    body.serial = serial;
    out->len = mpc__session__v1__order_body__pack(&body, out->body);
    order_sign(out->signature, out->body, out->len, secret);
}

static struct store_order row_of(const struct signed_order *from, uint64_t serial, bool is_frozen)
{
    return (struct store_order){.subject = "",
                                .serial = serial,
                                .is_frozen = is_frozen,
                                .body = from ? from->body : NULL,
                                .body_len = from ? from->len : 0,
                                .signature = from ? from->signature : NULL};
}

/* |rows| go through a state file into a new party, which starts then. */
static void restored(const struct store_order *rows, size_t n)
{
    struct backup_writing w;
    struct backup_state state;
    char error[KEYS_ERROR_MAX];
    struct restore *r = restore_open(config, "/proc/self/exe", "party-1", RESTORE_EMPTY, error);

    assert_non_null(r);
    backup_state_begin(&w, 1, (const uint8_t *)"", 0, 0);
    for (size_t i = 0; i < n; i++)
        backup_state_order(&w, &rows[i]);
    assert_true(backup_state_end(&w));
    assert_true(backup_state_decode(&state, w.out.b, w.out.len));
    for (size_t i = 0; i < state.orders_n; i++)
        assert_true(restore_order(r, &state.orders[i].order));
    backup_state_free(&state);
    buffer_free(&w.out);
    restore_close(r);
    store = store_open_configured(config, 0, error);
    assert_non_null(store);
    orders = orders_new(store, operator_key);
    assert_non_null(orders);
}

static bool is_frozen(void)
{
    bool ends;

    return orders_is_frozen(orders, ACCOUNT, &ends);
}

static enum orders_answer take(const char *action, uint64_t serial)
{
    struct signed_order from;
    Mpc__Session__V1__Order order = MPC__SESSION__V1__ORDER__INIT;
    enum orders_answer answer;
    char account[37];

    sign(&from, action, "", serial);
    order.body = (ProtobufCBinaryData){from.len, from.body};
    order.signature = (ProtobufCBinaryData){64, from.signature};
    answer = orders_take(orders, &order, account);
    assert_true(orders_save(orders, NULL, NULL));
    return answer;
}

static void test_an_end_that_nobody_signed_lifts_nothing_and_bars_nothing(void **state)
{
    struct signed_order freeze;
    struct store_order rows[3];

    (void)state;
    sign(&freeze, "freeze", "", 5);
    rows[0] = row_of(&freeze, 5, true);
    rows[1] = row_of(NULL, INT64_MAX, false);
    rows[2] = row_of(&freeze, INT64_MAX, false);
    rows[2].signature = (const uint8_t[64]){1};
    restored(rows, 3);
    assert_true(is_frozen());
    assert_int_equal(take("unfreeze", 4), ORDERS_OLD);
    assert_int_equal(take("unfreeze", 6), ORDERS_ENDING);
    assert_int_equal(take("freeze", 7), ORDERS_FROZEN);
}

static void test_of_a_signed_order_what_was_signed_counts(void **state)
{
    struct signed_order freeze;
    struct store_order row;

    (void)state;
    sign(&freeze, "freeze", "", 5);
    row = row_of(&freeze, INT64_MAX, false);
    restored(&row, 1);
    assert_true(is_frozen());
    assert_int_equal(take("unfreeze", 6), ORDERS_ENDING);
}

static void test_a_freeze_that_nobody_signed_holds_until_the_operator_ends_it(void **state)
{
    const struct store_order row = row_of(NULL, 5, true);

    (void)state;
    restored(&row, 1);
    assert_true(is_frozen());
    assert_int_equal(take("unfreeze", 5), ORDERS_OLD);
    assert_int_equal(take("unfreeze", 6), ORDERS_ENDING);
    assert_false(is_frozen());
}

static void note_signed(void *arg, const struct store_order *order)
{
    *(bool *)arg = *(bool *)arg || (order->signature && order->serial == 5);
}

/* What a party's directory says, and beside it the signed order of the same serial. */
static void test_the_own_word_comes_back_and_the_signature_too(void **state)
{
    struct signed_order freeze;
    struct store_order rows[2];
    bool is_signed = false;

    (void)state;
    sign(&freeze, "freeze", "", 5);
    rows[0] = row_of(NULL, 5, true);
    rows[0].is_own = true;
    rows[1] = row_of(&freeze, 5, true);
    restored(rows, 2);
    assert_true(is_frozen());
    assert_true(store_each_order(store, note_signed, &is_signed));
    assert_true(is_signed);
}

static void remove_file(const char *name)
{
    char path[128];

    snprintf(path, sizeof path, "%s/data/%s", directory, name);
    assert_int_equal(unlink(path), 0);
}

/* The party's database is lost, what lies beside it is not. */
static void test_the_ledger_of_before_counts_beside_a_backup(void **state)
{
    const struct store_burn burn = {.kgid = {7}, .epoch = 1, .own = 1, .peer = 2};
    char error[KEYS_ERROR_MAX];
    struct restore *r = restore_open(config, "/proc/self/exe", "party-1", RESTORE_EMPTY, error);

    (void)state;
    assert_non_null(r);
    assert_false(restore_kept_ledger(r));
    assert_true(restore_burn(r, &burn));
    restore_close(r);
    remove_file("party.db");
    r = restore_open(config, "/proc/self/exe", "party-1", RESTORE_EMPTY, error);
    assert_non_null(r);
    assert_true(restore_kept_ledger(r));
    restore_close(r);
    restored(NULL, 0);
    assert_int_equal(store_is_burned(store, &burn), STORE_OK);
}

static void count(void *arg, const struct store_order *order)
{
    (void)order;
    ++*(size_t *)arg;
}

/* A share's row is all that tells that the party has shares. */
static void put_share(void)
{
    struct store_share row = {.kgid = {1}, .session_id = ACCOUNT, .account_id = ACCOUNT};
    uint8_t sealed[] = "sealed";
    char error[KEYS_ERROR_MAX];
    struct restore *r = restore_open(config, "/proc/self/exe", "party-1", RESTORE_EMPTY, error);

    assert_non_null(r);
    restore_close(r);
    row.sealed = sealed;
    row.sealed_len = sizeof sealed;
    row.roster = (char *)"party-1 party-2";
    row.status = STORE_PENDING;
    store = store_open_configured(config, 0, error);
    assert_non_null(store);
    assert_int_equal(store_put_pending(store, &row), STORE_OK);
    store_close(store);
    store = NULL;
}

static void test_a_party_without_shares_is_not_merged_into(void **state)
{
    char error[KEYS_ERROR_MAX];
    struct restore *r;

    (void)state;
    /* nor is its directory made */
    assert_null(restore_open(config, "/proc/self/exe", "party-1", RESTORE_MERGE, error));
    r = restore_open(config, "/proc/self/exe", "party-1", RESTORE_EMPTY, error);
    assert_non_null(r);
    restore_close(r);
    assert_null(restore_open(config, "/proc/self/exe", "party-1", RESTORE_MERGE, error));
    assert_non_null(strstr(error, "the database of party party-1 has no share"));
    put_share();
    assert_null(restore_open(config, "/proc/self/exe", "party-1", RESTORE_EMPTY, error));
    assert_non_null(strstr(error, "has shares: backups are restored into an empty one only"));
}

/* The operator's orders and the party's own freezes; no end that he did not sign. */
static void test_what_is_merged_takes_nothing_back(void **state)
{
    const struct store_burn burn = {.kgid = {7}, .epoch = 1, .own = 1, .peer = 2};
    struct signed_order freeze;
    struct store_order rows[3];
    char error[KEYS_ERROR_MAX];
    struct restore *r;
    size_t n = 0;

    (void)state;
    put_share();
    sign(&freeze, "freeze", "", 5);
    rows[0] = row_of(&freeze, 5, true);
    rows[1] = row_of(NULL, 6, false);
    rows[1].is_own = true;
    rows[2] = row_of(NULL, 7, true);
    r = restore_open(config, "/proc/self/exe", "party-1", RESTORE_MERGE, error);
    assert_non_null(r);
    for (size_t i = 0; i < 3; i++)
        assert_true(restore_order(r, &rows[i]));
    assert_int_equal(restore_orders(r), 1);
    assert_true(restore_burn(r, &burn));
    restore_close(r);
    store = store_open_configured(config, 0, error);
    assert_int_equal(store_is_burned(store, &burn), STORE_OK);
    assert_true(store_each_order(store, count, &n));
    /* the freeze, in the directory and in the database */
    assert_int_equal(n, 2);
    orders = orders_new(store, operator_key);
    assert_true(is_frozen());
    assert_int_equal(take("unfreeze", 6), ORDERS_ENDING);
}

static void test_an_own_freeze_is_merged(void **state)
{
    struct store_order row = row_of(NULL, 5, true);
    char error[KEYS_ERROR_MAX];
    struct restore *r;

    (void)state;
    put_share();
    row.is_own = true;
    r = restore_open(config, "/proc/self/exe", "party-1", RESTORE_MERGE, error);
    assert_non_null(r);
    assert_true(restore_order(r, &row));
    restore_close(r);
    store = store_open_configured(config, 0, error);
    orders = orders_new(store, operator_key);
    assert_true(is_frozen());
}

static void test_a_restored_party_goes_on_with_higher_serials(void **state)
{
    char error[KEYS_ERROR_MAX];
    struct restore *r = restore_open(config, "/proc/self/exe", "party-1", RESTORE_EMPTY, error);
    uint64_t serial;

    (void)state;
    assert_non_null(r);
    assert_true(restore_serial(r, 1000));
    restore_close(r);
    store = store_open_configured(config, 0, error);
    assert_int_equal(store_next_serial(store, 10, 10, &serial), STORE_OK);
    assert_int_equal(serial, 1001);
    assert_int_equal(store_next_serial(store, 5000, 5000, &serial), STORE_OK);
    assert_int_equal(serial, 5000);
    assert_int_equal(store_next_serial(store, 5000, 5000, &serial), STORE_OK);
    assert_int_equal(serial, 5001);
}

/* A state that a database made its party sign, far beyond its time. */
static void test_a_serial_beyond_its_time_is_forgotten(void **state)
{
    char error[KEYS_ERROR_MAX];
    struct restore *r = restore_open(config, "/proc/self/exe", "party-1", RESTORE_EMPTY, error);
    uint64_t serial;

    (void)state;
    assert_non_null(r);
    assert_true(restore_serial(r, UINT64_MAX - 1));
    restore_close(r);
    store = store_open_configured(config, 0, error);
    assert_int_equal(store_next_serial(store, 5000, 5000, &serial), STORE_OK);
    assert_int_equal(serial, 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_an_end_that_nobody_signed_lifts_nothing_and_bars_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_of_a_signed_order_what_was_signed_counts, begin, end),
        cmocka_unit_test_setup_teardown(
            test_a_freeze_that_nobody_signed_holds_until_the_operator_ends_it, begin, end),
        cmocka_unit_test_setup_teardown(test_the_own_word_comes_back_and_the_signature_too, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_a_party_without_shares_is_not_merged_into, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_merged_takes_nothing_back, begin, end),
        cmocka_unit_test_setup_teardown(test_an_own_freeze_is_merged, begin, end),
        cmocka_unit_test_setup_teardown(test_a_serial_beyond_its_time_is_forgotten, begin, end),
        cmocka_unit_test_setup_teardown(test_a_restored_party_goes_on_with_higher_serials, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_the_ledger_of_before_counts_beside_a_backup, begin,
                                        end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
