/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures while the coordinator is slow, absent, lying or dying: what a caller gets is a
 * signature by his account's key over his message, or a clear refusal. */
#include "quorate/signature.h"
#include "system/service/library.h"
#include "system/service/signature.h"
#include "world.h"

#include <sodium.h>
#include <string.h>

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

static struct step refusal(enum rpc_code code)
{
    return (struct step){.act = ACT_REFUSE, .status = {code, .name = "scripted", .text = "so"}};
}

/* The answer's signature verifies, in each of its forms. */
static void expect_signature(struct world *w, struct answer *answer, const char *message)
{
    const Mpc__Account__V1__SignResponse *r = answer->message;
    uint8_t b[SIGNATURE_BYTES], der[QRT_DER_MAX];
    struct qrt_sig sig;
    struct qrt_hash hash;
    size_t len;

    if (!r)
        fail_msg("%s", answer->status.text);
    assert_string_equal(r->status, "completed");
    crypto_hash_sha256(hash.b, (const uint8_t *)message, strlen(message));
    assert_true(signature_read(b, r->signature));
    assert_int_equal(qrt_sig_parse(&sig, library_ctx(), b, sizeof b), QRT_OK);
    assert_int_equal(qrt_sig_verify(library_ctx(), &sig, &hash, &w->pk), QRT_OK);
    assert_true(hex_decode(b, 64, r->signature->compact));
    assert_memory_equal(b, sig.r, 32);
    assert_memory_equal(b + 32, sig.s, 32);
    len = strlen(r->signature->der) / 2;
    assert_true(len <= sizeof der && hex_decode(der, len, r->signature->der));
    assert_int_equal(qrt_sig_parse(&sig, library_ctx(), der, len), QRT_OK);
    assert_memory_equal(sig.r, b, 32);
    answer_free(answer);
}

static void expect_audit(struct world *w, const char *expected)
{
    char audit[128];

    world_stop(w);
    world_audit(w, audit);
    assert_string_equal(audit, expected);
}

static void test_a_message_is_signed(void **state)
{
    struct world *w = *state;
    struct answer answer;

    world_sign(w, &answer, "pay", NULL, PATIENT_S);
    expect_signature(w, &answer, "pay");
    expect_audit(w, "Sign completed");
}

/* Lying. */

static Mpc__Session__V1__Signature told;
static char told_r[65], told_s[65];

static Mpc__Session__V1__Session *session_of(ProtobufCMessage *response)
{
    if (response->descriptor == &mpc__coordinator__v1__create_session_response__descriptor)
        return ((Mpc__Coordinator__V1__CreateSessionResponse *)(void *)response)->session;
    return ((Mpc__Coordinator__V1__GetSessionStatusResponse *)(void *)response)->session;
}

static void tell(ProtobufCMessage *response, const uint8_t signature[64], uint32_t recovery_id)
{
    Mpc__Session__V1__Session *session = session_of(response);

    mpc__session__v1__signature__init(&told);
    hex_encode(told_r, signature, 32);
    hex_encode(told_s, signature + 32, 32);
    told.r = told_r;
    told.s = told_s;
    told.recovery_id = recovery_id;
    session->status = "completed";
    session->signature = &told;
}

/* What the session would have had to sign. */
static void hash_of(const struct script *s, uint8_t hash[32])
{
    assert_true(hex_decode(hash, 32, s->sessions[0].q->message_hash));
}

static void tell_of_another_message(struct script *s, ProtobufCMessage *response)
{
    uint8_t hash[32], signature[64];

    hash_of(s, hash);
    hash[0] ^= 1;
    tell(response, signature, script_sign(signature, s->secret_key, hash));
}

static void tell_by_another_key(struct script *s, ProtobufCMessage *response)
{
    uint8_t hash[32], signature[64], key[32];

    memset(key, 8, sizeof key);
    hash_of(s, hash);
    tell(response, signature, script_sign(signature, key, hash));
}

static void tell_other_recovery(struct script *s, ProtobufCMessage *response)
{
    uint8_t hash[32], signature[64];

    hash_of(s, hash);
    tell(response, signature, script_sign(signature, s->secret_key, hash) ^ 1);
}

