/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the audit log, and the hashes that chain them (docs/audit.md).
 *
 * Each process that writes has a chain of its own. A row's digest is SHA-256 over the purpose and
 * the row's texts, each behind its length (four bytes, big-endian); its hash is SHA-256 over the
 * hash of the row before, 32 zero bytes for the first, and its digest. So the last hash stands for
 * the whole chain, and a row that is changed, left out, put in or moved shows. */
#ifndef SYSTEM_ACCESS_AUDIT_H
#define SYSTEM_ACCESS_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

enum { AUDIT_HASH = 32 };

/* The texts in the order in which they are hashed, behind chain and time; also the columns. */
enum audit_text {
    AUDIT_CALLER,
    AUDIT_ADDRESS,
    AUDIT_ACTION,
    AUDIT_OBJECT,
    AUDIT_SESSION,
    AUDIT_OUTCOME,
    AUDIT_REQUEST,
    AUDIT_DETAIL
};
enum { AUDIT_FIELDS = AUDIT_DETAIL + 1 };

/* "caller", "address" ...: as columns and in exports. */
extern const char *const audit_names[AUDIT_FIELDS];

struct audit_row {
    /* 1, 2 ... in its chain */
    int64_t seq;
    /* Unix milliseconds, by the clock of who wrote it */
    int64_t at_ms;
    /* lent */
    const char *chain, *text[AUDIT_FIELDS];
};

void audit_digest(uint8_t out[AUDIT_HASH], const struct audit_row *row);
/* The row's hash. |out| may be |prev|. */
void audit_link(uint8_t out[AUDIT_HASH], const uint8_t prev[AUDIT_HASH],
                const uint8_t digest[AUDIT_HASH]);

/* A chain's first row names others with their heads in its detail: "CHAIN SEQ HASH", with commas
 * between. The next of them from |*at|, which moves on; false: no more, or no such text. */
struct audit_head {
    char chain[33];
    int64_t seq;
    uint8_t hash[AUDIT_HASH];
};
enum { AUDIT_HEAD_TEXT = 128 };
bool audit_head_next(struct audit_head *out, const char **at);
void audit_head_text(char out[AUDIT_HEAD_TEXT], const struct audit_head *head);

#endif
