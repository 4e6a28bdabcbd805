/* SPDX-License-Identifier: Apache-2.0 */
/* Making accounts while the coordinator is slow, absent, lying or dying: an account is active with
 * the key that was asked for, or it is not there, or it says why not. */
#include "quorate/certificate.h"
#include "services/account/request.h"
#include "system/service/library.h"
#include "world.h"

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

static struct step lie(script_lie *how)
{
    return (struct step){.act = ACT_ANSWER, .lie = how};
}

static const struct step hold = {.act = ACT_HOLD};

/* The account of the answer is active with the key that the parties made in the first session. */
static void expect_active(struct world *w, struct answer *answer)
{
    const struct script_session *session = &w->script.sessions[0];
    const Mpc__Account__V1__Account *account = answer->message;
    struct qrt_key_certificate key;
    char public_key[67];

    if (!account)
        fail_msg("%s", answer->status.text);
    assert_int_equal(
        qrt_certificate_open(&key, library_ctx(), session->certificate, session->certificate_len),
        QRT_OK);
    hex_encode(public_key, key.pk, 33);
    assert_string_equal(account->status, "active");
    assert_string_equal(account->public_key, public_key);
    assert_int_equal(strlen(account->addresses->ethereum), 42);
    assert_int_equal(account->n_parties, SCRIPT_PARTIES);
    assert_string_equal(account->session_id, session->id);
    answer_free(answer);
}

/* The account of the first session has ended badly, and shows no key. */
static void expect_failed(struct world *w, const char *error)
{
    struct answer answer = world_settled(w, w->script.sessions[0].account_id);
    const Mpc__Account__V1__Account *account = answer.message;

    assert_non_null(account);
    assert_string_equal(account->status, "failed");
    assert_string_equal(account->error, error);
    assert_string_equal(account->public_key, "");
    assert_null(account->addresses);
    answer_free(&answer);
}

static void test_an_account_is_made(void **state)
{
    struct world *w = *state;
    struct answer answer;
    char audit[128];

    world_create(w, &answer, NULL, PATIENT_S);
    expect_active(w, &answer);
    assert_int_equal(world_accounts(w), 1);
    world_stop(w);
    world_audit(w, audit);
    assert_string_equal(audit, "CreateAccount active");
}

/* Nobody could name the key to the delegate while the caller waits. */
static void test_who_waits_for_a_users_share_names_its_key(void **state)
{
    struct world *w = *state;
    Mpc__Account__V1__CreateAccountRequest request = world_create_request(NULL, PATIENT_S);
    struct answer answer;

    request.user_share = "delegate";
    world_begin(w, &answer, "CreateAccount", &request.base, &mpc__account__v1__account__descriptor);
    world_await(w, &answer);
    answer_expect(&answer, 400, "user_public_key_missing");
    assert_int_equal(world_accounts(w), 0);
    assert_int_equal(w->script.calls[DOOR_SELECT], 0);
    answer_free(&answer);
    request.wait = 0;
    world_begin(w, &answer, "CreateAccount", &request.base, &mpc__account__v1__account__descriptor);
    world_await(w, &answer);
    assert_int_equal(w->script.calls[DOOR_SELECT], 1);
    answer_free(&answer);
}

/* Absent. */

static void test_without_coordinator_there_is_no_account(void **state)
{
    struct world *w = *state;
    struct answer answer;

    script_next(&w->script, DOOR_SELECT, refusal(RPC_UNAVAILABLE));
    world_create(w, &answer, NULL, PATIENT_S);
    answer_expect(&answer, 503, "scripted");
    assert_int_equal(world_accounts(w), 0);
}

static void test_a_coordinator_that_dies_while_it_chooses_leaves_no_account(void **state)
{
    struct world *w = *state;
    struct answer answer;

    script_next(&w->script, DOOR_SELECT, (struct step){.act = ACT_DIE_BEFORE});
    world_create_begin(w, &answer, NULL, PATIENT_S);
    world_until_dead(w);
    world_await(w, &answer);
    assert_int_equal(rpc_http_status(&answer.status), 503);
    assert_int_equal(world_accounts(w), 0);
}