static void tell_high_s(struct script *s, ProtobufCMessage *response)
{
    static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
                                      0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b,
                                      0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};
    uint8_t hash[32], signature[64];
    uint8_t recovery_id;
    int borrow = 0;

    hash_of(s, hash);
    recovery_id = script_sign(signature, s->secret_key, hash);
    for (size_t i = 32; i-- > 0;) {
        int digit = order[i] - signature[32 + i] - borrow;

        borrow = digit < 0;
        signature[32 + i] = (uint8_t)(digit + 256 * borrow);
    }
    tell(response, signature, recovery_id ^ 1);
}

static void tell_no_signature(struct script *s, ProtobufCMessage *response)
{
    session_of(response)->signature = NULL;
    (void)s;
}

static void tell_no_scalar(struct script *s, ProtobufCMessage *response)
{
    static char text[] = "not a number";

    session_of(response)->signature->s = text;
    (void)s;
}

static void expect_forged(void **state, enum door door, script_lie *how)
{
    struct world *w = *state;
    struct answer answer;

    script_next(&w->script, door, (struct step){.act = ACT_ANSWER, .lie = how});
    world_sign(w, &answer, "pay", NULL, PATIENT_S);
    answer_expect(&answer, 500, "signature_invalid");
    assert_string_equal(answer.status.session_id, w->script.sessions[0].id);
    assert_null(answer.message);
    expect_audit(w, "Sign forged");
}

static void test_a_signature_of_another_message_is_refused(void **state)
{
    expect_forged(state, DOOR_STATUS, tell_of_another_message);
}

static void test_a_signature_by_another_key_is_refused(void **state)
{
    expect_forged(state, DOOR_STATUS, tell_by_another_key);
}

static void test_a_recovery_id_that_leads_elsewhere_is_refused(void **state)
{
    expect_forged(state, DOOR_STATUS, tell_other_recovery);
}

static void test_a_high_s_is_refused(void **state)
{
    expect_forged(state, DOOR_STATUS, tell_high_s);
}

static void test_completed_without_signature_is_refused(void **state)
{
    expect_forged(state, DOOR_STATUS, tell_no_signature);
}

static void test_a_signature_that_is_none_is_refused(void **state)
{
    expect_forged(state, DOOR_STATUS, tell_no_scalar);
}

static void test_a_forged_end_at_the_beginning_is_refused(void **state)
{
    expect_forged(state, DOOR_CREATE, tell_of_another_message);
}

static void tell_other_forms(struct script *s, ProtobufCMessage *response)
{
    static char text[] = "3000";

    session_of(response)->signature->der = text;
    session_of(response)->signature->compact = text;
    (void)s;
}

static void test_the_forms_are_made_of_what_was_verified(void **state)
{
    struct world *w = *state;
    struct answer answer;

    script_next(&w->script, DOOR_STATUS, (struct step){.act = ACT_ANSWER, .lie = tell_other_forms});
    world_sign(w, &answer, "pay", NULL, PATIENT_S);
    expect_signature(w, &answer, "pay");
}

static void tell_other_session(struct script *s, ProtobufCMessage *response)
{
    static char text[] = "8f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f";

    session_of(response)->session_id = text;
    (void)s;
}

static void test_another_sessions_result_is_refused(void **state)
{
    struct world *w = *state;
    struct answer answer;

    script_next(&w->script, DOOR_STATUS,
                (struct step){.act = ACT_ANSWER, .lie = tell_other_session});
    world_sign(w, &answer, "pay", NULL, PATIENT_S);
    answer_expect(&answer, 500, "coordinator_answer");
}

static void tell_signature_too_early(struct script *s, ProtobufCMessage *response)
{
    tell_of_another_message(s, response);
    session_of(response)->status = "running";
}

/* Waits. */

