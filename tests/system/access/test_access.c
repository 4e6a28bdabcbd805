/* SPDX-License-Identifier: Apache-2.0 */
/* The guard in a real server: who comes in by what, from where, and how often. The server's loop
 * has a thread of its own; callers come from addresses of 127.0.0.0/8. */
#include "http.h"
#include "system/access/access.h"
#include "system/core/clock.h"
#include "system/core/metrics.h"

#include "party_api.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "0123456789abcdef0123456789abcdef"
#define KEY "X-API-Key: first-key\r\n"
/* Digests of reader-1, reader-2, signer and boss. */
#define READER_1 "638272d2c60a282ab8a042288e0c50cfee2cd7cc28c37dffe0466adce598b02c"
#define READER_2 "5196ef6dcc26a9d3e9ee36196a16b3a94854ab30e0aa5fc211b841a797d44a0b"
#define SIGNER "ffdcc4ba1ba029d91fb645eab1563010ee7bcfac6f321326f4eab298601b5bce"
#define BOSS "a5e7c002443743c5836758c7d1cd8ddefd9fcf2061daa0efaac683fb99966057"
#define NAMED                                                                                      \
    "ledger:read:" READER_1 ":" READER_2 ", hot.wallet:sign+read:" SIGNER " ops:manage:" BOSS

static struct place {
    uv_loop_t loop;
    uv_async_t stop;
    pthread_t thread;
    struct config *config;
    struct rpc_server *server;
    struct access *access;
    int port;
} place;

/* Answers with what the guard found out. */
static void tell_caller(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    Mpc__PartyApi__V1__GetShareKeyResponse out = MPC__PARTY_API__V1__GET_SHARE_KEY_RESPONSE__INIT;
    char caller[80], address[64];

    (void)request;
    (void)service;
    snprintf(caller, sizeof caller, "%s", rpc_caller(call));
    access_address(place.access, call, address);
    out.party_id = caller;
    out.public_key = address;
    rpc_reply(call, &out.base);
}

#define METHOD(name, bits)                                                                         \
    {                                                                                              \
        .path = "test.Access/" name,                                                               \
        .request = &mpc__party_api__v1__get_share_key_request__descriptor,                         \
        .response = &mpc__party_api__v1__get_share_key_response__descriptor,                       \
        .handle = tell_caller, .access = (bits)                                                    \
    }

static const struct rpc_method methods[] = {
    METHOD("Open", ACCESS_OPEN),
    METHOD("Key", ACCESS_API_KEY | SCOPE_READ),
    METHOD("Sign", ACCESS_API_KEY | SCOPE_SIGN),
    METHOD("Either", ACCESS_API_KEY | SCOPE_SIGN | SCOPE_CREATE),
    METHOD("Unsaid", ACCESS_API_KEY),
    METHOD("Service", ACCESS_SERVICE),
    METHOD("Party", ACCESS_PARTY),
    METHOD("Any", ACCESS_API_KEY | ACCESS_SERVICE | ACCESS_PARTY),
    METHOD("Nobody", 0),
    METHOD("PartyHttp", ACCESS_PARTY | ACCESS_PARTY_HTTP),
    {.path = NULL},
};

static const struct rpc_route routes[] = {
    {"GET", "/open", "test.Access/Open", 200},
    {"GET", "/key", "test.Access/Key", 200},
    {"GET", "/sign", "test.Access/Sign", 200},
    {"GET", "/either", "test.Access/Either", 200},
    {"GET", "/unsaid", "test.Access/Unsaid", 200},
    {"GET", "/service", "test.Access/Service", 200},
    {"GET", "/party", "test.Access/Party", 200},
    {"GET", "/any", "test.Access/Any", 200},
    {"GET", "/nobody", "test.Access/Nobody", 200},
    {"GET", "/party-http", "test.Access/PartyHttp", 200},
    {.verb = NULL},
};

/* For the guard alone: TLS files are the listener's business. */
static const char *tls = "off";

static void set_variables(const char *per_minute)
{
    setenv("ENVIRONMENT", "production", 1);
    setenv("TLS", tls, 1);
    setenv("JWT_SECRET_KEY", SECRET, 1);
    setenv("MPC_API_KEY", "first-key,second-key", 1);
    setenv("API_KEYS", NAMED, 1);
    setenv("ALLOWED_IPS", "127.0.0.0/28,10.0.0.0/8", 1);
    setenv("TRUSTED_PROXIES", "127.0.0.15", 1);
    setenv("CA_KEY", "00000000000000000000000000000000000000000000000000000000000000aa", 1);
    setenv("RATE_LIMIT_PER_MINUTE", per_minute, 1);
}

