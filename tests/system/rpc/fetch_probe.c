/* SPDX-License-Identifier: Apache-2.0 */
/* One fetch for test_fetch.py: tells on stdout what comes of it.
 *
 * usage: fetch_probe TARGET PATH CA BEARER DEADLINE_MS [head|body]   the last: cancel there */
#include "system/rpc/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fetch *fetch;
static const char *cancel_at = "";

static void cancel_if(const char *where)
{
    if (strcmp(cancel_at, where) != 0)
        return;
    fetch_cancel(fetch);
    fetch_cancel(fetch);
    puts("cancelled");
}

static void on_head(void *arg, int status)
{
    (void)arg;
    printf("head %d\n", status);
    fflush(stdout);
    cancel_if("head");
}

static void on_body(void *arg, const uint8_t *b, size_t len)
{
    (void)arg;
    printf("body %.*s\n", (int)len, (const char *)b);
    fflush(stdout);
    cancel_if("body");
}

static void on_done(void *arg, int status, const char *why)
{
    (void)arg;
    printf("done %d %s\n", status, why ? why : "complete");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    uv_loop_t loop;
    struct fetch_params params = {.head = on_head, .body = on_body, .done = on_done};

    if (argc < 6 || uv_loop_init(&loop) != 0)
        return 2;
    params.target = argv[1];
    params.path = argv[2];
    params.ca = argv[3];
    params.bearer = argv[4][0] ? argv[4] : NULL;
    params.deadline_ms = (unsigned)atoi(argv[5]);
    if (argc > 6)
        cancel_at = argv[6];
    fetch = fetch_start(&loop, &params);
    cancel_if("start");
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop) != 0;
}
