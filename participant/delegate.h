/* SPDX-License-Identifier: Apache-2.0 */
/* Users' shares. A delegate makes one like any party, seals it to its owner (libsodium's sealed box
 * around mpc.party_api.v1.UserShare) and forgets it once it is confirmed, or after an hour. Later
 * the owner lends it for one session, sealed to this keeper; it is held in guarded memory until
 * that session is over. What stays is a tombstone for each burned pair. */
#ifndef PARTICIPANT_DELEGATE_H
#define PARTICIPANT_DELEGATE_H

#include "participant/permit.h"
#include "participant/shares.h"

#include "session.pb-c.h"

struct delegate;

enum { DELEGATE_KEEP_MS = 3600 * 1000, DELEGATE_LENT_MS = 15 * 60 * 1000 };

struct delegate_params {
    const struct qrt_ctx *ctx;
    struct store *store;
    const struct shares *shares;
    const char *party_id;
    /* makes and gives away shares, and takes lent ones */
    bool is_delegate;
    /* 32, this party's Ed25519 public key; outlives the delegate */
    const uint8_t *identity_key;
    /* 32: USER_SHARE_PUBLIC_KEY, or NULL */
    const uint8_t *user_key;
};

struct delegate *delegate_new(const struct delegate_params *params);
void delegate_free(struct delegate *delegate);
bool delegate_is_active(const struct delegate *delegate);
/* X25519, for lent shares; another one after each start. */
void delegate_public_key(const struct delegate *delegate, uint8_t out[32]);

/* Whom a share is sealed to: the key that the initiator of this permitted setup signed; else the
 * configured one; else, if the initiator signed that he names nobody, |offered| by the front, which
 * nobody but the front vouches for. Refused: a key in the setup that he did not sign, nobody at
 * all, a key that is none. */
bool delegate_recipient(const struct delegate *delegate, const Mpc__Session__V1__Setup *setup,
                        const ProtobufCBinaryData *offered, uint8_t out[32],
                        struct refusal *refusal);
/* Fill |out| (sealed: heap) for the share of |row|, sealed to |recipient|. */
bool delegate_seal(const struct delegate *delegate, struct store_sealed *out,
                   const struct store_share *row, const struct qrt_share *share,
                   const uint8_t recipient[32], int64_t now_ms);

/* Open what the owner lent and hold it, if he lent it for |session_id|. A box that names no intent
 * is good for one loan; one thread at a time. */
bool delegate_lend(struct delegate *delegate, const char *session_id, const uint8_t *sealed,
                   size_t len, int64_t now_ms, struct refusal *refusal);
/* The share lent for this session, if it is of this key; ended by shares_put. The first intent that
 * gets it, or the one its owner named, is the only one that does. NULL: none, or refused. */
struct share_held *delegate_lent(struct delegate *delegate, const struct permit *permit,
                                 struct refusal *refusal);
void delegate_forget(struct delegate *delegate, const char *session_id);
void delegate_expire(struct delegate *delegate, int64_t now_ms);

#endif
