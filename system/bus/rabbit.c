/* SPDX-License-Identifier: Apache-2.0 */
/* See rabbit.h. One channel for both directions. The queue is exclusive: it ends with the
 * connection, and nobody else can read it. Messages are never persistent.
 *
 * A broker that takes nothing more makes the kernel give the connection up after SEND_MS; one that
 * says nothing more misses its heartbeats. So no call here hangs for ever. */
#include "system/bus/rabbit.h"

#include "system/bus/rabbit_tls.h"
#include "system/core/buffer.h"
#include "system/core/ids.h"

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { CHANNEL = 1, FRAME_MAX = 131072, HEARTBEAT_S = 5, ANSWER_S = 10, SEND_MS = 10000 };
enum { EXCHANGE_NAME_MAX = 64, QUEUE_NAME_MAX = EXCHANGE_NAME_MAX + BROKER_ADDRESS_MAX };

struct rabbit {
    amqp_connection_state_t c;
    char address[BROKER_ADDRESS_MAX];
    /* direct, fanout, and the queue */
    char one[EXCHANGE_NAME_MAX], all[EXCHANGE_NAME_MAX], queue[QUEUE_NAME_MAX];
};

static bool failed(char why[BROKER_ERROR_MAX], const char *what, int status)
{
    snprintf(why, BROKER_ERROR_MAX, "%s: %s", what, amqp_error_string2(status));
    return false;
}

/* The broker's own words if it has any. */
static bool answered(struct rabbit *rabbit, char why[BROKER_ERROR_MAX], const char *what)
{
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(rabbit->c);
    amqp_bytes_t text = amqp_cstring_bytes("an unknown answer");

    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
        return failed(why, what, reply.library_error);
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.decoded &&
        reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD)
        text = ((amqp_channel_close_t *)reply.reply.decoded)->reply_text;
    else if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.decoded)
        text = ((amqp_connection_close_t *)reply.reply.decoded)->reply_text;
    snprintf(why, BROKER_ERROR_MAX, "%s: %.*s", what, text.len > 120 ? 120 : (int)text.len,
             (const char *)text.bytes);
    return false;
}

static amqp_socket_t *new_socket(struct rabbit *rabbit, const struct rabbit_params *params,
                                 char why[BROKER_ERROR_MAX])
{
    const struct rabbit_tls tls = {
        .ca = params->ca, .crl = params->crl, .host = params->verifies_name ? params->host : NULL};

    return params->ca ? rabbit_tls_socket(rabbit->c, &tls, why) : amqp_tcp_socket_new(rabbit->c);
}

static bool connect_to(struct rabbit *rabbit, const struct rabbit_params *params,
                       char why[BROKER_ERROR_MAX])
{
    const struct timeval wait = {ANSWER_S, 0};
    unsigned send_ms = SEND_MS;
    amqp_socket_t *socket;
    int status;

    amqp_set_handshake_timeout(rabbit->c, &wait);
    amqp_set_rpc_timeout(rabbit->c, &wait);
    socket = new_socket(rabbit, params, why);
    if (!socket)
        return false;
    status = amqp_socket_open_noblock(socket, params->host, params->port, &wait);
    if (status != AMQP_STATUS_OK)
        return failed(why, "no connection", status);
    setsockopt(amqp_get_sockfd(rabbit->c), IPPROTO_TCP, TCP_USER_TIMEOUT, &send_ms, sizeof send_ms);
    return true;
}

static bool log_in(struct rabbit *rabbit, const struct rabbit_params *params,
                   char why[BROKER_ERROR_MAX])
{
    amqp_rpc_reply_t reply = amqp_login(rabbit->c, params->vhost, 1, FRAME_MAX, HEARTBEAT_S,
                                        AMQP_SASL_METHOD_PLAIN, params->user, params->password);

    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
        return failed(why, "no login", reply.library_error);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
        snprintf(why, BROKER_ERROR_MAX,
                 "the login of user %.60s was refused: see RABBITMQ_USER, RABBITMQ_PASSWORD and "
                 "RABBITMQ_VHOST",
                 params->user);
        return false;
    }
    amqp_channel_open(rabbit->c, CHANNEL);
    return answered(rabbit, why, "no channel");
}

static bool declare_exchange(struct rabbit *rabbit, const char *name, const char *type,
                             char why[BROKER_ERROR_MAX])
{
    amqp_exchange_declare(rabbit->c, CHANNEL, amqp_cstring_bytes(name), amqp_cstring_bytes(type), 0,
                          0, 0, 0, amqp_empty_table);
    return answered(rabbit, why, name);
}

