/* SPDX-License-Identifier: Apache-2.0 */
/* See harness.h. */
#include "harness.h"

#include "services/coordinator/service.h"
#include "system/access/access.h"
#include "system/access/identity.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/service/library.h"
#include "tests/support/port.h"

#include <poll.h>
#include <secp256k1.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WATCHDOG_MS = 120000 };

static void publish_event(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct harness *h = service;
    Mpc__Router__V1__PublishSessionEventResponse m =
        MPC__ROUTER__V1__PUBLISH_SESSION_EVENT_RESPONSE__INIT;
    size_t len = protobuf_c_message_get_packed_size(request);
    uint8_t *b = mem_new(len + 1, 1);

    assert_true(h->published_n < PUBLISHED_MAX);
    protobuf_c_message_pack(request, b);
    h->published[h->published_n++] =
        mpc__router__v1__publish_session_event_request__unpack(NULL, len, b);
    free(b);
    rpc_reply(call, &m.base);
}

struct presence_list {
    Mpc__Router__V1__PresenceBatch message;
    Mpc__Router__V1__Presence presences[PARTIES], *list[PARTIES];
    Mpc__Router__V1__Party parties[PARTIES];
};

static void list_presence(struct presence_list *out, struct harness *h, bool snapshot)
{
    mpc__router__v1__presence_batch__init(&out->message);
    out->message.snapshot = snapshot;
    out->message.presences = out->list;
    for (size_t i = 0; i < PARTIES; i++) {
        struct party *p = &h->parties[i];

        if (p->capacity == UINT32_MAX) /* the router does not know it */
            continue;
        mpc__router__v1__presence__init(&out->presences[i]);
        mpc__router__v1__party__init(&out->parties[i]);
        out->parties[i].party_id = p->id;
        out->parties[i].role = (char *)(uintptr_t)p->role;
        out->parties[i].capacity = p->capacity;
        out->parties[i].load = p->load;
        out->parties[i].live = p->is_live;
        out->presences[i].party = &out->parties[i];
        out->presences[i].certificate = p->certificate;
        out->presences[i].boot_id = (ProtobufCBinaryData){16, p->boot_id};
        out->presences[i].router = (char *)(uintptr_t)p->router;
        out->list[out->message.n_presences++] = &out->presences[i];
    }
}

static void send_presence(struct harness *h, bool snapshot)
{
    struct presence_list list;

    list_presence(&list, h, snapshot);
    rpc_send(h->presence, &list.message.base);
}

void harness_was_present(struct harness *h, int64_t ago_ms)
{
    struct presence_list list;

    list_presence(&list, h, true);
    pool_update(h->c->pool, &list.message, clock_unix_ms() - ago_ms);
}

static void presence_gone(struct rpc_call *call, void *arg)
{
    struct harness *h = arg;

    if (h->presence == call)
        h->presence = NULL;
    rpc_end(call);
}

static void watch_presence(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct harness *h = service;

    (void)request;
    h->presence = call;
    rpc_on_cancel(call, presence_gone, h);
    if (!h->is_silent)
        send_presence(h, true);
}

static const struct rpc_method router_methods[] = {
    {.path = "mpc.router.v1.MessageRouter/PublishSessionEvent",
     .request = &mpc__router__v1__publish_session_event_request__descriptor,
     .response = &mpc__router__v1__publish_session_event_response__descriptor,
     .handle = publish_event},
    {.path = "mpc.router.v1.MessageRouter/WatchPresence",
     .request = &mpc__router__v1__watch_presence_request__descriptor,
     .response = &mpc__router__v1__presence_batch__descriptor,
     .is_stream = true,
     .handle = watch_presence},
    {0}};
static const struct rpc_route no_routes[] = {{0}};

static struct rpc_status allow(struct rpc_call *call, void *arg)
{
    (void)call;
    (void)arg;
    return rpc_ok();
}

