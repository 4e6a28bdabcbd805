/* SPDX-License-Identifier: Apache-2.0 */
/* The driver of broker.h for RabbitMQ. Opened by broker_open; the parameters are for tests. */
#ifndef SYSTEM_BUS_RABBITMQ_H
#define SYSTEM_BUS_RABBITMQ_H

#include "system/bus/rabbit.h"
#include "system/core/retry.h"

/* Texts are copied. */
struct broker *rabbitmq_new(uv_loop_t *loop, const struct rabbit_params *params,
                            const struct retry *retry, const struct broker_events *events);

#endif
