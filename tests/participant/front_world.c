/* SPDX-License-Identifier: Apache-2.0 */
/* See front_world.h. Setups are as small as the front needs them: what they say is the keeper's
 * business. */
#include "front_world.h"

#include "system/core/clock.h"
#include "system/core/log.h"
#include "system/rpc/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HANG_MS = 250000, HEARTBEAT_MS = 20, LIFE_MS = 60000 };

/* The services' side. True: the desk has dealt with the call. */

static bool dealt_with(struct desk *desk, struct rpc_call *call)
{
    desk->came++;
    if (desk->manner == HOLD) {
        assert_true(desk->held_n < HELD_MAX);
        desk->held[desk->held_n++] = call;
        return true;
    }
    if (desk->manner == FAIL) {
        rpc_fail(call, desk->failure);
        return true;
    }
    return false;
}

struct rpc_call *take_held(struct desk *desk)
{
    assert_true(desk->held_n > 0);
    return desk->held[--desk->held_n];
}

static ProtobufCBinaryData boot_of(struct world *w)
{
    return (ProtobufCBinaryData){sizeof w->router_boot, w->router_boot};
}

static void handle_register(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    Mpc__Router__V1__RegisterPartyResponse answer = MPC__ROUTER__V1__REGISTER_PARTY_RESPONSE__INIT;
    const Mpc__Router__V1__RegisterPartyRequest *asked =
        (const Mpc__Router__V1__RegisterPartyRequest *)request;
    struct world *w = service;

    assert_string_equal(asked->party_id, PARTY);
    assert_int_equal(asked->proof.len, 64);
    if (dealt_with(&w->registering, call))
        return;
    answer.party_token = "party-token";
    answer.router_boot_id = boot_of(w);
    answer.server_time_ms = clock_unix_ms();
    rpc_reply(call, &answer.base);
}

static void handle_heartbeat(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    Mpc__Router__V1__HeartbeatResponse answer = MPC__ROUTER__V1__HEARTBEAT_RESPONSE__INIT;
    struct world *w = service;

    (void)request;
    assert_string_equal(rpc_header(call, "authorization"), "Bearer party-token");
    if (dealt_with(&w->heartbeat, call))
        return;
    answer.party_token = "party-token";
    answer.router_boot_id = boot_of(w);
    answer.server_time_ms = clock_unix_ms();
    rpc_reply(call, &answer.base);
}

static void forget_stream(struct rpc_call *call, void *arg)
{
    struct world *w = arg;

    if (w->events == call)
        w->events = NULL;
    if (w->messages == call)
        w->messages = NULL;
    rpc_end(call);
}

static void handle_events(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct world *w = service;

    (void)request;
    w->events = call;
    w->event_streams++;
    rpc_on_cancel(call, forget_stream, w);
}

static void handle_messages(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct world *w = service;

    w->messages = call;
    w->message_streams++;
    w->after = ((const Mpc__Router__V1__SubscribeMessagesRequest *)request)->after;
    rpc_on_cancel(call, forget_stream, w);
}

static void handle_route(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    Mpc__Router__V1__RouteMessageResponse answer = MPC__ROUTER__V1__ROUTE_MESSAGE_RESPONSE__INIT;
    const Mpc__Router__V1__RouteMessageRequest *asked =
        (const Mpc__Router__V1__RouteMessageRequest *)request;
    struct world *w = service;

    assert_string_equal(asked->from, PARTY);
    for (size_t i = 0; i < asked->n_messages && w->routed_n < ROUTED_MAX; i++)
        buffer_add(&w->routed[w->routed_n++], asked->messages[i]->payload.data,
                   asked->messages[i]->payload.len);
    if (dealt_with(&w->route, call))
        return;
    answer.router_boot_id = boot_of(w);
    rpc_reply(call, &answer.base);
}

