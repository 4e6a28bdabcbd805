/* SPDX-License-Identifier: Apache-2.0 */
/* Who makes a key and who signs with it: parties that the authority certified, those that were
 * asked for, whatever the coordinator says. */
#include "system/core/buffer.h"
#include "world.h"

#include <stdlib.h>
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

/* Keygen. */

static Mpc__Coordinator__V1__SelectPartiesResponse *chosen(ProtobufCMessage *response)
{
    return (void *)response;
}

static void tell_two(struct script *s, ProtobufCMessage *response)
{
    chosen(response)->n_members = 2;
    (void)s;
}

static void tell_one_twice(struct script *s, ProtobufCMessage *response)
{
    chosen(response)->members[1]->party_id = chosen(response)->members[0]->party_id;
    chosen(response)->members[1]->certificate = s->certificates[0];
}

static void tell_another_name(struct script *s, ProtobufCMessage *response)
{
    static char name[] = "party-9";

    chosen(response)->members[1]->party_id = name;
    (void)s;
}

static void tell_no_certificate(struct script *s, ProtobufCMessage *response)
{
    chosen(response)->members[1]->certificate = NULL;
    (void)s;
}

static void tell_other_indices(struct script *s, ProtobufCMessage *response)
{
    chosen(response)->members[2]->index = 4;
    (void)s;
}

static void tell_in_another_order(struct script *s, ProtobufCMessage *response)
{
    Mpc__Session__V1__Member *kept = chosen(response)->members[0];

    chosen(response)->members[0] = chosen(response)->members[1];
    chosen(response)->members[1] = kept;
    (void)s;
}

static void expect_unfit(struct world *w, const Mpc__Account__V1__CreateAccountRequest *q)
{
    struct answer answer;

    world_begin(w, &answer, "CreateAccount", &q->base, &mpc__account__v1__account__descriptor);
    world_await(w, &answer);
    answer_expect(&answer, 422, "parties_not_fit");
    assert_int_equal(w->script.calls[DOOR_CREATE], 0);
    assert_int_equal(world_accounts(w), 0);
}

static void test_a_choice_that_is_none_is_refused(void **state)
{
    static script_lie *const lies[] = {tell_two,           tell_one_twice,
                                       tell_another_name,  tell_no_certificate,
                                       tell_other_indices, tell_in_another_order};
    struct world *w = *state;
    const Mpc__Account__V1__CreateAccountRequest q = world_create_request(NULL, PATIENT_S);

    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        script_next(&w->script, DOOR_SELECT, (struct step){.act = ACT_ANSWER, .lie = lies[i]});
        expect_unfit(w, &q);
    }
}

static void test_only_the_authority_certifies(void **state)
{
    struct world *w = *state;
    const Mpc__Account__V1__CreateAccountRequest q = world_create_request(NULL, PATIENT_S);

    world_certify(w, 1, "party-2", "persistent", 1, true);
    expect_unfit(w, &q);
}

static void test_one_identity_has_one_seat(void **state)
{
    struct world *w = *state;
    const Mpc__Account__V1__CreateAccountRequest q = world_create_request(NULL, PATIENT_S);

    world_certify(w, 1, "party-2", "persistent", 0, false);
    expect_unfit(w, &q);
}

static void test_one_name_has_one_seat(void **state)
{
    struct world *w = *state;
    const Mpc__Account__V1__CreateAccountRequest q = world_create_request(NULL, PATIENT_S);

    world_certify(w, 1, "party-1", "persistent", 1, false);
    expect_unfit(w, &q);
}

static void test_temporary_parties_are_not_chosen(void **state)
{
    struct world *w = *state;
    const Mpc__Account__V1__CreateAccountRequest q = world_create_request(NULL, PATIENT_S);

    world_certify(w, 1, "party-2", "temporary", 1, false);
    expect_unfit(w, &q);
}

static void test_a_delegate_is_there_exactly_if_asked_for(void **state)
{
    struct world *w = *state;
    Mpc__Account__V1__CreateAccountRequest q = world_create_request(NULL, PATIENT_S);

    q.user_share = "delegate";
    q.user_public_key = "0900000000000000000000000000000000000000000000000000000000000000";
    expect_unfit(w, &q);
    assert_string_equal(w->script.selected->user_share, "delegate");
    world_certify(w, 1, "party-2", "delegate", 1, false);
    world_certify(w, 2, "party-3", "delegate", 2, false);
    expect_unfit(w, &q);
    world_certify(w, 2, "party-3", "persistent", 2, false);
    q.user_share = "none";
    q.user_public_key = "";
    expect_unfit(w, &q);
}

