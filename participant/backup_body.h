/* SPDX-License-Identifier: Apache-2.0 */
/* What is inside a party's backup files (system/vault/backup.h): encoded, decoded, and checked
 * against each other. Numbers are big-endian, the first byte is the layout's version.
 *
 *   share = 01 | identity key pair(64) | session(16) | attempt(4) | own index(2) | purpose(1) |
 *           has a caller(1) | caller's key(32) | deadline, unix ms(8) | intent's hash(32) |
 *           length(2) and roster: party ids, blanks between | length(4) and share record
 *   state = 02 | serial(8), higher than that of every state before it | length(4) and party
 *           certificate | active shares(4) |
 *           number(4) of burns: kgid(32) epoch(4) own(2) peer(2) |
 *           number(4) of orders: subject(16; zeroes: all) serial(8) frozen(1) and whose word it
 *           is(1): 0 nobody's, 1 the party's own, 2 the operator's, then length(2) and the body
 *           that he signed, signature(64)
 *
 * A share record has its burn bits of the day; the state says all burns until then. Presignatures
 * are in neither. A state of layout 01 has no serial, which is 0 then. */
#ifndef PARTICIPANT_BACKUP_BODY_H
#define PARTICIPANT_BACKUP_BODY_H

#include "participant/store.h"
#include "quorate/context.h"
#include "quorate/share.h"
#include "system/core/buffer.h"
#include "system/vault/backup.h"

/* |row| without sealed; |identity| (64 bytes) and |record| are lent. Secret. */
struct backup_share {
    const uint8_t *identity;
    struct store_share row;
    const uint8_t *record;
    size_t record_len;
};

/* Guarded memory, the caller's. NULL: the row's session is no id. */
uint8_t *backup_share_encode(size_t *len, const struct backup_share *share);
/* |head| says account, kgid and epoch. |out| leads into |b|; store_share_free(&out->row) ends it.
 * False: not in form. */
bool backup_share_decode(struct backup_share *out, const struct backup_head *head, const uint8_t *b,
                         size_t len);
/* The record is sound, it is the one that |head| names, of the party whose identity signed the
 * file. |out| leads into share->record. NULL, or what is wrong. */
const char *backup_share_check(struct qrt_share *out, const struct qrt_ctx *ctx,
                               const struct backup_share *share, const struct backup_head *head);

struct backup_order {
    char subject[37];
    struct store_order order;
};

/* Nothing in it is secret. */
struct backup_state {
    uint64_t serial;
    /* encoded PartyCertificate; lent */
    const uint8_t *certificate;
    size_t certificate_len;
    uint32_t shares_n;
    struct store_burn *burns;
    size_t burns_n;
    struct backup_order *orders;
    size_t orders_n;
};

/* A state grows: begin, burns, orders, then the end. False: something is not in form, or there is
 * more than a file holds. */
struct backup_writing {
    struct buffer out, burns, orders;
    uint32_t burns_n, orders_n;
    bool failed;
};
void backup_state_begin(struct backup_writing *w, uint64_t serial, const uint8_t *certificate,
                        size_t len, uint32_t shares_n);
void backup_state_burn(struct backup_writing *w, const struct store_burn *burn);
void backup_state_order(struct backup_writing *w, const struct store_order *order);
/* The body is in w->out, buffer_free ends it. */
bool backup_state_end(struct backup_writing *w);

/* |out| leads into |b|. False: not in form, and there is nothing to free. */
bool backup_state_decode(struct backup_state *out, const uint8_t *b, size_t len);
/* The certificate in it names the party and the identity that |head| does; whose CA signed it is
 * not known here. NULL, or what is wrong. */
const char *backup_state_check(const struct backup_state *state, const struct backup_head *head);
void backup_state_free(struct backup_state *state);

#endif
