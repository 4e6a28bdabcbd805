/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that the caller signed himself: a good one reaches the coordinator byte for byte under
 * the caller's key, an altered one reaches nobody. */
#include "system/access/user_key.h"
#include "system/core/clock.h"
#include "system/service/library.h"
#include "world.h"

#include <sodium.h>
#include <string.h>

static const char message[] = "pay";

static int set_up(void **state)
{
    *state = world_new();
    return 0;
}

static int tear_down(void **state)
{
    world_free(*state);
    return 0;
}

/* Signing. */

static void sign_with(struct world *w, struct answer *out, const struct own_intent *own)
{
    Mpc__Account__V1__SignRequest q = MPC__ACCOUNT__V1__SIGN_REQUEST__INIT;

    q.account_id = WORLD_ACCOUNT;
    q.message = (char *)(uintptr_t)message;
    q.message_encoding = "utf8";
    q.hash = "sha256";
    q.intent = (char *)(uintptr_t)own->hex;
    q.intent_signature = (char *)(uintptr_t)own->signature;
    world_begin(w, out, "Sign", &q.base, &mpc__account__v1__sign_response__descriptor);
    world_await(w, out);
}

static struct qrt_intent good_sign(const struct world *w)
{
    return world_sign_intent(w, (const uint8_t *)message, strlen(message));
}

/* The session that was asked for carries the caller's bytes and key. */
static void expect_unchanged(struct world *w, const struct own_intent *own)
{
    const Mpc__Coordinator__V1__CreateSessionRequest *q = w->script.sessions[0].q;
    uint8_t signature[64];

    assert_int_equal(w->script.sessions_n, 1);
    assert_true(hex_decode(signature, sizeof signature, own->signature));
    assert_int_equal(q->intent.len, own->len);
    assert_memory_equal(q->intent.data, own->b, own->len);
    assert_int_equal(q->intent_signature.len, 64);
    assert_memory_equal(q->intent_signature.data, signature, 64);
    assert_int_equal(q->initiator_key.len, 32);
    assert_memory_equal(q->initiator_key.data, w->caller_pk, 32);
}

static void test_a_signed_request_goes_through_unchanged(void **state)
{
    struct world *w = *state;
    const struct qrt_intent intent = good_sign(w);
    struct own_intent own;
    struct answer answer;

    world_own(&own, &intent, w->caller);
    sign_with(w, &answer, &own);
    if (!answer.message)
        fail_msg("%s", answer.status.text);
    expect_unchanged(w, &own);
    assert_int_equal(w->script.sessions[0].q->deadline_ms, (int64_t)intent.deadline * 1000);
    answer_free(&answer);
}

static void expect_refused(struct world *w, const struct own_intent *own)
{
    struct answer answer;

    sign_with(w, &answer, own);
    answer_expect(&answer, 400, "invalid_intent");
    assert_int_equal(w->script.calls[DOOR_CREATE], 0);
}

/* Every byte of the intent and of its signature. */
static void test_a_changed_byte_is_refused(void **state)
{
    struct world *w = *state;
    const struct qrt_intent intent = good_sign(w);
    struct own_intent own;

    world_own(&own, &intent, w->caller);
    for (size_t i = 0; i < 2 * own.len; i++) {
        char kept = own.hex[i];

        own.hex[i] = kept == '0' ? '1' : '0';
        expect_refused(w, &own);
        own.hex[i] = kept;
    }
    for (size_t i = 0; i < 128; i += 3) {
        char kept = own.signature[i];

        own.signature[i] = kept == '0' ? '1' : '0';
        expect_refused(w, &own);
        own.signature[i] = kept;
    }
}

static void change_operation(struct qrt_intent *intent)
{
    intent->operation = QRT_OP_PRESIGN;
    intent->digest = 0;
    intent->message_len = 0;
}

static void change_account(struct qrt_intent *intent)
{
    intent->account[0] ^= 1;
}

static void change_keyid(struct qrt_intent *intent)
{
    intent->keyid[31] ^= 1;
}

