/* SPDX-License-Identifier: Apache-2.0 */
/* Parties of a running coordinator: who is chosen, who may join, what they read, what they obey. */
#include "scene.h"

#include "services/coordinator/orders.h"
#include "system/access/order.h"
#include "system/access/user_key.h"
#include "system/core/clock.h"

#include <stdio.h>
#include <string.h>

#define RESPONSE(name) &mpc__coordinator__v1__##name##_response__descriptor
#define KEY_A "0123456789abcdef-a"
#define KEY_B "0123456789abcdef-b"

static const struct sign_request plain = {.message = 1};

static void test_too_few_parties(void **state)
{
    struct harness *h = harness_new(NULL);
    const struct sign_request strangers = {.message = 1, .preferred = {"party-1", "party-9"}};
    struct rpc_status status;
    Mpc__Coordinator__V1__CreateSessionResponse *r;
    char id[ID_TEXT_MAX];

    (void)state;
    assert_null(scene_sign(h, &strangers, &status));
    assert_int_equal(status.code, RPC_IMPOSSIBLE);
    assert_non_null(strstr(status.text, "party-9"));
    h->parties[0].is_live = h->parties[1].is_live = false;
    harness_tell_presence(h);
    /* seen a moment ago: worth waiting for */
    r = scene_sign(h, &plain, &status);
    assert_string_equal(r->session->status, "waiting");
    snprintf(id, sizeof id, "%s", r->session->session_id);
    mpc__coordinator__v1__create_session_response__free_unpacked(r, NULL);
    assert_int_equal(h->c->queue[CLASS_SIGN].n, 1);
    h->parties[1].is_live = true;
    harness_tell_presence(h);
    harness_published(h, "session_created", id, 0);
    assert_int_equal(h->c->queue[CLASS_SIGN].n, 0);
    harness_free(h);
}

static void test_parties_that_are_long_gone_are_named(void **state)
{
    struct harness *h = harness_new(NULL);
    struct rpc_status status;

    (void)state;
    h->parties[0].is_live = false;
    harness_was_present(h, 21000);
    h->parties[1].is_live = false;
    harness_was_present(h, 31000);
    assert_null(scene_sign(h, &plain, &status));
    assert_int_equal(status.code, RPC_IMPOSSIBLE);
    assert_non_null(strstr(status.text, "2 of 3 parties are needed, 1 can be had"));
    assert_non_null(strstr(status.text, "party-1 has not been seen for 2"));
    assert_non_null(strstr(status.text, "party-2 has not been seen for 3"));
    harness_free(h);
}

static void test_join_tokens_are_used_once(void **state)
{
    struct harness *h = harness_new(NULL);
    const struct sign_request request = {.message = 1, .preferred = {"party-1", "party-2"}};
    Mpc__Coordinator__V1__JoinSessionRequest q = MPC__COORDINATOR__V1__JOIN_SESSION_REQUEST__INIT;
    struct rpc_status status;
    char id[ID_TEXT_MAX], token[2048];

    (void)state;
    scene_begin(h, id, &request);
    assert_int_equal(scene_join(h, id, "party-1", 0, KEY_A, token).code, RPC_OK);
    assert_int_equal(scene_join(h, id, "party-1", 0, KEY_A, token).code, RPC_OK);
    status = scene_join(h, id, "party-1", 0, KEY_B, token);
    assert_int_equal(status.code, RPC_EXISTS);
    assert_int_equal(scene_join(h, id, "party-2", 0, "short", token).code, RPC_INVALID);
    harness_restart(h);
    assert_int_equal(scene_join(h, id, "party-1", 0, KEY_B, token).code, RPC_EXISTS);
    assert_int_equal(scene_join(h, id, "party-1", 0, KEY_A, token).code, RPC_OK);
    /* another party's token, no token, a token of another kind */
    q.session_id = id;
    q.party_id = "party-2";
    q.idempotency_key = KEY_B;
    q.join_token = (char *)(uintptr_t)scene_invited(h, id, "party-1", 0);
    assert_null(harness_call(h, "JoinSession", &q.base, RESPONSE(join_session), &status));
    assert_int_equal(status.code, RPC_DENIED);
    q.join_token = "";
    assert_null(harness_call(h, "JoinSession", &q.base, RESPONSE(join_session), &status));
    assert_int_equal(status.code, RPC_UNAUTHENTICATED);
    q.party_id = "party-1";
    q.join_token = token;
    assert_null(harness_call(h, "JoinSession", &q.base, RESPONSE(join_session), &status));
    assert_int_equal(status.code, RPC_UNAUTHENTICATED);
    harness_free(h);
}

