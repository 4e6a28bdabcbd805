/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP/2 server in plain text that answers exactly what a test tells it, right or wrong, on the
 * test's own loop. It is not the product's server. */
#ifndef TESTS_SYSTEM_RPC_STUB_SERVER_H
#define TESTS_SYSTEM_RPC_STUB_SERVER_H

#include "system/core/buffer.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct stub_server;
struct stub_link;

enum { STUB_HEADERS_MAX = 16 };
struct stub_header {
    char *name, *value;
};

/* A request that has arrived whole; the stub's, valid until its stream is closed. */
struct stub_call {
    struct stub_link *link;
    int32_t stream;
    struct stub_header headers[STUB_HEADERS_MAX];
    size_t headers_n;
    struct buffer body;
    /* the answer that is being sent */
    struct buffer out;
    size_t sent;
    bool is_open;
    const char *const *trailers;
};

typedef void stub_on_call(void *arg, struct stub_call *call);
typedef void stub_on_reset(void *arg, uint32_t error);

struct stub_server {
    uv_loop_t *loop;
    uv_tcp_t listener;
    stub_on_call *on_call;
    stub_on_reset *on_reset;
    void *arg;
    /* its own from its first opening to its end */
    int port, port_holder;
    bool is_open;
    /* "127.0.0.1:port" */
    char target[32];
    /* takes connections and reads, but says nothing at all / does not answer pings */
    bool is_mute, is_deaf_to_pings;
    /* so many connections are closed as soon as they come */
    unsigned refuse_n;
    unsigned links_n, pings_n;
    struct stub_link *links;
};

/* At the port where it was open before, if it was. */
void stub_open(struct stub_server *stub, uv_loop_t *loop);
/* Closes listener and connections, if it is open; the loop must run once more. Nobody else listens
 * at its port. */
void stub_close(struct stub_server *stub);
/* For ever. */
void stub_end(struct stub_server *stub);
/* Cuts all connections. */
void stub_cut(struct stub_server *stub);
/* GOAWAY on all connections, for streams after |last|. */
void stub_goaway(struct stub_server *stub, int32_t last, uint32_t error);

const char *stub_header(const struct stub_call *call, const char *name);
/* |trailers|: name, value ... NULL; NULL: the stream stays open after |body|. */
void stub_answer(struct stub_call *call, const char *http, const char *content_type,
                 const void *body, size_t len, const char *const *trailers);
/* Trailers only. */
void stub_refuse(struct stub_call *call, const char *const *trailers);
void stub_reset(struct stub_call *call, uint32_t error);

#endif
