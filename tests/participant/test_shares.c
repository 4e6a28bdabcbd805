/* SPDX-License-Identifier: Apache-2.0 */
/* Shares from the store: validated, cached within a bound, dropped after a change, useless when
 * moved to another account, party or master key; and the blocks that runs use again. */
#include "keepers.h"

#include "participant/blocks.h"
#include "participant/shares.h"
#include "quorate/types.h"
#include "system/core/ids.h"
#include "system/core/secret.h"
#include "system/service/library.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ZEROS "X'0000000000000000000000000000000000000000000000000000000000000000'"

/* The last two are for what damages them. */
enum { KEYS = 5, OF_CALLER = 3, OF_KGID = 4 };

static struct keepers *k;
static uint8_t key_ids[KEYS][32];
static char accounts[KEYS][37];
static struct shares_params params;
static struct refusal refusal;

static struct vault *vault_of(uint8_t first)
{
    uint8_t *master = secret_new(32);
    struct vault *vault;

    master[0] = first;
    vault = vault_new(master);
    secret_free(master);
    return vault;
}

static struct share_held *get(struct shares *shares, size_t i)
{
    refusal = (struct refusal){0};
    return shares_get(shares, accounts[i], key_ids[i], &refusal);
}

static void test_a_cached_share_is_the_same_until_it_is_dropped(void **state)
{
    struct shares *shares = shares_new(&params);
    struct share_held *a = get(shares, 0), *b = get(shares, 0), *c;

    (void)state;
    assert_non_null(a);
    assert_ptr_equal(a, b);
    assert_null(shares_get(shares, accounts[0], key_ids[1], &refusal));
    assert_string_equal(refusal.code, "NO_SHARE");
    assert_string_equal(a->roster[2], "party-3");
    for (size_t i = 0; i < 3; i++)
        assert_memory_equal(a->keys[i].idpk, k->seats[i].key, 32);
    shares_drop(shares, a->share.kgid);
    c = get(shares, 0);
    assert_ptr_not_equal(a, c);
    assert_memory_equal(a->share.s, c->share.s, 32); /* what runs hold stays */
    shares_put(a);
    shares_put(b);
    shares_put(c);
    shares_free(shares);
}

static void test_the_least_used_goes_first(void **state)
{
    struct shares *shares;
    struct share_held *a, *b, *c;

    (void)state;
    params.capacity = 2;
    shares = shares_new(&params);
    a = get(shares, 0);
    b = get(shares, 1);
    shares_put(get(shares, 0));
    c = get(shares, 2); /* 1 goes */
    shares_put(get(shares, 0));
    assert_int_equal(atomic_load(&b->refs), 1);
    assert_int_equal(atomic_load(&a->refs), 2);
    shares_put(a);
    shares_put(b);
    shares_put(c);
    shares_free(shares);
    params.capacity = 4;
}

static void expect_refused(const struct shares_params *with, const char *code)
{
    struct shares *shares = shares_new(with);

    assert_null(get(shares, 0));
    assert_string_equal(refusal.code, code);
    shares_free(shares);
}

static void test_other_places_and_keys_open_nothing(void **state)
{
    struct shares_params other = params;
    struct vault *vault = vault_of(8);
    char account[37];

    (void)state;
    other.party_id = "party-2";
    expect_refused(&other, "STORAGE");
    other = params;
    other.vault = vault;
    expect_refused(&other, "STORAGE");
    vault_free(vault);
    memcpy(account, accounts[0], 37);
    memcpy(accounts[0], accounts[1], 37);
    expect_refused(&params, "NO_SHARE");
    memcpy(accounts[0], account, 37);
}

static void test_a_resealed_record_comes_back_changed(void **state)
{
    struct shares *shares = shares_new(&params);
    struct share_held *held = get(shares, 2), *again;
    uint8_t *record = secret_new(held->record_len);
    struct store_share row;

    (void)state;
    memcpy(record, held->record, held->record_len);
    assert_int_equal(qrt_share_note_burn(record, held->record_len, 3), QRT_OK);
    shares_reseal(shares, held, &row, record);
    assert_int_equal(store_put_burn(params.store, &row, NULL), STORE_OK);
    store_share_free(&row);
    shares_drop(shares, held->share.kgid);
    again = get(shares, 2);
    assert_int_equal(qrt_share_burn_bits(&held->share, 3), 0);
    assert_int_equal(qrt_share_burn_bits(&again->share, 3), QRT_BURN_THEIRS);
    shares_put(held);
    shares_put(again);
    secret_free(record);
    shares_free(shares);
}

/* As somebody does who can write the database and has no master key. */
static void run_sql(const char *sql)
{
    assert_int_equal(party_db_run(&k->seats[0].db, sql), 1);
}

static void forge(size_t i, const char *what)
{
    char sql[256];

    snprintf(sql, sizeof sql, "UPDATE shares SET %s WHERE account_id = '%s'", what, accounts[i]);
    run_sql(sql);
}

