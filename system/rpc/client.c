/* SPDX-License-Identifier: Apache-2.0 */
/* The channel: keeps one connection to its target and hands calls to it.
 *
 * Invariants. At most one try is under way (|dial|, or |link| before it is up) or waited for
 * (|timer| armed, no dial, no link); links that drain after a GOAWAY are in |draining|. A call that
 * ends goes into |ending| with its status and `done` is called from drain(), which user code may
 * re-enter. After rpc_channel_free the memory stays until libuv has closed the timers, so that a
 * callback below user code that freed the channel finds |is_closed|. */
#include "system/rpc/client.h"

#include "system/rpc/client_link.h"
#include "system/rpc/dial.h"
#include "system/rpc/names.h"
#include "system/rpc/targets.h"

#include <stdlib.h>
#include <string.h>

enum {
    TRY_MS = 10000,
    /* instead of these three waits, where there is another address to go to */
    REPLICA_MS = 3000,
    IDLE_MS = 20000,
    IDLE_CAP_MS = 300000,
    ANSWER_MS = 10000,
    CALLS_MAX = 16384,
    CALL_BYTES_MAX = 64 << 20,
    DRAINING_MAX = 8,
    TRIES_MAX = 3
};

struct rpc_channel {
    uv_loop_t *loop;
    struct targets targets;
    char host[DIAL_HOST_MAX], port[DIAL_PORT_MAX];
    /* PEM files, read again for every try: certificates are renewed; |tls|: what was good last */
    char *ca, *certificate, *key, *crl;
    struct tls_context *tls;
    struct retry retry;
    void (*state)(void *arg, bool connected, bool gave_up);
    void *arg;
    char *authorization, *api_key;
    uint64_t idle_ms, answer_ms;

    struct dial *dial;
    struct rpc_link *link, *draining[DRAINING_MAX];
    uint64_t up_since;
    /* |link| takes calls; what |state| was told last */
    bool is_up, was_told_up;
    bool gave_up, is_closed;
    /* why the last try failed */
    char why[RPC_TEXT_MAX];

    /* the next try or the end of this one; calls that end; deadlines */
    uv_timer_t timer, soon, clock;
    unsigned handles;
    uint64_t next_deadline;
    struct pending_list waiting, running, ending;
    size_t calls_n, calls_bytes;
    /* error codes that servers gave */
    struct names names;
};

static void try_now(struct rpc_channel *channel);

