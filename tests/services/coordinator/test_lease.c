/* SPDX-License-Identifier: Apache-2.0 */
/* Who may lead, tried by two that want to: the lease goes by the database's clock, and what is
 * written by its fence. */
#include "rivals.h"

static const uint8_t key[LEASE_KEY] = {1}, other_key[LEASE_KEY] = {2};

static struct lease take(struct db *db, const char *name)
{
    struct lease lease = {.key = key};

    snprintf(lease.replica, sizeof lease.replica, "%s", name);
    snprintf(lease.address, sizeof lease.address, "%s:1", name);
    assert_int_equal(db_run(db, DB_DURABLE, lease_take, &lease), DB_OK);
    return lease;
}

static enum db_result with(struct db *db, db_work *work, int64_t fence)
{
    struct lease lease = {.fence = fence};

    return db_run(db, DB_DURABLE, work, &lease);
}

static void test_one_leads_until_its_lease_is_over(void **state)
{
    struct rivals *r = *state;
    struct lease seen = {0}, a = take(r->a, "a"), b = take(r->b, "b");

    assert_true(a.is_taken);
    assert_int_equal(a.fence, 2);
    assert_false(b.is_taken);
    assert_int_equal(db_run(r->b, DB_READ, lease_look, &seen), DB_OK);
    assert_string_equal(seen.replica, "a");
    assert_string_equal(seen.address, "a:1");
    assert_int_equal(seen.fence, 2);
    assert_false(seen.is_over);
    rivals_wait(r, LEASE_MS - 1);
    assert_false(take(r->b, "b").is_taken);
    rivals_wait(r, 1);
    assert_int_equal(db_run(r->b, DB_READ, lease_look, &seen), DB_OK);
    assert_true(seen.is_over);
    b = take(r->b, "b");
    assert_true(b.is_taken);
    assert_int_equal(b.fence, 3);
    assert_false(take(r->a, "a").is_taken);
}

static enum db_result forge(struct db_tx *tx, void *arg)
{
    return db_exec(tx, arg, NULL, 0, NULL);
}

static bool is_signed(struct rivals *r, const uint8_t *with_key)
{
    struct lease seen = {.key = with_key};

    assert_int_equal(db_run(r->b, DB_READ, lease_look, &seen), DB_OK);
    return seen.is_signed;
}

/* The row names who is sent calls and tokens. */
static void test_attack_a_lease_that_was_written_into_the_database(void **state)
{
    static const char *const forgeries[] = {
        "UPDATE leadership SET address = 'evil:1'", "UPDATE leadership SET replica = 'b'",
        "UPDATE leadership SET fence = fence + 1", "UPDATE leadership SET mac = NULL"};
    struct rivals *r = *state;

    for (size_t i = 0; i < sizeof forgeries / sizeof forgeries[0]; i++) {
        assert_true(take(r->a, "a").is_taken);
        assert_true(is_signed(r, key));
        assert_false(is_signed(r, other_key));
        assert_false(is_signed(r, NULL));
        assert_int_equal(db_run(r->b, DB_DURABLE, forge, (void *)(uintptr_t)forgeries[i]), DB_OK);
        assert_false(is_signed(r, key));
        rivals_wait(r, LEASE_MS);
    }
}

/* There is no number after it. */
static void test_attack_a_fence_that_nobody_can_follow(void **state)
{
    static const char *const forgeries[] = {"UPDATE leadership SET fence = 9223372036854775807",
                                            "UPDATE leadership SET fence = -1"};
    struct rivals *r = *state;

    for (size_t i = 0; i < sizeof forgeries / sizeof forgeries[0]; i++) {
        assert_int_equal(db_run(r->b, DB_DURABLE, forge, (void *)(uintptr_t)forgeries[i]), DB_OK);
        assert_false(take(r->a, "a").is_taken);
    }
    assert_int_equal(db_run(r->b, DB_DURABLE, forge, "UPDATE leadership SET fence = 7"), DB_OK);
    assert_int_equal(take(r->a, "a").fence, 8);
}

