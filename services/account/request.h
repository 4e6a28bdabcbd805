/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of requests, checked. Each function names the field and the form it must have; none
 * looks anything up. */
#ifndef ACCOUNT_REQUEST_H
#define ACCOUNT_REQUEST_H

#include "quorate/intent.h"
#include "services/account/store.h"
#include "system/rpc/status.h"

#include "account.pb-c.h"

/* |text| is a UUIDv4: lower case into |out|. */
bool request_id(char out[ID_TEXT_MAX], const char *text, const char *field,
                struct rpc_status *status);

/* What an account is asked to be. */
struct request_create {
    char user_id[USER_ID_MAX];
    uint16_t t, n;
    bool delegate;
    /* names of the parties, none: the pool chooses */
    size_t parties_n;
    const char *parties[QRT_PARTIES_MAX];
    /* the user's X25519 key; |has_user_key| false: the delegate's configuration */
    bool has_user_key;
    uint8_t user_key[32];
    /* the own intent's initiator signed it; account-service signs for plain requests */
    bool has_key_signature;
    uint8_t user_key_signature[64];
    const char *idempotency_key;
    unsigned wait_s;
};
bool request_create(struct request_create *out, const Mpc__Account__V1__CreateAccountRequest *in,
                    unsigned wait_s, struct rpc_status *status);
/* Two requests are the same if this is; |intent| is the caller's own, if any. */
void request_create_hash(uint8_t out[32], const struct request_create *req, const uint8_t *intent,
                         size_t intent_len);
bool request_keygen(struct request_create *out, const Mpc__Account__V1__KeygenRequest *in,
                    struct rpc_status *status);

/* What is to be signed. */
struct request_sign {
    char account_id[ID_TEXT_MAX];
    enum qrt_digest digest;
    /* heap, the caller's */
    uint8_t *message;
    size_t message_len;
    uint32_t path[QRT_PATH_MAX];
    size_t path_n;
    size_t parties_n;
    const char *parties[QRT_PARTIES_MAX];
    const char *idempotency_key;
    unsigned wait_s;
};
bool request_sign(struct request_sign *out, const Mpc__Account__V1__SignRequest *in,
                  unsigned wait_s, struct rpc_status *status);
/* As request_create_hash, with the account; |intent| and |signature| are texts, "" for none. */
void request_sign_hash(uint8_t out[32], const struct request_sign *req, const char *intent,
                       const char *signature);
bool request_sign_session(struct request_sign *out, const Mpc__Account__V1__SignSessionRequest *in,
                          unsigned wait_s, struct rpc_status *status);

/* Bytes of hex with or without 0x, heap; NULL with |status|. At most |max| bytes. */
uint8_t *request_hex(size_t *len, const char *text, size_t max, const char *field,
                     struct rpc_status *status);

#endif
