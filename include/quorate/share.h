/* SPDX-License-Identifier: Apache-2.0 */
/* Key share records (protocol.md F.8): what a party keeps, validated on every load.
 *
 * A record is plain bytes and secret; sealing it for storage is the host's. An opened share is a
 * view into the record, which must outlive it, unchanged.
 *
 *   head          "DKS1", version, suite, profile, flags, kgid, epoch, key id, created, n, t, own,
 *                 public key, chain code, secret share
 *   n rows        index, identity hash, x-coordinate, public share
 *   dealers       those who dealt but received nothing (after a reshare)
 *   n-1 pairs     index, burn bits, zero-sharing seed, OT seeds in both roles, Delta (16 435 bytes)
 *   certificate   session, transcript hash, one signature of every party over the same result
 *
 * 33 717 bytes for 2-of-3. The exact layout is in docs/wire.md. The key id names the key over all
 * epochs; kgid and epoch name this sharing of it, and shares of different sharings never combine.
 */
#ifndef QUORATE_SHARE_H
#define QUORATE_SHARE_H

#include "quorate/context.h"

/* |flags| of a share: the key was imported; it must be refreshed before its first use; the
 * certificate is not complete, so nothing may sign with it. */
enum { QRT_SHARE_IMPORTED = 1, QRT_SHARE_REFRESH_REQUIRED = 2, QRT_SHARE_PENDING = 4 };

/* One row of the roster as the record holds it: n of them, ascending. Public. */
struct qrt_share_party {
    /* big-endian */
    uint8_t index[2];
    uint8_t idk[32];
    uint8_t x[32];
    /* public share, s_i times G */
    uint8_t X[33];
};

/* All pointers lead into the record, where numbers are big-endian: copy |pk| into a qrt_pubkey,
 * read an index as b[0] << 8 | b[1]. Everything but |s| and the seeds behind |pairs| is public. */
struct qrt_share {
    const uint8_t *record;
    size_t record_len;
    /* flags: QRT_SHARE_... */
    uint8_t suite, profile, flags;
    uint16_t n, t, own;
    /* dealers that received no share */
    uint16_t dealers_n;
    uint32_t epoch;
    /* unix seconds */
    uint64_t created;
    /* 32: the run that made the shares */
    const uint8_t *kgid;
    /* 32: names the key over all epochs */
    const uint8_t *keyid;
    /* 33 */
    const uint8_t *pk;
    /* 32: chain code */
    const uint8_t *cc;
    /* 32: the secret share, big-endian */
    const uint8_t *s;
    const struct qrt_share_party *parties;
    /* dealers_n times 34: index, idk */
    const uint8_t *dealers;
    /* n-1 rows, ascending, own left out: see lib/key/share.h */
    const uint8_t *pairs;
    const uint8_t *certificate;
    size_t certificate_len;
};

/* Bytes of a record of |n| parties with |d| dealers that received nothing and |m| signatures in its
 * certificate: 1 for a pending record, n + d for an active one. */
QRT_API size_t qrt_share_size(size_t n, size_t d, size_t m);

/* Open an active record: every field, the secret against its public share, the public shares
 * against the key, and every signature of the certificate are checked (protocol.md F.8, K.3).
 * QRT_E_PENDING for a pending record. On error |share| is zeroed.
 * CT: which check failed shows; the share and the seeds do not. */
QRT_API QRT_MUST enum qrt_err qrt_share_open(struct qrt_share *share, const struct qrt_ctx *ctx,
                                             const uint8_t *record, size_t len);

/* The same for a pending record, whose certificate holds the own signature only. Nothing signs
 * with the result; it is for qrt_peer_resume and for showing. An active record is refused with
 * QRT_E_RECORD_FIELD, so that the two cannot be confused. */
QRT_API QRT_MUST enum qrt_err qrt_share_open_pending(struct qrt_share *share,
                                                     const struct qrt_ctx *ctx,
                                                     const uint8_t *record, size_t len);

/* The roster's row of |index|, or NULL if it is no party of the key. Public. */
QRT_API const struct qrt_share_party *qrt_share_party(const struct qrt_share *share,
                                                      uint16_t index);

/* How party |j| stands to this share. Either bit refuses |j| as a co-signer; a stranger has both.
 */
enum { QRT_BURN_MINE = 1, QRT_BURN_THEIRS = 2 };
QRT_API uint8_t qrt_share_burn_bits(const struct qrt_share *share, uint16_t j);

/* Apply a burn record (QRT_RECORD_BURN) to the share record it speaks of, in place: set the bit,
 * erase the Alice seeds and Delta of each pair it names. Applying it twice changes nothing more.
 * QRT_E_EPOCH if it speaks of another share. Shares opened from |record| must be opened again. */
QRT_API QRT_MUST enum qrt_err qrt_share_burn(uint8_t *record, size_t len, const uint8_t *burn,
                                             size_t burn_len);

/* Party |j| says that he burned his side of the pair (qrt_run_peer_abort): from now on he is
 * refused as a co-signer, since he would refuse. Advisory; erases nothing. QRT_E_SIGNER if |j| is
 * no other party of the key. Shares opened from |record| must be opened again. */
QRT_API QRT_MUST enum qrt_err qrt_share_note_burn(uint8_t *record, size_t len, uint16_t j);

/* What a burn or gate record names: the share (kgid, epoch, own index) and peers. No secrets.
 * |peers|: ascending, 1 to n-1 of them; exactly one in a QRT_RECORD_BURN. A host that forgets its
 * shares (a temporary party) keeps these bytes as a tombstone. */
struct qrt_burn {
    /* of a QRT_RECORD_GATE, which erases nothing */
    bool is_gate;
    uint8_t kgid[32];
    uint32_t epoch;
    uint16_t own;
    uint16_t peers_n;
    uint16_t peers[QRT_PARTIES_MAX];
};
/* QRT_E_RECORD_FORMAT or QRT_E_RECORD_VERSION if |b| is not a burn record. */
QRT_API QRT_MUST enum qrt_err qrt_burn_decode(struct qrt_burn *out, const uint8_t *b, size_t len);

/* The signed fourth-round message of party |index| as it travelled, rebuilt from a certificate:
 * what a party without certificate can still be given (protocol.md F.7). 176 bytes. QRT_E_SIGNER if
 * the certificate holds no signature of |index|. */
#define QRT_CONFIRMATION_BYTES 176
QRT_API QRT_MUST enum qrt_err qrt_share_confirmation(const struct qrt_share *share,
                                                     const struct qrt_ctx *ctx, uint16_t index,
                                                     uint8_t out[QRT_CONFIRMATION_BYTES]);

#endif
