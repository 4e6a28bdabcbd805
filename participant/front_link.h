/* SPDX-License-Identifier: Apache-2.0 */
/* The network side of a party: it dials router and coordinator, registers, says that it is alive,
 * listens to events and messages, asks every second what it missed, and carries the party's calls.
 * It decides nothing about sessions (front_session.h) and knows no keeper.
 *
 * A party that was registered once asks for ever to be registered again, with growing waits; before
 * that RETRY_MAX times. Who stays unreachable is service_dial's.
 * Whatever the router holds may vanish: another router_boot_id is told by |lost|, and the watcher
 * sends again. One loop, one thread. */
#ifndef PARTICIPANT_FRONT_LINK_H
#define PARTICIPANT_FRONT_LINK_H

#include "keeper.pb-c.h"
#include "participant/front_session.h"
#include "router.pb-c.h"
#include "system/rpc/client.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct front_link;

/* What the link tells; messages are lent for the call. */
struct front_link_watch {
    void *arg;
    /* have this proof of the identity key made, then call front_link_proof */
    void (*prove)(void *arg, int64_t time_ms, const uint8_t nonce[16]);
    void (*event)(void *arg, const Mpc__Session__V1__SessionEvent *event);
    void (*order)(void *arg, const Mpc__Session__V1__Order *order);
    /* the next message of this party's mailbox, each once for one boot of the router; |mark| goes
     * to front_link_handed when it is in the party's memory. False: the party is full; the message
     * comes again after front_link_resume */
    bool (*message)(void *arg, const Mpc__Router__V1__IncomingMessage *message, int64_t mark);
    /* registered (again): calls can be made */
    void (*up)(void *arg);
    /* the router lost what it held: send everything of open sessions again */
    void (*lost)(void *arg);
    /* all that the coordinator knew at the last front_link_poll has been told */
    void (*polled)(void *arg);
    /* cannot go on; one line */
    void (*fault)(void *arg, const char *why);
};

struct front_link_params {
    uv_loop_t *loop;
    /* taken over; ended by |hangup| in front_link_free */
    struct rpc_channel *router, *coordinator;
    void (*hangup)(struct rpc_channel *channel);
    const char *version;
    uint32_t capacity;
    unsigned heartbeat_ms;
    /* tries to register before giving up */
    uint32_t tries;
};

struct front_link *front_link_new(const struct front_link_params *params,
                                  const struct front_link_watch *watch);
/* All calls under way end inside this call with FRONT_ANSWER_LOST. NULL is nothing. */
void front_link_free(struct front_link *link);

/* Who this party is, from the keeper: the link begins. Once. */
void front_link_ready(struct front_link *link, const Mpc__Keeper__V1__Ready *who);
void front_link_proof(struct front_link *link, const Mpc__Keeper__V1__RegistrationProof *proof);
/* "" before front_link_ready. */
const char *front_link_party(const struct front_link *link);

/* Registered, subscribed and heard of the coordinator. */
bool front_link_is_up(const struct front_link *link);
/* Registered: calls that need the party's token can be made. */
bool front_link_is_registered(const struct front_link *link);

/* Ask the coordinator for invitations now; watch->polled when that was answered. Nothing while the
 * party is not registered: it asks then anyway. */
void front_link_poll(struct front_link *link);

/* What the next heartbeat says. */
void front_link_load(struct front_link *link, uint32_t load);
/* The party is no longer full. */
void front_link_resume(struct front_link *link);
/* Every message up to the one of |mark| is in the party's memory: the router is told soon. */
void front_link_handed(struct front_link *link, int64_t mark);

/* A unary call. |done| once, never inside front_link_call, perhaps inside front_link_free;
 * |response| is lent. */
struct front_link_call {
    /* path tells where: mpc.router... or mpc.coordinator... */
    const char *path;
    const ProtobufCMessage *message;
    const ProtobufCMessageDescriptor *response;
    unsigned deadline_ms;
    /* 32 hex digits or NULL */
    const char *trace;
    void (*done)(void *arg, enum front_answer answer, const struct rpc_status *status,
                 const ProtobufCMessage *response);
    void *arg;
};
void front_link_call(struct front_link *link, const struct front_link_call *call);
/* Whoever reads a router_boot_id in an answer tells it here; true: it is the present one. */
bool front_link_boot(struct front_link *link, const ProtobufCBinaryData *boot);

#endif
