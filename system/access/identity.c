/* SPDX-License-Identifier: Apache-2.0 */
/* Ed25519 by libsodium over a prefix with its zero byte, then the bytes meant. Nothing is decoded
 * before its signature has been checked. */
#include "system/access/identity.h"

#include "system/core/buffer.h"
#include "system/core/ids.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char certificate_prefix[] = "quorate/party-certificate/1";
static const char register_prefix[] = "quorate/register/1";
static const char order_prefix[] = "quorate/operator-order/1";
static const char user_key_prefix[] = "quorate/user-key/1";

/* With the prefix's zero byte. */
static void begin(struct buffer *message, const char *prefix)
{
    *message = (struct buffer){0};
    buffer_add(message, prefix, strlen(prefix) + 1);
}

/* Both free |message|. */
static void sign(uint8_t signature[64], struct buffer *message, const uint8_t secret[64])
{
    crypto_sign_detached(signature, NULL, message->b, message->len, secret);
    buffer_free(message);
}

static bool verify(const uint8_t signature[64], struct buffer *message, const uint8_t key[32])
{
    bool is_good = crypto_sign_verify_detached(signature, message->b, message->len, key) == 0;

    buffer_free(message);
    return is_good;
}

static bool verify_bytes(ProtobufCBinaryData signature, const char *prefix,
                         ProtobufCBinaryData body, const uint8_t key[32])
{
    struct buffer message;

    if (signature.len != 64)
        return false;
    begin(&message, prefix);
    buffer_add(&message, body.data, body.len);
    return verify(signature.data, &message, key);
}

static bool role_is_known(const char *role)
{
    return strcmp(role, "persistent") == 0 || strcmp(role, "delegate") == 0 ||
           strcmp(role, "temporary") == 0;
}

/* The key must be one that only one secret fits. */
static bool take_body(struct identity *out, const Mpc__Session__V1__PartyIdentity *body)
{
    if (!party_id_is_valid(body->party_id) || !role_is_known(body->role) ||
        body->identity_key.len != sizeof out->key ||
        crypto_core_ed25519_is_valid_point(body->identity_key.data) != 1)
        return false;
    *out = (struct identity){0};
    strcpy(out->party_id, body->party_id);
    strcpy(out->role, body->role);
    memcpy(out->key, body->identity_key.data, sizeof out->key);
    return true;
}

bool identity_verify(struct identity *out, const Mpc__Session__V1__PartyCertificate *certificate,
                     const uint8_t ca[32])
{
    Mpc__Session__V1__PartyIdentity *body;
    bool is_good;

    if (!certificate ||
        !verify_bytes(certificate->signature, certificate_prefix, certificate->body, ca))
        return false;
    body = mpc__session__v1__party_identity__unpack(NULL, certificate->body.len,
                                                    certificate->body.data);
    if (!body)
        return false;
    is_good = take_body(out, body);
    mpc__session__v1__party_identity__free_unpacked(body, NULL);
    return is_good;
}

static uint8_t *pack(const ProtobufCMessage *message, size_t *len)
{
    uint8_t *b = mem_new(1, protobuf_c_message_get_packed_size(message) + 1);

    *len = protobuf_c_message_pack(message, b);
    return b;
}

uint8_t *identity_issue(size_t *len, const struct identity *identity, const uint8_t ca_secret[64])
{
    Mpc__Session__V1__PartyIdentity body = MPC__SESSION__V1__PARTY_IDENTITY__INIT;
    Mpc__Session__V1__PartyCertificate out = MPC__SESSION__V1__PARTY_CERTIFICATE__INIT;
    struct identity copy = *identity;
    uint8_t signature[64], *packed;
    struct buffer message;

    body.party_id = copy.party_id;
    body.role = copy.role;
    body.identity_key = (ProtobufCBinaryData){sizeof copy.key, copy.key};
    out.body.data = pack(&body.base, &out.body.len);
    begin(&message, certificate_prefix);
    buffer_add(&message, out.body.data, out.body.len);
    sign(signature, &message, ca_secret);
    out.signature = (ProtobufCBinaryData){sizeof signature, signature};
    packed = pack(&out.base, len);
    free(out.body.data);
    return packed;
}

/* Text fields end with their zero byte, the others have fixed lengths: no two registrations have
 * the same bytes. */
static void put_registration(struct buffer *message, const struct registration *r)
{
    uint8_t time[8];

    for (int i = 0; i < 8; i++)
        time[i] = (uint8_t)((uint64_t)r->time_ms >> (56 - 8 * i));
    begin(message, register_prefix);
    buffer_add(message, r->party_id, strlen(r->party_id) + 1);
    buffer_add(message, r->role, strlen(r->role) + 1);
    buffer_add(message, r->boot_id, 16);
    buffer_add(message, time, sizeof time);
    buffer_add(message, r->nonce, 16);
}

void registration_sign(uint8_t proof[64], const struct registration *registration,
                       const uint8_t secret[64])
{
    struct buffer message;

    put_registration(&message, registration);
    sign(proof, &message, secret);
}

bool registration_verify(const uint8_t proof[64], const struct registration *registration,
                         const uint8_t key[32])
{
    struct buffer message;

    put_registration(&message, registration);
    return verify(proof, &message, key);
}

static bool order_is_in_form(const Mpc__Session__V1__OrderBody *body)
{
    uint8_t id[16];

    return (strcmp(body->action, "freeze") == 0 || strcmp(body->action, "unfreeze") == 0) &&
           (!body->account_id[0] || id_parse(id, body->account_id));
}

Mpc__Session__V1__OrderBody *order_verify(const Mpc__Session__V1__Order *order,
                                          const uint8_t operator_key[32])
{
    Mpc__Session__V1__OrderBody *body;

    if (!order || !verify_bytes(order->signature, order_prefix, order->body, operator_key))
        return NULL;
    body = mpc__session__v1__order_body__unpack(NULL, order->body.len, order->body.data);
    if (body && order_is_in_form(body))
        return body;
    if (body)
        mpc__session__v1__order_body__free_unpacked(body, NULL);
    return NULL;
}

void order_sign(uint8_t signature[64], const uint8_t *body, size_t len, const uint8_t secret[64])
{
    struct buffer message;

    begin(&message, order_prefix);
    buffer_add(&message, body, len);
    sign(signature, &message, secret);
}

/* Both parts have fixed lengths. */
static void put_user_key(struct buffer *message, const uint8_t *intent, size_t intent_len,
                         const uint8_t user_key[32])
{
    uint8_t hash[32];

    crypto_hash_sha256(hash, intent, intent_len);
    begin(message, user_key_prefix);
    buffer_add(message, hash, sizeof hash);
    buffer_add(message, user_key, 32);
}

void user_key_sign(uint8_t signature[64], const uint8_t *intent, size_t intent_len,
                   const uint8_t user_key[32], const uint8_t secret[64])
{
    struct buffer message;

    put_user_key(&message, intent, intent_len, user_key);
    sign(signature, &message, secret);
}

bool user_key_verify(ProtobufCBinaryData signature, ProtobufCBinaryData intent,
                     ProtobufCBinaryData user_key, const uint8_t initiator[32])
{
    struct buffer message;

    if (signature.len != 64 || user_key.len != 32)
        return false;
    put_user_key(&message, intent.data, intent.len, user_key.data);
    return verify(signature.data, &message, initiator);
}
