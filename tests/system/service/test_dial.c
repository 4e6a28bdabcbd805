/* SPDX-License-Identifier: Apache-2.0 */
/* A service calls another: real server, real guard, real channel, one loop; in plain text
 * and with certificates on both sides. */
#include "pki.h"
#include "system/service/dial.h"
#include "system/service/listen.h"
#include "variables.h"

#include "party_api.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uv_loop_t loop;
static struct config *config;
static struct service_host host;

static struct pki pki;
static bool has_tls;

static void set_variables(void)
{
    variables_set();
    if (!has_tls)
        return;
    setenv("TLS", "on", 1);
    setenv("TLS_CERT", pki.certificate, 1);
    setenv("TLS_KEY", pki.key, 1);
    setenv("GRPC_TLS_CERT", pki.certificate, 1);
    setenv("GRPC_TLS_KEY", pki.key, 1);
    setenv("GRPC_TLS_CA", pki.ca, 1);
}

struct outcome {
    int done_n;
    enum rpc_code code;
    char caller[80];
};

static void tell_caller(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    Mpc__PartyApi__V1__GetShareKeyResponse out = MPC__PARTY_API__V1__GET_SHARE_KEY_RESPONSE__INIT;
    char caller[80];

    (void)request;
    (void)service;
    snprintf(caller, sizeof caller, "%s", rpc_caller(call));
    out.party_id = caller;
    rpc_reply(call, &out.base);
}

static const struct rpc_method methods[] = {
    {.path = "test.Dial/Call",
     .request = &mpc__party_api__v1__get_share_key_request__descriptor,
     .response = &mpc__party_api__v1__get_share_key_response__descriptor,
     .handle = tell_caller,
     .access = ACCESS_SERVICE},
    {.path = NULL},
};

static void make_host(void)
{
    char error[RPC_TEXT_MAX], target[32];

    uv_loop_init(&loop);
    host = (struct service_host){.name = "tiny-service", .loop = &loop};
    host.server = rpc_server_new(&loop, &(struct rpc_limits){0});
    config = variables_load(CONFIG_COORDINATOR);
    if (!listen_start(host.server, config, error))
        fail_msg("%s", error);
    snprintf(target, sizeof target, "127.0.0.1:%d", rpc_server_port(host.server));
    config_free(config);
    set_variables();
    setenv("ROUTER_ADDR", target, 1);
    config = variables_load(CONFIG_COORDINATOR);
    host.config = config;
    host.access = access_new(config, CONFIG_COORDINATOR, error);
    assert_non_null(host.access);
    rpc_server_guard(host.server, access_guard, host.access);
    rpc_server_add(host.server, methods, NULL, NULL);
}

static int set_up(void **state)
{
    (void)state;
    has_tls = false;
    set_variables();
    make_host();
    return 0;
}

static int set_up_tls(void **state)
{
    (void)state;
    has_tls = true;
    pki_make(&pki);
    set_variables();
    make_host();
    return 0;
}

static void on_stopped(void *arg)
{
    uv_stop(arg);
}

static int tear_down(void **state)
{
    (void)state;
    rpc_server_stop(host.server, 1000, on_stopped, &loop);
    uv_run(&loop, UV_RUN_DEFAULT);
    rpc_server_free(host.server);
    uv_run(&loop, UV_RUN_DEFAULT);
    access_free(host.access);
    config_free(config);
    if (has_tls)
        pki_remove(&pki);
    return uv_loop_close(&loop);
}

static void on_done(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    const Mpc__PartyApi__V1__GetShareKeyResponse *in = (const void *)response;
    struct outcome *o = arg;

    o->done_n++;
    o->code = status->code;
    if (in)
        snprintf(o->caller, sizeof o->caller, "%s", in->party_id);
}

static void call(struct rpc_channel *channel, struct outcome *o)
{
    Mpc__PartyApi__V1__GetShareKeyRequest message = MPC__PARTY_API__V1__GET_SHARE_KEY_REQUEST__INIT;
    const struct rpc_request request = {.path = "test.Dial/Call",
                                        .message = &message.base,
                                        .response =
                                            &mpc__party_api__v1__get_share_key_response__descriptor,
                                        .deadline_ms = 20000,
                                        .done = on_done,
                                        .arg = o};

    *o = (struct outcome){0};
    rpc_start(channel, &request);
}

static void test_service_is_known_by_its_token(void **state)
{
    struct rpc_channel *channel = service_dial(&host, "ROUTER_ADDR", true);
    struct outcome o;

    (void)state;
    call(channel, &o);
    while (o.done_n == 0)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(o.code, RPC_OK);
    assert_string_equal(o.caller, "tiny-service");
    service_hangup(channel);
}

static void test_without_token_it_is_nobody(void **state)
{
    struct rpc_channel *channel = service_dial(&host, "ROUTER_ADDR", false);
    struct outcome o;

    (void)state;
    call(channel, &o);
    while (o.done_n == 0)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(o.code, RPC_UNAUTHENTICATED);
    service_hangup(channel);
}

static void test_hangup_ends_calls_inside(void **state)
{
    struct rpc_channel *one = service_dial(&host, "ROUTER_ADDR", true);
    struct rpc_channel *two = service_dial(&host, "ROUTER_ADDR", true);
    struct outcome o;

    (void)state;
    call(one, &o);
    service_hangup(one);
    assert_int_equal(o.done_n, 1);
    assert_int_equal(o.code, RPC_CANCELLED);
    call(two, &o);
    while (o.done_n == 0)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(o.code, RPC_OK);
    service_hangup(two);
    service_hangup(NULL);
}

/* A stranger has the authority's file, as everybody may, but no certificate of it. */
static void test_without_certificate_nobody_comes_in(void **state)
{
    const struct rpc_channel_params params = {.target = config_text(config, "ROUTER_ADDR"),
                                              .ca = pki.ca,
                                              .retry = {.step_ms = 1, .cap_ms = 1, .max = 2}};
    struct rpc_channel *channel = rpc_channel_new(&loop, &params);
    struct outcome o;

    (void)state;
    call(channel, &o);
    while (o.done_n == 0)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(o.code, RPC_UNAVAILABLE);
    rpc_channel_free(channel);
}

static void test_plain_text_is_no_way_in(void **state)
{
    const struct rpc_channel_params params = {.target = config_text(config, "ROUTER_ADDR"),
                                              .retry = {.step_ms = 1, .cap_ms = 1, .max = 2}};
    struct rpc_channel *channel = rpc_channel_new(&loop, &params);
    struct outcome o;

    (void)state;
    call(channel, &o);
    while (o.done_n == 0)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(o.code, RPC_UNAVAILABLE);
    rpc_channel_free(channel);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_TLS(name) cmocka_unit_test_setup_teardown(name, set_up_tls, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_service_is_known_by_its_token),
        TEST(test_without_token_it_is_nobody),
        TEST(test_hangup_ends_calls_inside),
        TEST_TLS(test_service_is_known_by_its_token),
        TEST_TLS(test_without_token_it_is_nobody),
        TEST_TLS(test_without_certificate_nobody_comes_in),
        TEST_TLS(test_plain_text_is_no_way_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
