/* SPDX-License-Identifier: Apache-2.0 */
/* How 32 signed bytes come from a message (protocol.md G.1). The library hashes the message itself
 * unless the caller states that he did: whoever may choose the 32 bytes may forge. */
#include "quorate/address.h"
#include "quorate/signature.h"

#include "hash/sha256.h"

#include <string.h>

enum qrt_err qrt_digest(struct qrt_hash *out, const struct qrt_ctx *ctx, enum qrt_digest digest,
                        const uint8_t *message, size_t len)
{
    memset(out, 0, sizeof *out);
    switch (digest) {
    case QRT_DIGEST_LOCAL:
        if (len != sizeof out->b)
            return QRT_E_DIGEST;
        memcpy(out->b, message, len);
        return QRT_OK;
    case QRT_DIGEST_SHA256:
        qrt_sha256(ctx, out->b, message, len);
        return QRT_OK;
    case QRT_DIGEST_KECCAK256:
        qrt_keccak256(out->b, message, len);
        return QRT_OK;
    }
    return QRT_E_DIGEST;
}
