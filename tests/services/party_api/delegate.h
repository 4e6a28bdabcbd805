/* SPDX-License-Identifier: Apache-2.0 */
/* A delegate's interface over a real connection, with the keeper and the services played by the
 * test (front_world.h), and the calls that its tests make. Statuses are gRPC's; rpc_http_status says
 * which HTTP status each is. */
#ifndef TEST_PARTY_API_DELEGATE_H
#define TEST_PARTY_API_DELEGATE_H

#include "services/party_api/api.h"

#include "front_world.h"

#define SHARES "mpc.party_api.v1.ShareService/"
#define TOKEN "join-token"
#define OPEN MPC__KEEPER__V1__TO_KEEPER__REQUEST_OPEN
#define LEND MPC__KEEPER__V1__TO_KEEPER__REQUEST_LEND_SHARE
#define CONFIRM MPC__KEEPER__V1__TO_KEEPER__REQUEST_CONFIRM_SHARE
#define KEY "1111111111111111111111111111111111111111111111111111111111111111"
#define OTHER_KEY "2222222222222222222222222222222222222222222222222222222222222222"
/* 60 bytes that look sealed */
#define SHARE "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB"

/* How a call ended; |text| is the field that matters of its response. */
struct answer {
    bool is_done;
    struct rpc_status status;
    char text[512];
};

extern struct world *w;
extern struct api *api;
/* as KEY says it */
extern const uint8_t key_bytes[32];

/* Of each test: a delegate without a configured key, or with KEY. */
int setup(void **state);
int setup_with_key(void **state);
int teardown(void **state);

void begin(struct answer *answer, const char *path, const ProtobufCMessage *message,
           const ProtobufCMessageDescriptor *response);
void generate(struct answer *answer, const char *session_id, const char *token, const char *key);
void confirm(struct answer *answer, const char *session_id);
void sign(struct answer *answer, const char *session_id, const char *token, const char *share);
void finish(struct answer *answer);
/* The call ends so, and its sentence has |says| in it. */
void assert_refused(struct answer *answer, int http, const char *says);
void until_keeper_got(Mpc__Keeper__V1__ToKeeper__RequestCase which, size_t n);
/* A key is made: share, outcome, its report, the end. */
void make_key(const char *session_id);

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_WITH_KEY(name) cmocka_unit_test_setup_teardown(name, setup_with_key, teardown)

#endif
