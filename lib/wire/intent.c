/* SPDX-License-Identifier: Apache-2.0 */
/* The intent codec and what is derived from an intent (protocol.md B.3, docs/wire.md "Intent").
 *
 * One encoding per value: fields have fixed widths and a fixed order, a field that an operation
 * does not use has one allowed value, nothing may follow. Encoder and decoder share the range
 * check, so the decoder accepts exactly what the encoder makes. All public. */
#include "quorate/intent.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "hash/transcript.h"

#include <sodium.h>
#include <string.h>

static const uint8_t magic[4] = {'D', 'K', 'I', '1'};
static const uint8_t zero[32];

enum {
    VERSION = 1,
    FIXED_BYTES = 128, /* all but parties, identities, path and message */
    IDK_BYTES = 32,
    ATTEMPTS_MAX = 16,
    POOL_MAX = 65535,
    HARDENED_SHIFT = 31
};

static bool is_head_valid(const struct qrt_intent *in)
{
    uint32_t attempts_max = in->operation == QRT_OP_PRESIGN ? POOL_MAX : ATTEMPTS_MAX;

    return in->operation >= QRT_OP_KEYGEN && in->operation <= QRT_OP_PRESIGN &&
           in->suite == QRT_SUITE_ECDSA && in->profile == QRT_PROFILE_1 &&
           in->purpose >= QRT_PURPOSE_TRANSACTION && in->purpose <= QRT_PURPOSE_MESSAGE &&
           in->attempts >= 1 && in->attempts <= attempts_max;
}

static bool are_parties_valid(const struct qrt_intent *in)
{
    uint16_t before = 0;

    if (in->t < 2 || in->t > in->parties_n || in->parties_n > QRT_PARTIES_MAX)
        return false;
    for (size_t i = 0; i < in->parties_n; i++) {
        if (in->parties[i] <= before || in->parties[i] > QRT_INDEX_MAX)
            return false;
        before = in->parties[i];
    }
    return true;
}

/* After the keygen the key's record says who the parties are. */
static bool has_identities(const struct qrt_intent *in)
{
    return in->operation == QRT_OP_KEYGEN;
}

static bool are_identities_valid(const struct qrt_intent *in)
{
    for (size_t i = 0; i < in->parties_n; i++) {
        if (!has_identities(in) && memcmp(in->idk[i], zero, IDK_BYTES) != 0)
            return false;
        for (size_t j = 0; has_identities(in) && j < i; j++)
            if (memcmp(in->idk[i], in->idk[j], IDK_BYTES) == 0)
                return false;
    }
    return true;
}

static bool is_path_valid(const struct qrt_intent *in)
{
    if (in->path_n > QRT_PATH_MAX)
        return false;
    for (size_t i = 0; i < in->path_n; i++)
        if (in->path[i] >> HARDENED_SHIFT)
            return false;
    return true;
}

/* What the operation uses is in range, what it does not use is zero. */
static bool is_subject_valid(const struct qrt_intent *in)
{
    bool has_key = memcmp(in->keyid, zero, sizeof zero) != 0;

    if (in->operation == QRT_OP_KEYGEN)
        return !has_key && in->path_n == 0 && in->digest == 0 && in->message_len == 0;
    if (in->operation == QRT_OP_PRESIGN)
        return has_key && in->digest == 0 && in->message_len == 0;
    if (in->digest == QRT_DIGEST_LOCAL)
        return has_key && in->message_len == 32;
    return has_key && in->digest <= QRT_DIGEST_KECCAK256 && in->message_len >= 1 &&
           in->message_len <= QRT_MESSAGE_MAX;
}

static bool is_valid(const struct qrt_intent *in)
{
    return is_head_valid(in) && are_parties_valid(in) && are_identities_valid(in) &&
           is_path_valid(in) && is_subject_valid(in);
}

size_t qrt_intent_size(const struct qrt_intent *intent)
{
    size_t party = has_identities(intent) ? 2 + IDK_BYTES : 2;

    return FIXED_BYTES + party * intent->parties_n + 4 * (size_t)intent->path_n +
           intent->message_len;
}

static void put_intent(struct qrt_wr *w, const struct qrt_intent *in)
{
    qrt_wr_bytes(w, magic, sizeof magic);
    qrt_wr_u8(w, VERSION);
    qrt_wr_u8(w, in->operation);
    qrt_wr_u8(w, in->suite);
    qrt_wr_u8(w, in->profile);
    qrt_wr_u8(w, in->purpose);
    qrt_wr_bytes(w, in->account, sizeof in->account);
    qrt_wr_bytes(w, in->request, sizeof in->request);
    qrt_wr_bytes(w, in->keyid, sizeof in->keyid);
    qrt_wr_bytes(w, in->nonce, sizeof in->nonce);
    qrt_wr_be64(w, in->deadline);
    qrt_wr_be32(w, in->attempts);
    qrt_wr_be16(w, in->t);
    qrt_wr_be16(w, in->parties_n);
    for (size_t i = 0; i < in->parties_n; i++)
        qrt_wr_be16(w, in->parties[i]);
    for (size_t i = 0; has_identities(in) && i < in->parties_n; i++)
        qrt_wr_bytes(w, in->idk[i], IDK_BYTES);
    qrt_wr_be16(w, in->path_n);
    for (size_t i = 0; i < in->path_n; i++)
        qrt_wr_be32(w, in->path[i]);
    qrt_wr_u8(w, in->digest);
    qrt_wr_be32(w, in->message_len);
    qrt_wr_bytes(w, in->message, in->message_len);
}

