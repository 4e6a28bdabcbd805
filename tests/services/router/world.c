/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include "system/access/identity.h"
#include "system/core/clock.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HANG_MS = 120000, CALL_MS = 60000 };

static void on_hang(uv_timer_t *timer)
{
    (void)timer;
    fprintf(stderr, "nothing happened for %d ms\n", HANG_MS);
    abort();
}

void world_until(struct world *w, const bool *flag)
{
    uv_timer_start(&w->watchdog, on_hang, HANG_MS, 0);
    while (!*flag)
        uv_run(&w->loop, UV_RUN_ONCE);
    uv_timer_stop(&w->watchdog);
}

void world_until_is(struct world *w, bool (*is)(void))
{
    uv_timer_start(&w->watchdog, on_hang, HANG_MS, 0);
    while (!is())
        uv_run(&w->loop, UV_RUN_ONCE);
    uv_timer_stop(&w->watchdog);
}

static void configure(struct world *w, const char *mailbox_bytes, const char *lease_ms)
{
    char ca[65], path[] = "/tmp/quorate-router-XXXXXX", error[CONFIG_ERROR_MAX];
    int file = mkstemp(path);

    assert_true(file >= 0);
    close(file);
    setenv("ENVIRONMENT", "development", 1);
    setenv("TLS", "off", 1);
    setenv("JWT_SECRET_KEY", "a secret of more than thirty-two characters", 1);
    setenv("MPC_API_KEY", "the-key", 1);
    setenv("ALLOWED_IPS", "127.0.0.1", 1);
    setenv("CA_KEY", sodium_bin2hex(ca, sizeof ca, w->ca, 32), 1);
    setenv("MAILBOX_BYTES", mailbox_bytes, 1);
    setenv("LEASE_MS", lease_ms, 1);
    w->host.config = config_load(CONFIG_ROUTER, path, error);
    unlink(path);
    if (!w->host.config)
        fprintf(stderr, "%s\n", error);
    assert_non_null(w->host.config);
}

static void start_router(struct world *w)
{
    struct rpc_limits limits = {0};
    char error[RPC_TEXT_MAX];

    w->host.name = "message-router";
    w->host.loop = &w->loop;
    w->host.access = access_new(w->host.config, CONFIG_ROUTER, error);
    assert_non_null(w->host.access);
    w->host.server = rpc_server_new(&w->loop, &limits);
    rpc_server_guard(w->host.server, access_guard, w->host.access);
    w->router = router_start(&w->host, error);
    assert_non_null(w->router);
    assert_true(rpc_server_listen(w->host.server, "127.0.0.1", 0, NULL, error));
    snprintf(w->target, sizeof w->target, "127.0.0.1:%d", rpc_server_port(w->host.server));
}

struct rpc_channel *world_channel(struct world *w, const char *authorization, const char *api_key)
{
    struct rpc_channel_params params = {.target = w->target,
                                        .retry = {.step_ms = 10, .cap_ms = 100, .max = 100}};
    struct rpc_channel *channel = rpc_channel_new(&w->loop, &params);

    assert_non_null(channel);
    rpc_channel_authorize(channel, authorization, api_key);
    return channel;
}

struct rpc_channel *world_service(struct world *w, const char *name)
{
    struct token token = {.kind = TOKEN_SERVICE, .expires = clock_unix_ms() / 1000 + 600};
    char text[TOKEN_TEXT_MAX], bearer[TOKEN_TEXT_MAX + 8];

    snprintf(token.subject, sizeof token.subject, "%s", name);
    token_make(text, access_tokens(w->host.access), &token);
    snprintf(bearer, sizeof bearer, "Bearer %s", text);
    return world_channel(w, bearer, NULL);
}

static void make_peers(struct world *w)
{
    for (size_t i = 0; i < 4; i++) {
        struct peer *peer = &w->peers[i];

        snprintf(peer->id, sizeof peer->id, "server-party-%zu", i + 1);
        peer->role = i == 3 ? "delegate" : "persistent";
        crypto_sign_keypair(peer->key, peer->secret);
        randombytes_buf(peer->boot_id, sizeof peer->boot_id);
        peer->channel = world_channel(w, NULL, NULL);
    }
}

