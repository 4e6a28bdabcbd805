/* SPDX-License-Identifier: Apache-2.0 */
/* A party's database: what a row may become, what is erased when, and that it is really gone. */
#include "participant/store.h"

#include "participant/reserve.h"
#include "participant/store_backups.h"
#include "party_db.h"
#include "system/core/buffer.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define DAY_MS 86400000LL

static char directory[] = "/tmp/quorate-store-XXXXXX";
static struct party_db place;
static struct store *store;
static const char account[] = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
static const char session[] = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb";
static const char other[] = "cccccccc-cccc-4ccc-8ccc-cccccccccccc";

static void reopen(void)
{
    store_close(store);
    store = party_db_open(&place);
}

static struct store_share share_of(uint8_t number, const char *text)
{
    struct store_share s = {.attempt = number, .own = 2, .purpose = 1, .deadline_ms = 1000};

    strcpy(s.account_id, account);
    strcpy(s.session_id, session);
    memset(s.kgid, number, 32);
    memset(s.key_id, number, 32);
    s.roster = text_copy("a b c");
    s.sealed = mem_copy(text, strlen(text));
    s.sealed_len = strlen(text);
    return s;
}

static void expect_key(uint8_t number, const char *text)
{
    struct store_share found;
    uint8_t key_id[32];
    enum store_result result;

    memset(key_id, number, 32);
    result = store_get_key(store, &found, account, key_id);
    if (!text) {
        assert_int_equal(result, STORE_NONE);
        return;
    }
    assert_int_equal(result, STORE_OK);
    assert_int_equal(found.sealed_len, strlen(text));
    assert_memory_equal(found.sealed, text, found.sealed_len);
    assert_string_equal(found.roster, "a b c");
    assert_int_equal(found.status, STORE_ACTIVE);
    store_share_free(&found);
}

static void put(uint8_t number, const char *text)
{
    struct store_share s = share_of(number, text);

    assert_int_equal(store_put_pending(store, &s), STORE_OK);
    store_share_free(&s);
}

static enum store_result activate(uint8_t number, const char *text,
                                  const struct store_sealed *given)
{
    struct store_share s = share_of(number, text);
    enum store_result result = store_activate(store, &s, given);

    store_share_free(&s);
    return result;
}

static void test_a_pending_share_is_no_key_and_becomes_one_once(void **state)
{
    struct store_share found;

    (void)state;
    put(1, "pending one");
    reopen();
    expect_key(1, NULL);
    assert_int_equal(store_count(store), 0);
    assert_int_equal(store_get_made(store, &found, session, 1), STORE_OK);
    assert_int_equal(found.status, STORE_PENDING);
    store_share_free(&found);
    assert_int_equal(store_has_account(store, account, other), STORE_NONE);
    assert_int_equal(activate(1, "active one", NULL), STORE_OK);
    assert_int_equal(activate(1, "active two", NULL), STORE_NONE);
    assert_int_equal(activate(9, "never pending", NULL), STORE_NONE);
    reopen();
    expect_key(1, "active one");
    assert_int_equal(store_has_account(store, account, other), STORE_OK);
    assert_int_equal(store_has_account(store, account, session), STORE_NONE);
}

static void test_a_record_is_never_put_over_another(void **state)
{
    struct store_share s = share_of(1, "again");

    (void)state;
    assert_int_equal(store_put_pending(store, &s), STORE_FAILED);
    store_share_free(&s);
    expect_key(1, "active one");
}

