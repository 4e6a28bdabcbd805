/* SPDX-License-Identifier: Apache-2.0 */
/* What three parties have and make, for the tests, on standard output. Without arguments: their
 * identities' secret keys, 64 bytes each, always the same. With a keygen intent in hexadecimal and
 * the number of an attempt: the certificate of the 2-of-3 key that they make by a real keygen at
 * that attempt. A program of its own, because the committee has names that services have as
 * well. */
#include "committee.h"
#include "quorate/certificate.h"
#include "quorate/intent.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For the program's life. */
static struct qrt_ctx *ctx;
static secp256k1_context *secp;

static const struct qrt_ctx *make_ctx(void)
{
    ctx = aligned_alloc(QRT_ALIGN, qrt_ctx_size());
    secp = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    if (!ctx || !secp || sodium_init() < 0)
        abort();
    qrt_ctx_init(ctx, secp, QRT_CPU_ALL);
    return ctx;
}

static bool write_identities(const struct committee *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (fwrite(c->identity[i], sizeof c->identity[i], 1, stdout) != 1)
            return false;
    return true;
}

/* The run's |iid| is what the key is bound to. */
static bool set_iid(struct session *s, const char *intent_text, const char *attempt)
{
    uint8_t intent[1024];
    size_t len;

    if (sodium_hex2bin(intent, sizeof intent, intent_text, strlen(intent_text), NULL, &len, NULL))
        return false;
    qrt_intent_iid(s->iid, s->c->ctx, intent, len, (uint32_t)strtoul(attempt, NULL, 10));
    return true;
}

static bool run(struct session *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (session_start_seat(s, i) != QRT_OK)
            return false;
    while (session_step(s))
        ;
    return session_done(s);
}

static bool write_certificate(struct committee *c, const char *intent, const char *attempt)
{
    struct session s;
    struct qrt_share share;
    uint8_t b[4096];
    struct qrt_bytes out = {.b = b, .cap = sizeof b};
    bool ok;

    session_init(&s, c, QRT_KEYGEN, true);
    ok = set_iid(&s, intent, attempt) && run(&s) &&
         qrt_share_open(&share, c->ctx, s.seats[0].record, s.seats[0].record_len) == QRT_OK &&
         qrt_certificate_export(&out, &share) == QRT_OK && fwrite(b, out.len, 1, stdout) == 1;
    session_free(&s);
    return ok;
}

int main(int argc, char **argv)
{
    struct committee c;
    bool ok;

    committee_init(&c, make_ctx(), 3, 2, 1);
    ok = argc == 3 ? write_certificate(&c, argv[1], argv[2]) : write_identities(&c);
    committee_free(&c);
    return ok && fflush(stdout) == 0 ? 0 : 1;
}
