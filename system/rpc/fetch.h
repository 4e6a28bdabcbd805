/* SPDX-License-Identifier: Apache-2.0 */
/* One GET by HTTP/1.1 over TLS, whose answer is told as it arrives: for interfaces of others that
 * are no gRPC, and whose answers may stay open for minutes. One connection for each, which is
 * checked by the kernel while it is silent (about 40 s). Same loop, same thread, never blocks.
 * It follows no redirection, and what ends without having said how long it is counts as cut off. */
#ifndef SYSTEM_RPC_FETCH_H
#define SYSTEM_RPC_FETCH_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct fetch;

struct fetch_params {
    /* all texts are copied */
    const char *target; /* host:port */
    const char *path;   /* with its query */
    const char *bearer; /* of the authorization; NULL: none. It is wiped once sent */
    const char *ca;     /* PEM file: who certified the server; read anew for every fetch */
    unsigned deadline_ms;
    /* the answer's status is known; NULL: not asked for */
    void (*head)(void *arg, int status);
    /* a piece of the body, lent; how many come is for the caller to bound */
    void (*body)(void *arg, const uint8_t *b, size_t len);
    /* It is over. |status| 0: there was no answer. |why| NULL: the answer is complete; otherwise in
     * a few words what was in the way, lent. */
    void (*done)(void *arg, int status, const char *why);
    void *arg;
};

/* |done| comes exactly once, unless it is cancelled, and never inside fetch_start. */
struct fetch *fetch_start(uv_loop_t *loop, const struct fetch_params *params);
/* Nothing is told any more; from anywhere before |done|. */
void fetch_cancel(struct fetch *fetch);

#endif
