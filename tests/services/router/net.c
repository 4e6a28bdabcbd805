/* SPDX-License-Identifier: Apache-2.0 */
#include "net.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct parcel *copy_of(const struct parcel *from)
{
    struct parcel *parcel = malloc(sizeof *parcel);

    assert_non_null(parcel);
    *parcel = *from;
    parcel->next = NULL;
    parcel->b = malloc(from->len + 1);
    assert_non_null(parcel->b);
    memcpy(parcel->b, from->b, from->len);
    return parcel;
}

static void append(struct parcel **list, struct parcel *parcel)
{
    while (*list)
        list = &(*list)->next;
    *list = parcel;
}

static void free_parcel(struct parcel *parcel)
{
    free(parcel->b);
    free(parcel);
}

void net_forget(struct parcel **list)
{
    while (*list) {
        struct parcel *parcel = *list;

        *list = parcel->next;
        free_parcel(parcel);
    }
}

static bool publish(struct broker *broker, const char *to, const uint8_t *b, size_t len)
{
    struct wire *wire = (struct wire *)broker;
    struct parcel parcel = {.from = wire, .b = (uint8_t *)(uintptr_t)b, .len = len};

    if (!wire->is_up || wire->net->is_over)
        return false;
    snprintf(parcel.to, sizeof parcel.to, "%s", to ? to : "");
    wire->net->direct_bytes += to ? len : 0;
    append(&wire->net->list, copy_of(&parcel));
    if (wire->net->record)
        append(wire->net->record, copy_of(&parcel));
    return true;
}

static void free_wire(struct broker *broker)
{
    struct wire *wire = (struct wire *)broker;

    wire->is_up = false;
    wire->is_freed = true;
}

static void give(struct wire *wire, const struct parcel *parcel)
{
    if (wire->is_up && !wire->is_still)
        wire->events.frame(wire->events.arg, parcel->b, parcel->len);
}

static void refuse(const struct parcel *parcel, bool is_gone)
{
    struct wire *from = parcel->from;

    if (from && from->is_up)
        from->events.refused(from->events.arg, parcel->to, is_gone);
}

static void deliver(struct net *net, const struct parcel *parcel)
{
    bool is_there = !parcel->to[0];

    if (parcel->from && (parcel->from->is_still || parcel->from->is_mute))
        return;
    if (parcel->to[0] && parcel->from && parcel->from->is_refused) {
        refuse(parcel, false);
        return;
    }
    for (size_t i = 0; i < NET_WIRES_MAX; i++) {
        struct wire *wire = &net->wires[i];

        if (parcel->to[0] && strcmp(parcel->to, wire->address) != 0)
            continue;
        is_there = is_there || wire->is_up;
        give(wire, parcel);
        if (net->doubles)
            give(wire, parcel);
    }
    if (!is_there)
        refuse(parcel, true);
}

static unsigned next_random(struct net *net)
{
    net->random = net->random * 1103515245 + 12345;
    return net->random >> 16;
}

static struct parcel *take(struct net *net, size_t n)
{
    struct parcel **at = &net->list, *parcel;

    for (size_t i = net->any_order ? next_random(net) % n : 0; i > 0; i--)
        at = &(*at)->next;
    parcel = *at;
    *at = parcel->next;
    return parcel;
}

/* What comes on the way is the next time's, unless it overtakes. */
static void on_pump(uv_timer_t *timer)
{
    struct net *net = timer->data;
    size_t n = 0;

    if (net->holds)
        return;
    for (const struct parcel *p = net->list; p; p = p->next)
        n++;
    for (; n; n--) {
        struct parcel *parcel = take(net, n);

        deliver(net, parcel);
        free_parcel(parcel);
    }
}

void net_start(struct net *net, uv_loop_t *loop)
{
    *net = (struct net){.random = 1};
    uv_timer_init(loop, &net->pump);
    net->pump.data = net;
    uv_timer_start(&net->pump, on_pump, 1, 1);
}

void net_stop(struct net *net)
{
    net->is_over = true;
    net_forget(&net->list);
    uv_close((uv_handle_t *)&net->pump, NULL);
}

struct broker *net_wire(struct net *net, size_t i, struct broker_events events)
{
    static const struct broker_driver driver = {publish, free_wire};
    struct wire *wire = &net->wires[i];

    *wire = (struct wire){.base = {&driver}, .net = net, .events = events};
    return &wire->base;
}

void wire_up(struct wire *wire)
{
    uint8_t id[16];

    randombytes_buf(id, sizeof id);
    sodium_bin2hex(wire->address, sizeof wire->address, id, sizeof id);
    wire->is_up = true;
    wire->events.up(wire->events.arg, wire->address);
}

void wire_down(struct wire *wire)
{
    wire->is_up = false;
    wire->address[0] = '\0';
    wire->events.down(wire->events.arg, false, "the test wants it");
}

void net_repeat(struct net *net, const struct parcel *parcel)
{
    struct parcel *copy = copy_of(parcel);

    copy->from = NULL;
    append(&net->list, copy);
}
