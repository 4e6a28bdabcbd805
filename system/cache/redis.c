/* SPDX-License-Identifier: Apache-2.0 */
/* States: away (a timer runs until the next try), trying (name, connection, password), up. Each
 * connection has memory of its own, so that an old one may close while the next is made.
 *
 * Answers come in the order of the questions. All of them have the same deadline, so the oldest
 * question is the first to be late, and one timer is enough. */
#include "system/cache/redis.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"
#include "system/core/metrics.h"
#include "system/core/retry.h"
#include "system/core/secret.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REASON_MAX = 200, READ_BYTES = 16384, REPLY_MAX = 1 << 20, WAITS = 10 };

enum state { AWAY, TRYING, UP, CLOSED };

struct question {
    struct question *next;
    redis_done *done;
    void *arg;
    int64_t until_ms;
};

/* One try: a name that is resolved, then a connection. */
struct wire {
    struct redis *redis; /* NULL once it is given up */
    uv_getaddrinfo_t name;
    uv_tcp_t tcp;
    uv_connect_t connect;
    redisReader *reader;
    redisReplyObjectFunctions makers;
    char in[READ_BYTES];
};

struct redis {
    uv_loop_t *loop;
    char *host, *prefix;
    char service[8];
    char *password;
    enum state state;
    struct wire *wire;
    uv_timer_t timer;
    struct question *oldest, **end;
    size_t waiting;
    /* the oldest is late, and what has arrived is looked at once more */
    bool is_last_look;
    struct retry retry;
    uint32_t answer_ms;
    char told[REASON_MAX];
    /* of this connection; one refusal says enough of the others */
    bool is_refusal_told;
    struct metric *up, *failures;
};

static void begin(struct redis *redis);
static void on_timer(uv_timer_t *timer);

/* Questions */

static void set_timer(struct redis *redis, int64_t ms)
{
    uv_update_time(redis->loop);
    uv_timer_start(&redis->timer, on_timer, (uint64_t)(ms > 0 ? ms : 0), 0);
}

static void set_deadline(struct redis *redis)
{
    redis->is_last_look = false;
    if (redis->state == UP && redis->oldest)
        set_timer(redis, redis->oldest->until_ms - clock_steady_ms());
    else if (redis->state == UP)
        uv_timer_stop(&redis->timer);
}

static void queue(struct redis *redis, redis_done *done, void *arg)
{
    struct question *q = mem_new(1, sizeof *q);

    *q = (struct question){
        .done = done, .arg = arg, .until_ms = clock_steady_ms() + redis->answer_ms};
    *redis->end = q;
    redis->end = &q->next;
    redis->waiting++;
}

static struct question *unqueue(struct redis *redis)
{
    struct question *q = redis->oldest;

    redis->oldest = q->next;
    if (!redis->oldest)
        redis->end = &redis->oldest;
    redis->waiting--;
    return q;
}

static void fail_all(struct redis *redis)
{
    struct question *q = redis->oldest, *next;

    redis->oldest = NULL;
    redis->end = &redis->oldest;
    redis->waiting = 0;
    for (; q; q = next) {
        next = q->next;
        q->done(q->arg, NULL);
        free(q);
    }
}

/* Ends of a connection */

static void wire_free(struct wire *wire)
{
    redisReaderFree(wire->reader);
    free(wire);
}

static void on_wire_closed(uv_handle_t *handle)
{
    wire_free(handle->data);
}

/* A name that is being resolved is freed by its callback. */
static void let_go(struct redis *redis)
{
    struct wire *wire = redis->wire;

    redis->wire = NULL;
    if (!wire)
        return;
    wire->redis = NULL;
    if (wire->tcp.data)
        uv_close((uv_handle_t *)&wire->tcp, on_wire_closed);
    else
        uv_cancel((uv_req_t *)&wire->name);
}

static void tell(struct redis *redis, const char *what, const char *reason)
{
    if (strncmp(redis->told, reason, REASON_MAX - 1) == 0)
        return;
    snprintf(redis->told, sizeof redis->told, "%s", reason);
    log_event(LOG_WARN, what, LOG_S("host", redis->host), LOG_S("port", redis->service),
              LOG_S("reason", reason));
}

static void lost(struct redis *redis, const char *reason)
{
    uint32_t wait_ms = 0;

    tell(redis, "Redis is away: going on with this process's own memory", reason);
    redis->state = AWAY;
    metric_set(redis->up, 0);
    metric_add(redis->failures, 1);
    let_go(redis);
    retry_next(&redis->retry, &wait_ms);
    set_timer(redis, wait_ms);
    fail_all(redis);
}

static void on_timer(uv_timer_t *timer)
{
    struct redis *redis = timer->data;

    if (redis->state == AWAY) {
        begin(redis);
    } else if (redis->state == TRYING) {
        lost(redis, "no connection in time");
    } else if (!redis->is_last_look) {
        /* This loop may be what was late: the answer may lie in the socket. */
        redis->is_last_look = true;
        set_timer(redis, 1);
    } else {
        lost(redis, "no answer in time");
    }
}

