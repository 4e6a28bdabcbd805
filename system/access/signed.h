/* SPDX-License-Identifier: Apache-2.0 */
/* What is signed with Ed25519 outside the protocol: a prefix with its zero byte, then the bytes
 * meant. Each purpose has a prefix of its own, so that no signature serves as another
 * (proto/session.proto, proto/router.proto). For system/access only. */
#ifndef SYSTEM_ACCESS_SIGNED_H
#define SYSTEM_ACCESS_SIGNED_H

#include "system/core/buffer.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

/* The message begins; the bytes meant are added with buffer_add. */
void signed_begin(struct buffer *message, const char *prefix);
/* Both free |message|. |secret| is libsodium's 64-byte secret key. */
void signed_make(uint8_t signature[64], struct buffer *message, const uint8_t secret[64]);
bool signed_check(const uint8_t signature[64], struct buffer *message, const uint8_t key[32]);
/* |body| as it came; false also for a |signature| of another length. */
bool signed_check_bytes(ProtobufCBinaryData signature, const char *prefix, ProtobufCBinaryData body,
                        const uint8_t key[32]);

#endif