static void handle_acknowledge(struct rpc_call *call, const ProtobufCMessage *request,
                               void *service)
{
    Mpc__Router__V1__AcknowledgeMessagesResponse answer =
        MPC__ROUTER__V1__ACKNOWLEDGE_MESSAGES_RESPONSE__INIT;
    struct world *w = service;

    if (dealt_with(&w->acknowledge, call))
        return;
    w->acknowledged = ((const Mpc__Router__V1__AcknowledgeMessagesRequest *)request)->through;
    rpc_reply(call, &answer.base);
}

static void handle_poll(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    Mpc__Coordinator__V1__ListInvitationsResponse answer =
        MPC__COORDINATOR__V1__LIST_INVITATIONS_RESPONSE__INIT;
    struct world *w = service;
    Mpc__Session__V1__SessionEvent *event = w->polled;
    Mpc__Session__V1__Order order = MPC__SESSION__V1__ORDER__INIT, *orders = &order;

    (void)request;
    if (dealt_with(&w->poll, call))
        return;
    answer.n_orders = w->polled_order;
    answer.orders = &orders;
    w->polled_order = false;
    answer.n_events = event ? 1 : 0;
    answer.events = &event;
    answer.server_time_ms = clock_unix_ms();
    rpc_reply(call, &answer.base);
    if (event)
        mpc__session__v1__session_event__free_unpacked(event, NULL);
    w->polled = NULL;
}

static void fill_setup(const struct world *w, Mpc__Session__V1__Setup *setup,
                       Mpc__Session__V1__Member *member, const char *session_id)
{
    mpc__session__v1__setup__init(setup);
    mpc__session__v1__member__init(member);
    member->party_id = PARTY;
    member->index = 1;
    setup->session_id = (char *)session_id;
    setup->session_type = (char *)w->session_type;
    if (w->user_key)
        setup->user_public_key = (ProtobufCBinaryData){32, (uint8_t *)w->user_key};
    setup->deadline_ms = clock_unix_ms() + LIFE_MS;
    setup->n_members = 1;
    setup->trace_id = "0123456789abcdef0123456789abcdef";
}

void answer_join(struct world *w, struct rpc_call *call, const char *session_token)
{
    Mpc__Coordinator__V1__JoinSessionResponse answer =
        MPC__COORDINATOR__V1__JOIN_SESSION_RESPONSE__INIT;
    Mpc__Session__V1__Member member, *members[] = {&member};
    Mpc__Session__V1__Setup setup;

    fill_setup(w, &setup, &member, w->joined);
    setup.members = members;
    answer.setup = &setup;
    answer.session_token = (char *)session_token;
    rpc_reply(call, &answer.base);
}

static void handle_join(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Mpc__Coordinator__V1__JoinSessionRequest *asked =
        (const Mpc__Coordinator__V1__JoinSessionRequest *)request;
    struct world *w = service;

    assert_string_equal(asked->party_id, PARTY);
    assert_string_equal(asked->join_token, "join-token");
    assert_true(strlen(asked->idempotency_key) >= 16);
    snprintf(w->joined, sizeof w->joined, "%s", asked->session_id);
    if (!dealt_with(&w->join, call))
        answer_join(w, call, "session-token");
}

void answer_report(struct world *w, struct rpc_call *call)
{
    Mpc__Coordinator__V1__ReportCompletionResponse answer =
        MPC__COORDINATOR__V1__REPORT_COMPLETION_RESPONSE__INIT;

    (void)w;
    answer.status = "completed";
    rpc_reply(call, &answer.base);
}

static void handle_report(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Mpc__Coordinator__V1__ReportCompletionRequest *asked =
        (const Mpc__Coordinator__V1__ReportCompletionRequest *)request;
    struct world *w = service;

    w->reported_attempt = asked->attempt;
    snprintf(w->reported_token, sizeof w->reported_token, "%s", asked->session_token);
    assert_int_not_equal(asked->outcome_case, 0);
    if (!dealt_with(&w->report, call))
        answer_report(w, call);
}

