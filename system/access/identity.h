/* SPDX-License-Identifier: Apache-2.0 */
/* Who a party is: its certificate, which the operator's CA signs, and the proof of its identity key
 * with which it registers (proto/session.proto, proto/router.proto). */
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

#endif
