/* SPDX-License-Identifier: Apache-2.0 */
/* A user's share that its owner lends to the delegate: for one session and one intent in it, and
 * forgotten. */
#include "owner.h"

#include "participant/delegate.h"
#include "participant/shares.h"
#include "participant/store.h"
#include "party_api.pb-c.h"
#include "quorate/share.h"
#include "system/core/ids.h"
#include "system/core/secret.h"
#include "system/service/library.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { BEFORE = 500 };

static struct keepers *k;
static const size_t with_user[] = {1, 2};
static struct owner_share made;

static void expect_signed(const struct job *job)
{
    keepers_play(k, job);
    for (size_t i = 0; i < job->members_n; i++) {
        const struct told *told = keepers_told(k, job->members[i], job->session_id, job->attempt);

        if (!keepers_is_signed(told, job, made.pk))
            fail_msg("keeper %zu: %s: %s", job->members[i], told->code, told->text);
    }
}

static void test_a_lent_share_signs_one_session_before_or_after_the_invitation(void **state)
{
    (void)state;
    for (int after = 0; after < 2; after++) {
        struct job job = keepers_sign(&made.keygen, made.key_id, with_user, 2);

        if (after)
            keepers_open_all(k, &job);
        assert_string_equal(owner_lend(k, job.session_id, made.share, made.share_len), "");
        if (!after)
            keepers_open_all(k, &job);
        expect_signed(&job);
        keepers_close(k, DELEGATE, job.session_id);
    }
    assert_int_equal(owner_shares(k), 0);
}

static void test_a_share_is_lent_to_its_session_alone(void **state)
{
    struct job job = keepers_sign(&made.keygen, made.key_id, with_user, 2), other = job;

    (void)state;
    assert_string_equal(owner_lend(k, other.session_id, made.share, made.share_len), "");
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
    len = owner_box(k, job.session_id, &share, NULL, sealed);
    other = keepers_sign(&made.keygen, made.key_id, with_user, 2);
    assert_string_equal(owner_lend_sealed(k, other.session_id, sealed, len), "NO_SHARE");
    assert_string_equal(owner_lend_sealed(k, job.session_id, sealed, len), "");
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
    size_t len = owner_box(k, job.session_id, &share, NULL, sealed);

    (void)state;
    assert_string_equal(owner_lend_sealed(k, job.session_id, sealed, len), "");
    keepers_open_all(k, &job);
    expect_signed(&job);
    other = keepers_sign(&made.keygen, made.key_id, with_user, 2);
    memcpy(other.session_id, job.session_id, sizeof other.session_id);
    other.attempt = 1;
    /* nor does the same box, lent once more, make room for it */
    assert_string_equal(owner_lend_sealed(k, job.session_id, sealed, len), "");
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
    assert_string_equal(owner_lend_sealed(k, other.session_id, sealed,
                                          owner_box(k, other.session_id, &share, &named, sealed)),
                        "");
    assert_string_equal(code_at_delegate(&other), "NO_SHARE");
    keepers_close(k, DELEGATE, other.session_id);
    assert_string_equal(owner_lend_sealed(k, job.session_id, sealed,
                                          owner_box(k, job.session_id, &share, &named, sealed)),
                        "");
    keepers_open_all(k, &job);
    expect_signed(&job);
    keepers_close(k, DELEGATE, job.session_id);
    named.len = 31;
    assert_string_equal(owner_lend_sealed(k, job.session_id, sealed,
                                          owner_box(k, job.session_id, &share, &named, sealed)),
                        "NO_SHARE");
}