static void test_a_burn_is_row_and_tombstone_or_neither(void **state)
{
    struct store_share s = share_of(1, "burned one"), unknown = share_of(8, "unknown");
    struct store_burn burn = {.own = 2, .peer = 3}, another = {.own = 2, .peer = 4};

    (void)state;
    memset(burn.kgid, 1, 32);
    assert_int_equal(store_is_burned(store, &burn), STORE_NONE);
    assert_int_equal(store_put_burn(store, &s, &burn), STORE_OK);
    assert_int_equal(store_put_burn(store, &s, &burn), STORE_OK);
    assert_int_equal(store_put_burn(store, &unknown, &another), STORE_NONE);
    reopen();
    assert_int_equal(store_is_burned(store, &burn), STORE_OK);
    assert_int_equal(store_is_burned(store, &another), STORE_NONE);
    expect_key(1, "burned one");
    store_share_free(&s);
    store_share_free(&unknown);
}

static enum store_result put_order(const char *subject, uint64_t serial, bool is_frozen)
{
    static const uint8_t signature[64] = {1}, body[] = {1, 2, 3};
    const struct store_order order = {.subject = subject,
                                      .serial = serial,
                                      .is_frozen = is_frozen,
                                      .body = body,
                                      .body_len = sizeof body,
                                      .signature = signature};

    return store_put_order(store, &order);
}

static void note(void *arg, const struct store_order *order)
{
    char *seen = arg;

    snprintf(seen + strlen(seen), 256 - strlen(seen), "%s %.8s %llu %d %zu;",
             order->is_own ? "own" : "row", order->subject, (unsigned long long)order->serial,
             order->is_frozen, order->body_len);
    assert_int_equal(order->signature && order->signature[0] == 1, !order->is_own);
}

static void test_the_higher_order_counts(void **state)
{
    static const char frozen[] = "a0000000-0000-4000-8000-000000000001";
    char seen[256] = "";

    (void)state;
    assert_int_equal(put_order(frozen, 5, true), STORE_OK);
    assert_int_equal(put_order(frozen, 4, false), STORE_NONE);
    reopen();
    assert_true(store_each_order(store, note, seen));
    assert_string_equal(seen, "own a0000000 5 1 0;own a0000000 4 0 0;row a0000000 5 1 3;");
    assert_int_equal(put_order(frozen, 6, false), STORE_OK);
    seen[0] = '\0';
    assert_true(store_each_order(store, note, seen));
    assert_non_null(strstr(seen, "own a0000000 6 0 0;row a0000000 6 0 3;"));
    assert_int_equal(put_order("x", 7, true), STORE_FAILED);
}

static void test_a_loan_is_new_once(void **state)
{
    static const uint8_t one[16] = {1}, two[16] = {2};

    (void)state;
    assert_int_equal(store_put_loan(store, one), STORE_OK);
    assert_int_equal(store_put_loan(store, one), STORE_NONE);
    reopen();
    assert_int_equal(store_put_loan(store, one), STORE_NONE);
    assert_int_equal(store_put_loan(store, two), STORE_OK);
}

/* A server that is set back, or undoes what it said was done. */
static void test_what_the_database_forgets_the_ledger_knows(void **state)
{
    const struct store_burn burn = {.kgid = {77}, .epoch = 3, .own = 1, .peer = 2};
    static const uint8_t loan[16] = {77};

    (void)state;
    assert_int_equal(store_put_burn(store, NULL, &burn), STORE_OK);
    assert_int_equal(store_put_loan(store, loan), STORE_OK);
    party_db_run(&place, "DELETE FROM tombstones; DELETE FROM loans");
    assert_int_equal(store_is_burned(store, &burn), STORE_OK);
    assert_int_equal(store_put_loan(store, loan), STORE_NONE);
    reopen();
    assert_int_equal(store_is_burned(store, &burn), STORE_OK);
    assert_int_equal(store_put_loan(store, loan), STORE_NONE);
}

