/* SPDX-License-Identifier: Apache-2.0 */
/* Two tables: sessions by id, intents by hash. Both are chained hash tables of fixed width; chains
 * stay short because entries are bounded and expire, and a key chosen at start decides where an id
 * goes: ids come from the network. Strangers are in the table and in a list by age as well. */
#include "participant/intake.h"

#include "system/core/buffer.h"
#include "system/core/ids.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 4096 };

struct session {
    struct session *next;
    /* among strangers, by age, as long as it was not opened */
    struct session *older, *newer;
    char id[ID_TEXT_MAX];
    int64_t until_ms;
    /* |attempt| is the highest one opened */
    bool opened, running, closed;
    uint32_t attempt;
    struct intake_message *kept, **kept_end;
    size_t kept_n, kept_bytes;
};

struct seen {
    struct seen *next;
    uint8_t hash[32];
    uint32_t attempt;
    int64_t until_ms;
};

struct intake {
    struct intake_limits limits;
    struct session *sessions[BUCKETS];
    struct seen *seen[BUCKETS];
    /* never opened */
    struct session *oldest, *newest;
    size_t opened_n, strangers_n, seen_n, kept_bytes;
    uint8_t hash_key[crypto_shorthash_KEYBYTES];
};

struct intake_message *intake_message_new(uint32_t attempt, const char *from, const uint8_t *b,
                                          size_t len)
{
    struct intake_message *m = mem_new(1, sizeof *m + len);

    m->attempt = attempt;
    snprintf(m->from, sizeof m->from, "%s", from);
    m->len = len;
    if (len > 0)
        memcpy(m->b, b, len);
    return m;
}

size_t intake_message_cost(const struct intake_message *message)
{
    return sizeof *message + message->len;
}

void intake_messages_free(struct intake_message *list)
{
    while (list) {
        struct intake_message *next = list->next;

        free(list);
        list = next;
    }
}

struct intake *intake_new(const struct intake_limits *limits)
{
    struct intake *intake = mem_new(1, sizeof *intake);

    intake->limits = *limits;
    randombytes_buf(intake->hash_key, sizeof intake->hash_key);
    return intake;
}

static size_t bucket_of(const struct intake *intake, const void *b, size_t len)
{
    uint8_t hash[crypto_shorthash_BYTES];
    uint32_t at;

    crypto_shorthash(hash, b, len, intake->hash_key);
    memcpy(&at, hash, sizeof at);
    return at % BUCKETS;
}

static struct session **session_at(struct intake *intake, const char *id)
{
    struct session **at = &intake->sessions[bucket_of(intake, id, strlen(id))];

    while (*at && strcmp((*at)->id, id) != 0)
        at = &(*at)->next;
    return at;
}

static struct session *session_find(const struct intake *intake, const char *id)
{
    return *session_at((struct intake *)intake, id);
}

/* Strangers: into the list, and out of it. */

static void stranger_add(struct intake *intake, struct session *s)
{
    s->older = intake->newest;
    *(s->older ? &s->older->newer : &intake->oldest) = s;
    intake->newest = s;
    intake->strangers_n++;
}

static void stranger_take(struct intake *intake, struct session *s)
{
    *(s->older ? &s->older->newer : &intake->oldest) = s->newer;
    *(s->newer ? &s->newer->older : &intake->newest) = s->older;
    s->older = s->newer = NULL;
    intake->strangers_n--;
}

static struct session *session_new(struct intake *intake, const char *id, int64_t until_ms)
{
    struct session **head = &intake->sessions[bucket_of(intake, id, strlen(id))];
    struct session *s = mem_new(1, sizeof *s);

    strcpy(s->id, id);
    s->until_ms = until_ms;
    s->kept_end = &s->kept;
    s->next = *head;
    *head = s;
    return s;
}

static struct seen *seen_find(const struct intake *intake, const uint8_t hash[32])
{
    struct seen *seen = intake->seen[bucket_of(intake, hash, 32)];

    while (seen && memcmp(seen->hash, hash, 32) != 0)
        seen = seen->next;
    return seen;
}

