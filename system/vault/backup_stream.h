/* SPDX-License-Identifier: Apache-2.0 */
/* Anything long (a dump of a database, a packed directory) sealed to a backup's recipient
 * (backup.h), without holding it in memory.
 *
 *   stream = "QSTREAM" 02 | recipient's id(16) | who signed(32) | time, unix ms(8) | the stream's
 *            key, sealed to the recipient's X25519 key(80) | libsodium's secretstream header(24) |
 *            chunks | Ed25519ph(64) by who signed, over a label and all bytes before it
 *   chunk  = length(4, big-endian) | so many bytes of secretstream, the first with all before it as
 *            associated data; the last has its final tag
 *
 * Whoever has the recipient's text can seal: a stream is worth as much as the key that signed it,
 * which who opens it has to know from elsewhere. */
#ifndef SYSTEM_VAULT_BACKUP_STREAM_H
#define SYSTEM_VAULT_BACKUP_STREAM_H

#include "system/vault/backup.h"

enum { BACKUP_STREAM_ERROR = 160 };

struct backup_sealing {
    const struct backup_recipient *recipient;
    /* libsodium's 64 bytes */
    const uint8_t *signer;
    int64_t time_ms;
};
/* From |in|'s place to its end, into |out|. False with what went wrong. */
bool backup_stream_seal(int in, int out, const struct backup_sealing *sealing,
                        char error[BACKUP_STREAM_ERROR]);

struct backup_opening {
    const struct backup_key *key;
    /* who must have signed it, 32 bytes */
    const uint8_t *signer;
    /* set: when it was made */
    int64_t time_ms;
};
/* What comes before a fault is written all the same: it is good for nothing until true is
 * returned. */
bool backup_stream_open(int in, int out, struct backup_opening *opening,
                        char error[BACKUP_STREAM_ERROR]);

#endif
