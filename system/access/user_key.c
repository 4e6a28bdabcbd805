/* SPDX-License-Identifier: Apache-2.0 */
/* What is signed is the intent's hash, then the key. */
#include "system/access/user_key.h"

#include "system/access/signed.h"

#include <sodium.h>
#include <string.h>

static const char user_key_prefix[] = "quorate/user-key/1";

/* Stands for no key in what is signed; it is none itself. */
static const uint8_t nobody[32];

/* Both parts have fixed lengths. */
static void put_user_key(struct buffer *message, const uint8_t *intent, size_t intent_len,
                         const uint8_t user_key[32])
{
    uint8_t hash[32];

    crypto_hash_sha256(hash, intent, intent_len);
    signed_begin(message, user_key_prefix);
    buffer_add(message, hash, sizeof hash);
    buffer_add(message, user_key, 32);
}

void user_key_sign(uint8_t signature[64], const uint8_t *intent, size_t intent_len,
                   const uint8_t *user_key, const uint8_t secret[64])
{
    struct buffer message;

    put_user_key(&message, intent, intent_len, user_key ? user_key : nobody);
    signed_make(signature, &message, secret);
}

bool user_key_verify(ProtobufCBinaryData signature, ProtobufCBinaryData intent,
                     ProtobufCBinaryData user_key, const uint8_t initiator[32])
{
    struct buffer message;

    if (signature.len != 64 || (user_key.len != 0 && user_key.len != 32) ||
        (user_key.len == 32 && memcmp(user_key.data, nobody, 32) == 0))
        return false;
    put_user_key(&message, intent.data, intent.len, user_key.len ? user_key.data : nobody);
    return signed_check(signature.data, &message, initiator);
}

/* The trial multiplication refuses it. */
bool user_key_is_sound(const uint8_t user_key[32])
{
    const uint8_t one[32] = {1};
    uint8_t out[32];

    return crypto_scalarmult(out, one, user_key) == 0;
}
