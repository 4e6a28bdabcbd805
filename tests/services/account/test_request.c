/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of requests: what is taken, and by which name each malformed one is refused. */
#include "services/account/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ID "0f8fad5b-d9cb-469f-a165-70867728950e"
#define HASH "1111111111111111111111111111111111111111111111111111111111111111"

static Mpc__Account__V1__CreateAccountRequest plain(void)
{
    Mpc__Account__V1__CreateAccountRequest in = MPC__ACCOUNT__V1__CREATE_ACCOUNT_REQUEST__INIT;

    in.user_id = "alice";
    return in;
}

static Mpc__Account__V1__SignRequest plain_sign(void)
{
    Mpc__Account__V1__SignRequest in = MPC__ACCOUNT__V1__SIGN_REQUEST__INIT;

    in.account_id = ID;
    in.message = HASH;
    return in;
}

static void assert_refused(const Mpc__Account__V1__CreateAccountRequest *in, const char *name)
{
    struct request_create out;
    struct rpc_status status = rpc_ok();

    assert_false(request_create(&out, in, 60, &status));
    assert_int_equal(status.code, RPC_INVALID);
    assert_non_null(strstr(status.text, name));
}

static void assert_sign_refused(const Mpc__Account__V1__SignRequest *in, const char *name)
{
    struct request_sign out;
    struct rpc_status status = rpc_ok();

    assert_false(request_sign(&out, in, 30, &status));
    assert_int_equal(status.code, RPC_INVALID);
    assert_non_null(strstr(status.text, name));
    free(out.message);
}

static void test_the_default_is_two_of_three_of_the_pool(void **state)
{
    Mpc__Account__V1__CreateAccountRequest in = plain();
    struct request_create out;
    struct rpc_status status;

    (void)state;
    assert_true(request_create(&out, &in, 60, &status));
    assert_int_equal(out.t, 2);
    assert_int_equal(out.n, 3);
    assert_int_equal(out.parties_n, 0);
    assert_int_equal(out.wait_s, 60);
    assert_false(out.delegate);
    assert_string_equal(out.user_id, "alice");
}

static void test_participants_say_how_many_there_are(void **state)
{
    Mpc__Account__V1__CreateAccountRequest in = plain();
    Mpc__Account__V1__Participant p[5], *list[5];
    char names[5][16];
    struct request_create out;
    struct rpc_status status;

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        mpc__account__v1__participant__init(&p[i]);
        snprintf(names[i], sizeof names[i], "party-%zu", i);
        p[i].party_id = names[i];
        list[i] = &p[i];
    }
    in.participants = list;
    in.n_participants = 5;
    assert_true(request_create(&out, &in, 60, &status));
    assert_int_equal(out.n, 5);
    p[4].party_id = names[0];
    assert_refused(&in, "party-0");
    p[4].party_id = "not a name";
    assert_refused(&in, "participants[4].party_id");
}

static void test_zero_is_a_given_wait(void **state)
{
    Mpc__Account__V1__CreateAccountRequest in = plain();
    struct request_create out;
    struct rpc_status status;

    (void)state;
    in.wait_given_case = MPC__ACCOUNT__V1__CREATE_ACCOUNT_REQUEST__WAIT_GIVEN_WAIT;
    assert_true(request_create(&out, &in, 60, &status));
    assert_int_equal(out.wait_s, 0);
    in.wait = 601;
    assert_refused(&in, "wait");
}

