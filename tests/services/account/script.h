/* SPDX-License-Identifier: Apache-2.0 */
/* A coordinator for the tests of the account service, on a real server. Left alone it tells the
 * truth: it makes sessions, ends them well, and answers by what it knows. A script makes it do
 * otherwise, door by door and call by call: refuse, keep a call without an answer, die before or
 * after it did what was asked, or say something else than the truth.
 *
 * It forgets nothing when it dies: what comes back is a coordinator with its database. */
#ifndef TEST_ACCOUNT_SCRIPT_H
#define TEST_ACCOUNT_SCRIPT_H

#include "system/core/ids.h"
#include "system/rpc/server.h"

#include "coordinator.pb-c.h"
#include "router.pb-c.h"

enum { SCRIPT_SESSIONS = 16, SCRIPT_STEPS = 8, SCRIPT_HELD = 16, SCRIPT_PARTIES = 3 };

enum door { DOOR_SELECT, DOOR_CREATE, DOOR_STATUS, DOOR_LIST, DOORS };

enum act {
    /* the truth, changed by |lie| if there is one */
    ACT_ANSWER,
    /* |status|, nothing done */
    ACT_REFUSE,
    /* no answer until script_release; nothing done before */
    ACT_HOLD,
    /* CreateSession only: done, and no answer */
    ACT_DO_AND_HOLD,
    /* dead before anything was done, or right after (CreateSession); script_revive */
    ACT_DIE_BEFORE,
    ACT_DIE_AFTER
};

struct script;
/* |response| leads into what is lent: replace pointers, never write through them. */
typedef void script_lie(struct script *s, ProtobufCMessage *response);

struct step {
    enum act act;
    struct rpc_status status;
    script_lie *lie;
};

/* A session as the coordinator has it. */
struct script_session {
    char id[ID_TEXT_MAX], account_id[ID_TEXT_MAX];
    Mpc__Coordinator__V1__CreateSessionRequest *q;
    const char *status, *error;
    uint8_t certificate[4096];
    size_t certificate_len;
    char r[65], s[65];
    uint32_t recovery_id;
    bool has_signature;
};

struct held {
    enum door door;
    struct rpc_call *call;
    ProtobufCMessage *request;
    /* a long poll that ends by itself as well */
    uv_timer_t *timer;
};

struct script {
    uv_loop_t *loop;
    struct rpc_server *server;
    int port, port_holder;
    bool is_dying;
    /* sessions end well as soon as they are made */
    bool is_quick;
    /* every certificate that SelectParties may name, and the key that signs */
    Mpc__Session__V1__PartyCertificate *certificates[SCRIPT_PARTIES];
    const char *party_ids[SCRIPT_PARTIES];
    uint8_t secret_key[32];
    struct step steps[DOORS][SCRIPT_STEPS];
    size_t steps_n[DOORS], steps_at[DOORS];
    /* how often each door was knocked at */
    unsigned calls[DOORS];
    struct script_session sessions[SCRIPT_SESSIONS];
    size_t sessions_n;
    struct held held[SCRIPT_HELD];
    size_t held_n;
    /* of SelectParties, copied at the last call */
    Mpc__Coordinator__V1__SelectPartiesRequest *selected;
};

void script_start(struct script *s);
/* The next calls at the door go by this, in order. */
void script_next(struct script *s, enum door door, struct step step);
/* Kept calls are answered now, long polls of sessions that have ended as well. */
void script_release(struct script *s);
/* Of one door alone. */
void script_release_at(struct script *s, enum door door);
/* Or refused, with the name "scripted". */
void script_refuse(struct script *s, enum rpc_code code);
/* Kept calls whose caller has gone. */
void script_drop(struct script *s);
/* Cut what is_dying says: everybody's connection, and no new one. */
void script_die(struct script *s, void (*run_until)(void *arg, const bool *flag), void *arg);
void script_revive(struct script *s);
void script_free(struct script *s);

/* The session ends: with its result, or as |status| with |error|. */
void script_complete(struct script *s, struct script_session *session);
void script_end(struct script *s, struct script_session *session, const char *status,
                const char *error);

/* What make_key prints for |arguments|; its length. */
size_t script_make_key(uint8_t *out, size_t cap, const char *arguments);
/* The certificate of the key that parties 1 to 3 make for a keygen intent. */
size_t script_certificate(uint8_t *out, size_t cap, const uint8_t *intent, size_t len);
/* 64 bytes and a recovery id that sign |hash|. */
uint8_t script_sign(uint8_t out[64], const uint8_t secret_key[32], const uint8_t hash[32]);

#endif