static void on_stopped(void *arg)
{
    uv_stop(arg);
}

static void on_stop(uv_async_t *async)
{
    rpc_server_stop(place.server, 1000, on_stopped, async->loop);
}

static void *run(void *arg)
{
    uv_run(&place.loop, UV_RUN_DEFAULT);
    return arg;
}

static void start(const char *per_minute)
{
    char error[RPC_TEXT_MAX];

    set_variables(per_minute);
    place.config = config_load(CONFIG_ROUTER, "/dev/null", error);
    if (!place.config)
        fail_msg("%s", error);
    place.access = access_new(place.config, CONFIG_ROUTER, error);
    assert_non_null(place.access);
    assert_int_equal(uv_loop_init(&place.loop), 0);
    uv_async_init(&place.loop, &place.stop, on_stop);
    place.server = rpc_server_new(&place.loop, &(struct rpc_limits){0});
    rpc_server_guard(place.server, access_guard, place.access);
    rpc_server_add(place.server, methods, routes, NULL);
    if (!rpc_server_listen(place.server, "127.0.0.1", 0, NULL, error))
        fail_msg("%s", error);
    place.port = rpc_server_port(place.server);
    assert_int_equal(pthread_create(&place.thread, NULL, run, NULL), 0);
}

static int set_up(void **state)
{
    (void)state;
    start("0");
    return 0;
}

static int set_up_limited(void **state)
{
    (void)state;
    start("3");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tls = "off";
    uv_async_send(&place.stop);
    pthread_join(place.thread, NULL);
    rpc_server_free(place.server);
    uv_close((uv_handle_t *)&place.stop, NULL);
    uv_run(&place.loop, UV_RUN_DEFAULT);
    access_free(place.access);
    config_free(place.config);
    return uv_loop_close(&place.loop);
}

static struct http_answer answer;

static int ask_from(const char *from, const char *path, const char *headers)
{
    const struct http_request request = {
        .port = place.port, .from = from, .path = path, .headers = headers};

    http_ask(&answer, &request);
    return answer.status;
}

static int ask(const char *path, const char *headers)
{
    return ask_from(NULL, path, headers);
}

static void expect_body(const char *part)
{
    if (!strstr(answer.body, part))
        fail_msg("no %s in %s", part, answer.body);
}

static char *bearer_of(const char *subject, enum token_kind kind, const char *secret,
                       int64_t expires_in)
{
    static char header[TOKEN_TEXT_MAX + 32];
    struct token_key *key = token_key_new(secret);
    struct token token = {.kind = kind, .expires = clock_unix_ms() / 1000 + expires_in};
    char text[TOKEN_TEXT_MAX];

    snprintf(token.subject, sizeof token.subject, "%s", subject);
    if (kind == TOKEN_JOIN || kind == TOKEN_SESSION)
        snprintf(token.session_id, sizeof token.session_id, "%s",
                 "8a6f2f6c-9a53-4d8c-8f0c-0d8a6f2f6c9a");
    if (kind == TOKEN_PARTY)
        strcpy(token.role, "persistent");
    token_make(text, key, &token);
    token_key_free(key);
    snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", text);
    return header;
}

static char *bearer(enum token_kind kind, const char *secret, int64_t expires_in)
{
    return bearer_of("somebody", kind, secret, expires_in);
}

static void test_open_methods_need_nothing(void **state)
{
    (void)state;
    assert_int_equal(ask("/open", NULL), 200);
    assert_int_equal(ask_from("127.9.9.9", "/open", NULL), 200);
}

static void test_either_key_opens_and_no_other(void **state)
{
    (void)state;
    assert_int_equal(ask("/key", KEY), 200);
    expect_body("\"party_id\":\"default\"");
    assert_int_equal(ask("/key", "X-API-Key: second-key\r\n"), 200);
    assert_int_equal(ask("/key", "X-API-Key: first-keY\r\n"), 401);
    expect_body("\"error\":\"unauthorized\"");
    assert_int_equal(ask("/key", "X-API-Key: first-key,second-key\r\n"), 401);
    assert_int_equal(ask("/key", "X-API-Key: first-key2\r\n"), 401);
    assert_int_equal(ask("/key", "X-API-Key: \r\n"), 401);
    assert_int_equal(ask("/key", NULL), 401);
    expect_body("\"error\":\"unauthorized\"");
}

