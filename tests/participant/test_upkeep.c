/* SPDX-License-Identifier: Apache-2.0 */
/* A party whose database is silent: another process has its file, and whatever is asked of it
 * waits, up to five seconds each time. Frames are answered meanwhile. Requests that have to wait
 * stand behind others, which takes minutes; what would come at a bad time once in a while, at the
 * end of those seconds, is tried again. */
#include "keepers.h"

#include "system/access/order.h"
#include "system/core/ids.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

/* together more than 64 MB */
enum { TRIES = 3, OTHERS = 30, FLOOD = 1100, BOX = 15 << 20, BOXES = 5 };

static struct keepers *k;
static struct job keygen;
static uint8_t key_id[32], pk[33];
static const size_t quorum[] = {0, 1};
static uint64_t serial;

static sqlite3 *silence(size_t who)
{
    char path[192];
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/party.db", k->seats[who].directory);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 60000);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static void speak(sqlite3 *db)
{
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void confirm(const char *session_id)
{
    Mpc__Keeper__V1__ToKeeper frame = MPC__KEEPER__V1__TO_KEEPER__INIT;
    Mpc__Keeper__V1__ConfirmShare request = MPC__KEEPER__V1__CONFIRM_SHARE__INIT;

    request.session_id = (char *)session_id;
    frame.request_case = MPC__KEEPER__V1__TO_KEEPER__REQUEST_CONFIRM_SHARE;
    frame.confirm_share = &request;
    keepers_send(k, 0, &frame);
}

static void order(const char *action)
{
    Mpc__Keeper__V1__ToKeeper frame = MPC__KEEPER__V1__TO_KEEPER__INIT;
    Mpc__Session__V1__OrderBody body = MPC__SESSION__V1__ORDER_BODY__INIT;
    Mpc__Session__V1__Order signed_one = MPC__SESSION__V1__ORDER__INIT;
    uint8_t b[512], signature[64];

    body.action = (char *)action;
    body.serial = ++serial;
    signed_one.body = (ProtobufCBinaryData){mpc__session__v1__order_body__pack(&body, b), b};
    order_sign(signature, b, signed_one.body.len, k->operator_secret);
    signed_one.signature = (ProtobufCBinaryData){64, signature};
    frame.request_case = MPC__KEEPER__V1__TO_KEEPER__REQUEST_ORDER;
    frame.order = &signed_one;
    keepers_send(k, 0, &frame);
}

/* The last request that was answered is this session's, with this code (NULL: any). */
static bool is_answered(const char *session_id, const char *code)
{
    const Mpc__Keeper__V1__ShareAnswer *answer =
        k->last_answer ? k->last_answer->share_answer : NULL;

    return answer && strcmp(answer->session_id, session_id) == 0 &&
           (!code || strcmp(answer->code, code) == 0);
}

static void open_at(size_t who, const struct job *job)
{
    Mpc__Session__V1__Setup *setup = keepers_setup(k, job);

    keepers_open(k, who, setup);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
}

static bool was_signed(const struct job *job)
{
    const struct told *told = keepers_told(k, 0, job->session_id, 0);

    return told && keepers_is_signed(told, job, pk);
}

static void sign(void)
{
    struct job job = keepers_sign(&keygen, key_id, quorum, 2);

    keepers_open_all(k, &job);
    keepers_play(k, &job);
    assert_true(was_signed(&job));
}

/* So many of others that what comes behind them waits. */
static void confirm_others(void)
{
    char session[37];

    for (int i = 0; i < OTHERS; i++) {
        id_new(session);
        confirm(session);
    }
}

static void test_frames_are_answered_while_the_database_is_silent(void **state)
{
    char session[37];
    sqlite3 *db;

    (void)state;
    sign();
    db = silence(0);
    id_new(session);
    confirm_others();
    confirm(session);
    keepers_ask_stats(k, 0);
    sign();
    assert_false(is_answered(session, NULL));
    speak(db);
    keepers_sync(k, 0);
    assert_true(is_answered(session, "NO_SHARE"));
}

/* What finds the last place, once in a while, is tried again. */
static bool is_refused(const char *others)
{
    char session[37];

    id_new(session);
    confirm(others);
    confirm(session);
    keepers_ask_stats(k, 0);
    return is_answered(session, "OVERLOADED");
}

static void test_requests_that_wait_are_bounded(void **state)
{
    sqlite3 *db = silence(0);
    char first[37], session[37];
    bool refused = false;

    (void)state;
    id_new(first);
    for (int i = 0; i < FLOOD; i++)
        confirm(first);
    keepers_ask_stats(k, 0);
    /* a refusal overtakes no answer of its own session */
    assert_false(is_answered(first, "OVERLOADED"));
    for (int i = 0; i < TRIES && !refused; i++)
        refused = is_refused(first);
    assert_true(refused);
    speak(db);
    id_new(session);
    do {
        confirm(session);
        keepers_sync(k, 0);
    } while (!is_answered(session, "NO_SHARE"));
}

static void lend(const char *session_id, const uint8_t *sealed, size_t len)
{
    Mpc__Keeper__V1__ToKeeper frame = MPC__KEEPER__V1__TO_KEEPER__INIT;
    Mpc__Keeper__V1__LendShare request = MPC__KEEPER__V1__LEND_SHARE__INIT;

    request.session_id = (char *)session_id;
    request.sealed = (ProtobufCBinaryData){len, (uint8_t *)sealed};
    frame.request_case = MPC__KEEPER__V1__TO_KEEPER__REQUEST_LEND_SHARE;
    frame.lend_share = &request;
    keepers_send(k, 0, &frame);
}

static void test_what_waits_is_bounded_in_bytes(void **state)
{
    static const uint8_t sealed[BOX];
    sqlite3 *db = silence(0);
    char session[37];

    (void)state;
    confirm_others();
    for (int i = 0; i < BOXES; i++) {
        id_new(session);
        lend(session, sealed, sizeof sealed);
    }
    keepers_ask_stats(k, 0);
    assert_true(is_answered(session, "OVERLOADED"));
    speak(db);
    keepers_sync(k, 0);
    lend(session, sealed, sizeof sealed);
    keepers_sync(k, 0);
    assert_true(is_answered(session, "NO_SHARE"));
}

/* Neither to hold nor to be written down: the process ends while another request waits. */
static void test_a_freeze_waits_for_no_database(void **state)
{
    struct job job = keepers_sign(&keygen, key_id, quorum, 2), alone = job;
    sqlite3 *db = silence(0);

    (void)state;
    confirm(job.session_id);
    keepers_ask_stats(k, 0);
    order("freeze");
    open_at(0, &job);
    alone.members_n = 1;
    keepers_play(k, &alone);
    assert_string_equal(keepers_told(k, 0, job.session_id, 0)->code, "FROZEN");
    keepers_kill(k, 0);
    speak(db);
    assert_true(keepers_start(k, 0));
    job = alone = keepers_sign(&keygen, key_id, quorum, 2);
    alone.members_n = 1;
    open_at(0, &job);
    keepers_play(k, &alone);
    assert_string_equal(keepers_told(k, 0, job.session_id, 0)->code, "FROZEN");
    order("unfreeze");
    keepers_sync(k, 0);
    sign();
}

/* A keeper that ends at once, as its front did, has what it was told. */
static void test_a_freeze_is_stored_at_the_end(void **state)
{
    struct job job = keepers_sign(&keygen, key_id, quorum, 2);
    sqlite3 *db = silence(0);
    char row[64];

    (void)state;
    confirm(job.session_id);
    keepers_ask_stats(k, 0);
    order("freeze");
    keepers_ask_stats(k, 0);
    shutdown(k->seats[0].fd, SHUT_WR);
    speak(db);
    assert_int_equal(keepers_stop(k, 0), 0);
    snprintf(row, sizeof row, "SELECT 1 FROM orders WHERE serial = %llu",
             (unsigned long long)serial);
    assert_true(party_db_has(&k->seats[0].db, row));
    assert_true(keepers_start(k, 0));
    open_at(0, &job);
    job.members_n = 1;
    keepers_play(k, &job);
    assert_string_equal(keepers_told(k, 0, job.session_id, 0)->code, "FROZEN");
    order("unfreeze");
    keepers_sync(k, 0);
}

/* True: what was asked for between an order and its being stored was signed. */
static bool signs_after_an_unfreeze(void)
{
    struct job job = keepers_sign(&keygen, key_id, quorum, 2);
    sqlite3 *db;

    order("freeze");
    keepers_sync(k, 0);
    db = silence(0);
    order("unfreeze");
    open_at(0, &job);
    open_at(1, &job);
    keepers_ask_stats(k, 0);
    speak(db);
    job.members_n = 1;
    keepers_play(k, &job);
    keepers_sync(k, 0);
    return was_signed(&job);
}

static void test_who_asks_behind_an_unfreeze_waits_until_it_is_stored(void **state)
{
    bool done = false;

    (void)state;
    for (int i = 0; i < TRIES && !done; i++)
        done = signs_after_an_unfreeze();
    assert_true(done);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_are_answered_while_the_database_is_silent),
        cmocka_unit_test(test_requests_that_wait_are_bounded),
        cmocka_unit_test(test_what_waits_is_bounded_in_bytes),
        cmocka_unit_test(test_a_freeze_waits_for_no_database),
        cmocka_unit_test(test_a_freeze_is_stored_at_the_end),
        cmocka_unit_test(test_who_asks_behind_an_unfreeze_waits_until_it_is_stored),
    };
    int result;

    if (keepers_main(argc, argv, &result))
        return result;
    k = keepers_new(2, NULL);
    keygen = keepers_keygen(k, 2, 2);
    keepers_make_key(k, &keygen, key_id, pk);
    result = cmocka_run_group_tests(tests, NULL, NULL);
    keepers_free(k);
    return result;
}
