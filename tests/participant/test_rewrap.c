/* SPDX-License-Identifier: Apache-2.0 */
/* A party's rows change their wrapping key: all of them, their sealed texts as they were, and every
 * one of them opens at every moment, whenever the process is killed. */
#include "participant/rewrap.h"

#include "party_db.h"
#include "system/core/buffer.h"
#include "system/core/log.h"
#include "system/core/secret.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROWS = 60, RECORD = 300, TEXT = RECORD + 28 };

static char directory[64];
static struct party_db place;
static struct store *store;
static struct vault *vault;
static struct shares *shares;

static struct wrapping *key_of(uint8_t byte)
{
    uint8_t master[32];

    memset(master, byte, sizeof master);
    return wrapping_master(master);
}

/* |next| 0: none. */
static void open_under(uint8_t current, uint8_t next)
{
    struct shares_params params = {.party_id = "party-1", .capacity = 4};

    store = party_db_open(&place);
    vault = vault_of_keys(key_of(current), next ? key_of(next) : NULL);
    params.vault = vault;
    params.store = store;
    shares = shares_new(&params);
}

static void close_all(void)
{
    shares_free(shares);
    vault_free(vault);
    store_close(store);
}

static void record_of(uint8_t record[RECORD], size_t i)
{
    memset(record, (int)i + 1, RECORD);
}

/* Active ones and pending ones. */
static struct store_share row_of(size_t i)
{
    struct store_share row = {.own = 2, .purpose = 1, .deadline_ms = INT64_MAX, .attempt = 1};

    snprintf(row.account_id, sizeof row.account_id, "aaaaaaaa-aaaa-4aaa-8aaa-%012zu", i);
    snprintf(row.session_id, sizeof row.session_id, "bbbbbbbb-bbbb-4bbb-8bbb-%012zu", i);
    memset(row.kgid, (int)(ROWS - i), 32);
    row.status = i % 3 ? STORE_ACTIVE : STORE_PENDING;
    row.roster = text_copy("party-1 party-2 party-3");
    return row;
}

static void put_row(size_t i)
{
    struct store_share row = row_of(i);
    uint8_t record[RECORD];

    record_of(record, i);
    assert_true(shares_seal(shares, &row, record, sizeof record));
    assert_int_equal(store_put_pending(store, &row), STORE_OK);
    store_share_free(&row);
}

static struct store_share stored(size_t i)
{
    struct store_share want = row_of(i), row;

    assert_int_equal(store_get_made(store, &row, want.session_id, 1), STORE_OK);
    store_share_free(&want);
    return row;
}

static void expect_all_open(void)
{
    for (size_t i = 0; i < ROWS; i++) {
        struct store_share row = stored(i);
        uint8_t expected[RECORD], *record;
        size_t len;

        record_of(expected, i);
        record = shares_unseal(shares, &row, &len, NULL);
        assert_non_null(record);
        assert_int_equal(len, RECORD);
        assert_memory_equal(record, expected, RECORD);
        secret_free(record);
        store_share_free(&row);
    }
}

static size_t under(uint8_t key)
{
    struct wrapping *wrapping = key_of(key);
    size_t n;

    assert_int_equal(store_count_under(store, wrapping->id, &n), STORE_OK);
    wrapping_free(wrapping);
    return n;
}

/* Lets the thread work; the test's own time limit is what ends it otherwise. */
static void wait_until_left(const struct rewrap *rewrap, uint64_t n)
{
    while (rewrap_left(rewrap) > n)
        (void)sched_yield();
}

static int set_up(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/quorate-rewrap-XXXXXX");
    assert_non_null(mkdtemp(directory));
    party_db_make(&place, directory);
    open_under(1, 0);
    for (size_t i = 0; i < ROWS; i++)
        put_row(i);
    close_all();
    return 0;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    party_db_remove(&place);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command);
}

static void test_every_row_comes_under_the_next_key_and_its_text_stays(void **state)
{
    struct rewrap *rewrap;
    uint8_t texts[ROWS][TEXT];

    (void)state;
    open_under(1, 2);
    for (size_t i = 0; i < ROWS; i++) {
        struct store_share row = stored(i);

        memcpy(texts[i], row.sealed + row.sealed_len - TEXT, TEXT);
        store_share_free(&row);
    }
    rewrap = rewrap_start(store, shares, vault);
    assert_non_null(rewrap);
    wait_until_left(rewrap, 0);
    rewrap_stop(rewrap);
    assert_int_equal(under(1), 0);
    assert_int_equal(under(2), ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        struct store_share row = stored(i);

        assert_memory_equal(texts[i], row.sealed + row.sealed_len - TEXT, TEXT);
        store_share_free(&row);
    }
    close_all();
    open_under(2, 0);
    expect_all_open();
    assert_null(rewrap_start(store, shares, vault));
    assert_int_equal(rewrap_left(NULL), 0);
    close_all();
}