static bool is_joining_written(struct harness *h, const void *arg)
{
    char log[512];

    scene_log(h, arg, log, sizeof log);
    return strcmp(log, "session_created party_joined") == 0;
}

/* What is kept for the next change is written soon, also if there is none. */
static void test_a_joining_is_written_though_nothing_follows(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], token[2048];

    (void)state;
    scene_begin(h, id, &(struct sign_request){.message = 1, .preferred = {"party-1", "party-2"}});
    assert_int_equal(scene_join(h, id, "party-1", 0, KEY_A, token).code, RPC_OK);
    harness_run_until(h, is_joining_written, id);
    harness_free(h);
}

/* As the coordinator makes them, for a party that it did not ask. */
static char *token_for(struct harness *h, enum token_kind kind, const char *id, const char *party)
{
    static char text[TOKEN_TEXT_MAX];
    struct token token = {.kind = kind, .expires = clock_unix_ms() / 1000 + 60};

    snprintf(token.session_id, sizeof token.session_id, "%s", id);
    snprintf(token.subject, sizeof token.subject, "%s", party);
    token_make(text, access_tokens(h->access), &token);
    return text;
}

static struct rpc_status join_with(struct harness *h, const char *id, const char *party,
                                   const char *token)
{
    Mpc__Coordinator__V1__JoinSessionRequest q = MPC__COORDINATOR__V1__JOIN_SESSION_REQUEST__INIT;
    struct rpc_status status;

    q.session_id = (char *)(uintptr_t)id;
    q.party_id = (char *)(uintptr_t)party;
    q.join_token = (char *)(uintptr_t)token;
    q.idempotency_key = KEY_A;
    assert_null(harness_call(h, "JoinSession", &q.base, RESPONSE(join_session), &status));
    return status;
}

static void test_a_token_is_for_one_session_and_who_was_asked(void **state)
{
    struct harness *h = harness_new(NULL);
    const struct sign_request request = {.message = 1, .preferred = {"party-1", "party-2"}};
    char id[ID_TEXT_MAX], other[ID_TEXT_MAX], token[2048];
    uint8_t signature[SIGNATURE_LEN];

    (void)state;
    scene_signature(h, signature, 1);
    scene_begin(h, id, &request);
    scene_begin(h, other, &request);
    assert_int_equal(scene_join(h, id, "party-1", 0, KEY_A, token).code, RPC_OK);
    assert_string_equal(join_with(h, other, "party-1", scene_invited(h, id, "party-1", 0)).name,
                        "wrong_session");
    assert_string_equal(scene_report_signature(h, other, "party-1", token, signature, 0).name,
                        "wrong_session");
    assert_string_equal(scene_report_signature(h, id, "party-2", token, signature, 0).name,
                        "wrong_party");
    assert_int_equal(scene_report_signature(h, id, "party-1", "", signature, 0).code,
                     RPC_UNAUTHENTICATED);
    assert_string_equal(join_with(h, id, "party-3", token_for(h, TOKEN_JOIN, id, "party-3")).name,
                        "not_invited");
    assert_string_equal(scene_report_signature(h, id, "party-3",
                                               token_for(h, TOKEN_SESSION, id, "party-3"),
                                               signature, 0)
                            .name,
                        "not_invited");
    assert_string_equal(scene_report_signature(h, id, "party-1", token, signature, 1).name,
                        "invalid_field");
    scene_expect(h, id, "waiting", "");
    harness_free(h);
}

