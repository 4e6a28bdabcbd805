/* SPDX-License-Identifier: Apache-2.0 */
/* The account service's tables, and the works (system/db/db.h) that read and change them.
 *
 * An account row is written before its key is made (pending) and once more when every party has
 * confirmed (active) or the keygen ended otherwise (failed). A key that is not active has no
 * address: public_key is set in the same statement as the status. */
#ifndef ACCOUNT_STORE_H
#define ACCOUNT_STORE_H

#include "quorate/types.h"
#include "services/account/audit.h"
#include "services/account/webhook.h"
#include "system/core/ids.h"
#include "system/db/db.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    USER_ID_MAX = 256,
    PARTY_ID_MAX = 65,
    ERROR_CODE_MAX = 48,
    ERROR_TEXT_MAX = 256,
    KEY_MAX = 129,
    PAGE_MAX = 1000
};

enum account_status { ACCOUNT_PENDING, ACCOUNT_ACTIVE, ACCOUNT_FAILED };
/* "pending", "active", "failed". */
const char *account_status_name(enum account_status status);

/* A party of an account: its index in the key's roster. */
struct account_party {
    char id[PARTY_ID_MAX];
    uint16_t index;
    /* one of those that are to sign for this account */
    bool signs;
};

/* A row of accounts with its parties; without what is large (certificate, user's share). */
struct account {
    char account_id[ID_TEXT_MAX];
    char user_id[USER_ID_MAX];
    char session_id[ID_TEXT_MAX];
    char trace_id[TRACE_TEXT_MAX];
    enum account_status status;
    uint16_t t, n;
    /* a delegate makes one of the shares for the user */
    bool has_user_share;
    int64_t created_ms;
    /* active only */
    struct qrt_pubkey pk;
    uint8_t cc[32];
    uint8_t keyid[32];
    /* failed only */
    char error_code[ERROR_CODE_MAX];
    char error[ERROR_TEXT_MAX];
    size_t parties_n;
    struct account_party parties[QRT_PARTIES_MAX];
};

extern const char *const store_migrations[];

/* Works and their arguments: |owner| is the submitter's, everything else as marked. Text is
 * borrowed until the work is done. */

enum {
    REPLICA_MAX = 33,
    /* A pending account is held by the replica that sees to it, so long by the database's clock
     * after each renewal. Whoever holds it may end it; who does not only waits */
    HOLD_MS = 5000
};

/* Insert a pending account under an idempotency key. DB_OK with |existed|: the key was used for the
 * same request, |account| is that one. DB_REFUSED: it was used for another request. */
struct store_insert {
    void *owner;
    /* in, out */
    struct account account;
    const char *idempotency_key; /* "" for none */
    /* who holds it */
    const char *replica;
    uint8_t request_hash[32];
    /* out */
    bool existed;
};
db_work store_insert;

/* Take hold of a pending account that nobody holds any more; DB_REFUSED: somebody does, or it is
 * not pending. |any|: whoever holds it, for there is no other replica. */
struct store_hold {
    void *owner;
    const struct account *account;
    const char *replica;
    bool any;
};
db_work store_hold;
/* Hold on to these. */
struct store_renew {
    const char *replica;
    size_t n;
    /* heap */
    char (*ids)[ID_TEXT_MAX];
};
db_work store_renew;

/* What a pending account asks for and of whom: durable before anybody else hears of it, because the
 * certificate is checked against it at the end. */
struct store_intent {
    void *owner;
    const struct account *account;
    const uint8_t *intent;
    size_t intent_len;
};
db_work store_intent;

/* A pending account learns which session makes its key. */
struct store_session {
    void *owner;
    const struct account *account;
};
db_work store_session;

/* Pending to active or failed; a row that is not pending any more stays as it is (DB_REFUSED). */
struct store_finish {
    void *owner;
    struct account *account;
    const uint8_t *certificate;
    size_t certificate_len;
    const uint8_t *user_share;
    size_t user_share_len;
    /* who asked; the rest is filled in */
    struct audit_entry *audit;
    /* who else hears of it; NULL: nobody */
    const struct webhook *hook;
};
db_work store_finish;

/* Forget an account that no session was ever made for. */
struct store_forget {
    void *owner;
    char account_id[ID_TEXT_MAX];
};
db_work store_forget;

/* DB_REFUSED: unknown. The blobs are heap, the caller's, only if asked for. */
struct store_get {
    void *owner;
    char account_id[ID_TEXT_MAX];
    bool want_blobs;
    /* out */
    struct account account;
    uint8_t *certificate, *user_share, *intent;
    size_t certificate_len, user_share_len, intent_len;
};
db_work store_get;
/* Frees the blobs. */
void store_get_free(struct store_get *get);

/* A page of accounts, newest first; of those that are pending, by account id. */
struct store_list {
    void *owner;
    char user_id[USER_ID_MAX]; /* "" for all */
    char after[ID_TEXT_MAX];
    size_t limit;
    bool pending_only;
    /* of these: those that nobody holds, or all */
    bool with_held;
    /* out: heap, the caller's; one more than |limit| if there is a next page */
    struct account *accounts;
    size_t accounts_n;
    /* the store's own: how far their parties are */
    size_t parties_at;
};
db_work store_list;

/* Which parties sign: marks exactly those of |account| that have |signs|. */
struct store_signing_parties {
    void *owner;
    const struct account *account;
    const struct audit_entry *audit;
};
db_work store_signing_parties;

#endif