static void start_router(struct harness *h)
{
    char error[RPC_TEXT_MAX];

    h->router = rpc_server_new(&h->loop, NULL);
    rpc_server_add(h->router, router_methods, no_routes, h);
    rpc_server_guard(h->router, allow, NULL);
    if (!rpc_server_listen(h->router, "127.0.0.1", h->router_port, NULL, error))
        fail_msg("%s", error);
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

static bool flag_is_set(struct harness *h, const void *arg)
{
    (void)h;
    return *(const bool *)arg;
}

static void stop_server(struct harness *h, struct rpc_server *server)
{
    bool stopped = false;

    rpc_server_stop(server, 0, set_flag, &stopped);
    harness_run_until(h, flag_is_set, &stopped);
    rpc_server_free(server);
}

/* Write a copy, because the configuration is read from a file. */
static void load_config(struct harness *h, const char *variables)
{
    char path[96], error[CONFIG_ERROR_MAX], ca[65], operator[65];
    FILE *file;

    snprintf(path, sizeof path, "%s/env", h->dir);
    hex_encode(ca, h->ca + 32, 32);
    hex_encode(operator, h->operator_pk, 32);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    fprintf(file,
            "ENVIRONMENT=development\nDATA_DIR=%s\nLISTEN_HOST=127.0.0.1\nTLS=off\n"
            "JWT_SECRET_KEY=0123456789abcdef0123456789abcdef\nMPC_API_KEY=test-key\n"
            "ALLOWED_IPS=127.0.0.1\nCA_KEY=%s\nOPERATOR_KEY=%s\nROUTER_ADDR=127.0.0.1:%d\n"
            "RETRY_MAX=1000\nRETRY_DELAY_MS=10\nKEYGEN_ATTEMPT_MS=600000\n%s%s",
            h->dir, ca, operator, h->router_port,
            strstr(variables, "SIGN_ATTEMPT_MS") ? "" : "SIGN_ATTEMPT_MS=600000\n", variables);
    fclose(file);
    h->config = config_load(CONFIG_COORDINATOR, path, error);
    if (!h->config)
        fail_msg("%s", error);
}

static bool is_ready(struct harness *h, const void *arg)
{
    (void)arg;
    return coordinator_service.is_ready(h->c);
}

static bool presence_is_back(struct harness *h, const void *arg)
{
    (void)arg;
    return h->presence;
}

static void start_coordinator(struct harness *h)
{
    char error[RPC_TEXT_MAX], target[32];

    h->access = access_new(h->config, CONFIG_COORDINATOR, error);
    if (!h->access)
        fail_msg("%s", error);
    h->host = (struct service_host){.name = "session-coordinator",
                                    .loop = &h->loop,
                                    .config = h->config,
                                    .server = rpc_server_new(&h->loop, NULL),
                                    .access = h->access};
    rpc_server_guard(h->host.server, access_guard, h->access);
    h->presence = NULL; /* the one before may not be gone yet */
    h->c = coordinator_service.start(&h->host, error);
    if (!h->c)
        fail_msg("%s", error);
    if (!rpc_server_listen(h->host.server, "127.0.0.1", 0, NULL, error))
        fail_msg("%s", error);
    snprintf(target, sizeof target, "127.0.0.1:%d", rpc_server_port(h->host.server));
    h->channel = rpc_channel_new(
        &h->loop,
        &(struct rpc_channel_params){.target = target, .retry = {.step_ms = 10, .cap_ms = 50}});
    harness_be(h, NULL);
    harness_run_until(h, h->is_silent ? presence_is_back : is_ready, NULL);
}

static void stop_coordinator(struct harness *h)
{
    bool stopped = false;

    coordinator_service.stop(h->c, set_flag, &stopped);
    harness_run_until(h, flag_is_set, &stopped);
    rpc_channel_free(h->channel);
    stop_server(h, h->host.server);
    coordinator_service.free(h->c);
    access_free(h->access);
}

static void certify(struct harness *h, struct party *p)
{
    struct identity identity = {0};
    uint8_t *packed;
    size_t len;

    snprintf(identity.party_id, sizeof identity.party_id, "%s", p->id);
    snprintf(identity.role, sizeof identity.role, "%s", p->role);
    memcpy(identity.key, p->secret + 32, 32);
    packed = identity_issue(&len, &identity, h->ca);
    p->certificate = mpc__session__v1__party_certificate__unpack(NULL, len, packed);
    free(packed);
}

static void make_parties(struct harness *h)
{
    for (size_t i = 0; i < PARTIES; i++) {
        struct party *p = &h->parties[i];

        snprintf(p->id, sizeof p->id, "party-%zu", i + 1);
        p->role = i == 3 ? "delegate" : "persistent";
        p->is_live = true;
        p->router = "";
        p->capacity = 64;
        randombytes_buf(p->boot_id, sizeof p->boot_id);
        certify(h, p);
    }
}

void harness_make_delegate(struct harness *h, size_t i)
{
    struct party *p = &h->parties[i];

    mpc__session__v1__party_certificate__free_unpacked(p->certificate, NULL);
    p->role = "delegate";
    certify(h, p);
    p->load++; /* so that it is seen when the change is known */
    harness_tell_presence(h);
}

/* What make_key says to |arguments|; its length. */
static size_t ask_parties(uint8_t *out, size_t cap, const char *arguments)
{
    const char *program = getenv("MAKE_KEY");
    size_t size = strlen(arguments) + (program ? strlen(program) : 0) + 8, len;
    char *command = mem_new(size, 1);
    FILE *pipe;

    if (!program)
        fail_msg("MAKE_KEY must name the program make_key");
    snprintf(command, size, "'%s' %s", program, arguments);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    len = fread(out, 1, cap, pipe);
    assert_int_equal(pclose(pipe), 0);
    free(command);
    return len;
}

static void make_identities(struct harness *h)
{
    uint8_t pk[32], secrets[3][64];

    assert_int_equal(ask_parties(secrets[0], sizeof secrets, ""), sizeof secrets);
    for (size_t i = 0; i < 3; i++)
        memcpy(h->parties[i].secret, secrets[i], 64);
    crypto_sign_keypair(pk, h->parties[3].secret);
}

void harness_make_key(struct harness *h, const uint8_t *intent, size_t len, unsigned attempt)
{
    char text[2 * 1024 + 16];

    assert_true(len <= 1024);
    hex_encode(text, intent, len);
    snprintf(text + 2 * len, sizeof text - 2 * len, " %u", attempt);
    h->certificate_len = ask_parties(h->certificate, sizeof h->certificate, text);
    assert_true(h->certificate_len > 0);
}

static void make_public_key(struct harness *h)
{
    secp256k1_context *secp = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    secp256k1_pubkey point;
    size_t len = sizeof h->pk.b;

    memset(h->secret_key, 7, sizeof h->secret_key);
    assert_int_equal(secp256k1_ec_pubkey_create(secp, &point, h->secret_key), 1);
    secp256k1_ec_pubkey_serialize(secp, h->pk.b, &len, &point, SECP256K1_EC_COMPRESSED);
    hex_encode(h->pk_text, h->pk.b, sizeof h->pk.b);
    secp256k1_context_destroy(secp);
}

struct harness *harness_new(const char *variables)
{
    struct harness *h = mem_new(1, sizeof *h);
    uint8_t ca_pk[32];

    (void)library_ctx();
    uv_loop_init(&h->loop);
    snprintf(h->dir, sizeof h->dir, "/tmp/quorate-coordinator-XXXXXX");
    assert_non_null(mkdtemp(h->dir));
    crypto_sign_keypair(ca_pk, h->ca);
    crypto_sign_keypair(h->initiator_pk, h->initiator);
    crypto_sign_keypair(h->operator_pk, h->operator_key);
    make_identities(h);
    make_parties(h);
    make_public_key(h);
    h->port_holder = port_hold(&h->router_port);
    start_router(h);
    load_config(h, variables ? variables : "");
    start_coordinator(h);
    return h;
}

void harness_restart(struct harness *h)
{
    stop_coordinator(h);
    start_coordinator(h);
}

static bool is_not_ready(struct harness *h, const void *arg)
{
    return !is_ready(h, arg);
}

/* The database's file named |from|, if there is one, becomes that named |to|. */
static void copy_file(const struct harness *h, const char *from, const char *to)
{
    char path[128], b[4096];
    FILE *in, *out;
    size_t n;

    snprintf(path, sizeof path, "%s/%s", h->dir, from);
    in = fopen(path, "rb");
    if (!in)
        return;
    snprintf(path, sizeof path, "%s/%s", h->dir, to);
    out = fopen(path, "wb");
    assert_non_null(out);
    while ((n = fread(b, 1, sizeof b, in)) > 0)
        assert_int_equal(fwrite(b, 1, n, out), n);
    assert_int_equal(fclose(out), 0);
    fclose(in);
}

void harness_kill(struct harness *h)
{
    copy_file(h, "coordinator.db", "killed.db");
    copy_file(h, "coordinator.db-wal", "killed.db-wal");
    stop_coordinator(h);
    copy_file(h, "killed.db", "coordinator.db");
    copy_file(h, "killed.db-wal", "coordinator.db-wal");
    start_coordinator(h);
}

void harness_restart_after(struct harness *h, int64_t unix_ms)
{
    int64_t left;

    stop_coordinator(h);
    while ((left = unix_ms - clock_unix_ms()) >= 0)
        (void)poll(NULL, 0, (int)left + 1);
    start_coordinator(h);
}

void harness_restart_router(struct harness *h)
{
    stop_server(h, h->router);
    h->presence = NULL;
    harness_run_until(h, is_not_ready, NULL);
    start_router(h);
    harness_run_until(h, presence_is_back, NULL);
    harness_run_until(h, is_ready, NULL);
}

static void remove_files(const char *dir)
{
    static const char *const names[] = {
        "env",       "coordinator.db", "coordinator.db-wal", "coordinator.db-shm",
        "killed.db", "killed.db-wal"};
    char path[128];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

void harness_free(struct harness *h)
{
    stop_coordinator(h);
    stop_server(h, h->router);
    close(h->port_holder);
    while (uv_run(&h->loop, UV_RUN_NOWAIT))
        ;
    assert_int_equal(uv_loop_close(&h->loop), 0);
    for (size_t i = 0; i < h->published_n; i++)
        mpc__router__v1__publish_session_event_request__free_unpacked(h->published[i], NULL);
    for (size_t i = 0; i < PARTIES; i++)
        mpc__session__v1__party_certificate__free_unpacked(h->parties[i].certificate, NULL);
    config_free(h->config);
    remove_files(h->dir);
    free(h);
}

static void bark(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

void harness_run_until(struct harness *h, bool (*holds)(struct harness *h, const void *arg),
                       const void *arg)
{
    uv_timer_t *watchdog = mem_new(1, sizeof *watchdog);
    bool is_late = false;

    uv_timer_init(&h->loop, watchdog);
    watchdog->data = &is_late;
    uv_timer_start(watchdog, bark, WATCHDOG_MS, 0);
    while (!holds(h, arg) && !is_late)
        uv_run(&h->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)watchdog, (uv_close_cb)free);
    if (is_late)
        fail_msg("waited in vain");
}

static bool presence_is_known(struct harness *h, const void *arg)
{
    (void)arg;
    for (size_t i = 0; i < PARTIES; i++) {
        const struct party *p = &h->parties[i];
        const struct pool_party *known = pool_find(h->c->pool, p->id);

        if (p->capacity != UINT32_MAX &&
            (!known || known->is_live != p->is_live || known->load != p->load ||
             known->capacity != p->capacity || strcmp(known->router, p->router) != 0 ||
             memcmp(known->boot_id, p->boot_id, 16) != 0))
            return false;
    }
    return true;
}

void harness_list_presence(struct harness *h)
{
    h->is_silent = false;
    send_presence(h, true);
}

void harness_tell_presence(struct harness *h)
{
    send_presence(h, false);
    harness_run_until(h, presence_is_known, NULL);
}

struct answer {
    bool is_there;
    struct rpc_status status;
    const ProtobufCMessageDescriptor *type;
    ProtobufCMessage *message;
};

static void answered(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    struct answer *answer = arg;

    answer->is_there = true;
    answer->status = *status;
    if (response) {
        size_t len = protobuf_c_message_get_packed_size(response);
        uint8_t *b = mem_new(len + 1, 1);

        protobuf_c_message_pack(response, b);
        answer->message = protobuf_c_message_unpack(answer->type, NULL, len, b);
        free(b);
    }
}

static bool is_answered(struct harness *h, const void *arg)
{
    const struct answer *answer = arg;

    (void)h;
    return answer->is_there;
}

struct rpc_pending *harness_ask(struct harness *h, const char *method,
                                const ProtobufCMessage *request,
                                const ProtobufCMessageDescriptor *response, rpc_done *done,
                                void *arg)
{
    char path[128];

    snprintf(path, sizeof path, "mpc.coordinator.v1.SessionCoordinator/%s", method);
    return rpc_start(h->channel, &(struct rpc_request){.path = path,
                                                       .message = request,
                                                       .response = response,
                                                       .deadline_ms = WATCHDOG_MS,
                                                       .done = done,
                                                       .arg = arg});
}

void *harness_call(struct harness *h, const char *method, const ProtobufCMessage *request,
                   const ProtobufCMessageDescriptor *response, struct rpc_status *status)
{
    struct answer answer = {.type = response};

    harness_ask(h, method, request, response, answered, &answer);
    harness_run_until(h, is_answered, &answer);
    *status = answer.status;
    return answer.message;
}

void harness_be(struct harness *h, const char *party_id)
{
    struct token token = {.kind = TOKEN_PARTY, .expires = clock_unix_ms() / 1000 + 600};
    char text[TOKEN_TEXT_MAX], header[TOKEN_TEXT_MAX + 8];

    if (!party_id) {
        rpc_channel_authorize(h->channel, NULL, "test-key");
        return;
    }
    snprintf(token.subject, sizeof token.subject, "%s", party_id);
    snprintf(token.role, sizeof token.role, "persistent");
    token_make(text, h->c->tokens, &token);
    snprintf(header, sizeof header, "Bearer %s", text);
    rpc_channel_authorize(h->channel, header, NULL);
}

struct sought {
    const char *event_type, *session_id;
    size_t n;
};

static const Mpc__Router__V1__PublishSessionEventRequest *seek(const struct harness *h,
                                                               const struct sought *sought)
{
    size_t n = sought->n;

    for (size_t i = 0; i < h->published_n; i++) {
        const Mpc__Session__V1__SessionEvent *event = h->published[i]->event;

        if (strcmp(event->event_type, sought->event_type) == 0 &&
            strcmp(event->session_id, sought->session_id) == 0 && n-- == 0)
            return h->published[i];
    }
    return NULL;
}

static bool is_published(struct harness *h, const void *arg)
{
    return seek(h, arg);
}

const Mpc__Router__V1__PublishSessionEventRequest *
harness_published(struct harness *h, const char *event_type, const char *session_id, size_t n)
{
    const struct sought sought = {event_type, session_id, n};

    harness_run_until(h, is_published, &sought);
    return seek(h, &sought);
}