static void test_a_refused_keygen_leaves_no_account(void **state)
{
    struct world *w = *state;
    struct answer answer;

    script_next(&w->script, DOOR_CREATE, refusal(RPC_IMPOSSIBLE));
    world_create(w, &answer, NULL, PATIENT_S);
    answer_expect(&answer, 422, "scripted");
    assert_int_equal(w->script.calls[DOOR_CREATE], 1);
    assert_int_equal(world_accounts(w), 0);
}

/* It may have begun: the row stays until it is known, and a start finds out. */
static void test_a_keygen_of_which_nobody_knows_is_looked_up(void **state)
{
    struct world *w = *state;
    struct answer answer;

    for (size_t i = 0; i < 3; i++)
        script_next(&w->script, DOOR_CREATE, refusal(RPC_UNAVAILABLE));
    world_create(w, &answer, "key", PATIENT_S);
    answer_expect(&answer, 503, "scripted");
    assert_int_equal(w->script.calls[DOOR_CREATE], 3);
    assert_int_equal(world_accounts(w), 1);
    world_stop(w);
    world_start(w);
    world_until_called(w, DOOR_LIST, 1);
    world_create(w, &answer, "key", PATIENT_S);
    answer_expect(&answer, 422, "keygen_failed");
    assert_int_equal(world_accounts(w), 1);
}

/* Slow. */

static void test_a_slow_coordinator_is_waited_for(void **state)
{
    struct world *w = *state;
    struct answer answer;

    script_next(&w->script, DOOR_SELECT, hold);
    script_next(&w->script, DOOR_CREATE, hold);
    script_next(&w->script, DOOR_STATUS, hold);
    world_create_begin(w, &answer, NULL, PATIENT_S);
    for (enum door door = DOOR_SELECT; door <= DOOR_STATUS; door++) {
        world_until_called(w, door, 1);
        assert_false(answer.is_there);
        script_release(&w->script);
    }
    world_await(w, &answer);
    expect_active(w, &answer);
}

static void test_without_wait_the_answer_is_pending(void **state)
{
    struct world *w = *state;
    struct answer answer;
    const Mpc__Account__V1__Account *account;

    w->script.is_quick = false;
    world_create(w, &answer, NULL, 0);
    account = answer.message;
    assert_non_null(account);
    assert_string_equal(account->status, "pending");
    assert_string_equal(account->public_key, "");
    assert_string_equal(account->session_id, w->script.sessions[0].id);
    answer_free(&answer);
    world_until_called(w, DOOR_STATUS, 1);
    script_complete(&w->script, &w->script.sessions[0]);
    script_release(&w->script);
    answer = world_settled(w, w->script.sessions[0].account_id);
    expect_active(w, &answer);
}

static void test_when_the_wait_is_over_the_session_goes_on(void **state)
{
    struct world *w = *state;
    struct answer answer;

    w->script.is_quick = false;
    world_create(w, &answer, NULL, HASTY_S);
    answer_expect(&answer, 504, "wait_over");
    assert_string_equal(answer.status.session_id, w->script.sessions[0].id);
    world_until_called(w, DOOR_STATUS, 2);
    script_complete(&w->script, &w->script.sessions[0]);
    script_release(&w->script);
    answer = world_settled(w, w->script.sessions[0].account_id);
    expect_active(w, &answer);
}

/* Dying. */

