/* SPDX-License-Identifier: Apache-2.0 */
/* Registration, heartbeat, calls. Registration is a small machine: prove, ask, wait, again; it
 * runs whenever the router says that it does not know this party. */
#include "participant/front_link_state.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"
#include "system/rpc/message.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    REGISTER_STEP_MS = 500,
    REGISTER_CAP_MS = 5000,
    HEARTBEAT_DEADLINE_MS = 3000,
    TIMERS = 6,
    BEARER_MAX = 4096,
    MINUTE_MS = 60000
};

static void on_register_timer(uv_timer_t *timer);

enum front_answer front_link_judge(const struct rpc_status *status)
{
    switch (status->code) {
    case RPC_OK:
        return FRONT_ANSWER_OK;
    case RPC_CANCELLED:
    case RPC_UNKNOWN:
    case RPC_DEADLINE:
    case RPC_EXHAUSTED:
    case RPC_ABORTED:
    case RPC_INTERNAL:
    case RPC_UNAVAILABLE:
    case RPC_DATA_LOSS:
        return FRONT_ANSWER_LOST;
    default:
        return FRONT_ANSWER_REFUSED;
    }
}

void front_link_compare_clocks(struct front_link *link, const char *who, int64_t server_ms)
{
    int64_t now = clock_unix_ms();
    int64_t ahead = now - server_ms;

    if (!server_ms || (ahead <= CLOCK_SKEW_MS && ahead >= -CLOCK_SKEW_MS))
        return;
    if (link->skew_told_ms && now - link->skew_told_ms < MINUTE_MS)
        return;
    link->skew_told_ms = now;
    log_event(LOG_ERROR,
              "this machine's clock differs by more than 30 s from another's: set the clocks",
              LOG_S("other", who), LOG_I("ahead_ms", ahead));
}

static void authorize(struct front_link *link, const char *token)
{
    char bearer[BEARER_MAX];

    if (!token || !*token)
        return;
    snprintf(bearer, sizeof bearer, "Bearer %s", token);
    rpc_channel_authorize(link->params.router, bearer, NULL);
    rpc_channel_authorize(link->params.coordinator, bearer, NULL);
}

bool front_link_boot(struct front_link *link, const ProtobufCBinaryData *boot)
{
    if (boot->len != LINK_BOOT_BYTES)
        return true;
    if (link->has_boot && !memcmp(link->router_boot, boot->data, LINK_BOOT_BYTES))
        return true;
    memcpy(link->router_boot, boot->data, LINK_BOOT_BYTES);
    if (!link->has_boot) {
        link->has_boot = true;
        return true;
    }
    log_line(LOG_WARN, "the router was started anew: everything of open sessions is sent again");
    front_link_streams_reset(link);
    link->watch.lost(link->watch.arg);
    return false;
}

static void registered(struct front_link *link,
                       const Mpc__Router__V1__RegisterPartyResponse *answer)
{
    link->state = LINK_REGISTERED;
    link->was_registered = true;
    link->is_away = false;
    link->retry.max = 0;
    retry_success(&link->retry);
    authorize(link, answer->party_token);
    front_link_compare_clocks(link, "router", answer->server_time_ms);
    front_link_boot(link, &answer->router_boot_id);
    log_event(LOG_INFO, "registered at the router", LOG_S("party", link->who->party_id),
              LOG_S("role", link->who->role));
    front_link_streams_start(link);
    link->watch.up(link->watch.arg);
}

static void registration_failed(struct front_link *link, const struct rpc_status *status)
{
    char line[RPC_TEXT_MAX + 64];
    uint32_t wait_ms;

    log_event(LOG_WARN, "not registered at the router", LOG_S("party", link->who->party_id),
              LOG_S("error", status->text));
    link->state = LINK_WAITING;
    if (!retry_next(&link->retry, &wait_ms)) {
        snprintf(line, sizeof line, "the router does not register this party: %s", status->text);
        link->watch.fault(link->watch.arg, line);
        return;
    }
    uv_timer_start(&link->register_timer, on_register_timer, wait_ms, 0);
}

