/* SPDX-License-Identifier: Apache-2.0 */
/* See signed.h. */
#include "system/access/signed.h"

#include <sodium.h>
#include <string.h>

void signed_begin(struct buffer *message, const char *prefix)
{
    *message = (struct buffer){0};
    buffer_add(message, prefix, strlen(prefix) + 1);
}

void signed_make(uint8_t signature[64], struct buffer *message, const uint8_t secret[64])
{
    crypto_sign_detached(signature, NULL, message->b, message->len, secret);
    buffer_free(message);
}

bool signed_check(const uint8_t signature[64], struct buffer *message, const uint8_t key[32])
{
    bool is_good = crypto_sign_verify_detached(signature, message->b, message->len, key) == 0;

    buffer_free(message);
    return is_good;
}

bool signed_check_bytes(ProtobufCBinaryData signature, const char *prefix, ProtobufCBinaryData body,
                        const uint8_t key[32])
{
    struct buffer message;

    if (signature.len != 64)
        return false;
    signed_begin(&message, prefix);
    buffer_add(&message, body.data, body.len);
    return signed_check(signature.data, &message, key);
}
