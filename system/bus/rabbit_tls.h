/* SPDX-License-Identifier: Apache-2.0 */
/* TLS under one AMQP connection: who the broker must be, checked by OpenSSL during the handshake.
 * librabbitmq's own check of names is not used: it knows no addresses. */
#ifndef SYSTEM_BUS_RABBIT_TLS_H
#define SYSTEM_BUS_RABBIT_TLS_H

#include "system/bus/broker.h"

#include <amqp.h>

struct rabbit_tls {
    /* PEM files: the authority, and its revocation list or NULL */
    const char *ca, *crl;
    /* the name or address that the certificate must be for; NULL: any */
    const char *host;
};

/* The connection's, which frees it; NULL with |why|. The files are read now. */
amqp_socket_t *rabbit_tls_socket(amqp_connection_state_t c, const struct rabbit_tls *tls,
                                 char why[BROKER_ERROR_MAX]);

#endif
