/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures outside the protocol: what was signed is accepted, one changed bit is not, and no
 * signature serves as another. */
#include "system/access/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define ACCOUNT "6f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f"

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

/* An order with |action| about |account|, signed; the caller frees order->body.data. */
static void make_order(Mpc__Session__V1__Order *order, uint8_t signature[64], const char *action,
                       const char *account)
{
    Mpc__Session__V1__OrderBody body = MPC__SESSION__V1__ORDER_BODY__INIT;

    body.action = (char *)(uintptr_t)action;
    body.account_id = (char *)(uintptr_t)account;
    body.serial = 7;
    mpc__session__v1__order__init(order);
    order->body.len = mpc__session__v1__order_body__get_packed_size(&body);
    order->body.data = malloc(order->body.len);
    mpc__session__v1__order_body__pack(&body, order->body.data);
    order_sign(signature, order->body.data, order->body.len, ca_secret);
    order->signature = (ProtobufCBinaryData){64, signature};
}

static bool order_is_good(const char *action, const char *account)
{
    Mpc__Session__V1__Order order;
    Mpc__Session__V1__OrderBody *body;
    uint8_t signature[64];
    bool is_good;

    make_order(&order, signature, action, account);
    body = order_verify(&order, ca);
    is_good = body && body->serial == 7 && strcmp(body->account_id, account) == 0;
    if (body)
        mpc__session__v1__order_body__free_unpacked(body, NULL);
    free(order.body.data);
    return is_good;
}

static void test_orders_are_verified_and_in_form(void **state)
{
    (void)state;
    assert_true(order_is_good("freeze", ""));
    assert_true(order_is_good("unfreeze", ACCOUNT));
    assert_false(order_is_good("melt", ""));
    assert_false(order_is_good("freeze", "everything"));
    assert_null(order_verify(NULL, ca));
}

static void test_changed_order_is_refused(void **state)
{
    Mpc__Session__V1__Order order;
    uint8_t signature[64];

    (void)state;
    make_order(&order, signature, "freeze", ACCOUNT);
    for (size_t bit = 0; bit < order.body.len * 8; bit++) {
        order.body.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_null(order_verify(&order, ca));
        order.body.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_null(order_verify(&order, party));
    free(order.body.data);
}

/* The CA's certificate of a body that is an order's, and the other way round. */
static void test_attack_certificate_as_order(void **state)
{
    struct identity in = identity_of("freeze", "persistent"), out;
    Mpc__Session__V1__PartyCertificate *c = issue(&in), swapped;
    Mpc__Session__V1__Order order = MPC__SESSION__V1__ORDER__INIT, real;
    uint8_t signature[64];

    (void)state;
    order.body = c->body;
    order.signature = c->signature;
    assert_null(order_verify(&order, ca));
    make_order(&real, signature, "freeze", "");
    mpc__session__v1__party_certificate__init(&swapped);
    swapped.body = real.body;
    swapped.signature = real.signature;
    assert_false(identity_verify(&out, &swapped, ca));
    free(real.body.data);
    mpc__session__v1__party_certificate__free_unpacked(c, NULL);
}

static const uint8_t the_intent[] = "intent";
static const uint8_t users[32] = {7};

static bool user_key_is_good(const uint8_t signature[64], const uint8_t *intent, const uint8_t *key)
{
    return user_key_verify((ProtobufCBinaryData){64, (uint8_t *)(uintptr_t)signature},
                           (ProtobufCBinaryData){6, (uint8_t *)(uintptr_t)intent},
                           (ProtobufCBinaryData){32, (uint8_t *)(uintptr_t)key}, party);
}

static void test_users_key_binds_intent_and_key(void **state)
{
    uint8_t signature[64], intent[6], key[32];

    (void)state;
    user_key_sign(signature, the_intent, 6, users, party_secret);
    assert_true(user_key_is_good(signature, the_intent, users));
    assert_false(user_key_verify((ProtobufCBinaryData){64, signature},
                                 (ProtobufCBinaryData){6, (uint8_t *)(uintptr_t)the_intent},
                                 (ProtobufCBinaryData){32, (uint8_t *)(uintptr_t)users}, ca));
    for (size_t bit = 0; bit < sizeof signature * 8; bit++) {
        memcpy(intent, the_intent, 6);
        memcpy(key, users, 32);
        intent[bit / 8 % 6] ^= (uint8_t)(1 << bit % 8);
        assert_false(user_key_is_good(signature, intent, users));
        key[bit / 8 % 32] ^= (uint8_t)(1 << bit % 8);
        assert_false(user_key_is_good(signature, the_intent, key));
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(user_key_is_good(signature, the_intent, users));
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void test_users_key_of_another_length_is_refused(void **state)
{
    uint8_t signature[64];
    const ProtobufCBinaryData intent = {6, (uint8_t *)(uintptr_t)the_intent};
    const ProtobufCBinaryData key = {32, (uint8_t *)(uintptr_t)users};

    (void)state;
    user_key_sign(signature, the_intent, 6, users, party_secret);
    assert_false(user_key_verify((ProtobufCBinaryData){63, signature}, intent, key, party));
    assert_false(user_key_verify((ProtobufCBinaryData){0, NULL}, intent, key, party));
    assert_false(user_key_verify((ProtobufCBinaryData){64, signature}, intent,
                                 (ProtobufCBinaryData){31, key.data}, party));
    assert_false(user_key_verify((ProtobufCBinaryData){64, signature}, intent,
                                 (ProtobufCBinaryData){0, NULL}, party));
}

/* The bytes that session.proto names, written out. */
static void test_users_key_has_the_bytes_of_the_document(void **state)
{
    static const char prefix[] = "quorate/user-key/1";
    uint8_t bytes[sizeof prefix + 64], signature[64];

    (void)state;
    memcpy(bytes, prefix, sizeof prefix);
    crypto_hash_sha256(bytes + sizeof prefix, the_intent, 6);
    memcpy(bytes + sizeof prefix + 32, users, 32);
    user_key_sign(signature, the_intent, 6, users, party_secret);
    assert_int_equal(crypto_sign_verify_detached(signature, bytes, sizeof bytes, party), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certificate_says_what_was_issued),
        cmocka_unit_test(test_certificate_of_a_wrong_form_is_refused),
        cmocka_unit_test(test_every_changed_bit_of_a_certificate_is_refused),
        cmocka_unit_test(test_registration_binds_every_field),
        cmocka_unit_test(test_registration_has_the_bytes_of_the_document),
        cmocka_unit_test(test_orders_are_verified_and_in_form),
        cmocka_unit_test(test_changed_order_is_refused),
        cmocka_unit_test(test_attack_certificate_as_order),
        cmocka_unit_test(test_users_key_binds_intent_and_key),
        cmocka_unit_test(test_users_key_of_another_length_is_refused),
        cmocka_unit_test(test_users_key_has_the_bytes_of_the_document),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
