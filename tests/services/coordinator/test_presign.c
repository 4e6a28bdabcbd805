/* SPDX-License-Identifier: Apache-2.0 */
/* Presignings and the signatures that use what they made, at the running coordinator. */
#include "scene.h"

#include "services/coordinator/presig_stock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define KEY_A "0123456789abcdef"
#define KEY_B "fedcba9876543210"

static const struct sign_request plain = {.message = 1};

static const Mpc__Session__V1__Setup *setup_of(struct harness *h, const char *session_id, size_t n)
{
    return harness_published(h, "session_created", session_id, n)->event->setup;
}

static void begin_presigning(struct harness *h, char session_id[ID_TEXT_MAX])
{
    struct rpc_status status = scene_presign(h, session_id, NULL);

    if (status.code != RPC_OK)
        fail_msg("%s", status.text);
}

/* Both parties of a presigning make number |id|; who they were. */
static void presign(struct harness *h, uint8_t id, char who[2][16])
{
    const uint8_t presignature[32] = {id};
    char session_id[ID_TEXT_MAX], token[2048];
    const Mpc__Session__V1__Setup *setup;

    begin_presigning(h, session_id);
    setup = setup_of(h, session_id, 0);
    assert_int_equal(setup->n_members, 2);
    for (size_t i = 0; i < 2; i++) {
        snprintf(who[i], 16, "%s", setup->members[i]->party_id);
        assert_int_equal(scene_join(h, session_id, who[i], 0, i ? KEY_B : KEY_A, token).code,
                         RPC_OK);
        assert_int_equal(scene_report_presignature(h, session_id, who[i], token, presignature).code,
                         RPC_OK);
    }
    scene_expect(h, session_id, "completed", "");
}

/* The presignature of the |n|th invitation to |session_id|, 0 for none; its parties are |who|. */
static uint8_t used(struct harness *h, const char *session_id, size_t n, char who[2][16])
{
    const Mpc__Session__V1__Setup *setup = setup_of(h, session_id, n);

    if (setup->presignature_id.len == 0)
        return 0;
    assert_int_equal(setup->presignature_id.len, 32);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(setup->members[i]->party_id, who[i]);
    return setup->presignature_id.data[0];
}

static struct party *party_of(struct harness *h, const char *party_id)
{
    for (size_t i = 0; i < PARTIES; i++)
        if (strcmp(h->parties[i].id, party_id) == 0)
            return &h->parties[i];
    fail();
    return NULL;
}

static uint32_t ready(struct harness *h, const char *session_id)
{
    Mpc__Coordinator__V1__GetSessionStatusResponse *r = scene_status(h, session_id, 0);
    uint32_t n = r->presignatures;

    mpc__coordinator__v1__get_session_status_response__free_unpacked(r, NULL);
    return n;
}

static void test_a_signature_uses_one_and_the_next_attempt_none(void **state)
{
    struct harness *h = harness_new(NULL);
    char first[ID_TEXT_MAX], second[ID_TEXT_MAX], third[ID_TEXT_MAX], token[2048];
    char who[2][16], newer[2][16];

    (void)state;
    presign(h, 1, who);
    presign(h, 2, newer);
    scene_begin(h, first, &plain);
    assert_int_equal(used(h, first, 0, newer), 2);
    assert_int_equal(ready(h, first), 1);
    scene_begin(h, second, &plain);
    assert_int_equal(used(h, second, 0, who), 1);
    scene_begin(h, third, &plain);
    assert_int_equal(used(h, third, 0, NULL), 0);
    assert_int_equal(scene_join(h, second, who[0], 0, KEY_A, token).code, RPC_OK);
    presign(h, 3, newer);
    assert_int_equal(
        scene_report_failure(h, second, who[0], token, 0, "PRESIGNATURE_MISSING", true).code,
        RPC_OK);
    assert_int_equal(used(h, second, 1, NULL), 0);
    assert_int_equal(ready(h, second), 1);
    harness_free(h);
}

static void test_only_the_processes_that_made_it(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], who[2][16];

    (void)state;
    presign(h, 1, who);
    party_of(h, who[1])->boot_id[0] ^= 1;
    harness_tell_presence(h);
    scene_begin(h, id, &plain);
    assert_int_equal(used(h, id, 0, NULL), 0);
    assert_int_equal(ready(h, id), 0);
    presign(h, 2, who);
    party_of(h, who[1])->is_live = false;
    harness_tell_presence(h);
    scene_begin(h, id, &plain);
    assert_int_equal(used(h, id, 0, NULL), 0);
    assert_int_equal(ready(h, id), 1); /* it may come back */
    harness_free(h);
}

