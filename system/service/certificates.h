/* SPDX-License-Identifier: Apache-2.0 */
/* The TLS files of a program: which variables name them, whether they are good, and what happens
 * when they change. They are looked at every second, also behind symbolic links, and on SIGHUP. New
 * files that are good count for new connections; connections that are there go on. Of files that
 * are not good one line tells why, and the old ones stay in use. */
#ifndef SYSTEM_SERVICE_CERTIFICATES_H
#define SYSTEM_SERVICE_CERTIFICATES_H

#include "system/core/config.h"
#include "system/rpc/server.h"
#include "system/rpc/tls_context.h"

#include <stdbool.h>
#include <uv.h>

struct certificates;

/* What the listeners of HTTP_PORT (a certificate of GRPC_TLS_CA is asked for, but callers with an
 * API key need none) and GRPC_PORT take, and what our own calls take; lent by
 * |config|. Only with TLS=on. */
struct rpc_tls certificates_http(const struct config *config);
struct rpc_tls certificates_grpc(const struct config *config);
struct tls_files certificates_calls(const struct config *config);

/* Are all files there and good? False with one line. */
bool certificates_check(const struct config *config, char error[RPC_TEXT_MAX]);
/* The party that GRPC_TLS_CERT names; "" for none, and with TLS=off. */
void certificates_party(char out[TLS_PARTY_MAX], const struct config *config);

/* Remember the files as they are now; before the server reads them. NULL with TLS=off. */
struct certificates *certificates_new(const struct config *config);
/* Look after them from now on. NULL is nothing. */
void certificates_watch(struct certificates *certificates, uv_loop_t *loop,
                        struct rpc_server *server);
/* Its memory goes when the loop has run once more. NULL is nothing. */
void certificates_free(struct certificates *certificates);

#endif
