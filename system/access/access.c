/* SPDX-License-Identifier: Apache-2.0 */
/* The guard. A caller shows a token or an API key; the key counts only from an allowed address, and
 * the address is looked at first, so that strangers cannot try keys; and it opens what its scopes
 * name (api_key.h).
 *
 * Failures are counted per address (IPv6: per /64) and told to the log, the first FAILURES of a
 * minute; after them the address is told to wait. A token that is ours but out of time is no try
 * to get in and is not counted.
 *
 * Under TLS a token alone lets nobody in: a service's counts with a certificate of ours that names
 * no party, a party's with one that names no other party. Listeners that ask for no certificate
 * are for API keys. */
#include "system/access/access.h"

#include "system/access/address.h"
#include "system/core/buffer.h"
#include "system/core/config_table.h"
#include "system/core/log.h"
#include "system/core/metrics.h"
#include "system/core/secret.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAILURES = 20, CACHE_ENTRIES = 65536 };

struct access {
    /* NULL: no key is good */
    struct api_keys *keys;
    struct address_list allowed, proxies;
    unsigned per_minute;
    struct token_key *tokens;
    /* whose replicas may say who a caller is; NULL: nobody */
    const char *relay;
    /* TLS=on: tokens need certificates */
    bool has_tls;
    struct cache *cache;
    struct metric *bad_keys, *bad_addresses, *bad_scopes, *bad_tokens, *bad_registrations;
};

/* Does |program| have this variable? */
static bool reads(enum config_program program, const char *name)
{
    for (size_t i = 0; i < config_rows_n; i++)
        if (strcmp(config_rows[i].name, name) == 0)
            return (config_rows[i].programs & (unsigned)program) != 0;
    return false;
}

static bool load_addresses(struct address_list *list, const struct config *config, const char *name,
                           char error[RPC_TEXT_MAX])
{
    const char *bad = "";

    if (address_list_load(list, config, name, &bad))
        return true;
    snprintf(error, RPC_TEXT_MAX, "%s: \"%.100s\" is no address and no CIDR range", name, bad);
    return false;
}

static bool load(struct access *access, const struct config *config, enum config_program program,
                 char error[RPC_TEXT_MAX])
{
    access->has_tls = reads(program, "TLS") && strcmp(config_text(config, "TLS"), "off") != 0;
    if (reads(program, "JWT_SECRET_KEY"))
        access->tokens = token_key_new(config_text(config, "JWT_SECRET_KEY"));
    if (!reads(program, "MPC_API_KEY"))
        return true;
    access->per_minute = (unsigned)config_int(config, "RATE_LIMIT_PER_MINUTE");
    access->keys = api_keys_new(config, error);
    return access->keys && load_addresses(&access->allowed, config, "ALLOWED_IPS", error) &&
           load_addresses(&access->proxies, config, "TRUSTED_PROXIES", error);
}

static struct metric *failures(const char *labels)
{
    return metric_new(METRIC_COUNTER, "quorate_auth_failures_total", labels,
                      "Calls refused for what the caller showed.");
}

struct access *access_new(const struct config *config, enum config_program program,
                          char error[RPC_TEXT_MAX])
{
    struct access *access = mem_new(1, sizeof *access);

    access->cache = cache_new(CACHE_ENTRIES);
    access->bad_keys = failures("reason=\"key\"");
    access->bad_addresses = failures("reason=\"address\"");
    access->bad_scopes = failures("reason=\"scope\"");
    access->bad_tokens = failures("reason=\"token\"");
    access->bad_registrations = failures("reason=\"registration\"");
    if (load(access, config, program, error))
        return access;
    access_free(access);
    return NULL;
}

void access_free(struct access *access)
{
    if (!access)
        return;
    api_keys_free(access->keys);
    address_list_free(&access->allowed);
    address_list_free(&access->proxies);
    token_key_free(access->tokens);
    cache_free(access->cache);
    free(access);
}

void access_share(struct access *access, struct redis *redis)
{
    cache_share(access->cache, redis, "access");
}

const struct token_key *access_tokens(const struct access *access)
{
    return access->tokens;
}

/* All zero (len 0) is in no list. */
static struct address caller_of(const struct access *access, const struct rpc_call *call)
{
    struct address peer, caller = {0};

    if (address_parse(&peer, rpc_peer(call)))
        address_of_caller(&caller, &peer, rpc_header(call, "x-forwarded-for"), &access->proxies);
    return caller;
}