static int ask_as(const char *path, const char *key)
{
    char header[80];

    snprintf(header, sizeof header, "X-API-Key: %s\r\n", key);
    return ask(path, header);
}

static void test_a_named_key_opens_what_its_scopes_name(void **state)
{
    (void)state;
    assert_int_equal(ask_as("/key", "reader-1"), 200);
    expect_body("\"party_id\":\"ledger\"");
    assert_int_equal(ask_as("/key", "reader-2"), 200);
    expect_body("\"party_id\":\"ledger\"");
    assert_int_equal(ask_as("/sign", "reader-1"), 403);
    expect_body("\"code\":\"missing_scope\"");
    expect_body("the API key ledger has not the scope that this call needs: sign\"");
    assert_int_equal(ask_as("/either", "reader-1"), 403);
    expect_body("needs: sign or create\"");
    assert_int_equal(ask_as("/sign", "signer"), 200);
    expect_body("\"party_id\":\"hot.wallet\"");
    assert_int_equal(ask_as("/either", "signer"), 200);
    assert_int_equal(ask_as("/key", "signer"), 200);
    assert_int_equal(ask_as("/unsaid", "signer"), 403);
    assert_int_equal(ask_as("/unsaid", "boss"), 200);
    assert_int_equal(ask_as("/key", "boss"), 403);
    assert_int_equal(ask("/unsaid", KEY), 200);
    assert_int_equal(ask_as("/key", "reader-3"), 401);
    /* the digest is no key */
    assert_int_equal(ask_as("/key", READER_1), 401);
}

static void test_key_counts_from_allowed_addresses_only(void **state)
{
    (void)state;
    assert_int_equal(ask_from("127.0.0.14", "/key", KEY), 200);
    assert_int_equal(ask_from("127.0.0.16", "/key", KEY), 403);
    /* strangers learn nothing about keys */
    assert_int_equal(ask_from("127.0.0.16", "/key", "X-API-Key: wrong\r\n"), 403);
}

static void test_address_behind_a_proxy_of_ours(void **state)
{
    (void)state;
    assert_int_equal(ask_from("127.0.0.15", "/key", KEY "X-Forwarded-For: 10.1.1.1\r\n"), 200);
    expect_body("\"public_key\":\"10.1.1.1\"");
    assert_int_equal(ask_from("127.0.0.15", "/key", KEY "X-Forwarded-For: 10.1.1.1, 9.9.9.9\r\n"),
                     403);
}

static void test_attack_forwarded_by_a_stranger(void **state)
{
    (void)state;
    assert_int_equal(ask_from("127.0.0.16", "/key", KEY "X-Forwarded-For: 10.1.1.1\r\n"), 403);
    assert_int_equal(ask_from("127.0.0.15", "/key",
                              KEY "X-Forwarded-For: 10.1.1.1\r\nX-Forwarded-For: 9.9.9.9\r\n"),
                     403);
}

static void test_tokens_open_their_methods_only(void **state)
{
    (void)state;
    assert_int_equal(ask("/service", bearer(TOKEN_SERVICE, SECRET, 60)), 200);
    expect_body("\"party_id\":\"somebody\"");
    assert_int_equal(ask("/party", bearer(TOKEN_PARTY, SECRET, 60)), 200);
    assert_int_equal(ask("/any", bearer(TOKEN_PARTY, SECRET, 60)), 200);
    assert_int_equal(ask("/any", bearer(TOKEN_SERVICE, SECRET, 60)), 200);
    assert_int_equal(ask("/any", KEY), 200);
    assert_int_equal(ask("/service", bearer(TOKEN_PARTY, SECRET, 60)), 401);
    assert_int_equal(ask("/party", bearer(TOKEN_SERVICE, SECRET, 60)), 401);
    assert_int_equal(ask("/key", bearer(TOKEN_SERVICE, SECRET, 60)), 401);
    assert_int_equal(ask("/service", KEY), 401);
    assert_int_equal(ask("/service", NULL), 401);
    expect_body("\"error\":\"unauthorized\"");
    assert_int_equal(ask("/service", bearer(TOKEN_SERVICE, SECRET "x", 60)), 401);
    expect_body("\"error\":\"unauthorized\"");
    assert_int_equal(ask("/service", "Authorization: Basic abcd\r\n"), 401);
}

