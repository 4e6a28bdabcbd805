/* SPDX-License-Identifier: Apache-2.0 */
/* A front between a keeper and services that the test plays: the keeper's end of the socket pair is
 * here, and a real server on loopback stands for router and coordinator, which answer when and what
 * the test wants. One loop for all; every wait is for a condition. */
#ifndef TESTS_PARTICIPANT_FRONT_WORLD_H
#define TESTS_PARTICIPANT_FRONT_WORLD_H

#include "coordinator.pb-c.h"
#include "keeper.pb-c.h"
#include "participant/front.h"
#include "router.pb-c.h"
#include "system/core/buffer.h"
#include "system/rpc/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define PARTY "server-party-1"
#define SESSION_ONE "6f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f"
#define SESSION_TWO "7f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f"

enum { FRAMES_MAX = 512, ROUTED_MAX = 512, HELD_MAX = 16 };

/* What a service does with a call of one kind. */
enum manner { ANSWER, HOLD, FAIL };

struct desk {
    enum manner manner;
    /* FAIL: how */
    struct rpc_status failure;
    /* calls that came, and those that were held */
    unsigned came;
    struct rpc_call *held[HELD_MAX];
    size_t held_n;
};

struct world {
    uv_loop_t loop;
    uv_timer_t watchdog;
    struct rpc_server *server;
    struct rpc_channel *router, *coordinator;
    struct front *front;
    char target[32];
    /* the keeper's side */
    uv_pipe_t keeper;
    struct buffer in;
    char read[65536];
    Mpc__Keeper__V1__ToKeeper *frames[FRAMES_MAX];
    size_t frames_n;
    bool keeper_is_shut;
    /* the services' side */
    uint8_t router_boot[16];
    struct desk registering, heartbeat, join, report, submit, route, acknowledge, poll, find;
    /* of the setups that events and replies carry */
    const char *session_type;
    /* 32 bytes, in setups; or NULL */
    const uint8_t *user_key;
    /* of the session that the find desk tells of; NULL: it knows none */
    const char *found_status, *found_member, *found_party;
    /* its signature, with the key and the hash that it is of; NULL: none */
    Mpc__Session__V1__Signature *found_signature;
    const char *found_key, *found_hash;
    uint32_t find_wait_s;
    /* the session that was joined last */
    char joined[64];
    struct rpc_call *events, *messages;
    unsigned event_streams, message_streams;
    int64_t after;
    int64_t acknowledged;
    /* answered to every poll, then forgotten */
    Mpc__Session__V1__SessionEvent *polled;
    bool polled_order;
    struct buffer routed[ROUTED_MAX];
    size_t routed_n;
    uint32_t reported_attempt;
    char reported_token[64];
    bool has_fault, is_stopped;
    char fault[256];
};

/* What hears of the front's sessions, once loop and server are there. */
typedef struct front_host world_host(struct world *w);

/* |make_host| NULL: a server party. */
struct world *world_new(const char *role, world_host *make_host);
void world_free(struct world *w);
/* The answer to a held find. */
void answer_find(struct world *w, struct rpc_call *call, const char *session_id);
/* A channel to the server that plays the services. */
struct rpc_channel *world_dial(struct world *w);
/* Run the loop until |is_so|; a hang ends the program. */
void world_until(struct world *w, bool (*is_so)(struct world *w));
/* Turns of the loop until nothing is at once ready to happen. */
void world_settle(struct world *w);
/* Registered, subscribed, polled. */
void world_ready(struct world *w);
bool is_ready(struct world *w);

/* The keeper speaks. */
void keeper_say(struct world *w, const Mpc__Keeper__V1__FromKeeper *frame);
void keeper_ready(struct world *w, const char *role);
void keeper_send(struct world *w, const char *session_id, uint32_t attempt, const char *payload);
void keeper_share(struct world *w, const char *session_id, const char *sealed);
void keeper_share_key(struct world *w);
/* |code| empty: done. */
void keeper_answer(struct world *w, const char *session_id, const char *code);
void keeper_made_key(struct world *w, const char *session_id);
void keeper_signed(struct world *w, const char *session_id, uint32_t attempt);
/* The keeper reads again, after uv_read_stop. */
void world_listen(struct world *w);
/* Frames of |which| that came to the keeper. */
size_t keeper_got(const struct world *w, Mpc__Keeper__V1__ToKeeper__RequestCase which);
const Mpc__Keeper__V1__ToKeeper *
keeper_frame(const struct world *w, Mpc__Keeper__V1__ToKeeper__RequestCase which, size_t number);

/* The services speak. An invitation with |token| NULL is a hint without one. */
void say_invited(struct world *w, const char *type, const char *session_id, uint32_t attempt,
                 const char *token);
void say_ended(struct world *w, const char *type, const char *session_id);
/* The same by the next poll. */
void poll_invited(struct world *w, const char *session_id, uint32_t attempt, const char *token);
void say_message(struct world *w, int64_t seq, const char *session_id, uint32_t attempt,
                 const char *payload);
/* Answer, or fail, a call that was held. */
void answer_join(struct world *w, struct rpc_call *call, const char *session_token);
void answer_report(struct world *w, struct rpc_call *call);
struct rpc_call *take_held(struct desk *desk);

#endif
