/* SPDX-License-Identifier: Apache-2.0 */
/* Keygens of a running coordinator: who may be seated, and when a key is one: every party has
 * reported it with a certificate that all of them signed. */
#include "scene.h"

#include "system/access/identity.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define KEY_A "0123456789abcdef-a"

static void test_a_keygen_needs_every_party(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], token[2048];
    Mpc__Coordinator__V1__GetSessionStatusResponse *r;

    (void)state;
    scene_keygen(h, id, 60000);
    for (size_t i = 0; i < 3; i++) {
        r = scene_status(h, id, 0);
        assert_string_not_equal(r->session->status, "completed");
        assert_string_equal(r->session->public_key, "");
        assert_int_equal(r->certificate.len, 0);
        mpc__coordinator__v1__get_session_status_response__free_unpacked(r, NULL);
        if (i == 1)
            harness_restart(h);
        assert_int_equal(scene_join(h, id, h->parties[i].id, 0, KEY_A, token).code, RPC_OK);
        assert_int_equal(scene_report_key(h, id, h->parties[i].id, token).code, RPC_OK);
    }
    r = scene_status(h, id, 0);
    assert_string_equal(r->session->status, "completed");
    assert_int_equal(strlen(r->session->public_key), 66);
    assert_int_equal(r->certificate.len, h->certificate_len);
    assert_int_equal(r->n_members, 3);
    assert_non_null(r->members[2]->certificate);
    assert_int_equal(r->session->completed_parties, 3);
    mpc__coordinator__v1__get_session_status_response__free_unpacked(r, NULL);
    harness_free(h);
}

static void test_what_a_party_was_acknowledged_of_a_key_survives_a_kill(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], token[2048], log[512];

    (void)state;
    scene_keygen(h, id, 60000);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(scene_join(h, id, h->parties[i].id, 0, KEY_A, token).code, RPC_OK);
        assert_int_equal(scene_report_key(h, id, h->parties[i].id, token).code, RPC_OK);
        harness_kill(h);
    }
    scene_expect(h, id, "completed", "");
    scene_log(h, id, log, sizeof log);
    assert_string_equal(log, "session_created party_joined party_completed party_joined"
                             " party_completed party_joined session_ready session_started"
                             " party_completed session_completed");
    harness_free(h);
}

static void test_a_certificate_of_others_is_refused(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], token[2048];

    (void)state;
    scene_keygen(h, id, 60000);
    assert_int_equal(scene_join(h, id, "party-1", 0, KEY_A, token).code, RPC_OK);
    h->certificate[h->certificate_len - 1] ^= 1;
    assert_int_equal(scene_report_key(h, id, "party-1", token).code, RPC_INVALID);
    scene_expect(h, id, "failed", "invalid_result");
    harness_free(h);
}

/* The same parties made it, and it is good where it belongs. */
static void test_a_certificate_of_another_intent_is_refused(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], other[ID_TEXT_MAX], token[2048];

    (void)state;
    scene_keygen(h, id, 60000);
    scene_keygen(h, other, 60000);
    assert_int_equal(scene_join(h, id, "party-1", 0, KEY_A, token).code, RPC_OK);
    assert_int_equal(scene_report_key(h, id, "party-1", token).code, RPC_INVALID);
    scene_expect(h, id, "failed", "invalid_result");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(scene_join(h, other, h->parties[i].id, 0, KEY_A, token).code, RPC_OK);
        assert_int_equal(scene_report_key(h, other, h->parties[i].id, token).code, RPC_OK);
    }
    scene_expect(h, other, "completed", "");
    harness_free(h);
}

static void test_a_certificate_with_other_identities_is_refused(void **state)
{
    struct harness *h = harness_new(NULL);
    char id[ID_TEXT_MAX], token[2048];
    uint8_t pk[32];

    (void)state;
    crypto_sign_keypair(pk, h->parties[2].secret); /* the key was made by the one before */
    harness_make_delegate(h, 2);
    scene_keygen(h, id, 60000);
    assert_int_equal(scene_join(h, id, "party-1", 0, KEY_A, token).code, RPC_OK);
    assert_int_equal(scene_report_key(h, id, "party-1", token).code, RPC_INVALID);
    harness_free(h);
}

/* As another authority would certify party 1. */
static Mpc__Session__V1__PartyCertificate *of_another_authority(const struct harness *h)
{
    struct identity identity = {.party_id = "party-1", .role = "persistent"};
    uint8_t pk[32], secret[64], *b;
    Mpc__Session__V1__PartyCertificate *certificate;
    size_t len;

    memcpy(identity.key, h->parties[0].secret + 32, 32);
    crypto_sign_keypair(pk, secret);
    b = identity_issue(&len, &identity, secret);
    certificate = mpc__session__v1__party_certificate__unpack(NULL, len, b);
    free(b);
    return certificate;
}

static const char *keygen_fault(struct harness *h)
{
    char id[ID_TEXT_MAX];
    struct rpc_status status = scene_keygen_for(h, id, 60000, NULL, h->initiator);

    return status.code == RPC_OK ? "" : status.name;
}

static void test_a_keygen_is_of_certified_parties(void **state)
{
    struct harness *h = harness_new(NULL);
    Mpc__Session__V1__PartyCertificate *own = h->parties[0].certificate,
                                       *foreign = of_another_authority(h);
    uint8_t secret[64];

    (void)state;
    h->parties[0].certificate = foreign;
    assert_string_equal(keygen_fault(h), "invalid_certificate");
    h->parties[0].certificate = h->parties[1].certificate;
    assert_string_equal(keygen_fault(h), "invalid_certificate");
    h->parties[0].certificate = own;
    memcpy(secret, h->parties[0].secret, 64);
    h->parties[0].secret[32] ^= 1; /* the intent seats another key */
    assert_string_equal(keygen_fault(h), "invalid_intent");
    memcpy(h->parties[0].secret, secret, 64);
    assert_string_equal(keygen_fault(h), "");
    mpc__session__v1__party_certificate__free_unpacked(foreign, NULL);
    harness_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_keygen_needs_every_party),
        cmocka_unit_test(test_what_a_party_was_acknowledged_of_a_key_survives_a_kill),
        cmocka_unit_test(test_a_certificate_of_others_is_refused),
        cmocka_unit_test(test_a_certificate_of_another_intent_is_refused),
        cmocka_unit_test(test_a_certificate_with_other_identities_is_refused),
        cmocka_unit_test(test_a_keygen_is_of_certified_parties),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