static void on_registered(void *arg, const struct rpc_status *status,
                          const ProtobufCMessage *response)
{
    struct front_link *link = arg;

    if (link->is_freed)
        return;
    if (status->code == RPC_OK)
        registered(link, (const Mpc__Router__V1__RegisterPartyResponse *)response);
    else
        registration_failed(link, status);
}

void front_link_proof(struct front_link *link, const Mpc__Keeper__V1__RegistrationProof *proof)
{
    Mpc__Router__V1__RegisterPartyRequest message = MPC__ROUTER__V1__REGISTER_PARTY_REQUEST__INIT;
    struct rpc_request request = {.path = "mpc.router.v1.MessageRouter/RegisterParty",
                                  .message = &message.base,
                                  .response = &mpc__router__v1__register_party_response__descriptor,
                                  .deadline_ms = LINK_CALL_MS,
                                  .done = on_registered,
                                  .arg = link};

    if (link->state != LINK_PROVING || proof->time_ms != link->proof_ms ||
        proof->nonce.len != LINK_NONCE_BYTES ||
        memcmp(proof->nonce.data, link->nonce, LINK_NONCE_BYTES) != 0)
        return;
    link->state = LINK_REGISTERING;
    message.party_id = link->who->party_id;
    message.role = link->who->role;
    message.capacity = link->params.capacity;
    message.version = (char *)link->params.version;
    message.certificate = link->who->certificate;
    message.boot_id = link->who->boot_id;
    message.time_ms = proof->time_ms;
    message.nonce = proof->nonce;
    message.proof = proof->proof;
    rpc_start(link->params.router, &request);
}

static void begin_registration(struct front_link *link)
{
    link->state = LINK_PROVING;
    link->proof_ms = clock_unix_ms();
    randombytes_buf(link->nonce, sizeof link->nonce);
    link->watch.prove(link->watch.arg, link->proof_ms, link->nonce);
}

void front_link_register(struct front_link *link)
{
    if (link->state != LINK_REGISTERED)
        return;
    front_link_streams_stop(link);
    begin_registration(link);
}

static void on_heartbeat(void *arg, const struct rpc_status *status,
                         const ProtobufCMessage *response)
{
    const Mpc__Router__V1__HeartbeatResponse *answer =
        (const Mpc__Router__V1__HeartbeatResponse *)response;
    struct front_link *link = arg;

    if (link->is_freed)
        return;
    link->is_beating = false;
    if (front_link_judge(status) == FRONT_ANSWER_REFUSED) {
        front_link_register(link);
        return;
    }
    if (status->code != RPC_OK) {
        if (!link->is_away)
            log_event(LOG_WARN, "the router does not answer", LOG_S("error", status->text));
        link->is_away = true;
        return;
    }
    if (link->is_away)
        log_line(LOG_INFO, "the router answers again");
    link->is_away = false;
    authorize(link, answer->party_token);
    front_link_compare_clocks(link, "router", answer->server_time_ms);
    front_link_boot(link, &answer->router_boot_id);
}

static void beat(uv_timer_t *timer)
{
    struct front_link *link = timer->data;
    Mpc__Router__V1__HeartbeatRequest message = MPC__ROUTER__V1__HEARTBEAT_REQUEST__INIT;
    struct rpc_request request = {.path = "mpc.router.v1.MessageRouter/Heartbeat",
                                  .message = &message.base,
                                  .response = &mpc__router__v1__heartbeat_response__descriptor,
                                  .deadline_ms = HEARTBEAT_DEADLINE_MS,
                                  .done = on_heartbeat,
                                  .arg = link};

    if (link->state != LINK_REGISTERED || link->is_beating)
        return;
    link->is_beating = true;
    message.party_id = link->who->party_id;
    message.load = link->load;
    message.time_ms = clock_unix_ms();
    rpc_start(link->params.router, &request);
}

