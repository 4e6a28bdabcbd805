/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of an ECDSA signature, digests of messages, and verification. All public data.
 *
 * Signatures of this library have s <= (q-1)/2 (low-s), as Bitcoin and Ethereum demand, and a
 * recovery id: bit 0 is the parity of R.y, bit 1 says that x(R) >= q, which chance never shows. */
#ifndef QUORATE_SIGNATURE_H
#define QUORATE_SIGNATURE_H

#include "quorate/context.h"

#define QRT_DER_MAX 72

/* r then s, 64 bytes, big-endian: the form of most blockchains and of secp256k1's compact parser.
 */
QRT_API void qrt_sig_compact(uint8_t out[64], const struct qrt_sig *sig);
/* Strict DER; |out_len| becomes the length, at most QRT_DER_MAX. */
QRT_API void qrt_sig_der(uint8_t out[QRT_DER_MAX], size_t *out_len, const struct qrt_ctx *ctx,
                         const struct qrt_sig *sig);
/* From 64 bytes (r, s) or 65 (r, s, recovery id 0..3 or 27..30) or strict DER. s is not normalised;
 * without a recovery id |recid| becomes 0. QRT_E_SIGNATURE if it is none of these. */
QRT_API QRT_MUST enum qrt_err qrt_sig_parse(struct qrt_sig *out, const struct qrt_ctx *ctx,
                                            const uint8_t *b, size_t len);

/* |digest| of |message|: the message itself for QRT_DIGEST_LOCAL (32 bytes, else QRT_E_DIGEST). */
QRT_API QRT_MUST enum qrt_err qrt_digest(struct qrt_hash *out, const struct qrt_ctx *ctx,
                                         enum qrt_digest digest, const uint8_t *message,
                                         size_t len);

/* QRT_OK if |sig|, low-s, is valid for the 32 bytes |hash| under |pk|; QRT_E_SIGNATURE otherwise.
 */
QRT_API QRT_MUST enum qrt_err qrt_sig_verify(const struct qrt_ctx *ctx, const struct qrt_sig *sig,
                                             const struct qrt_hash *hash,
                                             const struct qrt_pubkey *pk);

/* The key that |sig| with its recovery id was made by, from the 32 bytes that were signed. This is
 * how Ethereum finds the sender. QRT_E_SIGNATURE if there is no such key; |out| is zeroed then. */
QRT_API QRT_MUST enum qrt_err qrt_sig_recover(struct qrt_pubkey *out, const struct qrt_ctx *ctx,
                                              const struct qrt_sig *sig,
                                              const struct qrt_hash *hash);

#endif
