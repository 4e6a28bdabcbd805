/* SPDX-License-Identifier: Apache-2.0 */
/* A user's share: made by a delegate, sealed to its owner, forgotten; lent back, used for one
 * session, forgotten. The delegate is seat 2; the owner is this test. */
#include "keepers.h"

#include "participant/shares.h"
#include "participant/store.h"
#include "party_api.pb-c.h"
#include "quorate/share.h"
#include "system/access/user_key.h"
#include "system/core/buffer.h"
#include "system/core/ids.h"
#include "system/core/secret.h"
#include "system/service/library.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DELEGATE = 2 };

static struct keepers *k;
static uint8_t user_key[32], user_secret[32];
static const size_t with_user[] = {1, 2};

struct made {
    struct job keygen;
    uint8_t key_id[32], pk[33];
    /* the plain message */
    uint8_t share[65536];
    size_t share_len;
};
static struct made made;

static void make(struct made *m)
{
    const ProtobufCBinaryData *sealed;

    m->keygen = keepers_keygen(k, 3, 2);
    m->keygen.has_user_key = true;
    memcpy(m->keygen.user_key, user_key, 32);
    keepers_make_key(k, &m->keygen, m->key_id, m->pk);
    assert_non_null(k->last_sealed);
    assert_string_equal(k->last_sealed->sealed_share->session_id, m->keygen.session_id);
    assert_memory_equal(k->last_sealed->sealed_share->public_key.data, m->pk, 33);
    sealed = &k->last_sealed->sealed_share->sealed;
    m->share_len = sealed->len - crypto_box_SEALBYTES;
    assert_true(m->share_len <= sizeof m->share);
    assert_int_equal(
        crypto_box_seal_open(m->share, sealed->data, sealed->len, user_key, user_secret), 0);
}

static size_t shares_at_delegate(void)
{
    keepers_sync(k, DELEGATE);
    return k->last_stats->stats->shares;
}

/* The code of the answer. */
static const char *confirm(const char *session_id)
{
    Mpc__Keeper__V1__ToKeeper frame = MPC__KEEPER__V1__TO_KEEPER__INIT;
    Mpc__Keeper__V1__ConfirmShare request = MPC__KEEPER__V1__CONFIRM_SHARE__INIT;

    request.session_id = (char *)session_id;
    frame.request_case = MPC__KEEPER__V1__TO_KEEPER__REQUEST_CONFIRM_SHARE;
    frame.confirm_share = &request;
    keepers_send(k, DELEGATE, &frame);
    keepers_sync(k, DELEGATE);
    return k->last_answer->share_answer->code;
}

static void seal_to_keeper(size_t who, const uint8_t *plain, size_t len, uint8_t *out)
{
    Mpc__Keeper__V1__ToKeeper frame = MPC__KEEPER__V1__TO_KEEPER__INIT;
    Mpc__Keeper__V1__GetShareKey get = MPC__KEEPER__V1__GET_SHARE_KEY__INIT;

    frame.request_case = MPC__KEEPER__V1__TO_KEEPER__REQUEST_GET_SHARE_KEY;
    frame.get_share_key = &get;
    keepers_send(k, who, &frame);
    keepers_sync(k, who);
    assert_int_equal(
        crypto_box_seal(out, plain, len, k->last_share_key->share_key->public_key.data), 0);
}

static const char *lend_sealed(const char *session_id, uint8_t *sealed, size_t len)
{
    Mpc__Keeper__V1__ToKeeper frame = MPC__KEEPER__V1__TO_KEEPER__INIT;
    Mpc__Keeper__V1__LendShare lend = MPC__KEEPER__V1__LEND_SHARE__INIT;

    lend.session_id = (char *)session_id;
    lend.sealed = (ProtobufCBinaryData){len, sealed};
    frame.request_case = MPC__KEEPER__V1__TO_KEEPER__REQUEST_LEND_SHARE;
    frame.lend_share = &lend;
    keepers_send(k, DELEGATE, &frame);
    keepers_sync(k, DELEGATE);
    return k->last_answer->share_answer->code;
}