/* The box of a session that is over, or that the delegate forgot, and its session invited again. */
static void test_attack_an_old_box_is_lent_again(void **state)
{
    static uint8_t sealed[70000];
    const ProtobufCBinaryData share = {made.share_len, made.share};
    struct job job = keepers_sign(&made.keygen, made.key_id, with_user, 2), other;
    size_t len = owner_box(k, job.session_id, &share, NULL, sealed);

    (void)state;
    assert_string_equal(owner_lend_sealed(k, job.session_id, sealed, len), "");
    keepers_open_all(k, &job);
    expect_signed(&job);
    keepers_close(k, DELEGATE, job.session_id);
    assert_string_equal(owner_lend_sealed(k, job.session_id, sealed, len), "NO_SHARE");
    keepers_kill(k, DELEGATE);
    assert_true(keepers_start(k, DELEGATE));
    assert_string_equal(owner_lend_sealed(k, job.session_id, sealed, len), "NO_SHARE");
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
    len = owner_box(k, job.session_id, &share, &named, sealed);
    assert_string_equal(owner_lend_sealed(k, job.session_id, sealed, len), "");
    assert_string_equal(owner_lend_sealed(k, job.session_id, sealed, len), "");
    keepers_kill(k, DELEGATE);
    assert_true(keepers_start(k, DELEGATE));
    len = owner_box(k, job.session_id, &share, &named, sealed);
    assert_string_equal(owner_lend_sealed(k, job.session_id, sealed, len), "");
    keepers_open_all(k, &job);
    expect_signed(&job);
    keepers_close(k, DELEGATE, job.session_id);
}

/* Who kept it and comes by all that the party has on its disk opens nothing with that. */
static void test_attack_a_box_of_an_earlier_life(void **state)
{
    static uint8_t sealed[70000];
    const ProtobufCBinaryData share = {made.share_len, made.share};
    struct job job = keepers_sign(&made.keygen, made.key_id, with_user, 2);
    uint8_t hash[32] = {1}, key[32];
    const ProtobufCBinaryData named = {32, hash};
    size_t len = owner_box(k, job.session_id, &share, &named, sealed);

    (void)state;
    memcpy(key, k->last_share_key->share_key->public_key.data, sizeof key);
    keepers_kill(k, DELEGATE);
    assert_true(keepers_start(k, DELEGATE));
    assert_string_equal(owner_lend_sealed(k, job.session_id, sealed, len), "NO_SHARE");
    (void)owner_box(k, job.session_id, &share, &named, sealed);
    assert_memory_not_equal(key, k->last_share_key->share_key->public_key.data, sizeof key);
}

/* What it said first stays: the session serves no second intent. */
static void test_the_first_intent_that_the_owner_names_counts(void **state)
{
    static uint8_t sealed[70000];
    const ProtobufCBinaryData share = {made.share_len, made.share};
    struct job job = keepers_sign(&made.keygen, made.key_id, with_user, 2);
    Mpc__Session__V1__Setup *setup = keepers_setup(k, &job);
    uint8_t hash[32] = {1};
    ProtobufCBinaryData named = {32, hash};

    (void)state;
    assert_string_equal(owner_lend_sealed(k, job.session_id, sealed,
                                          owner_box(k, job.session_id, &share, &named, sealed)),
                        "");
    crypto_hash_sha256(hash, setup->intent.data, setup->intent.len);
    mpc__session__v1__setup__free_unpacked(setup, NULL);
    assert_string_equal(owner_lend_sealed(k, job.session_id, sealed,
                                          owner_box(k, job.session_id, &share, &named, sealed)),
                        "");
    assert_string_equal(code_at_delegate(&job), "NO_SHARE");
    keepers_close(k, DELEGATE, job.session_id);
}

/* An initiator's intent for his own account, with the key of another's. */
static void test_attack_a_lent_share_for_another_account(void **state)
{
    struct job job = keepers_sign(&made.keygen, made.key_id, with_user, 2);

    (void)state;
    job.intent.account[3] ^= 1;
    assert_string_equal(owner_lend(k, job.session_id, made.share, made.share_len), "");
    assert_string_equal(code_at_delegate(&job), "NO_SHARE");
    keepers_close(k, DELEGATE, job.session_id);
}

/* Others wait for the database before him, and the session's end is heard meanwhile: nothing is
 * held for it. */