static void test_method_without_a_rule_is_closed(void **state)
{
    (void)state;
    assert_int_equal(ask("/nobody", KEY), 403);
    assert_int_equal(ask("/nobody", bearer(TOKEN_SERVICE, SECRET, 60)), 403);
}

static void test_too_many_failures_must_wait_but_keys_pass(void **state)
{
    struct metric *metric =
        metric_new(METRIC_COUNTER, "quorate_auth_failures_total", "reason=\"key\"", "");
    int64_t before = metric_value(metric);

    (void)state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(ask("/key", "X-API-Key: guess\r\n"), 401);
    assert_int_equal(ask("/key", "X-API-Key: guess\r\n"), 429);
    assert_non_null(strcasestr(answer.head, "retry-after: "));
    expect_body("too many failed tries from this address\"");
    assert_int_equal(ask("/service", bearer(TOKEN_SERVICE, SECRET "x", 60)), 429);
    assert_int_equal(ask("/key", KEY), 200);
    assert_int_equal(ask("/service", bearer(TOKEN_SERVICE, SECRET, 60)), 200);
    assert_int_equal(ask_from("127.0.0.2", "/key", "X-API-Key: guess\r\n"), 401);
    assert_true(metric_value(metric) == before + 22);
}

/* The party that the TLS certificate of every peer names. */
static const char *named = "";

const char *__wrap_rpc_peer_party(const struct rpc_call *call);

const char *__wrap_rpc_peer_party(const struct rpc_call *call)
{
    (void)call;
    return named;
}

static void test_failures_of_a_certified_party_are_its_own(void **state)
{
    (void)state;
    named = "party-7";
    for (int i = 0; i < 20; i++)
        assert_int_equal(ask("/key", "X-API-Key: guess\r\n"), 401);
    assert_int_equal(ask("/key", "X-API-Key: guess\r\n"), 429);
    assert_int_equal(ask_from("127.0.0.2", "/key", "X-API-Key: guess\r\n"), 429);
    expect_body("too many failed tries with this party's TLS certificate\"");
    named = "party-8";
    assert_int_equal(ask("/key", "X-API-Key: guess\r\n"), 401);
    named = "";
    assert_int_equal(ask("/key", "X-API-Key: guess\r\n"), 401);
}

/* One network has more addresses than anybody has time to refuse. */
static void test_failures_count_for_a_whole_network(void **state)
{
    char header[80];

    (void)state;
    for (int i = 0; i < 20; i++) {
        snprintf(header, sizeof header, "X-Forwarded-For: 2001:db8:0:1::%x\r\n", i + 1);
        assert_int_equal(ask_from("127.0.0.15", "/key", header), 403);
    }
    assert_int_equal(ask_from("127.0.0.15", "/key", "X-Forwarded-For: 2001:db8:0:1:f::\r\n"), 429);
    expect_body("too many failed tries from this network of IPv6 addresses\"");
    assert_int_equal(ask_from("127.0.0.15", "/key", "X-Forwarded-For: 2001:db8:0:2::1\r\n"), 403);
}

/* Who slept too long must learn that his token is old, however often he asks. */
static void test_tokens_out_of_time_are_told_so_and_not_counted(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        assert_int_equal(ask("/service", bearer(TOKEN_SERVICE, SECRET, -1000)), 401);
        expect_body("\"code\":");
    }
    assert_int_equal(ask("/key", "X-API-Key: guess\r\n"), 401);
}

static void test_rate_of_a_key_and_address_is_limited(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask("/key", KEY), 200);
    assert_int_equal(ask("/key", KEY), 429);
    assert_non_null(strcasestr(answer.head, "retry-after: "));
    expect_body("too many requests with this key from this address\"");
    assert_int_equal(ask("/key", "X-API-Key: second-key\r\n"), 200);
    assert_int_equal(ask_from("127.0.0.2", "/key", KEY), 200);
}

/* Malformed lists end the start, each with a line that names the variable. */
static void expect_fault(const char *name, const char *value, const char *part)
{
    char error[RPC_TEXT_MAX] = "";
    struct config *config;
    struct access *access = NULL;

    set_variables("0");
    setenv(name, value, 1);
    config = config_load(CONFIG_ROUTER, "/dev/null", error);
    if (config)
        access = access_new(config, CONFIG_ROUTER, error);
    assert_null(access);
    assert_non_null(strstr(error, part));
    if (config)
        config_free(config);
}