/* What the owner seals: |share| lent for |session_id|, and for |intent_hash| alone if there is
 * one. */
static size_t box_for(const char *session_id, const ProtobufCBinaryData *share,
                      const ProtobufCBinaryData *intent_hash, uint8_t *sealed)
{
    static uint8_t plain[70000];
    Mpc__PartyApi__V1__LentShare message = MPC__PARTY_API__V1__LENT_SHARE__INIT;
    size_t len;

    message.session_id = (char *)session_id;
    message.user_share = *share;
    if (intent_hash)
        message.intent_hash = *intent_hash;
    len = mpc__party_api__v1__lent_share__pack(&message, plain);
    seal_to_keeper(DELEGATE, plain, len, sealed);
    return len + crypto_box_SEALBYTES;
}

static const char *lend(const char *session_id, const uint8_t *plain, size_t len)
{
    static uint8_t sealed[70000];
    const ProtobufCBinaryData share = {len, (uint8_t *)plain};

    return lend_sealed(session_id, sealed, box_for(session_id, &share, NULL, sealed));
}

static void expect_signed(const struct job *job)
{
    keepers_play(k, job);
    for (size_t i = 0; i < job->members_n; i++) {
        const struct told *told = keepers_told(k, job->members[i], job->session_id, job->attempt);

        if (!keepers_is_signed(told, job, made.pk))
            fail_msg("keeper %zu: %s: %s", job->members[i], told->code, told->text);
    }
}

static void test_the_share_is_sealed_to_its_owner_and_forgotten_when_confirmed(void **state)
{
    Mpc__PartyApi__V1__UserShare *message;

    (void)state;
    make(&made);
    message = mpc__party_api__v1__user_share__unpack(NULL, made.share_len, made.share);
    assert_non_null(message);
    assert_int_equal(message->version, 1);
    assert_int_equal(message->purpose, QRT_PURPOSE_TRANSACTION);
    assert_string_equal(message->party_id, "party-3");
    assert_int_equal(message->n_roster, 3);
    mpc__party_api__v1__user_share__free_unpacked(message, NULL);
    assert_int_equal(shares_at_delegate(), 1);
    assert_string_equal(confirm(made.keygen.session_id), "");
    assert_int_equal(shares_at_delegate(), 0);
    assert_string_equal(confirm(made.keygen.session_id), "NO_SHARE");
}

static void test_an_unconfirmed_share_is_given_again_after_a_kill(void **state)
{
    struct made again = {0};
    Mpc__Session__V1__Setup *setup;
    struct job alone;

    (void)state;
    make(&again);
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
    assert_string_equal(confirm(again.keygen.session_id), "");
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
    memcpy(job.user_key, user_key, 32);
    setup = keepers_setup(k, &job);
    change(setup);
    keepers_watch(k, &job, count);
    letters = 0;
    /* a key of the front's does not stand in for one that is refused */
    keepers_open_for(k, DELEGATE, setup, user_key);
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
    assert_string_equal(confirm(job->session_id), "");
}

static void test_a_key_of_the_front_counts_when_nobody_else_names_one(void **state)
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
    memcpy(job.user_key, user_key, 32);
    expect_sealed_to(&job, user_key, user_secret);
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
    memcpy(job.user_key, user_key, 32);
    expect_sealed_to(&job, user_key, user_secret);
    expect_refused_key(put_foreign_key);
    keepers_free(k);
    k = without;
}

