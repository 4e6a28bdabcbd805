/* SPDX-License-Identifier: Apache-2.0 */
/* What comes to a party: session events and messages as streams, and once a second (and after every
 * reconnect) the question what it missed. Events are hints; the answers to polls are the truth. The
 * first poll of a connection is answered before its events are asked for: an order that freezes
 * something is obeyed before anything that was asked for meanwhile.
 *
 * A message counts as taken when the watcher accepted it, as handed when it says so; the router is
 * told the latter, and may then forget it. A stream that starts again asks for what is not
 * taken. */
#include "participant/front_link_state.h"

#include "coordinator.pb-c.h"
#include "system/core/log.h"

enum {
    POLL_MS = 1000,
    /* acknowledgements of so long go in one call */
    ACK_MS = 20,
    ACK_AGAIN_MS = 500,
    STREAM_STEP_MS = 50,
    STREAM_CAP_MS = 2000,
    /* a mark is generation and sequence number */
    SEQ_BITS = 40
};

static const int64_t seq_max = ((int64_t)1 << SEQ_BITS) - 1;

static void poll_now(struct front_link *link);

/* Streams. */

static void on_again(uv_timer_t *timer)
{
    struct front_link_stream *stream = timer->data;
    struct front_link *link = stream->link;

    if (link->is_freed || stream->pending || link->state != LINK_REGISTERED)
        return;
    stream->open(link);
    poll_now(link);
}

static void on_stream_end(struct front_link_stream *stream, const struct rpc_status *status)
{
    struct front_link *link = stream->link;
    uint32_t wait_ms;

    stream->pending = NULL;
    if (link->is_freed || link->state != LINK_REGISTERED)
        return;
    if (front_link_judge(status) == FRONT_ANSWER_REFUSED) {
        front_link_register(link);
        return;
    }
    retry_next(&stream->retry, &wait_ms);
    uv_timer_start(&stream->again, on_again, wait_ms, 0);
}

static void close_stream(struct front_link_stream *stream)
{
    uv_timer_stop(&stream->again);
    if (stream->pending)
        rpc_cancel(stream->pending);
    stream->pending = NULL;
}

static void on_event(void *arg, const ProtobufCMessage *message)
{
    struct front_link *link = arg;

    if (link->is_freed)
        return;
    retry_success(&link->events.retry);
    link->watch.event(link->watch.arg, (const Mpc__Session__V1__SessionEvent *)message);
}

static void on_events_end(void *arg, const struct rpc_status *status,
                          const ProtobufCMessage *response)
{
    (void)response;
    on_stream_end(&((struct front_link *)arg)->events, status);
}

static void open_events(struct front_link *link)
{
    Mpc__Router__V1__SubscribeSessionEventsRequest message =
        MPC__ROUTER__V1__SUBSCRIBE_SESSION_EVENTS_REQUEST__INIT;
    struct rpc_request request = {.path = "mpc.router.v1.MessageRouter/SubscribeSessionEvents",
                                  .message = &message.base,
                                  .response = &mpc__session__v1__session_event__descriptor,
                                  .each = on_event,
                                  .done = on_events_end,
                                  .arg = link};

    message.party_id = link->who->party_id;
    link->events.pending = rpc_start(link->params.router, &request);
}

/* Messages. */

/* A cancel inside the stream's own callback is put off to the next turn; until then nothing is
 * taken, so it comes again. */
static void on_full(uv_timer_t *timer)
{
    struct front_link_stream *stream = timer->data;

    if (stream->link->is_full)
        close_stream(stream);
}

static bool take(struct front_link *link, const Mpc__Router__V1__IncomingMessage *message)
{
    int64_t mark = (link->generation << SEQ_BITS) | message->seq;

    if (message->seq <= link->taken || message->seq > seq_max)
        return true;
    if (!link->watch.message(link->watch.arg, message, mark))
        return false;
    link->taken = message->seq;
    return true;
}

static void on_batch(void *arg, const ProtobufCMessage *response)
{
    const Mpc__Router__V1__MessageBatch *batch = (const Mpc__Router__V1__MessageBatch *)response;
    struct front_link *link = arg;

    if (link->is_freed || link->is_full)
        return;
    retry_success(&link->messages.retry);
    front_link_boot(link, &batch->router_boot_id);
    for (size_t i = 0; i < batch->n_messages; i++) {
        if (take(link, batch->messages[i]))
            continue;
        link->is_full = true;
        uv_timer_start(&link->messages.again, on_full, 0, 0);
        return;
    }
}

static void on_messages_end(void *arg, const struct rpc_status *status,
                            const ProtobufCMessage *response)
{
    (void)response;
    on_stream_end(&((struct front_link *)arg)->messages, status);
}

static void open_messages(struct front_link *link)
{
    Mpc__Router__V1__SubscribeMessagesRequest message =
        MPC__ROUTER__V1__SUBSCRIBE_MESSAGES_REQUEST__INIT;
    struct rpc_request request = {.path = "mpc.router.v1.MessageRouter/SubscribeMessages",
                                  .message = &message.base,
                                  .response = &mpc__router__v1__message_batch__descriptor,
                                  .each = on_batch,
                                  .done = on_messages_end,
                                  .arg = link};

    if (link->is_full)
        return;
    message.party_id = link->who->party_id;
    message.after = link->taken;
    message.router_boot_id = (ProtobufCBinaryData){.len = link->has_boot ? LINK_BOOT_BYTES : 0,
                                                   .data = link->router_boot};
    link->messages.pending = rpc_start(link->params.router, &request);
}

void front_link_resume(struct front_link *link)
{
    if (!link->is_full)
        return;
    link->is_full = false;
    close_stream(&link->messages);
    if (link->state == LINK_REGISTERED)
        open_messages(link);
}

