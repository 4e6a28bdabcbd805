/* SPDX-License-Identifier: Apache-2.0 */
/* The hashes of protocol.md B.1: TH over length-prefixed fields, FH over one fixed block, LH8 over
 * rows in eight lanes. CT in all data. */
#ifndef QRT_HASH_TRANSCRIPT_H
#define QRT_HASH_TRANSCRIPT_H

#include "hash/labels.h"
#include "hash/sha256.h"

/* TH, field by field. Each qrt_th_field is one field; a field made of parts is qrt_th_open with its
 * whole length, then qrt_th_part until it is full (asserted). */
struct qrt_th {
    struct qrt_sha256 h;
    size_t open; /* bytes the open field still lacks */
};
void qrt_th_start(struct qrt_th *th, const struct qrt_ctx *ctx, enum qrt_label label);
void qrt_th_field(struct qrt_th *th, const void *b, size_t len);
void qrt_th_u8(struct qrt_th *th, uint8_t v);
void qrt_th_be16(struct qrt_th *th, uint16_t v);
void qrt_th_be32(struct qrt_th *th, uint32_t v);
void qrt_th_open(struct qrt_th *th, size_t len);
void qrt_th_part(struct qrt_th *th, const void *b, size_t len);
void qrt_th_part_be16(struct qrt_th *th, uint16_t v);
/* Wipes |th|. */
void qrt_th_end(struct qrt_th *th, uint8_t out[32]);
/* HS: the digest mod q. Wipes |th|. */
void qrt_th_end_scalar(struct qrt_th *th, struct qrt_sc *out);

/* FH(label, c, data); any length. */
void qrt_fh(const struct qrt_ctx *ctx, uint8_t out[32], enum qrt_label label, const uint8_t c[32],
            const uint8_t *data, size_t len);

/* The state after the block T(label) || c, for qrt_fh_many. */
void qrt_fh_mid(const struct qrt_ctx *ctx, uint32_t mid[8], enum qrt_label label,
                const uint8_t c[32]);
#define QRT_FH_MANY_MAX 64
/* |n| <= QRT_FH_MANY_MAX hashes of |len| <= 55 bytes each after |mid|: out[v] from data[v][0..len).
 * One compression each, as many at once as the CPU can. data[v][len..64) is overwritten (padding).
 */
void qrt_fh_many(const struct qrt_ctx *ctx, uint8_t (*out)[32], const uint32_t mid[8],
                 uint8_t (*data)[64], size_t len, size_t n);

/* The two halves of qrt_fh_many, for batches in the same memory: their padding is written once. */
void qrt_fh_pad(uint8_t (*data)[64], size_t len, size_t n);
void qrt_fh_padded(const struct qrt_ctx *ctx, uint8_t (*out)[32], const uint32_t mid[8],
                   const uint8_t (*data)[64], size_t n);

/* LH8(label, c, rows); |top| is the label "<label>/top". |rows_n| rows of |row_len| bytes. */
void qrt_lh8(const struct qrt_ctx *ctx, uint8_t out[32], enum qrt_label label, enum qrt_label top,
             const uint8_t c[32], const uint8_t *rows, size_t row_len, size_t rows_n);

#endif
