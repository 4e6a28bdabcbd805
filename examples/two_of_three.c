/* SPDX-License-Identifier: Apache-2.0 */
/* The library in one file: three parties in this process make a 2-of-3 key, two of them sign.
 *
 * Build against an installed library:
 *     cc two_of_three.c $(pkg-config --cflags --libs quorate) -o two_of_three
 *
 * Real parties are on three machines. Then |post| is a network, |keep| seals and writes the record
 * to disk and syncs it, and every party runs the same loop by itself; nothing else changes. */
#include <quorate/quorate.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 3, T = 2 };

/* One party: its identity, its stored share, and the protocol it is in at the moment. */
struct party {
    uint8_t identity[64];
    struct qrt_peer_key key; /* its public side, known to all */
    uint8_t *record;         /* the share record; a real host seals it */
    size_t record_len;
    struct qrt_share share;
    struct qrt_peer *peer; /* NULL: takes no part */
};

QRT_NORETURN void qrt_panic(const char *file, int line)
{
    fprintf(stderr, "a bug at %s:%d\n", file, line);
    abort();
}

static void need(enum qrt_err e)
{
    if (e == QRT_OK)
        return;
    fprintf(stderr, "two_of_three: %s\n", qrt_err_text(e));
    exit(1);
}

static void *locked(size_t len)
{
    void *p =
        sodium_malloc(len); /* ends at a page, so sizes that are multiples of 64 are aligned */

    if (!p)
        exit(1);
    return p;
}

/* "Durable" here is in memory. */
static void keep(struct party *p, const struct qrt_record *record)
{
    if (record->kind != QRT_RECORD_SHARE_PENDING && record->kind != QRT_RECORD_SHARE)
        return; /* one session at a time, nothing burned: the gate is open */
    sodium_free(p->record);
    p->record = locked(record->len);
    p->record_len = record->len;
    memcpy(p->record, record->b, record->len);
}

/* To everybody or to one. A real host offers what is answered QRT_E_AGAIN once more; in order it
 * does not occur. */
static void post(struct party *parties, const struct party *from, const struct qrt_msg *msg)
{
    for (size_t i = 0; i < N; i++) {
        struct party *to = &parties[i];

        if (to == from || !to->peer)
            continue;
        if (msg->to == QRT_EVERYBODY || msg->to == to->key.index)
            need(qrt_peer_recv(to->peer, msg->b, msg->len));
    }
}

/* One turn of a party: records first, then messages. True if it did anything. */
static bool turn(struct party *parties, struct party *p)
{
    const struct qrt_record *record = qrt_peer_record(p->peer);
    const struct qrt_msg *msg;

    if (record) {
        keep(p, record);
        need(qrt_peer_confirm(p->peer));
        return true;
    }
    msg = qrt_peer_next(p->peer);
    if (msg)
        post(parties, p, msg);
    return msg != NULL;
}

static void run(struct party *parties)
{
    for (bool busy = true; busy;) {
        busy = false;
        for (size_t i = 0; i < N; i++)
            while (parties[i].peer && turn(parties, &parties[i]))
                busy = true;
    }
}

/* Every party's envelope: its own secret key, everybody's public ones. */
static struct qrt_peer_params envelope(const struct party *parties, const struct party *own,
                                       struct qrt_peer_key keys[N])
{
    for (size_t i = 0; i < N; i++)
        keys[i] = parties[i].key;
    return (struct qrt_peer_params){.identity = own->identity, .keys = keys, .keys_n = N};
}

