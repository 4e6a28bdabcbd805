/* SPDX-License-Identifier: Apache-2.0 */
/* One AMQP connection with its queue, on the thread that calls: every function may block, for
 * some seconds at most. What the broker sends comes out by rabbit_step. */
#ifndef SYSTEM_BUS_RABBIT_H
#define SYSTEM_BUS_RABBIT_H

#include "system/bus/broker.h"

struct rabbit_params {
    const char *host, *user, *password, *vhost, *family;
    int port;
    /* NULL: plain text */
    const char *ca;
    /* NULL: nobody is looked up */
    const char *crl;
    bool verifies_name;
};

enum rabbit_news {
    RABBIT_NOTHING,
    RABBIT_FRAME,
    RABBIT_CONFIRMED,
    RABBIT_REFUSED,
    RABBIT_RETURNED,
    RABBIT_DOWN
};

struct rabbit_event {
    enum rabbit_news news;
    /* something came, whatever it was: there may be more */
    bool more;
    /* RABBIT_FRAME: to acknowledge; RABBIT_CONFIRMED, RABBIT_REFUSED: the publisher's, all up to
     * it if |multiple| */
    uint64_t tag;
    bool multiple;
    /* RABBIT_FRAME: heap, the receiver's; of no bytes if the message was longer than a frame */
    uint8_t *b;
    size_t len;
    /* RABBIT_RETURNED */
    char to[BROKER_ADDRESS_MAX];
};

struct rabbit;

/* NULL with |why|. |address| gets the queue's. */
struct rabbit *rabbit_open(const struct rabbit_params *params, char address[BROKER_ADDRESS_MAX],
                           char why[BROKER_ERROR_MAX]);
void rabbit_close(struct rabbit *rabbit);
/* The next thing that has come, without waiting; RABBIT_DOWN with |why|. */
void rabbit_step(struct rabbit *rabbit, struct rabbit_event *event, char why[BROKER_ERROR_MAX]);
/* Publisher's tags count from 1. False with |why|: it is down. */
bool rabbit_publish(struct rabbit *rabbit, const char *to, const uint8_t *b, size_t len,
                    char why[BROKER_ERROR_MAX]);
bool rabbit_acknowledge(struct rabbit *rabbit, uint64_t through, char why[BROKER_ERROR_MAX]);
/* To wait for; -1 if there is none. */
int rabbit_fd(const struct rabbit *rabbit);

#endif
