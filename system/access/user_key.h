/* SPDX-License-Identifier: Apache-2.0 */
/* A user's key: who initiates a keygen says by his signature whom the user's share is for, so that
 * nobody on the way puts a key of his own there (proto/session.proto). */
#ifndef SYSTEM_ACCESS_USER_KEY_H
#define SYSTEM_ACCESS_USER_KEY_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whom the user's share of the key of this keygen intent is sealed to: the intent's initiator says
 * so. |user_key| NULL: he names nobody, and leaves it to whoever asks the delegate for the share;
 * that has to be said as well, or whoever takes the key out of a setup could name his own. |secret|
 * is libsodium's 64-byte secret key. */
void user_key_sign(uint8_t signature[64], const uint8_t *intent, size_t intent_len,
                   const uint8_t *user_key, const uint8_t secret[64]);
/* |user_key| and |signature| as they came, of any length; an empty |user_key|: that he names
 * nobody. */
bool user_key_verify(ProtobufCBinaryData signature, ProtobufCBinaryData intent,
                     ProtobufCBinaryData user_key, const uint8_t initiator[32]);

/* False for a point of small order: what is sealed to it, everybody can open. */
bool user_key_is_sound(const uint8_t user_key[32]);

#endif