static void test_who_may_use_a_share_is_bound_to_it(void **state)
{
    struct shares *shares = shares_new(&params);

    (void)state;
    forge(0, "caller_key = " ZEROS);
    expect_refused(&params, "STORAGE");
    forge(0, "caller_key = NULL, purpose = purpose + 1");
    expect_refused(&params, "STORAGE");
    forge(0, "purpose = purpose - 1, roster = 'party-1 party-3 party-2'");
    expect_refused(&params, "STORAGE");
    forge(0, "roster = 'party-1 party-2 party-3'");
    shares_put(get(shares, 0));
    assert_null(refusal.code);
    forge(OF_CALLER, "caller_key = " ZEROS);
    assert_null(get(shares, OF_CALLER));
    assert_string_equal(refusal.code, "STORAGE");
    forge(OF_KGID, "kgid = " ZEROS);
    assert_null(get(shares, OF_KGID));
    assert_string_equal(refusal.code, "STORAGE");
    shares_free(shares);
}

/* An older copy of a row says nothing of a burn; its tombstone does. */
static void test_a_tombstone_counts_whatever_the_record_says(void **state)
{
    struct shares *shares = shares_new(&params);
    struct share_held *held = get(shares, 1);
    struct store_burn burn = {.epoch = held->share.epoch, .own = held->share.own, .peer = 3};

    (void)state;
    assert_true(held->burned == 0);
    memcpy(burn.kgid, held->share.kgid, 32);
    assert_int_equal(store_put_burn(params.store, NULL, &burn), STORE_OK);
    shares_drop(shares, held->share.kgid);
    shares_put(held);
    held = get(shares, 1);
    assert_true(held->burned == 1 << 2);
    shares_put(held);
    shares_free(shares);
}

/* A share that was given to its owner and erased: an old copy of its row is none. By its owner's
 * word, or because the time was over. */
static void expect_gone(size_t i, bool is_expired)
{
    struct shares *shares = shares_new(&params);
    char sql[400];

    forge(i, "session_id = 'given session'");
    run_sql("INSERT INTO given (session_id, public_key, expires_ms, sealed)"
            " VALUES ('given session', X'02', 5, X'00')");
    snprintf(sql, sizeof sql,
             "CREATE TABLE old%zu AS SELECT * FROM shares WHERE account_id = '%s';"
             "INSERT INTO old%zu SELECT * FROM old%zu LIMIT 1",
             i, accounts[i], i, i);
    run_sql(sql);
    shares_put(get(shares, i));
    assert_null(refusal.code);
    if (is_expired)
        assert_true(store_expire(params.store, 5));
    else
        assert_int_equal(store_forget_given(params.store, "given session"), STORE_OK);
    shares_clear(shares);
    snprintf(sql, sizeof sql, "INSERT INTO shares SELECT * FROM old%zu LIMIT 1", i);
    run_sql(sql);
    assert_null(get(shares, i));
    assert_string_equal(refusal.code, "NO_SHARE");
    shares_free(shares);
}

static void test_a_share_that_is_gone_does_not_come_back(void **state)
{
    (void)state;
    expect_gone(1, false);
    expect_gone(2, true);
}

static void test_blocks_are_used_again_by_size(void **state)
{
    struct blocks *blocks = blocks_new(2);
    void *a = blocks_take(blocks, 128), *b = blocks_take(blocks, 64), *c;

    (void)state;
    assert_int_equal((uintptr_t)a % QRT_ALIGN, 0);
    blocks_give(blocks, a, 128);
    c = blocks_take(blocks, 64);
    assert_ptr_not_equal(c, a);
    blocks_give(blocks, b, 64);
    blocks_give(blocks, c, 64); /* a goes */
    assert_ptr_equal(blocks_take(blocks, 64), c);
    assert_ptr_equal(blocks_take(blocks, 64), b);
    blocks_give(blocks, b, 64);
    blocks_give(blocks, c, 64);
    blocks_free(blocks);
}

static void make_keys(void)
{
    for (size_t i = 0; i < KEYS; i++) {
        struct job job = keepers_keygen(k, 3, 2);
        uint8_t pk[33];

        job.by_caller = i == OF_CALLER;
        keepers_make_key(k, &job, key_ids[i], pk);
        id_text(accounts[i], job.intent.account);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_cached_share_is_the_same_until_it_is_dropped),
        cmocka_unit_test(test_the_least_used_goes_first),
        cmocka_unit_test(test_other_places_and_keys_open_nothing),
        cmocka_unit_test(test_a_resealed_record_comes_back_changed),
        cmocka_unit_test(test_who_may_use_a_share_is_bound_to_it),
        cmocka_unit_test(test_a_tombstone_counts_whatever_the_record_says),
        cmocka_unit_test(test_a_share_that_is_gone_does_not_come_back),
        cmocka_unit_test(test_blocks_are_used_again_by_size),
    };
    struct vault *vault;
    int result;

    if (keepers_main(argc, argv, &result))
        return result;
    k = keepers_new(3, NULL);
    make_keys();
    assert_int_equal(keepers_stop(k, 0), 0);
    vault = vault_of(7);
    params =
        (struct shares_params){library_ctx(), vault, party_db_open(&k->seats[0].db), "party-1", 4};
    assert_non_null(params.store);
    result = cmocka_run_group_tests(tests, NULL, NULL);
    store_close(params.store);
    vault_free(vault);
    keepers_free(k);
    return result;
}