/* Acknowledgements. */

static void acknowledge(uv_timer_t *timer);

static void on_acknowledged(void *arg, const struct rpc_status *status,
                            const ProtobufCMessage *response)
{
    struct front_link *link = arg;
    bool is_lost = front_link_judge(status) != FRONT_ANSWER_OK;

    (void)response;
    if (link->is_freed)
        return;
    link->is_acknowledging = false;
    if (is_lost)
        link->acknowledged = 0;
    if (link->handed > link->acknowledged)
        uv_timer_start(&link->ack_timer, acknowledge, is_lost ? ACK_AGAIN_MS : ACK_MS, 0);
}

static void acknowledge(uv_timer_t *timer)
{
    struct front_link *link = timer->data;
    Mpc__Router__V1__AcknowledgeMessagesRequest message =
        MPC__ROUTER__V1__ACKNOWLEDGE_MESSAGES_REQUEST__INIT;
    struct rpc_request request = {.path = "mpc.router.v1.MessageRouter/AcknowledgeMessages",
                                  .message = &message.base,
                                  .response =
                                      &mpc__router__v1__acknowledge_messages_response__descriptor,
                                  .deadline_ms = LINK_CALL_MS,
                                  .done = on_acknowledged,
                                  .arg = link};

    if (link->is_acknowledging || link->handed <= link->acknowledged)
        return;
    link->is_acknowledging = true;
    link->acknowledged = link->handed;
    message.party_id = link->who->party_id;
    message.through = link->handed;
    message.router_boot_id =
        (ProtobufCBinaryData){.len = LINK_BOOT_BYTES, .data = link->router_boot};
    rpc_start(link->params.router, &request);
}

void front_link_handed(struct front_link *link, int64_t mark)
{
    if (link->is_freed || mark >> SEQ_BITS != link->generation || (mark & seq_max) <= link->handed)
        return;
    link->handed = mark & seq_max;
    if (!link->is_acknowledging && !uv_is_active((uv_handle_t *)&link->ack_timer))
        uv_timer_start(&link->ack_timer, acknowledge, ACK_MS, 0);
}

/* Polls. */

static void take_invitations(struct front_link *link,
                             const Mpc__Coordinator__V1__ListInvitationsResponse *answer)
{
    front_link_compare_clocks(link, "coordinator", answer->server_time_ms);
    /* What is frozen, before what is to be done. */
    for (size_t i = 0; i < answer->n_orders; i++)
        link->watch.order(link->watch.arg, answer->orders[i]);
    for (size_t i = 0; i < answer->n_events; i++)
        link->watch.event(link->watch.arg, answer->events[i]);
    link->cursor = answer->cursor;
    link->order_cursor = answer->order_cursor;
}

static void on_polled(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    struct front_link *link = arg;

    if (link->is_freed)
        return;
    link->is_polling = false;
    if (status->code != RPC_OK) {
        if (link->has_polled)
            log_event(LOG_WARN, "the coordinator does not answer", LOG_S("error", status->text));
        link->has_polled = false;
        return;
    }
    if (!link->has_polled)
        log_line(LOG_INFO, "the coordinator answers");
    link->has_polled = true;
    take_invitations(link, (const Mpc__Coordinator__V1__ListInvitationsResponse *)response);
    if (link->polls_again) {
        poll_now(link);
        return;
    }
    if (link->awaits_orders) {
        link->awaits_orders = false;
        open_events(link);
    }
    link->watch.polled(link->watch.arg);
}

static void poll_now(struct front_link *link)
{
    Mpc__Coordinator__V1__ListInvitationsRequest message =
        MPC__COORDINATOR__V1__LIST_INVITATIONS_REQUEST__INIT;
    struct rpc_request request = {.path = "mpc.coordinator.v1.SessionCoordinator/ListInvitations",
                                  .message = &message.base,
                                  .response =
                                      &mpc__coordinator__v1__list_invitations_response__descriptor,
                                  .deadline_ms = LINK_CALL_MS,
                                  .done = on_polled,
                                  .arg = link};

    link->polls_again = link->is_polling;
    if (link->is_polling || link->state != LINK_REGISTERED)
        return;
    link->is_polling = true;
    message.party_id = link->who->party_id;
    message.after = link->cursor;
    message.after_order = link->order_cursor;
    rpc_start(link->params.coordinator, &request);
}

void front_link_poll(struct front_link *link)
{
    poll_now(link);
}

static void on_poll_timer(uv_timer_t *timer)
{
    struct front_link *link = timer->data;

    if (!link->is_polling)
        poll_now(link);
}

static void init_stream(struct front_link *link, struct front_link_stream *stream,
                        void (*open)(struct front_link *link))
{
    stream->link = link;
    stream->again.data = stream;
    stream->open = open;
    stream->retry = (struct retry){.step_ms = STREAM_STEP_MS, .cap_ms = STREAM_CAP_MS};
}

void front_link_streams_init(struct front_link *link)
{
    init_stream(link, &link->events, open_events);
    init_stream(link, &link->messages, open_messages);
}

void front_link_streams_stop(struct front_link *link)
{
    link->awaits_orders = false;
    close_stream(&link->events);
    close_stream(&link->messages);
}

void front_link_streams_start(struct front_link *link)
{
    front_link_streams_stop(link);
    link->awaits_orders = true;
    open_messages(link);
    poll_now(link);
    uv_timer_start(&link->poll_timer, on_poll_timer, POLL_MS, POLL_MS);
}

void front_link_streams_reset(struct front_link *link)
{
    link->generation++;
    link->taken = 0;
    link->handed = 0;
    link->acknowledged = 0;
}
