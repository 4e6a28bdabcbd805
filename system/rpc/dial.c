/* SPDX-License-Identifier: Apache-2.0 */
/* Exactly one thing of a dial is in libuv's hands at a time, the resolver or a connect; its
 * callback comes in any case, cancelled or not, and goes on or frees the dial. */
#include "system/rpc/dial.h"

#include "system/core/buffer.h"

#include <stdlib.h>
#include <string.h>

struct dial {
    uv_loop_t *loop;
    dial_done *done;
    void *arg;
    uv_getaddrinfo_t resolve;
    struct addrinfo *list, *next;
    uv_connect_t connect;
    uv_tcp_t *tcp;
    /* why the last address failed */
    int error;
    bool is_cancelled;
};

bool dial_split(const char *target, char host[DIAL_HOST_MAX], char port[DIAL_PORT_MAX])
{
    const char *colon = strrchr(target, ':');
    size_t len = colon != NULL ? (size_t)(colon - target) : 0;

    if (len == 0 || colon[1] == 0 || strlen(colon + 1) >= DIAL_PORT_MAX ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return false;
    if (target[0] == '[' && target[len - 1] == ']') {
        target++;
        len -= 2;
    }
    if (len == 0 || len >= DIAL_HOST_MAX)
        return false;
    memcpy(host, target, len);
    host[len] = 0;
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    return true;
}

static void dial_free(struct dial *dial)
{
    uv_freeaddrinfo(dial->list);
    free(dial);
}

static void closed(uv_handle_t *handle)
{
    free(handle);
}

/* The end of it, good or not. What was cancelled has no socket: dial_cancel closed it. */
static void finish(struct dial *dial, uv_tcp_t *tcp)
{
    if (!dial->is_cancelled)
        dial->done(dial->arg, tcp, tcp != NULL ? "" : uv_strerror(dial->error));
    dial_free(dial);
}

static void try_next(struct dial *dial);

static void connected(uv_connect_t *request, int error)
{
    struct dial *dial = request->data;
    uv_tcp_t *tcp = dial->tcp;

    dial->tcp = NULL;
    if (error == 0) {
        finish(dial, tcp);
        return;
    }
    dial->error = error;
    /* Cancelling has closed it already. */
    if (!uv_is_closing((uv_handle_t *)tcp))
        uv_close((uv_handle_t *)tcp, closed);
    try_next(dial);
}

static bool connect_to(struct dial *dial, const struct sockaddr *address)
{
    dial->tcp = mem_new(1, sizeof *dial->tcp);
    dial->connect.data = dial;
    dial->error = uv_tcp_init(dial->loop, dial->tcp);
    if (dial->error != 0) {
        free(dial->tcp);
        return false;
    }
    dial->error = uv_tcp_connect(&dial->connect, dial->tcp, address, connected);
    if (dial->error == 0)
        return true;
    uv_close((uv_handle_t *)dial->tcp, closed);
    return false;
}

static void try_next(struct dial *dial)
{
    while (dial->next != NULL && !dial->is_cancelled) {
        const struct addrinfo *info = dial->next;

        dial->next = info->ai_next;
        if (connect_to(dial, info->ai_addr))
            return;
    }
    finish(dial, NULL);
}

static void resolved(uv_getaddrinfo_t *request, int error, struct addrinfo *list)
{
    struct dial *dial = request->data;

    dial->error = error;
    dial->list = dial->next = list;
    try_next(dial);
}

struct dial *dial_start(uv_loop_t *loop, const char *host, const char *port, dial_done *done,
                        void *arg)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct dial *dial = mem_new(1, sizeof *dial);

    *dial = (struct dial){.loop = loop, .done = done, .arg = arg};
    dial->resolve.data = dial;
    if (uv_getaddrinfo(loop, &dial->resolve, resolved, host, port, &hints) == 0)
        return dial;
    free(dial);
    return NULL;
}

void dial_cancel(struct dial *dial)
{
    dial->is_cancelled = true;
    if (dial->tcp != NULL)
        uv_close((uv_handle_t *)dial->tcp, closed);
    else
        uv_cancel((uv_req_t *)&dial->resolve);
}
