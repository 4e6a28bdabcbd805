/* SPDX-License-Identifier: Apache-2.0 */
/* A router in this process, on a real server and real connections over loopback, with parties and a
 * coordinator to call it. One loop for all; every wait is for a condition. */
#ifndef TESTS_ROUTER_WORLD_H
#define TESTS_ROUTER_WORLD_H

#include "router.pb-c.h"
#include "services/router/router.h"
#include "system/rpc/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ROUTER "mpc.router.v1.MessageRouter/"
#define SESSION_ONE "6f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f"
#define SESSION_TWO "7f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f"
#define TRACE "0123456789abcdef0123456789abcdef"

enum { STREAM_MESSAGES_MAX = 512 };

/* How a call ended. |response| is owned here until the next call of the same. */
struct answer {
    bool is_done;
    struct rpc_status status;
    ProtobufCMessage *response;
};

/* A stream and all that came over it. */
struct listener {
    bool is_done;
    struct rpc_status status;
    struct rpc_pending *pending;
    const ProtobufCMessageDescriptor *type;
    ProtobufCMessage *got[STREAM_MESSAGES_MAX];
    size_t n;
};

struct peer {
    char id[32];
    const char *role;
    uint8_t key[32], secret[64], boot_id[16];
    struct rpc_channel *channel;
    struct answer answer;
};

struct world {
    uv_loop_t loop;
    uv_timer_t watchdog;
    struct service_host host;
    struct router *router;
    uint8_t ca[32], ca_secret[64];
    char target[32];
    struct rpc_channel *coordinator, *backend;
    struct answer answer;
    struct peer peers[4];
    bool is_stopped;
};

/* |mailbox_bytes| and |lease_ms| as text for the configuration. Parties give no sign of life but
 * those that the test sends: of a short lease, all that it does must be done before it is over. */
#define LEASE_LONG "600000"
struct world *world_new(const char *mailbox_bytes, const char *lease_ms);
/* The usual one, with all three parties registered. */
struct world *world_registered(void);
void world_free(struct world *w);
/* Run the loop until |*flag|; a hang ends the program. */
void world_until(struct world *w, const bool *flag);
void world_until_is(struct world *w, bool (*is)(void));

struct rpc_channel *world_channel(struct world *w, const char *authorization, const char *api_key);
/* A channel with the token of a service of that name. */
struct rpc_channel *world_service(struct world *w, const char *name);
/* A unary call, to its end. */
void world_call(struct world *w, struct rpc_channel *channel, const char *path,
                const ProtobufCMessage *message, const ProtobufCMessageDescriptor *response,
                struct answer *out);

/* The registration of peers[i], as the peer stands; its channel gets the token. */
enum rpc_code peer_register(struct world *w, size_t i);
enum rpc_code peer_heartbeat(struct world *w, size_t i, uint32_t load);
/* One message of peers[i] with |len| bytes of |fill| to |to|. */
enum rpc_code peer_send(struct world *w, size_t i, const char *session_id, const char *to,
                        uint8_t fill, size_t len);

/* A stream over |channel|; listener_end ends it. */
void listen_to(struct rpc_channel *channel, const char *path, struct listener *listener,
               const ProtobufCMessage *message, const ProtobufCMessageDescriptor *type);
void listen_messages(struct world *w, size_t i, struct listener *listener, int64_t after);
void listen_events(struct world *w, size_t i, struct listener *listener);
void listener_until(struct world *w, struct listener *listener, size_t n);
/* Messages in all batches that came. */
size_t listener_letters(const struct listener *listener);
void letters_until(struct world *w, struct listener *listener, size_t n);
const Mpc__Router__V1__IncomingMessage *letter_at(const struct listener *listener, size_t i);
void listener_end(struct listener *listener);

/* An event about SESSION_ONE or TWO; with a setup of peers[0..members) if members. */
enum rpc_code publish(struct world *w, const char *session_id, const char *type, size_t members);

#endif