static void make_key(struct party *parties, const struct qrt_ctx *ctx)
{
    struct qrt_party roster[N];
    struct qrt_peer_key keys[N];
    struct qrt_keygen_params what = {.parties = roster, .n = N, .t = T};

    randombytes_buf(what.iid, sizeof what.iid); /* qrt_intent_iid where there are intents */
    for (size_t i = 0; i < N; i++) {
        roster[i].index = parties[i].key.index;
        crypto_hash_sha256(roster[i].idk, parties[i].key.idpk, 32);
        qrt_party_default_x(&roster[i]);
    }
    for (size_t i = 0; i < N; i++) {
        struct qrt_peer_params who = envelope(parties, &parties[i], keys);
        struct qrt_entropy entropy;

        parties[i].peer = locked(qrt_peer_size(QRT_KEYGEN, N, T));
        what.own = parties[i].key.index;
        randombytes_buf(&entropy, sizeof entropy);
        need(qrt_peer_keygen(parties[i].peer, ctx, &what, &who, &entropy));
    }
    run(parties);
    for (size_t i = 0; i < N; i++) {
        qrt_peer_wipe(parties[i].peer);
        sodium_free(parties[i].peer);
        parties[i].peer = NULL;
        need(qrt_share_open(&parties[i].share, ctx, parties[i].record, parties[i].record_len));
    }
}

/* Parties 1 and 3 sign |text|; party 2 is not asked. */
static void sign(struct party *parties, const struct qrt_ctx *ctx, const char *text,
                 struct qrt_sig *sig)
{
    const uint16_t signers[T] = {1, 3};
    struct qrt_peer_key keys[N];
    struct qrt_sign_params what = {
        .signers = signers,
        .signers_n = T,
        .message = {QRT_DIGEST_KECCAK256, (const uint8_t *)text, strlen(text)}};

    randombytes_buf(what.iid, sizeof what.iid);
    for (size_t i = 0; i < N; i += 2) {
        struct qrt_peer_params who = envelope(parties, &parties[i], keys);
        struct qrt_entropy entropy;

        parties[i].peer = locked(qrt_peer_size(QRT_SIGN, T, T));
        what.share = &parties[i].share;
        randombytes_buf(&entropy, sizeof entropy);
        need(qrt_peer_sign(parties[i].peer, ctx, &what, &who, &entropy));
    }
    run(parties);
    need(qrt_sign_result(qrt_peer_run(parties[0].peer), sig, NULL, NULL));
    for (size_t i = 0; i < N; i += 2) {
        qrt_peer_wipe(parties[i].peer);
        sodium_free(parties[i].peer);
        parties[i].peer = NULL;
    }
}

static void show(const struct party *p, const struct qrt_ctx *ctx, const struct qrt_sig *sig)
{
    struct qrt_pubkey pk;
    char address[QRT_ADDRESS_MAX], hex[129];
    uint8_t compact[64];

    memcpy(pk.b, p->share.pk, sizeof pk.b);
    need(qrt_address(address, ctx, QRT_ADDRESS_ETHEREUM, &pk));
    qrt_sig_compact(compact, sig);
    printf("address    %s\n", address);
    printf("signature  %s, recovery id %d\n", sodium_bin2hex(hex, sizeof hex, compact, 64),
           sig->recid);
}

int main(void)
{
    static struct party parties[N];
    secp256k1_context *secp = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    struct qrt_ctx *ctx = aligned_alloc(QRT_ALIGN, qrt_ctx_size());
    struct qrt_sig sig;
    uint8_t seed[32];

    if (sodium_init() < 0 || !secp || !ctx)
        return 1;
    randombytes_buf(seed, sizeof seed);
    if (!secp256k1_context_randomize(secp, seed))
        return 1;
    qrt_ctx_init(ctx, secp, QRT_CPU_ALL);
    for (size_t i = 0; i < N; i++) {
        parties[i].key.index = (uint16_t)(i + 1);
        crypto_sign_keypair(parties[i].key.idpk, parties[i].identity);
    }
    make_key(parties, ctx);
    sign(parties, ctx, "two of three", &sig);
    show(&parties[0], ctx, &sig);
    for (size_t i = 0; i < N; i++)
        sodium_free(parties[i].record);
    sodium_memzero(parties, sizeof parties);
    free(ctx);
    secp256k1_context_destroy(secp);
    return 0;
}
