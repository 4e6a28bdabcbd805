/* SPDX-License-Identifier: Apache-2.0 */
/* A coordinator in this process: real database, real server and client, and a router that keeps
 * what is published and says who is there. Everything runs on one loop; waiting is running it until
 * a condition holds (a watchdog ends a test that waits for ever). */
#ifndef TEST_COORDINATOR_HARNESS_H
#define TEST_COORDINATOR_HARNESS_H

#include "services/coordinator/coordinator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { PARTIES = 4, PUBLISHED_MAX = 256 };

struct party {
    char id[16];
    const char *role;
    /* "": it does not say */
    const char *router;
    uint8_t secret[64];
    uint8_t boot_id[16];
    bool is_live;
    uint32_t capacity, load;
    Mpc__Session__V1__PartyCertificate *certificate;
};

struct harness {
    uv_loop_t loop;
    char dir[64];
    struct config *config;
    struct access *access;
    struct service_host host;
    struct coordinator *c;
    struct rpc_channel *channel;
    /* the router */
    struct rpc_server *router;
    int router_port, port_holder;
    struct rpc_call *presence;
    /* it says nothing of who is there until harness_list_presence */
    bool is_silent;
    size_t published_n;
    Mpc__Router__V1__PublishSessionEventRequest *published[PUBLISHED_MAX];
    struct party parties[PARTIES];
    uint8_t ca[64], initiator_pk[32], initiator[64];
    uint8_t operator_pk[32], operator_key[64];
    /* a key of one, to sign with what a quorum would sign with */
    uint8_t secret_key[32];
    struct qrt_pubkey pk;
    char pk_text[67];
    /* of the last harness_make_key */
    uint8_t certificate[4096];
    size_t certificate_len;
};

/* |variables| are NAME=VALUE lines for the configuration, or NULL. Attempts last as long as they
 * may, unless |variables| say otherwise: a slow machine is no silent party. */
struct harness *harness_new(const char *variables);
void harness_free(struct harness *h);
/* Ends the coordinator and starts it again on the same database. */
void harness_restart(struct harness *h);
/* The same, but nothing runs before the clock has passed |unix_ms|. */
void harness_restart_after(struct harness *h, int64_t unix_ms);
/* Ends the coordinator as if it had been killed now: what is not on disk yet is lost. */
void harness_kill(struct harness *h);
/* The router goes away and comes back, having forgotten everything. */
void harness_restart_router(struct harness *h);

void harness_run_until(struct harness *h, bool (*holds)(struct harness *h, const void *arg),
                       const void *arg);
/* A silent router speaks. */
void harness_list_presence(struct harness *h);
/* Tell the coordinator what |h->parties| say now, and wait until it knows. */
void harness_tell_presence(struct harness *h);

/* The pool takes a whole list of |h->parties| as if it had come |ago_ms| before now. */
void harness_was_present(struct harness *h, int64_t ago_ms);
/* Party |i| has a delegate's certificate from now on. */
void harness_make_delegate(struct harness *h, size_t i);

/* Parties 1 to 3, with the identities they began with, make the key that the intent asks for. */
void harness_make_key(struct harness *h, const uint8_t *intent, size_t len, unsigned attempt);

/* One call with the API key, which goes on while others are made: |done| is told. */
struct rpc_pending *harness_ask(struct harness *h, const char *method,
                                const ProtobufCMessage *request,
                                const ProtobufCMessageDescriptor *response, rpc_done *done,
                                void *arg);
/* One call with the API key; the message is the caller's, NULL if |status| is not RPC_OK. */
void *harness_call(struct harness *h, const char *method, const ProtobufCMessage *request,
                   const ProtobufCMessageDescriptor *response, struct rpc_status *status);
/* A party token for the calls that follow; NULL: the API key again. */
void harness_be(struct harness *h, const char *party_id);

/* The |n|th publication of this type and session from |from| on; waits for it. */
const Mpc__Router__V1__PublishSessionEventRequest *
harness_published(struct harness *h, const char *event_type, const char *session_id, size_t n);

#endif