static void test_thresholds_out_of_range_are_named(void **state)
{
    static const struct {
        uint32_t t, n;
        const char *name;
    } rows[] = {{1, 3, "threshold_t"}, {4, 3, "threshold_t"},  {0, 3, "threshold_t"},
                {2, 1, "threshold_n"}, {2, 65, "threshold_n"}, {2, 0, "threshold_n"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Mpc__Account__V1__CreateAccountRequest in = plain();

        in.threshold_t_given_case =
            MPC__ACCOUNT__V1__CREATE_ACCOUNT_REQUEST__THRESHOLD_T_GIVEN_THRESHOLD_T;
        in.threshold_n_given_case =
            MPC__ACCOUNT__V1__CREATE_ACCOUNT_REQUEST__THRESHOLD_N_GIVEN_THRESHOLD_N;
        in.threshold_t = rows[i].t;
        in.threshold_n = rows[i].n;
        assert_refused(&in, rows[i].name);
    }
}

static void test_a_user_id_steers_no_screen(void **state)
{
    static const char *const bad[] = {"a\nb", "a\x1b[2J", "a\x7f", "a\xc2\x9b", "\342\200\256bob"};
    Mpc__Account__V1__CreateAccountRequest in = plain();
    Mpc__Account__V1__KeygenRequest keygen = MPC__ACCOUNT__V1__KEYGEN_REQUEST__INIT;
    struct request_create out;
    struct rpc_status status;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        in.user_id = keygen.user_id = (char *)(uintptr_t)bad[i];
        in.username = "";
        assert_refused(&in, "user_id");
        assert_false(request_keygen(&out, &keygen, &status));
        in.user_id = "";
        in.username = (char *)(uintptr_t)bad[i];
        assert_refused(&in, "user_id");
    }
    in.username = "J\xc3\xbcrgen \xd8\xa7";
    assert_true(request_create(&out, &in, 60, &status));
    assert_string_equal(out.user_id, in.username);
}

static void test_a_user_key_goes_with_a_delegate_only(void **state)
{
    Mpc__Account__V1__CreateAccountRequest in = plain();
    struct request_create out;
    struct rpc_status status;

    (void)state;
    in.user_public_key = HASH;
    assert_refused(&in, "user_public_key");
    in.user_share = "delegate";
    assert_true(request_create(&out, &in, 60, &status));
    assert_true(out.has_user_key);
    in.user_key_signature = HASH HASH;
    assert_refused(&in, "user_key_signature");
    in.intent = "00";
    assert_true(request_create(&out, &in, 60, &status));
    assert_true(out.has_key_signature);
    in.user_key_signature = HASH;
    assert_refused(&in, "user_key_signature");
    in.user_key_signature = "";
    assert_refused(&in, "user_key_signature");
    in.user_public_key = "";
    in.user_key_signature = HASH HASH;
    assert_true(request_create(&out, &in, 60, &status));
    assert_true(out.has_key_signature && !out.has_user_key);
    in.user_share = "none";
    assert_refused(&in, "user_key_signature");
    in.user_share = "delegate";
    in.user_key_signature = "";
    in.intent = "";
    in.user_public_key = "11";
    assert_refused(&in, "user_public_key");
    in.user_public_key = "0000000000000000000000000000000000000000000000000000000000000000";
    assert_refused(&in, "user_public_key");
    in.user_share = "maybe";
    assert_refused(&in, "user_share");
}

static void test_a_bare_hash_has_32_bytes(void **state)
{
    Mpc__Account__V1__SignRequest in = plain_sign();
    struct request_sign out;
    struct rpc_status status;

    (void)state;
    assert_true(request_sign(&out, &in, 30, &status));
    assert_int_equal(out.digest, QRT_DIGEST_LOCAL);
    assert_int_equal(out.message_len, 32);
    free(out.message);
    in.message = "0x" HASH;
    assert_true(request_sign(&out, &in, 30, &status));
    free(out.message);
    in.message = HASH "11";
    assert_sign_refused(&in, "message");
    in.message = "zz";
    assert_sign_refused(&in, "message");
    in.message = "";
    assert_sign_refused(&in, "message");
}

static void test_an_empty_message_is_refused(void **state)
{
    static const char *const rows[][2] = {{"hex", "0x"}, {"base64", "="}, {"hex", ""}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        Mpc__Account__V1__SignRequest in = plain_sign();

        in.hash = "sha256";
        in.message_encoding = (char *)rows[i][0];
        in.message = (char *)rows[i][1];
        assert_sign_refused(&in, "message");
    }
}

static void test_messages_of_every_encoding(void **state)
{
    static const char *const rows[][2] = {{"hex", "616263"}, {"base64", "YWJj"}, {"utf8", "abc"}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        Mpc__Account__V1__SignRequest in = plain_sign();
        struct request_sign out;
        struct rpc_status status;

        in.hash = "sha256";
        in.message_encoding = (char *)rows[i][0];
        in.message = (char *)rows[i][1];
        assert_true(request_sign(&out, &in, 30, &status));
        assert_int_equal(out.message_len, 3);
        assert_memory_equal(out.message, "abc", 3);
        free(out.message);
    }
}

