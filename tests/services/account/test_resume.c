/* SPDX-License-Identifier: Apache-2.0 */
/* What a cut of power left behind: whatever stood on the disk then, the next start makes an account
 * of it that is active with its key, or says that it failed; and the caller who asks again under
 * his key gets that very account. */
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

/* An account is being made, and the service dies when the coordinator was asked at |door|, which
 * does |act|. The id of the account, that its caller never heard. */
static void crash_at(struct world *w, enum door door, enum act act, char id[ID_TEXT_MAX])
{
    Mpc__Account__V1__ListAccountsRequest q = MPC__ACCOUNT__V1__LIST_ACCOUNTS_REQUEST__INIT;
    const Mpc__Account__V1__ListAccountsResponse *r;
    struct answer lost, list;

    script_next(&w->script, door, (struct step){.act = act});
    world_create_begin(w, &lost, "key", PATIENT_S);
    world_until_called(w, door, 1);
    q.user_id = "user-1";
    world_begin(w, &list, "ListAccounts", &q.base,
                &mpc__account__v1__list_accounts_response__descriptor);
    world_await(w, &list);
    r = list.message;
    assert_int_equal(r->n_accounts, 1);
    assert_string_equal(r->accounts[0]->status, "pending");
    memcpy(id, r->accounts[0]->account_id, ID_TEXT_MAX);
    answer_free(&list);
    world_crash(w);
    assert_null(lost.message);
    script_drop(&w->script);
}

static void expect(struct world *w, const char *id, const char *status)
{
    struct answer answer = world_settled(w, id);
    const Mpc__Account__V1__Account *account = answer.message;

    assert_non_null(account);
    assert_string_equal(account->status, status);
    assert_int_equal(strlen(account->public_key), strcmp(status, "active") == 0 ? 66 : 0);
    answer_free(&answer);
    assert_int_equal(world_accounts(w), 1);
}

/* Whoever asks again hears of the same account. */
static void expect_repeat(struct world *w, const char *id)
{
    struct answer answer;

    world_create(w, &answer, "key", PATIENT_S);
    assert_non_null(answer.message);
    assert_string_equal(((Mpc__Account__V1__Account *)answer.message)->account_id, id);
    answer_free(&answer);
    assert_int_equal(w->script.sessions_n, 1);
}

static void test_a_row_without_parties_has_failed(void **state)
{
    struct world *w = *state;
    char id[ID_TEXT_MAX];

    crash_at(w, DOOR_SELECT, ACT_HOLD, id);
    world_start(w);
    expect(w, id, "failed");
    assert_int_equal(w->script.sessions_n, 0);
}

static void test_a_row_without_session_has_failed(void **state)
{
    struct world *w = *state;
    struct answer answer;
    char id[ID_TEXT_MAX];

    crash_at(w, DOOR_CREATE, ACT_HOLD, id);
    world_start(w);
    expect(w, id, "failed");
    world_create(w, &answer, "key", PATIENT_S);
    answer_expect(&answer, 422, "keygen_failed");
    assert_int_equal(w->script.sessions_n, 0);
}

static void test_a_session_that_only_the_coordinator_knows_is_found(void **state)
{
    struct world *w = *state;
    char id[ID_TEXT_MAX];

    crash_at(w, DOOR_CREATE, ACT_DO_AND_HOLD, id);
    assert_int_equal(w->script.sessions_n, 1);
    world_start(w);
    expect(w, id, "active");
    expect_repeat(w, id);
}

static void test_a_key_that_was_made_meanwhile_is_taken(void **state)
{
    struct world *w = *state;
    char id[ID_TEXT_MAX];

    crash_at(w, DOOR_STATUS, ACT_HOLD, id);
    world_start(w);
    expect(w, id, "active");
    expect_repeat(w, id);
}

static void test_a_session_that_still_runs_is_waited_for(void **state)
{
    struct world *w = *state;
    struct answer repeat;
    char id[ID_TEXT_MAX];
    unsigned watched;

    w->script.is_quick = false;
    crash_at(w, DOOR_STATUS, ACT_HOLD, id);
    watched = w->script.calls[DOOR_STATUS];
    world_start(w);
    world_until_called(w, DOOR_STATUS, watched + 1);
    world_create_begin(w, &repeat, "key", PATIENT_S);
    world_until_called(w, DOOR_STATUS, watched + 2);
    script_complete(&w->script, &w->script.sessions[0]);
    script_release(&w->script);
    world_await(w, &repeat);
    assert_non_null(repeat.message);
    assert_string_equal(((Mpc__Account__V1__Account *)repeat.message)->account_id, id);
    answer_free(&repeat);
    expect(w, id, "active");
}

