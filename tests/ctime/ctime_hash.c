/* SPDX-License-Identifier: Apache-2.0 */
/* Constant time: hashes, the generators, the envelope. */
#include "ctime.h"

#include "hash/prg.h"
#include "hash/transcript.h"
#include "wire/envelope.h"

#include <sodium.h>
#include <string.h>

static void streams(const struct qrt_ctx *ctx)
{
    uint8_t data[200], out[32];
    uint32_t states[20][8];
    uint8_t blocks[20][64];

    ctime_secret(data, sizeof data);
    qrt_sha256(ctx, out, data, sizeof data);
    ctime_secret(states, sizeof states);
    ctime_secret(blocks, sizeof blocks);
    qrt_sha256_compress_many(ctx, states, (const uint8_t(*)[64])blocks, 20);
}

static void transcripts(const struct qrt_ctx *ctx)
{
    uint8_t secret[32], out[32];
    struct qrt_sc scalar;
    struct qrt_th th;

    ctime_secret(secret, sizeof secret);
    qrt_th_start(&th, ctx, QRT_L_KG_ZSEED);
    qrt_th_field(&th, secret, sizeof secret);
    qrt_th_end(&th, out);
    qrt_th_start(&th, ctx, QRT_L_SG_ZERO);
    qrt_th_field(&th, secret, sizeof secret);
    qrt_th_end_scalar(&th, &scalar);
    qrt_fh(ctx, out, QRT_L_PPRF_G, secret, secret, 20);
}

static void many_hashes(const struct qrt_ctx *ctx)
{
    static uint8_t data[QRT_FH_MANY_MAX][64], out[QRT_FH_MANY_MAX][32], rows[64][96];
    uint8_t c[32], digest[32];
    uint32_t mid[8];

    ctime_secret(c, sizeof c);
    ctime_secret(data, sizeof data);
    qrt_fh_mid(ctx, mid, QRT_L_EXT_ROW, c);
    qrt_fh_many(ctx, out, mid, data, 19, QRT_FH_MANY_MAX);
    ctime_secret(rows, sizeof rows);
    qrt_lh8(ctx, digest, QRT_L_RV_AT, QRT_L_RV_AT_TOP, c, rows[0], sizeof rows[0], 64);
}

static void run_generator(const struct qrt_ctx *ctx)
{
    struct qrt_drbg rng = ctime_secret_rng(ctx);
    uint8_t out[100];
    struct qrt_sc scalar;

    qrt_drbg_bytes(&rng, ctx, out, sizeof out);
    qrt_drbg_scalar(&rng, ctx, &scalar);
}

static void tree_generator(const struct qrt_ctx *ctx)
{
    uint8_t rows[16][80], key[16], seeds[16][16], out[16];

    ctime_secret(key, sizeof key);
    ctime_secret(seeds, sizeof seeds);
    qrt_prg_tree(ctx, rows, key, (const uint8_t(*)[16])seeds);
    qrt_aes128_block(ctx, out, key, seeds[0]);
}

static void identity_signature(const struct qrt_ctx *ctx)
{
    uint8_t identity[64], idpk[32], seed[32], header[QRT_HEADER_BYTES], sig[QRT_SIG_BYTES];
    struct qrt_signed m = {
        .header = header, .ext = header, .ext_len = 7, .payload = header, .payload_len = 64};

    ctime_bytes(seed, sizeof seed);
    ctime_bytes(header, sizeof header);
    crypto_sign_seed_keypair(idpk, identity, seed);
    qrt_secret(identity, 32); /* the second half is the public key */
    qrt_envelope_sign(ctx, sig, &m, identity);
}

/* One side with secret ephemeral |esk|, the other's key |ek|. */
static void agree(const struct qrt_ctx *ctx, uint8_t prk[32], uint8_t esk[32], const uint8_t ek[32],
                  const uint8_t peer_ek[32])
{
    uint8_t idk[2][32], sid[32];
    struct qrt_seal_side own = {1, idk[0], ek}, peer = {2, idk[1], peer_ek};

    ctime_bytes(idk, sizeof idk);
    ctime_bytes(sid, sizeof sid);
    ctime_need(qrt_seal_agree(ctx, prk, esk, &own, &peer, sid, QRT_SIGN), "agreement");
}

static void seal_and_open(const struct qrt_ctx *ctx)
{
    uint8_t esk[32], ek[32], other[32], peer_ek[32], prk[32], key[32], again[32];
    uint8_t wire[QRT_HEADER_BYTES + 200 + QRT_TAG_BYTES], payload[200];

    ctime_secret(esk, sizeof esk);
    ctime_bytes(other, sizeof other);
    qrt_seal_ephemeral(ek, esk);
    qrt_seal_ephemeral(peer_ek, other);
    agree(ctx, prk, esk, ek, peer_ek);
    qrt_seal_key(key, prk, 2, 1, 2);
    memcpy(again, key, sizeof key);
    ctime_bytes(wire, sizeof wire);
    qrt_secret(wire + QRT_HEADER_BYTES, sizeof payload);
    qrt_seal(wire, sizeof payload, key);
    qrt_public(wire, sizeof wire, "sent");
    ctime_need(qrt_open(payload, wire, sizeof payload, again), "opening");
}

static const struct ctime_case cases[] = {
    {"SHA-256, one stream and many", streams},
    {"TH, HS, FH over secrets", transcripts},
    {"many FH, LH8", many_hashes},
    {"generator of a run", run_generator},
    {"AES and the tree generator", tree_generator},
    {"Ed25519 signature", identity_signature},
    {"key agreement, seal, open", seal_and_open},
};

int main(int argc, char **argv)
{
    return ctime_main(argc, argv, cases, sizeof cases / sizeof cases[0]);
}