static void handle_submit(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    Mpc__Coordinator__V1__SubmitDelegateShareResponse answer =
        MPC__COORDINATOR__V1__SUBMIT_DELEGATE_SHARE_RESPONSE__INIT;
    struct world *w = service;

    assert_true(
        ((const Mpc__Coordinator__V1__SubmitDelegateShareRequest *)request)->sealed_share.len > 0);
    if (!dealt_with(&w->submit, call))
        rpc_reply(call, &answer.base);
}

void answer_find(struct world *w, struct rpc_call *call, const char *session_id)
{
    Mpc__Coordinator__V1__GetSessionStatusResponse answer =
        MPC__COORDINATOR__V1__GET_SESSION_STATUS_RESPONSE__INIT;
    Mpc__Session__V1__Session session = MPC__SESSION__V1__SESSION__INIT;
    Mpc__Session__V1__Member member = MPC__SESSION__V1__MEMBER__INIT, *members = &member;
    char *parties = (char *)w->found_party;

    if (!w->found_status) {
        rpc_fail(call, rpc_error(RPC_NOT_FOUND, "session_not_found", "there is none"));
        return;
    }
    session.session_id = (char *)session_id;
    session.status = (char *)w->found_status;
    session.parties = &parties;
    session.n_parties = w->found_party ? 1 : 0;
    session.signature = w->found_signature;
    if (w->found_signature) {
        session.public_key = (char *)w->found_key;
        session.message_hash = (char *)w->found_hash;
    }
    member.party_id = (char *)w->found_member;
    answer.session = &session;
    answer.members = &members;
    answer.n_members = 1;
    rpc_reply(call, &answer.base);
}

static void handle_find(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Mpc__Coordinator__V1__GetSessionStatusRequest *asked =
        (const Mpc__Coordinator__V1__GetSessionStatusRequest *)request;
    struct world *w = service;

    assert_string_equal(rpc_header(call, "authorization"), "Bearer party-token");
    w->find_wait_s = asked->wait;
    if (!dealt_with(&w->find, call))
        answer_find(w, call, asked->session_id);
}

#define ROW(service, name, in, out, stream, handler)                                               \
    {                                                                                              \
        .path = service name, .request = &mpc__##in##__descriptor,                                 \
        .response = &mpc__##out##__descriptor, .is_stream = stream, .handle = handler              \
    }

static const struct rpc_method methods[] = {
    ROW("mpc.router.v1.MessageRouter/", "RegisterParty", router__v1__register_party_request,
        router__v1__register_party_response, false, handle_register),
    ROW("mpc.router.v1.MessageRouter/", "Heartbeat", router__v1__heartbeat_request,
        router__v1__heartbeat_response, false, handle_heartbeat),
    ROW("mpc.router.v1.MessageRouter/", "SubscribeSessionEvents",
        router__v1__subscribe_session_events_request, session__v1__session_event, true,
        handle_events),
    ROW("mpc.router.v1.MessageRouter/", "SubscribeMessages", router__v1__subscribe_messages_request,
        router__v1__message_batch, true, handle_messages),
    ROW("mpc.router.v1.MessageRouter/", "RouteMessage", router__v1__route_message_request,
        router__v1__route_message_response, false, handle_route),
    ROW("mpc.router.v1.MessageRouter/", "AcknowledgeMessages",
        router__v1__acknowledge_messages_request, router__v1__acknowledge_messages_response, false,
        handle_acknowledge),
    ROW("mpc.coordinator.v1.SessionCoordinator/", "ListInvitations",
        coordinator__v1__list_invitations_request, coordinator__v1__list_invitations_response,
        false, handle_poll),
    ROW("mpc.coordinator.v1.SessionCoordinator/", "GetSessionStatus",
        coordinator__v1__get_session_status_request, coordinator__v1__get_session_status_response,
        false, handle_find),
    ROW("mpc.coordinator.v1.SessionCoordinator/", "JoinSession",
        coordinator__v1__join_session_request, coordinator__v1__join_session_response, false,
        handle_join),
    ROW("mpc.coordinator.v1.SessionCoordinator/", "ReportCompletion",
        coordinator__v1__report_completion_request, coordinator__v1__report_completion_response,
        false, handle_report),
    ROW("mpc.coordinator.v1.SessionCoordinator/", "SubmitDelegateShare",
        coordinator__v1__submit_delegate_share_request,
        coordinator__v1__submit_delegate_share_response, false, handle_submit),
    {0},
};

