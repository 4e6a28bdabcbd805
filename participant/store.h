/* SPDX-License-Identifier: Apache-2.0 */
/* A party's own database: its shares (sealed before they come here), the pairs it burned, the
 * operator's orders, delegate shares that wait for their owner. Every write is durable when the
 * call returns. Calls block; any thread but a loop's.
 *
 * A pending share is deleted by nothing but store_expire, 30 days after its session's deadline
 * (protocol.md F.7). What is deleted is overwritten in the file; a server
 * keeps the sealed bytes until its next VACUUM, and in its write-ahead log. */
#ifndef PARTICIPANT_STORE_H
#define PARTICIPANT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct store;

enum { STORE_ERROR_MAX = 256, STORE_PARTY_MAX = 65 };

/* In a file in |directory|. NULL with one line in |error|. */
struct store *store_open(const char *directory, char error[STORE_ERROR_MAX]);
/* Where |config| says; |helper| is store_helper_start's socket, needed for a server only. A server
 * that is lost for good ends the process. */
struct store *store_open_configured(const struct config *config, int helper,
                                    char error[STORE_ERROR_MAX]);
void store_close(struct store *store);
/* False: its server is waited for, and so nobody knows whether it is this process's alone. A full
 * disk is not meant. */
bool store_is_up(const struct store *store);
/* The last failure in words. */
void store_error(const struct store *store, char out[STORE_ERROR_MAX]);

/* Wrapping keys, by their ids. */
enum { STORE_KEY_ID = 8 };
struct store_keys {
    const uint8_t *current;
    /* or NULL */
    const uint8_t *next;
};
enum store_keys_verdict {
    STORE_KEYS_TAKEN,
    /* the rows are under another key */
    STORE_KEYS_WRONG,
    /* |next| is the one that the rows are under, |current| is none of theirs */
    STORE_KEYS_TURNED,
    /* |current| was the next key; |left| rows are still under the one that it replaces */
    STORE_KEYS_OLD_LEFT,
    /* |left| rows are under a next key that is not given any more */
    STORE_KEYS_NEXT_LEFT,
    STORE_KEYS_FAILED
};
/* At start: are these the keys that the rows are under? If so that is written down; else nothing
 * is changed. */
enum store_keys_verdict store_take_keys(struct store *store, const struct store_keys *keys,
                                        size_t *left);

enum store_status { STORE_PENDING = 0, STORE_ACTIVE = 1 };

/* A row of a share; texts and |sealed| are on the heap when it was read. */
struct store_share {
    char account_id[37], session_id[37];
    uint32_t attempt;
    enum store_status status;
    uint8_t kgid[32], key_id[32];
    /* SHA-256 of the intent that made it */
    uint8_t intent_hash[32];
    uint32_t epoch;
    uint16_t own;
    uint8_t purpose;
    bool has_caller;
    uint8_t caller_key[32];
    int64_t deadline_ms;
    /* party ids in the order of the indices, separated by blanks */
    char *roster;
    uint8_t *sealed;
    size_t sealed_len;
};
void store_share_free(struct store_share *share);

enum store_result { STORE_OK, STORE_NONE, STORE_FAILED };

enum store_result store_put_pending(struct store *store, const struct store_share *share);

/* Rows whose seal is under the wrapping key |id|. */
enum store_result store_count_under(struct store *store, const uint8_t id[STORE_KEY_ID], size_t *n);
/* The first of them behind |after|, in an order of its own; |after| NULL: of all. */
enum store_result store_next_under(struct store *store, struct store_share *out,
                                   const uint8_t id[STORE_KEY_ID], const struct store_share *after);
/* The seal of |share| becomes |sealed|. STORE_NONE: it is not what |share| says any more. */
enum store_result store_put_seal(struct store *store, const struct store_share *share,
                                 const uint8_t *sealed, size_t len);

/* A delegate's share, sealed to its owner: kept until it is confirmed or |expires_ms|. */
struct store_sealed {
    char session_id[37];
    /* of the account */
    uint8_t public_key[33];
    int64_t expires_ms;
    uint8_t *sealed;
    size_t sealed_len;
};
void store_sealed_free(struct store_sealed *sealed);

/* The pending share of the same kgid becomes this active one; |given|, if not NULL, is kept in the
 * same transaction. STORE_NONE: there is no pending one. */
enum store_result store_activate(struct store *store, const struct store_share *share,
                                 const struct store_sealed *given);
/* The active share of an account's key; the share made in a session's attempt. */
enum store_result store_get_key(struct store *store, struct store_share *out,
                                const char *account_id, const uint8_t key_id[32]);
enum store_result store_get_made(struct store *store, struct store_share *out,
                                 const char *session_id, uint32_t attempt);
/* True: this share was erased for good, and a row that says otherwise is an old copy. */
bool store_is_gone(const struct store *store, const uint8_t kgid[32], uint32_t epoch);
/* STORE_OK if there is an active share of the account that another session made. */
enum store_result store_has_account(struct store *store, const char *account_id,
                                    const char *but_session_id);

/* A burned pair, without secrets: outlives the share. Burns and loans are in the database and in
 * the party's own directory, and count if one of them has them. */
struct store_burn {
    uint8_t kgid[32];
    uint32_t epoch;
    uint16_t own, peer;
};
/* The share's record was changed; |burn| NULL: a peer's word only. |share| may be NULL for a share
 * that is not stored here. */
enum store_result store_put_burn(struct store *store, const struct store_share *share,
                                 const struct store_burn *burn);
/* In the party's own directory, before store_put_burn, which may wait for a server or be refused:
 * durable, and store_is_burned knows it, also after a restart. In the ledger; on a full disk where
 * room is kept for it, until the database and the ledger have taken it. False: not written. */
bool store_reserve_burn(struct store *store, const struct store_burn *burn);
/* STORE_OK if this pair was burned here. */
enum store_result store_is_burned(struct store *store, const struct store_burn *burn);

/* An order about |subject|: an account, or "" for the whole system. What it points at is lent. */
struct store_order {
    const char *subject;
    uint64_t serial;
    bool is_frozen;
    /* from the party's own directory, where nobody else writes: has no signature */
    bool is_own;
    /* as the operator signed it; |signature| NULL: nobody can tell whose it is */
    const uint8_t *body, *signature;
    size_t body_len;
};
/* Into the directory and the database. STORE_NONE: the database has a newer one. */
enum store_result store_put_order(struct store *store, const struct store_order *order);
/* Into the directory alone; asks no database. Counts at the next start. */
enum store_result store_put_own_order(struct store *store, const struct store_order *order);
/* All that the directory has, then one for each subject as the database has it, which is to be
 * believed for its signature only. False: not all could be read. */
bool store_each_order(struct store *store, void (*each)(void *arg, const struct store_order *order),
                      void *arg);

enum store_result store_get_sealed(struct store *store, struct store_sealed *out,
                                   const char *session_id);
/* The owner has it: the share that |session_id| made and the sealed copy are erased. */
enum store_result store_forget_given(struct store *store, const char *session_id);
/* Somebody's share was lent for this session, whatever it signs. STORE_NONE: that was known. Never
 * erased: the box that was lent opens as long as this party has its identity. */
enum store_result store_put_loan(struct store *store, const uint8_t session[16]);
/* Erase what is past its time, and move reserved burns. False on a failure. */
bool store_expire(struct store *store, int64_t now_ms);
/* Active shares. Any thread, a loop's too: asks nobody. */
size_t store_count(const struct store *store);

#endif
