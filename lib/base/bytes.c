/* SPDX-License-Identifier: Apache-2.0 */
/* The reader and the writer. After the first failure a reader gives zeros and a writer writes
 * nothing; |left| no longer changes, so a check at the end sees all. Nothing here depends on what
 * the bytes are, except qrt_rd_expect, which is for public fields. */
#include "base/bytes.h"

#include "base/assert.h"

#include <string.h>

struct qrt_rd qrt_rd_init(const uint8_t *b, size_t len)
{
    return (struct qrt_rd){.p = b, .left = len};
}

const uint8_t *qrt_rd_bytes(struct qrt_rd *r, size_t len)
{
    const uint8_t *p = r->p;

    if (r->failed || len > r->left) {
        r->failed = true;
        return NULL;
    }
    if (len > 0)
        r->p += len;
    r->left -= len;
    return p;
}

void qrt_rd_copy(struct qrt_rd *r, uint8_t *out, size_t len)
{
    const uint8_t *p = qrt_rd_bytes(r, len);

    if (len == 0)
        return;
    if (!p)
        memset(out, 0, len);
    else
        memcpy(out, p, len);
}

uint8_t qrt_rd_u8(struct qrt_rd *r)
{
    uint8_t b[1];

    qrt_rd_copy(r, b, sizeof b);
    return b[0];
}

uint16_t qrt_rd_be16(struct qrt_rd *r)
{
    uint8_t b[2];

    qrt_rd_copy(r, b, sizeof b);
    return qrt_be16_get(b);
}

uint32_t qrt_rd_be32(struct qrt_rd *r)
{
    uint8_t b[4];

    qrt_rd_copy(r, b, sizeof b);
    return qrt_be32_get(b);
}

uint64_t qrt_rd_be64(struct qrt_rd *r)
{
    uint8_t b[8];

    qrt_rd_copy(r, b, sizeof b);
    return qrt_be64_get(b);
}

bool qrt_rd_expect(struct qrt_rd *r, const void *expected, size_t len)
{
    const uint8_t *p = qrt_rd_bytes(r, len);

    if (!r->failed && len > 0 && memcmp(p, expected, len) != 0)
        r->failed = true;
    return !r->failed;
}

bool qrt_rd_end(const struct qrt_rd *r)
{
    return !r->failed && r->left == 0;
}

struct qrt_wr qrt_wr_init(uint8_t *b, size_t cap)
{
    return (struct qrt_wr){.p = b, .left = cap};
}

uint8_t *qrt_wr_space(struct qrt_wr *w, size_t len)
{
    uint8_t *p = w->p;

    if (w->failed || len > w->left) {
        w->failed = true;
        return NULL;
    }
    if (len > 0)
        w->p += len;
    w->left -= len;
    w->len += len;
    return p;
}

void qrt_wr_bytes(struct qrt_wr *w, const void *b, size_t len)
{
    uint8_t *p = qrt_wr_space(w, len);

    if (p && len > 0)
        memcpy(p, b, len);
}

void qrt_wr_zero(struct qrt_wr *w, size_t len)
{
    uint8_t *p = qrt_wr_space(w, len);

    if (p && len > 0)
        memset(p, 0, len);
}

void qrt_wr_u8(struct qrt_wr *w, uint8_t v)
{
    qrt_wr_bytes(w, &v, 1);
}

void qrt_wr_be16(struct qrt_wr *w, uint16_t v)
{
    uint8_t b[2];

    qrt_be16_put(b, v);
    qrt_wr_bytes(w, b, sizeof b);
}

void qrt_wr_be32(struct qrt_wr *w, uint32_t v)
{
    uint8_t b[4];

    qrt_be32_put(b, v);
    qrt_wr_bytes(w, b, sizeof b);
}

void qrt_wr_be64(struct qrt_wr *w, uint64_t v)
{
    uint8_t b[8];

    qrt_be64_put(b, v);
    qrt_wr_bytes(w, b, sizeof b);
}

void qrt_wr_end(const struct qrt_wr *w)
{
    qrt_assert(!w->failed && w->left == 0);
}

uint16_t qrt_be16_get(const uint8_t b[2])
{
    return (uint16_t)(b[0] << 8 | b[1]);
}

uint32_t qrt_be32_get(const uint8_t b[4])
{
    return (uint32_t)qrt_be16_get(b) << 16 | qrt_be16_get(b + 2);
}

uint64_t qrt_be64_get(const uint8_t b[8])
{
    return (uint64_t)qrt_be32_get(b) << 32 | qrt_be32_get(b + 4);
}

void qrt_be16_put(uint8_t b[2], uint16_t v)
{
    b[0] = (uint8_t)(v >> 8);
    b[1] = (uint8_t)v;
}

void qrt_be32_put(uint8_t b[4], uint32_t v)
{
    qrt_be16_put(b, (uint16_t)(v >> 16));
    qrt_be16_put(b + 2, (uint16_t)v);
}

void qrt_be64_put(uint8_t b[8], uint64_t v)
{
    qrt_be32_put(b, (uint32_t)(v >> 32));
    qrt_be32_put(b + 4, (uint32_t)v);
}
