/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that are interrupted: a keeper is killed after every message of a key generation and of a
 * signature that it sent or got. Nothing is half made, and nothing needs a hand. */
#include "keepers.h"

#include "quorate/share.h"
#include "quorate/wire.h"
#include "system/core/ids.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct keepers *k;

/* What seat 0 sent and got of the watched session; the relay stops at |stop_at| letters. */
static struct {
    size_t letters;
    /* to it, without confirmations */
    size_t given;
    /* it said that its share is stored */
    bool confirmed;
} traffic;
static size_t stop_at;

static bool count(struct keepers *keepers, const struct letter *letter, void *arg)
{
    bool confirms = letter->len == QRT_CONFIRMATION_BYTES;

    (void)keepers;
    (void)arg;
    traffic.letters += letter->from == 0 || letter->to == 0;
    traffic.given += letter->to == 0 && !confirms;
    traffic.confirmed = traffic.confirmed || (letter->from == 0 && confirms);
    return true;
}

static void count_from_here(const struct job *job)
{
    memset(&traffic, 0, sizeof traffic);
    keepers_watch(k, job, count);
}

static bool all_members_told(struct keepers *keepers, const struct job *job)
{
    for (size_t i = 0; i < job->members_n; i++) {
        if (!keepers_told(keepers, job->members[i], job->session_id, job->attempt))
            return false;
    }
    return true;
}

static bool is_time(struct keepers *keepers, void *arg)
{
    return traffic.letters >= stop_at || all_members_told(keepers, arg);
}

static bool seat_0_told(struct keepers *keepers, void *arg)
{
    const struct job *job = arg;

    return keepers_told(keepers, 0, job->session_id, job->attempt) != NULL;
}

static void reopen(size_t who, Mpc__Session__V1__Setup *setup)
{
    keepers_open(k, who, setup);
    keepers_open(k, who, setup);
}

/* Play |job| up to its n-th letter, kill seat 0, start it again and invite it as before. False: the
 * session was over earlier. */
static bool interrupt(struct job *job, size_t n)
{
    Mpc__Session__V1__Setup *setup = keepers_setup(k, job);

    k->told_n = 0;
    count_from_here(job);
    stop_at = n;
    for (size_t i = 0; i < job->members_n; i++)
        keepers_open(k, job->members[i], setup);
    keepers_relay(k, is_time, job);
    keepers_kill(k, 0);
    keepers_watch(k, NULL, NULL);
    assert_true(keepers_start(k, 0));
    reopen(0, setup);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
    keepers_relay(k, seat_0_told, job);
    return traffic.letters >= n;
}

static void expect_same_keys(const struct job *job, uint8_t key_id[32], uint8_t pk[33])
{
    keepers_make_key(k, job, key_id, pk);
}

static void expect_signatures(const struct job *keygen, const uint8_t key_id[32],
                              const uint8_t pk[33])
{
    static const size_t quorums[2][2] = {{0, 1}, {1, 2}};

    for (size_t i = 0; i < 2; i++) {
        struct job job = keepers_sign(keygen, key_id, quorums[i], 2);

        keepers_open_all(k, &job);
        keepers_play(k, &job);
        for (size_t j = 0; j < 2; j++) {
            const struct told *told = keepers_told(k, quorums[i][j], job.session_id, 0);

            if (!keepers_is_signed(told, &job, pk))
                fail_msg("keeper %zu: %s: %s", j, told->code, told->text);
        }
    }
}

/* How many letters a party gets before it has a share to store. */
static size_t letters_of_a_share(void)
{
    struct job job = keepers_keygen(k, 3, 2);
    uint8_t key_id[32], pk[33];

    count_from_here(&job);
    keepers_make_key(k, &job, key_id, pk);
    keepers_watch(k, NULL, NULL);
    assert_true(traffic.confirmed);
    return traffic.given;
}

/* Whether the interrupted attempt is taken up again: if its share was stored, which is so before
 * it is confirmed and never before all of it has come. */
