/* SPDX-License-Identifier: Apache-2.0 */
/* The parties: identities, roster, the seeded generator, and the key they make. */
#include "committee.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t draw64(struct committee *c) /* SplitMix64, Steele et al. 2014 */
{
    uint64_t z = c->draws += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void committee_draw(struct committee *c, void *out, size_t len)
{
    uint8_t *b = out;

    for (size_t i = 0; i < len; i++)
        b[i] = (uint8_t)draw64(c);
}

void committee_init(struct committee *c, const struct qrt_ctx *ctx, size_t n, size_t t,
                    uint64_t seed)
{
    memset(c, 0, sizeof *c);
    c->ctx = ctx;
    c->n = n;
    c->t = t;
    c->draws = seed;
    for (size_t i = 0; i < n; i++) {
        uint8_t entropy[32];
        struct qrt_party *party = &c->parties[i];

        committee_draw(c, entropy, sizeof entropy);
        crypto_sign_seed_keypair(c->keys[i].idpk, c->identity[i], entropy);
        party->index = c->keys[i].index = (uint16_t)(i + 1);
        crypto_hash_sha256(party->idk, c->keys[i].idpk, 32);
        qrt_party_default_x(party);
    }
}

static void keep_share(struct committee *c, struct seat *seat)
{
    enum qrt_err e;

    c->records[seat->who] = seat->record;
    c->record_len = seat->record_len;
    seat->record = NULL;
    e = qrt_share_open(&c->shares[seat->who], c->ctx, c->records[seat->who], c->record_len);
    if (e != QRT_OK) {
        fprintf(stderr, "committee: %s\n", qrt_err_text(e));
        abort();
    }
}

void committee_make_key(struct committee *c)
{
    struct session s;

    session_init(&s, c, QRT_KEYGEN, true);
    if (!session_play(&s)) {
        fprintf(stderr, "committee: keygen of %zu of %zu failed\n", c->t, c->n);
        abort();
    }
    for (size_t i = 0; i < c->n; i++)
        keep_share(c, &s.seats[i]);
    session_free(&s);
}

void committee_free(struct committee *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->records[i]);
    memset(c, 0, sizeof *c);
}