enum qrt_err qrt_intent_encode(const struct qrt_intent *intent, uint8_t *out, size_t cap,
                               size_t *len)
{
    struct qrt_wr w;

    *len = 0;
    if (!is_valid(intent))
        return QRT_E_INTENT_FORMAT;
    if (cap < qrt_intent_size(intent))
        return QRT_E_SPACE;
    *len = qrt_intent_size(intent);
    w = qrt_wr_init(out, *len);
    put_intent(&w, intent);
    qrt_wr_end(&w);
    return QRT_OK;
}

static void get_parties(struct qrt_rd *r, struct qrt_intent *in)
{
    in->parties_n = qrt_rd_be16(r);
    if (in->parties_n > QRT_PARTIES_MAX)
        r->failed = true;
    for (size_t i = 0; !r->failed && i < in->parties_n; i++)
        in->parties[i] = qrt_rd_be16(r);
    for (size_t i = 0; !r->failed && has_identities(in) && i < in->parties_n; i++)
        qrt_rd_copy(r, in->idk[i], IDK_BYTES);
}

static void get_path(struct qrt_rd *r, struct qrt_intent *in)
{
    in->path_n = qrt_rd_be16(r);
    if (in->path_n > QRT_PATH_MAX)
        r->failed = true;
    for (size_t i = 0; !r->failed && i < in->path_n; i++)
        in->path[i] = qrt_rd_be32(r);
}

static void get_intent(struct qrt_rd *r, struct qrt_intent *in)
{
    (void)qrt_rd_expect(r, magic, sizeof magic);
    if (qrt_rd_u8(r) != VERSION)
        r->failed = true;
    in->operation = qrt_rd_u8(r);
    in->suite = qrt_rd_u8(r);
    in->profile = qrt_rd_u8(r);
    in->purpose = qrt_rd_u8(r);
    qrt_rd_copy(r, in->account, sizeof in->account);
    qrt_rd_copy(r, in->request, sizeof in->request);
    qrt_rd_copy(r, in->keyid, sizeof in->keyid);
    qrt_rd_copy(r, in->nonce, sizeof in->nonce);
    in->deadline = qrt_rd_be64(r);
    in->attempts = qrt_rd_be32(r);
    in->t = qrt_rd_be16(r);
    get_parties(r, in);
    get_path(r, in);
    in->digest = qrt_rd_u8(r);
    in->message_len = qrt_rd_be32(r);
    in->message = qrt_rd_bytes(r, in->message_len);
}

enum qrt_err qrt_intent_decode(struct qrt_intent *out, const uint8_t *b, size_t len)
{
    struct qrt_rd r = qrt_rd_init(b, len);

    memset(out, 0, sizeof *out);
    get_intent(&r, out);
    if (!qrt_rd_end(&r) || !is_valid(out)) {
        memset(out, 0, sizeof *out);
        return QRT_E_INTENT_FORMAT;
    }
    return QRT_OK;
}

static void sig_digest(const struct qrt_ctx *ctx, uint8_t out[32], const uint8_t *b, size_t len)
{
    struct qrt_th th;

    qrt_th_start(&th, ctx, QRT_L_INTENT_SIG);
    qrt_th_field(&th, b, len);
    qrt_th_end(&th, out);
}

void qrt_intent_sign(uint8_t sig[64], const struct qrt_ctx *ctx, const uint8_t *b, size_t len,
                     const uint8_t identity[64])
{
    uint8_t digest[32];

    sig_digest(ctx, digest, b, len);
    qrt_assert(crypto_sign_detached(sig, NULL, digest, sizeof digest, identity) == 0);
}

enum qrt_err qrt_intent_verify(const struct qrt_ctx *ctx, const uint8_t *b, size_t len,
                               const uint8_t sig[64], const uint8_t idpk[32])
{
    uint8_t digest[32];

    sig_digest(ctx, digest, b, len);
    if (crypto_sign_verify_detached(sig, digest, sizeof digest, idpk) != 0)
        return QRT_E_INTENT_SIGNATURE;
    return QRT_OK;
}

static void attempt_id(uint8_t out[32], const struct qrt_ctx *ctx, enum qrt_label label,
                       const uint8_t intent_hash[32], uint32_t attempt)
{
    struct qrt_th th;

    qrt_th_start(&th, ctx, label);
    qrt_th_field(&th, intent_hash, 32);
    qrt_th_be32(&th, attempt);
    qrt_th_end(&th, out);
}

void qrt_intent_iid(uint8_t iid[32], const struct qrt_ctx *ctx, const uint8_t *b, size_t len,
                    uint32_t attempt)
{
    uint8_t hash[32];

    qrt_sha256(ctx, hash, b, len);
    attempt_id(iid, ctx, QRT_L_INTENT_IID, hash, attempt);
}

void qrt_intent_req(uint8_t req[32], const struct qrt_ctx *ctx, const uint8_t *b, size_t len,
                    uint32_t attempt)
{
    uint8_t hash[32];

    qrt_sha256(ctx, hash, b, len);
    attempt_id(req, ctx, QRT_L_INTENT_REQ, hash, attempt);
}
