/* SPDX-License-Identifier: Apache-2.0 */
/* The account tables on a real database file. */
#include "services/account/store.h"

#include "tests/support/db_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define CHAIN "0123456789abcdef0123456789abcdef"

static struct audit_entry entry = {.text = {"test"}};

struct place {
    struct db_place where;
    struct db *db;
};

static int open_place(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    char error[DB_ERROR_MAX];
    struct audit_opening opening = {.chain = CHAIN, .caller = "test"};
    struct db_params params;

    db_place_make(&p->where);
    params = db_place_params(&p->where, store_migrations);
    p->db = db_open(NULL, &params, error);
    *state = p;
    if (!p->db || db_run(p->db, DB_DURABLE, audit_open, &opening) != DB_OK)
        return -1;
    entry.after = opening.head;
    return 0;
}

static int close_place(void **state)
{
    struct place *p = *state;

    db_close(p->db);
    db_place_remove(&p->where);
    free(p);
    return 0;
}

static struct account pending(const char *user)
{
    struct account a = {.t = 2, .n = 3, .created_ms = 1, .parties_n = 3};

    id_new(a.account_id);
    snprintf(a.user_id, sizeof a.user_id, "%s", user);
    for (size_t i = 0; i < 3; i++) {
        a.parties[i].index = (uint16_t)(i + 1);
        snprintf(a.parties[i].id, sizeof a.parties[i].id, "party-%zu", i + 1);
    }
    return a;
}

static enum db_result insert(struct place *p, struct store_insert *job)
{
    if (!job->replica)
        job->replica = "one";
    return db_run(p->db, DB_DURABLE, store_insert, job);
}

static struct account add_at(struct place *p, const char *user, int64_t created_ms)
{
    struct store_insert job = {.account = pending(user), .idempotency_key = ""};
    struct store_session session = {.account = &job.account};
    struct store_intent intent = {
        .account = &job.account, .intent = (const uint8_t *)"DKI1", .intent_len = 4};

    job.account.created_ms = created_ms;
    assert_int_equal(insert(p, &job), DB_OK);
    assert_int_equal(db_run(p->db, DB_DURABLE, store_intent, &intent), DB_OK);
    id_new(job.account.session_id);
    assert_int_equal(db_run(p->db, DB_DURABLE, store_session, &session), DB_OK);
    return job.account;
}

static struct account add(struct place *p, const char *user)
{
    return add_at(p, user, 1);
}

static struct store_get get(struct place *p, const char *id)
{
    struct store_get job = {.want_blobs = true};

    memcpy(job.account_id, id, sizeof job.account_id);
    assert_int_equal(db_run(p->db, DB_READ, store_get, &job), DB_OK);
    return job;
}

static void activate(struct account *a)
{
    a->status = ACCOUNT_ACTIVE;
    memset(a->pk.b, 2, sizeof a->pk.b);
    memset(a->cc, 3, sizeof a->cc);
    memset(a->keyid, 4, sizeof a->keyid);
}

static void test_lesson_1_17_a_pending_account_has_no_key(void **state)
{
    struct account a = add(*state, "alice");
    struct store_get job = get(*state, a.account_id);
    const uint8_t none[33] = {0};

    assert_int_equal(job.account.status, ACCOUNT_PENDING);
    assert_memory_equal(job.account.pk.b, none, 33);
    assert_null(job.certificate);
    assert_int_equal(job.account.parties_n, 3);
    assert_string_equal(job.account.parties[2].id, "party-3");
    assert_memory_equal(job.intent, "DKI1", 4);
    store_get_free(&job);
}

static void test_an_account_is_finished_once(void **state)
{
    struct place *p = *state;
    struct account a = add(p, "alice"), late = a;
    struct store_finish finish = {.account = &a,
                                  .certificate = (const uint8_t *)"DKK1",
                                  .certificate_len = 4,
                                  .audit = &entry};
    struct store_get job;

    activate(&a);
    assert_int_equal(db_run(p->db, DB_DURABLE, store_finish, &finish), DB_OK);
    late.status = ACCOUNT_FAILED;
    finish.account = &late;
    assert_int_equal(db_run(p->db, DB_DURABLE, store_finish, &finish), DB_REFUSED);
    job = get(p, a.account_id);
    assert_int_equal(job.account.status, ACCOUNT_ACTIVE);
    assert_memory_equal(job.account.pk.b, a.pk.b, 33);
    assert_memory_equal(job.certificate, "DKK1", 4);
    store_get_free(&job);
}

