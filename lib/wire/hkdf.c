/* SPDX-License-Identifier: Apache-2.0 */
/* HKDF-SHA256 as RFC 5869, sections 2.2 and 2.3, writes it: the key derivation of the envelope
 * (protocol.md B.7). Debian's libsodium has no HKDF of its own yet, only the HMAC below it. */
#include "wire/hkdf.h"

#include "base/assert.h"
#include "base/wipe.h"

#include <sodium.h>
#include <string.h>

enum { BLOCK = crypto_auth_hmacsha256_BYTES };

void qrt_hkdf_extract(uint8_t prk[32], const uint8_t *salt, size_t salt_len, const uint8_t *ikm,
                      size_t ikm_len)
{
    crypto_auth_hmacsha256_state h;

    crypto_auth_hmacsha256_init(&h, salt, salt_len);
    crypto_auth_hmacsha256_update(&h, ikm, ikm_len);
    crypto_auth_hmacsha256_final(&h, prk);
    qrt_wipe(&h, sizeof h);
}

struct scratch {
    crypto_auth_hmacsha256_state h;
    uint8_t block[BLOCK]; /* T(i) */
};

static void expand(struct scratch *s, uint8_t *out, size_t len, const uint8_t prk[32],
                   const uint8_t *info, size_t info_len)
{
    for (uint8_t i = 1; len > 0; i++) {
        size_t take = len < BLOCK ? len : BLOCK;

        crypto_auth_hmacsha256_init(&s->h, prk, 32);
        if (i > 1)
            crypto_auth_hmacsha256_update(&s->h, s->block, BLOCK);
        crypto_auth_hmacsha256_update(&s->h, info, info_len);
        crypto_auth_hmacsha256_update(&s->h, &i, 1);
        crypto_auth_hmacsha256_final(&s->h, s->block);
        memcpy(out, s->block, take);
        out += take;
        len -= take;
    }
}

void qrt_hkdf_expand(uint8_t *out, size_t len, const uint8_t prk[32], const uint8_t *info,
                     size_t info_len)
{
    struct scratch s;

    qrt_assert(len <= (size_t)255 * BLOCK);
    expand(&s, out, len, prk, info, info_len);
    qrt_wipe(&s, sizeof s);
}