static void test_a_lent_share_signs_one_session_before_or_after_the_invitation(void **state)
{
    (void)state;
    for (int after = 0; after < 2; after++) {
        struct job job = keepers_sign(&made.keygen, made.key_id, with_user, 2);

        if (after)
            keepers_open_all(k, &job);
        assert_string_equal(lend(job.session_id, made.share, made.share_len), "");
        if (!after)
            keepers_open_all(k, &job);
        expect_signed(&job);
        keepers_close(k, DELEGATE, job.session_id);
    }
    assert_int_equal(shares_at_delegate(), 0);
}

static void test_a_share_is_lent_to_its_session_alone(void **state)
{
    struct job job = keepers_sign(&made.keygen, made.key_id, with_user, 2), other = job;

    (void)state;
    assert_string_equal(lend(other.session_id, made.share, made.share_len), "");
    keepers_close(k, DELEGATE, other.session_id);
    job = keepers_sign(&made.keygen, made.key_id, with_user, 2);
    job.attempt_deadline_ms = keepers_now() + 200;
    keepers_open_all(k, &job);
    job.members_n = 1;
    job.members[0] = DELEGATE;
    keepers_play(k, &job);
    assert_string_equal(keepers_told(k, DELEGATE, job.session_id, 0)->code, "NO_SHARE");
}

/* The only member's run: the code of its outcome. */
static const char *code_at_delegate(struct job *job)
{
    keepers_open_all(k, job);
    job->members_n = 1;
    job->members[0] = DELEGATE;
    keepers_play(k, job);
    return keepers_told(k, DELEGATE, job->session_id, job->attempt)->code;
}

/* Who saw the box has it, whole, and any session's name. */
static void test_attack_a_box_of_another_session(void **state)
{
    static uint8_t sealed[70000];
    const ProtobufCBinaryData share = {made.share_len, made.share};
    struct job job = keepers_sign(&made.keygen, made.key_id, with_user, 2), other;
    size_t len;

    (void)state;
    len = box_for(job.session_id, &share, NULL, sealed);
    other = keepers_sign(&made.keygen, made.key_id, with_user, 2);
    assert_string_equal(lend_sealed(other.session_id, sealed, len), "NO_SHARE");
    assert_string_equal(lend_sealed(job.session_id, sealed, len), "");
    keepers_open_all(k, &job);
    expect_signed(&job);
    keepers_close(k, DELEGATE, job.session_id);
}

/* A later attempt of the session with an intent that the owner never saw. */
static void test_attack_another_intent_in_the_session(void **state)
{
    static uint8_t sealed[70000];
    const ProtobufCBinaryData share = {made.share_len, made.share};
    struct job job = keepers_sign(&made.keygen, made.key_id, with_user, 2), other;
    size_t len = box_for(job.session_id, &share, NULL, sealed);

    (void)state;
    assert_string_equal(lend_sealed(job.session_id, sealed, len), "");
    keepers_open_all(k, &job);
    expect_signed(&job);
    other = keepers_sign(&made.keygen, made.key_id, with_user, 2);
    memcpy(other.session_id, job.session_id, sizeof other.session_id);
    other.attempt = 1;
    /* nor does the same box, lent once more, make room for it */
    assert_string_equal(lend_sealed(job.session_id, sealed, len), "");
    assert_string_equal(code_at_delegate(&other), "NO_SHARE");
    job.attempt = 2;
    keepers_open_all(k, &job);
    expect_signed(&job);
    keepers_close(k, DELEGATE, job.session_id);
}

