/* SPDX-License-Identifier: Apache-2.0 */
/* A stream is "dirty" when its mailbox may hold news: it is in the list that the idle handle works
 * off at the next turn. While a stream sends, its call may be cancelled under it: it then only
 * marks itself, and ends when the sending is over. */
#include "services/router/streams.h"

#include "system/core/buffer.h"
#include "system/core/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_LEN = PARTY_ID_MAX + 2, TURN_EVENTS = 64, TURN_BATCHES = 4 };

struct stream {
    struct streams *all;
    struct rpc_call *call;
    enum mail_box box;
    char party_id[PARTY_ID_MAX];
    char key[NAME_LEN];
    int64_t cursor;
    bool is_dirty, is_sending, is_blocked, is_gone;
    struct stream *next_dirty;
};

struct streams {
    struct mail *mail;
    const uint8_t *boot_id;
    struct map *open;
    struct stream *dirty, **dirty_end;
    uv_idle_t idle;
    void (*closed)(void *arg);
    void *arg;
    /* one batch is made at a time */
    struct mail_batch batch;
};

static void work(uv_idle_t *idle);

struct streams *streams_new(uv_loop_t *loop, struct mail *mail, const uint8_t *boot_id)
{
    struct streams *all = mem_new(1, sizeof *all);

    all->mail = mail;
    all->boot_id = boot_id;
    all->open = map_new();
    all->dirty_end = &all->dirty;
    uv_idle_init(loop, &all->idle);
    all->idle.data = all;
    return all;
}

void streams_free(struct streams *streams)
{
    if (!streams)
        return;
    map_free(streams->open);
    free(streams);
}

static const char *key_of(char out[NAME_LEN], enum mail_box box, const char *party_id)
{
    snprintf(out, NAME_LEN, "%c/%s", box == MAIL_EVENTS ? 'e' : 'm', party_id);
    return out;
}

static void set_dirty(struct stream *stream)
{
    struct streams *all = stream->all;

    if (stream->is_dirty || stream->is_blocked)
        return;
    stream->is_dirty = true;
    stream->next_dirty = NULL;
    *all->dirty_end = stream;
    all->dirty_end = &stream->next_dirty;
    uv_idle_start(&all->idle, work);
}

static void wake(void *arg)
{
    set_dirty(arg);
}

static void drained(struct rpc_call *call, void *arg)
{
    struct stream *stream = arg;

    (void)call;
    stream->is_blocked = false;
    set_dirty(stream);
}

static void remove_dirty(struct stream *stream)
{
    struct streams *all = stream->all;
    struct stream **at = &all->dirty;

    while (*at && *at != stream)
        at = &(*at)->next_dirty;
    if (!*at)
        return;
    *at = stream->next_dirty;
    if (all->dirty_end == &stream->next_dirty)
        all->dirty_end = at;
}

/* Out of every list; the call is left for the caller of this to finish. */
static struct rpc_call *take_out(struct stream *stream)
{
    struct rpc_call *call = stream->call;

    mail_watch(stream->all->mail, stream->box, stream->party_id, NULL, NULL);
    map_remove(stream->all->open, stream->key);
    remove_dirty(stream);
    free(stream);
    return call;
}

static void cancelled(struct rpc_call *call, void *arg)
{
    struct stream *stream = arg;

    if (stream->is_sending) {
        stream->is_gone = true;
        return;
    }
    rpc_on_drain(call, NULL, NULL);
    rpc_fail(take_out(stream), rpc_error(RPC_CANCELLED, "cancelled", "the caller went away"));
}

static void end_stream(struct stream *stream, struct rpc_status status)
{
    struct rpc_call *call;

    rpc_on_cancel(stream->call, NULL, NULL);
    rpc_on_drain(stream->call, NULL, NULL);
    call = take_out(stream);
    rpc_fail(call, status);
}

static struct rpc_status stopping(void)
{
    return rpc_error(RPC_UNAVAILABLE, "stopping", "the message router is stopping: connect again");
}

/* False: nothing more can be sent now. */
static bool send_one(struct stream *stream, const ProtobufCMessage *message)
{
    if (!rpc_send(stream->call, message)) {
        stream->is_blocked = true;
        rpc_on_drain(stream->call, drained, stream);
    }
    return !stream->is_blocked && !stream->is_gone;
}