/* A replica that does not read must not fill the broker: what is above the bound is refused. */
static bool declare_queue(struct rabbit *rabbit, char why[BROKER_ERROR_MAX])
{
    amqp_table_entry_t rows[] = {
        {.key = amqp_cstring_bytes("x-max-length-bytes"),
         .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = BROKER_WAITING_MAX}},
        {.key = amqp_cstring_bytes("x-overflow"),
         .value = {.kind = AMQP_FIELD_KIND_UTF8,
                   .value.bytes = amqp_cstring_bytes("reject-publish")}}};
    amqp_table_t table = {.num_entries = 2, .entries = rows};

    amqp_queue_declare(rabbit->c, CHANNEL, amqp_cstring_bytes(rabbit->queue), 0, 0, 1, 1, table);
    return answered(rabbit, why, rabbit->queue);
}

static bool bind_queue(struct rabbit *rabbit, char why[BROKER_ERROR_MAX])
{
    amqp_bytes_t queue = amqp_cstring_bytes(rabbit->queue);

    amqp_queue_bind(rabbit->c, CHANNEL, queue, amqp_cstring_bytes(rabbit->one),
                    amqp_cstring_bytes(rabbit->address), amqp_empty_table);
    if (!answered(rabbit, why, rabbit->one))
        return false;
    amqp_queue_bind(rabbit->c, CHANNEL, queue, amqp_cstring_bytes(rabbit->all), amqp_empty_bytes,
                    amqp_empty_table);
    return answered(rabbit, why, rabbit->all);
}

static bool consume(struct rabbit *rabbit, char why[BROKER_ERROR_MAX])
{
    amqp_basic_qos(rabbit->c, CHANNEL, 0, BROKER_PREFETCH, 0);
    if (!answered(rabbit, why, "basic.qos"))
        return false;
    amqp_confirm_select(rabbit->c, CHANNEL);
    if (!answered(rabbit, why, "confirm.select"))
        return false;
    amqp_basic_consume(rabbit->c, CHANNEL, amqp_cstring_bytes(rabbit->queue), amqp_empty_bytes, 0,
                       0, 1, amqp_empty_table);
    return answered(rabbit, why, "basic.consume");
}

static void make_names(struct rabbit *rabbit, const char *family)
{
    uint8_t id[(BROKER_ADDRESS_MAX - 1) / 2];

    randombytes_buf(id, sizeof id);
    hex_encode(rabbit->address, id, sizeof id);
    snprintf(rabbit->one, sizeof rabbit->one, "quorate.%.40s", family);
    snprintf(rabbit->all, sizeof rabbit->all, "quorate.%.40ss", family);
    snprintf(rabbit->queue, sizeof rabbit->queue, "%.63s.%s", rabbit->one, rabbit->address);
}

struct rabbit *rabbit_open(const struct rabbit_params *params, char address[BROKER_ADDRESS_MAX],
                           char why[BROKER_ERROR_MAX])
{
    struct rabbit *rabbit = mem_new(1, sizeof *rabbit);

    make_names(rabbit, params->family);
    rabbit->c = amqp_new_connection();
    if (!rabbit->c || !connect_to(rabbit, params, why) || !log_in(rabbit, params, why) ||
        !declare_exchange(rabbit, rabbit->one, "direct", why) ||
        !declare_exchange(rabbit, rabbit->all, "fanout", why) || !declare_queue(rabbit, why) ||
        !bind_queue(rabbit, why) || !consume(rabbit, why)) {
        rabbit_close(rabbit);
        return NULL;
    }
    snprintf(address, BROKER_ADDRESS_MAX, "%s", rabbit->address);
    return rabbit;
}

void rabbit_close(struct rabbit *rabbit)
{
    if (!rabbit)
        return;
    /* without words: the queue goes with the connection */
    if (rabbit->c)
        amqp_destroy_connection(rabbit->c);
    free(rabbit);
}

int rabbit_fd(const struct rabbit *rabbit)
{
    return amqp_get_sockfd(rabbit->c);
}

/* The rest of a message whose method has come: |b| (heap) and |len|. One that is too long for a
 * frame is read away and has no bytes: whoever can write to the queue ends no connection. */
static bool read_content(struct rabbit *rabbit, uint8_t **b, size_t *len,
                         char why[BROKER_ERROR_MAX])
{
    const struct timeval wait = {ANSWER_S, 0};
    struct buffer body = {0};
    amqp_frame_t frame;
    uint64_t left;
    bool is_kept;
    int status = amqp_simple_wait_frame_noblock(rabbit->c, &frame, &wait);

    if (status != AMQP_STATUS_OK || frame.frame_type != AMQP_FRAME_HEADER)
        return failed(why, "a message broke off", status);
    left = frame.payload.properties.body_size;
    is_kept = left <= BROKER_FRAME_MAX;
    while (left > 0) {
        amqp_maybe_release_buffers(rabbit->c);
        status = amqp_simple_wait_frame_noblock(rabbit->c, &frame, &wait);
        if (status != AMQP_STATUS_OK || frame.frame_type != AMQP_FRAME_BODY ||
            frame.payload.body_fragment.len > left) {
            buffer_free(&body);
            return failed(why, "a message broke off", status);
        }
        if (is_kept)
            buffer_add(&body, frame.payload.body_fragment.bytes, frame.payload.body_fragment.len);
        left -= frame.payload.body_fragment.len;
    }
    *b = body.b;
    *len = body.len;
    return true;
}