static void test_the_owner_may_name_the_intent(void **state)
{
    static uint8_t sealed[70000];
    const ProtobufCBinaryData share = {made.share_len, made.share};
    struct job job = keepers_sign(&made.keygen, made.key_id, with_user, 2), other;
    Mpc__Session__V1__Setup *setup = keepers_setup(k, &job);
    uint8_t hash[32];
    ProtobufCBinaryData named = {32, hash};

    (void)state;
    crypto_hash_sha256(hash, setup->intent.data, setup->intent.len);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
    other = keepers_sign(&made.keygen, made.key_id, with_user, 2);
    assert_string_equal(
        lend_sealed(other.session_id, sealed, box_for(other.session_id, &share, &named, sealed)),
        "");
    assert_string_equal(code_at_delegate(&other), "NO_SHARE");
    keepers_close(k, DELEGATE, other.session_id);
    assert_string_equal(
        lend_sealed(job.session_id, sealed, box_for(job.session_id, &share, &named, sealed)), "");
    keepers_open_all(k, &job);
    expect_signed(&job);
    keepers_close(k, DELEGATE, job.session_id);
    named.len = 31;
    assert_string_equal(
        lend_sealed(job.session_id, sealed, box_for(job.session_id, &share, &named, sealed)),
        "NO_SHARE");
}

/* The box of a session that is over, or that the delegate forgot, and its session invited again. */
static void test_attack_an_old_box_is_lent_again(void **state)
{
    static uint8_t sealed[70000];
    const ProtobufCBinaryData share = {made.share_len, made.share};
    struct job job = keepers_sign(&made.keygen, made.key_id, with_user, 2), other;
    size_t len = box_for(job.session_id, &share, NULL, sealed);

    (void)state;
    assert_string_equal(lend_sealed(job.session_id, sealed, len), "");
    keepers_open_all(k, &job);
    expect_signed(&job);
    keepers_close(k, DELEGATE, job.session_id);
    assert_string_equal(lend_sealed(job.session_id, sealed, len), "NO_SHARE");
    keepers_kill(k, DELEGATE);
    assert_true(keepers_start(k, DELEGATE));
    assert_string_equal(lend_sealed(job.session_id, sealed, len), "NO_SHARE");
    other = keepers_sign(&made.keygen, made.key_id, with_user, 2);
    memcpy(other.session_id, job.session_id, sizeof other.session_id);
    other.attempt_deadline_ms = keepers_now() + 200;
    k->told_n = 0;
    assert_string_equal(code_at_delegate(&other), "NO_SHARE");
}

/* One that names its intent serves nothing else, and may come as often as it likes. */
static void test_a_box_that_names_its_intent_is_good_again(void **state)
{
    static uint8_t sealed[70000];
    const ProtobufCBinaryData share = {made.share_len, made.share};
    struct job job = keepers_sign(&made.keygen, made.key_id, with_user, 2);
    Mpc__Session__V1__Setup *setup = keepers_setup(k, &job);
    uint8_t hash[32];
    const ProtobufCBinaryData named = {32, hash};
    size_t len;

    (void)state;
    crypto_hash_sha256(hash, setup->intent.data, setup->intent.len);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
    len = box_for(job.session_id, &share, &named, sealed);
    assert_string_equal(lend_sealed(job.session_id, sealed, len), "");
    keepers_kill(k, DELEGATE);
    assert_true(keepers_start(k, DELEGATE));
    assert_string_equal(lend_sealed(job.session_id, sealed, len), "");
    keepers_open_all(k, &job);
    expect_signed(&job);
    keepers_close(k, DELEGATE, job.session_id);
}

/* Its own copy, not yet confirmed, is not the delegate's to use. */
static void test_attack_an_unlent_share_signs_nothing(void **state)
{
    struct made unconfirmed = {0};
    struct job job;

    (void)state;
    make(&unconfirmed);
    assert_int_equal(shares_at_delegate(), 1);
    job = keepers_sign(&unconfirmed.keygen, unconfirmed.key_id, with_user, 2);
    job.attempt_deadline_ms = keepers_now() + 200;
    assert_string_equal(code_at_delegate(&job), "NO_SHARE");
    assert_string_equal(confirm(unconfirmed.keygen.session_id), "");
}

/* More loans than are held at a time, if each is forgotten with its session. */
static void test_a_loan_ends_with_its_session(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        char id[37];

        id_new(id);
        assert_string_equal(lend(id, made.share, made.share_len), "");
        keepers_close(k, DELEGATE, id);
    }
}

