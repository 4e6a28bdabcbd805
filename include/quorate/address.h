/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of a secp256k1 public key, as text. Show one only after the key's certificate is
 * complete (share.h): money sent to a key that one party never stored is lost. */
#ifndef QUORATE_ADDRESS_H
#define QUORATE_ADDRESS_H

#include "quorate/context.h"

enum qrt_address_kind {
    /* 0x, EIP-55 mixed case */
    QRT_ADDRESS_ETHEREUM,
    /* bc1q..., BIP173, mainnet */
    QRT_ADDRESS_BITCOIN_P2WPKH,
    /* 1..., Base58Check, mainnet */
    QRT_ADDRESS_BITCOIN_P2PKH,
    /* T..., Base58Check */
    QRT_ADDRESS_TRON,
    QRT_ADDRESS_KINDS
};

#define QRT_ADDRESS_MAX 64

/* "ethereum", "bitcoin_p2wpkh", "bitcoin_p2pkh", "tron": the keys of `addresses` in JSON answers.
 */
QRT_API const char *qrt_address_name(enum qrt_address_kind kind);

/* |out| ends with a zero byte. QRT_E_RECORD_FIELD if |pk| is no point. */
QRT_API QRT_MUST enum qrt_err qrt_address(char out[QRT_ADDRESS_MAX], const struct qrt_ctx *ctx,
                                          enum qrt_address_kind kind, const struct qrt_pubkey *pk);

/* Keccak-256 as Ethereum and Tron use it: the padding of the original submission, not SHA3-256's.
 */
QRT_API void qrt_keccak256(uint8_t out[32], const uint8_t *b, size_t len);

#endif