static void test_faults_of_the_configuration_are_named(void **state)
{
    (void)state;
    expect_fault("MPC_API_KEY", "a,b,c", "MPC_API_KEY");
    expect_fault("API_KEYS", "ledger:read", "API_KEYS: entry 1 (ledger): ");
    expect_fault("ALLOWED_IPS", "10.0.0.1/8", "ALLOWED_IPS");
    expect_fault("ALLOWED_IPS", "::1/127", "ALLOWED_IPS");
    expect_fault("TRUSTED_PROXIES", "proxy", "TRUSTED_PROXIES");
}

/* Relays: replicas of the service "one" pass calls on to each other. */

static int set_up_relay(void **state)
{
    (void)state;
    start("2");
    access_let_relay(place.access, "one");
    return 0;
}

#define RELAY(access, caller, address)                                                             \
    "X-Relay-Access: " access "\r\nX-Relay-Caller: " caller "\r\nX-Relay-Address: " address "\r\n"

static int ask_relayed(const char *path, const char *token, const char *relay)
{
    char headers[TOKEN_TEXT_MAX + 512];

    snprintf(headers, sizeof headers, "%s%s", token, relay);
    return ask(path, headers);
}

static char *one(void)
{
    return bearer_of("one", TOKEN_SERVICE, SECRET, 60);
}

static void test_a_relay_says_who_the_caller_is(void **state)
{
    (void)state;
    assert_int_equal(ask_relayed("/party", one(), RELAY("party", "party-7", "192.0.2.7")), 200);
    expect_body("\"party_id\":\"party-7\"");
    expect_body("192.0.2.7");
    assert_int_equal(ask_relayed("/service", one(), RELAY("service", "account", "::1")), 200);
    expect_body("\"party_id\":\"account\"");
    assert_int_equal(ask_relayed("/open", one(), RELAY("open", "", "192.0.2.8")), 200);
    expect_body("192.0.2.8");
    /* the first replica has counted it already, and has looked where it came from */
    for (int i = 0; i < 5; i++)
        assert_int_equal(ask_relayed("/key", one(), RELAY("key", "api-key", "192.0.2.7")), 200);
}

static void test_attack_forged_relay(void **state)
{
    static const char relay[] = RELAY("party", "party-7", "192.0.2.7");
    static const char *const lone[] = {"X-Relay-Access: party\r\n", "X-Relay-Caller: party-7\r\n",
                                       "X-Relay-Address: 127.0.0.1\r\n"};

    (void)state;
    assert_int_equal(ask_relayed("/party", "", relay), 401);
    assert_int_equal(ask_relayed("/party", KEY, relay), 401);
    assert_int_equal(ask_relayed("/key", KEY, RELAY("key", "api-key", "127.0.0.1")), 401);
    assert_int_equal(ask_relayed("/open", "", RELAY("open", "", "192.0.2.8")), 401);
    assert_int_equal(ask_relayed("/party", bearer_of("two", TOKEN_SERVICE, SECRET, 60), relay),
                     401);
    assert_int_equal(ask_relayed("/party", bearer_of("one", TOKEN_PARTY, SECRET, 60), relay), 401);
    assert_int_equal(ask_relayed("/party", bearer_of("one", TOKEN_JOIN, SECRET, 60), relay), 401);
    assert_int_equal(ask_relayed("/party", bearer_of("one", TOKEN_SESSION, SECRET, 60), relay),
                     401);
    assert_int_equal(
        ask_relayed("/party",
                    bearer_of("one", TOKEN_SERVICE, "another-secret-of-32-characters-or-more", 60),
                    relay),
        401);
    assert_int_equal(ask_relayed("/party", bearer_of("one", TOKEN_SERVICE, SECRET, -120), relay),
                     401);
    /* a party's own good token, and a word more */
    for (size_t i = 0; i < sizeof lone / sizeof lone[0]; i++)
        assert_int_equal(
            ask_relayed("/party", bearer_of("party-1", TOKEN_PARTY, SECRET, 60), lone[i]), 401);
}

