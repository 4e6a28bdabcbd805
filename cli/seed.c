/* SPDX-License-Identifier: Apache-2.0 */
/* Seeds. The text of a file and the expanded key live in guarded memory only. */
#include "seed.h"

#include "buffer.h"
#include "file.h"
#include "hex.h"
#include "secret.h"

#include <sodium.h>
#include <string.h>

bool seed_read(uint8_t seed[SEED_BYTES], const char *path, struct trouble *trouble)
{
    struct file file;
    char *text;
    bool ok;

    if (!file_read(&file, path, 128, trouble))
        return false;
    text = secret_alloc(file.len + 1);
    memcpy(text, file.b, file.len);
    file_free(&file);
    text[strcspn(text, "\r\n")] = '\0';
    ok = hex_decode_exact(seed, SEED_BYTES, text);
    secret_free(text);
    return ok || trouble_set(trouble, "%s must hold a key of 64 hex digits", path);
}

bool seed_read_or_make(uint8_t seed[SEED_BYTES], const char *path, struct trouble *trouble)
{
    enum { TEXT = 2 * SEED_BYTES + 2 };
    char *text;
    bool ok;

    if (file_exists(path))
        return seed_read(seed, path, trouble);
    text = secret_alloc(TEXT);
    randombytes_buf(seed, SEED_BYTES);
    sodium_bin2hex(text, TEXT, seed, SEED_BYTES);
    strcat(text, "\n");
    ok = file_write_new(path, (const uint8_t *)text, strlen(text), trouble);
    secret_free(text);
    return ok;
}

void seed_public(uint8_t key[32], const uint8_t seed[SEED_BYTES])
{
    uint8_t *secret = secret_alloc(crypto_sign_SECRETKEYBYTES);

    crypto_sign_seed_keypair(key, secret, seed);
    secret_free(secret);
}

void seed_sign(uint8_t signature[64], const char *prefix, const uint8_t *body, size_t len,
               const uint8_t seed[SEED_BYTES])
{
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
    uint8_t *secret = secret_alloc(crypto_sign_SECRETKEYBYTES);
    struct buffer message = {0};

    crypto_sign_seed_keypair(public_key, secret, seed);
    buffer_put(&message, prefix, strlen(prefix) + 1);
    buffer_put(&message, body, len);
    crypto_sign_detached(signature, NULL, message.b, message.len, secret);
    buffer_free(&message);
    secret_free(secret);
}
