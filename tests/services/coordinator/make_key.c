/* SPDX-License-Identifier: Apache-2.0 */
/* A 2-of-3 key made by a real keygen, for the tests: the three identities' secret keys (64 bytes
 * each), then the key's certificate. A program of its own, because the committee has names that
 * the coordinator has as well. */
#include "committee.h"
#include "quorate/certificate.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static const struct qrt_ctx *make_ctx(void)
{
    struct qrt_ctx *ctx = aligned_alloc(QRT_ALIGN, qrt_ctx_size());
    secp256k1_context *secp = secp256k1_context_create(SECP256K1_CONTEXT_NONE);

    if (!ctx || !secp || sodium_init() < 0)
        abort();
    qrt_ctx_init(ctx, secp, QRT_CPU_ALL);
    return ctx;
}

int main(int argc, char **argv)
{
    struct committee c;
    uint8_t b[4096];
    struct qrt_bytes certificate = {.b = b, .cap = sizeof b};
    FILE *out = argc == 2 ? fopen(argv[1], "wb") : NULL;

    committee_init(&c, make_ctx(), 3, 2, 1);
    committee_make_key(&c);
    if (!out || qrt_certificate_export(&certificate, &c.shares[0]) != QRT_OK)
        return 1;
    for (size_t i = 0; i < c.n; i++)
        fwrite(c.identity[i], 1, sizeof c.identity[i], out);
    fwrite(b, 1, certificate.len, out);
    committee_free(&c);
    return fclose(out) == 0 ? 0 : 1;
}