static void name(Mpc__Account__V1__Participant *participants, Mpc__Account__V1__Participant **list,
                 const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        mpc__account__v1__participant__init(&participants[i]);
        participants[i].party_id = (char *)(uintptr_t)names[i];
        list[i] = &participants[i];
    }
}

static void test_those_who_were_asked_for_make_the_key(void **state)
{
    static const char *const others[] = {"party-1", "party-2", "party-4"};
    struct world *w = *state;
    Mpc__Account__V1__CreateAccountRequest q = world_create_request(NULL, PATIENT_S);
    Mpc__Account__V1__Participant participants[3], *list[3];
    struct answer answer;

    q.participants = list;
    q.n_participants = 3;
    name(participants, list, others, 3);
    expect_unfit(w, &q);
    assert_int_equal(w->script.selected->n_party_ids, 3);
    assert_string_equal(w->script.selected->party_ids[2], "party-4");
    name(participants, list, w->script.party_ids, 3);
    world_begin(w, &answer, "CreateAccount", &q.base, &mpc__account__v1__account__descriptor);
    world_await(w, &answer);
    if (!answer.message)
        fail_msg("%s", answer.status.text);
    assert_int_equal(w->script.sessions[0].q->n_members, 3);
    assert_string_equal(w->script.sessions[0].q->members[2]->party_id, "party-3");
    answer_free(&answer);
}

/* Signing parties. */

static void set_signing(struct world *w, struct answer *out, const char *const *names, size_t n)
{
    Mpc__Account__V1__SetSigningPartiesRequest q =
        MPC__ACCOUNT__V1__SET_SIGNING_PARTIES_REQUEST__INIT;

    q.account_id = WORLD_ACCOUNT;
    q.party_ids = (char **)(uintptr_t)names;
    q.n_party_ids = n;
    world_begin(w, out, "SetSigningParties", &q.base,
                &mpc__account__v1__signing_parties__descriptor);
    world_await(w, out);
}

static void expect_signing(struct world *w, const char *first, const char *second)
{
    Mpc__Account__V1__GetSigningPartiesRequest q =
        MPC__ACCOUNT__V1__GET_SIGNING_PARTIES_REQUEST__INIT;
    const Mpc__Account__V1__SigningParties *r;
    struct answer answer;

    q.account_id = WORLD_ACCOUNT;
    world_begin(w, &answer, "GetSigningParties", &q.base,
                &mpc__account__v1__signing_parties__descriptor);
    world_await(w, &answer);
    r = answer.message;
    assert_non_null(r);
    assert_int_equal(r->n_party_ids, first ? 2 : 0);
    if (first) {
        assert_string_equal(r->party_ids[0], first);
        assert_string_equal(r->party_ids[1], second);
    }
    answer_free(&answer);
}

/* What the coordinator is asked to prefer, for the |i|th signature. */
static void expect_preferred(struct world *w, size_t i, const char *first, const char *second)
{
    const Mpc__Coordinator__V1__CreateSessionRequest *q;
    struct answer answer;

    world_sign(w, &answer, "pay", NULL, PATIENT_S);
    assert_non_null(answer.message);
    answer_free(&answer);
    q = w->script.sessions[i].q;
    assert_int_equal(q->n_members, SCRIPT_PARTIES);
    assert_int_equal(q->n_preferred, first ? 2 : 0);
    if (first) {
        assert_string_equal(q->preferred[0], first);
        assert_string_equal(q->preferred[1], second);
    }
}

