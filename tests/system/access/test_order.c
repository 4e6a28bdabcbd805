/* SPDX-License-Identifier: Apache-2.0 */
/* Orders: what the operator signed is taken if it is in form, one changed bit is not, and no
 * certificate serves as an order. */
#include "system/access/order.h"

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

static char reason[8];

/* An order with |action| about |account|, signed; the caller frees order->body.data. */
static void make_order(Mpc__Session__V1__Order *order, uint8_t signature[64], const char *action,
                       const char *account)
{
    Mpc__Session__V1__OrderBody body = MPC__SESSION__V1__ORDER_BODY__INIT;

    body.action = (char *)(uintptr_t)action;
    body.account_id = (char *)(uintptr_t)account;
    body.reason = reason;
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
    strcpy(reason, "z\xc3\xa9");
    assert_true(order_is_good("freeze", ""));
    strcpy(reason, "z\xc3");
    assert_false(order_is_good("freeze", ""));
    reason[0] = '\0';
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

/* Bytes of an order, signed as those of a certificate. */
static void sign_as_certificate(uint8_t signature[64], const ProtobufCBinaryData *body)
{
    static const char prefix[] = "quorate/party-certificate/1";
    uint8_t b[256];

    assert_true(sizeof prefix + body->len <= sizeof b);
    memcpy(b, prefix, sizeof prefix);
    memcpy(b + sizeof prefix, body->data, body->len);
    crypto_sign_detached(signature, NULL, b, sizeof prefix + body->len, ca_secret);
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
    sign_as_certificate(signature, &real.body);
    assert_null(order_verify(&real, ca));
    free(real.body.data);
    mpc__session__v1__party_certificate__free_unpacked(c, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders_are_verified_and_in_form),
        cmocka_unit_test(test_changed_order_is_refused),
        cmocka_unit_test(test_attack_certificate_as_order),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
