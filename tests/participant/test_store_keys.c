/* SPDX-License-Identifier: Apache-2.0 */
/* Which wrapping keys a start may have: every order of keys that a rotation and its mistakes can
 * bring, with and without rows left. */
#include "participant/store.h"

#include "party_db.h"
#include "system/core/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char directory[64];
static struct party_db place;
static struct store *store;

/* Keys are letters here. */
static void fill(uint8_t id[STORE_KEY_ID], char key)
{
    memset(id, key, STORE_KEY_ID);
}

static void put_row(uint8_t number, char key)
{
    uint8_t sealed[32] = "QV2";
    struct store_share s = {.own = 2, .purpose = 1, .deadline_ms = 1000};

    fill(sealed + 4, key);
    strcpy(s.account_id, "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa");
    memset(s.kgid, number, 32);
    s.roster = text_copy("a b c");
    s.sealed = mem_copy(sealed, sizeof sealed);
    s.sealed_len = sizeof sealed;
    assert_int_equal(store_put_pending(store, &s), STORE_OK);
    store_share_free(&s);
}

/* |next| 0: none. */
static enum store_keys_verdict take(char current, char next, size_t left)
{
    uint8_t c[STORE_KEY_ID], n[STORE_KEY_ID];
    const struct store_keys keys = {c, next ? n : NULL};
    enum store_keys_verdict verdict;
    size_t told = 77;

    fill(c, current);
    fill(n, next);
    verdict = store_take_keys(store, &keys, &told);
    assert_int_equal(told, left);
    return verdict;
}

static int open_one(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/quorate-keys-XXXXXX");
    assert_non_null(mkdtemp(directory));
    party_db_make(&place, directory);
    store = party_db_open(&place);
    return 0;
}

static int close_one(void **state)
{
    char command[128];

    (void)state;
    store_close(store);
    party_db_remove(&place);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command);
}

static void test_the_first_key_stays_the_key(void **state)
{
    (void)state;
    assert_int_equal(take('a', 0, 0), STORE_KEYS_TAKEN);
    assert_int_equal(take('b', 0, 0), STORE_KEYS_WRONG);
    assert_int_equal(take('b', 'c', 0), STORE_KEYS_WRONG);
    assert_int_equal(take('a', 0, 0), STORE_KEYS_TAKEN);
}

static void test_the_next_key_takes_over_when_no_row_is_left(void **state)
{
    (void)state;
    assert_int_equal(take('a', 0, 0), STORE_KEYS_TAKEN);
    put_row(1, 'a');
    put_row(2, 'a');
    assert_int_equal(take('a', 'b', 0), STORE_KEYS_TAKEN);
    assert_int_equal(take('b', 0, 2), STORE_KEYS_OLD_LEFT);
    assert_int_equal(take('b', 'c', 2), STORE_KEYS_OLD_LEFT);
    assert_int_equal(take('a', 'b', 0), STORE_KEYS_TAKEN);
    assert_int_equal(take('c', 0, 0), STORE_KEYS_WRONG);
}

static void test_an_empty_party_changes_at_once_and_for_good(void **state)
{
    (void)state;
    assert_int_equal(take('a', 'b', 0), STORE_KEYS_TAKEN);
    put_row(1, 'b');
    assert_int_equal(take('b', 0, 0), STORE_KEYS_TAKEN);
    assert_int_equal(take('a', 0, 0), STORE_KEYS_WRONG);
    /* the settings of before */
    assert_int_equal(take('a', 'b', 0), STORE_KEYS_TURNED);
    assert_int_equal(take('b', 'c', 0), STORE_KEYS_TAKEN);
    put_row(2, 'c');
    assert_int_equal(take('c', 'd', 1), STORE_KEYS_OLD_LEFT);
}

static void test_a_next_key_is_not_given_up_while_rows_have_it(void **state)
{
    (void)state;
    assert_int_equal(take('a', 'b', 0), STORE_KEYS_TAKEN);
    put_row(1, 'a');
    assert_int_equal(take('a', 0, 0), STORE_KEYS_TAKEN);
    assert_int_equal(take('a', 'b', 0), STORE_KEYS_TAKEN);
    put_row(2, 'b');
    assert_int_equal(take('a', 0, 1), STORE_KEYS_NEXT_LEFT);
    assert_int_equal(take('a', 'c', 1), STORE_KEYS_NEXT_LEFT);
    assert_int_equal(take('b', 'c', 1), STORE_KEYS_OLD_LEFT);
    assert_int_equal(take('a', 'b', 0), STORE_KEYS_TAKEN);
}

static void test_half_way_the_two_may_be_exchanged(void **state)
{
    (void)state;
    assert_int_equal(take('a', 'b', 0), STORE_KEYS_TAKEN);
    put_row(1, 'a');
    put_row(2, 'b');
    assert_int_equal(take('b', 'a', 0), STORE_KEYS_TAKEN);
    assert_int_equal(take('b', 0, 1), STORE_KEYS_NEXT_LEFT);
    assert_int_equal(take('a', 0, 1), STORE_KEYS_OLD_LEFT);
}

static void test_rows_under_a_key_are_counted_and_found_in_order(void **state)
{
    uint8_t a[STORE_KEY_ID];
    struct store_share row, last = {0};
    size_t n;

    (void)state;
    fill(a, 'a');
    for (uint8_t i = 1; i <= 6; i++)
        put_row(i, i % 2 ? 'a' : 'b');
    assert_int_equal(store_count_under(store, a, &n), STORE_OK);
    assert_int_equal(n, 3);
    for (uint8_t i = 1; i <= 5; i = (uint8_t)(i + 2)) {
        assert_int_equal(store_next_under(store, &row, a, i == 1 ? NULL : &last), STORE_OK);
        assert_int_equal(row.kgid[0], i);
        store_share_free(&row);
        last = row;
    }
    assert_int_equal(store_next_under(store, &row, a, &last), STORE_NONE);
}

static void test_a_seal_is_put_over_the_one_that_was_read_only(void **state)
{
    uint8_t a[STORE_KEY_ID], other[32] = "QV2bbbbbbbb";
    struct store_share row, again;

    (void)state;
    fill(a, 'a');
    put_row(1, 'a');
    assert_int_equal(store_next_under(store, &row, a, NULL), STORE_OK);
    row.sealed[20] ^= 1;
    assert_int_equal(store_put_seal(store, &row, other, sizeof other), STORE_NONE);
    row.sealed[20] ^= 1;
    assert_int_equal(store_next_under(store, &again, a, NULL), STORE_OK);
    assert_memory_equal(again.sealed, row.sealed, row.sealed_len);
    store_share_free(&again);
    assert_int_equal(store_put_seal(store, &row, other, sizeof other), STORE_OK);
    store_share_free(&row);
    assert_int_equal(store_next_under(store, &row, a, NULL), STORE_NONE);
}

int main(void)
{
#define ONE(test) cmocka_unit_test_setup_teardown(test, open_one, close_one)
    const struct CMUnitTest tests[] = {
        ONE(test_the_first_key_stays_the_key),
        ONE(test_the_next_key_takes_over_when_no_row_is_left),
        ONE(test_an_empty_party_changes_at_once_and_for_good),
        ONE(test_a_next_key_is_not_given_up_while_rows_have_it),
        ONE(test_half_way_the_two_may_be_exchanged),
        ONE(test_rows_under_a_key_are_counted_and_found_in_order),
        ONE(test_a_seal_is_put_over_the_one_that_was_read_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
