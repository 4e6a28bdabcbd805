/* SPDX-License-Identifier: Apache-2.0 */
/* RegisterParty, Heartbeat, GetRegisteredParties, WatchPresence. */
#include "services/router/router.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"
#include "system/service/listen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKEN_S = 600 };

static void make_token(const struct router *router, char out[TOKEN_TEXT_MAX],
                       const struct party *party, int64_t now_ms)
{
    struct token token = {.kind = TOKEN_PARTY, .expires = now_ms / 1000 + TOKEN_S};

    snprintf(token.subject, sizeof token.subject, "%s", party->id);
    snprintf(token.role, sizeof token.role, "%s", party->role);
    token_make(out, access_tokens(router->host->access), &token);
}

static void reply_registered(struct router *router, struct rpc_call *call,
                             const struct party *party, int64_t now_ms)
{
    Mpc__Router__V1__RegisterPartyResponse response =
        MPC__ROUTER__V1__REGISTER_PARTY_RESPONSE__INIT;
    char token[TOKEN_TEXT_MAX];

    make_token(router, token, party, now_ms);
    response.party_token = token;
    response.lease_ms = (uint32_t)config_int(router->host->config, "LEASE_MS");
    response.router_boot_id.data = router->boot_id;
    response.router_boot_id.len = sizeof router->boot_id;
    response.server_time_ms = now_ms;
    rpc_reply(call, &response.base);
}

static void refuse_registration(struct router *router, struct rpc_call *call, const char *address,
                                struct rpc_status status)
{
    metric_add(router->metrics.registrations_refused, 1);
    if (status.code == RPC_UNAUTHENTICATED)
        status = access_refused(router->host->access, call, ACCESS_PROOF_REGISTRATION, status);
    else if (strcmp(status.name, "rate_limited") != 0) /* nobody fills the log by trying */
        log_event(LOG_WARN, "a registration was refused", LOG_S("address", address),
                  LOG_S("reason", status.text), LOG_S("trace", rpc_trace(call)));
    rpc_fail(call, status);
}

/* A TLS certificate that names a party is that party's alone. Without one, as it is allowed on
 * HTTP_PORT, nobody becomes a party. */
static struct rpc_status check_certificate(const struct router *router, const struct rpc_call *call,
                                           const char *party_id)
{
    const char *named = rpc_peer_party(call);

    if (listen_has_tls(router->host->config) && !rpc_peer_is_certified(call))
        return rpc_error(RPC_DENIED, "certificate_required",
                         "parties register with a TLS certificate of the operator's authority");
    if (!named[0] || strcmp(named, party_id) == 0)
        return rpc_ok();
    return rpc_error(RPC_DENIED, "wrong_certificate",
                     "the TLS certificate is that of party %s, not of %.64s", named, party_id);
}

/* A registration whose nonce is being asked for. */
struct registering {
    struct router *router;
    struct rpc_call *call;
    struct admission_try try;
    char address[64];
    /* whose tries are counted: the party that the TLS certificate names, otherwise the address */
    char who[80];
};

static void enter(const struct registering *r)
{
    const Mpc__Router__V1__RegisterPartyRequest *in = r->try.request;
    struct moment now = router_now();
    struct router *router = r->router;
    enum registered result = registry_register(router->registry, in, now);

    if (result == REGISTERED_FULL) {
        refuse_registration(router, r->call, r->address,
                            rpc_error(RPC_EXHAUSTED, "too_many_parties",
                                      "this router knows %d parties already", PARTIES_MAX));
        return;
    }
    if (result == REGISTERED_RESTARTED)
        streams_drop(router->streams, in->party_id);
    metric_add(router->metrics.registrations, 1);
    log_event(LOG_INFO, "a party registered", LOG_S("party", in->party_id), LOG_S("role", in->role),
              LOG_S("version", in->version), LOG_S("address", r->address),
              LOG_I("restarted", result == REGISTERED_RESTARTED),
              LOG_S("trace", rpc_trace(r->call)));
    reply_registered(router, r->call, registry_party(router->registry, in->party_id), now.unix_ms);
}

static void admitted(void *arg, struct rpc_status status)
{
    struct registering *r = arg;

    if (status.code == RPC_OK)
        enter(r);
    else
        refuse_registration(r->router, r->call, r->address, status);
    free(r);
}

