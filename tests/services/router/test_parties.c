/* SPDX-License-Identifier: Apache-2.0 */
/* Parties at a router, over real connections: who may register, what is told of whom, who is missing. */
#include "world.h"

#include "system/core/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_a_registered_party_gets_token_lease_and_boot_id(void **state)
{
    struct world *w = world_new("1048576", "3000");
    const Mpc__Router__V1__RegisterPartyResponse *in;
    const Mpc__Router__V1__HeartbeatResponse *beat;

    (void)state;
    assert_int_equal(peer_register(w, 0), RPC_OK);
    in = (const void *)w->peers[0].answer.response;
    assert_true(strlen(in->party_token) > 20);
    assert_int_equal(in->lease_ms, 3000);
    assert_int_equal(in->router_boot_id.len, 16);
    assert_memory_equal(in->router_boot_id.data, w->router->boot_id, 16);
    assert_true(llabs(in->server_time_ms - clock_unix_ms()) < 60000);
    assert_int_equal(peer_heartbeat(w, 0, 3), RPC_OK);
    beat = (const void *)w->peers[0].answer.response;
    assert_true(strlen(beat->party_token) > 20);
    assert_memory_equal(beat->router_boot_id.data, w->router->boot_id, 16);
    world_free(w);
}

static void test_an_unknown_key_does_not_register(void **state)
{
    struct world *w = world_new("1048576", LEASE_LONG);
    struct metric *failures =
        metric_new(METRIC_COUNTER, "quorate_auth_failures_total", "reason=\"registration\"", "");
    int64_t before = metric_value(failures);

    (void)state;
    w->peers[0].secret[3] ^= 1;
    assert_int_equal(peer_register(w, 0), RPC_UNAUTHENTICATED);
    w->peers[0].secret[3] ^= 1;
    w->ca_secret[5] ^= 1;
    assert_int_equal(peer_register(w, 0), RPC_UNAUTHENTICATED);
    assert_string_equal(w->peers[0].answer.status.name, "invalid_certificate");
    assert_int_equal(metric_value(failures) - before, 2);
    world_free(w);
}

/* The party that the TLS certificate of every peer names. */
static const char *named = "";

const char *__wrap_rpc_peer_party(const struct rpc_call *call);

const char *__wrap_rpc_peer_party(const struct rpc_call *call)
{
    (void)call;
    return named;
}

/* All call from one address. */
static void test_tries_of_a_certified_party_are_its_own(void **state)
{
    struct world *w = world_new("1048576", LEASE_LONG);

    (void)state;
    named = w->peers[0].id;
    w->peers[0].secret[3] ^= 1;
    for (int i = 0; i <= ADMISSION_FAILURES_BURST; i++)
        assert_int_not_equal(peer_register(w, 0), RPC_OK);
    w->peers[0].secret[3] ^= 1;
    assert_int_equal(peer_register(w, 0), RPC_EXHAUSTED);
    named = w->peers[1].id;
    assert_int_equal(peer_register(w, 1), RPC_OK);
    named = "";
    world_free(w);
}