static void change_message(struct qrt_intent *intent)
{
    intent->message = (const uint8_t *)"pay me";
    intent->message_len = 6;
}

static void shorten_message(struct qrt_intent *intent)
{
    intent->message_len--;
}

static void change_digest(struct qrt_intent *intent)
{
    intent->digest = QRT_DIGEST_KECCAK256;
}

static void change_path(struct qrt_intent *intent)
{
    intent->path_n = 1;
}

static void expire(struct qrt_intent *intent)
{
    intent->deadline = (uint64_t)clock_unix_ms() / 1000 - 1;
}

/* Its milliseconds, taken modulo 2^64, are a time a minute ahead. */
static void wrap_deadline(struct qrt_intent *intent)
{
    intent->deadline = UINT64_MAX / 1000 + 1 + (uint64_t)clock_unix_ms() / 1000 + 60;
}

/* Well signed, and about something else than the request. */
static void test_what_says_something_else_is_refused(void **state)
{
    static void (*const changes[])(struct qrt_intent * intent) = {
        change_operation, change_account, change_keyid, change_message, shorten_message,
        change_digest,    change_path,    expire,       wrap_deadline};
    struct world *w = *state;
    struct own_intent own;

    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct qrt_intent intent = good_sign(w);

        changes[i](&intent);
        world_own(&own, &intent, w->caller);
        expect_refused(w, &own);
    }
}

/* The same thing said in another form would have another hash. */
static void test_an_intent_has_one_form(void **state)
{
    struct world *w = *state;
    const struct qrt_intent intent = good_sign(w);
    struct own_intent own;
    struct answer answer;
    uint8_t signature[64];

    world_own(&own, &intent, w->caller);
    own.b[own.len++] = 0;
    qrt_intent_sign(signature, library_ctx(), own.b, own.len, w->caller);
    hex_encode(own.hex, own.b, own.len);
    hex_encode(own.signature, signature, sizeof signature);
    sign_with(w, &answer, &own);
    answer_expect(&answer, 400, "invalid_intent");
    assert_non_null(strstr(answer.status.text, "canonical"));
    assert_int_equal(w->script.calls[DOOR_CREATE], 0);
}

static void test_only_callers_keys_count(void **state)
{
    struct world *w = *state;
    const struct qrt_intent intent = good_sign(w);
    struct own_intent own;
    uint8_t pk[32], secret[64];

    crypto_sign_keypair(pk, secret);
    world_own(&own, &intent, secret);
    expect_refused(w, &own);
    world_own(&own, &intent, w->s->initiator); /* the service's own key is no caller's */
    expect_refused(w, &own);
}

static void test_plain_requests_are_signed_by_the_service(void **state)
{
    struct world *w = *state;
    const Mpc__Coordinator__V1__CreateSessionRequest *q;
    struct qrt_intent intent;
    struct answer answer;

    world_sign(w, &answer, message, NULL, PATIENT_S);
    assert_non_null(answer.message);
    answer_free(&answer);
    q = w->script.sessions[0].q;
    assert_int_equal(qrt_intent_verify(library_ctx(), q->intent.data, q->intent.len,
                                       q->intent_signature.data, q->initiator_key.data),
                     QRT_OK);
    assert_memory_equal(q->initiator_key.data, w->s->initiator + 32, 32);
    assert_int_equal(qrt_intent_decode(&intent, q->intent.data, q->intent.len), QRT_OK);
    assert_int_equal(intent.message_len, strlen(message));
    assert_memory_equal(intent.message, message, strlen(message));
    assert_int_equal(intent.parties_n, SCRIPT_PARTIES);
}

/* Keygen. */

/* A request with an intent of the caller's own, by parties 1 to 3, and its user's key if any. */
struct keygen {
    struct own_intent own;
    Mpc__Account__V1__Participant participants[SCRIPT_PARTIES], *list[SCRIPT_PARTIES];
    Mpc__Account__V1__CreateAccountRequest q;
    char key[65], key_signature[129];
};