static void on_register_timer(uv_timer_t *timer)
{
    struct front_link *link = timer->data;

    if (link->state == LINK_WAITING)
        begin_registration(link);
}

static void init_timer(struct front_link *link, uv_timer_t *timer)
{
    uv_timer_init(link->params.loop, timer);
    timer->data = link;
    link->handles++;
}

struct front_link *front_link_new(const struct front_link_params *params,
                                  const struct front_link_watch *watch)
{
    struct front_link *link = mem_new(1, sizeof *link);

    link->params = *params;
    link->watch = *watch;
    link->retry = (struct retry){
        .step_ms = REGISTER_STEP_MS, .cap_ms = REGISTER_CAP_MS, .max = params->tries};
    init_timer(link, &link->register_timer);
    init_timer(link, &link->beat_timer);
    init_timer(link, &link->poll_timer);
    init_timer(link, &link->ack_timer);
    init_timer(link, &link->events.again);
    init_timer(link, &link->messages.again);
    front_link_streams_init(link);
    return link;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct front_link *link = handle->data;

    if (--link->handles > 0)
        return;
    if (link->who)
        mpc__keeper__v1__ready__free_unpacked(link->who, NULL);
    free(link);
}

void front_link_free(struct front_link *link)
{
    uv_timer_t *timers[TIMERS];

    if (!link || link->is_freed)
        return;
    link->is_freed = true;
    link->params.hangup(link->params.router);
    link->params.hangup(link->params.coordinator);
    timers[0] = &link->register_timer;
    timers[1] = &link->beat_timer;
    timers[2] = &link->poll_timer;
    timers[3] = &link->ack_timer;
    timers[4] = &link->events.again;
    timers[5] = &link->messages.again;
    for (size_t i = 0; i < TIMERS; i++) {
        timers[i]->data = link;
        uv_close((uv_handle_t *)timers[i], on_timer_closed);
    }
}

void front_link_ready(struct front_link *link, const Mpc__Keeper__V1__Ready *who)
{
    if (link->who)
        return;
    link->who = message_copy(&who->base);
    uv_timer_start(&link->beat_timer, beat, link->params.heartbeat_ms, link->params.heartbeat_ms);
    begin_registration(link);
}

const char *front_link_party(const struct front_link *link)
{
    return link->who ? link->who->party_id : "";
}

bool front_link_is_registered(const struct front_link *link)
{
    return link->state == LINK_REGISTERED && !link->is_freed;
}

bool front_link_is_up(const struct front_link *link)
{
    return front_link_is_registered(link) && !link->is_away && link->has_polled &&
           link->events.pending && (link->messages.pending || link->is_full) &&
           rpc_channel_is_connected(link->params.router) &&
           rpc_channel_is_connected(link->params.coordinator);
}

void front_link_load(struct front_link *link, uint32_t load)
{
    link->load = load;
}

struct call {
    struct front_link *link;
    struct front_link_call what;
    bool is_router;
};

/* Of the router RPC_STATE is "not_registered" (proto/router.proto). */
static void on_call(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    struct call *call = arg;
    enum front_answer answer = front_link_judge(status);

    if (call->is_router && (status->code == RPC_UNAUTHENTICATED || status->code == RPC_STATE)) {
        answer = FRONT_ANSWER_LOST;
        if (!call->link->is_freed)
            front_link_register(call->link);
    }
    call->what.done(call->what.arg, answer, status, response);
    free(call);
}

void front_link_call(struct front_link *link, const struct front_link_call *what)
{
    static const char router[] = "mpc.router.";
    struct call *call = mem_new(1, sizeof *call);
    struct rpc_request request = {.path = what->path,
                                  .message = what->message,
                                  .response = what->response,
                                  .deadline_ms = what->deadline_ms,
                                  .trace = what->trace,
                                  .done = on_call,
                                  .arg = call};

    call->link = link;
    call->what = *what;
    call->is_router = !strncmp(what->path, router, sizeof router - 1);
    rpc_start(call->is_router ? link->params.router : link->params.coordinator, &request);
}