static void test_without_wait_there_is_a_session_and_no_signature(void **state)
{
    struct world *w = *state;
    const Mpc__Account__V1__SignResponse *r;
    struct answer answer;

    w->script.is_quick = false;
    script_next(&w->script, DOOR_CREATE,
                (struct step){.act = ACT_ANSWER, .lie = tell_signature_too_early});
    world_sign(w, &answer, "pay", NULL, 0);
    r = answer.message;
    assert_non_null(r);
    assert_string_equal(r->session_id, w->script.sessions[0].id);
    assert_string_equal(r->status, "running");
    assert_null(r->signature);
    assert_int_equal(w->script.calls[DOOR_STATUS], 0);
    answer_free(&answer);
}

static void test_when_the_wait_is_over_a_repeat_gets_the_signature(void **state)
{
    struct world *w = *state;
    struct answer answer;

    w->script.is_quick = false;
    world_sign(w, &answer, "pay", "key", HASTY_S);
    answer_expect(&answer, 504, "wait_over");
    assert_string_equal(answer.status.session_id, w->script.sessions[0].id);
    script_complete(&w->script, &w->script.sessions[0]);
    world_sign(w, &answer, "pay", "key", PATIENT_S);
    expect_signature(w, &answer, "pay");
    assert_int_equal(w->script.sessions_n, 1);
}

static void test_the_session_tells_its_end_to_whoever_asks(void **state)
{
    struct world *w = *state;
    Mpc__Account__V1__GetSessionRequest q = MPC__ACCOUNT__V1__GET_SESSION_REQUEST__INIT;
    const Mpc__Session__V1__Session *session;
    struct answer answer;

    w->script.is_quick = false;
    world_sign(w, &answer, "pay", NULL, 0);
    answer_free(&answer);
    q.session_id = w->script.sessions[0].id;
    q.wait_given_case = MPC__ACCOUNT__V1__GET_SESSION_REQUEST__WAIT_GIVEN_WAIT;
    q.wait = PATIENT_S;
    world_begin(w, &answer, "GetSession", &q.base, &mpc__session__v1__session__descriptor);
    world_until_called(w, DOOR_STATUS, 1);
    script_complete(&w->script, &w->script.sessions[0]);
    script_release(&w->script);
    world_await(w, &answer);
    session = answer.message;
    assert_non_null(session);
    assert_string_equal(session->status, "completed");
    assert_non_null(session->signature);
    answer_free(&answer);
}

/* Absent and dying. */

static void test_without_coordinator_nothing_is_signed(void **state)
{
    struct world *w = *state;
    struct answer answer;

    for (size_t i = 0; i < 3; i++)
        script_next(&w->script, DOOR_CREATE, refusal(RPC_UNAVAILABLE));
    world_sign(w, &answer, "pay", NULL, PATIENT_S);
    answer_expect(&answer, 503, "scripted");
    assert_int_equal(w->script.calls[DOOR_CREATE], 3);
}

/* The wait is enough for one try: no other is begun whose answer nobody waits for. */
static void test_a_silent_coordinator_is_waited_for_as_long_as_the_caller_does(void **state)
{
    struct world *w = *state;
    struct answer answer;

    for (size_t i = 0; i < 3; i++)
        script_next(&w->script, DOOR_CREATE, (struct step){.act = ACT_HOLD});
    world_sign(w, &answer, "pay", NULL, HASTY_S);
    answer_expect(&answer, 504, "deadline");
    assert_int_equal(w->script.calls[DOOR_CREATE], 1);
    script_drop(&w->script);
}

static void die_once_at(struct world *w, enum door door, enum act act)
{
    Mpc__Account__V1__SignRequest q = MPC__ACCOUNT__V1__SIGN_REQUEST__INIT;
    struct answer answer;

    q.account_id = WORLD_ACCOUNT;
    q.message = "pay";
    q.message_encoding = "utf8";
    q.hash = "sha256";
    script_next(&w->script, door, (struct step){.act = act});
    world_begin(w, &answer, "Sign", &q.base, &mpc__account__v1__sign_response__descriptor);
    world_until_dead(w);
    script_revive(&w->script);
    world_await(w, &answer);
    expect_signature(w, &answer, "pay");
    assert_int_equal(w->script.sessions_n, 1);
}

static void test_a_request_that_was_lost_is_made_again(void **state)
{
    die_once_at(*state, DOOR_CREATE, ACT_DIE_BEFORE);
}