static void keygen_of(struct keygen *out, struct world *w, const struct qrt_intent *intent)
{
    out->q = world_create_request(NULL, PATIENT_S);
    world_own(&out->own, intent, w->caller);
    for (size_t i = 0; i < SCRIPT_PARTIES; i++) {
        mpc__account__v1__participant__init(&out->participants[i]);
        out->participants[i].party_id = (char *)(uintptr_t)w->script.party_ids[i];
        out->list[i] = &out->participants[i];
    }
    out->q.participants = out->list;
    out->q.n_participants = SCRIPT_PARTIES;
    out->q.intent = out->own.hex;
    out->q.intent_signature = out->own.signature;
}

static void with_user_key(struct keygen *out, const uint8_t secret[64])
{
    uint8_t key[32], signature[64];

    memset(key, 5, sizeof key);
    user_key_sign(signature, out->own.b, out->own.len, key, secret);
    hex_encode(out->key, key, sizeof key);
    hex_encode(out->key_signature, signature, sizeof signature);
    out->q.user_share = "delegate";
    out->q.user_public_key = out->key;
    out->q.user_key_signature = out->key_signature;
}

static void ask(struct world *w, struct answer *out, const struct keygen *keygen)
{
    world_begin(w, out, "CreateAccount", &keygen->q.base, &mpc__account__v1__account__descriptor);
    world_await(w, out);
}

static void expect_no_keygen(struct world *w, const struct keygen *keygen, const char *name)
{
    struct answer answer;

    ask(w, &answer, keygen);
    answer_expect(&answer, 400, name);
    assert_int_equal(w->script.sessions_n, 0);
    assert_int_equal(world_accounts(w), 0);
}

static void test_an_own_account_is_made_as_it_was_signed(void **state)
{
    struct world *w = *state;
    const struct qrt_intent intent = world_keygen_intent(w);
    struct keygen keygen;
    struct answer answer;
    char id[ID_TEXT_MAX];

    keygen_of(&keygen, w, &intent);
    ask(w, &answer, &keygen);
    if (!answer.message)
        fail_msg("%s", answer.status.text);
    id_text(id, intent.account);
    assert_string_equal(((Mpc__Account__V1__Account *)answer.message)->account_id, id);
    assert_string_equal(((Mpc__Account__V1__Account *)answer.message)->status, "active");
    expect_unchanged(w, &keygen.own);
    assert_int_equal(w->script.sessions[0].q->user_key_signature.len, 0);
    answer_free(&answer);
}

static void test_an_own_account_is_made_once(void **state)
{
    struct world *w = *state;
    struct qrt_intent intent = world_keygen_intent(w);
    struct keygen keygen;
    struct answer answer;

    keygen_of(&keygen, w, &intent);
    ask(w, &answer, &keygen);
    assert_non_null(answer.message);
    answer_free(&answer);
    ask(w, &answer, &keygen);
    answer_expect(&answer, 409, "account_exists");
    assert_int_equal(w->script.sessions_n, 1);
}

static void test_an_own_keygen_with_another_byte_is_refused(void **state)
{
    struct world *w = *state;
    const struct qrt_intent intent = world_keygen_intent(w);
    struct keygen keygen;

    keygen_of(&keygen, w, &intent);
    for (size_t i = 0; i < 2 * keygen.own.len; i++) {
        char kept = keygen.own.hex[i];

        keygen.own.hex[i] = kept == '0' ? '1' : '0';
        expect_no_keygen(w, &keygen, "invalid_intent");
        keygen.own.hex[i] = kept;
    }
}

static void seat_another(struct qrt_intent *intent)
{
    intent->idk[1][0] ^= 1;
}

static void seat_in_another_order(struct qrt_intent *intent)
{
    uint8_t kept[32];

    memcpy(kept, intent->idk[0], 32);
    memcpy(intent->idk[0], intent->idk[1], 32);
    memcpy(intent->idk[1], kept, 32);
}

static void seat_elsewhere(struct qrt_intent *intent)
{
    intent->parties[2] = 4;
}

static void want_all(struct qrt_intent *intent)
{
    intent->t = 3;
}

