/* SPDX-License-Identifier: Apache-2.0 */
/* One thing of a good request is changed at a time: each is refused with its own sentence. */
#include "services/coordinator/record.h"
#include "services/coordinator/request.h"
#include "system/service/library.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS (INT64_C(1700000000) * 1000)

/* A signature by parties 1 to 3, as it can be changed. */
struct scene {
    Mpc__Coordinator__V1__CreateSessionRequest q;
    Mpc__Session__V1__Member members[3], *list[3];
    struct qrt_intent intent;
    uint8_t b[1024], signature[64], initiator[64], initiator_pk[32];
};

static char *const names[] = {"party-1", "party-2", "party-3"};
static char message_hash[] = "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a";
static char public_key[] = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
static const uint8_t message[] = {1};

static void fill_intent(struct qrt_intent *intent)
{
    *intent = (struct qrt_intent){.operation = QRT_OP_SIGN,
                                  .suite = QRT_SUITE_ECDSA,
                                  .profile = QRT_PROFILE_1,
                                  .purpose = QRT_PURPOSE_TRANSACTION,
                                  .account = {1, 2, 3, 4, 5, 6, 0x47, 8, 0x89},
                                  .request = {[6] = 0x40, [8] = 0x80},
                                  .keyid = {9},
                                  .deadline = NOW_MS / 1000 + 60,
                                  .attempts = 4,
                                  .t = 2,
                                  .parties_n = 3,
                                  .parties = {1, 2, 3},
                                  .digest = QRT_DIGEST_SHA256,
                                  .message = message,
                                  .message_len = sizeof message};
}

static void sign(struct scene *s)
{
    size_t len;

    assert_int_equal(qrt_intent_encode(&s->intent, s->b, sizeof s->b, &len), QRT_OK);
    qrt_intent_sign(s->signature, library_ctx(), s->b, len, s->initiator);
    s->q.intent = (ProtobufCBinaryData){len, s->b};
}

static struct scene *scene(void)
{
    struct scene *s = calloc(1, sizeof *s);

    assert_non_null(s);
    mpc__coordinator__v1__create_session_request__init(&s->q);
    crypto_sign_keypair(s->initiator_pk, s->initiator);
    fill_intent(&s->intent);
    sign(s);
    for (size_t i = 0; i < 3; i++) {
        mpc__session__v1__member__init(&s->members[i]);
        s->members[i].party_id = names[i];
        s->members[i].index = (uint32_t)i + 1;
        s->list[i] = &s->members[i];
    }
    s->q.session_type = "sign";
    s->q.intent_signature = (ProtobufCBinaryData){64, s->signature};
    s->q.initiator_key = (ProtobufCBinaryData){32, s->initiator_pk};
    s->q.members = s->list;
    s->q.n_members = 3;
    s->q.public_key = public_key;
    s->q.message_hash = message_hash;
    return s;
}

/* The record of what travels; frees |s|. */
static bool check(struct scene *s, struct record **r, struct rpc_status *status)
{
    const struct coordinator c = {.ctx = library_ctx()};
    size_t len = mpc__coordinator__v1__create_session_request__get_packed_size(&s->q);
    uint8_t *b = malloc(len);

    assert_non_null(b);
    mpc__coordinator__v1__create_session_request__pack(&s->q, b);
    *r = record_new(mpc__coordinator__v1__create_session_request__unpack(NULL, len, b));
    free(b);
    free(s);
    *status = rpc_ok();
    return request_check(*r, &c, NOW_MS, status);
}

static void refused(struct scene *s, const char *name, const char *words)
{
    struct rpc_status status;
    struct record *r;

    if (check(s, &r, &status))
        fail_msg("taken; expected %s: %s", name, words);
    if (strcmp(status.name, name) != 0 || !strstr(status.text, words))
        fail_msg("expected %s: %s, got %s: %s", name, words, status.name, status.text);
    record_free(r);
}

static void test_a_session_ends_with_its_intent(void **state)
{
    struct scene *s = scene();
    struct rpc_status status;
    struct record *r;

    (void)state;
    s->q.deadline_ms = NOW_MS + 3600 * 1000;
    if (!check(s, &r, &status))
        fail_msg("%s", status.text);
    assert_int_equal(r->row.deadline_ms, NOW_MS + 60 * 1000);
    record_free(r);
    s = scene();
    s->q.deadline_ms = NOW_MS + 1000;
    assert_true(check(s, &r, &status));
    assert_int_equal(r->row.deadline_ms, NOW_MS + 1000);
    record_free(r);
}

static void test_an_intent_is_signed_by_its_initiator(void **state)
{
    struct scene *s = scene();

    (void)state;
    s->signature[3] ^= 1;
    refused(s, "invalid_intent", qrt_err_text(QRT_E_INTENT_SIGNATURE));
    s = scene();
    s->initiator_pk[3] ^= 1;
    refused(s, "invalid_intent", qrt_err_text(QRT_E_INTENT_SIGNATURE));
    s = scene();
    s->q.intent_signature.len = 63;
    refused(s, "invalid_field", "intent_signature must be 64 bytes");
    s = scene();
    s->q.initiator_key.len = 31;
    refused(s, "invalid_field", "initiator_key must be 32 bytes");
}

static void test_an_intent_has_its_form(void **state)
{
    struct scene *s = scene();

    (void)state;
    s->q.intent.len++;
    qrt_intent_sign(s->signature, library_ctx(), s->b, s->q.intent.len, s->initiator);
    refused(s, "invalid_intent", qrt_err_text(QRT_E_INTENT_FORMAT));
}

static void test_the_intent_is_for_this_session(void **state)
{
    struct scene *s = scene();

    (void)state;
    s->q.session_type = "presign";
    refused(s, "invalid_intent", "operation");
    s = scene();
    s->intent.parties[2] = 4;
    sign(s);
    refused(s, "invalid_intent", "not among members");
    s = scene();
    s->q.message_hash = public_key + 2;
    refused(s, "invalid_intent", "message_hash");
}

static void test_members_have_places_of_their_own(void **state)
{
    struct scene *s = scene();

    (void)state;
    s->list[0] = &s->members[1];
    s->list[1] = &s->members[0];
    refused(s, "invalid_field", "ascending indices");
    s = scene();
    s->members[1].party_id = names[0];
    refused(s, "invalid_field", "each party once");
    s = scene();
    s->members[2].index = 65538; /* in 16 bits another's */
    refused(s, "invalid_field", "ascending indices");
    s = scene();
    s->q.n_members = 1;
    refused(s, "invalid_field", "2 to 64 parties");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_session_ends_with_its_intent),
        cmocka_unit_test(test_an_intent_is_signed_by_its_initiator),
        cmocka_unit_test(test_an_intent_has_its_form),
        cmocka_unit_test(test_the_intent_is_for_this_session),
        cmocka_unit_test(test_members_have_places_of_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
