/* SPDX-License-Identifier: Apache-2.0 */
/* Letters lie on the bus as sender, zero byte, session, zero byte, BE32 attempt, payload: read in
 * place, not parsed. Groups: "m/" messages, "e/" events, "f/" the news of an end, each followed by
 * the session. */
#include "services/router/mail.h"

#include "services/router/book.h"
#include "system/bus/bus.h"
#include "system/core/be.h"
#include "system/core/buffer.h"
#include "system/core/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 80, BOX_ITEMS = 1 << 20, ATTEMPT_BYTES = 4 };

struct mail {
    struct bus *bus;
    /* their ids, which are the values too */
    struct map *receivers;
};

struct mail *mail_new(size_t mailbox_bytes)
{
    struct mail *mail = mem_new(1, sizeof *mail);
    struct bus_limits limits = {.box_bytes = mailbox_bytes,
                                .box_items = BOX_ITEMS,
                                .group_bytes = MAIL_GROUP_BYTES,
                                .group_items = MAIL_GROUP_ITEMS};

    if (limits.group_bytes > mailbox_bytes)
        limits.group_bytes = mailbox_bytes;
    mail->bus = bus_new(&limits);
    mail->receivers = map_new();
    return mail;
}

static bool free_receiver(void *value, void *arg)
{
    (void)arg;
    free(value);
    return true;
}

void mail_free(struct mail *mail)
{
    if (!mail)
        return;
    map_each(mail->receivers, free_receiver, NULL);
    map_free(mail->receivers);
    bus_free(mail->bus);
    free(mail);
}

static const char *name_of(char out[NAME_MAX_BYTES], char kind, const char *id)
{
    snprintf(out, NAME_MAX_BYTES, "%c/%s", kind, id);
    return out;
}

static bool is_receiver(struct mail *mail, const char *party_id)
{
    char *kept;

    if (map_get(mail->receivers, party_id))
        return true;
    if (map_n(mail->receivers) >= MAIL_RECEIVERS_MAX)
        return false;
    kept = text_copy(party_id);
    map_put(mail->receivers, kept, kept);
    return true;
}

static void add_letter(struct buffer *out, const struct letter *letter)
{
    uint8_t attempt[ATTEMPT_BYTES];

    be_put(attempt, ATTEMPT_BYTES, letter->attempt);
    buffer_add(out, letter->from, strlen(letter->from) + 1);
    buffer_add(out, letter->session_id, strlen(letter->session_id) + 1);
    buffer_add(out, attempt, sizeof attempt);
    buffer_add(out, letter->payload, letter->len);
}

bool mail_put(struct mail *mail, const char *to, const struct letter *letter)
{
    char box[NAME_MAX_BYTES], group[NAME_MAX_BYTES];
    struct buffer b = {0};
    enum bus_result result;

    if (!is_receiver(mail, to))
        return false;
    add_letter(&b, letter);
    result = bus_put(mail->bus, name_of(box, 'm', to), name_of(group, 'm', letter->session_id), b.b,
                     b.len, letter->deadline_ms, NULL);
    buffer_free(&b);
    return result == BUS_OK;
}

bool mail_allow_stray(struct party *sender, size_t len, uint64_t now_us)
{
    if (now_us - sender->stray_since_us >= (uint64_t)MAIL_STRAY_MS * 1000) {
        sender->stray_since_us = now_us;
        sender->stray_items = 0;
        sender->stray_bytes = 0;
    }
    if (sender->stray_items >= MAIL_STRAY_ITEMS || sender->stray_bytes + len > MAIL_STRAY_BYTES)
        return false;
    sender->stray_items++;
    sender->stray_bytes += len;
    return true;
}

bool mail_put_event(struct mail *mail, const char *to, const Mpc__Session__V1__SessionEvent *event,
                    int64_t deadline_ms)
{
    char box[NAME_MAX_BYTES], group[NAME_MAX_BYTES];
    size_t len = mpc__session__v1__session_event__get_packed_size(event);
    enum bus_result result;
    uint8_t *b;

    if (!is_receiver(mail, to))
        return false;
    b = mem_new(len + 1, 1);
    mpc__session__v1__session_event__pack(event, b);
    name_of(group, is_final_event(event->event_type) ? 'f' : 'e', event->session_id);
    result = bus_put(mail->bus, name_of(box, 'e', to), group, b, len, deadline_ms, NULL);
    free(b);
    return result == BUS_OK;
}

