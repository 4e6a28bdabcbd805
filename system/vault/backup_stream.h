/* SPDX-License-Identifier: Apache-2.0 */
/* Anything long (a dump of a database, a packed directory) sealed to a backup's recipient
 * (backup.h), without holding it in memory.
 *
 *   stream = "QSTREAM" 01 | recipient's id(16) | the stream's key, sealed to the recipient's X25519
 *            key(80) | libsodium's secretstream header(24) | chunks
 *   chunk  = length(4, big-endian) | so many bytes of secretstream, the first with all before it as
 *            associated data; the last has its final tag, and nothing is behind it
 *
 * A stream says nothing about who made it: whoever has the recipient's text can. */
#ifndef SYSTEM_VAULT_BACKUP_STREAM_H
#define SYSTEM_VAULT_BACKUP_STREAM_H

#include "system/vault/backup.h"

enum { BACKUP_STREAM_ERROR = 128 };

/* From |in|'s place to its end, into |out|. False with what went wrong. */
bool backup_stream_seal(int in, int out, const struct backup_recipient *recipient,
                        char error[BACKUP_STREAM_ERROR]);
/* What comes before a fault is written all the same: it is good for nothing until true is
 * returned. */
bool backup_stream_open(int in, int out, const struct backup_key *key,
                        char error[BACKUP_STREAM_ERROR]);

#endif