static void test_a_share_is_not_held_for_a_session_that_ended_meanwhile(void **state)
{
    static uint8_t sealed[70000];
    const ProtobufCBinaryData share = {made.share_len, made.share};
    struct job job = keepers_sign(&made.keygen, made.key_id, with_user, 2);
    Mpc__Keeper__V1__ToKeeper frame = MPC__KEEPER__V1__TO_KEEPER__INIT;
    Mpc__Keeper__V1__ConfirmShare other = MPC__KEEPER__V1__CONFIRM_SHARE__INIT;
    Mpc__Keeper__V1__LendShare lend = MPC__KEEPER__V1__LEND_SHARE__INIT;
    size_t len = owner_box(k, job.session_id, &share, NULL, sealed);
    char nobodys[37];

    (void)state;
    id_new(nobodys);
    other.session_id = nobodys;
    frame.request_case = MPC__KEEPER__V1__TO_KEEPER__REQUEST_CONFIRM_SHARE;
    frame.confirm_share = &other;
    for (int i = 0; i < BEFORE; i++)
        keepers_send(k, DELEGATE, &frame);
    lend.session_id = job.session_id;
    lend.sealed = (ProtobufCBinaryData){len, sealed};
    frame.request_case = MPC__KEEPER__V1__TO_KEEPER__REQUEST_LEND_SHARE;
    frame.lend_share = &lend;
    keepers_send(k, DELEGATE, &frame);
    keepers_close(k, DELEGATE, job.session_id);
    keepers_sync(k, DELEGATE);
    assert_string_equal(owner_lend_sealed(k, job.session_id, sealed, len), "NO_SHARE");
}

/* Seat 0 has a share of its own, and no use for another. */
static void test_a_party_that_is_no_delegate_takes_no_loans(void **state)
{
    Mpc__Keeper__V1__ToKeeper frame = MPC__KEEPER__V1__TO_KEEPER__INIT;
    Mpc__Keeper__V1__LendShare lend = MPC__KEEPER__V1__LEND_SHARE__INIT;
    uint8_t sealed[100] = {0};

    (void)state;
    lend.session_id = made.keygen.session_id;
    lend.sealed = (ProtobufCBinaryData){sizeof sealed, sealed};
    frame.request_case = MPC__KEEPER__V1__TO_KEEPER__REQUEST_LEND_SHARE;
    frame.lend_share = &lend;
    keepers_send(k, 0, &frame);
    keepers_sync(k, 0);
    assert_non_null(strstr(k->last_answer->share_answer->text, "takes no lent shares"));
}

/* Its own copy, not yet confirmed, is not the delegate's to use. */
static void test_attack_an_unlent_share_signs_nothing(void **state)
{
    struct owner_share unconfirmed = {0};
    struct job job;

    (void)state;
    owner_make(k, &unconfirmed);
    assert_int_equal(owner_shares(k), 1);
    job = keepers_sign(&unconfirmed.keygen, unconfirmed.key_id, with_user, 2);
    job.attempt_deadline_ms = keepers_now() + 200;
    assert_string_equal(code_at_delegate(&job), "NO_SHARE");
    assert_string_equal(owner_confirm(k, unconfirmed.keygen.session_id), "");
}

/* More loans than are held at a time, if each is forgotten with its session. */
static void test_a_loan_ends_with_its_session(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        char id[37];

        id_new(id);
        assert_string_equal(owner_lend(k, id, made.share, made.share_len), "");
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
        assert_string_equal(owner_lend(k, ids[i], made.share, made.share_len), "");
    }
    id_new(ids[LOANS]);
    assert_string_equal(owner_lend(k, ids[LOANS], made.share, made.share_len), "OVERLOADED");
    keepers_close(k, DELEGATE, ids[0]);
    assert_string_equal(owner_lend(k, ids[LOANS], made.share, made.share_len), "");
    for (size_t i = 1; i <= LOANS; i++)
        keepers_close(k, DELEGATE, ids[i]);
}