struct world *world_new(const char *mailbox_bytes, const char *lease_ms)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    assert_true(sodium_init() >= 0);
    assert_int_equal(uv_loop_init(&w->loop), 0);
    uv_timer_init(&w->loop, &w->watchdog);
    uv_unref((uv_handle_t *)&w->watchdog);
    crypto_sign_keypair(w->ca, w->ca_secret);
    configure(w, mailbox_bytes, lease_ms);
    start_router(w);
    w->coordinator = world_service(w, "session-coordinator");
    w->backend = world_channel(w, NULL, "the-key");
    make_peers(w);
    return w;
}

static void forget_answer(struct answer *answer)
{
    if (answer->response)
        protobuf_c_message_free_unpacked(answer->response, NULL);
    memset(answer, 0, sizeof *answer);
}

static void on_stopped(void *arg)
{
    *(bool *)arg = true;
}

void world_free(struct world *w)
{
    bool is_server_stopped = false;

    if (!w->is_stopped) {
        router_stop(w->router, on_stopped, &w->is_stopped);
        world_until(w, &w->is_stopped);
    }
    for (size_t i = 0; i < 4; i++) {
        forget_answer(&w->peers[i].answer);
        rpc_channel_free(w->peers[i].channel);
    }
    forget_answer(&w->answer);
    rpc_channel_free(w->coordinator);
    rpc_channel_free(w->backend);
    rpc_server_stop(w->host.server, 1000, on_stopped, &is_server_stopped);
    world_until(w, &is_server_stopped);
    router_free(w->router);
    rpc_server_free(w->host.server);
    uv_close((uv_handle_t *)&w->watchdog, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    access_free(w->host.access);
    config_free((struct config *)(uintptr_t)w->host.config);
    free(w);
}

/* A message that outlives the callback it came in. */
static ProtobufCMessage *copy_of(const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *b = malloc(len + 1);
    ProtobufCMessage *copy;

    assert_non_null(b);
    protobuf_c_message_pack(message, b);
    copy = protobuf_c_message_unpack(message->descriptor, NULL, len, b);
    free(b);
    assert_non_null(copy);
    return copy;
}

static void on_answer(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    struct answer *answer = arg;

    answer->status = *status;
    answer->response = response ? copy_of(response) : NULL;
    answer->is_done = true;
}

void world_call(struct world *w, struct rpc_channel *channel, const char *path,
                const ProtobufCMessage *message, const ProtobufCMessageDescriptor *response,
                struct answer *out)
{
    struct rpc_request request = {.path = path,
                                  .message = message,
                                  .response = response,
                                  .deadline_ms = CALL_MS,
                                  .trace = TRACE,
                                  .done = on_answer,
                                  .arg = out};

    forget_answer(out);
    rpc_start(channel, &request);
    world_until(w, &out->is_done);
}

static void set_token(struct rpc_channel *channel, const char *token)
{
    char bearer[TOKEN_TEXT_MAX + 8];

    snprintf(bearer, sizeof bearer, "Bearer %s", token);
    rpc_channel_authorize(channel, bearer, NULL);
}

static Mpc__Session__V1__PartyCertificate *certify(const struct world *w, const struct peer *peer)
{
    struct identity identity = {0};
    Mpc__Session__V1__PartyCertificate *certificate;
    uint8_t *b;
    size_t len;

    snprintf(identity.party_id, sizeof identity.party_id, "%s", peer->id);
    snprintf(identity.role, sizeof identity.role, "%s", peer->role);
    memcpy(identity.key, peer->key, 32);
    b = identity_issue(&len, &identity, w->ca_secret);
    certificate = mpc__session__v1__party_certificate__unpack(NULL, len, b);
    free(b);
    assert_non_null(certificate);
    return certificate;
}

enum rpc_code peer_register(struct world *w, size_t i)
{
    struct peer *peer = &w->peers[i];
    Mpc__Router__V1__RegisterPartyRequest request = MPC__ROUTER__V1__REGISTER_PARTY_REQUEST__INIT;
    Mpc__Session__V1__PartyCertificate *certificate = certify(w, peer);
    uint8_t nonce[16], proof[64];
    struct registration registration = {peer->id, peer->role, peer->boot_id, clock_unix_ms(),
                                        nonce};

    randombytes_buf(nonce, sizeof nonce);
    registration_sign(proof, &registration, peer->secret);
    request.party_id = peer->id;
    request.role = (char *)(uintptr_t)peer->role;
    request.version = (char *)(uintptr_t) "0.1.0";
    request.capacity = 64;
    request.time_ms = registration.time_ms;
    request.certificate = certificate;
    request.boot_id = (ProtobufCBinaryData){16, peer->boot_id};
    request.nonce = (ProtobufCBinaryData){16, nonce};
    request.proof = (ProtobufCBinaryData){64, proof};
    world_call(w, peer->channel, ROUTER "RegisterParty", &request.base,
               &mpc__router__v1__register_party_response__descriptor, &peer->answer);
    mpc__session__v1__party_certificate__free_unpacked(certificate, NULL);
    if (peer->answer.response)
        set_token(peer->channel,
                  ((Mpc__Router__V1__RegisterPartyResponse *)peer->answer.response)->party_token);
    return peer->answer.status.code;
}

enum rpc_code peer_heartbeat(struct world *w, size_t i, uint32_t load)
{
    struct peer *peer = &w->peers[i];
    Mpc__Router__V1__HeartbeatRequest request = MPC__ROUTER__V1__HEARTBEAT_REQUEST__INIT;

    request.party_id = peer->id;
    request.load = load;
    request.time_ms = clock_unix_ms();
    world_call(w, peer->channel, ROUTER "Heartbeat", &request.base,
               &mpc__router__v1__heartbeat_response__descriptor, &peer->answer);
    return peer->answer.status.code;
}

enum rpc_code peer_send(struct world *w, size_t i, const char *session_id, const char *to,
                        uint8_t fill, size_t len)
{
    struct peer *peer = &w->peers[i];
    Mpc__Router__V1__RouteMessageRequest request = MPC__ROUTER__V1__ROUTE_MESSAGE_REQUEST__INIT;
    Mpc__Router__V1__OutgoingMessage message = MPC__ROUTER__V1__OUTGOING_MESSAGE__INIT;
    Mpc__Router__V1__OutgoingMessage *list[] = {&message};
    char *receivers[] = {(char *)(uintptr_t)to};
    uint8_t *payload = malloc(len + 1);

    assert_non_null(payload);
    memset(payload, fill, len);
    message.session_id = (char *)(uintptr_t)session_id;
    message.to = receivers;
    message.n_to = 1;
    message.payload = (ProtobufCBinaryData){len, payload};
    request.from = peer->id;
    request.messages = list;
    request.n_messages = 1;
    world_call(w, peer->channel, ROUTER "RouteMessage", &request.base,
               &mpc__router__v1__route_message_response__descriptor, &peer->answer);
    free(payload);
    return peer->answer.status.code;
}

static void on_message(void *arg, const ProtobufCMessage *message)
{
    struct listener *listener = arg;

    assert_true(listener->n < STREAM_MESSAGES_MAX);
    listener->got[listener->n++] = copy_of(message);
}

static void on_end(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    struct listener *listener = arg;

    (void)response;
    listener->status = *status;
    listener->is_done = true;
}

void listen_to(struct rpc_channel *channel, const char *path, struct listener *listener,
               const ProtobufCMessage *message, const ProtobufCMessageDescriptor *type)
{
    struct rpc_request request = {.path = path,
                                  .message = message,
                                  .response = type,
                                  .each = on_message,
                                  .done = on_end,
                                  .arg = listener};

    memset(listener, 0, sizeof *listener);
    listener->pending = rpc_start(channel, &request);
}

void listen_messages(struct world *w, size_t i, struct listener *listener, int64_t after)
{
    Mpc__Router__V1__SubscribeMessagesRequest request =
        MPC__ROUTER__V1__SUBSCRIBE_MESSAGES_REQUEST__INIT;

    request.party_id = w->peers[i].id;
    request.after = after;
    request.router_boot_id = (ProtobufCBinaryData){ROUTER_BOOT_BYTES, w->router->boot_id};
    listen_to(w->peers[i].channel, ROUTER "SubscribeMessages", listener, &request.base,
              &mpc__router__v1__message_batch__descriptor);
}

void listen_events(struct world *w, size_t i, struct listener *listener)
{
    Mpc__Router__V1__SubscribeSessionEventsRequest request =
        MPC__ROUTER__V1__SUBSCRIBE_SESSION_EVENTS_REQUEST__INIT;

    request.party_id = w->peers[i].id;
    listen_to(w->peers[i].channel, ROUTER "SubscribeSessionEvents", listener, &request.base,
              &mpc__session__v1__session_event__descriptor);
}

void listener_until(struct world *w, struct listener *listener, size_t n)
{
    uv_timer_start(&w->watchdog, on_hang, HANG_MS, 0);
    while (listener->n < n && !listener->is_done)
        uv_run(&w->loop, UV_RUN_ONCE);
    uv_timer_stop(&w->watchdog);
    assert_true(listener->n >= n);
}

size_t listener_letters(const struct listener *listener)
{
    size_t n = 0;

    for (size_t i = 0; i < listener->n; i++)
        n += ((Mpc__Router__V1__MessageBatch *)listener->got[i])->n_messages;
    return n;
}

void letters_until(struct world *w, struct listener *listener, size_t n)
{
    while (listener_letters(listener) < n)
        listener_until(w, listener, listener->n + 1);
}

const Mpc__Router__V1__IncomingMessage *letter_at(const struct listener *listener, size_t i)
{
    for (size_t b = 0; b < listener->n; b++) {
        const Mpc__Router__V1__MessageBatch *batch = (const void *)listener->got[b];

        if (i < batch->n_messages)
            return batch->messages[i];
        i -= batch->n_messages;
    }
    return NULL;
}

void listener_end(struct listener *listener)
{
    if (!listener->is_done)
        rpc_cancel(listener->pending);
    for (size_t i = 0; i < listener->n; i++)
        protobuf_c_message_free_unpacked(listener->got[i], NULL);
    listener->n = 0;
}

/* All that an event with a setup points at. */
struct event {
    Mpc__Session__V1__SessionEvent event;
    Mpc__Session__V1__Setup setup;
    Mpc__Session__V1__Member members[4], *list[4];
    Mpc__Router__V1__PublishSessionEventRequest__JoinTokensEntry tokens[4], *token_list[4];
    char *to[4];
    char text[4][32];
};

static void fill_event(struct event *e, struct world *w, size_t i)
{
    mpc__session__v1__member__init(&e->members[i]);
    mpc__router__v1__publish_session_event_request__join_tokens_entry__init(&e->tokens[i]);
    snprintf(e->text[i], sizeof e->text[i], "token of %zu", i);
    e->members[i].party_id = w->peers[i].id;
    e->members[i].index = (uint32_t)i + 1;
    e->list[i] = &e->members[i];
    e->tokens[i].key = w->peers[i].id;
    e->tokens[i].value = e->text[i];
    e->token_list[i] = &e->tokens[i];
    e->to[i] = w->peers[i].id;
}

enum rpc_code publish(struct world *w, const char *session_id, const char *type, size_t members)
{
    Mpc__Router__V1__PublishSessionEventRequest request =
        MPC__ROUTER__V1__PUBLISH_SESSION_EVENT_REQUEST__INIT;
    static struct event e;

    mpc__session__v1__session_event__init(&e.event);
    mpc__session__v1__setup__init(&e.setup);
    for (size_t i = 0; i < 4; i++)
        fill_event(&e, w, i);
    e.setup.session_id = e.event.session_id = (char *)(uintptr_t)session_id;
    e.setup.session_type = (char *)(uintptr_t) "sign";
    e.setup.threshold_t = 2;
    e.setup.threshold_n = 3;
    e.setup.members = e.list;
    e.setup.n_members = members;
    e.event.event_type = (char *)(uintptr_t)type;
    e.event.trace_id = (char *)(uintptr_t)TRACE;
    e.event.setup = members ? &e.setup : NULL;
    request.event = &e.event;
    request.to = e.to;
    request.n_to = members ? members : 2;
    request.join_tokens = e.token_list;
    request.n_join_tokens = request.n_to;
    request.deadline_ms = clock_unix_ms() + 60000;
    world_call(w, w->coordinator, ROUTER "PublishSessionEvent", &request.base,
               &mpc__router__v1__publish_session_event_response__descriptor, &w->answer);
    return w->answer.status.code;
}

struct world *world_registered(void)
{
    struct world *w = world_new("1048576", LEASE_LONG);

    for (size_t i = 0; i < 3; i++)
        assert_int_equal(peer_register(w, i), RPC_OK);
    return w;
}