static void test_attack_relay_says_what_no_caller_could_be(void **state)
{
    static const char *const bad[] = {
        RELAY("service", "account", "192.0.2.7"), /* the method is for parties */
        RELAY("open", "", "192.0.2.7"),
        RELAY("key", "api-key", "192.0.2.7"),
        RELAY("", "party-7", "192.0.2.7"),
        RELAY("PARTY", "party-7", "192.0.2.7"),
        RELAY("party", "", "192.0.2.7"),
        RELAY("party", "party-7", ""),
        RELAY("party", "party-7", "nowhere"),
        RELAY("party", "party-7", "192.0.2.7") "X-Relay-Access: party\r\n",
        "X-Relay-Access: party\r\n",
        "X-Relay-Access: party\r\nX-Relay-Caller: party-7\r\n",
        "X-Relay-Access: party\r\nX-Relay-Address: 192.0.2.7\r\n",
        "X-Relay-Caller: party-7\r\nX-Relay-Address: 192.0.2.7\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (ask_relayed("/party", one(), bad[i]) != 403)
            fail_msg("%d for %s", answer.status, bad[i]);
    assert_int_equal(ask_relayed("/nobody", one(), RELAY("party", "party-7", "192.0.2.7")), 403);
}

static void test_attack_relay_where_there_is_none(void **state)
{
    (void)state;
    assert_int_equal(ask_relayed("/party", one(), RELAY("party", "party-7", "192.0.2.7")), 401);
    assert_int_equal(ask_relayed("/open", one(), RELAY("open", "", "192.0.2.8")), 401);
}

/* Where TLS is on. The peer here has no certificate; what one may do with which is in
 * tests/stack/test_tls.py. */

static int set_up_tls(void **state)
{
    (void)state;
    tls = "on";
    start("0");
    access_let_relay(place.access, "one");
    return 0;
}

static void test_attack_token_without_a_certificate(void **state)
{
    (void)state;
    assert_int_equal(ask("/service", bearer(TOKEN_SERVICE, SECRET, 60)), 401);
    expect_body("\"error\":\"unauthorized\"");
    assert_int_equal(ask("/any", bearer(TOKEN_SERVICE, SECRET, 60)), 401);
    assert_int_equal(ask("/party", bearer(TOKEN_PARTY, SECRET, 60)), 401);
    assert_int_equal(ask("/any", bearer(TOKEN_PARTY, SECRET, 60)), 401);
    assert_int_equal(ask("/party-http", bearer(TOKEN_SERVICE, SECRET, 60)), 401);
    /* the few that are for parties without one, and keys */
    assert_int_equal(ask("/party-http", bearer(TOKEN_PARTY, SECRET, 60)), 200);
    assert_int_equal(ask("/key", KEY), 200);
    assert_int_equal(ask("/open", NULL), 200);
}

static void test_attack_relay_without_a_certificate(void **state)
{
    (void)state;
    assert_int_equal(ask_relayed("/party", one(), RELAY("party", "party-7", "192.0.2.7")), 401);
    assert_int_equal(ask_relayed("/party-http", one(), RELAY("party", "party-7", "192.0.2.7")),
                     401);
    assert_int_equal(ask_relayed("/key", one(), RELAY("key", "api-key", "192.0.2.7")), 401);
    assert_int_equal(ask_relayed("/open", one(), RELAY("open", "", "192.0.2.8")), 401);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_open_methods_need_nothing),
        TEST(test_either_key_opens_and_no_other),
        TEST(test_a_named_key_opens_what_its_scopes_name),
        TEST(test_key_counts_from_allowed_addresses_only),
        TEST(test_address_behind_a_proxy_of_ours),
        TEST(test_attack_forwarded_by_a_stranger),
        TEST(test_tokens_open_their_methods_only),
        TEST(test_method_without_a_rule_is_closed),
        TEST(test_too_many_failures_must_wait_but_keys_pass),
        TEST(test_failures_of_a_certified_party_are_its_own),
        TEST(test_failures_count_for_a_whole_network),
        TEST(test_tokens_out_of_time_are_told_so_and_not_counted),
        cmocka_unit_test_setup_teardown(test_rate_of_a_key_and_address_is_limited, set_up_limited,
                                        tear_down),
        cmocka_unit_test(test_faults_of_the_configuration_are_named),
        cmocka_unit_test_setup_teardown(test_a_relay_says_who_the_caller_is, set_up_relay,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_attack_forged_relay, set_up_relay, tear_down),
        cmocka_unit_test_setup_teardown(test_attack_relay_says_what_no_caller_could_be,
                                        set_up_relay, tear_down),
        TEST(test_attack_relay_where_there_is_none),
        cmocka_unit_test_setup_teardown(test_attack_token_without_a_certificate, set_up_tls,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_attack_relay_without_a_certificate, set_up_tls,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
