/* SPDX-License-Identifier: Apache-2.0 */
#include "system/rpc/route.h"

#include "echo.pb-c.h"
#include "system/rpc/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void nothing(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)call;
    (void)request;
    (void)service;
}

/* A row of a table. */
#define SAY_ROW(name)                                                                              \
    {                                                                                              \
        .path = (name), .request = &test__echo__request__descriptor,                               \
        .response = &test__echo__response__descriptor, .handle = nothing                           \
    }

static const struct rpc_method methods[] = {SAY_ROW("b.B/Two"),
                                            SAY_ROW("a.A/One"),
                                            SAY_ROW("c.C/Three"),
                                            SAY_ROW("b.B/Twoo"),
                                            {.path = NULL}};
static const struct rpc_method more[] = {SAY_ROW("a.A/Zero"), SAY_ROW("b.B/T"), {.path = NULL}};

static const struct rpc_route json[] = {
    {"GET", "/v1/{id}", "a.A/One", 200},
    {"POST", "/v1/{id}", "b.B/Two", 201},
    {"GET", "/v1/{id}/x/{text}", "c.C/Three", 200},
    {"DELETE", "/v1/all", "a.A/One", 200},
    {NULL, NULL, NULL, 0},
};

static struct routes routes;

static int setup(void **state)
{
    (void)state;
    routes_add(&routes, methods, json, NULL);
    routes_add(&routes, more, NULL, &routes);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    routes_free(&routes);
    return 0;
}

static void test_methods(void **state)
{
    static const char *const there[] = {"a.A/One", "a.A/Zero", "b.B/T",
                                        "b.B/Two", "b.B/Twoo", "c.C/Three"};
    static const char *const missing[] = {"", "a.A", "a.A/On", "a.A/Onee", "b.B/Tw", "z"};

    (void)state;
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(routes_method(&routes, there[i])->method->path, there[i]);
    for (size_t i = 0; i < 6; i++)
        assert_null(routes_method(&routes, missing[i]));
    assert_ptr_equal(routes_method(&routes, "b.B/T")->service, &routes);
}

static void check(const char *verb, const char *path, const char *method, const char *allowed)
{
    char allow[ROUTE_ALLOW_MAX];
    const struct json_route *route = routes_json(&routes, verb, path, allow);

    if (method)
        assert_string_equal(route->offer->method->path, method);
    else
        assert_null(route);
    assert_string_equal(allow, allowed);
}

static void test_patterns(void **state)
{
    (void)state;
    check("GET", "/v1/abc", "a.A/One", "");
    check("HEAD", "/v1/abc", "a.A/One", "");
    check("POST", "/v1/abc", "b.B/Two", "");
    check("GET", "/v1/abc/x/d", "c.C/Three", "");
    check("GET", "/v1/a%2fx%2fb", "a.A/One", "");
    check("DELETE", "/v1/all", "a.A/One", "");
    check("PUT", "/v1/abc", NULL, "GET, HEAD, POST");
    check("PUT", "/v1/all", NULL, "GET, HEAD, POST, DELETE");
    check("GET", "/v1/", NULL, "");
    check("GET", "/v1", NULL, "");
    check("GET", "", NULL, "");
    check("GET", "*", NULL, "");
    check("GET", "/v1/abc/", NULL, "");
    check("GET", "//v1/abc", NULL, "");
    check("GET", "/v1/abc/y/d", NULL, "");
    check("GET", "/v1/abc/x/", NULL, "");
    check("GET", "/v1/abc/x/d/e", NULL, "");
}

/* "id|text|count" of what is filled, or the sentence. */
static void fill(char out[RPC_TEXT_MAX], const char *path, const char *query, const char *body)
{
    json_t *object = body ? json_loads(body, 0, NULL) : NULL;
    const struct route_source from = {path, query, object};
    struct rpc_status status = rpc_ok();
    ProtobufCMessage *message = message_of_json(&test__echo__request__descriptor, object, &status);
    const Test__Echo__Request *request = (const Test__Echo__Request *)message;

    if (message && route_fill(&json[2], &from, message, &status))
        snprintf(out, RPC_TEXT_MAX, "%s|%s|%u|%zu", request->id, request->text, request->count,
                 request->n_tags);
    else
        snprintf(out, RPC_TEXT_MAX, "! %.200s", status.text);
    protobuf_c_message_free_unpacked(message, NULL);
    json_decref(object);
}

static void test_fields(void **state)
{
    char out[RPC_TEXT_MAX];

    (void)state;
    fill(out, "/v1/a%20+/x/%e2%82%ac", "count=3&tags=a&tags=b&&tags=", NULL);
    assert_string_equal(out, "a +|\xe2\x82\xac|3|3");
    fill(out, "/v1/a/x/b", "", "{\"count\":9,\"tags\":[\"q\"]}");
    assert_string_equal(out, "a|b|9|1");
    fill(out, "/v1/a/x/b", NULL, NULL);
    assert_string_equal(out, "a|b|0|0");
}

static void test_faults(void **state)
{
    static const struct {
        const char *path, *query, *body, *says;
    } cases[] = {
        {"/v1/%/x/b", "", NULL, "id"},
        {"/v1/%4/x/b", "", NULL, "id"},
        {"/v1/a%00/x/b", "", NULL, "id"},
        {"/v1/a%gg/x/b", "", NULL, "id"},
        {"/v1/a%ff/x/b", "", NULL, "id"},
        {"/v1/a/x/b", "id=c", NULL, "id is given twice"},
        {"/v1/a/x/b", "%69d=c", NULL, "id is given twice"},
        {"/v1/a/x/b", "count=1&count=2", NULL, "count is given twice"},
        {"/v1/a/x/b", "count=1", "{\"count\":2}", "count is given twice"},
        {"/v1/a/x/b", "", "{\"id\":\"c\"}", "id is in the path"},
        {"/v1/a/x/b", "nothing=1", NULL, "nothing"},
        {"/v1/a/x/b", "count", NULL, "count"},
        {"/v1/a/x/b", "count=-1", NULL, "count"},
        {"/v1/a/x/b", "=1", NULL, "!"},
        {"/v1/a/x/b", "%=1", NULL, "percent"},
    };
    char out[RPC_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fill(out, cases[i].path, cases[i].query, cases[i].body);
        if (out[0] != '!' || !strstr(out, cases[i].says))
            fail_msg("%s %s: %s", cases[i].path, cases[i].query, out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_faults),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
