/* SPDX-License-Identifier: Apache-2.0 */
/* Keepers as processes: what comes early, late, twice, from strangers, or not at all; and starts
 * that must fail with one clear line. */
#include "keepers.h"

#include "system/access/identity.h"
#include "system/core/buffer.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct keepers *k;
static struct job keygen;
static uint8_t key_id[32], pk[33];
static const size_t first_two[] = {0, 1};

static void expect_signed(const struct job *job)
{
    keepers_play(k, job);
    for (size_t i = 0; i < job->members_n; i++) {
        const struct told *told = keepers_told(k, job->members[i], job->session_id, job->attempt);

        if (!keepers_is_signed(told, job, pk))
            fail_msg("keeper %zu: %s: %s", job->members[i], told->code, told->text);
    }
}

static size_t count_told(size_t who, const char *session_id)
{
    size_t n = 0;

    for (size_t i = 0; i < k->told_n; i++)
        n += k->told[i].who == who && strcmp(k->told[i].session_id, session_id) == 0;
    return n;
}

static void open_one(size_t who, const struct job *job)
{
    Mpc__Session__V1__Setup *setup = keepers_setup(k, job);

    keepers_open(k, who, setup);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
}

static void sync_all(void)
{
    for (size_t i = 0; i < k->n; i++)
        keepers_sync(k, i);
}

/* A run tells its outcome first and leaves the table after that. */
static void expect_idle(size_t who)
{
    const int64_t hung = keepers_now() + 60000;

    do {
        if (keepers_now() > hung)
            fail_msg("keeper %zu still has a run", who);
        keepers_sync(k, who);
    } while (k->last_stats->stats->running > 0);
}

static void test_every_quorum_signs(void **state)
{
    static const size_t quorums[3][2] = {{0, 1}, {0, 2}, {1, 2}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct job job = keepers_sign(&keygen, key_id, quorums[i], 2);

        keepers_open_all(k, &job);
        expect_signed(&job);
    }
}

static void test_a_derived_key_and_a_digest_sign(void **state)
{
    struct job job = keepers_sign(&keygen, key_id, first_two, 2);
    static const uint8_t digest[32] = {9};

    (void)state;
    job.intent.digest = QRT_DIGEST_LOCAL;
    job.intent.message = digest;
    job.intent.message_len = 32;
    keepers_open_all(k, &job);
    expect_signed(&job);
    job = keepers_sign(&keygen, key_id, first_two, 2);
    job.intent.path_n = 2;
    job.intent.path[0] = 44;
    keepers_open_all(k, &job);
    keepers_play(k, &job);
    assert_int_equal(keepers_told(k, 0, job.session_id, 0)->kind,
                     MPC__KEEPER__V1__OUTCOME__OUTCOME_SIGNATURE);
    assert_false(keepers_is_signed(keepers_told(k, 0, job.session_id, 0), &job, pk));
}

/* Every letter twice, and something that no party said. */
static bool twice(struct keepers *keepers, const struct letter *letter, void *arg)
{
    uint8_t noise[200] = "DKC1";
    struct letter stranger = *letter;

    (void)arg;
    memcpy(noise + 4, letter->b + 4, 76);
    stranger.b = noise;
    stranger.len = sizeof noise;
    keepers_deliver(keepers, &stranger);
    stranger.len = 3;
    keepers_deliver(keepers, &stranger);
    keepers_deliver(keepers, letter);
    return true;
}

static void test_repeats_and_strangers_change_nothing(void **state)
{
    struct job job = keepers_sign(&keygen, key_id, first_two, 2);

    (void)state;
    keepers_watch(k, &job, twice);
    for (size_t i = 0; i < 3; i++)
        keepers_open_all(k, &job);
    expect_signed(&job);
    keepers_watch(k, NULL, NULL);
    keepers_open_all(k, &job);
    sync_all();
    assert_int_equal(count_told(0, job.session_id), 1);
    assert_int_equal(count_told(1, job.session_id), 1);
    keepers_sync(k, 0);
    assert_true(k->last_stats->stats->dropped >= 6);
    job = keepers_keygen(k, 3, 2);
    keepers_watch(k, &job, twice);
    keepers_open_all(k, &job);
    keepers_play(k, &job);
    keepers_watch(k, NULL, NULL);
    assert_int_equal(keepers_told(k, 2, job.session_id, 0)->kind,
                     MPC__KEEPER__V1__OUTCOME__OUTCOME_KEY);
}

/* Letters to seat 1 before it knows of the session. */
static size_t early;