static void test_parties_are_listed_by_role_for_those_with_a_key(void **state)
{
    struct world *w = world_registered();
    Mpc__Router__V1__GetRegisteredPartiesRequest request =
        MPC__ROUTER__V1__GET_REGISTERED_PARTIES_REQUEST__INIT;
    const Mpc__Router__V1__GetRegisteredPartiesResponse *in;
    struct rpc_channel *stranger = world_channel(w, NULL, "another-key");

    (void)state;
    assert_int_equal(peer_register(w, 3), RPC_OK);
    assert_int_equal(peer_heartbeat(w, 0, 7), RPC_OK);
    world_call(w, w->backend, ROUTER "GetRegisteredParties", &request.base,
               &mpc__router__v1__get_registered_parties_response__descriptor, &w->answer);
    in = (const void *)w->answer.response;
    assert_non_null(in);
    assert_int_equal(in->n_parties, 4);
    assert_string_equal(in->parties[0]->party_id, "server-party-1");
    assert_int_equal(in->parties[0]->load, 7);
    assert_int_equal(in->parties[0]->capacity, 64);
    assert_true(in->parties[0]->live);
    request.role = (char *)(uintptr_t) "delegate";
    world_call(w, w->peers[0].channel, ROUTER "GetRegisteredParties", &request.base,
               &mpc__router__v1__get_registered_parties_response__descriptor, &w->answer);
    in = (const void *)w->answer.response;
    assert_int_equal(in->n_parties, 1);
    assert_string_equal(in->parties[0]->party_id, "server-party-4");
    request.role = (char *)(uintptr_t) "boss";
    world_call(w, w->backend, ROUTER "GetRegisteredParties", &request.base,
               &mpc__router__v1__get_registered_parties_response__descriptor, &w->answer);
    assert_int_equal(w->answer.status.code, RPC_INVALID);
    world_call(w, stranger, ROUTER "GetRegisteredParties", &request.base,
               &mpc__router__v1__get_registered_parties_response__descriptor, &w->answer);
    assert_int_equal(w->answer.status.code, RPC_UNAUTHENTICATED);
    rpc_channel_free(stranger);
    world_free(w);
}

/* "id:role ..." of |role|'s absent ones. */
static void assert_absent(struct world *w, const char *role, const char *wanted)
{
    Mpc__Router__V1__GetRegisteredPartiesRequest request =
        MPC__ROUTER__V1__GET_REGISTERED_PARTIES_REQUEST__INIT;
    const Mpc__Router__V1__GetRegisteredPartiesResponse *in;
    char text[256] = "";

    request.role = (char *)(uintptr_t)role;
    world_call(w, w->backend, ROUTER "GetRegisteredParties", &request.base,
               &mpc__router__v1__get_registered_parties_response__descriptor, &w->answer);
    in = (const void *)w->answer.response;
    assert_non_null(in);
    for (size_t i = 0; i < in->n_absent; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s:%s", i ? " " : "",
                 in->absent[i]->party_id, in->absent[i]->role);
    assert_string_equal(text, wanted);
}

static int64_t gauge(const char *name, const char *role)
{
    return metric_value(metric_new(METRIC_GAUGE, name, role, ""));
}

static void test_expected_parties_are_absent_until_they_are_live(void **state)
{
    struct world *w;

    (void)state;
    setenv("DISCOVERY", "static", 1);
    setenv("EXPECTED_PARTIES", "server-party-1,server-party-9,server-party-4:delegate", 1);
    w = world_new("1048576", LEASE_LONG);
    unsetenv("DISCOVERY");
    unsetenv("EXPECTED_PARTIES");
    assert_absent(w, "",
                  "server-party-1:persistent server-party-9:persistent server-party-4:delegate");
    assert_int_equal(gauge("quorate_router_parties_absent", "role=\"persistent\""), 2);
    assert_int_equal(peer_register(w, 0), RPC_OK);
    assert_int_equal(peer_register(w, 1), RPC_OK); /* not expected: that is no fault */
    assert_absent(w, "", "server-party-9:persistent server-party-4:delegate");
    assert_absent(w, "delegate", "server-party-4:delegate");
    assert_absent(w, "temporary", "");
    attendance_measure(w->router->attendance);
    assert_int_equal(gauge("quorate_router_parties_expected", "role=\"persistent\""), 2);
    assert_int_equal(gauge("quorate_router_parties_absent", "role=\"persistent\""), 1);
    assert_int_equal(gauge("quorate_router_parties_expected", "role=\"delegate\""), 1);
    assert_int_equal(gauge("quorate_router_parties_absent", "role=\"delegate\""), 1);
    assert_int_equal(gauge("quorate_router_discovery_up", NULL), 1);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_registered_party_gets_token_lease_and_boot_id),
        cmocka_unit_test(test_an_unknown_key_does_not_register),
        cmocka_unit_test(test_tries_of_a_certified_party_are_its_own),
        cmocka_unit_test(test_parties_are_listed_by_role_for_those_with_a_key),
        cmocka_unit_test(test_expected_parties_are_absent_until_they_are_live),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
