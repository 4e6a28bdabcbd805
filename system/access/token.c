/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens by libjwt. The header of a token is always the same bytes; any other is refused before
 * anything is decoded, so that no token chooses its own algorithm. Claims are believed after the
 * signature, and then have exact forms. */
#include "system/access/token.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/ids.h"
#include "system/core/log.h"
#include "system/core/secret.h"

#include <inttypes.h>
#include <jwt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct token_key {
    /* guarded */
    unsigned char *secret;
    int len;
    /* base64 of {"alg":"HS256","typ":"JWT"} as libjwt writes it, and a dot */
    char header[64];
    size_t header_len;
};

static const char *const kinds[] = {"join", "session", "party", "service"};

static _Noreturn void end(const char *what)
{
    log_line(LOG_ERROR, what);
    exit(1);
}

static bool has_session(enum token_kind kind)
{
    return kind == TOKEN_JOIN || kind == TOKEN_SESSION;
}

/* Signed text, heap, libjwt's. */
static char *sign(const struct token_key *key, jwt_t *jwt)
{
    char *text;

    if (jwt_set_alg(jwt, JWT_ALG_HS256, key->secret, key->len) != 0 ||
        (text = jwt_encode_str(jwt)) == NULL)
        end("a token cannot be signed");
    return text;
}

static jwt_t *jwt_empty(void)
{
    jwt_t *jwt = NULL;

    if (jwt_new(&jwt) != 0)
        end("no memory for a token");
    return jwt;
}

static void learn_header(struct token_key *key)
{
    jwt_t *jwt = jwt_empty();
    char *text = sign(key, jwt);

    key->header_len = strcspn(text, ".") + 1;
    if (key->header_len >= sizeof key->header)
        end("a token cannot be signed");
    memcpy(key->header, text, key->header_len);
    free(text);
    jwt_free(jwt);
}

struct token_key *token_key_new(const char *secret)
{
    struct token_key *key = mem_new(1, sizeof *key);
    size_t len = strlen(secret);

    key->secret = secret_new(len);
    key->len = (int)len;
    memcpy(key->secret, secret, len);
    learn_header(key);
    return key;
}

void token_key_free(struct token_key *key)
{
    if (!key)
        return;
    secret_free(key->secret);
    free(key);
}

static void add(jwt_t *jwt, const char *name, const char *text)
{
    if (text[0] && jwt_add_grant(jwt, name, text) != 0)
        end("no memory for a token");
}

static void add_time(jwt_t *jwt, const char *name, int64_t seconds)
{
    if (jwt_add_grant_int(jwt, name, (long)seconds) != 0)
        end("no memory for a token");
}

void token_make(char out[TOKEN_TEXT_MAX], const struct token_key *key, struct token *token)
{
    jwt_t *jwt = jwt_empty();
    char *text;

    if (!token->id[0])
        trace_new(token->id);
    add(jwt, "typ", kinds[token->kind]);
    add(jwt, "sub", token->subject);
    add(jwt, "sid", has_session(token->kind) ? token->session_id : "");
    add(jwt, "role", token->kind == TOKEN_PARTY ? token->role : "");
    add(jwt, "jti", token->id);
    add_time(jwt, "iat", clock_unix_ms() / 1000);
    add_time(jwt, "exp", token->expires);
    text = sign(key, jwt);
    if (strlen(text) >= TOKEN_TEXT_MAX)
        end("a token is too long");
    strcpy(out, text);
    free(text);
    jwt_free(jwt);
}

static struct rpc_status refuse(const char *what)
{
    return rpc_error(RPC_UNAUTHENTICATED, "unauthorized", "%s", what);
}

/* A text claim into |size| bytes; absent is "". False: too long or no text. */
static bool claim(jwt_t *jwt, const char *name, char *out, size_t size)
{
    const char *text = jwt_get_grant(jwt, name);

    if (text && strlen(text) >= size)
        return false;
    snprintf(out, size, "%s", text ? text : "");
    return true;
}

static bool role_is_known(const char *role)
{
    return strcmp(role, "persistent") == 0 || strcmp(role, "delegate") == 0 ||
           strcmp(role, "temporary") == 0;
}

static bool forms_are_right(const struct token *token)
{
    uint8_t id[16];

    if (!hex_decode(id, sizeof id, token->id) || !party_id_is_valid(token->subject))
        return false;
    if (has_session(token->kind) ? !id_parse(id, token->session_id) : token->session_id[0] != 0)
        return false;
    return token->kind == TOKEN_PARTY ? role_is_known(token->role) : token->role[0] == 0;
}

/* Both times are numbers of seconds; the tolerance is the clocks' (core/clock.h). */
static struct rpc_status check_times(int64_t issued, int64_t expires)
{
    int64_t now = clock_unix_ms() / 1000, skew = CLOCK_SKEW_MS / 1000;

    if (issued <= 0 || expires <= 0)
        return refuse("the token is malformed");
    if (issued > now + skew)
        return rpc_error(RPC_UNAUTHENTICATED, "clock_skew",
                         "the token was issued %" PRId64 " s ahead of this clock: "
                         "set the clocks, %" PRId64 " s are allowed",
                         issued - now, skew);
    if (expires < now - skew)
        return rpc_error(RPC_UNAUTHENTICATED, "token_expired",
                         "the token has expired %" PRId64 " s ago", now - expires);
    return rpc_ok();
}

static struct rpc_status read_claims(struct token *out, enum token_kind kind, jwt_t *jwt)
{
    char typ[16];

    if (jwt_get_alg(jwt) != JWT_ALG_HS256 || !claim(jwt, "typ", typ, sizeof typ) ||
        !claim(jwt, "sub", out->subject, sizeof out->subject) ||
        !claim(jwt, "sid", out->session_id, sizeof out->session_id) ||
        !claim(jwt, "role", out->role, sizeof out->role) ||
        !claim(jwt, "jti", out->id, sizeof out->id))
        return refuse("the token is malformed");
    if (strcmp(typ, kinds[kind]) != 0)
        return refuse("the token is of another kind");
    if (!forms_are_right(out))
        return refuse("the token is malformed");
    out->expires = jwt_get_grant_int(jwt, "exp");
    return check_times(jwt_get_grant_int(jwt, "iat"), out->expires);
}

/* Our header, then two parts of base64url without padding. */
static bool form_is_ours(const struct token_key *key, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t body, signature;

    if (strnlen(text, TOKEN_TEXT_MAX) >= TOKEN_TEXT_MAX ||
        strncmp(text, key->header, key->header_len) != 0)
        return false;
    text += key->header_len;
    body = strspn(text, digits);
    if (body == 0 || text[body] != '.')
        return false;
    signature = strspn(text + body + 1, digits);
    return signature > 0 && text[body + 1 + signature] == '\0';
}

struct rpc_status token_read(struct token *out, const struct token_key *key, enum token_kind kind,
                             const char *text)
{
    struct rpc_status status;
    jwt_t *jwt = NULL;

    *out = (struct token){.kind = kind};
    if (!form_is_ours(key, text))
        return refuse("the token is malformed");
    if (jwt_decode(&jwt, text, key->secret, key->len) != 0)
        return refuse("the token is not one of ours");
    status = read_claims(out, kind, jwt);
    jwt_free(jwt);
    if (status.code != RPC_OK)
        *out = (struct token){.kind = kind};
    return status;
}