/* Is anything lent for the session of |job|? */
static bool is_lent(struct delegate *d, const struct job *job)
{
    Mpc__Session__V1__Setup setup = MPC__SESSION__V1__SETUP__INIT;
    struct permit permit = {.setup = &setup};
    struct refusal refusal = {0};
    struct share_held *held;

    setup.session_id = (char *)(uintptr_t)job->session_id;
    id_text(permit.account_id, made.keygen.intent.account);
    memcpy(permit.intent.keyid, made.key_id, 32);
    held = delegate_lent(d, &permit, &refusal);
    assert_null(refusal.code);
    shares_put(held);
    return held != NULL;
}

/* A session whose end nobody tells: in this process, by a clock of the test's own. */
static void expect_an_end(struct delegate *d)
{
    static uint8_t plain[70000], sealed[70000];
    struct job job = keepers_sign(&made.keygen, made.key_id, with_user, 2);
    Mpc__PartyApi__V1__LentShare message = MPC__PARTY_API__V1__LENT_SHARE__INIT;
    struct refusal refusal = {0};
    uint8_t key[32];
    size_t len;

    message.session_id = job.session_id;
    message.user_share = (ProtobufCBinaryData){made.share_len, made.share};
    len = mpc__party_api__v1__lent_share__pack(&message, plain);
    delegate_public_key(d, key);
    assert_int_equal(crypto_box_seal(sealed, plain, len, key), 0);
    assert_true(
        delegate_lend(d, job.session_id, sealed, len + crypto_box_SEALBYTES, 1000, &refusal));
    delegate_expire(d, 1000 + DELEGATE_LENT_MS - 1);
    assert_true(is_lent(d, &job));
    delegate_expire(d, 1000 + DELEGATE_LENT_MS);
    assert_false(is_lent(d, &job));
}

static void test_a_loan_ends_with_its_time(void **state)
{
    const struct keeper_seat *seat = &k->seats[DELEGATE];
    uint8_t *master = secret_new(32);
    struct vault *vault = vault_new(master);
    struct shares_params held = {library_ctx(), vault, NULL, seat->party_id, 1};
    struct delegate_params params = {library_ctx(),     NULL, NULL, seat->party_id, true,
                                     seat->secret + 32, NULL};
    struct shares *shares;
    struct delegate *d;

    (void)state;
    assert_int_equal(keepers_stop(k, DELEGATE), 0);
    params.store = held.store = party_db_open(&k->seats[DELEGATE].db);
    assert_non_null(held.store);
    params.shares = shares = shares_new(&held);
    d = delegate_new(&params);
    expect_an_end(d);
    delegate_free(d);
    shares_free(shares);
    store_close(held.store);
    vault_free(vault);
    secret_free(master);
    assert_true(keepers_start(k, DELEGATE));
}

static void test_what_is_not_that_share_is_refused(void **state)
{
    static uint8_t changed[65536], sealed[70000];
    Mpc__PartyApi__V1__UserShare *message;
    struct job job = keepers_sign(&made.keygen, made.key_id, with_user, 2);
    size_t len = made.share_len;

    (void)state;
    message = mpc__party_api__v1__user_share__unpack(NULL, len, made.share);
    message->n_roster--; /* one party has no name */
    assert_string_equal(owner_lend(k, job.session_id, changed,
                                   mpc__party_api__v1__user_share__pack(message, changed)),
                        "NO_SHARE");
    message->n_roster++;
    message->record.data[180] ^= 1; /* in the share itself */
    mpc__party_api__v1__user_share__pack(message, changed);
    mpc__party_api__v1__user_share__free_unpacked(message, NULL);
    assert_string_equal(owner_lend(k, job.session_id, changed, len), "NO_SHARE");
    assert_string_equal(owner_lend(k, job.session_id, made.share, len - 1), "NO_SHARE");
    assert_string_equal(owner_lend(k, "no session", made.share, len), "INTENT_FIELD");
    /* the share alone, as it came; then sealed to another party */
    owner_seal(k, DELEGATE, made.share, len, sealed);
    assert_string_equal(owner_lend_sealed(k, job.session_id, sealed, len + crypto_box_SEALBYTES),
                        "NO_SHARE");
    owner_seal(k, 1, made.share, len, sealed);
    assert_string_equal(owner_lend_sealed(k, job.session_id, sealed, len + crypto_box_SEALBYTES),
                        "NO_SHARE");
    assert_string_equal(owner_lend_sealed(k, job.session_id, sealed, 3), "NO_SHARE");
}