/* In the one place where all failed tries are: the guard's. */
static void test_bad_tokens_are_counted_and_limited(void **state)
{
    struct harness *h = harness_new(NULL);
    struct metric *failures =
        metric_new(METRIC_COUNTER, "quorate_auth_failures_total", "reason=\"token\"", "");
    Mpc__Coordinator__V1__JoinSessionRequest join =
        MPC__COORDINATOR__V1__JOIN_SESSION_REQUEST__INIT;
    Mpc__Coordinator__V1__MarkPartyReadyRequest ready =
        MPC__COORDINATOR__V1__MARK_PARTY_READY_REQUEST__INIT;
    int64_t before = metric_value(failures);
    struct rpc_status status;
    char id[ID_TEXT_MAX], token[2048];
    size_t n = 0;

    (void)state;
    scene_begin(h, id, &plain);
    join.session_id = ready.session_id = id;
    ready.party_id = "party-1";
    join.join_token = ready.session_token = "no.such.token";
    join.idempotency_key = KEY_A;
    do {
        if (n++ % 2)
            harness_call(h, "JoinSession", &join.base, RESPONSE(join_session), &status);
        else
            harness_call(h, "MarkPartyReady", &ready.base, RESPONSE(mark_party_ready), &status);
        assert_int_equal(metric_value(failures) - before, n);
    } while (status.code == RPC_UNAUTHENTICATED && n < 100);
    assert_int_equal(status.code, RPC_EXHAUSTED);
    assert_in_range(n, 21, 40);
    assert_true(status.retry_after > 0);
    /* who shows a good one is let in all the same */
    for (size_t i = 0; i < 3; i++)
        if (scene_invited(h, id, h->parties[i].id, 0))
            assert_int_equal(scene_join(h, id, h->parties[i].id, 0, KEY_A, token).code, RPC_OK);
    harness_free(h);
}

/* It is not the coordinator's to believe: parties get key and signature as they came. */
static void test_a_users_key_is_handed_on_with_its_signature(void **state)
{
    static const uint8_t key[32] = {9};
    struct harness *h = harness_new(NULL);
    const Mpc__Session__V1__Setup *setup;
    char id[ID_TEXT_MAX];

    (void)state;
    harness_make_delegate(h, 2);
    assert_int_equal(scene_keygen_for(h, id, 60000, key, h->operator_key).code, RPC_INVALID);
    assert_int_equal(scene_keygen_for(h, id, 60000, key, h->initiator).code, RPC_OK);
    for (int life = 0; life < 2; life++) {
        setup = harness_published(h, "session_created", id, (size_t)life)->event->setup;
        assert_int_equal(setup->user_public_key.len, 32);
        assert_memory_equal(setup->user_public_key.data, key, 32);
        assert_true(user_key_verify(setup->user_key_signature, setup->intent,
                                    setup->user_public_key, h->initiator_pk));
        if (life == 0)
            harness_restart(h);
    }
    harness_free(h);
}

static void test_that_no_users_key_is_named_is_handed_on_as_well(void **state)
{
    struct harness *h = harness_new(NULL);
    const Mpc__Session__V1__Setup *setup;
    char id[ID_TEXT_MAX];

    (void)state;
    harness_make_delegate(h, 2);
    assert_int_equal(scene_keygen_for(h, id, 60000, scene_nobody, h->operator_key).code,
                     RPC_INVALID);
    assert_int_equal(scene_keygen_for(h, id, 60000, scene_nobody, h->initiator).code, RPC_OK);
    setup = harness_published(h, "session_created", id, 0)->event->setup;
    assert_int_equal(setup->user_public_key.len, 0);
    assert_true(user_key_verify(setup->user_key_signature, setup->intent, setup->user_public_key,
                                h->initiator_pk));
    harness_free(h);
}