/* The bus gives back what add_letter made. */
static void open_letter(Mpc__Router__V1__IncomingMessage *out, const struct bus_item *item)
{
    const uint8_t *b = item->b, *end = b + item->len, *attempt;

    mpc__router__v1__incoming_message__init(out);
    out->seq = item->seq;
    out->from = (char *)(uintptr_t)b;
    out->session_id = out->from + strlen(out->from) + 1;
    attempt = (const uint8_t *)out->session_id + strlen(out->session_id) + 1;
    out->attempt = (uint32_t)be_get(attempt, ATTEMPT_BYTES);
    out->payload.data = (uint8_t *)(uintptr_t)(attempt + ATTEMPT_BYTES);
    out->payload.len = (size_t)(end - out->payload.data);
}

static bool take_letter(const struct bus_item *item, void *arg)
{
    struct mail_batch *batch = arg;
    size_t n = batch->message.n_messages;

    if (n == MAIL_BATCH_ITEMS || (n && batch->bytes + item->len > MAIL_BATCH_BYTES)) {
        batch->has_more = true;
        return false;
    }
    open_letter(&batch->items[n], item);
    batch->list[n] = &batch->items[n];
    batch->message.n_messages = n + 1;
    batch->bytes += item->len;
    batch->last = item->seq;
    return true;
}

void mail_read(struct mail *mail, const char *party_id, int64_t after, struct mail_batch *out)
{
    char box[NAME_MAX_BYTES];

    mpc__router__v1__message_batch__init(&out->message);
    out->message.messages = out->list;
    out->bytes = 0;
    out->last = after;
    out->has_more = false;
    bus_read(mail->bus, name_of(box, 'm', party_id), after, take_letter, out);
}

struct next_event {
    Mpc__Session__V1__SessionEvent *event;
    int64_t seq;
};

static bool take_event(const struct bus_item *item, void *arg)
{
    struct next_event *next = arg;

    next->event = mpc__session__v1__session_event__unpack(NULL, item->len, item->b);
    next->seq = item->seq;
    return false;
}

Mpc__Session__V1__SessionEvent *mail_read_event(struct mail *mail, const char *party_id,
                                                int64_t after, int64_t *seq)
{
    char box[NAME_MAX_BYTES];
    struct next_event next = {NULL, after};

    bus_read(mail->bus, name_of(box, 'e', party_id), after, take_event, &next);
    *seq = next.seq;
    return next.event;
}

void mail_acknowledge(struct mail *mail, const char *party_id, int64_t through)
{
    char box[NAME_MAX_BYTES];

    bus_acknowledge(mail->bus, name_of(box, 'm', party_id), through);
}

struct sending_on {
    const struct mail_way *way;
    const char *to;
    int64_t taken;
};

static bool letter_on(const struct bus_item *item, void *arg)
{
    struct sending_on *on = arg;
    Mpc__Router__V1__IncomingMessage message;
    struct letter letter;

    open_letter(&message, item);
    letter = (struct letter){.from = message.from,
                             .session_id = message.session_id,
                             .attempt = message.attempt,
                             .payload = message.payload.data,
                             .len = message.payload.len,
                             .deadline_ms = item->deadline_ms};
    if (!on->way->letter(on->way->arg, on->to, &letter))
        return false;
    on->taken = item->seq;
    return true;
}

static bool event_on(const struct bus_item *item, void *arg)
{
    struct sending_on *on = arg;
    Mpc__Session__V1__SessionEvent *event =
        mpc__session__v1__session_event__unpack(NULL, item->len, item->b);
    bool ok = on->way->event(on->way->arg, on->to, event, item->deadline_ms);

    mpc__session__v1__session_event__free_unpacked(event, NULL);
    if (ok)
        on->taken = item->seq;
    return ok;
}

void mail_send_on(struct mail *mail, const char *party_id, const struct mail_way *way)
{
    char box[NAME_MAX_BYTES];
    struct sending_on events = {way, party_id, 0}, letters = events;

    bus_read(mail->bus, name_of(box, 'e', party_id), 0, event_on, &events);
    bus_acknowledge(mail->bus, box, events.taken);
    bus_read(mail->bus, name_of(box, 'm', party_id), 0, letter_on, &letters);
    bus_acknowledge(mail->bus, box, letters.taken);
}

void mail_watch(struct mail *mail, enum mail_box box, const char *party_id, void (*wake)(void *arg),
                void *arg)
{
    char name[NAME_MAX_BYTES];

    bus_watch(mail->bus, name_of(name, box == MAIL_MESSAGES ? 'm' : 'e', party_id), wake, arg);
}

void mail_forget(struct mail *mail, const char *session_id)
{
    char group[NAME_MAX_BYTES];

    bus_forget_group(mail->bus, name_of(group, 'm', session_id));
    bus_forget_group(mail->bus, name_of(group, 'e', session_id));
}

void mail_expire(struct mail *mail, int64_t now_ms)
{
    bus_expire(mail->bus, now_ms);
}

size_t mail_items(const struct mail *mail)
{
    return bus_items(mail->bus);
}

size_t mail_bytes(const struct mail *mail)
{
    return bus_bytes(mail->bus);
}