static const char *target_of(const struct rpc_channel *channel)
{
    return targets_one(&channel->targets);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

/* --- the end of calls --- */

static void leave(struct rpc_pending *call)
{
    pending_move(call, NULL);
    call->channel->calls_n--;
    call->channel->calls_bytes -= call->out.len;
}

static void drain(struct rpc_channel *channel)
{
    struct rpc_pending *call;

    while ((call = channel->ending.first) != NULL) {
        const ProtobufCMessage *message = call->status.code == RPC_OK ? call->message : NULL;

        leave(call);
        call->done(call->arg, &call->status, message);
        pending_free(call);
    }
}

static void on_soon(uv_timer_t *timer)
{
    drain(timer->data);
}

/* |call| is off its link; `done` comes with the next turn of the loop. */
static void end_soon(struct rpc_pending *call)
{
    struct rpc_channel *channel = call->channel;

    pending_move(call, &channel->ending);
    if (!channel->is_closed)
        uv_timer_start(&channel->soon, on_soon, 0, 0);
}

static void end_with(struct rpc_pending *call, const struct rpc_status *status)
{
    if (call->link != NULL)
        link_forget(call);
    call->status = *status;
    end_soon(call);
}

static void end_all(struct pending_list *list, const struct rpc_status *status)
{
    while (list->first != NULL)
        end_with(list->first, status);
}

static struct rpc_status unavailable(const struct rpc_channel *channel)
{
    return rpc_error(RPC_UNAVAILABLE, pending_code_name(RPC_UNAVAILABLE),
                     "%s cannot be reached: %s", target_of(channel),
                     channel->why[0] != 0 ? channel->why : "no connection yet");
}

/* --- deadlines: one timer for all, armed for the nearest one known --- */

static void on_clock(uv_timer_t *timer);

static void arm_clock(struct rpc_channel *channel, uint64_t deadline)
{
    uint64_t now = uv_now(channel->loop);

    if (deadline == 0 || (channel->next_deadline != 0 && channel->next_deadline <= deadline))
        return;
    channel->next_deadline = deadline;
    uv_timer_start(&channel->clock, on_clock, deadline > now ? deadline - now : 0, 0);
}

static void end_late(struct pending_list *list, uint64_t now)
{
    struct rpc_pending *after;

    for (struct rpc_pending *call = list->first; call != NULL; call = after) {
        struct rpc_status status;

        after = call->after;
        if (call->deadline == 0)
            continue;
        if (call->deadline > now) {
            arm_clock(call->channel, call->deadline);
            continue;
        }
        /* Nobody there is another fault than no answer. */
        status = call->link == NULL && !call->channel->is_up
                     ? unavailable(call->channel)
                     : rpc_error(RPC_DEADLINE, pending_code_name(RPC_DEADLINE),
                                 "%s did not answer in time", target_of(call->channel));
        end_with(call, &status);
    }
}

static void on_clock(uv_timer_t *timer)
{
    struct rpc_channel *channel = timer->data;
    uint64_t now = uv_now(channel->loop);

    channel->next_deadline = 0;
    end_late(&channel->waiting, now);
    end_late(&channel->running, now);
    drain(channel);
}

/* --- tries --- */

static void tell(struct rpc_channel *channel, bool connected)
{
    if (channel->was_told_up == connected && !channel->gave_up)
        return;
    channel->was_told_up = connected;
    if (channel->state != NULL)
        channel->state(channel->arg, connected, channel->gave_up);
}

static void on_wait_over(uv_timer_t *timer)
{
    try_now(timer->data);
}

static void try_later(struct rpc_channel *channel)
{
    struct rpc_status status;
    uint32_t wait = 0;

    if (!targets_failed(&channel->targets) || retry_next(&channel->retry, &wait)) {
        uv_timer_start(&channel->timer, on_wait_over, wait, 0);
        tell(channel, false);
        return;
    }
    channel->gave_up = true;
    status = unavailable(channel);
    end_all(&channel->waiting, &status);
    tell(channel, false);
}

static void note_why(struct rpc_channel *channel, const char *why)
{
    size_t len = strnlen(why, sizeof channel->why - 1);

    memcpy(channel->why, why, len);
    channel->why[len] = 0;
}

/* The try did not get as far as a connection. */
static void try_failed(struct rpc_channel *channel, const char *why)
{
    uv_timer_stop(&channel->timer);
    note_why(channel, why);
    try_later(channel);
}

static void on_try_too_long(uv_timer_t *timer)
{
    struct rpc_channel *channel = timer->data;

    if (channel->dial != NULL)
        dial_cancel(channel->dial);
    channel->dial = NULL;
    if (channel->link != NULL)
        link_close(channel->link, false);
    channel->link = NULL;
    try_failed(channel, "no answer");
}

/* False with |why| noted: a file cannot be used, and none could before. */
static bool context_renew(struct rpc_channel *channel)
{
    const struct tls_files files = {channel->certificate, channel->key, channel->ca, channel->crl};
    struct tls_context *fresh =
        channel->ca != NULL ? tls_context_client(&files, channel->why) : NULL;

    if (fresh != NULL) {
        tls_context_free(channel->tls);
        channel->tls = fresh;
    } else if (channel->tls != NULL && channel->crl != NULL) {
        tls_context_add_crl(channel->tls, channel->crl);
    }
    return channel->tls != NULL || channel->ca == NULL;
}

static void on_dialed(void *arg, uv_tcp_t *tcp, const char *why)
{
    struct rpc_channel *channel = arg;
    struct rpc_link_params params = {
        .loop = channel->loop,
        .channel = channel,
        .tcp = tcp,
        .target = target_of(channel),
        .host = channel->host,
        .idle_ms = channel->idle_ms,
        .answer_ms = channel->answer_ms,
    };

    channel->dial = NULL;
    if (tcp == NULL) {
        try_failed(channel, why);
    } else if (!context_renew(channel)) {
        uv_close((uv_handle_t *)tcp, free_handle);
        try_failed(channel, channel->why);
    } else {
        params.tls = channel->tls;
        channel->link = link_new(&params);
    }
}

static void try_now(struct rpc_channel *channel)
{
    if (dial_split(target_of(channel), channel->host, channel->port))
        channel->dial = dial_start(channel->loop, channel->host, channel->port, on_dialed, channel);
    if (channel->dial == NULL)
        try_failed(channel, "not of the form host:port");
    else
        uv_timer_start(&channel->timer, on_try_too_long,
                       channel->targets.n > 1 ? REPLICA_MS : TRY_MS, 0);
}

/* After a connection that lived: at once, unless it was a short one, which counts as a failure. */
static void try_again(struct rpc_channel *channel)
{
    if (uv_now(channel->loop) - channel->up_since < channel->retry.step_ms) {
        try_later(channel);
        return;
    }
    targets_next(&channel->targets);
    uv_timer_start(&channel->timer, on_wait_over, 0, 0);
    tell(channel, false);
}

/* --- what links tell --- */

static void retire(struct rpc_channel *channel);

/* Calls that wait go onto the link; |retire| if it is used up. */
static void start_waiting(struct rpc_channel *channel)
{
    const struct link_metadata metadata = {channel->authorization, channel->api_key};
    struct rpc_pending *call;

    while (channel->is_up && (call = channel->waiting.first) != NULL) {
        if (!link_submit(channel->link, call, &metadata)) {
            retire(channel);
            return;
        }
        pending_move(call, &channel->running);
    }
}

void link_on_up(struct rpc_channel *channel, struct rpc_link *link)
{
    (void)link;
    uv_timer_stop(&channel->timer);
    channel->up_since = uv_now(channel->loop);
    channel->why[0] = 0;
    channel->is_up = true;
    retry_success(&channel->retry);
    targets_succeeded(&channel->targets);
    start_waiting(channel);
    tell(channel, channel->is_up);
}

static void end_calls_of(struct rpc_channel *channel, const struct rpc_link *link, const char *why)
{
    struct rpc_status status = rpc_error(RPC_UNAVAILABLE, pending_code_name(RPC_UNAVAILABLE),
                                         "the connection to %s broke: %s", target_of(channel), why);
    struct rpc_pending *after;

    for (struct rpc_pending *call = channel->running.first; call != NULL; call = after) {
        after = call->after;
        if (call->link == link)
            end_with(call, &status);
    }
}

/* |link| is no longer among those that drain. */
static void forget_draining(struct rpc_channel *channel, const struct rpc_link *link)
{
    for (size_t i = 0; i < DRAINING_MAX; i++)
        if (channel->draining[i] == link)
            channel->draining[i] = NULL;
}

/* Let the link end the calls it has, and dial anew. The oldest makes room. */
static void retire(struct rpc_channel *channel)
{
    struct rpc_link *oldest = channel->draining[DRAINING_MAX - 1];

    if (oldest != NULL) {
        end_calls_of(channel, oldest, "too many connections are ending");
        link_close(oldest, false);
    }
    memmove(channel->draining + 1, channel->draining,
            (DRAINING_MAX - 1) * sizeof channel->draining[0]);
    channel->draining[0] = channel->link;
    channel->link = NULL;
    channel->is_up = false;
    try_again(channel);
}

void link_on_draining(struct rpc_channel *channel, struct rpc_link *link, bool calm)
{
    if (channel->link != link || !channel->is_up)
        return;
    if (calm && channel->idle_ms < IDLE_CAP_MS)
        channel->idle_ms *= 2;
    retire(channel);
}

void link_on_down(struct rpc_channel *channel, struct rpc_link *link, const char *why)
{
    bool was_up = channel->is_up, was_current = channel->link == link;

    note_why(channel, why);
    end_calls_of(channel, link, why);
    link_close(link, false);
    forget_draining(channel, link);
    if (was_current) {
        channel->link = NULL;
        channel->is_up = false;
        uv_timer_stop(&channel->timer);
        if (was_up)
            try_again(channel);
        else
            try_later(channel);
    }
    drain(channel);
}

/* The server did not look at it: once more, on another connection. */
static void call_again(struct rpc_channel *channel, struct rpc_pending *call)
{
    call->tries++;
    call->sent = 0;
    call->http = 0;
    call->is_grpc = call->has_code = false;
    call->status = (struct rpc_status){0};
    pending_move(call, &channel->waiting);
    start_waiting(channel);
}

void link_on_over(struct rpc_channel *channel, struct rpc_pending *call, bool refused)
{
    if (refused && call->tries + 1 < TRIES_MAX && !channel->gave_up) {
        call_again(channel, call);
        return;
    }
    pending_move(call, &channel->ending);
    drain(channel);
}

const char *link_on_name(struct rpc_channel *channel, const char *name, size_t len)
{
    return names_keep(&channel->names, name, len);
}

/* --- the public face --- */

static char *copy_or_null(const char *text)
{
    return text != NULL ? text_copy(text) : NULL;
}

struct rpc_channel *rpc_channel_new(uv_loop_t *loop, const struct rpc_channel_params *params)
{
    struct rpc_channel *channel = mem_new(1, sizeof *channel);

    channel->loop = loop;
    targets_init(&channel->targets, params->target);
    channel->ca = copy_or_null(params->ca);
    channel->certificate = copy_or_null(params->certificate);
    channel->key = copy_or_null(params->key);
    channel->crl = copy_or_null(params->crl);
    channel->retry = params->retry;
    channel->state = params->state;
    channel->arg = params->arg;
    channel->idle_ms = channel->targets.n > 1 ? REPLICA_MS : IDLE_MS;
    channel->answer_ms = channel->targets.n > 1 ? REPLICA_MS : ANSWER_MS;
    uv_timer_init(loop, &channel->timer);
    uv_timer_init(loop, &channel->soon);
    uv_timer_init(loop, &channel->clock);
    channel->timer.data = channel->soon.data = channel->clock.data = channel;
    channel->handles = 3;
    uv_timer_start(&channel->timer, on_wait_over, 0, 0);
    return channel;
}

static void on_closed(uv_handle_t *handle)
{
    struct rpc_channel *channel = handle->data;

    if (--channel->handles > 0)
        return;
    names_free(&channel->names);
    free(channel->authorization);
    free(channel->api_key);
    free(channel->ca);
    free(channel->certificate);
    free(channel->key);
    free(channel->crl);
    tls_context_free(channel->tls);
    targets_free(&channel->targets);
    free(channel);
}

static void close_links(struct rpc_channel *channel)
{
    if (channel->dial != NULL)
        dial_cancel(channel->dial);
    if (channel->link != NULL)
        link_close(channel->link, true);
    for (size_t i = 0; i < DRAINING_MAX; i++)
        if (channel->draining[i] != NULL)
            link_close(channel->draining[i], true);
}

void rpc_channel_free(struct rpc_channel *channel)
{
    struct rpc_status status;

    if (channel == NULL || channel->is_closed)
        return;
    status = rpc_error(RPC_CANCELLED, pending_code_name(RPC_CANCELLED),
                       "the connection to %s was ended", target_of(channel));
    channel->is_closed = true;
    end_all(&channel->waiting, &status);
    end_all(&channel->running, &status);
    drain(channel);
    close_links(channel);
    uv_close((uv_handle_t *)&channel->timer, on_closed);
    uv_close((uv_handle_t *)&channel->soon, on_closed);
    uv_close((uv_handle_t *)&channel->clock, on_closed);
}

void rpc_channel_authorize(struct rpc_channel *channel, const char *authorization,
                           const char *api_key)
{
    free(channel->authorization);
    free(channel->api_key);
    channel->authorization = copy_or_null(authorization);
    channel->api_key = copy_or_null(api_key);
}

void rpc_channel_recheck(struct rpc_channel *channel)
{
    if (channel->ca == NULL || channel->is_closed || !context_renew(channel))
        return;
    if (channel->link != NULL)
        link_recheck(channel->link, channel->tls);
    for (size_t i = 0; i < DRAINING_MAX; i++)
        if (channel->draining[i] != NULL)
            link_recheck(channel->draining[i], channel->tls);
}

bool rpc_channel_is_connected(const struct rpc_channel *channel)
{
    return channel->is_up;
}

void rpc_channel_keepalive(struct rpc_channel *channel, uint64_t idle_ms, uint64_t answer_ms)
{
    channel->idle_ms = idle_ms;
    channel->answer_ms = answer_ms;
}

/* May one more call wait or run? */
static struct rpc_status admit(const struct rpc_channel *channel, const struct rpc_pending *call)
{
    const char *name = pending_code_name(RPC_EXHAUSTED);

    if (channel->gave_up)
        return unavailable(channel);
    if (call->out.len > PENDING_MESSAGE_MAX)
        return rpc_error(RPC_EXHAUSTED, name, "a request is longer than 16 MiB");
    if (channel->calls_n > CALLS_MAX || channel->calls_bytes > CALL_BYTES_MAX)
        return rpc_error(RPC_EXHAUSTED, name, "too many calls wait for %s", target_of(channel));
    return rpc_ok();
}

struct rpc_pending *rpc_start(struct rpc_channel *channel, const struct rpc_request *request)
{
    struct rpc_pending *call;
    struct rpc_status status;

    if (channel->is_closed)
        return NULL;
    uv_update_time(channel->loop);
    call = pending_new(channel, request, uv_now(channel->loop));
    channel->calls_n++;
    channel->calls_bytes += call->out.len;
    status = admit(channel, call);
    if (status.code != RPC_OK) {
        end_with(call, &status);
        return call;
    }
    pending_move(call, &channel->waiting);
    start_waiting(channel);
    arm_clock(channel, call->deadline);
    return call;
}

void rpc_cancel(struct rpc_pending *call)
{
    if (call->link != NULL)
        link_forget(call);
    leave(call);
    pending_free(call);
}

void rpc_pause(struct rpc_pending *call, bool is_paused)
{
    if (call->is_paused && !is_paused && call->link != NULL)
        link_resume(call);
    call->is_paused = is_paused;
}
