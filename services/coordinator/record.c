/* SPDX-License-Identifier: Apache-2.0 */
/* Records live in exactly one of two lists, open and ended, and in the map by id. One that is
 * still needed (a commit or a watcher) is not forgotten. */
#include "services/coordinator/record.h"

#include "system/core/buffer.h"

#include <stdlib.h>
#include <string.h>

int coordinator_class(enum session_type type)
{
    if (type == SESSION_PRESIGN)
        return CLASS_PRESIGN;
    return session_type_is_keygen(type) ? CLASS_KEYGEN : CLASS_SIGN;
}

struct record *record_new(Mpc__Coordinator__V1__CreateSessionRequest *request)
{
    struct record *r = mem_new(1, sizeof *r);

    r->request = request;
    r->boot_ids = mem_new(request->n_members + 1, sizeof *r->boot_ids);
    return r;
}

void record_free(struct record *r)
{
    for (struct change *held = r->held, *later; held; held = later) {
        later = held->later;
        change_free(held);
    }
    mpc__coordinator__v1__create_session_request__free_unpacked(r->request, NULL);
    store_row_free(&r->row);
    for (size_t i = 0; i < r->reports_n; i++)
        free(r->reports[i].evidence.b);
    free(r->reports);
    free(r->joins);
    free(r->boot_ids);
    free(r);
}

static void list_append(struct record_list *list, struct record *r)
{
    r->next = NULL;
    r->prev = list->last;
    if (list->last)
        list->last->next = r;
    else
        list->first = r;
    list->last = r;
    list->n++;
}

static void list_remove(struct record_list *list, struct record *r)
{
    if (r->prev)
        r->prev->next = r->next;
    else
        list->first = r->next;
    if (r->next)
        r->next->prev = r->prev;
    else
        list->last = r->prev;
    r->next = r->prev = NULL;
    list->n--;
}

struct record *record_find(const struct coordinator *c, const char *session_id)
{
    return map_get(c->sessions, session_id);
}

void record_open(struct coordinator *c, struct record *r)
{
    list_append(&c->open, r);
    map_put(c->sessions, r->row.session_id, r);
}

void record_drop(struct coordinator *c, struct record *r)
{
    record_unqueue(c, r);
    list_remove(&c->open, r);
    map_remove(c->sessions, r->row.session_id);
    record_free(r);
}

static void forget(struct coordinator *c, struct record *r)
{
    if (r->row.end_seq > c->ends_floor)
        c->ends_floor = r->row.end_seq;
    list_remove(&c->ended, r);
    map_remove(c->sessions, r->row.session_id);
    record_free(r);
}

static bool is_needed(const struct record *r)
{
    return r->commits_pending > 0 || r->watchers;
}

void record_end(struct coordinator *c, struct record *r)
{
    list_remove(&c->open, r);
    list_append(&c->ended, r);
    if (c->ended.n > ENDED_MAX && !is_needed(c->ended.first))
        forget(c, c->ended.first);
}

void record_expire(struct coordinator *c, int64_t now_ms)
{
    bool had_some = c->ended.n > 0;
    struct record *next;

    for (struct record *r = c->ended.first; r; r = next) {
        next = r->next;
        if (now_ms - r->row.ended_ms < ENDED_MS)
            return;
        if (!is_needed(r))
            forget(c, r);
    }
    if (had_some && c->ended.n == 0)
        mem_give_back();
}

void record_queue(struct coordinator *c, struct record *r, bool at_front)
{
    struct record_list *queue = &c->queue[coordinator_class(r->state.type)];
    struct record *after = at_front ? NULL : queue->last;

    if (r->is_queued)
        return;
    r->is_queued = true;
    r->queue_prev = after;
    r->queue_next = after ? NULL : queue->first;
    if (r->queue_next)
        r->queue_next->queue_prev = r;
    else
        queue->last = r;
    if (after)
        after->queue_next = r;
    else
        queue->first = r;
    queue->n++;
}

void record_unqueue(struct coordinator *c, struct record *r)
{
    struct record_list *queue = &c->queue[coordinator_class(r->state.type)];

    if (!r->is_queued)
        return;
    if (r->queue_prev)
        r->queue_prev->queue_next = r->queue_next;
    else
        queue->first = r->queue_next;
    if (r->queue_next)
        r->queue_next->queue_prev = r->queue_prev;
    else
        queue->last = r->queue_prev;
    r->queue_next = r->queue_prev = NULL;
    r->is_queued = r->is_blocked = false;
    queue->n--;
}

uint8_t record_seat(const struct record *r, const char *party_id)
{
    for (size_t i = 0; i < r->request->n_members; i++)
        if (strcmp(r->request->members[i]->party_id, party_id) == 0)
            return (uint8_t)i;
    return SEAT_NONE;
}

uint8_t record_seat_of_index(const struct record *r, uint32_t index)
{
    for (size_t i = 0; i < r->request->n_members; i++)
        if (r->request->members[i]->index == index)
            return (uint8_t)i;
    return SEAT_NONE;
}

const char *record_party(const struct record *r, uint8_t seat)
{
    return seat < r->request->n_members ? r->request->members[seat]->party_id : "";
}

/* Names of the seats with any of |bits|. */
static char *list_parties(const struct record *r, unsigned bits)
{
    struct buffer text = {0};

    for (uint8_t i = 0; i < r->state.seats_n; i++)
        if (r->state.seats[i] & bits)
            buffer_printf(&text, "%s%s", text.len ? "," : "", record_party(r, i));
    return text.b ? (char *)text.b : text_copy("");
}

void record_project(struct store_row *out, const struct record *r)
{
    *out = r->row;
    out->status = r->state.status;
    out->attempts_n = r->state.attempts_n;
    out->total = r->state.needed;
    out->joined = r->state.joined_n;
    out->completed = r->state.completed_n;
    out->parties = list_parties(r, SEAT_IN);
    out->everybody = list_parties(r, SEAT_EVER);
}

/* At most one of each kind for a party and an attempt: a repeat that is worse changes nothing. */
void record_note_report(struct record *r, const struct store_report *report)
{
    const struct store_report *before = record_report(r, report->party_id, report->attempt);

    if (before) {
        if (!report->code[0])
            ((struct store_report *)(uintptr_t)before)->code[0] = '\0';
        return;
    }
    r->reports = realloc(r->reports, (r->reports_n + 1) * sizeof *r->reports);
    if (!r->reports)
        abort();
    r->reports[r->reports_n] = *report;
    r->reports[r->reports_n++].evidence = (struct store_bytes){0};
}

const struct store_report *record_report(const struct record *r, const char *party_id,
                                         uint32_t attempt)
{
    for (size_t i = 0; i < r->reports_n; i++)
        if (r->reports[i].attempt == attempt && strcmp(r->reports[i].party_id, party_id) == 0)
            return &r->reports[i];
    return NULL;
}

void record_note_join(struct record *r, const struct store_join *join)
{
    r->joins = realloc(r->joins, (r->joins_n + 1) * sizeof *r->joins);
    if (!r->joins)
        abort();
    r->joins[r->joins_n++] = *join;
}

const struct store_join *record_join(const struct record *r, const char *token_id)
{
    for (size_t i = 0; i < r->joins_n; i++)
        if (strcmp(r->joins[i].token_id, token_id) == 0)
            return &r->joins[i];
    return NULL;
}
