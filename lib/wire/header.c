/* SPDX-License-Identifier: Apache-2.0 */
/* The 80-byte header and the sizes of all messages (protocol.md K.1, K.2).
 *
 * Sizes are one table: a message that has no row does not exist. Nothing here authenticates; what a
 * header must say in a given session is the receiver's to check (B.7 step 1). */
#include "quorate/wire.h"

#include "base/bytes.h"
#include "base/port.h"
#include "wire/abort.h"

static const uint8_t magic[4] = {'D', 'K', 'C', '1'};

enum envelope {
    SIGNED, /* broadcast: signature at the end */
    SEALED, /* private: tag at the end */
    OPEN    /* private: its hash stands in the sender's round-1 broadcast */
};

enum { SIGNATURE_BYTES = 64, TAG_BYTES = 16, EPHEMERAL_BYTES = 32, OPEN_HASH_BYTES = 32 };

struct message {
    uint8_t protocol, round, kind, envelope;
    uint16_t base, per_t;      /* payload = base + per_t * t */
    uint8_t ext, ext_per_peer; /* ext = ext + ext_per_peer * (n - 1) */
};

/* clang-format off */
static const struct message messages[] = {
    {QRT_KEYGEN,  1, QRT_KIND_BROADCAST, SIGNED, 64,    0,  EPHEMERAL_BYTES, 0},
    {QRT_KEYGEN,  2, QRT_KIND_BROADCAST, SIGNED, 129,   33, 0, 0},
    {QRT_KEYGEN,  2, QRT_KIND_PRIVATE,   SEALED, 8448,  0,  0, 0},
    {QRT_KEYGEN,  3, QRT_KIND_PRIVATE,   SEALED, 4289,  0,  0, 0},
    {QRT_KEYGEN,  4, QRT_KIND_BROADCAST, SIGNED, 32,    0,  0, 0},
    {QRT_SIGN,    1, QRT_KIND_BROADCAST, SIGNED, 32,    0,  EPHEMERAL_BYTES, OPEN_HASH_BYTES},
    {QRT_SIGN,    1, QRT_KIND_PRIVATE,   OPEN,   2640,  0,  0, 0},
    {QRT_SIGN,    2, QRT_KIND_BROADCAST, SIGNED, 98,    0,  0, 0},
    {QRT_SIGN,    2, QRT_KIND_PRIVATE,   SEALED, 49346, 0,  0, 0},
    {QRT_SIGN,    3, QRT_KIND_BROADCAST, SIGNED, 64,    0,  0, 0},
    {QRT_PRESIGN, 1, QRT_KIND_BROADCAST, SIGNED, 32,    0,  EPHEMERAL_BYTES, OPEN_HASH_BYTES},
    {QRT_PRESIGN, 1, QRT_KIND_PRIVATE,   OPEN,   2640,  0,  0, 0},
    {QRT_PRESIGN, 2, QRT_KIND_BROADCAST, SIGNED, 98,    0,  0, 0},
    {QRT_PRESIGN, 2, QRT_KIND_PRIVATE,   SEALED, 49346, 0,  0, 0},
    {QRT_ONLINE,  3, QRT_KIND_BROADCAST, SIGNED, 64,    0,  0, 0},
};
/* clang-format on */

/* Any round of any protocol may end in an abort. */
static const struct message abort_message = {
    .kind = QRT_KIND_ABORT, .envelope = SIGNED, .base = QRT_ABORT_BYTES};

static bool is_protocol(unsigned protocol)
{
    return protocol == QRT_KEYGEN || protocol == QRT_SIGN || protocol == QRT_PRESIGN ||
           protocol == QRT_ONLINE;
}

static const struct message *find_message(enum qrt_protocol protocol, uint8_t round, uint8_t kind)
{
    if (kind == QRT_KIND_ABORT)
        return is_protocol(protocol) && round >= 1 && round <= 4 ? &abort_message : NULL;
    for (size_t i = 0; i < QRT_ARRAY_LEN(messages); i++) {
        const struct message *m = &messages[i];

        if (m->protocol == protocol && m->round == round && m->kind == kind)
            return m;
    }
    return NULL;
}

enum qrt_err qrt_header_decode(struct qrt_header *out, const uint8_t *b, size_t len)
{
    struct qrt_rd r = qrt_rd_init(b, len);

    (void)qrt_rd_expect(&r, magic, sizeof magic);
    out->protocol = qrt_rd_u8(&r);
    out->profile = qrt_rd_u8(&r);
    out->round = qrt_rd_u8(&r);
    out->kind = qrt_rd_u8(&r);
    out->sender = qrt_rd_be16(&r);
    out->receiver = qrt_rd_be16(&r);
    out->payload_len = qrt_rd_be32(&r);
    qrt_rd_copy(&r, out->sid, sizeof out->sid);
    qrt_rd_copy(&r, out->echo, sizeof out->echo);
    if (r.failed || !is_protocol(out->protocol) || out->profile != QRT_PROFILE_1 ||
        out->round < 1 || out->round > 4 || out->kind > QRT_KIND_ABORT)
        return QRT_E_RECORD_FORMAT;
    return QRT_OK;
}

void qrt_header_encode(uint8_t out[QRT_HEADER_BYTES], const struct qrt_header *header)
{
    struct qrt_wr w = qrt_wr_init(out, QRT_HEADER_BYTES);

    qrt_wr_bytes(&w, magic, sizeof magic);
    qrt_wr_u8(&w, header->protocol);
    qrt_wr_u8(&w, header->profile);
    qrt_wr_u8(&w, header->round);
    qrt_wr_u8(&w, header->kind);
    qrt_wr_be16(&w, header->sender);
    qrt_wr_be16(&w, header->receiver);
    qrt_wr_be32(&w, header->payload_len);
    qrt_wr_bytes(&w, header->sid, sizeof header->sid);
    qrt_wr_bytes(&w, header->echo, sizeof header->echo);
    qrt_wr_end(&w);
}

static size_t payload_size(const struct message *m, size_t t)
{
    return m->base + m->per_t * t;
}

size_t qrt_payload_size(enum qrt_protocol protocol, uint8_t round, uint8_t kind, size_t t)
{
    const struct message *m = find_message(protocol, round, kind);

    if (!m || t < 2 || t > QRT_PARTIES_MAX)
        return 0;
    return payload_size(m, t);
}

size_t qrt_wire_size(enum qrt_protocol protocol, uint8_t round, uint8_t kind, size_t n, size_t t)
{
    static const uint8_t trailer[] = {[SIGNED] = SIGNATURE_BYTES, [SEALED] = TAG_BYTES, [OPEN] = 0};
    const struct message *m = find_message(protocol, round, kind);

    if (!m || t < 2 || t > n || n > QRT_PARTIES_MAX)
        return 0;
    return QRT_HEADER_BYTES + m->ext + m->ext_per_peer * (n - 1) + payload_size(m, t) +
           trailer[m->envelope];
}