/* Sealed and burned while the others are on their way. */
static void test_rows_that_change_meanwhile_are_not_put_back(void **state)
{
    struct rewrap *rewrap;
    uint8_t record[RECORD];

    (void)state;
    open_under(1, 2);
    rewrap = rewrap_start(store, shares, vault);
    for (size_t round = 0; round < 5; round++) {
        for (size_t i = 0; i < ROWS; i++) {
            struct store_share row = row_of(i);

            memset(record, (int)(100 + round), sizeof record);
            assert_true(shares_seal(shares, &row, record, sizeof record));
            assert_int_equal(store_put_burn(store, &row, NULL), STORE_OK);
            store_share_free(&row);
        }
    }
    wait_until_left(rewrap, 0);
    rewrap_stop(rewrap);
    assert_int_equal(under(2), ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        struct store_share row = stored(i);
        size_t len;
        uint8_t *opened = shares_unseal(shares, &row, &len, NULL);

        assert_non_null(opened);
        assert_memory_equal(opened, record, RECORD);
        secret_free(opened);
        store_share_free(&row);
    }
    close_all();
}

static void test_a_damaged_row_stays_and_the_others_do_not_wait_for_it(void **state)
{
    struct rewrap *rewrap;
    struct store_share row;
    uint8_t broken[1024], old[STORE_KEY_ID];
    size_t len;

    (void)state;
    open_under(1, 2);
    row = stored(7);
    len = row.sealed_len;
    memcpy(broken, row.sealed, len);
    broken[30] ^= 1;
    assert_int_equal(store_put_seal(store, &row, broken, len), STORE_OK);
    store_share_free(&row);
    rewrap = rewrap_start(store, shares, vault);
    wait_until_left(rewrap, 1);
    rewrap_stop(rewrap);
    assert_int_equal(under(2), ROWS - 1);
    vault_check(vault, old);
    assert_int_equal(store_next_under(store, &row, old, NULL), STORE_OK);
    assert_int_equal(row.sealed_len, len);
    assert_memory_equal(row.sealed, broken, len);
    store_share_free(&row);
    close_all();
}

/* A process that does it and shows how far it is. */
static void be_keeper(atomic_size_t *left)
{
    struct rewrap *rewrap;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    open_under(1, 2);
    rewrap = rewrap_start(store, shares, vault);
    for (;;) {
        atomic_store(left, rewrap_left(rewrap));
        (void)sched_yield();
    }
}

/* Killed when no more than |n| rows are left: in the middle of one of the next. */
static void kill_at(atomic_size_t *left, size_t n)
{
    int status;
    pid_t pid;

    atomic_store(left, SIZE_MAX);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        be_keeper(left);
    while (atomic_load(left) > n)
        (void)sched_yield();
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void test_killed_at_any_moment_every_row_opens(void **state)
{
    atomic_size_t *shown =
        mmap(NULL, sizeof *shown, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    size_t left = ROWS, kills = 0;

    (void)state;
    assert_true(shown != MAP_FAILED);
    while (left > 0) {
        size_t before = left, step = kills++ % 3;

        kill_at(shown, left > step ? left - step : 0);
        open_under(1, 2);
        expect_all_open();
        left = under(1);
        assert_true(left <= before);
        assert_int_equal(left + under(2), ROWS);
        close_all();
    }
    assert_int_equal(munmap(shown, sizeof *shown), 0);
    open_under(2, 0);
    expect_all_open();
    close_all();
}

int main(void)
{
#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ONE(test_every_row_comes_under_the_next_key_and_its_text_stays),
        ONE(test_rows_that_change_meanwhile_are_not_put_back),
        ONE(test_a_damaged_row_stays_and_the_others_do_not_wait_for_it),
        ONE(test_killed_at_any_moment_every_row_opens),
    };

    assert_true(sodium_init() >= 0);
    log_setup("test", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