static bool is_resumed(const struct job *job, size_t letters_needed)
{
    const struct told *told = keepers_told(k, 0, job->session_id, 0);
    bool resumed = told->kind == MPC__KEEPER__V1__OUTCOME__OUTCOME_KEY;

    if (traffic.confirmed)
        assert_true(resumed);
    if (traffic.given < letters_needed)
        assert_false(resumed);
    if (!resumed) {
        assert_string_equal(told->code, "RESTARTED");
        assert_true(told->retry);
    }
    return resumed;
}

static void test_a_key_generation_survives_a_kill_after_every_message(void **state)
{
    size_t resumed = 0, again = 0, letters_needed = letters_of_a_share();
    bool goes_on = true;

    (void)state;
    for (size_t n = 0; goes_on; n++) {
        struct job job = keepers_keygen(k, 3, 2);
        uint8_t key_id[32], pk[33];

        goes_on = interrupt(&job, n);
        if (is_resumed(&job, letters_needed)) {
            resumed++;
        } else {
            job.attempt = 1;
            again++;
        }
        /* For attempt 0 these opens are repeats. */
        expect_same_keys(&job, key_id, pk);
        expect_signatures(&job, key_id, pk);
    }
    assert_true(again > 0);
    assert_true(resumed > 0);
}

/* Confirmations from and to seat 0 are lost with its first life. */
static size_t lost;

static bool lose_confirmations(struct keepers *keepers, const struct letter *letter, void *arg)
{
    (void)keepers;
    (void)arg;
    if (letter->len != QRT_CONFIRMATION_BYTES || (letter->from != 0 && letter->to != 0))
        return true;
    lost++;
    return false;
}

static bool all_are_lost(struct keepers *keepers, void *arg)
{
    (void)keepers;
    (void)arg;
    return lost == 4;
}

static void test_confirmations_that_were_lost_are_asked_for(void **state)
{
    struct job job = keepers_keygen(k, 3, 2);
    Mpc__Session__V1__Setup *setup = keepers_setup(k, &job);
    uint8_t key_id[32], pk[33];

    (void)state;
    k->told_n = 0;
    lost = 0;
    keepers_watch(k, &job, lose_confirmations);
    for (size_t i = 0; i < 3; i++)
        keepers_open(k, i, setup);
    keepers_relay(k, all_are_lost, NULL);
    keepers_kill(k, 0);
    keepers_watch(k, NULL, NULL);
    assert_true(keepers_start(k, 0));
    keepers_open(k, 0, setup);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
    expect_same_keys(&job, key_id, pk);
    expect_signatures(&job, key_id, pk);
}

static bool spoke;

static bool hear_seat_0(struct keepers *keepers, const struct letter *letter, void *arg)
{
    (void)keepers;
    (void)arg;
    spoke = spoke || letter->from == 0;
    return true;
}

static bool has_spoken(struct keepers *keepers, void *arg)
{
    (void)keepers;
    (void)arg;
    return spoke;
}

/* No confirmation of the watched session comes to seat 2. */
static bool not_to_seat_2(struct keepers *keepers, const struct letter *letter, void *arg)
{
    return hear_seat_0(keepers, letter, arg) &&
           (letter->to != 2 || letter->len != QRT_CONFIRMATION_BYTES);
}

static bool two_are_told(struct keepers *keepers, void *arg)
{
    const struct job *job = arg;

    return keepers_told(keepers, 0, job->session_id, 0) &&
           keepers_told(keepers, 1, job->session_id, 0);
}

/* Parties that are done and hear each other's copies do not use up the answers for one that is
 * not. */
static void test_the_last_to_come_back_is_answered(void **state)
{
    struct job job = keepers_keygen(k, 3, 2);
    Mpc__Session__V1__Setup *setup = keepers_setup(k, &job);
    uint8_t key_id[32], pk[33];

    (void)state;
    k->told_n = 0;
    keepers_watch(k, &job, not_to_seat_2);
    for (size_t i = 0; i < 3; i++)
        keepers_open(k, i, setup);
    keepers_relay(k, two_are_told, &job);
    keepers_kill(k, 2);
    keepers_kill(k, 0);
    assert_true(keepers_start(k, 0));
    spoke = false;
    keepers_open(k, 0, setup);
    keepers_relay(k, has_spoken, NULL);
    /* They say all that they ever say to each other. */
    for (size_t i = 0; i < 100; i++)
        keepers_sync(k, i % 2);
    keepers_watch(k, NULL, NULL);
    assert_true(keepers_start(k, 2));
    keepers_open(k, 2, setup);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
    expect_same_keys(&job, key_id, pk);
    expect_signatures(&job, key_id, pk);
}