static void test_none_of_a_party_that_says_not_now(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], who[2][16];

    (void)state;
    presign(h, 1, who);
    pool_find(h->c->pool, who[1])->avoid_until_ms = INT64_MAX;
    scene_begin(h, id, &plain);
    assert_int_equal(used(h, id, 0, NULL), 0);
    assert_int_equal(ready(h, id), 1);
    pool_find(h->c->pool, who[1])->avoid_until_ms = 0;
    scene_begin(h, id, &plain);
    assert_int_equal(used(h, id, 0, who), 1);
    harness_free(h);
}

static void test_only_those_that_the_request_names(void **state)
{
    struct harness *h = harness_new(NULL);
    struct sign_request request = {.message = 1};
    char id[ID_TEXT_MAX], who[2][16];
    size_t n = 0;

    (void)state;
    presign(h, 1, who);
    request.preferred[n++] = who[0];
    for (size_t i = 0; i < 3; i++)
        if (strcmp(h->parties[i].id, who[0]) != 0 && strcmp(h->parties[i].id, who[1]) != 0)
            request.preferred[n++] = h->parties[i].id;
    scene_begin(h, id, &request);
    assert_int_equal(used(h, id, 0, NULL), 0);
    request.preferred[1] = who[1];
    scene_begin(h, id, &request);
    assert_int_equal(used(h, id, 0, who), 1);
    harness_free(h);
}

/* The parties may have begun with it: after a restart they are told the same. */
static void test_a_restart_says_the_same_again(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], who[2][16];

    (void)state;
    presign(h, 1, who);
    presign(h, 2, who);
    scene_begin(h, id, &plain);
    assert_int_equal(used(h, id, 0, who), 2);
    harness_restart(h);
    assert_int_equal(used(h, id, 1, who), 2);
    scene_begin(h, id, &plain);
    assert_int_equal(used(h, id, 0, NULL), 0); /* the book is lost */
    harness_free(h);
}

static void test_lesson_1_9_presigning_waits_for_signatures(void **state)
{
    struct harness *h = harness_new("MAX_RUNNING_SIGN=4\n");
    char sign[ID_TEXT_MAX], waiting[2][ID_TEXT_MAX], running[3][ID_TEXT_MAX];

    (void)state;
    scene_begin(h, sign, &plain);
    begin_presigning(h, waiting[0]); /* one of four runs: that is not quiet */
    begin_presigning(h, waiting[1]);
    assert_int_equal(h->c->running[CLASS_PRESIGN], 0);
    assert_int_equal(h->c->queue[CLASS_PRESIGN].n, 2);
    scene_cancel(h, sign, RPC_OK);
    setup_of(h, waiting[0], 0);
    setup_of(h, waiting[1], 0);
    assert_int_equal(h->c->running[CLASS_PRESIGN], 2);
    for (size_t i = 0; i < 3; i++)
        begin_presigning(h, running[i]);
    assert_int_equal(h->c->running[CLASS_PRESIGN], PRESIGN_RUNNING_MAX);
    assert_int_equal(h->c->queue[CLASS_PRESIGN].n, 3);
    scene_begin(h, sign, &plain); /* and a signature does not wait for them */
    setup_of(h, sign, 0);
    harness_free(h);
}

static void test_a_signature_that_waits_for_parties_goes_before(void **state)
{
    struct harness *h = harness_new(NULL);
    const struct sign_request request = {.message = 1, .preferred = {"party-1", "party-2"}};
    char sign[ID_TEXT_MAX], presigning[ID_TEXT_MAX];

    (void)state;
    party_of(h, "party-1")->is_live = false;
    harness_tell_presence(h);
    scene_begin(h, sign, &request);
    begin_presigning(h, presigning);
    assert_int_equal(h->c->running[CLASS_SIGN], 0);
    assert_int_equal(h->c->running[CLASS_PRESIGN], 0);
    scene_cancel(h, sign, RPC_OK);
    setup_of(h, presigning, 0);
    harness_free(h);
}

static void test_no_user_is_asked_to_presign(void **state)
{
    struct harness *h = harness_new(NULL);
    const char *const preferred[2] = {"party-1", h->parties[2].id};
    struct rpc_status status;
    char id[ID_TEXT_MAX];

    (void)state;
    assert_int_equal(scene_presign(h, id, preferred).code, RPC_OK);
    harness_make_delegate(h, 2);
    harness_tell_presence(h);
    status = scene_presign(h, id, preferred);
    assert_string_equal(status.name, "too_few_parties");
    harness_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_signature_uses_one_and_the_next_attempt_none),
        cmocka_unit_test(test_only_the_processes_that_made_it),
        cmocka_unit_test(test_none_of_a_party_that_says_not_now),
        cmocka_unit_test(test_only_those_that_the_request_names),
        cmocka_unit_test(test_a_restart_says_the_same_again),
        cmocka_unit_test(test_lesson_1_9_presigning_waits_for_signatures),
        cmocka_unit_test(test_a_signature_that_waits_for_parties_goes_before),
        cmocka_unit_test(test_no_user_is_asked_to_presign),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
