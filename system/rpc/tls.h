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
#include "system/rpc/tls_context.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct tls;

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
/* The peer has shown a certificate, and it is good. Where none need be shown only that of a party
 * counts. */
bool tls_has_peer(const struct tls *tls);
/* The party that the peer's certificate names; "" if it shows none or names none. Lent. */
const char *tls_peer_party(struct tls *tls);
/* Does |context|, a newer one, have the peer's certificate in its revocation list? */
bool tls_peer_is_revoked(const struct tls *tls, const struct tls_context *context);
/* Why tls_read or tls_write failed, in one line. */
const char *tls_error(const struct tls *tls);

#endif
