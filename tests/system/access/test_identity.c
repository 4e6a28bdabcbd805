/* SPDX-License-Identifier: Apache-2.0 */
/* Who a party is: what was signed is accepted, one changed bit is not. */
#include "system/access/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static uint8_t ca[32], ca_secret[64], party[32], party_secret[64];

static int set_up(void **state)
{
    (void)state;
    if (sodium_init() < 0)
        return 1;
    crypto_sign_keypair(ca, ca_secret);
    crypto_sign_keypair(party, party_secret);
    return 0;
}

static struct identity identity_of(const char *id, const char *role)
{
    struct identity identity = {0};

    strcpy(identity.party_id, id);
    strcpy(identity.role, role);
    memcpy(identity.key, party, 32);
    return identity;
}

static Mpc__Session__V1__PartyCertificate *issue(const struct identity *identity)
{
    size_t len;
    uint8_t *b = identity_issue(&len, identity, ca_secret);
    Mpc__Session__V1__PartyCertificate *out =
        mpc__session__v1__party_certificate__unpack(NULL, len, b);

    free(b);
    assert_non_null(out);
    return out;
}

static bool is_issued_and_good(const char *id, const char *role)
{
    struct identity in = identity_of(id, role), out;
    Mpc__Session__V1__PartyCertificate *certificate = issue(&in);
    bool is_good = identity_verify(&out, certificate, ca);

    if (is_good)
        assert_memory_equal(&in, &out, sizeof in);
    mpc__session__v1__party_certificate__free_unpacked(certificate, NULL);
    return is_good;
}

static void test_certificate_says_what_was_issued(void **state)
{
    (void)state;
    assert_true(is_issued_and_good("server-party-1", "persistent"));
    assert_true(is_issued_and_good("x", "delegate"));
    assert_true(is_issued_and_good("x", "temporary"));
}

static void test_certificate_of_a_wrong_form_is_refused(void **state)
{
    struct identity bad = identity_of("a", "persistent"), out;
    Mpc__Session__V1__PartyCertificate *certificate;

    (void)state;
    assert_false(is_issued_and_good("", "persistent"));
    assert_false(is_issued_and_good("a b", "persistent"));
    assert_false(is_issued_and_good("a", "boss"));
    /* the neutral element: everybody can sign for it */
    memset(bad.key, 0, 32);
    bad.key[0] = 1;
    certificate = issue(&bad);
    assert_false(identity_verify(&out, certificate, ca));
    mpc__session__v1__party_certificate__free_unpacked(certificate, NULL);
}

static void test_every_changed_bit_of_a_certificate_is_refused(void **state)
{
    struct identity in = identity_of("party", "persistent"), out;
    Mpc__Session__V1__PartyCertificate *c = issue(&in);

    (void)state;
    for (size_t bit = 0; bit < c->body.len * 8; bit++) {
        c->body.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(identity_verify(&out, c, ca));
        c->body.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 512; bit++) {
        c->signature.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(identity_verify(&out, c, ca));
        c->signature.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_false(identity_verify(&out, c, party));
    assert_true(identity_verify(&out, c, ca));
    c->signature.len = 63;
    assert_false(identity_verify(&out, c, ca));
    assert_false(identity_verify(&out, NULL, ca));
    mpc__session__v1__party_certificate__free_unpacked(c, NULL);
}

static void test_registration_binds_every_field(void **state)
{
    const uint8_t boot[16] = {1}, other_boot[16] = {2}, nonce[16] = {3}, other_nonce[16] = {4};
    const struct registration r = {"p", "persistent", boot, 1000, nonce};
    const struct registration others[] = {
        {"q", "persistent", boot, 1000, nonce},       {"p", "delegate", boot, 1000, nonce},
        {"p", "persistent", other_boot, 1000, nonce}, {"p", "persistent", boot, 1001, nonce},
        {"p", "persistent", boot, 1000, other_nonce}, {"", "ppersistent", boot, 1000, nonce},
    };
    uint8_t proof[64];

    (void)state;
    registration_sign(proof, &r, party_secret);
    assert_true(registration_verify(proof, &r, party));
    assert_false(registration_verify(proof, &r, ca));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(registration_verify(proof, &others[i], party));
}

/* The bytes that router.proto names, written out. */
static void test_registration_has_the_bytes_of_the_document(void **state)
{
    static const uint8_t bytes[] = "quorate/register/1\0p1\0delegate\0BBBBBBBBBBBBBBBB"
                                   "\0\0\1\2\3\4\5\6NNNNNNNNNNNNNNNN";
    const struct registration r = {"p1", "delegate", (const uint8_t *)"BBBBBBBBBBBBBBBB",
                                   0x010203040506, (const uint8_t *)"NNNNNNNNNNNNNNNN"};
    uint8_t proof[64];

    (void)state;
    registration_sign(proof, &r, party_secret);
    assert_int_equal(crypto_sign_verify_detached(proof, bytes, sizeof bytes - 1, party), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certificate_says_what_was_issued),
        cmocka_unit_test(test_certificate_of_a_wrong_form_is_refused),
        cmocka_unit_test(test_every_changed_bit_of_a_certificate_is_refused),
        cmocka_unit_test(test_registration_binds_every_field),
        cmocka_unit_test(test_registration_has_the_bytes_of_the_document),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