/* What finds no room was not lent: it may come later. */
static void test_loans_are_bounded(void **state)
{
    enum { LOANS = 256 };
    static char ids[LOANS + 1][37];

    (void)state;
    for (size_t i = 0; i < LOANS; i++) {
        id_new(ids[i]);
        assert_string_equal(lend(ids[i], made.share, made.share_len), "");
    }
    id_new(ids[LOANS]);
    assert_string_equal(lend(ids[LOANS], made.share, made.share_len), "OVERLOADED");
    keepers_close(k, DELEGATE, ids[0]);
    assert_string_equal(lend(ids[LOANS], made.share, made.share_len), "");
    for (size_t i = 1; i <= LOANS; i++)
        keepers_close(k, DELEGATE, ids[i]);
}

static void test_what_is_not_that_share_is_refused(void **state)
{
    static uint8_t changed[65536], sealed[70000];
    Mpc__PartyApi__V1__UserShare *message;
    struct job job = keepers_sign(&made.keygen, made.key_id, with_user, 2);
    size_t len = made.share_len;

    (void)state;
    message = mpc__party_api__v1__user_share__unpack(NULL, len, made.share);
    message->record.data[180] ^= 1; /* in the share itself */
    mpc__party_api__v1__user_share__pack(message, changed);
    mpc__party_api__v1__user_share__free_unpacked(message, NULL);
    assert_string_equal(lend(job.session_id, changed, len), "NO_SHARE");
    assert_string_equal(lend(job.session_id, made.share, len - 1), "NO_SHARE");
    assert_string_equal(lend("no session", made.share, len), "INTENT_FIELD");
    /* the share alone, as it came; then sealed to another party */
    seal_to_keeper(DELEGATE, made.share, len, sealed);
    assert_string_equal(lend_sealed(job.session_id, sealed, len + crypto_box_SEALBYTES),
                        "NO_SHARE");
    seal_to_keeper(1, made.share, len, sealed);
    assert_string_equal(lend_sealed(job.session_id, sealed, len + crypto_box_SEALBYTES),
                        "NO_SHARE");
    assert_string_equal(lend_sealed(job.session_id, sealed, 3), "NO_SHARE");
}

/* The record of seat 0's share of the same key, as its keeper reads it. */
static uint8_t *record_of_seat_0(size_t *len)
{
    uint8_t *master = secret_new(32), *record;
    char error[STORE_ERROR_MAX], account[37];
    struct shares_params params = {library_ctx(), NULL, NULL, k->seats[0].party_id, 1};
    struct store_share row;
    struct vault *vault;
    struct shares *shares;

    master[0] = 7;
    params.vault = vault = vault_new(master);
    assert_int_equal(keepers_stop(k, 0), 0);
    params.store = store_open(k->seats[0].directory, error);
    assert_non_null(params.store);
    shares = shares_new(&params);
    id_text(account, made.keygen.intent.account);
    assert_int_equal(store_get_key(params.store, &row, account, made.key_id), STORE_OK);
    record = shares_unseal(shares, &row, len);
    assert_non_null(record);
    store_share_free(&row);
    shares_free(shares);
    store_close(params.store);
    vault_free(vault);
    secret_free(master);
    assert_true(keepers_start(k, 0));
    return record;
}

static void test_the_share_of_another_party_is_refused(void **state)
{
    static uint8_t changed[65536];
    struct job job = keepers_sign(&made.keygen, made.key_id, with_user, 2);
    Mpc__PartyApi__V1__UserShare *message =
        mpc__party_api__v1__user_share__unpack(NULL, made.share_len, made.share);
    ProtobufCBinaryData own = message->record;
    size_t len;

    (void)state;
    message->record.data = record_of_seat_0(&message->record.len);
    len = mpc__party_api__v1__user_share__pack(message, changed);
    secret_free(message->record.data);
    message->record = own;
    mpc__party_api__v1__user_share__free_unpacked(message, NULL);
    assert_string_equal(lend(job.session_id, changed, len), "NO_SHARE");
}