void access_address(const struct access *access, const struct rpc_call *call, char out[64])
{
    struct address caller = caller_of(access, call);

    if (caller.len)
        address_print(out, &caller);
    else
        snprintf(out, ADDRESS_TEXT_MAX, "%s", rpc_peer(call));
}

static struct rpc_status wait_for(unsigned seconds, const char *what, const char *counted)
{
    struct rpc_status status =
        rpc_error(RPC_EXHAUSTED, "rate_limited", "too many %s %s", what, counted);

    status.retry_after = seconds > 0 ? (int)seconds : 1;
    return status;
}

/* The key of the count; whose tries it counts, in words. Whom a TLS certificate names is that party
 * wherever it is, and no other behind its address has to wait for it. Nobody gets more tries by
 * having many addresses of one IPv6 network. */
static const char *count_name(char out[80], const struct access *access,
                              const struct rpc_call *call)
{
    struct address address = caller_of(access, call);
    char text[ADDRESS_TEXT_MAX] = "";

    if (rpc_peer_party(call)[0]) {
        snprintf(out, 80, "failed/party/%.64s", rpc_peer_party(call));
        return "with this party's TLS certificate";
    }
    if (address.len == 16)
        memset(address.b + 8, 0, 8);
    address_print(text, &address);
    snprintf(out, 80, "failed/%s", text);
    return address.len == 16 ? "from this network of IPv6 addresses" : "from this address";
}

/* Count and tell a failure; |refusal| is its answer unless there were too many. */
static struct rpc_status failed(struct access *access, struct rpc_call *call, struct metric *metric,
                                const char *why, struct rpc_status refusal)
{
    char name[80], address[ADDRESS_TEXT_MAX];
    const char *counted = count_name(name, access, call);
    unsigned wait = 0;

    metric_add(metric, 1);
    if (!cache_allow(access->cache, name, FAILURES, FAILURES, &wait))
        return wait_for(wait, "failed tries", counted);
    access_address(access, call, address);
    log_event(LOG_WARN, "a caller was refused", LOG_S("reason", why), LOG_S("address", address),
              LOG_S("method", rpc_call_method(call)->path), LOG_S("request", rpc_trace(call)));
    return refusal;
}

static struct rpc_status unauthorized(void)
{
    return rpc_error(RPC_UNAUTHENTICATED, "unauthorized", "unauthorized");
}

/* Ours, but of another time: a clock or a delay, not a try to get in. */
static bool is_out_of_time(const struct rpc_status *status)
{
    return strcmp(status->name, "token_expired") == 0 || strcmp(status->name, "clock_skew") == 0;
}

struct rpc_status access_refused(struct access *access, struct rpc_call *call,
                                 enum access_proof proof, struct rpc_status refusal)
{
    struct metric *metric =
        proof == ACCESS_PROOF_TOKEN ? access->bad_tokens : access->bad_registrations;
    char why[RPC_TEXT_MAX];

    if (is_out_of_time(&refusal)) {
        metric_add(metric, 1);
        return refusal;
    }
    memcpy(why, refusal.text, sizeof why);
    if (strcmp(refusal.name, "unauthorized") == 0)
        refusal = unauthorized();
    return failed(access, call, metric, why, refusal);
}

static struct rpc_status limit_rate(struct access *access, const struct api_key *key,
                                    const struct address *address)
{
    char name[128], text[ADDRESS_TEXT_MAX];
    unsigned wait = 0;

    if (access->per_minute == 0)
        return rpc_ok();
    address_print(text, address);
    snprintf(name, sizeof name, "rate/%s.%u/%s", key->name, key->value, text);
    if (cache_allow(access->cache, name, access->per_minute, access->per_minute, &wait))
        return rpc_ok();
    return wait_for(wait, "requests", "with this key from this address");
}

/* A method that says nothing of scopes is for those who may do everything else. */
static unsigned scopes_of(const struct rpc_call *call)
{
    unsigned scopes = rpc_call_method(call)->access & SCOPE_ALL;

    return scopes ? scopes : SCOPE_MANAGE;
}

