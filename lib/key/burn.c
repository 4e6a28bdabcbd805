/* SPDX-License-Identifier: Apache-2.0 */
/* Burn records and what they do to a share record (protocol.md D.8). A burn record is public: it
 * names a share and peers. Applying one erases Delta and the seeds of the Alice role towards each
 * peer, in place; nothing brings them back but a refresh. */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/wipe.h"
#include "key/share.h"
#include "key/share_layout.h"

#include <string.h>

/* Two magics, so that a gate is never applied as a burn. */
static const uint8_t burn_magic[4] = {'D', 'K', 'B', '1'};
static const uint8_t gate_magic[4] = {'D', 'K', 'G', '1'};

enum { VERSION = 1, HEAD_BYTES = 45 };

_Static_assert(QRT_BURN_MAX == HEAD_BYTES + 2 * QRT_PARTIES_MAX, "a burn record of all parties");

size_t qrt_burn_encode(uint8_t out[QRT_BURN_MAX], const struct qrt_burn *burn)
{
    size_t len = HEAD_BYTES + 2 * (size_t)burn->peers_n;
    struct qrt_wr w = qrt_wr_init(out, len);

    qrt_assert(burn->peers_n >= 1 && burn->peers_n <= QRT_PARTIES_MAX);
    qrt_wr_bytes(&w, burn->is_gate ? gate_magic : burn_magic, sizeof burn_magic);
    qrt_wr_u8(&w, VERSION);
    qrt_wr_bytes(&w, burn->kgid, sizeof burn->kgid);
    qrt_wr_be32(&w, burn->epoch);
    qrt_wr_be16(&w, burn->own);
    qrt_wr_be16(&w, burn->peers_n);
    for (size_t i = 0; i < burn->peers_n; i++)
        qrt_wr_be16(&w, burn->peers[i]);
    qrt_wr_end(&w);
    return len;
}

static bool is_index(uint16_t index)
{
    return index >= 1 && index <= QRT_INDEX_MAX;
}

static enum qrt_err decode(struct qrt_burn *out, struct qrt_rd *r)
{
    uint8_t version;

    out->is_gate = r->left >= sizeof gate_magic && memcmp(r->p, gate_magic, sizeof gate_magic) == 0;
    if (!qrt_rd_expect(r, out->is_gate ? gate_magic : burn_magic, sizeof burn_magic))
        return QRT_E_RECORD_FORMAT;
    version = qrt_rd_u8(r);
    if (!r->failed && version != VERSION)
        return QRT_E_RECORD_VERSION;
    qrt_rd_copy(r, out->kgid, sizeof out->kgid);
    out->epoch = qrt_rd_be32(r);
    out->own = qrt_rd_be16(r);
    out->peers_n = qrt_rd_be16(r);
    if (r->failed || r->left != 2 * (size_t)out->peers_n)
        return QRT_E_RECORD_FORMAT;
    if (!is_index(out->own) || out->peers_n < 1 || out->peers_n > QRT_PARTIES_MAX)
        return QRT_E_RECORD_FIELD;
    for (size_t i = 0; i < out->peers_n; i++) {
        out->peers[i] = qrt_rd_be16(r);
        if (!is_index(out->peers[i]) || out->peers[i] == out->own ||
            (i > 0 && out->peers[i] <= out->peers[i - 1]))
            return QRT_E_RECORD_FIELD;
    }
    return QRT_OK;
}

enum qrt_err qrt_burn_decode(struct qrt_burn *out, const uint8_t *b, size_t len)
{
    struct qrt_rd r = qrt_rd_init(b, len);
    enum qrt_err e;

    memset(out, 0, sizeof *out);
    e = decode(out, &r);
    if (e)
        memset(out, 0, sizeof *out);
    return e;
}

/* The row towards |peer|, which is there, to be changed. */
static struct qrt_share_pair *pair_of(uint8_t *record, const struct qrt_share *share, uint16_t peer)
{
    const struct qrt_share_pair *found = qrt_share_pair(share, peer);
    size_t at = (size_t)((const uint8_t *)found - share->record);

    return (struct qrt_share_pair *)(void *)(record + at);
}

static void erase_alice(uint8_t *record, const struct qrt_share *share, uint16_t peer)
{
    struct qrt_share_pair *pair = pair_of(record, share, peer);

    pair->burn |= QRT_BURN_MINE;
    qrt_wipe(pair->alice_seeds, sizeof pair->alice_seeds);
    qrt_wipe(pair->delta, sizeof pair->delta);
}

enum qrt_err qrt_share_burn(uint8_t *record, size_t len, const uint8_t *burn, size_t burn_len)
{
    struct qrt_share share;
    struct qrt_burn b;
    enum qrt_err e = qrt_burn_decode(&b, burn, burn_len);

    if (!e && b.is_gate)
        e = QRT_E_RECORD_FORMAT;
    if (!e)
        e = qrt_share_locate(&share, record, len);
    if (e)
        return e;
    if (memcmp(b.kgid, share.kgid, sizeof b.kgid) != 0 || b.epoch != share.epoch ||
        b.own != share.own)
        return QRT_E_EPOCH;
    for (size_t i = 0; i < b.peers_n; i++)
        if (!qrt_share_pair(&share, b.peers[i]))
            return QRT_E_RECORD_FIELD;
    for (size_t i = 0; i < b.peers_n; i++)
        erase_alice(record, &share, b.peers[i]);
    return QRT_OK;
}

enum qrt_err qrt_share_note_burn(uint8_t *record, size_t len, uint16_t j)
{
    struct qrt_share share;
    enum qrt_err e = qrt_share_locate(&share, record, len);

    if (e)
        return e;
    if (!qrt_share_pair(&share, j))
        return QRT_E_SIGNER;
    pair_of(record, &share, j)->burn |= QRT_BURN_THEIRS;
    return QRT_OK;
}