static void die_once_at(struct world *w, enum door door, enum act act)
{
    struct answer answer;

    script_next(&w->script, door, (struct step){.act = act});
    world_create_begin(w, &answer, NULL, PATIENT_S);
    world_until_dead(w);
    script_revive(&w->script);
    world_await(w, &answer);
    expect_active(w, &answer);
    assert_int_equal(w->script.sessions_n, 1);
    assert_int_equal(world_accounts(w), 1);
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

/* Lying. */

static uint8_t other_key[4096];
static size_t other_key_len;

/* Of a key that the same parties made for somebody else. */
static void tell_other_key(struct script *s, ProtobufCMessage *response)
{
    Mpc__Coordinator__V1__GetSessionStatusResponse *r = (void *)response;
    const ProtobufCBinaryData *intent = &s->sessions[0].q->intent;
    struct qrt_intent other;
    uint8_t b[1024];
    size_t len;

    assert_int_equal(qrt_intent_decode(&other, intent->data, intent->len), QRT_OK);
    other.nonce[0] ^= 1;
    assert_int_equal(qrt_intent_encode(&other, b, sizeof b, &len), QRT_OK);
    other_key_len = script_certificate(other_key, sizeof other_key, b, len);
    r->certificate = (ProtobufCBinaryData){other_key_len, other_key};
}

static void tell_other_point(struct script *s, ProtobufCMessage *response)
{
    Mpc__Coordinator__V1__GetSessionStatusResponse *r = (void *)response;
    struct qrt_key_certificate key;

    memcpy(other_key, r->certificate.data, r->certificate.len);
    assert_int_equal(qrt_certificate_open(&key, library_ctx(), other_key, r->certificate.len),
                     QRT_OK);
    other_key[key.pk - other_key] ^= 1; /* the negated point: in form, and not theirs */
    r->certificate.data = other_key;
    (void)s;
}

static void tell_no_key(struct script *s, ProtobufCMessage *response)
{
    ((Mpc__Coordinator__V1__GetSessionStatusResponse *)(void *)response)->certificate =
        (ProtobufCBinaryData){0, NULL};
    (void)s;
}

static void expect_no_key(struct world *w, script_lie *how)
{
    struct answer answer;

    script_next(&w->script, DOOR_STATUS, lie(how));
    world_create(w, &answer, NULL, PATIENT_S);
    answer_expect(&answer, 422, "keygen_failed");
    expect_failed(w, "the parties' certificate of this key does not verify");
}

static void test_the_key_of_another_intent_is_refused(void **state)
{
    expect_no_key(*state, tell_other_key);
}

static void test_another_public_key_is_refused(void **state)
{
    expect_no_key(*state, tell_other_point);
}

static void test_a_finished_keygen_without_a_key_is_refused(void **state)
{
    expect_no_key(*state, tell_no_key);
}

static char some_id[] = "8f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f";

static void tell_other_session(struct script *s, ProtobufCMessage *response)
{
    ((Mpc__Coordinator__V1__GetSessionStatusResponse *)(void *)response)->session->session_id =
        some_id;
    (void)s;
}

static void tell_no_session(struct script *s, ProtobufCMessage *response)
{
    ((Mpc__Coordinator__V1__CreateSessionResponse *)(void *)response)->session = NULL;
    (void)s;
}

/* Nobody knows how the keygen ends: the account waits for the truth. */
static void expect_pending(struct world *w, enum door door, script_lie *how)
{
    struct answer answer;

    script_next(&w->script, door, lie(how));
    world_create(w, &answer, NULL, PATIENT_S);
    answer_expect(&answer, 500, "coordinator_answer");
    answer = world_get(w, w->script.sessions[0].account_id);
    assert_non_null(answer.message);
    assert_string_equal(((Mpc__Account__V1__Account *)answer.message)->status, "pending");
    answer_free(&answer);
    world_stop(w);
    world_start(w);
    answer = world_settled(w, w->script.sessions[0].account_id);
    expect_active(w, &answer);
}

static void test_another_sessions_result_is_no_result(void **state)
{
    expect_pending(*state, DOOR_STATUS, tell_other_session);
}

static void test_an_answer_without_session_is_no_answer(void **state)
{
    expect_pending(*state, DOOR_CREATE, tell_no_session);
}

static void tell_public_key(struct script *s, ProtobufCMessage *response)
{
    static char text[] = "02aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    ((Mpc__Coordinator__V1__GetSessionStatusResponse *)(void *)response)->session->public_key =
        text;
    (void)s;
}

static void test_the_key_is_what_the_parties_signed(void **state)
{
    struct world *w = *state;
    struct answer answer;

    script_next(&w->script, DOOR_STATUS, lie(tell_public_key));
    world_create(w, &answer, NULL, PATIENT_S);
    expect_active(w, &answer);
}

/* Ends that are no success. */

static void test_an_account_says_why_it_failed(void **state)
{
    static const struct {
        const char *status, *error, *told;
    } ends[] = {{"failed", "party-2 is silent", "party-2 is silent"},
                {"expired", "nobody came", "nobody came"},
                {"cancelled", "", NULL}};
    struct world *w = *state;
    struct answer answer;

    w->script.is_quick = false;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct script_session *session = &w->script.sessions[i];

        world_create_begin(w, &answer, NULL, PATIENT_S);
        world_until_called(w, DOOR_STATUS, (unsigned)i + 1);
        script_end(&w->script, session, ends[i].status, ends[i].error);
        world_await(w, &answer);
        answer_expect(&answer, 422, "keygen_failed");
        assert_string_equal(answer.status.session_id, session->id);
        if (ends[i].told)
            assert_string_equal(answer.status.text, ends[i].told);
        else
            assert_non_null(strstr(answer.status.text, "was cancelled"));
    }
    expect_failed(w, "party-2 is silent");
}

