/* SPDX-License-Identifier: Apache-2.0 */
/* A signature as the services tell it: five forms of the same 65 bytes (proto/session.proto).
 * What is read back from a message is not believed here: whoever passes it on verifies it. */
#ifndef SYSTEM_SERVICE_SIGNATURE_H
#define SYSTEM_SERVICE_SIGNATURE_H

#include "quorate/signature.h"

#include "session.pb-c.h"

#include <stdbool.h>

/* r, s, recovery id. */
enum { SIGNATURE_BYTES = 65 };

/* |message| leads into the struct, which therefore is never copied. */
struct signature_forms {
    Mpc__Session__V1__Signature message;
    char r[65], s[65], compact[129], der[2 * QRT_DER_MAX + 1];
};
/* False, and nothing written, if the |len| bytes are no signature with a recovery id. */
bool signature_forms(struct signature_forms *out, const struct qrt_ctx *ctx, const uint8_t *b,
                     size_t len);

/* By |pk| over |hash|, and its recovery id leads to |pk|; |b| as above. */
bool signature_verify(const struct qrt_ctx *ctx, const uint8_t b[SIGNATURE_BYTES],
                      const struct qrt_hash *hash, const struct qrt_pubkey *pk);

/* The signature of r, s and recovery id; der and compact are not looked at. False if it is none,
 * NULL included. */
bool signature_read(uint8_t out[SIGNATURE_BYTES], const Mpc__Session__V1__Signature *message);

#endif