/* True: there is more. */
static bool send_batch(struct stream *stream)
{
    struct streams *all = stream->all;
    struct mail_batch *batch = &all->batch;

    mail_read(all->mail, stream->party_id, stream->cursor, batch);
    if (!batch->message.n_messages)
        return false;
    batch->message.router_boot_id.data = (uint8_t *)(uintptr_t)all->boot_id;
    batch->message.router_boot_id.len = 16;
    stream->cursor = batch->last;
    return send_one(stream, &batch->message.base) && batch->has_more;
}

static bool send_event(struct stream *stream)
{
    Mpc__Session__V1__SessionEvent *event =
        mail_read_event(stream->all->mail, stream->party_id, stream->cursor, &stream->cursor);
    bool goes_on;

    if (!event)
        return false;
    goes_on = send_one(stream, &event->base);
    mpc__session__v1__session_event__free_unpacked(event, NULL);
    return goes_on;
}

/* A share of what waits, so that one full mailbox does not hold up the loop. */
static void send_share(struct stream *stream)
{
    bool is_events = stream->box == MAIL_EVENTS;
    bool more = true;

    stream->is_sending = true;
    for (int i = 0; more && i < (is_events ? TURN_EVENTS : TURN_BATCHES); i++)
        more = is_events ? send_event(stream) : send_batch(stream);
    stream->is_sending = false;
    if (stream->is_gone)
        cancelled(stream->call, stream);
    else if (more)
        set_dirty(stream);
}

/* What becomes dirty on the way is the next turn's. */
static void work(uv_idle_t *idle)
{
    struct streams *all = idle->data;
    size_t n = 0;

    for (const struct stream *at = all->dirty; at; at = at->next_dirty)
        n++;
    for (; n && all->dirty; n--) {
        struct stream *stream = all->dirty;

        remove_dirty(stream);
        stream->is_dirty = false;
        send_share(stream);
    }
    if (!all->dirty)
        uv_idle_stop(idle);
}

void streams_open(struct streams *streams, struct rpc_call *call, enum mail_box box,
                  const char *party_id, int64_t after)
{
    char key[NAME_LEN];
    struct stream *stream = map_get(streams->open, key_of(key, box, party_id));

    if (streams->closed) {
        rpc_fail(call, stopping());
        return;
    }
    if (stream)
        end_stream(stream, rpc_error(RPC_ABORTED, "replaced", "replaced: party %s subscribed again",
                                     party_id));
    stream = mem_new(1, sizeof *stream);
    stream->all = streams;
    stream->call = call;
    stream->box = box;
    stream->cursor = after;
    snprintf(stream->party_id, sizeof stream->party_id, "%s", party_id);
    snprintf(stream->key, sizeof stream->key, "%s", key);
    map_put(streams->open, stream->key, stream);
    mail_watch(streams->mail, box, party_id, wake, stream);
    rpc_on_cancel(call, cancelled, stream);
    set_dirty(stream);
}

void streams_drop(struct streams *streams, const char *party_id)
{
    static const enum mail_box boxes[] = {MAIL_MESSAGES, MAIL_EVENTS};

    for (size_t i = 0; i < sizeof boxes / sizeof boxes[0]; i++) {
        char key[NAME_LEN];
        struct stream *stream = map_get(streams->open, key_of(key, boxes[i], party_id));

        if (stream)
            end_stream(stream, rpc_error(RPC_ABORTED, "replaced",
                                         "replaced: party %s has started again", party_id));
    }
}

size_t streams_n(const struct streams *streams)
{
    return map_n(streams->open);
}

static bool list_stream(void *value, void *arg)
{
    struct stream ***at = arg;

    *(*at)++ = value;
    return true;
}

static void on_closed(uv_handle_t *handle)
{
    struct streams *all = handle->data;

    all->closed(all->arg);
}

void streams_close(struct streams *streams, void (*closed)(void *arg), void *arg)
{
    size_t n = map_n(streams->open);
    struct stream **list = mem_new(n + 1, sizeof(struct stream *)), **at = list;

    map_each(streams->open, list_stream, &at);
    for (size_t i = 0; i < n; i++)
        end_stream(list[i], stopping());
    free(list);
    streams->closed = closed;
    streams->arg = arg;
    uv_close((uv_handle_t *)&streams->idle, on_closed);
}
