/* SPDX-License-Identifier: Apache-2.0 */
/* What parties report, checked before it counts. Public data only. */
#ifndef COORDINATOR_VERIFY_H
#define COORDINATOR_VERIFY_H

#include "services/coordinator/coordinator.h"

/* 65 bytes: a low-s signature of the session's hash under its key, with the right recovery id. */
bool verify_signature(const struct coordinator *c, const struct record *r,
                      const ProtobufCBinaryData *signature);
/* The certificate of the very key that the session's intent asked for.
 * |result| gets its hash, |public_key| the key in hex. */
bool verify_certificate(uint8_t result[32], char public_key[PUBLIC_KEY_MAX],
                        const struct coordinator *c, const struct record *r,
                        const ProtobufCBinaryData *certificate);

#endif
