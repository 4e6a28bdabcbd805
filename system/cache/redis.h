/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to Redis that may fail at any time: nothing here is ever waited for longer than
 * REDIS_ANSWER_MS, and nobody depends on it.
 *
 * hiredis speaks the protocol, libuv the network: names are resolved off the loop. While the server
 * is away every question fails at once; reconnecting goes on in the background with growing waits.
 * One answer that does not come in time ends the connection, so a server that hangs costs one wait
 * and not one for each question. Told to the log: when it comes, when it goes and why; the same
 * reason once. The process ignores SIGPIPE. Not thread-safe: one loop. */
#ifndef SYSTEM_CACHE_REDIS_H
#define SYSTEM_CACHE_REDIS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum { REDIS_ANSWER_MS = 50, REDIS_CONNECT_MS = 2000, REDIS_WAITING_MAX = 4096 };

struct redis;

struct redis_params {
    uv_loop_t *loop;
    const char *host;
    int port;
    /* NULL or "": none */
    const char *password;
    /* stands before every key */
    const char *prefix;
    /* the first wait before another try; the longest is ten times that */
    uint32_t retry_ms;
    /* 0: REDIS_ANSWER_MS; another for tests, which a loaded machine must not make red */
    uint32_t answer_ms;
};

/* Copies its parameters and starts to connect. */
struct redis *redis_new(const struct redis_params *params);
/* Ends the connection; questions that wait fail now, later ones at once. */
void redis_close(struct redis *redis);
/* After redis_close, when the loop has run out of handles. */
void redis_free(struct redis *redis);

/* True while it takes questions. */
bool redis_is_up(const struct redis *redis);
const char *redis_prefix(const struct redis *redis);

/* |reply| is lent, neither an error nor an array; NULL: there is no answer. */
typedef void redis_done(void *arg, const redisReply *reply);

/* One command of |n| words with their lengths. |done| comes once: from the loop, or from inside
 * this call or redis_close when it fails at once. */
void redis_ask(struct redis *redis, size_t n, const char *const *words, const size_t *lens,
               redis_done *done, void *arg);

#endif
