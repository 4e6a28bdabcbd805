/* SPDX-License-Identifier: Apache-2.0 */
/* An account service in this process: real database, real server and client, and a coordinator that
 * plays a script (script.h). One loop for all; every wait is for a condition, and a hang ends the
 * test. One account is there from the beginning, whose key of one signs as a quorum would. */
#ifndef TEST_ACCOUNT_WORLD_H
#define TEST_ACCOUNT_WORLD_H

#include "quorate/intent.h"
#include "script.h"
#include "services/account/account.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define WORLD_ACCOUNT "6f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f"
#define WORLD_KEYGEN "7f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f"

/* Seconds that callers wait: for what must come, on a slow machine too; for what does not come, but
 * long enough for what is asked meanwhile. */
enum { PATIENT_S = 100, HASTY_S = 3 };

/* How a call ended; the message is the test's to free (answer_free). */
struct answer {
    bool is_there;
    struct rpc_status status;
    void *message;
};

struct world {
    uv_loop_t loop;
    char dir[64];
    struct config *config;
    struct access *access;
    struct service_host host;
    struct account_service *s;
    struct rpc_channel *channel;
    struct script script;
    uint8_t ca[64], identities[SCRIPT_PARTIES][64];
    /* a caller that signs its own intents */
    uint8_t caller_pk[32], caller[64];
    struct qrt_pubkey pk;
};

struct world *world_new(void);
void world_free(struct world *w);
/* The service ends in order. */
void world_stop(struct world *w);
/* And comes back on the same database. */
void world_start(struct world *w);
/* The service ends as by a cut of power: what was not on the disk now is not there at the next
 * start. */
void world_crash(struct world *w);

void world_until(struct world *w, bool (*holds)(struct world *w, const void *arg), const void *arg);
/* The door was knocked at |n| times. */
void world_until_called(struct world *w, enum door door, unsigned n);
/* The coordinator dies where its script said, and is seen to be gone. */
void world_until_dead(struct world *w);

/* Party |i| is certified anew, as |party_id| with |role| and the identity key of |identity|, by the
 * authority or, |is_forged|, by nobody that counts. */
void world_certify(struct world *w, size_t i, const char *party_id, const char *role,
                   size_t identity, bool is_forged);

/* AccountService/|method|, to its end or only begun. */
void world_begin(struct world *w, struct answer *out, const char *method,
                 const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response);
void world_await(struct world *w, struct answer *answer);
void answer_free(struct answer *answer);
/* HTTP status and code of an answer are these. */
void answer_expect(const struct answer *answer, int http, const char *name);

/* The calls that the tests make. |key| NULL: none. */
Mpc__Account__V1__CreateAccountRequest world_create_request(const char *key, int wait_s);
void world_create(struct world *w, struct answer *out, const char *key, int wait_s);
void world_create_begin(struct world *w, struct answer *out, const char *key, int wait_s);
void world_sign(struct world *w, struct answer *out, const char *message, const char *key,
                int wait_s);
struct answer world_get(struct world *w, const char *account_id);
/* Waits until the account is not pending any more; the caller frees the answer. */
struct answer world_settled(struct world *w, const char *account_id);
/* How many accounts there are besides the first. */
size_t world_accounts(struct world *w);
/* The last row of the audit log that is not of a list: "action outcome"; read when the service has
 * stopped. */
void world_audit(struct world *w, char out[128]);

/* An intent of the caller's own for a keygen of parties 1 to 3, or for a signature of WORLD_ACCOUNT,
 * to be changed; then its hex and its signature's. */
struct qrt_intent world_keygen_intent(const struct world *w);
struct qrt_intent world_sign_intent(const struct world *w, const uint8_t *message, size_t len);
struct own_intent {
    uint8_t b[1024];
    size_t len;
    char hex[2049], signature[129];
};
void world_own(struct own_intent *out, const struct qrt_intent *intent, const uint8_t secret[64]);

#endif