static struct rpc_status allow(struct rpc_call *call, void *arg)
{
    (void)call;
    (void)arg;
    return rpc_ok();
}

/* What the services say. */

static void with_event(struct world *w, const char *type, const char *session_id, uint32_t attempt,
                       const char *token,
                       void (*tell)(struct world *w, const Mpc__Session__V1__SessionEvent *event))
{
    Mpc__Session__V1__SessionEvent event = MPC__SESSION__V1__SESSION_EVENT__INIT;
    Mpc__Session__V1__Member member, *members[] = {&member};
    Mpc__Session__V1__Setup setup;

    fill_setup(w, &setup, &member, session_id);
    setup.attempt = attempt;
    setup.members = members;
    event.event_type = (char *)type;
    event.session_id = (char *)session_id;
    event.attempt = attempt;
    event.setup = &setup;
    if (token)
        event.join_token = (char *)token;
    tell(w, &event);
}

static void push(struct world *w, const Mpc__Session__V1__SessionEvent *event)
{
    assert_non_null(w->events);
    rpc_send(w->events, &event->base);
}

void say_invited(struct world *w, const char *type, const char *session_id, uint32_t attempt,
                 const char *token)
{
    with_event(w, type, session_id, attempt, token, push);
}

static void put_down(struct world *w, const Mpc__Session__V1__SessionEvent *event)
{
    size_t len = mpc__session__v1__session_event__get_packed_size(event);
    uint8_t *b = malloc(len + 1);

    mpc__session__v1__session_event__pack(event, b);
    w->polled = mpc__session__v1__session_event__unpack(NULL, len, b);
    free(b);
}

void poll_invited(struct world *w, const char *session_id, uint32_t attempt, const char *token)
{
    with_event(w, "session_created", session_id, attempt, token, put_down);
}

void say_ended(struct world *w, const char *type, const char *session_id)
{
    Mpc__Session__V1__SessionEvent event = MPC__SESSION__V1__SESSION_EVENT__INIT;

    event.event_type = (char *)type;
    event.session_id = (char *)session_id;
    push(w, &event);
}

void say_message(struct world *w, int64_t seq, const char *session_id, uint32_t attempt,
                 const char *payload)
{
    Mpc__Router__V1__MessageBatch batch = MPC__ROUTER__V1__MESSAGE_BATCH__INIT;
    Mpc__Router__V1__IncomingMessage message = MPC__ROUTER__V1__INCOMING_MESSAGE__INIT;
    Mpc__Router__V1__IncomingMessage *messages[] = {&message};

    message.seq = seq;
    message.from = "server-party-2";
    message.session_id = (char *)session_id;
    message.attempt = attempt;
    message.payload = (ProtobufCBinaryData){strlen(payload), (uint8_t *)payload};
    batch.router_boot_id = boot_of(w);
    batch.n_messages = 1;
    batch.messages = messages;
    assert_non_null(w->messages);
    rpc_send(w->messages, &batch.base);
}

/* Life. */

static void on_hang(uv_timer_t *timer)
{
    (void)timer;
    fprintf(stderr, "the test hangs\n");
    abort();
}

static void on_fault(void *arg, const char *why)
{
    struct world *w = arg;

    w->has_fault = true;
    snprintf(w->fault, sizeof w->fault, "%s", why);
}