/* After a restart somebody else's intent takes nothing over. */
static void test_a_key_generation_is_resumed_by_its_own_intent_only(void **state)
{
    struct job job = keepers_keygen(k, 3, 2), other;
    Mpc__Session__V1__Setup *setup = keepers_setup(k, &job);
    uint8_t key_id[32], pk[33];

    (void)state;
    k->told_n = 0;
    lost = 0;
    keepers_watch(k, &job, lose_confirmations);
    for (size_t i = 0; i < 3; i++)
        keepers_open(k, i, setup);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
    keepers_relay(k, all_are_lost, NULL);
    keepers_kill(k, 0);
    keepers_watch(k, NULL, NULL);
    assert_true(keepers_start(k, 0));
    other = job;
    other.intent.deadline--;
    setup = keepers_setup(k, &other);
    keepers_open(k, 0, setup);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
    keepers_relay(k, seat_0_told, &job);
    assert_string_equal(keepers_told(k, 0, job.session_id, 0)->code, "INTENT_FIELD");
    keepers_kill(k, 0);
    assert_true(keepers_start(k, 0));
    k->told_n = 0;
    expect_same_keys(&job, key_id, pk);
}

/* As somebody does who can write the database of seat 0 and has no master key. */
static void forge_intent(const struct job *job, const uint8_t hash[32])
{
    char sql[256], hex[65];

    hex_encode(hex, hash, 32);
    snprintf(sql, sizeof sql, "UPDATE shares SET intent_hash = X'%s' WHERE session_id = '%s'", hex,
             job->session_id);
    assert_int_equal(party_db_run(&k->seats[0].db, sql), 1);
}

static void hash_of(uint8_t out[32], const Mpc__Session__V1__Setup *setup)
{
    crypto_hash_sha256(out, setup->intent.data, setup->intent.len);
}

/* The row of a pending share says that another intent made it. */
static void test_attack_a_pending_share_gets_another_origin(void **state)
{
    struct job job = keepers_keygen(k, 3, 2), other = job;
    Mpc__Session__V1__Setup *setup = keepers_setup(k, &job), *forged;
    uint8_t key_id[32], pk[33], hash[32], other_hash[32];

    (void)state;
    other.intent.deadline--;
    k->told_n = 0;
    lost = 0;
    keepers_watch(k, &job, lose_confirmations);
    for (size_t i = 0; i < 3; i++)
        keepers_open(k, i, setup);
    keepers_relay(k, all_are_lost, NULL);
    keepers_kill(k, 0);
    keepers_watch(k, NULL, NULL);
    forged = keepers_setup(k, &other);
    hash_of(hash, setup);
    hash_of(other_hash, forged);
    forge_intent(&job, other_hash);
    assert_true(keepers_start(k, 0));
    keepers_open(k, 0, forged);
    keepers_relay(k, seat_0_told, &job);
    assert_string_equal(keepers_told(k, 0, job.session_id, 0)->code, "STORAGE");
    keepers_kill(k, 0);
    forge_intent(&job, hash);
    assert_true(keepers_start(k, 0));
    k->told_n = 0;
    expect_same_keys(&job, key_id, pk);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
    mpc__session__v1__setup__free_unpacked(forged, NULL);
}