static void seat_two(struct qrt_intent *intent)
{
    intent->parties_n = 2;
}

static void test_an_own_keygen_that_says_something_else_is_refused(void **state)
{
    static void (*const changes[])(struct qrt_intent * intent) = {
        seat_another, seat_in_another_order, seat_elsewhere, want_all, seat_two, expire};
    struct world *w = *state;
    struct keygen keygen;

    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct qrt_intent intent = world_keygen_intent(w);

        changes[i](&intent);
        keygen_of(&keygen, w, &intent);
        expect_no_keygen(w, &keygen, "invalid_intent");
    }
}

static void test_an_own_keygen_names_its_parties(void **state)
{
    struct world *w = *state;
    const struct qrt_intent intent = world_keygen_intent(w);
    struct keygen keygen;

    keygen_of(&keygen, w, &intent);
    keygen.q.n_participants = 0;
    expect_no_keygen(w, &keygen, "invalid_intent");
}

static void test_a_signing_intent_makes_no_key(void **state)
{
    struct world *w = *state;
    const struct qrt_intent intent = good_sign(w);
    struct keygen keygen;

    keygen_of(&keygen, w, &intent);
    expect_no_keygen(w, &keygen, "invalid_intent");
}

static void test_a_users_key_goes_with_its_signature(void **state)
{
    struct world *w = *state;
    const struct qrt_intent intent = world_keygen_intent(w);
    const Mpc__Coordinator__V1__CreateSessionRequest *q;
    struct keygen keygen;
    struct answer answer;

    world_certify(w, 2, w->script.party_ids[2], "delegate", 2, false);
    keygen_of(&keygen, w, &intent);
    with_user_key(&keygen, w->caller);
    ask(w, &answer, &keygen);
    if (!answer.message)
        fail_msg("%s", answer.status.text);
    answer_free(&answer);
    expect_unchanged(w, &keygen.own);
    q = w->script.sessions[0].q;
    assert_true(
        user_key_verify(q->user_key_signature, q->intent, q->user_public_key, w->caller_pk));
}

static void test_a_users_key_of_somebody_elses_is_refused(void **state)
{
    struct world *w = *state;
    const struct qrt_intent intent = world_keygen_intent(w);
    struct keygen keygen;

    world_certify(w, 2, w->script.party_ids[2], "delegate", 2, false);
    keygen_of(&keygen, w, &intent);
    with_user_key(&keygen, w->s->initiator);
    expect_no_keygen(w, &keygen, "invalid_field");
    with_user_key(&keygen, w->caller);
    keygen.key[0] = keygen.key[0] == '0' ? '1' : '0';
    expect_no_keygen(w, &keygen, "invalid_field");
    keygen.q.user_key_signature = "";
    expect_no_keygen(w, &keygen, "invalid_field");
}

/* The service vouches for the user's key of a plain request. */
static void test_a_plain_users_key_is_signed_by_the_service(void **state)
{
    struct world *w = *state;
    Mpc__Account__V1__CreateAccountRequest q = world_create_request(NULL, PATIENT_S);
    const Mpc__Coordinator__V1__CreateSessionRequest *asked;
    struct answer answer;

    world_certify(w, 2, w->script.party_ids[2], "delegate", 2, false);
    q.user_share = "delegate";
    q.user_public_key = "0505050505050505050505050505050505050505050505050505050505050505";
    world_begin(w, &answer, "CreateAccount", &q.base, &mpc__account__v1__account__descriptor);
    world_await(w, &answer);
    if (!answer.message)
        fail_msg("%s", answer.status.text);
    answer_free(&answer);
    asked = w->script.sessions[0].q;
    assert_true(user_key_verify(asked->user_key_signature, asked->intent, asked->user_public_key,
                                w->s->initiator + 32));
}