/* Repeats. */

static void test_a_repeat_gets_the_same_account(void **state)
{
    struct world *w = *state;
    struct answer answer;

    world_create(w, &answer, "key", PATIENT_S);
    expect_active(w, &answer);
    world_create(w, &answer, "key", PATIENT_S);
    expect_active(w, &answer);
    assert_int_equal(w->script.calls[DOOR_CREATE], 1);
    assert_int_equal(world_accounts(w), 1);
}

static void note(struct world *w, const char *key, const char *account_id)
{
    Mpc__Account__V1__CreateAccountRequest q = world_create_request(key, PATIENT_S);
    struct repeat repeat = {.scope = "", .idempotency_key = key};
    struct request_create req;
    struct rpc_status status;

    assert_true(request_create(&req, &q, 20, &status));
    request_create_hash(repeat.request, &req, NULL, 0);
    repeat_note(w->s->repeats, &repeat, account_id);
}

/* Another replica answered before. */
static void test_a_hint_leads_to_the_account(void **state)
{
    struct world *w = *state;
    struct answer answer;

    note(w, "key", WORLD_ACCOUNT);
    world_create(w, &answer, "key", PATIENT_S);
    assert_int_equal(answer.status.code, RPC_OK);
    assert_string_equal(((Mpc__Account__V1__Account *)(void *)answer.message)->account_id,
                        WORLD_ACCOUNT);
    answer_free(&answer);
    assert_int_equal(w->script.calls[DOOR_SELECT], 0);
}

/* The database was restored from a backup since. */
static void test_a_hint_to_no_account_is_left(void **state)
{
    struct world *w = *state;
    struct answer answer;

    note(w, "key", "8f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f");
    world_create(w, &answer, "key", PATIENT_S);
    expect_active(w, &answer);
    assert_int_equal(world_accounts(w), 1);
}

static void test_another_request_under_the_same_key_is_a_conflict(void **state)
{
    struct world *w = *state;
    struct answer answer;
    Mpc__Account__V1__CreateAccountRequest q = world_create_request("key", PATIENT_S);

    world_create(w, &answer, "key", PATIENT_S);
    expect_active(w, &answer);
    q.user_id = "user-2";
    world_begin(w, &answer, "CreateAccount", &q.base, &mpc__account__v1__account__descriptor);
    world_await(w, &answer);
    answer_expect(&answer, 409, "idempotency_conflict");
    assert_int_equal(world_accounts(w), 1);
}

static void test_a_repeat_waits_for_the_first(void **state)
{
    struct world *w = *state;
    struct answer first, second;

    script_next(&w->script, DOOR_SELECT, hold);
    world_create_begin(w, &first, "key", PATIENT_S);
    world_until_called(w, DOOR_SELECT, 1);
    world_create_begin(w, &second, "key", PATIENT_S);
    world_until_called(w, DOOR_LIST, 1); /* it looks for the session, and there is none */
    script_release(&w->script);
    world_await(w, &first);
    expect_active(w, &first);
    world_await(w, &second);
    expect_active(w, &second);
    assert_int_equal(w->script.sessions_n, 1);
}

/* The repeat read the row before the intent was stored, and asks for the session after it was made:
 * without the intent it cannot tell the right key from a wrong one. */
static void test_a_repeat_that_read_too_early_reads_again(void **state)
{
    const struct step done_and_held = {.act = ACT_DO_AND_HOLD};
    struct world *w = *state;
    struct answer first, second;

    script_next(&w->script, DOOR_SELECT, hold);
    script_next(&w->script, DOOR_LIST, hold);
    script_next(&w->script, DOOR_CREATE, done_and_held);
    world_create_begin(w, &first, "key", PATIENT_S);
    world_until_called(w, DOOR_SELECT, 1);
    world_create_begin(w, &second, "key", PATIENT_S);
    world_until_called(w, DOOR_LIST, 1);
    script_release_at(&w->script, DOOR_SELECT);
    world_until_called(w, DOOR_CREATE, 1);
    script_release_at(&w->script, DOOR_LIST);
    world_await(w, &second);
    expect_active(w, &second);
    script_release_at(&w->script, DOOR_CREATE);
    world_await(w, &first);
    expect_active(w, &first);
    assert_int_equal(w->script.sessions_n, 1);
}