static void test_signing_parties_sign(void **state)
{
    static const char *const two[] = {"party-3", "party-1"};
    struct world *w = *state;
    Mpc__Account__V1__DeleteSigningPartiesRequest q =
        MPC__ACCOUNT__V1__DELETE_SIGNING_PARTIES_REQUEST__INIT;
    struct answer answer;

    expect_signing(w, NULL, NULL);
    expect_preferred(w, 0, NULL, NULL);
    set_signing(w, &answer, two, 2);
    assert_non_null(answer.message);
    answer_free(&answer);
    expect_signing(w, "party-1", "party-3");
    expect_preferred(w, 1, "party-1", "party-3");
    world_stop(w);
    world_start(w);
    expect_signing(w, "party-1", "party-3");
    q.account_id = WORLD_ACCOUNT;
    world_begin(w, &answer, "DeleteSigningParties", &q.base,
                &mpc__account__v1__signing_parties__descriptor);
    world_await(w, &answer);
    assert_non_null(answer.message);
    answer_free(&answer);
    expect_signing(w, NULL, NULL);
    expect_preferred(w, 2, NULL, NULL);
}

static void test_signing_parties_are_exactly_t_of_the_account(void **state)
{
    static const char *const lists[][3] = {{"party-1", NULL, NULL},
                                           {"party-1", "party-2", "party-3"},
                                           {"party-1", "party-1", NULL},
                                           {"party-1", "party-4", NULL},
                                           {NULL, NULL, NULL}};
    static const char *const two[] = {"party-1", "party-2"};
    struct world *w = *state;
    struct answer answer;

    set_signing(w, &answer, two, 2);
    answer_free(&answer);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        size_t n = 0;

        while (n < 3 && lists[i][n])
            n++;
        set_signing(w, &answer, lists[i], n);
        answer_expect(&answer, 400, "invalid_field");
        expect_signing(w, "party-1", "party-2");
    }
}

/* The participants of one request. */
static void sign_by(struct world *w, struct answer *out, const char *const *names, size_t n)
{
    Mpc__Account__V1__SignRequest q = MPC__ACCOUNT__V1__SIGN_REQUEST__INIT;
    Mpc__Account__V1__Participant participants[3], *list[3];

    q.account_id = WORLD_ACCOUNT;
    q.message = "0000000000000000000000000000000000000000000000000000000000000001";
    name(participants, list, names, n);
    q.participants = list;
    q.n_participants = n;
    world_begin(w, out, "Sign", &q.base, &mpc__account__v1__sign_response__descriptor);
    world_await(w, out);
}

static void test_participants_come_before_signing_parties(void **state)
{
    static const char *const first[] = {"party-1", "party-2"}, *const second[] = {"party-2",
                                                                                  "party-3"};
    struct world *w = *state;
    const Mpc__Coordinator__V1__CreateSessionRequest *q;
    struct qrt_intent intent;
    struct answer answer;

    set_signing(w, &answer, first, 2);
    answer_free(&answer);
    sign_by(w, &answer, second, 2);
    assert_non_null(answer.message);
    answer_free(&answer);
    q = w->script.sessions[0].q;
    assert_int_equal(q->n_preferred, 2);
    assert_string_equal(q->preferred[0], "party-2");
    assert_string_equal(q->preferred[1], "party-3");
    assert_int_equal(qrt_intent_decode(&intent, q->intent.data, q->intent.len), QRT_OK);
    assert_int_equal(intent.parties_n, 2); /* nobody else may sign under this intent */
    assert_int_equal(intent.parties[0], 2);
    assert_int_equal(intent.parties[1], 3);
}

static void test_participants_are_enough_and_of_the_account(void **state)
{
    static const char *const few[] = {"party-1"}, *const foreign[] = {"party-1", "party-4"};
    struct world *w = *state;
    struct answer answer;

    sign_by(w, &answer, few, 1);
    answer_expect(&answer, 400, "invalid_field");
    sign_by(w, &answer, foreign, 2);
    answer_expect(&answer, 400, "invalid_field");
    assert_int_equal(w->script.calls[DOOR_CREATE], 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_choice_that_is_none_is_refused),
        TEST(test_only_the_authority_certifies),
        TEST(test_one_identity_has_one_seat),
        TEST(test_one_name_has_one_seat),
        TEST(test_temporary_parties_are_not_chosen),
        TEST(test_a_delegate_is_there_exactly_if_asked_for),
        TEST(test_those_who_were_asked_for_make_the_key),
        TEST(test_signing_parties_sign),
        TEST(test_signing_parties_are_exactly_t_of_the_account),
        TEST(test_participants_come_before_signing_parties),
        TEST(test_participants_are_enough_and_of_the_account),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