static void test_a_delegate_hands_in_its_share(void **state)
{
    struct harness *h = harness_new(NULL);
    Mpc__Coordinator__V1__SubmitDelegateShareRequest q =
        MPC__COORDINATOR__V1__SUBMIT_DELEGATE_SHARE_REQUEST__INIT;
    Mpc__Coordinator__V1__GetSessionStatusResponse *r;
    Mpc__Coordinator__V1__SubmitDelegateShareResponse *accepted;
    char id[ID_TEXT_MAX], tokens[3][2048];
    struct rpc_status status;

    (void)state;
    harness_make_delegate(h, 2);
    scene_keygen(h, id, 60000);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(scene_join(h, id, h->parties[i].id, 0, KEY_A, tokens[i]).code, RPC_OK);
    q.session_id = id;
    q.sealed_share = (ProtobufCBinaryData){6, (uint8_t *)(uintptr_t) "sealed"};
    q.party_id = "party-1";
    q.session_token = tokens[0];
    assert_null(
        harness_call(h, "SubmitDelegateShare", &q.base, RESPONSE(submit_delegate_share), &status));
    assert_int_equal(status.code, RPC_DENIED);
    q.party_id = "party-3";
    q.session_token = tokens[2];
    q.sealed_share.len = 0;
    assert_null(
        harness_call(h, "SubmitDelegateShare", &q.base, RESPONSE(submit_delegate_share), &status));
    assert_string_equal(status.name, "invalid_field");
    q.sealed_share.len = 6;
    accepted =
        harness_call(h, "SubmitDelegateShare", &q.base, RESPONSE(submit_delegate_share), &status);
    assert_non_null(accepted);
    mpc__coordinator__v1__submit_delegate_share_response__free_unpacked(accepted, NULL);
    r = scene_status(h, id, 0);
    assert_int_equal(r->delegate_share.len, 0);
    mpc__coordinator__v1__get_session_status_response__free_unpacked(r, NULL);
    harness_restart(h);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(scene_report_key(h, id, h->parties[i].id, tokens[i]).code, RPC_OK);
    r = scene_status(h, id, 0);
    assert_string_equal(r->session->status, "completed");
    assert_int_equal(r->delegate_share.len, 6);
    mpc__coordinator__v1__get_session_status_response__free_unpacked(r, NULL);
    harness_free(h);
}

static Mpc__Coordinator__V1__ListInvitationsResponse *
invitations(struct harness *h, const char *party_id, int64_t after, int64_t after_order)
{
    Mpc__Coordinator__V1__ListInvitationsRequest q =
        MPC__COORDINATOR__V1__LIST_INVITATIONS_REQUEST__INIT;
    struct rpc_status status;
    void *r;

    q.party_id = (char *)(uintptr_t)party_id;
    q.after = after;
    q.after_order = after_order;
    harness_be(h, party_id);
    r = harness_call(h, "ListInvitations", &q.base, RESPONSE(list_invitations), &status);
    harness_be(h, NULL);
    if (!r)
        fail_msg("%s", status.text);
    return r;
}

static void free_invitations(Mpc__Coordinator__V1__ListInvitationsResponse *r)
{
    mpc__coordinator__v1__list_invitations_response__free_unpacked(r, NULL);
}

