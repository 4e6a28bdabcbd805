/* SPDX-License-Identifier: Apache-2.0 */
/* Who may call what: the guard of every server (rpc/server.h). One place for API keys, caller
 * addresses, tokens, and the counting and limiting of failed tries. */
#ifndef SYSTEM_ACCESS_ACCESS_H
#define SYSTEM_ACCESS_ACCESS_H

#include "system/access/api_key.h"
#include "system/access/token.h"
#include "system/cache/cache.h"
#include "system/core/config.h"
#include "system/rpc/client.h"
#include "system/rpc/server.h"

/* Values of rpc_method.access; several bits: any of them is enough. */
enum {
    /* everybody: health, and calls that carry their own proof (RegisterParty, JoinSession) */
    ACCESS_OPEN = 1,
    /* X-API-Key (constant-time comparison) from an address inside ALLOWED_IPS */
    ACCESS_API_KEY = 2,
    /* authorization: Bearer, kind service; with TLS=on only from a peer whose certificate names no
     * party */
    ACCESS_SERVICE = 4,
    /* authorization: Bearer, kind party; rpc_caller is the party's id. With TLS=on only from a peer
     * with a certificate, which names no other party */
    ACCESS_PARTY = 8,
    /* with ACCESS_PARTY: also from a peer without certificate (docs/api.md) */
    ACCESS_PARTY_HTTP = 16
    /* beside them, with ACCESS_API_KEY: the scopes of api_key.h of which a key needs one */
};

struct access;

/* Keys, addresses and proxies from the configuration, as far as |program| has them; without keys
 * no key is good. NULL with one line on a fault. */
struct access *access_new(const struct config *config, enum config_program program,
                          char error[RPC_TEXT_MAX]);
void access_free(struct access *access);
/* Count failures and requests together with all replicas; cache_allow says how exactly. NULL:
 * alone. What Redis learns are addresses and names of keys, never a key. */
void access_share(struct access *access, struct redis *redis);
/* The guard; |arg| is the struct access. Without key: 401 with exactly "unauthorized"; with a
 * wrong address, or a key without the scope: 403; after too many failures from one address: 429. */
rpc_guard access_guard;
/* Calls that another replica of |service| (lent) passed on: its token, of kind service and with
 * this name, lets it say who the caller is. Without this call the guard refuses whoever says so.
 */
void access_let_relay(struct access *access, const char *service);
/* Behind the guard: a replica of ours passed it on. */
bool access_is_relayed(const struct rpc_call *call);
/* What a relay says of |call|'s caller, for the next guard; lent as long as |text|. */
enum { ACCESS_RELAY_FIELDS = 3 };
struct access_relay_text {
    char address[64];
};
void access_relay_fields(const struct access *access, const struct rpc_call *call,
                         struct access_relay_text *text,
                         struct rpc_metadata out[ACCESS_RELAY_FIELDS]);
/* What a message carries as proof; the label of quorate_auth_failures_total. */
enum access_proof { ACCESS_PROOF_TOKEN, ACCESS_PROOF_REGISTRATION };
/* A handler of an open method refused the proof in its message: counted, limited and told like the
 * guard's own refusals. Returns what to answer: |refusal|, or 429. A token that is ours but out of
 * time is counted only. */
struct rpc_status access_refused(struct access *access, struct rpc_call *call,
                                 enum access_proof proof, struct rpc_status refusal);
/* The caller's address after TRUSTED_PROXIES. */
void access_address(const struct access *access, const struct rpc_call *call, char out[64]);
/* NULL if the program has no JWT_SECRET_KEY. */
const struct token_key *access_tokens(const struct access *access);

#endif