/* So that the delegate takes a key from its own caller; nobody else could make it do that. */
static void test_the_service_says_that_it_names_no_users_key(void **state)
{
    struct world *w = *state;
    Mpc__Account__V1__CreateAccountRequest q = world_create_request(NULL, 0);
    const Mpc__Coordinator__V1__CreateSessionRequest *asked;
    struct answer answer;

    world_certify(w, 2, w->script.party_ids[2], "delegate", 2, false);
    q.user_share = "delegate";
    world_begin(w, &answer, "CreateAccount", &q.base, &mpc__account__v1__account__descriptor);
    world_await(w, &answer);
    if (!answer.message)
        fail_msg("%s", answer.status.text);
    answer_free(&answer);
    asked = w->script.sessions[0].q;
    assert_int_equal(asked->user_public_key.len, 0);
    assert_true(user_key_verify(asked->user_key_signature, asked->intent, asked->user_public_key,
                                w->s->initiator + 32));
}

/* Nothing that the release before does not know. */
static void test_the_service_says_nothing_where_a_key_is_configured(void **state)
{
    struct world *w = *state;
    Mpc__Account__V1__CreateAccountRequest q = world_create_request(NULL, 0);
    struct answer answer;

    w->s->has_default_user_key = true;
    world_certify(w, 2, w->script.party_ids[2], "delegate", 2, false);
    q.user_share = "delegate";
    world_begin(w, &answer, "CreateAccount", &q.base, &mpc__account__v1__account__descriptor);
    world_await(w, &answer);
    if (!answer.message)
        fail_msg("%s", answer.status.text);
    answer_free(&answer);
    assert_int_equal(w->script.sessions[0].q->user_public_key.len, 0);
    assert_int_equal(w->script.sessions[0].q->user_key_signature.len, 0);
}

/* Who signs his intent says it himself. */
static void test_a_caller_says_that_he_names_no_users_key(void **state)
{
    struct world *w = *state;
    const struct qrt_intent intent = world_keygen_intent(w);
    const Mpc__Coordinator__V1__CreateSessionRequest *q;
    struct keygen keygen;
    struct answer answer;
    uint8_t signature[64];

    world_certify(w, 2, w->script.party_ids[2], "delegate", 2, false);
    keygen_of(&keygen, w, &intent);
    keygen.q.wait_given_case = MPC__ACCOUNT__V1__CREATE_ACCOUNT_REQUEST__WAIT_GIVEN_WAIT;
    keygen.q.wait = 0;
    with_user_key(&keygen, w->caller);
    keygen.q.user_public_key = "";
    expect_no_keygen(w, &keygen, "invalid_field");
    user_key_sign(signature, keygen.own.b, keygen.own.len, NULL, w->caller);
    hex_encode(keygen.key_signature, signature, sizeof signature);
    ask(w, &answer, &keygen);
    if (!answer.message)
        fail_msg("%s", answer.status.text);
    answer_free(&answer);
    q = w->script.sessions[0].q;
    assert_int_equal(q->user_public_key.len, 0);
    assert_true(
        user_key_verify(q->user_key_signature, q->intent, q->user_public_key, w->caller_pk));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_signed_request_goes_through_unchanged),
        TEST(test_a_changed_byte_is_refused),
        TEST(test_what_says_something_else_is_refused),
        TEST(test_an_intent_has_one_form),
        TEST(test_only_callers_keys_count),
        TEST(test_plain_requests_are_signed_by_the_service),
        TEST(test_an_own_account_is_made_as_it_was_signed),
        TEST(test_an_own_account_is_made_once),
        TEST(test_an_own_keygen_with_another_byte_is_refused),
        TEST(test_an_own_keygen_that_says_something_else_is_refused),
        TEST(test_an_own_keygen_names_its_parties),
        TEST(test_a_signing_intent_makes_no_key),
        TEST(test_a_users_key_goes_with_its_signature),
        TEST(test_a_users_key_of_somebody_elses_is_refused),
        TEST(test_a_plain_users_key_is_signed_by_the_service),
        TEST(test_the_service_says_that_it_names_no_users_key),
        TEST(test_the_service_says_nothing_where_a_key_is_configured),
        TEST(test_a_caller_says_that_he_names_no_users_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
