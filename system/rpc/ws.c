/* SPDX-License-Identifier: Apache-2.0 */
/* See ws.h: the connection's side. wslay reads and writes frames, answers pings, joins fragments
 * and checks UTF-8; a message that is complete becomes a call in ws_call.c. */
#include "system/rpc/ws.h"

#include "system/rpc/forms.h"
#include "system/rpc/ws_call.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* pongs and other frames of wslay's own that wait for a peer that does not read */
    QUEUE_MAX = 1024,
    KEY_LEN = 24
};

/* ---- handshake ---- */

static struct rpc_status refusal(int http, const char *name, const char *text)
{
    struct rpc_status status = rpc_error(RPC_INVALID, name, "%s", text);

    status.http = http;
    return status;
}

static bool is_key(const char *key)
{
    uint8_t b[KEY_LEN];

    return key && strlen(key) == KEY_LEN && key[KEY_LEN - 1] == '=' && key[KEY_LEN - 2] == '=' &&
           EVP_DecodeBlock(b, (const unsigned char *)key, KEY_LEN) == 18;
}

/* A browser tells the origin of the page: its own server, or one that is allowed. */
static bool is_welcome(const struct rpc_call *call)
{
    const char *origin = head_get(&call->head, "origin");
    const char *host = head_get(&call->head, "host");
    const char *name = origin ? strstr(origin, "://") : NULL;

    if (!origin || server_allows_origin(call->conn->server, origin))
        return true;
    return name && host && strcasecmp(name + 3, host) == 0;
}

static void accept_of(char accept[WS_ACCEPT_MAX], const char *key)
{
    static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t digest[SHA_DIGEST_LENGTH];
    struct buffer text = {0};

    buffer_text(&text, key);
    buffer_text(&text, magic);
    SHA1(text.b, text.len, digest);
    EVP_EncodeBlock((unsigned char *)accept, digest, sizeof digest);
    buffer_free(&text);
}

struct rpc_status ws_handshake(const struct rpc_call *call, char accept[WS_ACCEPT_MAX])
{
    const struct head *head = &call->head;
    const char *version = head_get(head, "sec-websocket-version");
    const char *key = head_get(head, "sec-websocket-key");

    if (call->exchange->has_trailers || !head_list_has(head_get(head, "upgrade"), "websocket") ||
        !head_list_has(head_get(head, "connection"), "upgrade"))
        return refusal(426, "upgrade_required", "this path is a WebSocket over HTTP/1.1");
    if (!version || strcmp(version, "13") != 0)
        return refusal(426, "upgrade_required", "only version 13 of WebSocket is spoken");
    if (strcmp(call->verb, "GET") != 0 || !is_key(key))
        return refusal(400, "bad_request", "the WebSocket handshake is malformed");
    if (!is_welcome(call)) {
        struct rpc_status status =
            rpc_error(RPC_DENIED, "origin_denied", "pages of this origin are not allowed here");

        return status;
    }
    accept_of(accept, key);
    return rpc_ok();
}

/* ---- frames ---- */

static ssize_t on_recv(wslay_event_context_ptr context, uint8_t *room, size_t cap, int flags,
                       void *arg)
{
    struct ws *ws = arg;
    size_t n = ws->in_len < cap ? ws->in_len : cap;

    (void)flags;
    if (!n) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(room, ws->in, n);
    ws->in += n;
    ws->in_len -= n;
    return (ssize_t)n;
}

static ssize_t on_send(wslay_event_context_ptr context, const uint8_t *b, size_t len, int flags,
                       void *arg)
{
    struct ws *ws = arg;

    (void)flags;
    if (conn_is_full(ws->conn)) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    conn_send(ws->conn, b, len);
    return (ssize_t)len;
}

void ws_close(struct ws *ws, uint16_t code, const char *why)
{
    if (ws->is_closing)
        return;
    ws->is_closing = true;
    wslay_event_queue_close(ws->context, code, (const uint8_t *)why, strlen(why));
    wslay_event_shutdown_read(ws->context);
    conn_touch(ws->conn);
}

static void on_message(wslay_event_context_ptr context,
                       const struct wslay_event_on_msg_recv_arg *message, void *arg)
{
    struct ws *ws = arg;

    (void)context;
    if (ws->is_closing)
        return;
    if (message->opcode == WSLAY_TEXT_FRAME)
        ws_take(ws, (const char *)message->msg, message->msg_length);
    else if (message->opcode == WSLAY_BINARY_FRAME)
        ws_close(ws, WSLAY_CODE_UNSUPPORTED_DATA, "text messages only");
}

