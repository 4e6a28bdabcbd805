/* SPDX-License-Identifier: Apache-2.0 */
/* The envelope (protocol.md B.7, K.1): Ed25519 signatures of broadcasts, hashes of open private
 * messages, X25519 and HKDF for a pair's keys, ChaCha20-Poly1305 for what is sealed.
 *
 * Invariants: a signature covers a TH digest under "wire/sign", never raw bytes; a key belongs to
 * one run, pair, round and direction and seals one message, hence the zero nonce. */
#include "wire/envelope.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/ct.h"
#include "base/wipe.h"
#include "hash/transcript.h"
#include "wire/hkdf.h"

#include <sodium.h>
#include <string.h>

_Static_assert(QRT_SIG_BYTES == crypto_sign_BYTES, "Ed25519 signature");
_Static_assert(QRT_TAG_BYTES == crypto_aead_chacha20poly1305_IETF_ABYTES, "Poly1305 tag");

static const uint8_t nonce[crypto_aead_chacha20poly1305_IETF_NPUBBYTES];
static const char seal_info[10] = {'D', 'K', 'C', '/', '1', '/', 's', 'e', 'a', 'l'};

static void signed_digest(const struct qrt_ctx *ctx, uint8_t out[32], const struct qrt_signed *m)
{
    struct qrt_th th;

    qrt_th_start(&th, ctx, QRT_L_WIRE_SIGN);
    qrt_th_field(&th, m->header, QRT_HEADER_BYTES);
    qrt_th_field(&th, m->ext, m->ext_len);
    qrt_th_field(&th, m->payload, m->payload_len);
    qrt_th_end(&th, out);
}

void qrt_envelope_sign(const struct qrt_ctx *ctx, uint8_t sig[QRT_SIG_BYTES],
                       const struct qrt_signed *m, const uint8_t identity[64])
{
    uint8_t digest[32];
    int failed;

    signed_digest(ctx, digest, m);
    failed = crypto_sign_detached(sig, NULL, digest, sizeof digest, identity);
    qrt_assert(!failed);
    qrt_public(sig, QRT_SIG_BYTES, "sent");
}

bool qrt_envelope_verify(const struct qrt_ctx *ctx, const uint8_t sig[QRT_SIG_BYTES],
                         const struct qrt_signed *m, const uint8_t idpk[32])
{
    uint8_t digest[32];

    signed_digest(ctx, digest, m);
    return crypto_sign_verify_detached(sig, digest, sizeof digest, idpk) == 0;
}

void qrt_envelope_open_hash(const struct qrt_ctx *ctx, uint8_t out[32],
                            const uint8_t header[QRT_HEADER_BYTES], const uint8_t *payload,
                            size_t len)
{
    struct qrt_th th;

    qrt_th_start(&th, ctx, QRT_L_WIRE_OPEN);
    qrt_th_field(&th, header, QRT_HEADER_BYTES);
    qrt_th_field(&th, payload, len);
    qrt_th_end(&th, out);
}

void qrt_seal_ephemeral(uint8_t ek[32], const uint8_t esk[32])
{
    int failed = crypto_scalarmult_base(ek, esk);

    qrt_assert(!failed);
    qrt_public(ek, 32, "sent in round 1");
}

static void put_side(struct qrt_th *th, const struct qrt_seal_side *side)
{
    qrt_th_be16(th, side->index);
    qrt_th_field(th, side->idk, 32);
    qrt_th_field(th, side->ek, 32);
}

struct agreement {
    uint8_t ss[32];
    uint8_t salt[32];
};

/* libsodium refuses some small-order keys before it multiplies; the shared secret is then still
 * the zeros it was initialised with. */
static bool agree(struct agreement *a, uint8_t prk[32], const uint8_t esk[32],
                  const struct qrt_seal_side *peer)
{
    bool multiplied = crypto_scalarmult(a->ss, esk, peer->ek) == 0;

    qrt_public(&multiplied, sizeof multiplied, "whether the peer's key is of small order");
    if (qrt_ct_is_zero(a->ss, sizeof a->ss) || !multiplied)
        return false;
    qrt_hkdf_extract(prk, a->salt, sizeof a->salt, a->ss, sizeof a->ss);
    return true;
}

bool qrt_seal_agree(const struct qrt_ctx *ctx, uint8_t prk[32], const uint8_t esk[32],
                    const struct qrt_seal_side *own, const struct qrt_seal_side *peer,
                    const uint8_t *sid, uint8_t protocol)
{
    struct agreement a = {{0}, {0}};
    bool own_first = own->index < peer->index;
    struct qrt_th th;
    bool ok;

    qrt_assert(own->index != peer->index);
    qrt_th_start(&th, ctx, QRT_L_SEAL_SALT);
    qrt_th_field(&th, sid, 32);
    qrt_th_u8(&th, protocol);
    put_side(&th, own_first ? own : peer);
    put_side(&th, own_first ? peer : own);
    qrt_th_end(&th, a.salt);
    memset(prk, 0, 32);
    ok = agree(&a, prk, esk, peer);
    qrt_wipe(&a, sizeof a);
    return ok;
}

void qrt_seal_key(uint8_t key[32], const uint8_t prk[32], uint8_t round, uint16_t sender,
                  uint16_t receiver)
{
    uint8_t info[sizeof seal_info + 5];
    struct qrt_wr w = qrt_wr_init(info, sizeof info);

    qrt_wr_bytes(&w, seal_info, sizeof seal_info);
    qrt_wr_u8(&w, round);
    qrt_wr_be16(&w, sender);
    qrt_wr_be16(&w, receiver);
    qrt_wr_end(&w);
    qrt_hkdf_expand(key, 32, prk, info, sizeof info);
}

void qrt_seal(uint8_t *wire, size_t len, uint8_t key[32])
{
    uint8_t once[32];
    uint8_t *body = wire + QRT_HEADER_BYTES;

    memcpy(once, key, sizeof once);
    qrt_wipe(key, sizeof once);
    crypto_aead_chacha20poly1305_ietf_encrypt_detached(body, body + len, NULL, body, len, wire,
                                                       QRT_HEADER_BYTES, NULL, nonce, once);
    qrt_wipe(once, sizeof once);
}

bool qrt_open(uint8_t *payload, const uint8_t *wire, size_t len, uint8_t key[32])
{
    const uint8_t *body = wire + QRT_HEADER_BYTES;
    int e = crypto_aead_chacha20poly1305_ietf_decrypt_detached(payload, NULL, body, len, body + len,
                                                               wire, QRT_HEADER_BYTES, nonce, key);

    qrt_public(&e, sizeof e, "whether the tag verifies");
    if (e != 0) {
        memset(payload, 0, len);
        return false;
    }
    qrt_wipe(key, 32);
    return true;
}
