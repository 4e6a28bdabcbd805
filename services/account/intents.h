/* SPDX-License-Identifier: Apache-2.0 */
/* Signed intents (include/quorate/intent.h): made and signed here for plain requests, or taken from
 * a caller that signed its own. Either way the bytes go to the parties unchanged, and parties
 * decide; what is checked here only spares callers a late refusal. */
#ifndef ACCOUNT_INTENTS_H
#define ACCOUNT_INTENTS_H

#include "services/account/account.h"
#include "services/account/request.h"

/* How many attempts the parties will accept for one request. */
enum { INTENT_ATTEMPTS = 16 };
/* How long a presigning may take. */
enum { INTENT_PRESIGN_S = 30 };

struct signed_intent {
    /* heap, the owner's */
    uint8_t *b;
    size_t len;
    uint8_t signature[64];
    uint8_t initiator[32];
    int64_t deadline_ms;
};
void signed_intent_free(struct signed_intent *intent);
/* Ask for a session of |type| under |intent|, both borrowed: what every CreateSession has in
 * common. */
void signed_intent_ask(Mpc__Coordinator__V1__CreateSessionRequest *request,
                       struct signed_intent *intent, const char *type);

/* A party as the coordinator selected it: what keygen intents say about it. */
struct intent_member {
    uint16_t index;
    uint8_t idk[32];
};

/* False if the values make no intent: two members with one identity key, say. */
bool intent_of_keygen(struct signed_intent *out, const struct account_service *s,
                      const struct account *account, const struct intent_member *members);
/* The initiator's word for whom the user's share of this key is sealed to; NULL: for whom the
 * caller of the delegate names. */
void intent_sign_user_key(uint8_t signature[64], const struct account_service *s,
                          const struct signed_intent *intent, const uint8_t *user_key);
/* Allowed are all parties of the account, or those that |req| names. */
bool intent_of_sign(struct signed_intent *out, const struct account_service *s,
                    const struct account *account, const struct request_sign *req);
/* One presignature for the account's key on this path, by any of its parties. */
void intent_of_presign(struct signed_intent *out, const struct account_service *s,
                       const struct account *account, const uint32_t *path, size_t path_n);

/* Take a caller's own, hex, and give its decoded form, which leads into |out->b|. False with
 * |status| if it is malformed, expired, or not signed by any of CALLER_KEYS. */
bool intent_of_caller(struct signed_intent *out, struct qrt_intent *decoded,
                      const struct account_service *s, const char *intent, const char *signature,
                      struct rpc_status *status);

#endif