static void test_a_signature_survives_a_kill_after_every_message(void **state)
{
    static const size_t quorum[] = {0, 1}, other[] = {1, 2};
    struct job keygen = keepers_keygen(k, 3, 2);
    uint8_t key_id[32], pk[33];
    bool goes_on = true;

    (void)state;
    keepers_make_key(k, &keygen, key_id, pk);
    for (size_t n = 0; goes_on; n++) {
        struct job job = keepers_sign(&keygen, key_id, quorum, 2);
        const struct told *told;

        goes_on = interrupt(&job, n);
        told = keepers_told(k, 0, job.session_id, 0);
        if (!keepers_is_signed(told, &job, pk))
            assert_string_equal(told->code, "RESTARTED");
        /* The same request, by others. */
        job.attempt = 1;
        job.members[0] = other[0];
        job.members[1] = other[1];
        keepers_open_all(k, &job);
        keepers_play(k, &job);
        assert_true(keepers_is_signed(keepers_told(k, 1, job.session_id, 1), &job, pk));
        assert_true(keepers_is_signed(keepers_told(k, 2, job.session_id, 1), &job, pk));
    }
    expect_signatures(&keygen, key_id, pk);
}

/* The header of the first message that seat 0 sent. */
static struct qrt_header first_sent;
static bool has_sent;

static void see_first(struct keepers *keepers, size_t from, Mpc__Keeper__V1__Send *send, void *arg)
{
    (void)keepers;
    (void)arg;
    if (from == 0 && send->n_messages > 0 && !has_sent)
        has_sent = qrt_header_decode(&first_sent, send->messages[0]->payload.data,
                                     send->messages[0]->payload.len) == QRT_OK;
}

static bool seat_0_sent(struct keepers *keepers, void *arg)
{
    (void)keepers;
    (void)arg;
    return has_sent;
}

/* A signer that says nothing in the first round and sends a private message of the second, which
 * cannot be judged yet, as often as it can. */
static void flood(const Mpc__Session__V1__Setup *setup, size_t *len, size_t n)
{
    struct qrt_header h = first_sent;
    uint8_t *b;
    struct letter letter = {1, 0, setup->session_id, 0, NULL, 0};

    h.round = 2;
    h.kind = QRT_KIND_PRIVATE;
    h.receiver = first_sent.sender;
    h.sender = (uint16_t)setup->members[1]->index;
    h.payload_len = (uint32_t)qrt_payload_size(QRT_SIGN, 2, QRT_KIND_PRIVATE, 2);
    *len = letter.len = qrt_wire_size(QRT_SIGN, 2, QRT_KIND_PRIVATE, 2, 2);
    letter.b = b = calloc(1, letter.len);
    qrt_header_encode(b, &h);
    for (size_t i = 0; i < n; i++) {
        keepers_deliver(k, &letter);
        /* Its worker has the time to take them: what it took counts as well. */
        if (i % 20 == 0)
            keepers_sync(k, 0);
    }
    keepers_sync(k, 0);
    free(b);
}

static void test_what_a_run_holds_is_bounded(void **state)
{
    enum { SENT = 1000, BOUND = 16 << 20 };
    static const size_t quorum[] = {0, 1};
    struct job keygen = keepers_keygen(k, 3, 2), job;
    uint8_t key_id[32], pk[33];
    Mpc__Session__V1__Setup *setup;
    uint64_t dropped;
    size_t len;

    (void)state;
    keepers_make_key(k, &keygen, key_id, pk);
    keepers_sync(k, 0);
    dropped = k->last_stats->stats->dropped;
    job = keepers_sign(&keygen, key_id, quorum, 2);
    setup = keepers_setup(k, &job);
    keepers_watch(k, &job, NULL);
    k->send = see_first;
    keepers_open(k, 0, setup);
    keepers_relay(k, seat_0_sent, NULL);
    k->send = NULL;
    keepers_watch(k, NULL, NULL);
    flood(setup, &len, SENT);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
    dropped = k->last_stats->stats->dropped - dropped;
    assert_true(dropped >= SENT - BOUND / len);
    assert_true(dropped < SENT - BOUND / len + 20);
    keepers_close(k, 0, job.session_id);
    expect_signatures(&keygen, key_id, pk);
}

/* At seat 0: runs end after what they told of. */
static void until_nothing_runs(void)
{
    do {
        keepers_sync(k, 0);
    } while (k->last_stats->stats->running > 0);
}