/* As a burn during an earlier loan leaves it. */
static void bury(uint16_t peer)
{
    Mpc__PartyApi__V1__UserShare *message =
        mpc__party_api__v1__user_share__unpack(NULL, made.share_len, made.share);
    struct qrt_share share;
    struct store_burn burn;
    char error[STORE_ERROR_MAX];
    struct store *store;

    assert_int_equal(
        qrt_share_open(&share, library_ctx(), message->record.data, message->record.len), QRT_OK);
    burn = (struct store_burn){.epoch = share.epoch, .own = share.own, .peer = peer};
    memcpy(burn.kgid, share.kgid, 32);
    mpc__party_api__v1__user_share__free_unpacked(message, NULL);
    assert_int_equal(keepers_stop(k, DELEGATE), 0);
    store = store_open(k->seats[DELEGATE].directory, error);
    assert_non_null(store);
    assert_int_equal(store_put_burn(store, NULL, &burn), STORE_OK);
    store_close(store);
    assert_true(keepers_start(k, DELEGATE));
}

static void test_a_tombstone_refuses_its_pair_only(void **state)
{
    static const size_t others[] = {0, 2};
    struct job job;

    (void)state;
    bury(2);
    job = keepers_sign(&made.keygen, made.key_id, with_user, 2);
    assert_string_equal(lend(job.session_id, made.share, made.share_len), "");
    keepers_open_all(k, &job);
    job.members_n = 1;
    job.members[0] = DELEGATE;
    keepers_play(k, &job);
    assert_string_equal(keepers_told(k, DELEGATE, job.session_id, 0)->code, "BURNED");
    job = keepers_sign(&made.keygen, made.key_id, others, 2);
    assert_string_equal(lend(job.session_id, made.share, made.share_len), "");
    keepers_open_all(k, &job);
    expect_signed(&job);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_share_is_sealed_to_its_owner_and_forgotten_when_confirmed),
        cmocka_unit_test(test_an_unconfirmed_share_is_given_again_after_a_kill),
        cmocka_unit_test(test_without_a_key_nothing_begins),
        cmocka_unit_test(test_attack_a_key_that_the_initiator_did_not_sign),
        cmocka_unit_test(test_a_key_of_the_front_counts_when_nobody_else_names_one),
        cmocka_unit_test(test_the_configured_key_goes_before_the_fronts_and_after_the_signed),
        cmocka_unit_test(test_a_lent_share_signs_one_session_before_or_after_the_invitation),
        cmocka_unit_test(test_a_share_is_lent_to_its_session_alone),
        cmocka_unit_test(test_attack_a_box_of_another_session),
        cmocka_unit_test(test_attack_another_intent_in_the_session),
        cmocka_unit_test(test_the_owner_may_name_the_intent),
        cmocka_unit_test(test_attack_an_old_box_is_lent_again),
        cmocka_unit_test(test_a_box_that_names_its_intent_is_good_again),
        cmocka_unit_test(test_attack_an_unlent_share_signs_nothing),
        cmocka_unit_test(test_a_loan_ends_with_its_session),
        cmocka_unit_test(test_loans_are_bounded),
        cmocka_unit_test(test_what_is_not_that_share_is_refused),
        cmocka_unit_test(test_the_share_of_another_party_is_refused),
        cmocka_unit_test(test_a_tombstone_refuses_its_pair_only),
    };
    const struct keepers_options options = {.with_delegate = true};
    int result;

    if (keepers_main(argc, argv, &result))
        return result;
    if (sodium_init() < 0)
        return 1;
    crypto_box_keypair(user_key, user_secret);
    k = keepers_new(3, &options);
    result = cmocka_run_group_tests(tests, NULL, NULL);
    keepers_free(k);
    return result;
}
