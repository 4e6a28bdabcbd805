/* SPDX-License-Identifier: Apache-2.0 */
/* A watch for test_watch.py: tells on stdout, as a line of JSON, whenever something is different.
 * It ends, in order, with its stdin.
 *
 * usage: watch_probe TARGET DIR SERVICE RETRY_MS */
#include "system/discovery/watch.h"

#include "system/core/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct watch *watch;
static uv_timer_t timer;
static uv_pipe_t in;
static char last[4096];

static void tell(uv_timer_t *handle)
{
    char text[sizeof last];
    size_t n, at;
    const char *const *pods = watch_pods(watch, &n);

    (void)handle;
    at = (size_t)snprintf(text, sizeof text, "{\"current\": %s, \"pods\": [",
                          watch_is_current(watch) ? "true" : "false");
    for (size_t i = 0; i < n && at < sizeof text; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s\"%s\"", i ? ", " : "", pods[i]);
    if (strcmp(text, last) == 0)
        return;
    strcpy(last, text);
    printf("%s]}\n", text);
    fflush(stdout);
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    static char room[16];

    (void)handle;
    (void)hint;
    *buf = uv_buf_init(room, sizeof room);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    if (n >= 0)
        return;
    watch_free(watch);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_close((uv_handle_t *)stream, NULL);
}

int main(int argc, char **argv)
{
    struct watch_params params = {0};
    uv_loop_t loop;

    if (argc < 5 || uv_loop_init(&loop) != 0)
        return 2;
    params.target = argv[1];
    params.dir = argv[2];
    params.service = argv[3];
    params.retry.step_ms = (uint32_t)atoi(argv[4]);
    params.retry.cap_ms = params.retry.step_ms * 4;
    watch = watch_new(&loop, &params);
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, tell, 0, 5);
    uv_pipe_init(&loop, &in, 0);
    uv_pipe_open(&in, 0);
    uv_read_start((uv_stream_t *)&in, on_alloc, on_read);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop) != 0;
}
