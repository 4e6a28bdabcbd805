/* SPDX-License-Identifier: Apache-2.0 */
/* What happens in the tests of the running coordinator: requests, joins, reports. */
#ifndef TEST_COORDINATOR_SCENE_H
#define TEST_COORDINATOR_SCENE_H

#include "harness.h"

#include "services/coordinator/store.h"

struct sign_request {
    const char *idempotency_key;
    /* the one byte that makes the message */
    uint8_t message;
    /* 0: a minute */
    int64_t life_ms;
    const char *preferred[2];
    /* the message_hash told is not the message's */
    bool wrong_hash;
    bool want_tokens;
};

/* CreateSession of a signature by parties 1 to 3, t = 2. NULL if refused. */
Mpc__Coordinator__V1__CreateSessionResponse *
scene_sign(struct harness *h, const struct sign_request *request, struct rpc_status *status);
/* CreateSession of the same, which goes on while other calls are made: |done| is told. */
struct rpc_pending *scene_ask_sign(struct harness *h, const struct sign_request *request,
                                   rpc_done *done, void *arg);
/* scene_sign that must work; |session_id| gets its id. */
void scene_begin(struct harness *h, char session_id[ID_TEXT_MAX],
                 const struct sign_request *request);
/* CreateSession of a presigning for what scene_sign signs, by |preferred| or, NULL, by anybody. */
struct rpc_status scene_presign(struct harness *h, char session_id[ID_TEXT_MAX],
                                const char *const preferred[2]);
/* CreateSession of a keygen of parties 1 to 3, who make its key at attempt 0: h->certificate. */
void scene_keygen(struct harness *h, char session_id[ID_TEXT_MAX], int64_t life_ms);

/* The same for a user's key, NULL: none, that the holder of |by| signs; |scene_nobody|: he signs that
 * he names none. */
extern const uint8_t scene_nobody[32];
struct rpc_status scene_keygen_for(struct harness *h, char session_id[ID_TEXT_MAX], int64_t life_ms,
                                   const uint8_t user_key[32], const uint8_t by[64]);

/* Join by the |n|th invitation that was published; the session token for later calls. */
struct rpc_status scene_join(struct harness *h, const char *session_id, const char *party_id,
                             size_t n, const char *key, char token[2048]);
/* The join token that the |n|th invitation has for the party; NULL: none. */
const char *scene_invited(struct harness *h, const char *session_id, const char *party_id,
                          size_t n);

/* 65 bytes that are the signature of scene_sign's |message|. */
void scene_signature(const struct harness *h, uint8_t out[SIGNATURE_LEN], uint8_t message);
struct rpc_status scene_report_signature(struct harness *h, const char *session_id,
                                         const char *party_id, const char *token,
                                         const uint8_t signature[SIGNATURE_LEN], uint32_t attempt);
struct rpc_status scene_report_failure(struct harness *h, const char *session_id,
                                       const char *party_id, const char *token, uint32_t attempt,
                                       const char *code, bool retry);
struct rpc_status scene_report_presignature(struct harness *h, const char *session_id,
                                            const char *party_id, const char *token,
                                            const uint8_t id[32]);
struct rpc_status scene_report_key(struct harness *h, const char *session_id, const char *party_id,
                                   const char *token);

/* GetSessionStatus; |wait_s| 0: at once. The caller frees it. */
Mpc__Coordinator__V1__GetSessionStatusResponse *
scene_status(struct harness *h, const char *session_id, uint32_t wait_s);
void scene_expect(struct harness *h, const char *session_id, const char *status,
                  const char *error_code);
void scene_cancel(struct harness *h, const char *session_id, enum rpc_code expected);
/* The event log in one line: "session_created party_joined ...". */
void scene_log(struct harness *h, const char *session_id, char *out, size_t size);

#endif
