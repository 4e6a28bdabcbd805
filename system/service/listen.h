/* SPDX-License-Identifier: Apache-2.0 */
/* Where a program listens and what it may reach: addresses and TLS files, checked as one. */
#ifndef SYSTEM_SERVICE_LISTEN_H
#define SYSTEM_SERVICE_LISTEN_H

#include "system/core/config.h"
#include "system/rpc/server.h"

/* The rules that no single variable can tell: plain text stays on loopback, TLS has its files.
 * False with one line. */
bool listen_check(const struct config *config, enum config_program program,
                  char error[RPC_TEXT_MAX]);
/* HTTP_PORT, HTTP_PORT_ALSO and GRPC_PORT; the same server answers all. Tells the ports to the
 * log. */
bool listen_start(struct rpc_server *server, const struct config *config, char error[RPC_TEXT_MAX]);
/* TLS=on. */
bool listen_has_tls(const struct config *config);

#endif
