/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing is decoded before its signature has been checked. */
#include "system/access/identity.h"

#include "system/access/signed.h"
#include "system/core/be.h"
#include "system/core/buffer.h"
#include "system/core/ids.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char certificate_prefix[] = "quorate/party-certificate/1";
static const char register_prefix[] = "quorate/register/1";

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
        !signed_check_bytes(certificate->signature, certificate_prefix, certificate->body, ca))
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
    signed_begin(&message, certificate_prefix);
    buffer_add(&message, out.body.data, out.body.len);
    signed_make(signature, &message, ca_secret);
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

    be_put(time, sizeof time, (uint64_t)r->time_ms);
    signed_begin(message, register_prefix);
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
    signed_make(proof, &message, secret);
}

bool registration_verify(const uint8_t proof[64], const struct registration *registration,
                         const uint8_t key[32])
{
    struct buffer message;

    put_registration(&message, registration);
    return signed_check(proof, &message, key);
}
