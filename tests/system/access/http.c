/* SPDX-License-Identifier: Apache-2.0 */
/* See http.h. */
#include "http.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_to(int port, const char *from)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in own = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    if (from) {
        assert_int_equal(inet_pton(AF_INET, from, &own.sin_addr), 1);
        assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof own), 0);
    }
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void write_all(int fd, const char *b, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, b, len);

        assert_true(n > 0);
        b += n;
        len -= (size_t)n;
    }
}

int http_open(const struct http_request *request)
{
    int fd = connect_to(request->port, request->from);
    char head[4096];
    int len = snprintf(head, sizeof head,
                       "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                       "Content-Length: %zu\r\n%s\r\n",
                       request->verb ? request->verb : "GET", request->path, request->len,
                       request->headers ? request->headers : "");

    assert_in_range(len, 1, sizeof head - 1);
    write_all(fd, head, (size_t)len);
    write_all(fd, request->body, request->len);
    return fd;
}

/* Chunks one behind the other into out->body. */
static void join_chunks(struct http_answer *out, const char *b, const char *end)
{
    while (b < end) {
        char *rest;
        size_t n = strtoul(b, &rest, 16);

        if (n == 0)
            return;
        b = strstr(rest, "\r\n") + 2;
        assert_true(n <= (size_t)(end - b));
        memcpy(out->body + out->len, b, n);
        out->len += n;
        b += n + 2;
    }
}

static void split(struct http_answer *out, const char *all, size_t len)
{
    const char *end = strstr(all, "\r\n\r\n");

    assert_non_null(end);
    assert_int_equal(sscanf(all, "HTTP/1.1 %d", &out->status), 1);
    snprintf(out->head, sizeof out->head, "%.*s", (int)(end - all), all);
    end += 4;
    if (strcasestr(out->head, "transfer-encoding: chunked")) {
        join_chunks(out, end, all + len);
    } else {
        out->len = len - (size_t)(end - all);
        memcpy(out->body, end, out->len);
    }
    out->body[out->len] = '\0';
}

void http_ask(struct http_answer *out, const struct http_request *request)
{
    int fd = http_open(request);
    char *all = calloc(1, sizeof out->body);
    size_t len = 0;
    ssize_t n;

    *out = (struct http_answer){0};
    while ((n = read(fd, all + len, sizeof out->body - 1 - len)) > 0)
        len += (size_t)n;
    close(fd);
    split(out, all, len);
    free(all);
}
