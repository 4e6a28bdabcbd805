/* SPDX-License-Identifier: Apache-2.0 */
/* Two replicas on one loop: one leads, the other takes over when it is time, and never before. */
#include "rivals.h"

#include "services/coordinator/leadership.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

struct replica {
    struct leadership *l;
    unsigned takes, sure;
    char follows[LEASE_ADDRESS_MAX];
};

static void takes(void *arg)
{
    ((struct replica *)arg)->takes++;
}

static void is_sure(void *arg)
{
    ((struct replica *)arg)->sure++;
}

static void follows(void *arg, const char *address)
{
    snprintf(((struct replica *)arg)->follows, LEASE_ADDRESS_MAX, "%s", address);
}

static const uint8_t key[LEASE_KEY] = {1}, other_key[LEASE_KEY] = {2};

static void begin_with(struct replica *replica, struct rivals *r, const char *address,
                       const uint8_t *with_key)
{
    const struct leadership_params params = {.loop = &r->loop,
                                             .db = r->b,
                                             .address = address,
                                             .key = with_key,
                                             .takes = takes,
                                             .is_sure = is_sure,
                                             .follows = follows,
                                             .arg = replica};

    *replica = (struct replica){0};
    replica->l = leadership_new(&params);
    assert_non_null(replica->l);
}

static void begin(struct replica *replica, struct rivals *r, struct db *db, const char *address)
{
    const struct leadership_params params = {.loop = &r->loop,
                                             .db = db,
                                             .address = address,
                                             .key = key,
                                             .takes = takes,
                                             .is_sure = is_sure,
                                             .follows = follows,
                                             .arg = replica};

    *replica = (struct replica){0};
    replica->l = leadership_new(&params);
    assert_non_null(replica->l);
}

/* Its jobs are lent to the databases: close them first, open them for the teardown. */
static void finish(struct rivals *r, struct replica *a, struct replica *b)
{
    db_close(r->a);
    db_close(r->b);
    leadership_free(a->l);
    leadership_free(b->l);
    r->a = rivals_open(r, &r->loop, false);
    r->b = rivals_open(r, &r->loop, false);
}

