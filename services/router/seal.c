/* SPDX-License-Identifier: Apache-2.0 */
/* A frame: magic, instance, address, to, BE64 number, nonce, ciphertext with its tag. All before
 * the nonce is authenticated, too. */
#include "services/router/seal.h"

#include "system/core/be.h"
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t magic[4] = {'Q', 'R', 'F', '1'};

enum {
    NUMBER_BYTES = 8,
    HEAD_BYTES = sizeof magic + 3 * SEAL_ID_BYTES + NUMBER_BYTES,
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES
};

void seal_key(uint8_t key[SEAL_KEY_BYTES], const char *secret)
{
    static const char label[] = "quorate/routers/1";
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, (const uint8_t *)secret, strlen(secret));
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)label, sizeof label);
    crypto_auth_hmacsha256_final(&state, key);
    sodium_memzero(&state, sizeof state);
}

static void put_head(uint8_t out[HEAD_BYTES], const struct seal_head *head)
{
    uint8_t *at = out;

    memcpy(at, magic, sizeof magic);
    memcpy(at += sizeof magic, head->instance, SEAL_ID_BYTES);
    memcpy(at += SEAL_ID_BYTES, head->address, SEAL_ID_BYTES);
    memcpy(at += SEAL_ID_BYTES, head->to, SEAL_ID_BYTES);
    at += SEAL_ID_BYTES;
    be_put(at, NUMBER_BYTES, head->number);
}

static void get_head(struct seal_head *head, const uint8_t b[HEAD_BYTES])
{
    const uint8_t *at = b + sizeof magic;

    memcpy(head->instance, at, SEAL_ID_BYTES);
    memcpy(head->address, at += SEAL_ID_BYTES, SEAL_ID_BYTES);
    memcpy(head->to, at += SEAL_ID_BYTES, SEAL_ID_BYTES);
    at += SEAL_ID_BYTES;
    head->number = be_get(at, NUMBER_BYTES);
}

void seal_frame(struct buffer *out, const uint8_t key[SEAL_KEY_BYTES], const struct seal_head *head,
                const uint8_t *b, size_t len)
{
    uint8_t start[HEAD_BYTES + NONCE_BYTES];
    uint8_t *sealed = mem_new(len + TAG_BYTES, 1);
    unsigned long long sealed_len;

    put_head(start, head);
    randombytes_buf(start + HEAD_BYTES, NONCE_BYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, &sealed_len, b, len, start, HEAD_BYTES, NULL,
                                               start + HEAD_BYTES, key);
    buffer_add(out, start, sizeof start);
    buffer_add(out, sealed, (size_t)sealed_len);
    free(sealed);
}

bool open_frame(struct seal_head *head, uint8_t **content, size_t *content_len,
                const uint8_t key[SEAL_KEY_BYTES], const uint8_t *b, size_t len)
{
    const size_t start = HEAD_BYTES + NONCE_BYTES;
    unsigned long long opened;
    uint8_t *out;

    if (len < start + TAG_BYTES || memcmp(b, magic, sizeof magic) != 0)
        return false;
    out = mem_new(len - start - TAG_BYTES + 1, 1);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, &opened, NULL, b + start, len - start, b,
                                                   HEAD_BYTES, b + HEAD_BYTES, key) != 0) {
        free(out);
        return false;
    }
    get_head(head, b);
    *content = out;
    *content_len = (size_t)opened;
    return true;
}

static void forget_between(struct seal_window *window, uint64_t from, uint64_t to)
{
    for (uint64_t n = from; n < to; n++)
        window->bits[n % SEAL_WINDOW / 64] &= ~(UINT64_C(1) << n % 64);
}

bool seal_window_take(struct seal_window *window, uint64_t number)
{
    uint64_t *word = &window->bits[number % SEAL_WINDOW / 64];
    uint64_t bit = UINT64_C(1) << number % 64;

    if (number == 0)
        return false;
    if (number > window->highest) {
        if (number - window->highest >= SEAL_WINDOW)
            memset(window->bits, 0, sizeof window->bits);
        else
            forget_between(window, window->highest + 1, number);
        window->highest = number;
        *word |= bit;
        return true;
    }
    if (window->highest - number >= SEAL_WINDOW || *word & bit)
        return false;
    *word |= bit;
    return true;
}