/* Both ways: a backup, or what an earlier version left, is in one of them only. */
static void test_the_database_and_the_ledger_tell_each_other(void **state)
{
    const struct store_burn burn = {.kgid = {78}, .epoch = 3, .own = 1, .peer = 2};
    static const uint8_t loan[16] = {78};
    char path[128];

    (void)state;
    assert_int_equal(store_put_burn(store, NULL, &burn), STORE_OK);
    assert_int_equal(store_put_loan(store, loan), STORE_OK);
    party_db_run(&place, "DELETE FROM tombstones");
    reopen(); /* into the database */
    snprintf(path, sizeof path, "%s/ledger", directory);
    assert_int_equal(unlink(path), 0);
    reopen(); /* into the ledger */
    party_db_run(&place, "DELETE FROM tombstones; DELETE FROM loans");
    assert_int_equal(store_is_burned(store, &burn), STORE_OK);
    assert_int_equal(store_put_loan(store, loan), STORE_NONE);
}

static void count_burn(void *arg, const struct store_burn *burn)
{
    size_t *n = arg;

    *n += burn->kgid[0] == 79;
}

static uint64_t next_serial(uint64_t now_ms)
{
    uint64_t serial;

    assert_int_equal(store_next_serial(store, now_ms, now_ms, &serial), STORE_OK);
    return serial;
}

static void test_the_serial_of_a_state_is_near_the_clock_whatever_the_database_says(void **state)
{
    (void)state;
    assert_int_equal(next_serial(9000), 9000);
    party_db_run(&place, "UPDATE facts SET value = X'FFFFFFFFFFFFFFFE' WHERE name ="
                         " 'backup serial'");
    assert_int_equal(next_serial(9001), 9001);
    assert_int_equal(next_serial(9000), 9002);
    party_db_run(&place, "UPDATE facts SET value = X'FFFFFFFFFFFFFFFF' WHERE name ="
                         " 'backup serial'");
    assert_int_equal(next_serial(9001), 9001);
}

/* More of them than the reserve has places. */
static void test_a_database_that_takes_no_burn_opens_no_pair(void **state)
{
    struct store_burn burn = {.kgid = {79}, .own = 1, .peer = 2};
    size_t n = 0;

    (void)state;
    party_db_refuse(&place, "INSERT ON tombstones");
    for (; burn.epoch <= RESERVE_BURNS; burn.epoch++) {
        assert_true(store_reserve_burn(store, &burn));
        assert_int_equal(store_put_burn(store, NULL, &burn), STORE_FAILED);
    }
    assert_true(store_each_burn(store, count_burn, &n));
    assert_int_equal(n, RESERVE_BURNS + 1);
    reopen();
    for (burn.epoch = 0; burn.epoch <= RESERVE_BURNS; burn.epoch++)
        assert_int_equal(store_is_burned(store, &burn), STORE_OK);
    party_db_allow(&place, "tombstones");
}

static struct store_sealed sealed_of(const char *text, int64_t expires_ms)
{
    struct store_sealed g = {.expires_ms = expires_ms};

    strcpy(g.session_id, session);
    g.public_key[0] = 2;
    g.sealed = mem_copy(text, strlen(text));
    g.sealed_len = strlen(text);
    return g;
}

/* Anywhere in the files of the closed database. */
static bool is_in_files(const char *text)
{
    char command[256];

    snprintf(command, sizeof command, "grep -aqr '%s' %s", text, directory);
    return system(command) == 0;
}

static void test_what_was_given_is_erased_for_good(void **state)
{
    struct store_sealed g = sealed_of("sealed-to-owner", 5000), found;
    size_t n;

    (void)state;
    put(4, "delegates-pending");
    assert_int_equal(activate(4, "delegates-active", &g), STORE_OK);
    store_sealed_free(&g);
    reopen();
    n = store_count(store);
    assert_int_equal(store_get_sealed(store, &found, session), STORE_OK);
    assert_memory_equal(found.sealed, "sealed-to-owner", found.sealed_len);
    assert_int_equal(found.public_key[0], 2);
    store_sealed_free(&found);
    assert_int_equal(store_forget_given(store, other), STORE_NONE);
    assert_int_equal(store_forget_given(store, session), STORE_OK);
    assert_int_equal(store_forget_given(store, session), STORE_NONE);
    expect_key(4, NULL);
    assert_true(store_count(store) < n);
    n = store_count(store);
    store_close(store);
    store = NULL;
    /* what a server overwrites, and when, is its own affair */
    assert_int_equal(is_in_files("CREATE TABLE"), !place.role[0]);
    assert_false(is_in_files("sealed-to-owner"));
    assert_false(is_in_files("delegates-"));
    reopen();
    assert_int_equal(store_count(store), n);
}