/* At a slow database a leader may be in doubt for a while. */
static void until_sure(struct rivals *r, const struct leadership *l)
{
    while (!leadership_is_sure(l))
        uv_run(&r->loop, UV_RUN_ONCE);
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

static void test_a_replica_that_leaves_is_followed_at_once(void **state)
{
    struct rivals *r = *state;
    struct replica a, b;
    bool left = false;

    begin(&a, r, r->a, "a:1");
    assert_true(leadership_leads(a.l));
    until_sure(r, a.l);
    begin(&b, r, r->b, "b:1");
    assert_false(leadership_leads(b.l));
    while (!b.follows[0])
        uv_run(&r->loop, UV_RUN_ONCE);
    assert_string_equal(b.follows, "a:1");
    leadership_leave(a.l, set_flag, &left);
    assert_false(leadership_leads(a.l));
    assert_false(leadership_is_sure(a.l));
    while (!b.takes || !left || !a.follows[0])
        uv_run(&r->loop, UV_RUN_ONCE);
    assert_true(leadership_leads(b.l));
    assert_string_equal(a.follows, "b:1");
    /* the database's clock stood still: it was not waited for */
    assert_int_equal(a.takes, 0);
    assert_string_equal(r->lost, "");
    finish(r, &a, &b);
}

/* In the place of lease_look: how often |watched| has looked. */
static _Atomic(const void *) watched;
static atomic_uint looks;
enum db_result __real_lease_look(struct db_tx *tx, void *arg);
enum db_result __wrap_lease_look(struct db_tx *tx, void *arg);
enum db_result __wrap_lease_look(struct db_tx *tx, void *arg)
{
    enum db_result result = __real_lease_look(tx, arg);

    if (((const struct lease *)arg)->owner == watched)
        looks++;
    return result;
}

/* The disk is slow. */
static enum db_result write_slowly(struct db_tx *tx, void *arg)
{
    (void)tx;
    pthread_barrier_wait(arg);
    return DB_OK;
}

/* Its row is still there, and names itself: calls would be passed round and round. */
static void test_a_replica_that_leaves_does_not_follow_itself(void **state)
{
    struct rivals *r = *state;
    pthread_barrier_t slow;
    struct replica a, b = {0};
    bool left = false, had_left;

    begin(&a, r, r->a, "a:1");
    pthread_barrier_init(&slow, NULL, 2);
    db_submit(r->a, DB_DURABLE, write_slowly, NULL, &slow);
    leadership_leave(a.l, set_flag, &left);
    watched = a.l;
    while (looks < 2) /* then the first has been judged */
        uv_run(&r->loop, UV_RUN_ONCE);
    had_left = left;
    pthread_barrier_wait(&slow);
    while (!left)
        uv_run(&r->loop, UV_RUN_ONCE);
    finish(r, &a, &b);
    pthread_barrier_destroy(&slow);
    assert_false(had_left);
    assert_string_equal(a.follows, "");
}

static void test_a_replica_that_is_late_is_replaced_and_ends(void **state)
{
    struct rivals *r = *state;
    struct replica a, b;

    begin(&a, r, r->a, "a:1");
    begin(&b, r, r->b, "b:1");
    /* sooner or later b looks before a renews */
    while (!b.takes) {
        rivals_wait(r, LEASE_MS);
        uv_run(&r->loop, UV_RUN_ONCE);
    }
    assert_true(leadership_leads(b.l));
    /* a's next renewal is refused */
    while (!r->lost[0])
        uv_run(&r->loop, UV_RUN_ONCE);
    assert_string_equal(r->lost, "another replica of the coordinator leads now");
    assert_int_equal(a.takes, 0);
    finish(r, &a, &b);
}

/* In the place of clock_gettime: as after a sleep of the machine. */
static time_t slept_s;
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = __real_clock_gettime(clock, now);

    if (clock == CLOCK_BOOTTIME)
        now->tv_sec += slept_s;
    return result;
}

static void test_a_leader_that_slept_is_not_sure(void **state)
{
    struct rivals *r = *state;
    struct replica a, b = {0};

    begin(&a, r, r->a, "a:1");
    until_sure(r, a.l);
    slept_s = LEASE_MS / 1000;
    assert_false(leadership_is_sure(a.l));
    slept_s = 0;
    finish(r, &a, &b);
}

/* It takes the lease itself when it is over. */
static void test_who_has_not_signed_is_not_followed(void **state)
{
    struct rivals *r = *state;
    struct replica a, b;

    begin(&a, r, r->a, "a:1");
    begin_with(&b, r, "b:1", other_key);
    while (!b.takes) {
        uint64_t before = db_commits(r->a);

        while (db_commits(r->a) == before && !r->lost[0])
            uv_run(&r->loop, UV_RUN_ONCE);
        rivals_wait(r, LEASE_MS);
        uv_run(&r->loop, UV_RUN_ONCE);
    }
    assert_string_equal(b.follows, "");
    finish(r, &a, &b);
}

static void test_a_leader_alone_goes_on_leading(void **state)
{
    struct rivals *r = *state;
    struct replica a, b = {0};
    uint64_t before = db_commits(r->a);

    begin(&a, r, r->a, "a:1");
    while (db_commits(r->a) < before + 4) /* the taking and renewals */
        uv_run(&r->loop, UV_RUN_ONCE);
    assert_true(leadership_leads(a.l));
    until_sure(r, a.l);
    assert_string_equal(r->lost, "");
    finish(r, &a, &b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rivals_setup, rivals_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_replica_that_leaves_is_followed_at_once),
        TEST(test_a_replica_that_leaves_does_not_follow_itself),
        TEST(test_a_replica_that_is_late_is_replaced_and_ends),
        TEST(test_a_leader_that_slept_is_not_sure),
        TEST(test_who_has_not_signed_is_not_followed),
        TEST(test_a_leader_alone_goes_on_leading),
    };

    return db_place_is_server() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