static void test_a_renewed_lease_lasts(void **state)
{
    struct rivals *r = *state;
    struct lease a = take(r->a, "a");

    rivals_wait(r, LEASE_MS - 1);
    assert_int_equal(with(r->a, lease_renew, a.fence), DB_OK);
    rivals_wait(r, LEASE_MS - 1);
    assert_false(take(r->b, "b").is_taken);
    rivals_wait(r, 1);
    assert_true(take(r->b, "b").is_taken);
    assert_int_equal(with(r->a, lease_renew, a.fence), DB_REFUSED);
    assert_int_equal(with(r->a, lease_give_up, a.fence), DB_REFUSED);
    assert_false(take(r->a, "a").is_taken);
}

static void test_a_lease_that_is_given_up_is_over_at_once(void **state)
{
    struct rivals *r = *state;
    struct lease a = take(r->a, "a");

    assert_int_equal(with(r->a, lease_give_up, a.fence), DB_OK);
    assert_true(take(r->b, "b").is_taken);
}

static enum db_result write_something(struct db_tx *tx, void *arg)
{
    (void)arg;
    return db_exec(tx, "UPDATE orders SET seq = seq", NULL, 0, NULL) == DB_OK
               ? db_exec(tx,
                         "INSERT INTO orders (seq, account_id, serial, is_freeze, body, signature)"
                         " VALUES ((SELECT count(*) FROM orders), 'a', 1, 0, '', '')",
                         NULL, 0, NULL)
               : DB_FAILED;
}

static bool take_number(const struct db_row *row, void *arg)
{
    *(int64_t *)arg = db_get_int(row, 0);
    return false;
}

static enum db_result count_orders(struct db_tx *tx, void *arg)
{
    return db_query(tx, "SELECT count(*) FROM orders", NULL, 0, take_number, arg);
}

static int64_t written(struct rivals *r)
{
    int64_t n = -1;

    assert_int_equal(db_run(r->b, DB_READ, count_orders, &n), DB_OK);
    return n;
}

static void test_a_leader_that_was_replaced_writes_nothing(void **state)
{
    struct rivals *r = *state;
    int64_t fence = take(r->a, "a").fence;

    db_fence(r->a, lease_fence, &fence, "another one leads");
    assert_int_equal(db_run(r->a, DB_DURABLE, write_something, NULL), DB_OK);
    assert_int_equal(written(r), 1);
    /* over, but nobody has taken it: what it writes is still right */
    rivals_wait(r, LEASE_MS);
    assert_int_equal(db_run(r->a, DB_DURABLE, write_something, NULL), DB_OK);
    assert_int_equal(written(r), 2);
    assert_true(take(r->b, "b").is_taken);
    assert_int_equal(db_run(r->a, DB_DURABLE, write_something, NULL), DB_FAILED);
    assert_int_equal(written(r), 2);
    while (!r->lost[0])
        uv_run(&r->loop, UV_RUN_ONCE);
    assert_string_equal(r->lost, "another one leads");
    /* not even if it would be let in again */
    fence = 2;
    assert_int_equal(db_run(r->a, DB_DURABLE, write_something, NULL), DB_FAILED);
    assert_int_equal(written(r), 2);
}

struct between {
    struct rivals *r;
    struct lease taken;
};

/* Inside a's transaction, behind its fence. */
static enum db_result write_while_the_other_takes(struct db_tx *tx, void *arg)
{
    struct between *between = arg;

    rivals_wait(between->r, LEASE_MS);
    between->taken = take(between->r->b, "b");
    return write_something(tx, NULL);
}

static void test_nobody_takes_over_inside_a_transaction(void **state)
{
    struct rivals *r = *state;
    int64_t fence = take(r->a, "a").fence;
    struct between between = {.r = r};

    db_fence(r->a, lease_fence, &fence, "another one leads");
    assert_int_equal(db_run(r->a, DB_DURABLE, write_while_the_other_takes, &between), DB_OK);
    assert_false(between.taken.is_taken);
    assert_int_equal(written(r), 1);
    assert_true(take(r->b, "b").is_taken);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rivals_setup, rivals_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_leads_until_its_lease_is_over),
        TEST(test_attack_a_lease_that_was_written_into_the_database),
        TEST(test_attack_a_fence_that_nobody_can_follow),
        TEST(test_a_renewed_lease_lasts),
        TEST(test_a_lease_that_is_given_up_is_over_at_once),
        TEST(test_a_leader_that_was_replaced_writes_nothing),
        TEST(test_nobody_takes_over_inside_a_transaction),
    };

    return db_place_is_server() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
