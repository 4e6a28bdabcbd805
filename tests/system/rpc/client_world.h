/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of the client: a loop with a channel and a server whose behaviour the call's path names
 * (the table in client_world.c), and the fate of each call. Each test runs the loop until what it
 * waits for has happened; the program's own time limit ends what never does. */
#ifndef TESTS_SYSTEM_RPC_CLIENT_WORLD_H
#define TESTS_SYSTEM_RPC_CLIENT_WORLD_H

#include "shapes.pb-c.h"
#include "stub_server.h"
#include "system/rpc/client.h"

struct world {
    uv_loop_t loop;
    struct stub_server stub;
    struct rpc_channel *channel;
    /* what the channel said */
    unsigned ups, downs, gave_up;
    /* what the stub saw; the last request that it was told to keep */
    unsigned requests, resets;
    uint32_t reset_error;
    struct stub_call *kept;
};

/* One call's fate. */
struct fate {
    struct world *world;
    unsigned done, messages;
    struct rpc_status status;
    bool had_message;
    uint64_t sum;
    char name[64];
    struct rpc_pending *pending;
};

/* A fate of which client_start makes a stream. */
#define STREAM                                                                                     \
    {                                                                                              \
        .messages = UINT32_MAX                                                                     \
    }

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, client_world_open, client_world_close)

/* Set-up and tear-down of one test: its state is the world, dialled, with 120 s to live. */
int client_world_open(void **state);
int client_world_close(void **state);

/* A channel in place of the one before, which the caller has freed. */
void client_dial(struct world *w, const char *target, uint32_t step_ms, uint32_t max);

/* One call of an Inner with |count|; 0 ms is the client's own deadline. */
void client_start(struct world *w, struct fate *fate, const char *path, uint32_t count,
                  unsigned deadline_ms);

void client_wait_done(struct world *w, const struct fate *fate);
void client_wait_count(struct world *w, const unsigned *count, unsigned n);

/* What a call's answers do to its fate; for requests that a test makes itself. */
void client_on_done(void *arg, const struct rpc_status *status, const ProtobufCMessage *response);
void client_on_each(void *arg, const ProtobufCMessage *message);

/* The server's answer with one Inner and status 0. */
void client_answer(struct stub_call *call, const char *name, uint32_t count);

#endif
