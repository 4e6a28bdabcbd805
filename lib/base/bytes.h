/* SPDX-License-Identifier: Apache-2.0 */
/* The one reader and the one writer for bytes, each with a sticky error.
 *
 * Read all fields, then ask qrt_rd_end once: nothing was missing and nothing is left. A failed get
 * gives zeros. Writers into memory that is known to suffice end in qrt_wr_end, which asserts. */
#ifndef QRT_BASE_BYTES_H
#define QRT_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct qrt_rd {
    const uint8_t *p;
    size_t left;
    bool failed;
};

struct qrt_rd qrt_rd_init(const uint8_t *b, size_t len);
/* The next |len| bytes in place; NULL if they are not there. */
const uint8_t *qrt_rd_bytes(struct qrt_rd *r, size_t len);
void qrt_rd_copy(struct qrt_rd *r, uint8_t *out, size_t len);
uint8_t qrt_rd_u8(struct qrt_rd *r);
uint16_t qrt_rd_be16(struct qrt_rd *r);
uint32_t qrt_rd_be32(struct qrt_rd *r);
uint64_t qrt_rd_be64(struct qrt_rd *r);
/* True if the next |len| bytes are |expected|; otherwise the error sticks. */
bool qrt_rd_expect(struct qrt_rd *r, const void *expected, size_t len);
bool qrt_rd_end(const struct qrt_rd *r);

struct qrt_wr {
    uint8_t *p;
    size_t left;
    size_t len; /* written so far */
    bool failed;
};

struct qrt_wr qrt_wr_init(uint8_t *b, size_t cap);
void qrt_wr_bytes(struct qrt_wr *w, const void *b, size_t len);
void qrt_wr_zero(struct qrt_wr *w, size_t len);
/* The next |len| bytes, for the caller to fill; NULL if they do not fit. */
uint8_t *qrt_wr_space(struct qrt_wr *w, size_t len);
void qrt_wr_u8(struct qrt_wr *w, uint8_t v);
void qrt_wr_be16(struct qrt_wr *w, uint16_t v);
void qrt_wr_be32(struct qrt_wr *w, uint32_t v);
void qrt_wr_be64(struct qrt_wr *w, uint64_t v);
/* Asserts that everything fitted and the buffer is exactly full. */
void qrt_wr_end(const struct qrt_wr *w);

uint16_t qrt_be16_get(const uint8_t b[2]);
uint32_t qrt_be32_get(const uint8_t b[4]);
uint64_t qrt_be64_get(const uint8_t b[8]);
void qrt_be16_put(uint8_t b[2], uint16_t v);
void qrt_be32_put(uint8_t b[4], uint32_t v);
void qrt_be64_put(uint8_t b[8], uint64_t v);

#endif
