/* SPDX-License-Identifier: Apache-2.0 */
/* A user's share: made by a delegate, sealed to its owner and to nobody else, forgotten. Lending it
 * is in test_lend.c. */
#include "owner.h"

#include "party_api.pb-c.h"
#include "system/access/user_key.h"
#include "system/core/ids.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct keepers *k;
static struct owner_share made;

static void test_the_share_is_sealed_to_its_owner_and_forgotten_when_confirmed(void **state)
{
    Mpc__PartyApi__V1__UserShare *message;

    (void)state;
    owner_make(k, &made);
    message = mpc__party_api__v1__user_share__unpack(NULL, made.share_len, made.share);
    assert_non_null(message);
    assert_int_equal(message->version, 1);
    assert_int_equal(message->purpose, QRT_PURPOSE_TRANSACTION);
    assert_string_equal(message->party_id, "party-3");
    assert_int_equal(message->n_roster, 3);
    mpc__party_api__v1__user_share__free_unpacked(message, NULL);
    assert_int_equal(owner_shares(k), 1);
    assert_string_equal(owner_confirm(k, made.keygen.session_id), "");
    assert_int_equal(owner_shares(k), 0);
    assert_string_equal(owner_confirm(k, made.keygen.session_id), "NO_SHARE");
}

static void test_an_unconfirmed_share_is_given_again_after_a_kill(void **state)
{
    struct owner_share again = {0};
    Mpc__Session__V1__Setup *setup;
    struct job alone;

    (void)state;
    owner_make(k, &again);
    setup = keepers_setup(k, &again.keygen);
    keepers_kill(k, DELEGATE);
    assert_true(keepers_start(k, DELEGATE));
    mpc__keeper__v1__from_keeper__free_unpacked(k->last_sealed, NULL);
    k->last_sealed = NULL;
    k->told_n = 0;
    keepers_open(k, DELEGATE, setup);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
    alone = again.keygen;
    alone.members_n = 1;
    alone.members[0] = DELEGATE;
    keepers_play(k, &alone);
    assert_non_null(k->last_sealed);
    assert_string_equal(owner_confirm(k, again.keygen.session_id), "");
}

static size_t letters;

static bool count(struct keepers *keepers, const struct letter *letter, void *arg)
{
    (void)keepers;
    (void)arg;
    letters += letter->from == DELEGATE;
    return true;
}

static void test_without_a_key_nothing_begins(void **state)
{
    struct job job = keepers_keygen(k, 3, 2);

    (void)state;
    keepers_watch(k, &job, count);
    letters = 0;
    keepers_open_all(k, &job);
    job.members_n = 1;
    job.members[0] = DELEGATE;
    keepers_play(k, &job);
    assert_string_equal(keepers_told(k, DELEGATE, job.session_id, 0)->code, "NO_USER_KEY");
    job = keepers_keygen(k, 3, 2);
    keepers_watch(k, &job, count);
    job.has_user_key = true; /* all zero: of small order */
    keepers_open_all(k, &job);
    job.members_n = 1;
    job.members[0] = DELEGATE;
    keepers_play(k, &job);
    assert_string_equal(keepers_told(k, DELEGATE, job.session_id, 0)->code, "USER_KEY");
    assert_int_equal(letters, 0);
    keepers_watch(k, NULL, NULL);
}

/* What the network may do to a signed key: |change| the setup of a keygen. */
static void expect_refused_key(void (*change)(Mpc__Session__V1__Setup *setup))
{
    struct job job = keepers_keygen(k, 3, 2);
    Mpc__Session__V1__Setup *setup;

    job.has_user_key = true;
    memcpy(job.user_key, owner_key, 32);
    setup = keepers_setup(k, &job);
    change(setup);
    keepers_watch(k, &job, count);
    letters = 0;
    /* a key of the front's does not stand in for one that is refused */
    keepers_open_for(k, DELEGATE, setup, owner_key);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
    job.members_n = 1;
    job.members[0] = DELEGATE;
    keepers_play(k, &job);
    assert_string_equal(keepers_told(k, DELEGATE, job.session_id, 0)->code, "USER_KEY");
    assert_int_equal(letters, 0);
    keepers_watch(k, NULL, NULL);
}

static void put_foreign_key(Mpc__Session__V1__Setup *setup)
{
    uint8_t secret[32];

    crypto_box_keypair(setup->user_public_key.data, secret);
}

static void put_signed_by_another(Mpc__Session__V1__Setup *setup)
{
    put_foreign_key(setup);
    user_key_sign(setup->user_key_signature.data, setup->intent.data, setup->intent.len,
                  setup->user_public_key.data, k->caller_secret);
}

static void put_of_another_intent(Mpc__Session__V1__Setup *setup)
{
    user_key_sign(setup->user_key_signature.data, setup->intent.data, setup->intent.len - 1,
                  setup->user_public_key.data, k->initiator_secret);
}

static void change_signature(Mpc__Session__V1__Setup *setup)
{
    setup->user_key_signature.data[5] ^= 1;
}

static void drop_signature(Mpc__Session__V1__Setup *setup)
{
    setup->user_key_signature.len = 0;
}

