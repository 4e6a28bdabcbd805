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
    struct restore *r = restore_open(config, "/proc/self/exe", "party-1", error);

    assert_non_null(r);
    backup_state_begin(&w, (const uint8_t *)"", 0, 0);
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
    struct restore *r = restore_open(config, "/proc/self/exe", "party-1", error);

    (void)state;
    assert_non_null(r);
    assert_false(restore_kept_ledger(r));
    assert_true(restore_burn(r, &burn));
    restore_close(r);
    remove_file("party.db");
    r = restore_open(config, "/proc/self/exe", "party-1", error);
    assert_non_null(r);
    assert_true(restore_kept_ledger(r));
    restore_close(r);
    restored(NULL, 0);
    assert_int_equal(store_is_burned(store, &burn), STORE_OK);
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
        cmocka_unit_test_setup_teardown(test_the_ledger_of_before_counts_beside_a_backup, begin,
                                        end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