/* An owner's own share, which waits for him here, is nothing to back up for another recipient. */
static void test_a_share_that_was_given_gets_no_backup(void **state)
{
    static const uint8_t recipient[STORE_RECIPIENT_ID] = {1};
    struct store_sealed g = sealed_of("sealed-to-owner", 5000);
    size_t before, after;
    bool is_proven;

    (void)state;
    assert_int_equal(store_take_recipient(store, recipient, &is_proven), STORE_OK);
    assert_int_equal(store_count_unbacked(store, &before), STORE_OK);
    put(6, "delegates-pending");
    strcpy(g.session_id, session);
    assert_int_equal(activate(6, "delegates-active", &g), STORE_OK);
    party_db_run(&place, "DELETE FROM facts WHERE name = 'backup recipient'");
    assert_int_equal(store_take_recipient(store, recipient, &is_proven), STORE_OK);
    assert_int_equal(store_count_unbacked(store, &after), STORE_OK);
    assert_true(after <= before);
    assert_int_equal(store_forget_given(store, session), STORE_OK);
    store_sealed_free(&g);
}

static void test_time_erases_what_waited_too_long(void **state)
{
    struct store_sealed g = sealed_of("given", 5000), found;
    struct store_share row;
    const size_t n = store_count(store);

    (void)state;
    put(5, "five");
    assert_int_equal(activate(5, "five", &g), STORE_OK);
    store_sealed_free(&g);
    put(6, "six");
    assert_int_equal(store_count(store), n + 1);
    assert_true(store_expire(store, 4999));
    expect_key(5, "five");
    assert_int_equal(store_count(store), n + 1);
    assert_true(store_expire(store, 5000));
    expect_key(5, NULL);
    assert_int_equal(store_count(store), n);
    assert_int_equal(store_get_sealed(store, &found, session), STORE_NONE);
    assert_true(store_expire(store, 1000 + 30 * DAY_MS));
    assert_int_equal(store_get_made(store, &row, session, 6), STORE_OK);
    store_share_free(&row);
    assert_true(store_expire(store, 1001 + 30 * DAY_MS));
    assert_int_equal(store_get_made(store, &row, session, 6), STORE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pending_share_is_no_key_and_becomes_one_once),
        cmocka_unit_test(test_a_record_is_never_put_over_another),
        cmocka_unit_test(test_a_burn_is_row_and_tombstone_or_neither),
        cmocka_unit_test(test_the_higher_order_counts),
        cmocka_unit_test(test_a_loan_is_new_once),
        cmocka_unit_test(test_what_the_database_forgets_the_ledger_knows),
        cmocka_unit_test(test_the_database_and_the_ledger_tell_each_other),
        cmocka_unit_test(test_the_serial_of_a_state_is_near_the_clock_whatever_the_database_says),
        cmocka_unit_test(test_a_database_that_takes_no_burn_opens_no_pair),
        cmocka_unit_test(test_what_was_given_is_erased_for_good),
        cmocka_unit_test(test_a_share_that_was_given_gets_no_backup),
        cmocka_unit_test(test_time_erases_what_waited_too_long),
    };
    char command[64];
    int result;

    if (!mkdtemp(directory))
        return 1;
    party_db_make(&place, directory);
    reopen();
    result = cmocka_run_group_tests(tests, NULL, NULL);
    store_close(store);
    party_db_remove(&place);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command) != 0 ? 1 : result;
}