static void seen_remember(struct intake *intake, const struct intake_open *open)
{
    struct seen *seen = seen_find(intake, open->intent_hash);

    if (!seen) {
        struct seen **head = &intake->seen[bucket_of(intake, open->intent_hash, 32)];

        seen = mem_new(1, sizeof *seen);
        memcpy(seen->hash, open->intent_hash, 32);
        seen->next = *head;
        *head = seen;
        intake->seen_n++;
    }
    seen->attempt = open->attempt;
    seen->until_ms = open->until_ms;
}

/* Unlink the kept message at |at|. */
static struct intake_message *kept_take(struct intake *intake, struct session *s,
                                        struct intake_message **at)
{
    struct intake_message *m = *at;

    *at = m->next;
    m->next = NULL;
    if (!*at)
        s->kept_end = at;
    s->kept_n--;
    s->kept_bytes -= intake_message_cost(m);
    intake->kept_bytes -= intake_message_cost(m);
    return m;
}

/* Messages of |attempt|, oldest first; those of lower attempts are forgotten. */
static struct intake_message *kept_for(struct intake *intake, struct session *s, uint32_t attempt)
{
    struct intake_message *list = NULL, **end = &list;
    struct intake_message **at = &s->kept;

    while (*at) {
        struct intake_message *m;

        if ((*at)->attempt > attempt) {
            at = &(*at)->next;
            continue;
        }
        m = kept_take(intake, s, at);
        if (m->attempt < attempt) {
            free(m);
            continue;
        }
        *end = m;
        end = &m->next;
    }
    return list;
}

static void kept_forget(struct intake *intake, struct session *s)
{
    while (s->kept)
        free(kept_take(intake, s, &s->kept));
}

/* Out of the table at |at|. */
static void session_forget(struct intake *intake, struct session **at)
{
    struct session *s = *at;

    *at = s->next;
    kept_forget(intake, s);
    if (s->opened)
        intake->opened_n--;
    else
        stranger_take(intake, s);
    free(s);
}

static void forget_oldest(struct intake *intake)
{
    session_forget(intake, session_at(intake, intake->oldest->id));
}

/* A session that nobody opened. NULL: no id of a session. */
static struct session *meet(struct intake *intake, const char *id, int64_t now_ms)
{
    struct session *s;

    if (strlen(id) >= ID_TEXT_MAX || intake->limits.strangers == 0)
        return NULL;
    if (intake->strangers_n >= intake->limits.strangers)
        forget_oldest(intake);
    s = session_new(intake, id, now_ms + intake->limits.unknown_ms);
    stranger_add(intake, s);
    return s;
}

/* Make |*s|, NULL if it is not known, one that was opened. False: too many are. */
static bool open_session(struct intake *intake, struct session **s, const struct intake_open *open)
{
    if (*s && (*s)->opened)
        return true;
    if (intake->opened_n >= intake->limits.sessions || strlen(open->session_id) >= ID_TEXT_MAX)
        return false;
    if (*s)
        stranger_take(intake, *s);
    else
        *s = session_new(intake, open->session_id, open->until_ms);
    (*s)->opened = true;
    intake->opened_n++;
    return true;
}

static enum intake_answer known_session(const struct session *s, uint32_t attempt)
{
    if (s->closed)
        return INTAKE_LATE;
    if (s->opened && attempt <= s->attempt)
        return attempt == s->attempt ? INTAKE_REPEAT : INTAKE_LATE;
    return INTAKE_START;
}

bool intake_is_new(const struct intake *intake, const char *session_id, uint32_t attempt)
{
    const struct session *s = session_find(intake, session_id);

    return !s || known_session(s, attempt) == INTAKE_START;
}