/* No try to get in: who asks is known, and his rate is limited as ever. The log hears of some. */
static struct rpc_status lacks_scope(struct access *access, const struct rpc_call *call,
                                     const struct api_key *key)
{
    char words[API_KEY_WORDS_MAX], name[64];
    unsigned wait = 0;

    api_key_words(words, scopes_of(call));
    metric_add(access->bad_scopes, 1);
    snprintf(name, sizeof name, "scope/%s", key->name);
    if (cache_allow(access->cache, name, FAILURES, FAILURES, &wait))
        log_event(LOG_WARN, "a caller was refused", LOG_S("reason", "API key without the scope"),
                  LOG_S("caller", key->name), LOG_S("method", rpc_call_method(call)->path),
                  LOG_S("request", rpc_trace(call)));
    return rpc_error(RPC_DENIED, "missing_scope",
                     "the API key %s has not the scope that this call needs: %s", key->name, words);
}

static struct rpc_status check_key(struct access *access, struct rpc_call *call)
{
    struct address caller = caller_of(access, call);
    const struct api_key *key;
    struct rpc_status status;

    if (!address_is_in(&caller, &access->allowed))
        return failed(access, call, access->bad_addresses, "address not in ALLOWED_IPS",
                      rpc_error(RPC_DENIED, "address_not_allowed",
                                "calls from this address are not allowed"));
    key = api_keys_find(access->keys, rpc_header(call, "x-api-key"));
    if (!key)
        return failed(access, call, access->bad_keys, "missing or wrong API key", unauthorized());
    rpc_set_caller(call, key->name);
    rpc_set_access(call, ACCESS_API_KEY);
    status = limit_rate(access, key, &caller);
    if (status.code == RPC_OK && !(scopes_of(call) & key->scopes))
        return lacks_scope(access, call, key);
    return status;
}

/* The token itself; NULL without one. */
static const char *bearer(const struct rpc_call *call)
{
    const char *text = rpc_header(call, "authorization");

    if (!text || strncasecmp(text, "Bearer ", 7) != 0)
        return NULL;
    return text + 7 + strspn(text + 7, " ");
}

/* Nobody whose certificate is a party's, or who has none, is a service. */
static bool may_be_service(const struct access *access, const struct rpc_call *call)
{
    return !access->has_tls || (rpc_peer_is_certified(call) && !rpc_peer_party(call)[0]);
}

/* A party's token is no good in another party's hands. */
static bool may_be_party(const struct access *access, const struct rpc_call *call,
                         const char *party_id)
{
    const char *named = rpc_peer_party(call);

    if (access->has_tls && !rpc_peer_is_certified(call))
        return (rpc_call_method(call)->access & ACCESS_PARTY_HTTP) != 0;
    return !named[0] || strcmp(named, party_id) == 0;
}

static bool is_peers(const struct access *access, const struct rpc_call *call,
                     const struct token *token)
{
    return token->kind == TOKEN_SERVICE ? may_be_service(access, call)
                                        : may_be_party(access, call, token->subject);
}

static struct rpc_status not_with_this_certificate(void)
{
    return rpc_error(RPC_UNAUTHENTICATED, "unauthorized",
                     "the token does not go with the peer's TLS certificate, or with none");
}

/* Of the kinds that the method takes, the first that the token is. */
static struct rpc_status read_token(const struct access *access, struct rpc_call *call,
                                    const char *text)
{
    static const struct {
        unsigned bit;
        enum token_kind kind;
    } kinds[] = {{ACCESS_SERVICE, TOKEN_SERVICE}, {ACCESS_PARTY, TOKEN_PARTY}};
    unsigned bits = rpc_call_method(call)->access;
    struct rpc_status status = unauthorized();
    struct token token;

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct rpc_status one;

        if (!(bits & kinds[i].bit))
            continue;
        one = token_read(&token, access->tokens, kinds[i].kind, text);
        if (one.code == RPC_OK && !is_peers(access, call, &token))
            one = not_with_this_certificate();
        if (one.code == RPC_OK) {
            rpc_set_caller(call, token.subject);
            rpc_set_access(call, kinds[i].bit);
            return one;
        }
        /* Ours, but out of time, says more than of another kind. */
        if (strcmp(one.name, "unauthorized") != 0 || strcmp(status.name, "unauthorized") == 0)
            status = one;
    }
    return status;
}

static struct rpc_status check_token(struct access *access, struct rpc_call *call, const char *text)
{
    struct rpc_status status = read_token(access, call, text);

    return status.code == RPC_OK ? status
                                 : access_refused(access, call, ACCESS_PROOF_TOKEN, status);
}

/* Relays. What they say: who let the caller in (which guard of ours), as what, and from where. */