/* What the frame whose head is in |start| announces. False: its head is not complete. */
static bool announced(const struct ws *ws, uint64_t *len)
{
    unsigned code = ws->start_n < 2 ? 0 : ws->start[1] & 0x7f;
    size_t need = code == 127 ? 10 : code == 126 ? 4 : 2;

    if (ws->start_n < need)
        return false;
    *len = need == 2 ? code : 0;
    for (size_t i = 2; i < need; i++)
        *len = *len << 8 | ws->start[i];
    return true;
}

/* wslay looks at a length when the first byte behind the head is there, which may be never: heads
 * are followed here, too. False: a frame is to come that is longer than a message may be. */
static bool follow(struct ws *ws, const uint8_t *b, size_t len)
{
    uint64_t size;

    while (len) {
        size_t n = ws->rest < len ? (size_t)ws->rest : len;

        if (!n) {
            ws->start[ws->start_n++] = *b;
            n = 1;
            if (announced(ws, &size)) {
                if (size > ws->conn->server->limits.body_max)
                    return false;
                ws->rest = size + (ws->start[1] & 0x80 ? 4 : 0);
                ws->start_n = 0;
            }
        } else {
            ws->rest -= n;
        }
        b += n;
        len -= n;
    }
    return true;
}

static void input(struct conn *conn, const uint8_t *b, size_t len)
{
    struct ws *ws = conn->session;

    ws->in = b;
    ws->in_len = len;
    /* A fault of the peer: wslay has queued the close frame that says so. */
    if (wslay_event_recv(ws->context) != 0)
        ws->is_closing = true;
    ws->in = NULL;
    ws->in_len = 0;
    if (!ws->is_closing && !follow(ws, b, len))
        ws_close(ws, WSLAY_CODE_MESSAGE_TOO_BIG, "the message is too long");
    conn_touch(conn);
}

/* Calls whose last word is queued. */
static void let_go(struct ws *ws)
{
    struct rpc_call *call = ws->conn->calls;

    while (ws->ended && call) {
        struct rpc_call *next = call->next;

        if (call->is_carried && call->has_ended) {
            ws->ended--;
            rpc_call_closed(call);
        }
        call = next;
    }
}

/* wslay sends a close frame before messages that wait: a farewell is queued behind them. */
static int send_all(struct ws *ws)
{
    int e = wslay_event_send(ws->context);

    if (e != 0 || !ws->is_draining || ws->conn->calls_n || ws->is_closing ||
        wslay_event_want_write(ws->context))
        return e;
    ws_close(ws, WSLAY_CODE_GOING_AWAY, "the server stops");
    return wslay_event_send(ws->context);
}

static void output(struct conn *conn)
{
    struct ws *ws = conn->session;

    let_go(ws);
    if (send_all(ws) != 0)
        conn_abort(conn, "WebSocket fault");
    else if (wslay_event_get_queued_msg_count(ws->context) > QUEUE_MAX + conn->calls_n)
        conn_abort(conn, "too many frames wait for a peer that does not read");
    else if (!wslay_event_want_write(ws->context) &&
             (ws->is_closing || wslay_event_get_close_sent(ws->context)))
        conn_end(conn);
}

static void drain(struct conn *conn)
{
    struct ws *ws = conn->session;

    ws->is_draining = true;
    conn_touch(conn);
}

static void ping(struct conn *conn)
{
    struct ws *ws = conn->session;
    const struct wslay_event_msg message = {WSLAY_PING, NULL, 0};

    wslay_event_queue_msg(ws->context, &message);
    conn_touch(conn);
}

static size_t waiting(const struct rpc_call *call)
{
    struct ws *ws = call->conn->session;

    return conn_backlog(call->conn) + wslay_event_get_queued_msg_length(ws->context);
}

static void ws_free(struct conn *conn)
{
    struct ws *ws = conn->session;

    wslay_event_context_free(ws->context);
    head_free(&ws->head);
    free(ws);
}

static const struct protocol ws_protocol = {input, output, drain, ping, waiting, ws_free};

void ws_start(struct conn *conn, struct head *head)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_recv, .send_callback = on_send, .on_msg_recv_callback = on_message};
    struct ws *ws = mem_new(1, sizeof *ws);

    ws->conn = conn;
    ws->head = *head;
    *head = (struct head){0};
    if (wslay_event_context_server_init(&ws->context, &callbacks, ws) != 0)
        abort();
    wslay_event_config_set_max_recv_msg_length(ws->context, conn->server->limits.body_max);
    conn_speak(conn, &ws_protocol, ws);
}