enum intake_answer intake_open(struct intake *intake, struct intake_start *start,
                               const struct intake_open *open)
{
    struct session *s = session_find(intake, open->session_id);
    const struct seen *seen = seen_find(intake, open->intent_hash);

    *start = (struct intake_start){0};
    if (s && known_session(s, open->attempt) != INTAKE_START)
        return known_session(s, open->attempt);
    if (seen && open->attempt <= seen->attempt)
        return INTAKE_USED;
    if ((!seen && intake->seen_n >= intake->limits.sessions) || !open_session(intake, &s, open))
        return INTAKE_FULL;
    seen_remember(intake, open);
    start->ends_lower = s->running;
    start->lower = s->attempt;
    start->kept = kept_for(intake, s, open->attempt);
    s->running = true;
    s->attempt = open->attempt;
    if (open->until_ms > s->until_ms)
        s->until_ms = open->until_ms;
    return INTAKE_START;
}

/* Under the session's own bounds, and under that of all, if need be at the cost of the strangers
 * that wait for longest. */
static bool make_room(struct intake *intake, const struct session *s, size_t cost)
{
    const struct intake_limits *limits = &intake->limits;

    if (s->kept_n >= limits->session_messages || cost > limits->session_bytes - s->kept_bytes)
        return false;
    while (cost > limits->total_bytes - intake->kept_bytes && intake->oldest && intake->oldest != s)
        forget_oldest(intake);
    return cost <= limits->total_bytes - intake->kept_bytes;
}

enum intake_delivery intake_deliver(struct intake *intake, const char *session_id,
                                    struct intake_message *message, int64_t now_ms)
{
    struct session *s = session_find(intake, session_id);
    size_t cost = intake_message_cost(message);

    if (!s)
        s = meet(intake, session_id, now_ms);
    if (!s || s->closed || (s->opened && message->attempt < s->attempt))
        return INTAKE_DROPPED;
    if (s->opened && message->attempt == s->attempt)
        return s->running ? INTAKE_TO_RUN : INTAKE_DROPPED;
    if (!make_room(intake, s, cost))
        return INTAKE_DROPPED;
    *s->kept_end = message;
    s->kept_end = &message->next;
    s->kept_n++;
    s->kept_bytes += cost;
    intake->kept_bytes += cost;
    return INTAKE_KEPT;
}

void intake_ended(struct intake *intake, const char *session_id, uint32_t attempt)
{
    struct session *s = session_find(intake, session_id);

    if (s && s->attempt == attempt)
        s->running = false;
}

bool intake_close(struct intake *intake, const char *session_id, int64_t now_ms, uint32_t *attempt)
{
    struct session *s = session_find(intake, session_id);
    bool running;

    /* Remembered even if it was never opened: its invitation may still be on the way. */
    if (!s)
        s = meet(intake, session_id, now_ms);
    if (!s)
        return false;
    running = s->running;
    *attempt = s->attempt;
    s->running = false;
    s->closed = true;
    kept_forget(intake, s);
    return running;
}

bool intake_is_closed(const struct intake *intake, const char *session_id)
{
    const struct session *s = session_find(intake, session_id);

    return s && s->closed;
}

static void expire_sessions(struct intake *intake, struct session **at, int64_t now_ms)
{
    while (*at) {
        struct session *s = *at;

        if (s->running || s->until_ms > now_ms) {
            at = &s->next;
            continue;
        }
        session_forget(intake, at);
    }
}

static void expire_seen(struct intake *intake, struct seen **at, int64_t now_ms)
{
    while (*at) {
        struct seen *seen = *at;

        if (seen->until_ms > now_ms) {
            at = &seen->next;
            continue;
        }
        *at = seen->next;
        free(seen);
        intake->seen_n--;
    }
}

void intake_expire(struct intake *intake, int64_t now_ms)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        expire_sessions(intake, &intake->sessions[i], now_ms);
        expire_seen(intake, &intake->seen[i], now_ms);
    }
}

void intake_free(struct intake *intake)
{
    if (!intake)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct session *s = intake->sessions[i]; s; s = s->next)
            s->running = false;
    intake_expire(intake, INT64_MAX);
    free(intake);
}

size_t intake_sessions(const struct intake *intake)
{
    return intake->opened_n + intake->strangers_n;
}

size_t intake_kept_bytes(const struct intake *intake)
{
    return intake->kept_bytes;
}
