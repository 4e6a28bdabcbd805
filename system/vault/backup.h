/* SPDX-License-Identifier: Apache-2.0 */
/* Backup files of a party: what it must not lose, sealed to a recipient who is not on the network.
 * The recipient is a seed of 32 bytes; its public text goes to the parties. Whoever has the text
 * can only seal; a file says who made it by the party's identity key.
 *
 *   file    = head(266) | sealed body | Ed25519 by the identity key(64)
 *   head    = "QBACKUP" 01 | kind(1) | length of the party's id(1) | id(64, zeroes behind it) |
 *             identity key(32) | recipient's id(16) | account(16) | kgid(32) | epoch(4) |
 *             time, unix ms(8) | the file's key, sealed to the recipient's X25519 key(80) |
 *             length of the sealed body(4)
 *   receipt = "QRECEIP" 01 | kind(1) | identity key(32) | recipient's id(16) | kgid(32) |
 *             epoch(4) | BLAKE2b-256 of the file(32) | time, unix ms(8) |
 *             Ed25519 by the recipient(64)
 *
 * Numbers are big-endian. The body is sealed by XChaCha20-Poly1305 under a key of this file alone,
 * nonce zero, the head is associated data. What is in a body is not known here
 * (participant/backup_body.h). */
#ifndef SYSTEM_VAULT_BACKUP_H
#define SYSTEM_VAULT_BACKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BACKUP_SEED = 32,
    BACKUP_ID = 16,
    /* "qbk1...", and a zero byte */
    BACKUP_TEXT = 96,
    BACKUP_HEAD = 266,
    BACKUP_OVERHEAD = BACKUP_HEAD + 16 + 64,
    BACKUP_BODY_MAX = 8 << 20,
    BACKUP_RECEIPT = 8 + 1 + 32 + BACKUP_ID + 32 + 4 + 32 + 8 + 64
};

/* Public. */
struct backup_recipient {
    uint8_t box[32], sign[32];
    uint8_t id[BACKUP_ID];
};

/* Secret, in guarded memory. */
struct backup_key {
    struct backup_recipient recipient;
    uint8_t box[32], sign[64];
};

void backup_key_of(struct backup_key *out, const uint8_t seed[BACKUP_SEED]);
void backup_recipient_text(char out[BACKUP_TEXT], const struct backup_recipient *recipient);
/* False: no such text, or one that was mistyped. */
bool backup_recipient_parse(struct backup_recipient *out, const char *text);

enum backup_kind { BACKUP_SHARE = 1, BACKUP_STATE = 2 };

/* |account|, |kgid| and |epoch| of a state are zero. */
struct backup_head {
    enum backup_kind kind;
    char party_id[65];
    uint8_t identity[32], recipient[BACKUP_ID];
    uint8_t account[16], kgid[32];
    uint32_t epoch;
    int64_t time_ms;
};

/* A file taken apart; |b| is lent. */
struct backup_file {
    struct backup_head head;
    const uint8_t *b;
    size_t len;
    size_t body_len;
};

enum backup_result {
    BACKUP_OK,
    BACKUP_NOT,
    BACKUP_VERSION,
    BACKUP_CUT,
    BACKUP_FIELD,
    BACKUP_CHANGED,
    BACKUP_OTHER_KEY
};
/* "is no backup file": follows the file's name. */
const char *backup_text(enum backup_result result);

/* What goes into a body, who seals it to whom. */
struct backup_making {
    const struct backup_head *head;
    const struct backup_recipient *recipient;
    /* libsodium's 64 bytes; its public half is head->identity */
    const uint8_t *identity;
};
/* |out|: len + BACKUP_OVERHEAD bytes; |len| is at most BACKUP_BODY_MAX. */
void backup_seal(uint8_t *out, const struct backup_making *making, const uint8_t *body, size_t len);
/* Form and signature: what it says is what that identity signed, nothing more. */
enum backup_result backup_parse(struct backup_file *out, const uint8_t *b, size_t len);
/* |out|: file->body_len bytes of guarded memory, zero on failure. */
enum backup_result backup_open(uint8_t *out, const struct backup_file *file,
                               const struct backup_key *key);

enum { BACKUP_DIGEST = 32 };
/* What a receipt knows a file by. */
void backup_digest(uint8_t out[BACKUP_DIGEST], const uint8_t *b, size_t len);

/* That a file was opened and found whole by who has the recipient's key. */
struct backup_receipt {
    enum backup_kind kind;
    uint8_t identity[32], kgid[32], digest[BACKUP_DIGEST];
    uint32_t epoch;
    int64_t time_ms;
};
void backup_receipt_make(uint8_t out[BACKUP_RECEIPT], const struct backup_file *file,
                         const struct backup_key *key, int64_t time_ms);
/* False unless |by| signed it. */
bool backup_receipt_read(struct backup_receipt *out, const uint8_t *b, size_t len,
                         const struct backup_recipient *by);

#endif