void router_register_party(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Mpc__Router__V1__RegisterPartyRequest *in = (const void *)request;
    struct router *router = service;
    struct rpc_status status = check_certificate(router, call, in->party_id);
    struct registering *r = mem_new(1, sizeof *r);

    r->router = router;
    r->call = call;
    access_address(router->host->access, call, r->address);
    if (rpc_peer_party(call)[0])
        snprintf(r->who, sizeof r->who, "party/%.64s", rpc_peer_party(call));
    else
        snprintf(r->who, sizeof r->who, "%s", r->address);
    r->try = (struct admission_try){.admission = router->admission,
                                    .request = in,
                                    .who = r->who,
                                    .now_ms = router_now().unix_ms,
                                    .done = admitted,
                                    .arg = r};
    if (status.code == RPC_OK)
        admission_check(&r->try);
    else
        admitted(r, status);
}

void router_heartbeat(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Mpc__Router__V1__HeartbeatRequest *in = (const void *)request;
    Mpc__Router__V1__HeartbeatResponse response = MPC__ROUTER__V1__HEARTBEAT_RESPONSE__INIT;
    struct router *router = service;
    struct moment now = router_now();
    struct party *party = router_caller(router, call, "party_id", in->party_id);
    struct rpc_status status;
    char token[TOKEN_TEXT_MAX];

    if (!party)
        return;
    status = admission_check_clock(in->party_id, in->time_ms, now.unix_ms);
    if (status.code != RPC_OK) {
        rpc_fail(call, status);
        return;
    }
    registry_heartbeat(router->registry, in->party_id, in->load, now);
    make_token(router, token, party, now.unix_ms);
    response.party_token = token;
    response.router_boot_id.data = router->boot_id;
    response.router_boot_id.len = sizeof router->boot_id;
    response.server_time_ms = now.unix_ms;
    rpc_reply(call, &response.base);
}

static bool is_role_filter(const char *role)
{
    return !*role || strcmp(role, "persistent") == 0 || strcmp(role, "delegate") == 0 ||
           strcmp(role, "temporary") == 0;
}

/* The rows of the answer's absent parties, heap, to which |list| leads. */
static Mpc__Router__V1__AbsentParty *absent_rows(Mpc__Router__V1__AbsentParty **list,
                                                 const struct expected *absent, size_t n)
{
    Mpc__Router__V1__AbsentParty *rows = mem_new(n, sizeof *rows);

    for (size_t i = 0; i < n; i++) {
        mpc__router__v1__absent_party__init(&rows[i]);
        rows[i].party_id = (char *)(uintptr_t)absent[i].id;
        rows[i].role = (char *)(uintptr_t)absent[i].role;
        list[i] = &rows[i];
    }
    return rows;
}

static void reply_absent(struct router *router, struct rpc_call *call, const char *role,
                         Mpc__Router__V1__GetRegisteredPartiesResponse *response)
{
    struct expected *absent = attendance_absent(router->attendance, role, &response->n_absent);
    Mpc__Router__V1__AbsentParty *rows;

    response->absent = mem_new(response->n_absent, sizeof *response->absent);
    rows = absent_rows(response->absent, absent, response->n_absent);
    rpc_reply(call, &response->base);
    free(rows);
    free(response->absent);
    free(absent);
}

static void reply_parties(struct router *router, struct rpc_call *call, const char *role)
{
    Mpc__Router__V1__GetRegisteredPartiesResponse response =
        MPC__ROUTER__V1__GET_REGISTERED_PARTIES_RESPONSE__INIT;
    size_t n;
    const struct party **parties = registry_list(router->registry, role, &n);
    Mpc__Router__V1__Party *rows = mem_new(n + 1, sizeof *rows);
    char(*seen)[CLOCK_TEXT_MAX] = mem_new(n + 1, sizeof *seen);

    response.parties = mem_new(n + 1, sizeof *response.parties);
    response.n_parties = n;
    for (size_t i = 0; i < n; i++) {
        party_fill(&rows[i], parties[i], seen[i]);
        response.parties[i] = &rows[i];
    }
    reply_absent(router, call, role, &response);
    free(response.parties);
    free(seen);
    free(rows);
    free(parties);
}

void router_get_registered_parties(struct rpc_call *call, const ProtobufCMessage *request,
                                   void *service)
{
    const Mpc__Router__V1__GetRegisteredPartiesRequest *in = (const void *)request;

    if (is_role_filter(in->role))
        reply_parties(service, call, in->role);
    else
        rpc_fail(call, rpc_error(RPC_INVALID, "invalid_role",
                                 "role must be persistent, delegate or temporary"));
}

void router_watch_presence(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct router *router = service;

    (void)request;
    if (router_is_coordinator(call))
        presence_watch(router->presence, call);
}