static enum rabbit_news take_delivery(struct rabbit *rabbit, const amqp_basic_deliver_t *method,
                                      struct rabbit_event *event, char why[BROKER_ERROR_MAX])
{
    event->tag = method->delivery_tag;
    return read_content(rabbit, &event->b, &event->len, why) ? RABBIT_FRAME : RABBIT_DOWN;
}

static enum rabbit_news take_return(struct rabbit *rabbit, const amqp_basic_return_t *method,
                                    struct rabbit_event *event, char why[BROKER_ERROR_MAX])
{
    size_t n = method->routing_key.len;
    uint8_t *b = NULL;
    size_t len;

    if (n >= sizeof event->to)
        n = sizeof event->to - 1;
    memcpy(event->to, method->routing_key.bytes, n);
    event->to[n] = '\0';
    if (!read_content(rabbit, &b, &len, why))
        return RABBIT_DOWN;
    free(b);
    return RABBIT_RETURNED;
}

static enum rabbit_news take_verdict(struct rabbit_event *event, enum rabbit_news news,
                                     uint64_t tag, bool multiple)
{
    event->tag = tag;
    event->multiple = multiple;
    return news;
}

static enum rabbit_news take_method(struct rabbit *rabbit, const amqp_method_t *method,
                                    struct rabbit_event *event, char why[BROKER_ERROR_MAX])
{
    const amqp_basic_ack_t *ack = method->decoded;
    const amqp_basic_nack_t *nack = method->decoded;

    switch (method->id) {
    case AMQP_BASIC_DELIVER_METHOD:
        return take_delivery(rabbit, method->decoded, event, why);
    case AMQP_BASIC_RETURN_METHOD:
        return take_return(rabbit, method->decoded, event, why);
    case AMQP_BASIC_ACK_METHOD:
        return take_verdict(event, RABBIT_CONFIRMED, ack->delivery_tag, ack->multiple);
    case AMQP_BASIC_NACK_METHOD:
        return take_verdict(event, RABBIT_REFUSED, nack->delivery_tag, nack->multiple);
    case AMQP_BASIC_CANCEL_METHOD:
    case AMQP_CHANNEL_CLOSE_METHOD:
    case AMQP_CONNECTION_CLOSE_METHOD:
        snprintf(why, BROKER_ERROR_MAX, "the broker ended the connection");
        return RABBIT_DOWN;
    default:
        return RABBIT_NOTHING;
    }
}

void rabbit_step(struct rabbit *rabbit, struct rabbit_event *event, char why[BROKER_ERROR_MAX])
{
    const struct timeval now = {0, 0};
    amqp_frame_t frame;
    int status;

    *event = (struct rabbit_event){0};
    amqp_maybe_release_buffers(rabbit->c);
    status = amqp_simple_wait_frame_noblock(rabbit->c, &frame, &now);
    if (status == AMQP_STATUS_TIMEOUT)
        return;
    if (status != AMQP_STATUS_OK) {
        failed(why, "the connection broke", status);
        event->news = RABBIT_DOWN;
    } else if (frame.frame_type == AMQP_FRAME_METHOD) {
        event->news = take_method(rabbit, &frame.payload.method, event, why);
        event->more = true;
    }
}

bool rabbit_publish(struct rabbit *rabbit, const char *to, const uint8_t *b, size_t len,
                    char why[BROKER_ERROR_MAX])
{
    const char *exchange = to ? rabbit->one : rabbit->all;
    amqp_bytes_t key = to ? amqp_cstring_bytes(to) : amqp_empty_bytes;
    amqp_bytes_t body = {.len = len, .bytes = (void *)(uintptr_t)b};
    int status = amqp_basic_publish(rabbit->c, CHANNEL, amqp_cstring_bytes(exchange), key,
                                    to != NULL, 0, NULL, body);

    return status == AMQP_STATUS_OK || failed(why, "the broker takes nothing", status);
}

bool rabbit_acknowledge(struct rabbit *rabbit, uint64_t through, char why[BROKER_ERROR_MAX])
{
    int status = amqp_basic_ack(rabbit->c, CHANNEL, through, 1);

    return status == AMQP_STATUS_OK || failed(why, "the connection broke", status);
}