/* The record of seat 0's share of the same key, as its keeper reads it. */
static uint8_t *record_of_seat_0(size_t *len)
{
    uint8_t *master = secret_new(32), *record;
    char account[37];
    struct shares_params params = {library_ctx(), NULL, NULL, k->seats[0].party_id, 1};
    struct store_share row;
    struct vault *vault;
    struct shares *shares;

    master[0] = 7;
    params.vault = vault = vault_new(master);
    assert_int_equal(keepers_stop(k, 0), 0);
    params.store = party_db_open(&k->seats[0].db);
    assert_non_null(params.store);
    shares = shares_new(&params);
    id_text(account, made.keygen.intent.account);
    assert_int_equal(store_get_key(params.store, &row, account, made.key_id), STORE_OK);
    record = shares_unseal(shares, &row, len, NULL);
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
    assert_string_equal(owner_lend(k, job.session_id, changed, len), "NO_SHARE");
}

/* As a burn during an earlier loan leaves it. */
static void bury(uint16_t peer)
{
    Mpc__PartyApi__V1__UserShare *message =
        mpc__party_api__v1__user_share__unpack(NULL, made.share_len, made.share);
    struct qrt_share share;
    struct store_burn burn;
    struct store *store;

    assert_int_equal(
        qrt_share_open(&share, library_ctx(), message->record.data, message->record.len), QRT_OK);
    burn = (struct store_burn){.epoch = share.epoch, .own = share.own, .peer = peer};
    memcpy(burn.kgid, share.kgid, 32);
    mpc__party_api__v1__user_share__free_unpacked(message, NULL);
    assert_int_equal(keepers_stop(k, DELEGATE), 0);
    store = party_db_open(&k->seats[DELEGATE].db);
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
    assert_string_equal(owner_lend(k, job.session_id, made.share, made.share_len), "");
    keepers_open_all(k, &job);
    job.members_n = 1;
    job.members[0] = DELEGATE;
    keepers_play(k, &job);
    assert_string_equal(keepers_told(k, DELEGATE, job.session_id, 0)->code, "BURNED");
    job = keepers_sign(&made.keygen, made.key_id, others, 2);
    assert_string_equal(owner_lend(k, job.session_id, made.share, made.share_len), "");
    keepers_open_all(k, &job);
    expect_signed(&job);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lent_share_signs_one_session_before_or_after_the_invitation),
        cmocka_unit_test(test_a_share_is_lent_to_its_session_alone),
        cmocka_unit_test(test_attack_a_box_of_another_session),
        cmocka_unit_test(test_attack_another_intent_in_the_session),
        cmocka_unit_test(test_the_owner_may_name_the_intent),
        cmocka_unit_test(test_attack_an_old_box_is_lent_again),
        cmocka_unit_test(test_a_box_that_names_its_intent_is_good_again),
        cmocka_unit_test(test_attack_a_box_of_an_earlier_life),
        cmocka_unit_test(test_the_first_intent_that_the_owner_names_counts),
        cmocka_unit_test(test_attack_a_lent_share_for_another_account),
        cmocka_unit_test(test_a_share_is_not_held_for_a_session_that_ended_meanwhile),
        cmocka_unit_test(test_a_party_that_is_no_delegate_takes_no_loans),
        cmocka_unit_test(test_attack_an_unlent_share_signs_nothing),
        cmocka_unit_test(test_a_loan_ends_with_its_session),
        cmocka_unit_test(test_loans_are_bounded),
        cmocka_unit_test(test_a_loan_ends_with_its_time),
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
    crypto_box_keypair(owner_key, owner_secret);
    k = keepers_new(3, &options);
    owner_make(k, &made);
    assert_string_equal(owner_confirm(k, made.keygen.session_id), "");
    result = cmocka_run_group_tests(tests, NULL, NULL);
    keepers_free(k);
    return result;
}
