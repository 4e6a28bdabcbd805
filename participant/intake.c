/* SPDX-License-Identifier: Apache-2.0 */
/* Two tables: sessions by id, intents by hash. Both are chained hash tables of fixed width; chains
 * stay short because entries are bounded and expire. Ids are checked by the caller (UUIDs), hashes
 * are SHA-256 of what an initiator signed, so nobody gains by crowding one chain. */
#include "participant/intake.h"

#include "system/core/buffer.h"
#include "system/core/ids.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 4096 };

struct session {
    struct session *next;
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
    size_t sessions_n, seen_n, kept_bytes;
};

struct intake_message *intake_message_new(uint32_t attempt, const uint8_t *b, size_t len)
{
    struct intake_message *m = mem_new(1, sizeof *m + len);

    m->attempt = attempt;
    m->len = len;
    if (len > 0)
        memcpy(m->b, b, len);
    return m;
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
    return intake;
}

static size_t bucket_of(const void *b, size_t len)
{
    const uint8_t *p = b;
    uint64_t h = 14695981039346656037ULL;

    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 1099511628211ULL;
    return (size_t)(h % BUCKETS);
}

static struct session *session_find(const struct intake *intake, const char *id)
{
    struct session *s = intake->sessions[bucket_of(id, strlen(id))];

    while (s && strcmp(s->id, id) != 0)
        s = s->next;
    return s;
}

/* NULL if the table is full. */
static struct session *session_add(struct intake *intake, const char *id, int64_t until_ms)
{
    struct session **head = &intake->sessions[bucket_of(id, strlen(id))];
    struct session *s;

    if (intake->sessions_n >= intake->limits.sessions || strlen(id) >= sizeof s->id)
        return NULL;
    s = mem_new(1, sizeof *s);
    strcpy(s->id, id);
    s->until_ms = until_ms;
    s->kept_end = &s->kept;
    s->next = *head;
    *head = s;
    intake->sessions_n++;
    return s;
}

static struct seen *seen_find(const struct intake *intake, const uint8_t hash[32])
{
    struct seen *seen = intake->seen[bucket_of(hash, 32)];

    while (seen && memcmp(seen->hash, hash, 32) != 0)
        seen = seen->next;
    return seen;
}

static bool seen_remember(struct intake *intake, const struct intake_open *open)
{
    struct seen *seen = seen_find(intake, open->intent_hash);

    if (!seen) {
        struct seen **head = &intake->seen[bucket_of(open->intent_hash, 32)];

        if (intake->seen_n >= intake->limits.sessions)
            return false;
        seen = mem_new(1, sizeof *seen);
        memcpy(seen->hash, open->intent_hash, 32);
        seen->next = *head;
        *head = seen;
        intake->seen_n++;
    }
    seen->attempt = open->attempt;
    seen->until_ms = open->until_ms;
    return true;
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
    s->kept_bytes -= m->len;
    intake->kept_bytes -= m->len;
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
                               const struct intake_open *open, int64_t now_ms)
{
    struct session *s = session_find(intake, open->session_id);
    const struct seen *seen = seen_find(intake, open->intent_hash);

    (void)now_ms;
    *start = (struct intake_start){0};
    if (s && known_session(s, open->attempt) != INTAKE_START)
        return known_session(s, open->attempt);
    if (seen && open->attempt <= seen->attempt)
        return INTAKE_USED;
    if (!s)
        s = session_add(intake, open->session_id, open->until_ms);
    if (!s || !seen_remember(intake, open))
        return INTAKE_FULL;
    start->ends_lower = s->running;
    start->lower = s->attempt;
    start->kept = kept_for(intake, s, open->attempt);
    s->opened = s->running = true;
    s->attempt = open->attempt;
    if (open->until_ms > s->until_ms)
        s->until_ms = open->until_ms;
    return INTAKE_START;
}

static bool has_room(const struct intake *intake, const struct session *s, size_t len)
{
    return s->kept_n < intake->limits.session_messages &&
           len <= intake->limits.session_bytes - s->kept_bytes &&
           len <= intake->limits.total_bytes - intake->kept_bytes;
}

enum intake_delivery intake_deliver(struct intake *intake, const char *session_id,
                                    struct intake_message *message, int64_t now_ms)
{
    struct session *s = session_find(intake, session_id);

    if (!s)
        s = session_add(intake, session_id, now_ms + intake->limits.unknown_ms);
    if (!s || s->closed || (s->opened && message->attempt < s->attempt))
        return INTAKE_DROPPED;
    if (s->opened && message->attempt == s->attempt)
        return s->running ? INTAKE_TO_RUN : INTAKE_DROPPED;
    if (!has_room(intake, s, message->len))
        return INTAKE_DROPPED;
    *s->kept_end = message;
    s->kept_end = &message->next;
    s->kept_n++;
    s->kept_bytes += message->len;
    intake->kept_bytes += message->len;
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
        s = session_add(intake, session_id, now_ms + intake->limits.unknown_ms);
    if (!s)
        return false;
    running = s->running;
    *attempt = s->attempt;
    s->running = false;
    s->closed = true;
    kept_forget(intake, s);
    return running;
}

static void expire_sessions(struct intake *intake, struct session **at, int64_t now_ms)
{
    while (*at) {
        struct session *s = *at;

        if (s->running || s->until_ms > now_ms) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        kept_forget(intake, s);
        free(s);
        intake->sessions_n--;
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
    return intake->sessions_n;
}

size_t intake_kept_bytes(const struct intake *intake)
{
    return intake->kept_bytes;
}