static void test_lesson_1_1_parties_read_what_they_missed(void **state)
{
    struct harness *h = harness_new(NULL);
    const struct sign_request request = {.message = 1, .preferred = {"party-1", "party-2"}};
    Mpc__Coordinator__V1__ListInvitationsResponse *r;
    char id[ID_TEXT_MAX];
    int64_t cursor;

    (void)state;
    scene_begin(h, id, &request);
    r = invitations(h, "party-3", 0, 0);
    assert_int_equal(r->n_events, 0);
    free_invitations(r);
    r = invitations(h, "party-1", 0, 0);
    assert_int_equal(r->n_events, 1);
    assert_string_equal(r->events[0]->event_type, "session_created");
    assert_int_equal(r->events[0]->setup->n_members, 2);
    assert_true(strlen(r->events[0]->join_token) > 0);
    cursor = r->cursor;
    free_invitations(r);
    r = invitations(h, "party-1", cursor, 0);
    assert_int_equal(r->n_events, 0);
    free_invitations(r);
    scene_cancel(h, id, RPC_OK);
    r = invitations(h, "party-1", cursor, 0);
    assert_int_equal(r->n_events, 1);
    assert_string_equal(r->events[0]->event_type, "session_cancelled");
    free_invitations(r);
    harness_restart(h); /* memory knows no ends now: the database does */
    r = invitations(h, "party-1", cursor, 0);
    assert_int_equal(r->n_events, 1);
    assert_string_equal(r->events[0]->event_type, "session_cancelled");
    assert_true(r->cursor > cursor);
    free_invitations(r);
    r = invitations(h, "party-2", 0, 0);
    assert_int_equal(r->n_events, 1);
    free_invitations(r);
    harness_free(h);
}

static void test_a_party_reads_its_own_invitations_only(void **state)
{
    struct harness *h = harness_new(NULL);
    Mpc__Coordinator__V1__ListInvitationsRequest q =
        MPC__COORDINATOR__V1__LIST_INVITATIONS_REQUEST__INIT;
    struct rpc_status status;

    (void)state;
    q.party_id = "party-2";
    harness_be(h, "party-1");
    assert_null(harness_call(h, "ListInvitations", &q.base, RESPONSE(list_invitations), &status));
    assert_int_equal(status.code, RPC_DENIED);
    harness_be(h, NULL);
    assert_null(harness_call(h, "ListInvitations", &q.base, RESPONSE(list_invitations), &status));
    assert_int_equal(status.code, RPC_UNAUTHENTICATED);
    harness_free(h);
}

static void test_a_router_that_forgot_is_told_again(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX];

    (void)state;
    scene_begin(h, id, &plain);
    harness_published(h, "session_created", id, 0);
    for (size_t i = 0; i < PARTIES; i++)
        h->parties[i].capacity = UINT32_MAX; /* nobody has registered yet */
    harness_restart_router(h);
    harness_published(h, "session_created", id, 1);
    /* in doubt is not gone: the attempt goes on */
    assert_int_equal(pool_live_n(h->c->pool), PARTIES);
    scene_expect(h, id, "waiting", "");
    harness_free(h);
}

static Mpc__Coordinator__V1__SelectPartiesResponse *
select_parties_for(struct harness *h, uint32_t n, const char *user_share, const char *named,
                   struct rpc_status *status)
{
    Mpc__Coordinator__V1__SelectPartiesRequest q =
        MPC__COORDINATOR__V1__SELECT_PARTIES_REQUEST__INIT;
    char *ids[3] = {"party-1", "party-2", (char *)(uintptr_t)named};

    q.threshold_t = 2;
    q.threshold_n = n;
    q.user_share = (char *)(uintptr_t)user_share;
    q.party_ids = ids;
    q.n_party_ids = named ? 3 : 0;
    return harness_call(h, "SelectParties", &q.base, RESPONSE(select_parties), status);
}

