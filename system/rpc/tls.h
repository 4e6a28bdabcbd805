/* SPDX-License-Identifier: Apache-2.0 */
/* TLS 1.2 and 1.3 as a machine without sockets: bytes of the network in, bytes for the network
 * out, plain text on the other side. Both ends of the connection layer use it. ALPN offers and
 * takes h2 and http/1.1. No renegotiation, no compression, no early data.
 *
 * After tls_feed call tls_read until it gives 0, then send what tls_take collected: handshakes
 * answer by themselves. */
#ifndef SYSTEM_RPC_TLS_H
#define SYSTEM_RPC_TLS_H

#include "system/core/buffer.h"
#include "system/rpc/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct tls_context;
struct tls;

/* PEM files. A client CA makes client certificates a must. NULL with one line in |error|, which
 * names the file. */
struct tls_context *tls_context_server(const char *certificate, const char *key,
                                       const char *client_ca, char error[RPC_TEXT_MAX]);
/* |certificate| and |key| NULL: the client shows none. Offers h2 only. */
struct tls_context *tls_context_client(const char *ca, const char *certificate, const char *key,
                                       char error[RPC_TEXT_MAX]);
/* May be freed before the connections made from it. NULL is nothing. */
void tls_context_free(struct tls_context *context);

/* |server_name| NULL: the server's end. A client's end checks the certificate against the name
 * (host name or address). */
struct tls *tls_new(struct tls_context *context, const char *server_name);
/* NULL is nothing. */
void tls_free(struct tls *tls);

/* Bytes from the network. */
void tls_feed(struct tls *tls, const void *b, size_t len);
/* Starts or goes on with the handshake, then plain text: its length, 0: nothing now, -1: fault or
 * end of the connection (tls_error; "" at an orderly end). A client begins by calling it once. */
ssize_t tls_read(struct tls *tls, void *b, size_t cap);
/* Plain text out, all of it. Only after tls_is_ready; false: fault. */
bool tls_write(struct tls *tls, const void *b, size_t len);
/* Add the bytes for the network to |out|. */
void tls_take(struct tls *tls, struct buffer *out);
/* The end of our direction (close_notify); tls_take once more. */
void tls_close(struct tls *tls);

/* The handshake is over. */
bool tls_is_ready(const struct tls *tls);
/* "h2", "http/1.1" or "". */
const char *tls_alpn(const struct tls *tls);
/* Why tls_read or tls_write failed, in one line. */
const char *tls_error(const struct tls *tls);

#endif