static void test_an_idempotency_key_stands_for_one_request(void **state)
{
    struct place *p = *state;
    struct store_insert first = {.account = pending("bob"), .idempotency_key = "k"};
    struct store_insert same = {.account = pending("bob"), .idempotency_key = "k"};
    struct store_insert other = {
        .account = pending("eve"), .idempotency_key = "k", .request_hash = {1}};

    assert_int_equal(insert(p, &first), DB_OK);
    assert_false(first.existed);
    assert_int_equal(insert(p, &same), DB_OK);
    assert_true(same.existed);
    assert_string_equal(same.account.account_id, first.account.account_id);
    assert_int_equal(insert(p, &other), DB_REFUSED);
}

static void test_only_an_account_without_session_is_forgotten(void **state)
{
    struct place *p = *state;
    struct account kept = add(p, "alice");
    struct store_insert job = {.account = pending("bob"), .idempotency_key = ""};
    struct store_forget forget = {0};
    struct store_get gone = {0}, found;

    assert_int_equal(insert(p, &job), DB_OK);
    memcpy(forget.account_id, job.account.account_id, sizeof forget.account_id);
    assert_int_equal(db_run(p->db, DB_DURABLE, store_forget, &forget), DB_OK);
    memcpy(gone.account_id, forget.account_id, sizeof gone.account_id);
    assert_int_equal(db_run(p->db, DB_READ, store_get, &gone), DB_REFUSED);
    memcpy(forget.account_id, kept.account_id, sizeof forget.account_id);
    assert_int_equal(db_run(p->db, DB_DURABLE, store_forget, &forget), DB_OK);
    found = get(p, kept.account_id);
    assert_string_equal(found.account.user_id, "alice");
    store_get_free(&found);
}

static bool is_newer(const struct account *a, const struct account *b)
{
    return a->created_ms > b->created_ms ||
           (a->created_ms == b->created_ms && strcmp(a->account_id, b->account_id) > 0);
}

static void test_pages_have_every_account_once_newest_first(void **state)
{
    struct place *p = *state;
    struct account last = {.created_ms = INT64_MAX};
    size_t seen = 0;

    for (int64_t i = 0; i < 7; i++)
        add_at(p, i % 2 ? "alice" : "bob", i / 2);
    for (bool more = true; more;) {
        struct store_list list = {.limit = 3};

        memcpy(list.after, last.account_id, sizeof list.after);
        assert_int_equal(db_run(p->db, DB_READ, store_list, &list), DB_OK);
        more = list.accounts_n > list.limit;
        for (size_t i = 0; i < list.accounts_n && i < list.limit; i++, seen++) {
            assert_true(is_newer(&last, &list.accounts[i]));
            last = list.accounts[i];
        }
        free(list.accounts);
    }
    assert_int_equal(seen, 7);
}

static void test_a_page_of_one_user(void **state)
{
    struct place *p = *state;
    struct store_list list = {.limit = 10, .user_id = "alice"};

    add(p, "alice");
    add(p, "bob");
    add(p, "alice");
    assert_int_equal(db_run(p->db, DB_READ, store_list, &list), DB_OK);
    assert_int_equal(list.accounts_n, 2);
    free(list.accounts);
}

static void test_signing_parties_are_kept(void **state)
{
    struct place *p = *state;
    struct account a = add(p, "alice");
    struct store_signing_parties job = {.account = &a, .audit = &entry};
    struct store_get read;

    a.parties[1].signs = true;
    assert_int_equal(db_run(p->db, DB_DURABLE, store_signing_parties, &job), DB_OK);
    read = get(p, a.account_id);
    assert_false(read.account.parties[0].signs);
    assert_true(read.account.parties[1].signs);
    store_get_free(&read);
}

static enum db_result hold(struct place *p, const struct account *account, const char *replica,
                           bool any)
{
    struct store_hold job = {.account = account, .replica = replica, .any = any};

    return db_run(p->db, DB_DURABLE, store_hold, &job);
}

static enum db_result let_time_pass(struct db_tx *tx, void *arg)
{
    const struct db_value ms = db_int(*(const int64_t *)arg);

    return db_exec(tx, "UPDATE accounts SET held_until_ms = held_until_ms - $1", &ms, 1, NULL);
}

static void wait_ms(struct place *p, int64_t ms)
{
    assert_int_equal(db_run(p->db, DB_DURABLE, let_time_pass, &ms), DB_OK);
}

static size_t unheld(struct place *p, bool with_held)
{
    struct store_list list = {.limit = 9, .pending_only = true, .with_held = with_held};

    assert_int_equal(db_run(p->db, DB_READ, store_list, &list), DB_OK);
    free(list.accounts);
    return list.accounts_n;
}

