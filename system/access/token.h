/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: JWT, HS256 under JWT_SECRET_KEY (libjwt). Four kinds, told apart by the claim `typ`, so
 * that none serves as another:
 *
 *   join     from the coordinator to an invited party: session, party; used once
 *   session  from the coordinator to a party that joined: session, party
 *   party    from the router to a registered party: party, role
 *   service  from a service of ours to another: its name
 *
 * Every token has iat, exp and a random jti. Clocks may differ by 30 s; more is an error that names
 * the difference. */
#ifndef SYSTEM_ACCESS_TOKEN_H
#define SYSTEM_ACCESS_TOKEN_H

#include "system/rpc/status.h"

#include <stdint.h>

enum token_kind { TOKEN_JOIN, TOKEN_SESSION, TOKEN_PARTY, TOKEN_SERVICE };

enum { TOKEN_TEXT_MAX = 1024 };

struct token {
    enum token_kind kind;
    /* join, session */
    char session_id[37];
    /* join, session, party: the party; service: the service's name */
    char subject[65];
    /* party: persistent, delegate, temporary */
    char role[16];
    /* unix seconds */
    int64_t expires;
    /* random, 32 hex digits: what "used once" is remembered by */
    char id[33];
};

struct token_key;

/* |secret| of 32 characters or more is copied into guarded memory. */
struct token_key *token_key_new(const char *secret);
void token_key_free(struct token_key *key);

/* |token->id| is chosen here if empty. */
void token_make(char out[TOKEN_TEXT_MAX], const struct token_key *key, struct token *token);
/* RPC_OK, or RPC_UNAUTHENTICATED with a sentence that says what is wrong with it, not what would
 * have been right: malformed, not ours, another kind, expired. */
struct rpc_status token_read(struct token *out, const struct token_key *key, enum token_kind kind,
                             const char *text);

#endif