/* Writing and reading */

struct writing {
    uv_write_t request;
    char *words;
    size_t len;
};

static void on_written(uv_write_t *request, int status)
{
    struct writing *w = request->data;

    (void)status; /* the reader hears of it */
    sodium_memzero(w->words, w->len);
    redisFreeCommand(w->words);
    free(w);
}

static void write_words(struct redis *redis, size_t n, const char *const *words, const size_t *lens)
{
    struct writing *w = mem_new(1, sizeof *w);
    int len = redisFormatCommandArgv(&w->words, (int)n, (const char **)(uintptr_t)words, lens);
    uv_buf_t bytes;

    if (len < 0)
        abort(); /* no memory */
    w->len = (size_t)len;
    w->request.data = w;
    bytes = uv_buf_init(w->words, (unsigned)len);
    if (uv_write(&w->request, (uv_stream_t *)&redis->wire->tcp, &bytes, 1, on_written) != 0)
        on_written(&w->request, 0);
}

static void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    struct wire *wire = handle->data;

    (void)wanted;
    *out = uv_buf_init(wire->in, sizeof wire->in);
}

static bool is_about_password(const char *error)
{
    return strstr(error, "AUTH") || strstr(error, "WRONGPASS");
}

/* A greeting that is refused ends the try. */
static void refused(struct redis *redis, const char *error)
{
    char reason[REASON_MAX];

    snprintf(reason, sizeof reason, "%s%.150s",
             is_about_password(error) ? "check REDIS_PASSWORD: " : "", error);
    if (redis->state == TRYING)
        lost(redis, reason);
    else if (!redis->is_refusal_told)
        tell(redis, "Redis refused a command: this process's own memory answers", reason);
    redis->is_refusal_told = true;
    metric_add(redis->failures, 1);
}

static void answer(struct redis *redis, const redisReply *reply)
{
    struct question *q = unqueue(redis);

    set_deadline(redis);
    if (reply->type == REDIS_REPLY_ERROR) {
        refused(redis, reply->str);
        reply = NULL;
    }
    q->done(q->arg, reply);
    free(q);
}

/* Every whole reply of what has arrived. A callback may end this connection. */
static void read_replies(struct wire *wire)
{
    void *reply = NULL;

    while (wire->redis) {
        struct redis *redis = wire->redis;

        if (redisReaderGetReply(wire->reader, &reply) != REDIS_OK) {
            lost(redis, "what it sends is not Redis's protocol");
        } else if (!reply && wire->reader->len > REPLY_MAX) {
            lost(redis, "an answer is too long");
        } else if (!reply) {
            break;
        } else if (!redis->oldest) {
            lost(redis, "it answers without being asked");
        } else {
            answer(redis, reply);
        }
        if (reply)
            freeReplyObject(reply);
        reply = NULL;
    }
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *in)
{
    struct wire *wire = stream->data;

    if (!wire->redis || n == 0)
        return;
    if (n < 0) {
        lost(wire->redis, n == UV_EOF ? "it closed the connection" : uv_strerror((int)n));
        return;
    }
    if (redisReaderFeed(wire->reader, in->base, (size_t)n) != REDIS_OK)
        lost(wire->redis, "what it sends is not Redis's protocol");
    else
        read_replies(wire);
}

/* Connecting */

/* The questions of the beginning are asked while TRYING: their deadline is the whole try's. */
static void on_hello(void *arg, const redisReply *reply)
{
    struct redis *redis = arg;

    if (!reply)
        return;
    redis->state = UP;
    redis->told[0] = 0;
    redis->is_refusal_told = false;
    retry_success(&redis->retry);
    metric_set(redis->up, 1);
    set_deadline(redis);
    log_event(LOG_INFO, "Redis is connected", LOG_S("host", redis->host),
              LOG_S("port", redis->service));
}

static void on_password(void *arg, const redisReply *reply)
{
    const char *const ping[] = {"PING"};
    const size_t len = 4;
    struct redis *redis = arg;

    if (!reply)
        return;
    queue(redis, on_hello, redis);
    write_words(redis, 1, ping, &len);
}

static void greet(struct redis *redis)
{
    const char *const words[] = {"AUTH", redis->password};
    const size_t lens[] = {4, redis->password ? strlen(redis->password) : 0};
    const redisReply none = {.type = REDIS_REPLY_NIL};

    if (!redis->password) {
        on_password(redis, &none);
        return;
    }
    queue(redis, on_password, redis);
    write_words(redis, 2, words, lens);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct wire *wire = connect->data;

    if (!wire->redis)
        return;
    if (status == 0)
        status = uv_read_start((uv_stream_t *)&wire->tcp, on_alloc, on_read);
    if (status != 0) {
        lost(wire->redis, uv_strerror(status));
        return;
    }
    uv_tcp_nodelay(&wire->tcp, 1);
    greet(wire->redis);
}

