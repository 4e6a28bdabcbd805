/* SPDX-License-Identifier: Apache-2.0 */
/* Continuous backups of a server party: a thread of the keeper that makes one file for every
 * active share, and one for the rest (burns, orders, the party's certificate) whenever that has
 * changed and every day, sealed to BACKUP_RECIPIENT. The front writes them to BACKUP_DIR and reads
 * receipts there; a share counts as backed up once its receipt was checked here.
 *
 * Nothing waits for a backup: what cannot be written is tried again, and the metric shows it. */
#ifndef PARTICIPANT_BACKUP_H
#define PARTICIPANT_BACKUP_H

#include "keeper.pb-c.h"
#include "participant/shares.h"

struct backup;

enum { BACKUP_ERROR_MAX = 256 };

struct backup_params {
    struct store *store;
    const struct shares *shares;
    /* libsodium's 64 bytes */
    const uint8_t *identity;
    const char *party_id;
    /* or NULL */
    const uint8_t *operator_key;
    /* the state is written again after so long at the latest: an old one is missed */
    int64_t state_every_ms;
    const Mpc__Session__V1__PartyCertificate *certificate;
    /* frames to the front; any thread */
    void (*emit)(void *arg, const Mpc__Keeper__V1__FromKeeper *frame);
    void *emit_arg;
};

/* Whether |recipient| is of the right form. */
bool backup_check_recipient(const char *recipient, char error[BACKUP_ERROR_MAX]);

/* |recipient| is BACKUP_RECIPIENT. What |params| points to outlives this. Call before the sandbox.
 * NULL with one line in |error|. */
struct backup *backup_start(const struct backup_params *params, const char *recipient,
                            char error[BACKUP_ERROR_MAX]);
/* NULL is nothing. */
void backup_stop(struct backup *backup);
/* The front's answer. */
void backup_answer(struct backup *backup, const Mpc__Keeper__V1__BackupAnswer *answer);
/* The recipient has opened this party's files once. Any thread, as below. */
bool backup_is_proven(const struct backup *backup);
/* Active shares without verified backup. */
uint64_t backup_missing(const struct backup *backup);

#endif
