/* SPDX-License-Identifier: Apache-2.0 */
/* Identity keys and what is signed with Ed25519 outside the protocol: party certificates (by the
 * operator's CA), registrations (by parties), orders (by the operator), users' keys (by the
 * initiator of a keygen). Each has its own prefix, so that no signature serves as another
 * (proto/session.proto, proto/router.proto). */
#ifndef SYSTEM_ACCESS_IDENTITY_H
#define SYSTEM_ACCESS_IDENTITY_H

#include "session.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a certificate says, checked. */
struct identity {
    char party_id[65];
    char role[16];
    uint8_t key[32];
};

/* False unless |ca| signed it and its fields are in form. */
bool identity_verify(struct identity *out, const Mpc__Session__V1__PartyCertificate *certificate,
                     const uint8_t ca[32]);
/* Encoded PartyCertificate, heap, the caller's. |ca_secret| is libsodium's 64-byte secret key. */
uint8_t *identity_issue(size_t *len, const struct identity *identity, const uint8_t ca_secret[64]);

struct registration {
    const char *party_id, *role;
    const uint8_t *boot_id; /* 16 */
    int64_t time_ms;
    const uint8_t *nonce; /* 16 */
};
void registration_sign(uint8_t proof[64], const struct registration *registration,
                       const uint8_t secret[64]);
bool registration_verify(const uint8_t proof[64], const struct registration *registration,
                         const uint8_t key[32]);

/* An order that |operator_key| signed; the body is the caller's (free_unpacked). NULL otherwise. */
Mpc__Session__V1__OrderBody *order_verify(const Mpc__Session__V1__Order *order,
                                          const uint8_t operator_key[32]);
void order_sign(uint8_t signature[64], const uint8_t *body, size_t len, const uint8_t secret[64]);

/* Whom the user's share of the key of this keygen intent is sealed to: the intent's initiator says
 * so. |secret| is libsodium's 64-byte secret key. */
void user_key_sign(uint8_t signature[64], const uint8_t *intent, size_t intent_len,
                   const uint8_t user_key[32], const uint8_t secret[64]);
/* |user_key| and |signature| as they came, of any length. */
bool user_key_verify(ProtobufCBinaryData signature, ProtobufCBinaryData intent,
                     ProtobufCBinaryData user_key, const uint8_t initiator[32]);

#endif