static void test_selection_by_role(void **state)
{
    struct harness *h = harness_new(NULL);
    struct rpc_status status;
    Mpc__Coordinator__V1__SelectPartiesResponse *r;

    (void)state;
    r = select_parties_for(h, 3, "", NULL, &status);
    assert_int_equal(r->n_members, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(r->members[i]->index, i + 1);
        assert_string_not_equal(r->members[i]->party_id, "party-4");
        assert_non_null(r->members[i]->certificate);
    }
    mpc__coordinator__v1__select_parties_response__free_unpacked(r, NULL);
    r = select_parties_for(h, 3, "delegate", NULL, &status);
    assert_string_equal(r->members[2]->party_id, "party-4");
    mpc__coordinator__v1__select_parties_response__free_unpacked(r, NULL);
    assert_null(select_parties_for(h, 4, "", NULL, &status));
    assert_int_equal(status.code, RPC_IMPOSSIBLE);
    assert_null(select_parties_for(h, 3, "", "party-9", &status));
    assert_int_equal(status.code, RPC_IMPOSSIBLE);
    assert_null(select_parties_for(h, 3, "", "party-4", &status));
    assert_int_equal(status.code, RPC_IMPOSSIBLE);
    assert_null(select_parties_for(h, 3, "", "party-1", &status));
    assert_int_equal(status.code, RPC_INVALID);
    assert_null(select_parties_for(h, 1, "", NULL, &status));
    assert_int_equal(status.code, RPC_INVALID);
    r = select_parties_for(h, 3, "delegate", "party-4", &status);
    assert_int_equal(r->n_members, 3);
    mpc__coordinator__v1__select_parties_response__free_unpacked(r, NULL);
    harness_free(h);
}

/* The more often their messages need no other router. */
static void test_parties_at_one_router_are_asked_together(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX];

    (void)state;
    h->parties[0].router = h->parties[2].router = "a";
    h->parties[1].router = "b";
    harness_tell_presence(h);
    scene_begin(h, id, &plain);
    assert_non_null(scene_invited(h, id, "party-1", 0));
    assert_non_null(scene_invited(h, id, "party-3", 0));
    /* it is a router's own word, which changes when the party goes to another one */
    scene_cancel(h, id, RPC_OK);
    h->parties[2].router = "b";
    harness_tell_presence(h);
    scene_begin(h, id, &plain);
    assert_non_null(scene_invited(h, id, "party-2", 0)); /* whose turn it is */
    assert_non_null(scene_invited(h, id, "party-3", 0));
    harness_free(h);
}

static struct rpc_status order(struct harness *h, const char *action, uint64_t serial,
                               const uint8_t key[64])
{
    Mpc__Session__V1__OrderBody body = MPC__SESSION__V1__ORDER_BODY__INIT;
    Mpc__Session__V1__Order order = MPC__SESSION__V1__ORDER__INIT;
    Mpc__Coordinator__V1__SubmitOrderRequest q = MPC__COORDINATOR__V1__SUBMIT_ORDER_REQUEST__INIT;
    Mpc__Coordinator__V1__SubmitOrderResponse *r;
    uint8_t packed[256], signature[64];
    struct rpc_status status;
    size_t len;

    body.action = (char *)(uintptr_t)action;
    body.serial = serial;
    len = mpc__session__v1__order_body__pack(&body, packed);
    order_sign(signature, packed, len, key);
    order.body = (ProtobufCBinaryData){len, packed};
    order.signature = (ProtobufCBinaryData){64, signature};
    q.order = &order;
    r = harness_call(h, "SubmitOrder", &q.base, RESPONSE(submit_order), &status);
    if (r)
        mpc__coordinator__v1__submit_order_response__free_unpacked(r, NULL);
    return status;
}

static void test_freeze_orders(void **state)
{
    struct harness *h = harness_new(NULL);
    Mpc__Coordinator__V1__ListInvitationsResponse *r;
    struct rpc_status status;
    char id[ID_TEXT_MAX];

    (void)state;
    assert_int_equal(order(h, "freeze", 5, h->initiator).code, RPC_DENIED);
    assert_int_equal(order(h, "melt", 5, h->operator_key).code, RPC_DENIED);
    assert_int_equal(order(h, "freeze", 5, h->operator_key).code, RPC_OK);
    assert_int_equal(order(h, "unfreeze", 5, h->operator_key).code, RPC_STATE);
    assert_null(scene_sign(h, &plain, &status));
    assert_string_equal(status.name, "frozen");
    harness_restart(h);
    assert_null(scene_sign(h, &plain, &status));
    r = invitations(h, "party-1", 0, 0);
    assert_int_equal(r->n_orders, 1);
    assert_int_equal(r->order_cursor, 1);
    free_invitations(r);
    assert_int_equal(order(h, "unfreeze", 6, h->operator_key).code, RPC_OK);
    r = invitations(h, "party-1", 0, 1);
    assert_int_equal(r->n_orders, 1);
    free_invitations(r);
    scene_begin(h, id, &plain);
    harness_free(h);
}

