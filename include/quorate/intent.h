/* SPDX-License-Identifier: Apache-2.0 */
/* Intents: what an initiator asks of the parties, as one canonical byte string that he signs and
 * every party verifies (protocol.md B.3, docs/wire.md). It names the allowed parties; the quorum
 * enters the protocol through its signer list.
 *
 * A party derives from a verified intent everything it is about to do (key, message, path,
 * threshold, roster) and takes only the quorum and the attempt number from whoever coordinates. In
 * a keygen the intent says whose identity sits at each index, so that nobody but the initiator can
 * seat anybody; afterwards the share record does. A party accepts an attempt only if its number is
 * higher than any it has seen for this intent, until the deadline. The session's iid hashes intent
 * and attempt: whoever lies about either produces no signature.
 *
 * Attempts count from 0. A signing intent's keyid is the share's. The library does not know which
 * intent an iid came from: that it is the one being carried out is the host's to see to.
 *
 * One value has one encoding; decoders accept nothing else, so the hash of the bytes is the hash of
 * the meaning. */
#ifndef QUORATE_INTENT_H
#define QUORATE_INTENT_H

#include "quorate/context.h"

/* What is asked for. */
enum qrt_operation {
    QRT_OP_KEYGEN = 1,
    QRT_OP_SIGN = 2,
    /* fills a pool; |attempts| says how many presignatures may be made */
    QRT_OP_PRESIGN = 3
};

/* What the key is for. Shares do not hold it: the host keeps a key's purpose beside its share and
 * refuses intents of another, so that a key never signs for two. */
enum qrt_purpose { QRT_PURPOSE_TRANSACTION = 1, QRT_PURPOSE_MESSAGE = 2 };

/* The fields, in the order of the encoding. Numbers of entries beyond |parties_n| and |path_n| are
 * ignored when encoding and zero after decoding. */
struct qrt_intent {
    /* enum qrt_operation */
    uint8_t operation;
    /* enum qrt_suite */
    uint8_t suite;
    uint8_t profile;
    /* enum qrt_purpose: the key's; a party refuses another operation's */
    uint8_t purpose;
    /* UUID, raw */
    uint8_t account[16];
    /* UUID, raw: repeats of a request carry the same */
    uint8_t request[16];
    /* zero for keygen */
    uint8_t keyid[32];
    /* the initiator's randomness */
    uint8_t nonce[32];
    /* unix seconds */
    uint64_t deadline;
    /* attempt numbers must be below; at most 16 except for presigning */
    uint32_t attempts;
    uint16_t t;
    uint16_t parties_n;
    /* allowed, ascending; keygen: all of them */
    uint16_t parties[QRT_PARTIES_MAX];
    /* keygen only: SHA256 of the Ed25519 identity key of parties[i], all different; zero otherwise.
     * The run's roster (keygen.h) has to say the same. */
    uint8_t idk[QRT_PARTIES_MAX][32];
    uint16_t path_n;
    uint32_t path[QRT_PATH_MAX];
    /* enum qrt_digest */
    uint8_t digest;
    uint32_t message_len;
    /* at most QRT_MESSAGE_MAX bytes; exactly 32 if |digest| is QRT_DIGEST_LOCAL; none for keygen
     * and presign. After decoding it leads into the decoded bytes, which must outlive it. */
    const uint8_t *message;
};

/* Bytes of the canonical form. */
QRT_API size_t qrt_intent_size(const struct qrt_intent *intent);
/* QRT_E_INTENT_FORMAT if a field is out of range, QRT_E_SPACE if |cap| is too small. */
QRT_API QRT_MUST enum qrt_err qrt_intent_encode(const struct qrt_intent *intent, uint8_t *out,
                                                size_t cap, size_t *len);
/* Accepts exactly what qrt_intent_encode makes. */
QRT_API QRT_MUST enum qrt_err qrt_intent_decode(struct qrt_intent *out, const uint8_t *b,
                                                size_t len);

/* Ed25519 over TH("intent/sig", intent). |identity| is libsodium's 64-byte secret key. */
QRT_API void qrt_intent_sign(uint8_t sig[64], const struct qrt_ctx *ctx, const uint8_t *b,
                             size_t len, const uint8_t identity[64]);
/* QRT_E_INTENT_SIGNATURE unless |sig| is |idpk|'s over exactly these bytes. Decode after verifying.
 */
QRT_API QRT_MUST enum qrt_err qrt_intent_verify(const struct qrt_ctx *ctx, const uint8_t *b,
                                                size_t len, const uint8_t sig[64],
                                                const uint8_t idpk[32]);

/* iid = TH("intent/iid", SHA256(intent), BE32 attempt); req likewise under "intent/req". */
QRT_API void qrt_intent_iid(uint8_t iid[32], const struct qrt_ctx *ctx, const uint8_t *b,
                            size_t len, uint32_t attempt);
QRT_API void qrt_intent_req(uint8_t req[32], const struct qrt_ctx *ctx, const uint8_t *b,
                            size_t len, uint32_t attempt);

#endif
