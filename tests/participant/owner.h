/* SPDX-License-Identifier: Apache-2.0 */
/* The owner of a user's share: has it made by a delegate, which is seat 2, keeps it, and lends it.
 * What is lent, and how, is the test's to choose. */
#ifndef TEST_PARTICIPANT_OWNER_H
#define TEST_PARTICIPANT_OWNER_H

#include "keepers.h"

enum { DELEGATE = 2 };

/* X25519: whoever uses this makes the pair. */
extern uint8_t owner_key[32], owner_secret[32];

struct owner_share {
    struct job keygen;
    uint8_t key_id[32], pk[33];
    /* the plain message */
    uint8_t share[65536];
    size_t share_len;
};

/* A key with a share for the owner. */
void owner_make(struct keepers *k, struct owner_share *m);
/* Shares that the delegate still has. */
size_t owner_shares(struct keepers *k);
/* The owner has his share: the code of the answer. */
const char *owner_confirm(struct keepers *k, const char *session_id);
/* Seal to the share key of keeper |who|; |out| takes |len| and crypto_box_SEALBYTES. */
void owner_seal(struct keepers *k, size_t who, const uint8_t *plain, size_t len, uint8_t *out);
/* Lend a box: the code of the answer. */
const char *owner_lend_sealed(struct keepers *k, const char *session_id, uint8_t *sealed,
                              size_t len);
/* What the owner seals: |share| lent for |session_id|, and for |intent_hash| alone if there is one.
 * Its length. */
size_t owner_box(struct keepers *k, const char *session_id, const ProtobufCBinaryData *share,
                 const ProtobufCBinaryData *intent_hash, uint8_t *sealed);
/* The share as it came, for any intent. */
const char *owner_lend(struct keepers *k, const char *session_id, const uint8_t *plain, size_t len);

#endif