static int connect_to(struct wire *wire, const struct sockaddr *address)
{
    int status = uv_tcp_init(wire->redis->loop, &wire->tcp);

    if (status != 0)
        return status;
    wire->tcp.data = wire;
    wire->connect.data = wire;
    return uv_tcp_connect(&wire->connect, &wire->tcp, address, on_connected);
}

/* A name may have several addresses, and the server be at one: each try takes the next. */
static const struct sockaddr *choose(const struct addrinfo *found, uint32_t failed)
{
    const struct addrinfo *one = found;
    uint32_t n = 0;

    for (const struct addrinfo *i = found; i; i = i->ai_next)
        n++;
    for (uint32_t skip = failed % n; skip > 0; skip--)
        one = one->ai_next;
    return one->ai_addr;
}

static void on_name(uv_getaddrinfo_t *name, int status, struct addrinfo *found)
{
    struct wire *wire = name->data;
    struct redis *redis = wire->redis;

    if (!redis) {
        uv_freeaddrinfo(found);
        wire_free(wire);
        return;
    }
    if (status == 0)
        status = connect_to(wire, choose(found, redis->retry.failed));
    uv_freeaddrinfo(found);
    if (status == 0)
        return;
    if (!wire->tcp.data) {
        redis->wire = NULL;
        wire_free(wire);
    }
    lost(redis, uv_strerror(status));
}

/* No command here is answered by an array; one in the stream ends the connection before it can
 * ask for memory. */
static void *no_array(const redisReadTask *task, int elements)
{
    (void)task;
    (void)elements;
    return NULL;
}

static struct wire *wire_new(struct redis *redis)
{
    struct wire *wire = mem_new(1, sizeof *wire);

    wire->redis = redis;
    wire->name.data = wire;
    wire->reader = redisReaderCreate();
    if (!wire->reader)
        abort(); /* no memory */
    wire->makers = *wire->reader->fn;
    wire->makers.createArray = no_array;
    wire->reader->fn = &wire->makers;
    return wire;
}

static void begin(struct redis *redis)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct wire *wire = wire_new(redis);
    int status;

    redis->state = TRYING;
    redis->wire = wire;
    set_timer(redis, REDIS_CONNECT_MS);
    status = uv_getaddrinfo(redis->loop, &wire->name, on_name, redis->host, redis->service, &hints);
    if (status == 0)
        return;
    redis->wire = NULL;
    wire_free(wire);
    lost(redis, uv_strerror(status));
}

/* Life */

static char *secret_copy(const char *text)
{
    size_t len = strlen(text) + 1;
    char *copy = secret_new(len);

    memcpy(copy, text, len);
    return copy;
}

struct redis *redis_new(const struct redis_params *params)
{
    struct redis *redis = mem_new(1, sizeof *redis);

    redis->loop = params->loop;
    redis->host = text_copy(params->host);
    redis->prefix = text_copy(params->prefix);
    snprintf(redis->service, sizeof redis->service, "%d", params->port);
    if (params->password && params->password[0])
        redis->password = secret_copy(params->password);
    redis->end = &redis->oldest;
    redis->retry = (struct retry){.step_ms = params->retry_ms, .cap_ms = params->retry_ms * WAITS};
    redis->answer_ms = params->answer_ms ? params->answer_ms : REDIS_ANSWER_MS;
    redis->up = metric_new(METRIC_GAUGE, "quorate_redis_up", NULL, "1 while Redis answers.");
    redis->failures = metric_new(METRIC_COUNTER, "quorate_redis_failures_total", NULL,
                                 "Questions and connections that Redis failed.");
    uv_timer_init(redis->loop, &redis->timer);
    redis->timer.data = redis;
    begin(redis);
    return redis;
}

void redis_close(struct redis *redis)
{
    if (!redis || redis->state == CLOSED)
        return;
    redis->state = CLOSED;
    let_go(redis);
    uv_close((uv_handle_t *)&redis->timer, NULL);
    fail_all(redis);
}

void redis_free(struct redis *redis)
{
    if (!redis)
        return;
    secret_free(redis->password);
    free(redis->host);
    free(redis->prefix);
    free(redis);
}

bool redis_is_up(const struct redis *redis)
{
    return redis->state == UP;
}

const char *redis_prefix(const struct redis *redis)
{
    return redis->prefix;
}

void redis_ask(struct redis *redis, size_t n, const char *const *words, const size_t *lens,
               redis_done *done, void *arg)
{
    if (redis->state != UP || redis->waiting >= REDIS_WAITING_MAX) {
        done(arg, NULL);
        return;
    }
    queue(redis, done, arg);
    if (redis->waiting == 1)
        set_deadline(redis);
    write_words(redis, n, words, lens);
}
