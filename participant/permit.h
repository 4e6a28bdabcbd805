/* SPDX-License-Identifier: Apache-2.0 */
/* May this party do what an invitation asks? Nothing in a setup is believed: key, message, path,
 * threshold and roster come from the intent that a configured initiator signed, and from the own
 * share. Pure: no I/O, no clock. Each check that fails is one refusal that names the field. */
#ifndef PARTICIPANT_PERMIT_H
#define PARTICIPANT_PERMIT_H

#include "participant/refusal.h"
#include "quorate/intent.h"
#include "quorate/peer.h"
#include "session.pb-c.h"

#include <stddef.h>
#include <stdint.h>

/* Initiators further ahead than this are refused: what they sign now would be good too long. */
enum { PERMIT_AHEAD_MS = 24 * 3600 * 1000 };

/* Whom this party is and obeys. */
struct permit_rules {
    const struct qrt_ctx *ctx;
    const char *party_id;
    uint8_t boot_id[16];
    uint8_t ca_key[32];
    /* own Ed25519 public key */
    uint8_t identity_key[32];
    /* 32 bytes each, the configuration's: INITIATOR_KEYS, CALLER_KEYS */
    const uint8_t *initiators;
    size_t initiators_n;
    const uint8_t *callers;
    size_t callers_n;
};

/* What is permitted: filled step by step. Pointers lead into the setup, which must outlive it. */
struct permit {
    const Mpc__Session__V1__Setup *setup;
    struct qrt_intent intent;
    uint8_t intent_hash[32];
    /* after this permit_intent refuses the intent */
    int64_t until_ms;
    /* of the intent, in one form */
    char account_id[37];
    /* the initiator is one of CALLER_KEYS: what it makes obeys it alone */
    bool is_caller;
    /* this party's index */
    uint16_t own;
    /* everybody's index, in the setup's order, and identity key */
    size_t n;
    uint16_t indices[QRT_PARTIES_MAX];
    struct qrt_peer_key keys[QRT_PARTIES_MAX];
};

/* The first step, for every kind of session: initiator, signature, time, and that the setup says
 * what the intent says. */
bool permit_intent(struct permit *out, const struct permit_rules *rules,
                   const Mpc__Session__V1__Setup *setup, int64_t now_ms, struct refusal *refusal);

/* What of a share matters here. */
struct permit_share {
    uint8_t purpose;
    /* NULL: any initiator */
    const uint8_t *caller_key;
    /* party ids by place in the roster; NULL: a lent share has none */
    const char *const *roster;
    const struct qrt_share *share;
    /* identity keys by place in the roster */
    const struct qrt_peer_key *keys;
};

/* "keygen", "sign", "presign": as sessions are called. */
const char *permit_operation(const struct permit *permit);
/* keygen: all n certified by the authority, at the places the intent gives them. */
bool permit_keygen(struct permit *permit, const struct permit_rules *rules,
                   struct refusal *refusal);
/* sign, presign: the share's key and purpose, exactly t of its parties. */
bool permit_sign(struct permit *permit, const struct permit_rules *rules,
                 const struct permit_share *share, struct refusal *refusal);
/* An invitation is for one life of a party: after a restart its runs are gone. What it says about
 * lives is nobody's word; participant/attempts.h knows. */
bool permit_boot(const struct permit *permit, const struct permit_rules *rules,
                 struct refusal *refusal);

#endif
