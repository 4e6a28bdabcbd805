/* SPDX-License-Identifier: Apache-2.0 */
/* BIP32, non-hardened children of a group key (protocol.md H.8). Whoever knows a public key, its
 * chain code and one child's private key can compute the parent's private key. */
#ifndef QUORATE_DERIVE_H
#define QUORATE_DERIVE_H

#include "quorate/context.h"

/* A derived key. |pk| and |cc| are what an extended public key holds. */
struct qrt_child {
    struct qrt_pubkey pk;
    uint8_t cc[32];
    /* big-endian; child = parent + tweak times G. Public like |cc| */
    uint8_t tweak[32];
};

/* Follow |path| (|path_n| <= QRT_PATH_MAX indices below 2^31; 0 gives the key itself) from |pk|,
 * |cc|. QRT_E_PATH: hardened, too long, or an index that BIP32 calls invalid (probability 2^-127;
 * the next index is used instead). |out| is zeroed then. Hardened children need the private key:
 * not possible. */
QRT_API QRT_MUST enum qrt_err qrt_derive(struct qrt_child *out, const struct qrt_ctx *ctx,
                                         const struct qrt_pubkey *pk, const uint8_t cc[32],
                                         const uint32_t *path, size_t path_n);

/* Parse "m", "m/44/60/0", "44/60/0" or "" into at most QRT_PATH_MAX indices; QRT_E_PATH otherwise
 * (hardened marks ' h H are refused). |text| ends with a zero byte. */
QRT_API QRT_MUST enum qrt_err qrt_path_parse(uint32_t path[QRT_PATH_MAX], size_t *path_n,
                                             const char *text);

#endif