static void test_a_pending_account_is_held_by_one(void **state)
{
    struct place *p = *state;
    struct account a = add(p, "alice");
    char(*ids)[ID_TEXT_MAX] = &a.account_id;
    struct store_renew by_one = {.replica = "one", .n = 1, .ids = ids},
                       by_two = {.replica = "two", .n = 1, .ids = ids};

    assert_int_equal(unheld(p, false), 0);
    assert_int_equal(unheld(p, true), 1);
    assert_int_equal(hold(p, &a, "two", false), DB_REFUSED);
    wait_ms(p, HOLD_MS);
    assert_int_equal(unheld(p, false), 1);
    /* late, but nobody has taken it */
    assert_int_equal(db_run(p->db, DB_DURABLE, store_renew, &by_one), DB_OK);
    assert_int_equal(hold(p, &a, "two", false), DB_REFUSED);
    wait_ms(p, HOLD_MS);
    assert_int_equal(hold(p, &a, "two", false), DB_OK);
    assert_int_equal(hold(p, &a, "three", false), DB_REFUSED);
    wait_ms(p, HOLD_MS);
    assert_int_equal(db_run(p->db, DB_DURABLE, store_renew, &by_one), DB_OK);
    assert_int_equal(unheld(p, false), 1);
    assert_int_equal(db_run(p->db, DB_DURABLE, store_renew, &by_two), DB_OK);
    assert_int_equal(unheld(p, false), 0);
    assert_int_equal(hold(p, &a, "three", true), DB_OK);
}

static void test_what_is_finished_is_nobodys_to_hold(void **state)
{
    struct place *p = *state;
    struct account a = add(p, "alice");
    struct store_finish finish = {.account = &a, .audit = &entry};

    a.status = ACCOUNT_FAILED;
    assert_int_equal(db_run(p->db, DB_DURABLE, store_finish, &finish), DB_OK);
    wait_ms(p, HOLD_MS);
    assert_int_equal(hold(p, &a, "two", false), DB_REFUSED);
    assert_int_equal(hold(p, &a, "two", true), DB_REFUSED);
    assert_int_equal(unheld(p, true), 0);
}

struct rival {
    struct db *db;
    pthread_t thread;
    struct store_insert *first, *second;
    enum db_result result;
};

static void *insert_as_rival(void *arg)
{
    struct rival *rival = arg;

    rival->result = db_run(rival->db, DB_DURABLE, store_insert, rival->second);
    return NULL;
}

static bool take_number(const struct db_row *row, void *arg)
{
    *(int64_t *)arg = db_get_int(row, 0);
    return false;
}

/* Inside the transaction of the first: until the second stands before the same key. */
static enum db_result insert_before_rival(struct db_tx *tx, void *arg)
{
    struct rival *rival = arg;
    enum db_result result = store_insert(tx, rival->first);
    int64_t waiting = 0;

    pthread_create(&rival->thread, NULL, insert_as_rival, rival);
    while (result == DB_OK && waiting == 0)
        result = db_query(tx, "SELECT count(*) FROM pg_locks WHERE NOT granted", NULL, 0,
                          take_number, &waiting);
    return result;
}

static void test_a_key_used_at_two_replicas_at_once_makes_one_account(void **state)
{
    struct place *p = *state;
    struct db_params params = db_place_params(&p->where, store_migrations);
    struct store_insert first = {
        .account = pending("bob"), .idempotency_key = "k", .replica = "one"};
    struct store_insert second = {
        .account = pending("bob"), .idempotency_key = "k", .replica = "two"};
    struct rival rival = {.first = &first, .second = &second};
    char error[DB_ERROR_MAX];

    if (!db_place_is_server()) /* a file has one process */
        skip();
    rival.db = db_open(NULL, &params, error);
    assert_non_null(rival.db);
    assert_int_equal(db_run(p->db, DB_DURABLE, insert_before_rival, &rival), DB_OK);
    pthread_join(rival.thread, NULL);
    assert_int_equal(rival.result, DB_OK);
    assert_false(first.existed);
    assert_true(second.existed);
    assert_string_equal(second.account.account_id, first.account.account_id);
    db_close(rival.db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lesson_1_17_a_pending_account_has_no_key, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(test_an_account_is_finished_once, open_place, close_place),
        cmocka_unit_test_setup_teardown(test_an_idempotency_key_stands_for_one_request, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(test_only_an_account_without_session_is_forgotten,
                                        open_place, close_place),
        cmocka_unit_test_setup_teardown(test_pages_have_every_account_once_newest_first, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(test_a_page_of_one_user, open_place, close_place),
        cmocka_unit_test_setup_teardown(test_signing_parties_are_kept, open_place, close_place),
        cmocka_unit_test_setup_teardown(test_a_pending_account_is_held_by_one, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(test_what_is_finished_is_nobodys_to_hold, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(test_a_key_used_at_two_replicas_at_once_makes_one_account,
                                        open_place, close_place),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