static void test_an_answer_that_was_lost_is_asked_for_again(void **state)
{
    die_once_at(*state, DOOR_CREATE, ACT_DIE_AFTER);
}

static void test_a_cut_watch_is_taken_up_again(void **state)
{
    die_once_at(*state, DOOR_STATUS, ACT_DIE_BEFORE);
}

static void test_a_watch_gives_up_with_the_sessions_id(void **state)
{
    struct world *w = *state;
    struct answer answer;

    script_next(&w->script, DOOR_STATUS, refusal(RPC_NOT_FOUND));
    world_sign(w, &answer, "pay", NULL, PATIENT_S);
    answer_expect(&answer, 404, "scripted");
    script_next(&w->script, DOOR_STATUS, refusal(RPC_DENIED));
    world_sign(w, &answer, "pay", NULL, PATIENT_S);
    answer_expect(&answer, 403, "scripted");
    assert_string_equal(answer.status.session_id, w->script.sessions[1].id);
}

/* Ends that are no success. */

static void test_a_refusal_says_why(void **state)
{
    static const struct {
        const char *status, *error;
        int http;
        const char *name;
    } ends[] = {{"failed", "party-2 is silent", 422, "session_failed"},
                {"expired", "nobody came", 504, "session_expired"},
                {"cancelled", "", 409, "session_cancelled"}};
    struct world *w = *state;
    Mpc__Account__V1__SignRequest q = MPC__ACCOUNT__V1__SIGN_REQUEST__INIT;
    struct answer answer;

    w->script.is_quick = false;
    q.account_id = WORLD_ACCOUNT;
    q.message = "0000000000000000000000000000000000000000000000000000000000000001";
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        world_begin(w, &answer, "Sign", &q.base, &mpc__account__v1__sign_response__descriptor);
        world_until_called(w, DOOR_STATUS, (unsigned)i + 1);
        script_end(&w->script, &w->script.sessions[i], ends[i].status, ends[i].error);
        world_await(w, &answer);
        answer_expect(&answer, ends[i].http, ends[i].name);
        assert_string_equal(answer.status.session_id, w->script.sessions[i].id);
        assert_true(!*ends[i].error || strcmp(answer.status.text, ends[i].error) == 0);
    }
    expect_audit(w, "Sign cancelled");
}

/* Repeats. */

static void test_a_repeat_gets_the_same_signature(void **state)
{
    struct world *w = *state;
    struct answer answer;

    world_sign(w, &answer, "pay", "key", PATIENT_S);
    expect_signature(w, &answer, "pay");
    world_sign(w, &answer, "pay", "key", PATIENT_S);
    expect_signature(w, &answer, "pay");
    assert_int_equal(w->script.sessions_n, 1);
    assert_int_equal(w->script.calls[DOOR_CREATE], 1);
    world_sign(w, &answer, "pay", NULL, PATIENT_S);
    expect_signature(w, &answer, "pay");
    assert_int_equal(w->script.sessions_n, 2);
}

/* What a hint leads to is checked; if it is no answer to this request, who asks again is answered as
 * if there had been no hint. */
static void test_a_hint_that_leads_astray_is_left(void **state)
{
    const struct step steps[] = {{.act = ACT_ANSWER, .lie = tell_of_another_message},
                                 {.act = ACT_ANSWER, .lie = tell_no_signature},
                                 {.act = ACT_ANSWER, .lie = tell_other_session},
                                 {.act = ACT_ANSWER, .lie = tell_signature_too_early},
                                 {.act = ACT_REFUSE, .status = {.code = RPC_NOT_FOUND}}};
    struct world *w = *state;
    struct answer answer;

    world_sign(w, &answer, "pay", "key", PATIENT_S);
    expect_signature(w, &answer, "pay");
    for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        script_next(&w->script, DOOR_STATUS, steps[i]);
        world_sign(w, &answer, "pay", "key", PATIENT_S);
        expect_signature(w, &answer, "pay");
        assert_int_equal(w->script.calls[DOOR_CREATE], i + 2);
    }
    assert_int_equal(w->script.sessions_n, 1);
}

