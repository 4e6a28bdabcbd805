/* SPDX-License-Identifier: Apache-2.0 */
/* The budget is kept by the server's own clock, in one script, so that no two replicas read the
 * same state; numbers stay below 2^53, where the script's numbers are exact. */
#include "system/cache/shared.h"

#include "system/core/buffer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 24, WORDS_MAX = 8 };

/* A budget that is full again is forgotten. */
static const char charge_script[] =
    "local rate, full, charge = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])\n"
    "local time = redis.call('TIME')\n"
    "local now = time[1] * 1000 + math.floor(time[2] / 1000)\n"
    "local old = redis.call('HMGET', KEYS[1], 'left', 'at')\n"
    "local left, at = tonumber(old[1]) or full, tonumber(old[2]) or now\n"
    "left = math.min(full, left + math.max(0, now - at) * rate)\n"
    "left = math.max(left - charge, -full)\n"
    "redis.call('HSET', KEYS[1], 'left', string.format('%.0f', left),\n"
    "           'at', string.format('%.0f', now))\n"
    "redis.call('PEXPIRE', KEYS[1], math.ceil((full - left) / rate) + 1000)\n"
    "return left\n";

struct command {
    size_t n;
    const char *words[WORDS_MAX];
    size_t lens[WORDS_MAX];
};

static void add(struct command *command, const char *word)
{
    command->words[command->n] = word;
    command->lens[command->n++] = strlen(word);
}

static void number(char out[NUMBER_MAX], int64_t n)
{
    snprintf(out, NUMBER_MAX, "%" PRId64, n);
}

/* Heap. */
static char *full_key(const struct redis *redis, const char *name, char kind, const char *key)
{
    struct buffer out = {0};

    buffer_printf(&out, "%s%s/%c/%s", redis_prefix(redis), name, kind, key);
    return (char *)out.b;
}

static void ask(struct redis *redis, const struct command *command, redis_done *done, void *arg)
{
    redis_ask(redis, command->n, command->words, command->lens, done, arg);
}

struct charge {
    shared_charged *done;
    void *arg;
};

static void on_charged(void *arg, const redisReply *reply)
{
    struct charge *charge = arg;
    bool is_answered = reply && reply->type == REDIS_REPLY_INTEGER;

    charge->done(charge->arg, is_answered, is_answered ? reply->integer : 0);
    free(charge);
}

void shared_charge(struct redis *redis, const char *name, const char *key,
                   const struct shared_budget *budget, shared_charged *done, void *arg)
{
    char *where = full_key(redis, name, 'l', key);
    struct charge *charge = mem_new(1, sizeof *charge);
    char rate[NUMBER_MAX], full[NUMBER_MAX], cost[NUMBER_MAX];
    struct command command = {0};

    *charge = (struct charge){done, arg};
    number(rate, budget->per_minute);
    number(full, budget->full);
    number(cost, budget->charge);
    add(&command, "EVAL");
    add(&command, charge_script);
    add(&command, "1");
    add(&command, where);
    add(&command, rate);
    add(&command, full);
    add(&command, cost);
    ask(redis, &command, on_charged, charge);
    free(where);
}

struct claim {
    shared_claimed *done;
    void *arg;
};

/* "OK" if it was set, nil if it was there. */
static void on_claimed(void *arg, const redisReply *reply)
{
    struct claim *claim = arg;
    bool is_first = reply && reply->type == REDIS_REPLY_STATUS;
    bool is_answered = is_first || (reply && reply->type == REDIS_REPLY_NIL);

    claim->done(claim->arg, is_answered, is_first);
    free(claim);
}

void shared_claim(struct redis *redis, const char *name, const char *key, int64_t ttl_ms,
                  shared_claimed *done, void *arg)
{
    char *where = full_key(redis, name, 'v', key);
    struct claim *claim = mem_new(1, sizeof *claim);
    struct command command = {0};
    char ttl[NUMBER_MAX];

    *claim = (struct claim){done, arg};
    number(ttl, ttl_ms);
    add(&command, "SET");
    add(&command, where);
    add(&command, "");
    add(&command, "NX");
    add(&command, "PX");
    add(&command, ttl);
    ask(redis, &command, on_claimed, claim);
    free(where);
}

static void on_put(void *arg, const redisReply *reply)
{
    (void)arg;
    (void)reply;
}

void shared_put(struct redis *redis, const char *name, const char *key,
                const struct shared_value *value)
{
    char *where = full_key(redis, name, 'v', key);
    struct command command = {0};
    char ttl[NUMBER_MAX];

    number(ttl, value->ttl_ms);
    add(&command, "SET");
    add(&command, where);
    command.words[command.n] = value->b;
    command.lens[command.n++] = value->len;
    add(&command, "PX");
    add(&command, ttl);
    ask(redis, &command, on_put, NULL);
    free(where);
}

struct get {
    cache_found *done;
    void *arg;
};

static void on_got(void *arg, const redisReply *reply)
{
    struct get *get = arg;

    if (reply && reply->type == REDIS_REPLY_STRING)
        get->done(get->arg, reply->str, (size_t)reply->len);
    else
        get->done(get->arg, NULL, 0);
    free(get);
}

void shared_get(struct redis *redis, const char *name, const char *key, cache_found *done,
                void *arg)
{
    char *where = full_key(redis, name, 'v', key);
    struct get *get = mem_new(1, sizeof *get);
    struct command command = {0};

    *get = (struct get){done, arg};
    add(&command, "GET");
    add(&command, where);
    ask(redis, &command, on_got, get);
    free(where);
}