#define RELAY_ACCESS "x-relay-access"
#define RELAY_CALLER "x-relay-caller"
#define RELAY_ADDRESS "x-relay-address"

static const struct {
    unsigned bit;
    const char *name;
} relay_words[] = {{ACCESS_OPEN, "open"},
                   {ACCESS_API_KEY, "key"},
                   {ACCESS_SERVICE, "service"},
                   {ACCESS_PARTY, "party"}};

void access_let_relay(struct access *access, const char *service)
{
    access->relay = service;
}

void access_relay_fields(const struct access *access, const struct rpc_call *call,
                         struct access_relay_text *text,
                         struct rpc_metadata out[ACCESS_RELAY_FIELDS])
{
    const char *word = "";

    for (size_t i = 0; i < sizeof relay_words / sizeof relay_words[0]; i++)
        if (relay_words[i].bit == rpc_access(call))
            word = relay_words[i].name;
    access_address(access, call, text->address);
    out[0] = (struct rpc_metadata){RELAY_ACCESS, word};
    out[1] = (struct rpc_metadata){RELAY_CALLER, rpc_caller(call)};
    out[2] = (struct rpc_metadata){RELAY_ADDRESS, text->address};
}

bool access_is_relayed(const struct rpc_call *call)
{
    return rpc_header(call, RELAY_ACCESS) || rpc_header(call, RELAY_CALLER) ||
           rpc_header(call, RELAY_ADDRESS);
}

/* The bit that the relay names, if the method takes it; 0: none. */
static unsigned relayed_bit(const struct rpc_call *call)
{
    const char *word = rpc_header(call, RELAY_ACCESS);

    for (size_t i = 0; word && i < sizeof relay_words / sizeof relay_words[0]; i++)
        if (strcmp(relay_words[i].name, word) == 0)
            return relay_words[i].bit & rpc_call_method(call)->access;
    return 0;
}

static struct rpc_status read_relay(const struct access *access, const struct rpc_call *call,
                                    const char *text)
{
    struct rpc_status status = unauthorized();
    struct token token;

    if (!access->relay || !access->tokens || !text)
        return status;
    status = token_read(&token, access->tokens, TOKEN_SERVICE, text);
    if (status.code == RPC_OK && strcmp(token.subject, access->relay) != 0)
        return unauthorized();
    if (status.code == RPC_OK && !may_be_service(access, call))
        return not_with_this_certificate();
    return status;
}

/* The token is looked at before anything of what it is to vouch for. Its own service has asked its
 * guard already: keys and limits are not looked at again. */
static struct rpc_status check_relay(struct access *access, struct rpc_call *call, const char *text)
{
    struct rpc_status status = read_relay(access, call, text);
    const char *caller = rpc_header(call, RELAY_CALLER);
    const char *address = rpc_header(call, RELAY_ADDRESS);
    unsigned bit = relayed_bit(call);
    struct address parsed;

    if (status.code != RPC_OK)
        return access_refused(access, call, ACCESS_PROOF_TOKEN, status);
    if (bit == 0 || !caller || (bit != ACCESS_OPEN && !caller[0]) || !address ||
        !address_parse(&parsed, address))
        return rpc_error(RPC_DENIED, "bad_relay",
                         "a relayed call must say who its caller is, and of a kind that may call");
    rpc_set_access(call, bit);
    rpc_set_caller(call, caller);
    rpc_set_peer(call, address);
    return rpc_ok();
}

struct rpc_status access_guard(struct rpc_call *call, void *arg)
{
    struct access *access = arg;
    unsigned bits = rpc_call_method(call)->access;
    const char *text = bearer(call);

    if (access_is_relayed(call))
        return check_relay(access, call, text);
    if (bits & ACCESS_OPEN) {
        rpc_set_access(call, ACCESS_OPEN);
        return rpc_ok();
    }
    if (text && access->tokens && bits & (ACCESS_SERVICE | ACCESS_PARTY))
        return check_token(access, call, text);
    if (bits & ACCESS_API_KEY && access->keys)
        return check_key(access, call);
    if (bits & (ACCESS_API_KEY | ACCESS_SERVICE | ACCESS_PARTY))
        return failed(access, call, access->bad_tokens, "no token", unauthorized());
    log_event(LOG_ERROR, "a method says nothing of who may call it",
              LOG_S("method", rpc_call_method(call)->path));
    return rpc_error(RPC_DENIED, "not_allowed", "nobody may call this method");
}
