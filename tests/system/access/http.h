/* SPDX-License-Identifier: Apache-2.0 */
/* The plainest HTTP/1.1 client on loopback: one request, one connection, the whole answer. */
#ifndef TESTS_SYSTEM_ACCESS_HTTP_H
#define TESTS_SYSTEM_ACCESS_HTTP_H

#include <stddef.h>

struct http_request {
    int port;
    /* the caller's own loopback address; NULL: 127.0.0.1 */
    const char *from;
    /* NULL: GET */
    const char *verb;
    const char *path;
    /* lines with their ends; NULL: none */
    const char *headers;
    const void *body;
    size_t len;
};

struct http_answer {
    int status;
    char head[4096];
    /* with a zero byte behind it */
    char body[65536];
    size_t len;
};

/* Ends the test if there is no answer. */
void http_ask(struct http_answer *out, const struct http_request *request);
/* A connection on which the request was sent; for answers that do not end. */
int http_open(const struct http_request *request);

#endif
