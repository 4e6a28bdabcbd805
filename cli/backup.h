/* SPDX-License-Identifier: Apache-2.0 */
/* Backups of parties, from the recipient's side: system/vault/backup.h has the files,
 * participant/backup_body.h what is in them. */
#ifndef QUORATE_CLI_BACKUP_H
#define QUORATE_CLI_BACKUP_H

#include "file.h"
#include "say.h"

#include "participant/backup_body.h"

#include <jansson.h>

struct backup_request {
    /* files, or directories with *.qbk */
    const char **files;
    size_t files_n;
    const char *key, *passphrase_file, *out, *to, *env, *sign_key, *signed_by;
    /* to sign: of others' shares nothing is asked; NULL: all are of one account */
    const char *account;
    bool json, seal, accept_age;
};

/* Each returns the exit code. */
int backup_command_key(const struct backup_request *request);
int backup_command_verify(const struct backup_request *request);
int backup_command_restore(const struct backup_request *request);
int backup_command_merge(const struct backup_request *request);
int backup_command_drill(const struct backup_request *request);
int backup_command_seal(const struct backup_request *request);
int backup_command_open(const struct backup_request *request);

/* backup_key.c: the recipient's key out of its file, in guarded memory, the caller's: secret_free.
 * NULL with |trouble|. */
struct backup_key *backup_key_read(const char *path, const char *passphrase_file,
                                   struct trouble *trouble);

/* backup_files.c: one file of which everything was checked that can be. */
struct backup_item {
    const char *path;
    struct file file;
    struct backup_file parsed;
    /* guarded */
    uint8_t *body;
    /* of a share */
    struct backup_share share;
    struct qrt_share opened;
    /* of a state */
    struct backup_state state;
};

/* backup_item_close in any case. Opening is reading, which says whose the file is and that its
 * party signed it, then unsealing. */
bool backup_item_read(struct backup_item *item, const char *path, struct trouble *trouble);
bool backup_item_unseal(struct backup_item *item, const struct backup_key *key,
                        const struct qrt_ctx *ctx, struct trouble *trouble);
bool backup_item_open(struct backup_item *item, const char *path, const struct backup_key *key,
                      const struct qrt_ctx *ctx, struct trouble *trouble);
void backup_item_close(struct backup_item *item);
/* Burns are never taken back: those of every state count, for the shares of whose state it is. */
struct backup_burn {
    uint8_t identity[32];
    struct store_burn burn;
};
struct backup_burns {
    struct backup_burn *v;
    size_t n;
};
void backup_burns_add(struct backup_burns *burns, const struct backup_item *state);
/* What anybody may know of it. */
json_t *backup_item_json(const struct backup_item *item);

/* What is older has forgotten too much to be restored unasked: a party and the system make a backup
 * every day. */
enum {
    BACKUP_AGE_DAYS = 3,
    BACKUP_AGE_MS = BACKUP_AGE_DAYS * 24 * 3600 * 1000,
    BACKUP_AHEAD_MS = 600 * 1000
};
/* "2026-01-31T12:00:00Z", or null. */
json_t *backup_time_json(int64_t time_ms);
/* What a file says of itself without its key: whose it is, when it was made, of which account. */
void backup_head_add(json_t *json, const struct backup_head *head);

/* The paths that a request names, directories replaced by what is in them. */
struct backup_paths {
    char **v;
    size_t n, cap;
};
bool backup_paths_of(struct backup_paths *out, const struct backup_request *request,
                     struct trouble *trouble);
void backup_paths_free(struct backup_paths *paths);

/* backup_group.c: t shares or more of one account, the first t of which can sign together: those
 * that were given first, without burned pairs. Pairs are burned by states among the files, too. */
struct backup_group {
    const struct qrt_ctx *ctx;
    const struct backup_key *key;
    /* or NULL */
    const char *account;
    /* files that cannot be opened, if the others are enough: [{file, why}] */
    json_t *left_out;
    struct backup_item items[QRT_PARTIES_MAX];
    size_t n;
    struct backup_burns burns;
};
/* |begin| has ctx, key and account, which outlive it as |paths| does. NULL with |trouble|. */
struct backup_group *backup_group_open(const struct backup_group *begin,
                                       const struct backup_paths *paths, struct trouble *trouble);
void backup_group_close(struct backup_group *group);
/* {account_id, parties} and, if there are, left_out */
json_t *backup_group_json(const struct backup_group *group);

/* backup_sign.c. */
/* What is to be signed, and what came of it. */
struct backup_signing {
    uint8_t digest[32];
    const uint32_t *path;
    size_t path_n;
    struct qrt_sig sig;
    struct qrt_pubkey pk;
};
/* By t parties in this process; the signature was verified. */
bool backup_group_sign(const struct backup_group *group, struct backup_signing *signing,
                       struct trouble *trouble);
/* All of it; |signing| has digest and path. The answer as the service gives one; NULL with
 * |trouble|. */
json_t *backup_sign(const struct backup_request *request, struct backup_signing *signing,
                    struct trouble *trouble);

#endif