static void test_malformed_fields_of_a_signature_are_named(void **state)
{
    Mpc__Account__V1__SignRequest in = plain_sign();

    (void)state;
    in.hash = "md5";
    assert_sign_refused(&in, "hash");
    in = plain_sign();
    in.message_encoding = "rot13";
    assert_sign_refused(&in, "message_encoding");
    in = plain_sign();
    in.hash = "sha256";
    in.message_encoding = "base64";
    in.message = "***";
    assert_sign_refused(&in, "base64");
    in = plain_sign();
    in.derivation_path = "m/44'/0";
    assert_sign_refused(&in, "derivation_path");
    in = plain_sign();
    in.account_id = "x";
    assert_sign_refused(&in, "account_id");
    in = plain_sign();
    in.intent_signature = HASH HASH;
    assert_sign_refused(&in, "intent is missing");
}

static void test_a_malformed_account_of_a_session_is_said_in_the_contracts_words(void **state)
{
    Mpc__Account__V1__SignSessionRequest in = MPC__ACCOUNT__V1__SIGN_SESSION_REQUEST__INIT;
    struct request_sign out;
    struct rpc_status status;

    (void)state;
    in.account_id = "nonsense";
    in.message_hash = HASH;
    assert_false(request_sign_session(&out, &in, 30, &status));
    assert_string_equal(status.text, "invalid account ID");
    in.account_id = ID;
    assert_true(request_sign_session(&out, &in, 30, &status));
    free(out.message);
    in.message_hash = &HASH[2];
    assert_false(request_sign_session(&out, &in, 30, &status));
    assert_string_equal(status.text, "message_hash must be 64 hex digits");
    free(out.message);
}

/* Everything that makes it another request; how long the caller waits does not. */
static void test_requests_are_the_same_if_their_hashes_are(void **state)
{
    static uint8_t message[32], other_message[32] = {1};
    const struct request_sign base = {.account_id = ID,
                                      .digest = QRT_DIGEST_LOCAL,
                                      .message = message,
                                      .message_len = sizeof message,
                                      .path = {1, 2},
                                      .path_n = 1,
                                      .parties = {"party-1", "party-2"},
                                      .parties_n = 1,
                                      .wait_s = 1};
    struct request_sign others[7];
    uint8_t first[32], hash[32];

    (void)state;
    request_sign_hash(first, &base, "", "");
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        others[i] = base;
    others[0].account_id[0] = '1';
    others[1].digest = QRT_DIGEST_SHA256;
    others[2].message = other_message;
    others[3].path[0] = 3;
    others[4].path_n = 2;
    others[5].parties[0] = "party-3";
    others[6].parties_n = 2;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        request_sign_hash(hash, &others[i], "", "");
        assert_memory_not_equal(hash, first, sizeof hash);
    }
    request_sign_hash(hash, &base, "00", "");
    assert_memory_not_equal(hash, first, sizeof hash);
    request_sign_hash(hash, &base, "", "00");
    assert_memory_not_equal(hash, first, sizeof hash);
    others[0] = base;
    others[0].wait_s = 20;
    request_sign_hash(hash, &others[0], "", "");
    assert_memory_equal(hash, first, sizeof hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_default_is_two_of_three_of_the_pool),
        cmocka_unit_test(test_participants_say_how_many_there_are),
        cmocka_unit_test(test_zero_is_a_given_wait),
        cmocka_unit_test(test_thresholds_out_of_range_are_named),
        cmocka_unit_test(test_a_user_id_steers_no_screen),
        cmocka_unit_test(test_a_user_key_goes_with_a_delegate_only),
        cmocka_unit_test(test_a_bare_hash_has_32_bytes),
        cmocka_unit_test(test_requests_are_the_same_if_their_hashes_are),
        cmocka_unit_test(test_an_empty_message_is_refused),
        cmocka_unit_test(test_messages_of_every_encoding),
        cmocka_unit_test(test_malformed_fields_of_a_signature_are_named),
        cmocka_unit_test(test_a_malformed_account_of_a_session_is_said_in_the_contracts_words),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