static void test_a_repeat_hears_that_the_first_gave_up(void **state)
{
    struct world *w = *state;
    struct answer first, second;

    script_next(&w->script, DOOR_SELECT, hold);
    world_create_begin(w, &first, "key", PATIENT_S);
    world_until_called(w, DOOR_SELECT, 1);
    world_create_begin(w, &second, "key", PATIENT_S);
    world_until_called(w, DOOR_LIST, 1);
    script_refuse(&w->script, RPC_UNAVAILABLE);
    world_await(w, &first);
    answer_expect(&first, 503, "scripted");
    world_await(w, &second);
    answer_expect(&second, 409, "request_failed");
    assert_int_equal(world_accounts(w), 0);
}

static void test_a_repeat_ends_with_the_service(void **state)
{
    struct world *w = *state;
    struct answer first, second;

    script_next(&w->script, DOOR_SELECT, hold);
    world_create_begin(w, &first, "key", PATIENT_S);
    world_until_called(w, DOOR_SELECT, 1);
    world_create_begin(w, &second, "key", PATIENT_S);
    world_until_called(w, DOOR_LIST, 2);
    world_stop(w);
    assert_true(first.is_there && second.is_there);
    assert_null(first.message);
    assert_null(second.message);
}

/* The form of /mpc/keygen: answered when the session is there. */
static void test_a_keygen_session_is_answered_at_once(void **state)
{
    struct world *w = *state;
    Mpc__Account__V1__KeygenRequest q = MPC__ACCOUNT__V1__KEYGEN_REQUEST__INIT;
    const Mpc__Account__V1__KeygenResponse *r;
    struct answer answer;

    w->script.is_quick = false;
    q.idempotency_key = "key";
    for (size_t i = 0; i < 2; i++) { /* the repeat too */
        world_begin(w, &answer, "Keygen", &q.base, &mpc__account__v1__keygen_response__descriptor);
        world_await(w, &answer);
        r = answer.message;
        assert_non_null(r);
        assert_string_equal(r->status, "waiting");
        assert_string_equal(r->session_id, w->script.sessions[0].id);
        assert_string_equal(r->account_id, w->script.sessions[0].account_id);
        answer_free(&answer);
    }
    assert_int_equal(w->script.sessions_n, 1);
    assert_true(w->script.sessions[0].q->want_tokens);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_an_account_is_made),
        TEST(test_who_waits_for_a_users_share_names_its_key),
        TEST(test_without_coordinator_there_is_no_account),
        TEST(test_a_coordinator_that_dies_while_it_chooses_leaves_no_account),
        TEST(test_a_refused_keygen_leaves_no_account),
        TEST(test_a_keygen_of_which_nobody_knows_is_looked_up),
        TEST(test_a_slow_coordinator_is_waited_for),
        TEST(test_without_wait_the_answer_is_pending),
        TEST(test_when_the_wait_is_over_the_session_goes_on),
        TEST(test_a_request_that_was_lost_is_made_again),
        TEST(test_an_answer_that_was_lost_is_asked_for_again),
        TEST(test_a_cut_watch_is_taken_up_again),
        TEST(test_the_key_of_another_intent_is_refused),
        TEST(test_another_public_key_is_refused),
        TEST(test_a_finished_keygen_without_a_key_is_refused),
        TEST(test_another_sessions_result_is_no_result),
        TEST(test_an_answer_without_session_is_no_answer),
        TEST(test_the_key_is_what_the_parties_signed),
        TEST(test_an_account_says_why_it_failed),
        TEST(test_a_repeat_gets_the_same_account),
        TEST(test_a_hint_leads_to_the_account),
        TEST(test_a_hint_to_no_account_is_left),
        TEST(test_another_request_under_the_same_key_is_a_conflict),
        TEST(test_a_repeat_waits_for_the_first),
        TEST(test_a_repeat_that_read_too_early_reads_again),
        TEST(test_a_repeat_hears_that_the_first_gave_up),
        TEST(test_a_repeat_ends_with_the_service),
        TEST(test_a_keygen_session_is_answered_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