/* Runs that nobody answers: as many as there is room for, and no more. */
static void test_runs_of_a_party_are_bounded(void **state)
{
    enum { ROOM = 4 };
    static const size_t quorum[] = {0, 1};
    struct job keygen = keepers_keygen(k, 3, 2), jobs[ROOM + 1];
    uint8_t key_id[32], pk[33];

    (void)state;
    keepers_make_key(k, &keygen, key_id, pk);
    until_nothing_runs();
    keepers_watch(k, NULL, NULL);
    for (size_t i = 0; i <= ROOM; i++) {
        Mpc__Session__V1__Setup *setup;

        jobs[i] = keepers_sign(&keygen, key_id, quorum, 2);
        setup = keepers_setup(k, &jobs[i]);
        keepers_open(k, 0, setup);
        mpc__session__v1__setup__free_unpacked(setup, NULL);
    }
    keepers_relay(k, seat_0_told, &jobs[ROOM]);
    assert_string_equal(keepers_told(k, 0, jobs[ROOM].session_id, 0)->code, "OVERLOADED");
    assert_true(keepers_told(k, 0, jobs[ROOM].session_id, 0)->retry);
    for (size_t i = 0; i < ROOM; i++) {
        assert_null(keepers_told(k, 0, jobs[i].session_id, 0));
        keepers_close(k, 0, jobs[i].session_id);
    }
    until_nothing_runs();
    expect_signatures(&keygen, key_id, pk);
}

/* Who carries invitations knows the new boot id and may send an old one again with it. To begin
 * again would be a second first message, for which anybody could prove a cheat. */
static void test_an_attempt_begins_once_in_all_lives(void **state)
{
    static const size_t quorum[] = {0, 1};
    struct job keygen = keepers_keygen(k, 3, 2), job;
    uint8_t key_id[32], pk[33];
    Mpc__Session__V1__Setup *setup;

    (void)state;
    keepers_make_key(k, &keygen, key_id, pk);
    job = keepers_sign(&keygen, key_id, quorum, 2);
    setup = keepers_setup(k, &job);
    spoke = false;
    keepers_watch(k, &job, hear_seat_0);
    keepers_open(k, 0, setup);
    keepers_relay(k, has_spoken, NULL);
    keepers_watch(k, NULL, NULL);
    keepers_kill(k, 0);
    assert_true(keepers_start(k, 0));
    mpc__session__v1__setup__free_unpacked(setup, NULL);
    setup = keepers_setup(k, &job);
    keepers_open(k, 0, setup);
    keepers_open(k, 1, setup);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
    keepers_relay(k, seat_0_told, &job);
    assert_string_equal(keepers_told(k, 0, job.session_id, 0)->code, "RESTARTED");
    assert_true(keepers_told(k, 0, job.session_id, 0)->retry);
    job.attempt = 1;
    keepers_open_all(k, &job);
    keepers_play(k, &job);
    assert_true(keepers_is_signed(keepers_told(k, 0, job.session_id, 1), &job, pk));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_generation_survives_a_kill_after_every_message),
        cmocka_unit_test(test_confirmations_that_were_lost_are_asked_for),
        cmocka_unit_test(test_the_last_to_come_back_is_answered),
        cmocka_unit_test(test_a_key_generation_is_resumed_by_its_own_intent_only),
        cmocka_unit_test(test_attack_a_pending_share_gets_another_origin),
        cmocka_unit_test(test_a_signature_survives_a_kill_after_every_message),
        cmocka_unit_test(test_what_a_run_holds_is_bounded),
        cmocka_unit_test(test_runs_of_a_party_are_bounded),
        cmocka_unit_test(test_an_attempt_begins_once_in_all_lives),
    };
    const struct keepers_options options = {.settings = "PARTY_CAPACITY=2\n"};
    int result;

    if (keepers_main(argc, argv, &result))
        return result;
    k = keepers_new(3, &options);
    result = cmocka_run_group_tests(tests, NULL, NULL);
    keepers_free(k);
    return result;
}
