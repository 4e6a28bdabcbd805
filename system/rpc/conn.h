/* SPDX-License-Identifier: Apache-2.0 */
/* One connection: bytes in and out, TLS, what it may take of memory and time. Which protocol it
 * speaks is found out from ALPN or its first bytes; the protocol turns bytes into calls.
 *
 * Output is collected and written once per turn of the loop (conn_flush, from the server's prepare
 * and check handles). A connection is torn down there only, never under a protocol's or a handler's
 * feet: conn_end and conn_abort just say so. */
#ifndef SYSTEM_RPC_CONN_H
#define SYSTEM_RPC_CONN_H

#include "system/core/buffer.h"
#include "system/rpc/due.h"
#include "system/rpc/parts.h"
#include "system/rpc/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum {
    /* a protocol stops giving output when so much waits for the socket */
    CONN_OUT_FULL = 256 * 1024,
    /* a peer that has not taken a byte of what waits for it, or not answered a ping */
    CONN_STALL_MS = 30000,
    /* after the last answer, what a refused request still sends is read and dropped so long */
    CONN_LINGER_MS = 2000,
    /* between the announcement of a drain and its end */
    CONN_DRAIN_MS = 250,
    CONN_PEER_MAX = 64
};

struct protocol {
    /* Bytes of the peer, all of them. */
    void (*input)(struct conn *conn, const uint8_t *b, size_t len);
    /* Give output by conn_send until conn_is_full. */
    void (*output)(struct conn *conn);
    /* Take no new calls and conn_end after the last one. Called again after a while: what was
     * on its way then has arrived. */
    void (*drain)(struct conn *conn);
    /* Ask whether the peer is alive; NULL: cannot. */
    void (*ping)(struct conn *conn);
    /* Bytes of |call| that wait for the peer. */
    size_t (*waiting)(const struct rpc_call *call);
    void (*free)(struct conn *conn);
};

struct conn {
    struct rpc_server *server;
    struct conn *next, **back;
    /* in the server's list of connections to flush */
    struct conn *next_dirty;
    uv_tcp_t tcp;
    uv_write_t writing;
    struct tls *tls;
    /* NULL until it is known */
    const struct protocol *protocol;
    void *session;
    /* the first bytes, until the protocol is known */
    struct buffer first;
    /* |out| is collected while |flying| is with the kernel */
    struct buffer out, flying;
    struct rpc_call *calls;
    unsigned calls_n;
    /* bytes its calls hold: heads, requests, answers */
    size_t held;
    struct due due;
    uint64_t opened_ms, idle_since_ms, read_ms, progress_ms, pinged_ms, drain_ms;
    /* bytes with the kernel when they were looked at last */
    size_t queue_len;
    /* a request's head began to arrive and is not complete; 0: none */
    uint64_t head_since_ms;
    char peer[CONN_PEER_MAX];
    bool is_dirty, is_paused, is_flying;
    /* close when all is sent; close now; being closed; closed, but calls go on */
    bool is_ending, is_doomed, is_closing, is_closed;
    /* our end is shut; waiting for the peer's */
    bool is_lingering;
    /* the peer sends no more */
    bool is_eof;
    bool is_draining, is_pinged;
    /* its handshake began before the listeners' files were read again */
    bool is_unproven;
};

/* Takes |fd|. |tls| NULL: plain. */
void conn_open(struct rpc_server *server, int fd, struct tls_context *tls);
/* False: its peer's certificate is revoked by now, and it is being closed. Nobody knows before the
 * handshake is over. */
bool conn_prove(struct conn *conn);
/* Plain text to the peer. */
void conn_send(struct conn *conn, const void *b, size_t len);
bool conn_is_full(const struct conn *conn);
/* Bytes that are not with the kernel yet. */
size_t conn_backlog(const struct conn *conn);
/* There is something to do for this connection in this turn of the loop. */
void conn_touch(struct conn *conn);
void conn_flush(struct conn *conn);
/* Close after what waits is sent. */
void conn_end(struct conn *conn);
/* Close without it. |why| goes to the log at debug level. */
void conn_abort(struct conn *conn, const char *why);
/* At once: only from the loop, not from inside a protocol or a handler. */
void conn_close(struct conn *conn);
/* No new calls; close after the last. */
void conn_drain(struct conn *conn);
/* Stop and go on reading, while a request waits for the one before it. */
void conn_pause(struct conn *conn, bool pause);
/* Look at the limits of time not later than |at_ms|. */
void conn_wake_by(struct conn *conn, uint64_t at_ms);
uint64_t conn_now(const struct conn *conn);
/* What it is from now on: its state is |session|. */
void conn_speak(struct conn *conn, const struct protocol *protocol, void *session);

/* The server is freed: calls that handlers hold lose their connection, which is being closed. */
void conn_orphan(struct conn *conn);

/* A call comes or goes: keeps the list, the count and the time of idleness. */
void conn_add_call(struct conn *conn, struct rpc_call *call);
void conn_remove_call(struct conn *conn, struct rpc_call *call);

#endif