static void test_another_message_under_the_same_key_is_a_conflict(void **state)
{
    struct world *w = *state;
    struct answer answer;

    world_sign(w, &answer, "pay", "key", PATIENT_S);
    expect_signature(w, &answer, "pay");
    world_sign(w, &answer, "pay more", "key", PATIENT_S);
    answer_expect(&answer, 409, "idempotency_conflict");
}

/* Accounts that cannot sign. */

static void test_only_active_accounts_sign(void **state)
{
    struct world *w = *state;
    Mpc__Account__V1__SignRequest q = MPC__ACCOUNT__V1__SIGN_REQUEST__INIT;
    struct answer answer;

    q.account_id = "8f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f";
    q.message = "0000000000000000000000000000000000000000000000000000000000000001";
    world_begin(w, &answer, "Sign", &q.base, &mpc__account__v1__sign_response__descriptor);
    world_await(w, &answer);
    answer_expect(&answer, 404, "account_not_found");
    w->script.is_quick = false;
    world_create(w, &answer, NULL, 0);
    answer_free(&answer);
    q.account_id = w->script.sessions[0].account_id;
    world_begin(w, &answer, "Sign", &q.base, &mpc__account__v1__sign_response__descriptor);
    world_await(w, &answer);
    answer_expect(&answer, 409, "account_not_active");
    assert_int_equal(w->script.sessions_n, 1);
}

/* The form of /mpc/sign. */

static void test_a_signing_session_is_answered_in_its_form(void **state)
{
    struct world *w = *state;
    Mpc__Account__V1__SignSessionRequest q = MPC__ACCOUNT__V1__SIGN_SESSION_REQUEST__INIT;
    const Mpc__Account__V1__SignSessionResponse *r;
    struct answer answer;

    q.account_id = WORLD_ACCOUNT;
    q.message_hash = "0000000000000000000000000000000000000000000000000000000000000001";
    world_begin(w, &answer, "SignSession", &q.base,
                &mpc__account__v1__sign_session_response__descriptor);
    world_await(w, &answer);
    r = answer.message;
    assert_non_null(r);
    assert_string_equal(r->status, "completed");
    assert_string_equal(r->keygen_session_id, WORLD_KEYGEN);
    assert_string_equal(r->message_hash, q.message_hash);
    assert_non_null(r->signature);
    answer_free(&answer);
    script_next(&w->script, DOOR_STATUS,
                (struct step){.act = ACT_ANSWER, .lie = tell_no_signature});
    world_begin(w, &answer, "SignSession", &q.base,
                &mpc__account__v1__sign_session_response__descriptor);
    world_await(w, &answer);
    answer_expect(&answer, 500, "signature_invalid");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_message_is_signed),
        TEST(test_a_signature_of_another_message_is_refused),
        TEST(test_a_signature_by_another_key_is_refused),
        TEST(test_a_recovery_id_that_leads_elsewhere_is_refused),
        TEST(test_a_high_s_is_refused),
        TEST(test_completed_without_signature_is_refused),
        TEST(test_a_signature_that_is_none_is_refused),
        TEST(test_a_forged_end_at_the_beginning_is_refused),
        TEST(test_the_forms_are_made_of_what_was_verified),
        TEST(test_another_sessions_result_is_refused),
        TEST(test_without_wait_there_is_a_session_and_no_signature),
        TEST(test_when_the_wait_is_over_a_repeat_gets_the_signature),
        TEST(test_the_session_tells_its_end_to_whoever_asks),
        TEST(test_without_coordinator_nothing_is_signed),
        TEST(test_a_silent_coordinator_is_waited_for_as_long_as_the_caller_does),
        TEST(test_a_request_that_was_lost_is_made_again),
        TEST(test_an_answer_that_was_lost_is_asked_for_again),
        TEST(test_a_cut_watch_is_taken_up_again),
        TEST(test_a_watch_gives_up_with_the_sessions_id),
        TEST(test_a_refusal_says_why),
        TEST(test_a_repeat_gets_the_same_signature),
        TEST(test_a_hint_that_leads_astray_is_left),
        TEST(test_another_message_under_the_same_key_is_a_conflict),
        TEST(test_only_active_accounts_sign),
        TEST(test_a_signing_session_is_answered_in_its_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