static void test_a_session_that_failed_meanwhile_fails_its_account(void **state)
{
    struct world *w = *state;
    char id[ID_TEXT_MAX];

    w->script.is_quick = false;
    crash_at(w, DOOR_STATUS, ACT_HOLD, id);
    script_end(&w->script, &w->script.sessions[0], "failed", "party-2 is silent");
    world_start(w);
    expect(w, id, "failed");
}

static void test_a_session_that_nobody_knows_any_more_fails_its_account(void **state)
{
    struct world *w = *state;
    char id[ID_TEXT_MAX];

    crash_at(w, DOOR_STATUS, ACT_HOLD, id);
    script_next(&w->script, DOOR_STATUS,
                (struct step){.act = ACT_REFUSE,
                              .status = {.code = RPC_NOT_FOUND, .name = "session_not_found"}});
    world_start(w);
    expect(w, id, "failed");
}

static void test_without_coordinator_nothing_is_decided(void **state)
{
    struct world *w = *state;
    struct answer answer;
    char id[ID_TEXT_MAX];

    crash_at(w, DOOR_CREATE, ACT_DO_AND_HOLD, id);
    script_next(
        &w->script, DOOR_LIST,
        (struct step){.act = ACT_REFUSE, .status = {.code = RPC_UNAVAILABLE, .name = "away"}});
    world_start(w);
    world_until_called(w, DOOR_LIST, 1);
    answer = world_get(w, id);
    assert_string_equal(((Mpc__Account__V1__Account *)answer.message)->status, "pending");
    answer_free(&answer);
    world_stop(w);
    world_start(w);
    expect(w, id, "active");
}

static uint8_t other[4096];

static void tell_damaged_key(struct script *s, ProtobufCMessage *response)
{
    Mpc__Coordinator__V1__GetSessionStatusResponse *r = (void *)response;

    memcpy(other, r->certificate.data, r->certificate.len);
    other[r->certificate.len - 1] ^= 1;
    r->certificate.data = other;
    (void)s;
}

static void test_a_lie_is_refused_after_a_restart_too(void **state)
{
    struct world *w = *state;
    char id[ID_TEXT_MAX];

    crash_at(w, DOOR_STATUS, ACT_HOLD, id);
    script_next(&w->script, DOOR_STATUS, (struct step){.act = ACT_ANSWER, .lie = tell_damaged_key});
    world_start(w);
    expect(w, id, "failed");
}

/* One that made another account's key is not this one's session. */
static void tell_first_session(struct script *s, ProtobufCMessage *response)
{
    Mpc__Coordinator__V1__ListSessionsResponse *r = (void *)response;

    assert_int_equal(r->n_sessions, 1);
    r->sessions[0]->session_id = s->sessions[0].id;
}

static void test_the_session_of_another_account_is_refused(void **state)
{
    struct world *w = *state;
    struct answer first;
    char id[ID_TEXT_MAX];

    script_next(&w->script, DOOR_CREATE, (struct step){.act = ACT_ANSWER});
    world_create(w, &first, NULL, PATIENT_S);
    assert_non_null(first.message);
    answer_free(&first);
    script_next(&w->script, DOOR_CREATE, (struct step){.act = ACT_DO_AND_HOLD});
    world_create_begin(w, &first, NULL, PATIENT_S);
    world_until_called(w, DOOR_CREATE, 2);
    world_crash(w);
    script_drop(&w->script);
    memcpy(id, w->script.sessions[1].account_id, sizeof id);
    script_next(&w->script, DOOR_LIST, (struct step){.act = ACT_ANSWER, .lie = tell_first_session});
    world_start(w);
    first = world_settled(w, id);
    assert_string_equal(((Mpc__Account__V1__Account *)first.message)->status, "failed");
    answer_free(&first);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_row_without_parties_has_failed),
        TEST(test_a_row_without_session_has_failed),
        TEST(test_a_session_that_only_the_coordinator_knows_is_found),
        TEST(test_a_key_that_was_made_meanwhile_is_taken),
        TEST(test_a_session_that_still_runs_is_waited_for),
        TEST(test_a_session_that_failed_meanwhile_fails_its_account),
        TEST(test_a_session_that_nobody_knows_any_more_fails_its_account),
        TEST(test_without_coordinator_nothing_is_decided),
        TEST(test_a_lie_is_refused_after_a_restart_too),
        TEST(test_the_session_of_another_account_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