/* Parties 1 and 2 are asked, and party 1 is there. */
static void ask_two(struct harness *h, char id[ID_TEXT_MAX], char token[2048])
{
    const struct sign_request by_two = {.message = 1, .preferred = {"party-1", "party-2"}};

    scene_begin(h, id, &by_two);
    assert_int_equal(scene_join(h, id, "party-1", 0, KEY_A, token).code, RPC_OK);
}

/* Party 1 says that the account is frozen. */
static void refuse_as_frozen(struct harness *h, const char *id, const char *token)
{
    assert_int_equal(scene_report_failure(h, id, "party-1", token, 0, "FROZEN", false).code,
                     RPC_OK);
}

static void test_a_party_that_has_not_read_of_the_thaw_is_asked_again(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], token[2048];

    (void)state;
    ask_two(h, id, token);
    assert_int_equal(order(h, "freeze", 5, h->operator_key).code, RPC_OK);
    assert_int_equal(order(h, "unfreeze", 6, h->operator_key).code, RPC_OK);
    refuse_as_frozen(h, id, token);
    assert_non_null(scene_invited(h, id, "party-1", 1));
    assert_true(orders_thawed(h->c->orders, "", clock_unix_ms()));
    assert_false(orders_thawed(h->c->orders, "", clock_unix_ms() + ORDERS_LATE_MS));
    harness_free(h);
}

static void test_a_party_that_refuses_for_a_freeze_of_its_own_is_believed(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], token[2048];

    (void)state;
    ask_two(h, id, token);
    refuse_as_frozen(h, id, token);
    scene_expect(h, id, "failed", "frozen");
    harness_free(h);
}

static void test_what_is_frozen_again_was_not_thawed(void **state)
{
    struct harness *h = harness_new(NULL);

    (void)state;
    assert_int_equal(order(h, "unfreeze", 5, h->operator_key).code, RPC_OK);
    assert_int_equal(order(h, "freeze", 6, h->operator_key).code, RPC_OK);
    assert_false(orders_thawed(h->c->orders, "", clock_unix_ms()));
    harness_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_too_few_parties),
        cmocka_unit_test(test_parties_that_are_long_gone_are_named),
        cmocka_unit_test(test_join_tokens_are_used_once),
        cmocka_unit_test(test_a_joining_is_written_though_nothing_follows),
        cmocka_unit_test(test_a_token_is_for_one_session_and_who_was_asked),
        cmocka_unit_test(test_bad_tokens_are_counted_and_limited),
        cmocka_unit_test(test_a_users_key_is_handed_on_with_its_signature),
        cmocka_unit_test(test_that_no_users_key_is_named_is_handed_on_as_well),
        cmocka_unit_test(test_a_delegate_hands_in_its_share),
        cmocka_unit_test(test_lesson_1_1_parties_read_what_they_missed),
        cmocka_unit_test(test_a_party_reads_its_own_invitations_only),
        cmocka_unit_test(test_a_router_that_forgot_is_told_again),
        cmocka_unit_test(test_selection_by_role),
        cmocka_unit_test(test_parties_at_one_router_are_asked_together),
        cmocka_unit_test(test_freeze_orders),
        cmocka_unit_test(test_a_party_that_has_not_read_of_the_thaw_is_asked_again),
        cmocka_unit_test(test_a_party_that_refuses_for_a_freeze_of_its_own_is_believed),
        cmocka_unit_test(test_what_is_frozen_again_was_not_thawed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