static bool count_early(struct keepers *keepers, const struct letter *letter, void *arg)
{
    (void)keepers;
    (void)arg;
    early += letter->to == 1;
    return true;
}

static bool two_early(struct keepers *keepers, void *arg)
{
    (void)keepers;
    (void)arg;
    return early >= 2;
}

static void test_messages_before_the_invitation_are_kept(void **state)
{
    struct job job = keepers_sign(&keygen, key_id, first_two, 2);

    (void)state;
    early = 0;
    keepers_watch(k, &job, count_early);
    open_one(0, &job);
    keepers_relay(k, two_early, NULL);
    keepers_watch(k, NULL, NULL);
    keepers_sync(k, 1);
    open_one(1, &job);
    expect_signed(&job);
}

static void test_a_higher_attempt_ends_the_lower_without_a_word(void **state)
{
    struct job job = keepers_sign(&keygen, key_id, first_two, 2), old = job;

    (void)state;
    open_one(0, &job);
    keepers_sync(k, 0);
    job.attempt = 1;
    keepers_open_all(k, &job);
    expect_signed(&job);
    open_one(1, &old);
    sync_all();
    assert_int_equal(count_told(0, job.session_id), 1);
    assert_int_equal(count_told(1, job.session_id), 1);
    expect_idle(0);
    expect_idle(1);
}

static void test_a_closed_session_neither_starts_nor_speaks(void **state)
{
    struct job job = keepers_sign(&keygen, key_id, first_two, 2);

    (void)state;
    keepers_close(k, 0, job.session_id);
    open_one(0, &job);
    open_one(1, &job);
    keepers_close(k, 1, job.session_id);
    sync_all();
    assert_int_equal(count_told(0, job.session_id), 0);
    assert_int_equal(count_told(1, job.session_id), 0);
}

/* What |who| tells of a session that nobody else is invited to. */
static const struct told *told_alone(size_t who, const struct job *job)
{
    struct job alone = *job;

    open_one(who, job);
    alone.members_n = 1;
    alone.members[0] = who;
    keepers_play(k, &alone);
    return keepers_told(k, who, job->session_id, job->attempt);
}

static void expect_code(size_t who, const struct job *job, const char *code)
{
    const struct told *told = told_alone(who, job);

    assert_string_equal(told->code, code);
    assert_true(told->text[0] != '\0');
}

static void test_an_intent_serves_one_session_per_attempt(void **state)
{
    struct job job = keepers_sign(&keygen, key_id, first_two, 2), other = job;

    (void)state;
    keepers_open_all(k, &job);
    expect_signed(&job);
    memcpy(other.session_id, keygen.session_id, 37);
    other.session_id[0] = other.session_id[0] == '0' ? '1' : '0';
    expect_code(0, &other, "INTENT_ATTEMPT");
}

/* A party that had no time to begin before the end says so, and is given more. */
static void test_silence_is_told_with_who_was_silent(void **state)
{
    const struct told *told;
    struct job job;
    int64_t ms = 200;

    (void)state;
    do {
        job = keepers_sign(&keygen, key_id, first_two, 2);
        job.attempt_deadline_ms = keepers_now() + ms;
        told = told_alone(0, &job);
        ms *= 2;
    } while (strcmp(told->code, "OVERLOADED") == 0 && ms < 100000);
    assert_string_equal(told->code, "SILENT");
    assert_non_null(strstr(told->text, "party-2"));
    expect_idle(0);
}

static void test_unknown_keys_and_second_keys_are_refused(void **state)
{
    struct job job = keepers_sign(&keygen, key_id, first_two, 2);

    (void)state;
    job.intent.keyid[0] ^= 1;
    expect_code(0, &job, "NO_SHARE");
    job = keepers_keygen(k, 3, 2);
    memcpy(job.intent.account, keygen.intent.account, 16);
    expect_code(0, &job, "ACCOUNT_EXISTS");
}

static void test_an_account_of_a_caller_obeys_him_alone(void **state)
{
    struct job made = keepers_keygen(k, 3, 2), job;
    uint8_t id[32], key[33];

    (void)state;
    made.by_caller = true;
    keepers_make_key(k, &made, id, key);
    job = keepers_sign(&made, id, first_two, 2);
    expect_code(0, &job, "INITIATOR");
    job = keepers_sign(&made, id, first_two, 2);
    job.by_caller = true;
    keepers_open_all(k, &job);
    keepers_play(k, &job);
    assert_true(keepers_is_signed(keepers_told(k, 0, job.session_id, 0), &job, key));
}

