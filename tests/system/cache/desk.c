/* SPDX-License-Identifier: Apache-2.0 */
/* A process with a cache, for test_redis.py: a line on stdin is a question, a line on stdout its
 * answer. Ends with stdin.
 *
 *     allow KEY PER_MINUTE BURST   yes | no
 *     claim KEY                    first | again | elsewhere
 *     publish KEY VALUE            ok
 *     lookup KEY                   the value | none
 *     own KEY                      the value in this process | none
 *     state                        up | away
 *
 * usage: desk PORT ANSWER_MS [PASSWORD]   PORT 0: not shared; ANSWER_MS 0: as services have it */
#include "system/cache/cache.h"
#include "system/cache/redis.h"
#include "system/core/log.h"
#include "system/core/secret.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TTL_MS = 60000, RETRY_MS = 20, LINE_MAX_BYTES = 4096 };

static uv_loop_t loop;
static uv_pipe_t input;
static struct cache *cache;
static struct redis *redis;
static char line[LINE_MAX_BYTES];
static size_t line_len;

static void say(const char *text)
{
    puts(text);
    fflush(stdout);
}

static void on_claimed(void *arg, enum cache_claim claim)
{
    static const char *const words[] = {
        [CACHE_FIRST] = "first", [CACHE_AGAIN] = "again", [CACHE_ELSEWHERE] = "elsewhere"};

    (void)arg;
    say(words[claim]);
}

static void on_found(void *arg, const void *b, size_t len)
{
    (void)arg;
    if (b)
        printf("%.*s\n", (int)len, (const char *)b);
    else
        puts("none");
    fflush(stdout);
}

static void answer(const char *what, const char *key, const char *a, const char *b)
{
    unsigned wait_s = 0;
    size_t len = 0;

    if (strcmp(what, "allow") == 0)
        say(cache_allow(cache, key, (unsigned)atoi(a), (unsigned)atoi(b), &wait_s) ? "yes" : "no");
    else if (strcmp(what, "claim") == 0)
        cache_claim(cache, key, TTL_MS, on_claimed, NULL);
    else if (strcmp(what, "lookup") == 0)
        cache_lookup(cache, key, on_found, NULL);
    else if (strcmp(what, "state") == 0)
        say(redis && redis_is_up(redis) ? "up" : "away");
    else if (strcmp(what, "publish") == 0) {
        cache_publish(cache, key, a, strlen(a), TTL_MS);
        say("ok");
    } else {
        const void *own = cache_get(cache, key, &len);

        on_found(NULL, own, len);
    }
}

static void read_line(void)
{
    char what[16] = "", key[256] = "", a[512] = "", b[32] = "";

    sscanf(line, "%15s %255s %511s %31s", what, key, a, b);
    answer(what, key, a, b);
}

static void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    static char bytes[LINE_MAX_BYTES];

    (void)handle;
    (void)wanted;
    *out = uv_buf_init(bytes, sizeof bytes);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *in)
{
    if (n < 0) {
        redis_close(redis);
        uv_close((uv_handle_t *)stream, NULL);
        return;
    }
    for (ssize_t i = 0; i < n && line_len < sizeof line - 1; i++) {
        line[line_len++] = in->base[i];
        if (in->base[i] != '\n')
            continue;
        line[line_len] = 0;
        line_len = 0;
        read_line();
    }
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 0;
    const struct redis_params params = {.loop = &loop,
                                        .host = "127.0.0.1",
                                        .port = port,
                                        .answer_ms = argc > 2 ? (uint32_t)atoi(argv[2]) : 0,
                                        .password = argc > 3 ? argv[3] : NULL,
                                        .prefix = "test:",
                                        .retry_ms = RETRY_MS};

    secret_harden();
    signal(SIGPIPE, SIG_IGN);
    log_setup("desk", LOG_INFO);
    uv_loop_init(&loop);
    uv_pipe_init(&loop, &input, 0);
    uv_pipe_open(&input, 0);
    cache = cache_new(1000);
    if (port) {
        redis = redis_new(&params);
        cache_share(cache, redis, "desk");
    }
    uv_read_start((uv_stream_t *)&input, on_alloc, on_read);
    uv_run(&loop, UV_RUN_DEFAULT);
    cache_free(cache);
    redis_free(redis);
    return uv_loop_close(&loop) == 0 ? 0 : 1;
}