struct rpc_channel *world_dial(struct world *w)
{
    const struct rpc_channel_params params = {.target = w->target,
                                              .retry = {.step_ms = 5, .cap_ms = 20}};

    return rpc_channel_new(&w->loop, &params);
}

static void start_front(struct world *w, int fd, world_host *make_host)
{
    const struct front_host host = make_host ? make_host(w) : (struct front_host){0};
    const struct front_params params = {.loop = &w->loop,
                                        .keeper_fd = fd,
                                        .link = {.router = w->router = world_dial(w),
                                                 .coordinator = w->coordinator = world_dial(w),
                                                 .hangup = rpc_channel_free,
                                                 .version = "test",
                                                 .capacity = 4,
                                                 .heartbeat_ms = HEARTBEAT_MS,
                                                 .tries = 3},
                                        .fault = on_fault,
                                        .fault_arg = w,
                                        .host = &host};

    w->front = front_new(&params);
}

struct world *world_new(const char *role, world_host *make_host)
{
    struct world *w = mem_new(1, sizeof *w);
    char error[RPC_TEXT_MAX] = "";
    int pair[2];

    log_setup("test", LOG_ERROR);
    uv_loop_init(&w->loop);
    uv_timer_init(&w->loop, &w->watchdog);
    uv_timer_start(&w->watchdog, on_hang, HANG_MS, 0);
    w->router_boot[0] = 1;
    w->session_type = "sign";
    w->server = rpc_server_new(&w->loop, &(struct rpc_limits){0});
    rpc_server_guard(w->server, allow, NULL);
    rpc_server_add(w->server, methods, NULL, w);
    assert_true(rpc_server_listen(w->server, "127.0.0.1", 0, NULL, error));
    snprintf(w->target, sizeof w->target, "127.0.0.1:%d", rpc_server_port(w->server));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    uv_pipe_init(&w->loop, &w->keeper, 0);
    uv_pipe_open(&w->keeper, pair[1]);
    w->keeper.data = w;
    world_listen(w);
    start_front(w, pair[0], make_host);
    keeper_ready(w, role);
    return w;
}

/* A handler that holds a call has its memory, whoever else is gone. */
static void let_go_all(struct world *w)
{
    struct desk *desks[] = {&w->registering, &w->heartbeat,   &w->join, &w->report, &w->submit,
                            &w->route,       &w->acknowledge, &w->poll, &w->find};

    for (size_t i = 0; i < sizeof desks / sizeof desks[0]; i++)
        while (desks[i]->held_n)
            rpc_fail(take_held(desks[i]), rpc_error(RPC_UNAVAILABLE, "unavailable", "the end"));
}

void world_free(struct world *w)
{
    front_free(w->front);
    let_go_all(w);
    rpc_server_free(w->server);
    if (!uv_is_closing((uv_handle_t *)&w->keeper))
        uv_close((uv_handle_t *)&w->keeper, NULL);
    uv_close((uv_handle_t *)&w->watchdog, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    for (size_t i = 0; i < w->frames_n; i++)
        mpc__keeper__v1__to_keeper__free_unpacked(w->frames[i], NULL);
    for (size_t i = 0; i < w->routed_n; i++)
        buffer_free(&w->routed[i]);
    if (w->polled)
        mpc__session__v1__session_event__free_unpacked(w->polled, NULL);
    buffer_free(&w->in);
    free(w);
}

void world_until(struct world *w, bool (*is_so)(struct world *w))
{
    while (!is_so(w))
        uv_run(&w->loop, UV_RUN_ONCE);
}

/* Two heartbeats went round: whatever was on its way before them has arrived. */
void world_settle(struct world *w)
{
    unsigned beats = w->heartbeat.came + 3;

    while (w->heartbeat.came < beats)
        uv_run(&w->loop, UV_RUN_ONCE);
}

bool is_ready(struct world *w)
{
    return front_is_ready(w->front) && w->events && w->messages;
}

void world_ready(struct world *w)
{
    world_until(w, is_ready);
}
