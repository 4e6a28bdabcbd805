/* SPDX-License-Identifier: Apache-2.0 */
/* The library's context on the heap, its libsecp256k1 context blinded with fresh randomness. */
#include "library.h"

#include "hex.h"
#include "say.h"

#include <sodium.h>
#include <stdlib.h>

void library_open(struct library *library)
{
    size_t size = (qrt_ctx_size() + QRT_ALIGN - 1) / QRT_ALIGN * QRT_ALIGN;
    uint8_t blind[32];

    library->secp = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    library->ctx = aligned_alloc(QRT_ALIGN, size);
    if (!library->secp || !library->ctx)
        exit(refuse("out of memory"));
    randombytes_buf(blind, sizeof blind);
    if (!secp256k1_context_randomize(library->secp, blind))
        exit(refuse("libsecp256k1 refused to blind its context"));
    sodium_memzero(blind, sizeof blind);
    qrt_ctx_init(library->ctx, library->secp, QRT_CPU_ALL);
}

void library_close(struct library *library)
{
    free(library->ctx);
    secp256k1_context_destroy(library->secp);
    *library = (struct library){0};
}

bool library_pubkey(struct qrt_pubkey *out, const struct library *library, const char *hex)
{
    secp256k1_pubkey point;
    uint8_t b[65];
    size_t len, out_len = sizeof out->b;

    if (!hex_read(b, sizeof b, &len, hex) || (len != 33 && len != 65))
        return false;
    if (!secp256k1_ec_pubkey_parse(library->secp, &point, b, len))
        return false;
    return secp256k1_ec_pubkey_serialize(library->secp, out->b, &out_len, &point,
                                         SECP256K1_EC_COMPRESSED);
}