static void test_registration_is_proved_with_the_identity_key(void **state)
{
    Mpc__Keeper__V1__ToKeeper frame = MPC__KEEPER__V1__TO_KEEPER__INIT;
    Mpc__Keeper__V1__ProveRegistration prove = MPC__KEEPER__V1__PROVE_REGISTRATION__INIT;
    uint8_t nonce[16] = {4};
    struct registration registration = {k->seats[0].party_id, "persistent", k->seats[0].boot_id,
                                        12345, nonce};

    (void)state;
    prove.time_ms = 12345;
    prove.nonce = (ProtobufCBinaryData){16, nonce};
    frame.request_case = MPC__KEEPER__V1__TO_KEEPER__REQUEST_PROVE;
    frame.prove = &prove;
    keepers_send(k, 0, &frame);
    keepers_sync(k, 0);
    assert_non_null(k->last_proof);
    assert_int_equal(k->last_proof->proof->proof.len, 64);
    assert_true(
        registration_verify(k->last_proof->proof->proof.data, &registration, k->seats[0].key));
}

/* Starts */

static void edit_settings(const char *directory, const char *from, const char *to)
{
    char command[512];

    snprintf(command, sizeof command, "sed -i 's|%s|%s|' '%s/env'", from, to, directory);
    assert_int_equal(system(command), 0);
}

static void expect_no_start(size_t who)
{
    int status = keepers_refuse_to_start(k, who);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

static void test_a_wrong_start_is_refused_and_damages_nothing(void **state)
{
    const struct keeper_seat *seat = &k->seats[2];
    struct job job = keepers_sign(&keygen, key_id, (const size_t[]){1, 2}, 2);
    char path[256];

    (void)state;
    assert_int_equal(keepers_stop(k, 2), 0);
    edit_settings(seat->directory, "CRYPTO_MASTER_KEY=07", "CRYPTO_MASTER_KEY=08");
    expect_no_start(2);
    edit_settings(seat->directory, "CRYPTO_MASTER_KEY=08", "CRYPTO_MASTER_KEY=07");
    snprintf(path, sizeof path, "%s/identity.key", seat->directory);
    assert_int_equal(chmod(path, 0640), 0);
    expect_no_start(2);
    assert_int_equal(chmod(path, 0600), 0);
    edit_settings(seat->directory, "/3/party.cert", "/1/party.cert");
    expect_no_start(2);
    edit_settings(seat->directory, "/1/party.cert", "/3/party.cert");
    edit_settings(seat->directory, "INITIATOR_KEYS=", "INITIATOR_KEYS=zz,");
    expect_no_start(2);
    edit_settings(seat->directory, "INITIATOR_KEYS=zz,", "INITIATOR_KEYS=");
    assert_true(keepers_start(k, 2));
    keepers_open_all(k, &job);
    expect_signed(&job);
}

static void test_nonsense_from_the_front_ends_the_keeper(void **state)
{
    static const uint8_t nonsense[][8] = {{0xff, 0xff, 0xff, 0xff}, {0, 0, 0, 2, 0xff, 0xff}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(write(k->seats[2].fd, nonsense[i], 8), 8);
        assert_int_equal(WEXITSTATUS(keepers_stop(k, 2)), 1);
        assert_true(keepers_start(k, 2));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_quorum_signs),
        cmocka_unit_test(test_a_derived_key_and_a_digest_sign),
        cmocka_unit_test(test_repeats_and_strangers_change_nothing),
        cmocka_unit_test(test_messages_before_the_invitation_are_kept),
        cmocka_unit_test(test_a_higher_attempt_ends_the_lower_without_a_word),
        cmocka_unit_test(test_a_closed_session_neither_starts_nor_speaks),
        cmocka_unit_test(test_an_intent_serves_one_session_per_attempt),
        cmocka_unit_test(test_silence_is_told_with_who_was_silent),
        cmocka_unit_test(test_unknown_keys_and_second_keys_are_refused),
        cmocka_unit_test(test_an_account_of_a_caller_obeys_him_alone),
        cmocka_unit_test(test_registration_is_proved_with_the_identity_key),
        cmocka_unit_test(test_a_wrong_start_is_refused_and_damages_nothing),
        cmocka_unit_test(test_nonsense_from_the_front_ends_the_keeper),
    };
    int result;

    if (keepers_main(argc, argv, &result))
        return result;
    k = keepers_new(3, NULL);
    keygen = keepers_keygen(k, 3, 2);
    keepers_make_key(k, &keygen, key_id, pk);
    result = cmocka_run_group_tests(tests, NULL, NULL);
    keepers_free(k);
    return result;
}