static void drop_key(Mpc__Session__V1__Setup *setup)
{
    setup->user_public_key.len = 0;
}

static void shorten_key(Mpc__Session__V1__Setup *setup)
{
    setup->user_public_key.len = 31;
}

static void test_attack_a_key_that_the_initiator_did_not_sign(void **state)
{
    (void)state;
    expect_refused_key(put_foreign_key);
    expect_refused_key(put_signed_by_another);
    expect_refused_key(put_of_another_intent);
    expect_refused_key(change_signature);
    expect_refused_key(drop_signature);
    expect_refused_key(drop_key);
    expect_refused_key(shorten_key);
}

/* As if the request had named no key: then the front could name its own. */
static void test_attack_a_key_that_was_taken_out_of_the_setup(void **state)
{
    struct job job = keepers_keygen(k, 3, 2);
    uint8_t own[32], own_secret[32];
    const struct told *told;
    Mpc__Session__V1__Setup *setup;

    (void)state;
    crypto_box_keypair(own, own_secret);
    job.has_user_key = true;
    memcpy(job.user_key, owner_key, 32);
    setup = keepers_setup(k, &job);
    drop_key(setup);
    drop_signature(setup);
    keepers_watch(k, &job, count);
    letters = 0;
    keepers_open_for(k, DELEGATE, setup, own);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
    job.members_n = 1;
    job.members[0] = DELEGATE;
    keepers_play(k, &job);
    told = keepers_told(k, DELEGATE, job.session_id, 0);
    assert_string_equal(told->code, "NO_USER_KEY");
    assert_non_null(strstr(told->text, "32 zero bytes"));
    assert_int_equal(letters, 0);
    keepers_watch(k, NULL, NULL);
}

/* The share of a keygen with these keys is sealed to |secret|'s owner. */
static void expect_sealed_to(struct job *job, const uint8_t public[32], const uint8_t secret[32])
{
    static uint8_t plain[65536];
    const ProtobufCBinaryData *sealed;
    uint8_t key_id[32], pk[33];

    keepers_make_key(k, job, key_id, pk);
    assert_string_equal(k->last_sealed->sealed_share->session_id, job->session_id);
    sealed = &k->last_sealed->sealed_share->sealed;
    assert_int_equal(crypto_box_seal_open(plain, sealed->data, sealed->len, public, secret), 0);
    assert_string_equal(owner_confirm(k, job->session_id), "");
}

static void test_a_key_of_the_front_counts_when_the_initiator_names_none(void **state)
{
    struct job job = keepers_keygen(k, 3, 2);
    uint8_t other[32], other_secret[32];

    (void)state;
    crypto_box_keypair(other, other_secret);
    job.has_offered_key = true;
    memcpy(job.offered_key, other, 32);
    expect_sealed_to(&job, other, other_secret);
    job = keepers_keygen(k, 3, 2);
    job.has_offered_key = job.has_user_key = true;
    memcpy(job.offered_key, other, 32);
    memcpy(job.user_key, owner_key, 32);
    expect_sealed_to(&job, owner_key, owner_secret);
}

static void test_the_configured_key_goes_before_the_fronts_and_after_the_signed(void **state)
{
    uint8_t configured[32], configured_secret[32], other[32], other_secret[32];
    char hex[65], settings[200];
    struct keepers_options options = {.with_delegate = true, .settings = settings};
    struct keepers *without = k;
    struct job job;

    (void)state;
    crypto_box_keypair(configured, configured_secret);
    crypto_box_keypair(other, other_secret);
    hex_encode(hex, configured, 32);
    snprintf(settings, sizeof settings, "USER_SHARE_PUBLIC_KEY=%s\n", hex);
    k = keepers_new(3, &options);
    job = keepers_keygen(k, 3, 2);
    job.has_offered_key = true;
    memcpy(job.offered_key, other, 32);
    expect_sealed_to(&job, configured, configured_secret);
    job = keepers_keygen(k, 3, 2);
    job.has_user_key = true;
    memcpy(job.user_key, owner_key, 32);
    expect_sealed_to(&job, owner_key, owner_secret);
    expect_refused_key(put_foreign_key);
    keepers_free(k);
    k = without;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_share_is_sealed_to_its_owner_and_forgotten_when_confirmed),
        cmocka_unit_test(test_an_unconfirmed_share_is_given_again_after_a_kill),
        cmocka_unit_test(test_without_a_key_nothing_begins),
        cmocka_unit_test(test_attack_a_key_that_the_initiator_did_not_sign),
        cmocka_unit_test(test_attack_a_key_that_was_taken_out_of_the_setup),
        cmocka_unit_test(test_a_key_of_the_front_counts_when_the_initiator_names_none),
        cmocka_unit_test(test_the_configured_key_goes_before_the_fronts_and_after_the_signed),
    };
    const struct keepers_options options = {.with_delegate = true};
    int result;

    if (keepers_main(argc, argv, &result))
        return result;
    if (sodium_init() < 0)
        return 1;
    crypto_box_keypair(owner_key, owner_secret);
    k = keepers_new(3, &options);
    result = cmocka_run_group_tests(tests, NULL, NULL);
    keepers_free(k);
    return result;
}
