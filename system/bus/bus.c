/* SPDX-License-Identifier: Apache-2.0 */
/* Mailboxes in memory. An item is in two lists: its box, by number, and its lane, which is what one
 * group has in one box. A lane is there while it has items; a group while it has lanes. */
#include "system/bus/bus.h"

#include "system/core/buffer.h"
#include "system/core/map.h"

#include <stdlib.h>
#include <string.h>

struct item {
    struct item *before, *after;
    struct item *lane_before, *lane_after;
    struct lane *lane;
    int64_t deadline_ms;
    int64_t seq;
    size_t len;
    uint8_t b[];
};

struct lane {
    struct lane *before, *after;
    struct group *group;
    struct box *box;
    struct item *items;
    size_t items_n, bytes;
};

struct group {
    char *name;
    struct lane *lanes;
};

struct box {
    char *name;
    struct item *oldest, *youngest;
    size_t items_n, bytes;
    int64_t last_seq;
    /* no item ends before it; what is not known to be later is looked through */
    int64_t earliest_ms;
    void (*wake)(void *arg);
    void *arg;
};

struct bus {
    struct bus_limits limits;
    struct map *boxes, *groups;
    size_t items_n, bytes;
};

struct bus *bus_new(const struct bus_limits *limits)
{
    struct bus *bus = mem_new(1, sizeof *bus);

    bus->limits = *limits;
    bus->boxes = map_new();
    bus->groups = map_new();
    return bus;
}

static void drop_lane(struct bus *bus, struct lane *lane)
{
    struct group *group = lane->group;

    *(lane->before ? &lane->before->after : &group->lanes) = lane->after;
    if (lane->after)
        lane->after->before = lane->before;
    free(lane);
    if (group->lanes)
        return;
    map_remove(bus->groups, group->name);
    free(group->name);
    free(group);
}

static void unlink_from_lane(struct bus *bus, struct item *item)
{
    struct lane *lane = item->lane;

    *(item->lane_before ? &item->lane_before->lane_after : &lane->items) = item->lane_after;
    if (item->lane_after)
        item->lane_after->lane_before = item->lane_before;
    lane->items_n--;
    lane->bytes -= item->len;
    if (!lane->items)
        drop_lane(bus, lane);
}

static void drop(struct bus *bus, struct item *item)
{
    struct box *box = item->lane->box;

    *(item->before ? &item->before->after : &box->oldest) = item->after;
    *(item->after ? &item->after->before : &box->youngest) = item->before;
    box->items_n--;
    box->bytes -= item->len;
    bus->items_n--;
    bus->bytes -= item->len;
    unlink_from_lane(bus, item);
    free(item);
}

struct job {
    struct bus *bus;
    int64_t now_ms;
};

static bool free_box(void *value, void *arg)
{
    struct job *job = arg;
    struct box *box = value;

    while (box->oldest)
        drop(job->bus, box->oldest);
    free(box->name);
    free(box);
    return true;
}

void bus_free(struct bus *bus)
{
    struct job job = {bus, 0};

    if (!bus)
        return;
    map_each(bus->boxes, free_box, &job);
    map_free(bus->boxes);
    map_free(bus->groups);
    free(bus);
}

static struct box *box_named(struct bus *bus, const char *name)
{
    struct box *box = map_get(bus->boxes, name);

    if (box)
        return box;
    box = mem_new(1, sizeof *box);
    box->name = text_copy(name);
    box->earliest_ms = INT64_MAX;
    map_put(bus->boxes, box->name, box);
    return box;
}

static struct lane *lane_found(const struct bus *bus, const char *group, const struct box *box)
{
    struct group *g = map_get(bus->groups, group);

    for (struct lane *lane = g ? g->lanes : NULL; lane; lane = lane->after) {
        if (lane->box == box)
            return lane;
    }
    return NULL;
}

static struct lane *lane_made(struct bus *bus, const char *name, struct box *box)
{
    struct lane *lane = mem_new(1, sizeof *lane);
    struct group *group = map_get(bus->groups, name);

    if (!group) {
        group = mem_new(1, sizeof *group);
        group->name = text_copy(name);
        map_put(bus->groups, group->name, group);
    }
    lane->group = group;
    lane->box = box;
    lane->after = group->lanes;
    if (group->lanes)
        group->lanes->before = lane;
    group->lanes = lane;
    return lane;
}

/* Written so that no sum can overflow. */
static bool has_room(size_t items, size_t items_max, size_t bytes, size_t bytes_max, size_t len)
{
    return items < items_max && bytes <= bytes_max && len <= bytes_max - bytes;
}

static bool fits(const struct bus *bus, const struct box *box, const struct lane *lane, size_t len)
{
    const struct bus_limits *max = &bus->limits;

    return has_room(box->items_n, max->box_items, box->bytes, max->box_bytes, len) &&
           has_room(lane ? lane->items_n : 0, max->group_items, lane ? lane->bytes : 0,
                    max->group_bytes, len);
}

static void link_item(struct bus *bus, struct lane *lane, struct item *item)
{
    struct box *box = lane->box;

    item->lane = lane;
    item->before = box->youngest;
    *(box->youngest ? &box->youngest->after : &box->oldest) = item;
    box->youngest = item;
    item->lane_after = lane->items;
    if (lane->items)
        lane->items->lane_before = item;
    lane->items = item;
    lane->items_n++;
    lane->bytes += item->len;
    box->items_n++;
    box->bytes += item->len;
    bus->items_n++;
    bus->bytes += item->len;
    if (item->deadline_ms < box->earliest_ms)
        box->earliest_ms = item->deadline_ms;
}

enum bus_result bus_put(struct bus *bus, const char *box_name, const char *group, const void *b,
                        size_t len, int64_t deadline_ms, int64_t *seq)
{
    struct box *box = box_named(bus, box_name);
    struct lane *lane = lane_found(bus, group, box);
    struct item *item;

    if (!fits(bus, box, lane, len))
        return BUS_FULL;
    item = mem_new(1, sizeof *item + len);
    if (len)
        memcpy(item->b, b, len);
    item->len = len;
    item->deadline_ms = deadline_ms;
    item->seq = ++box->last_seq;
    link_item(bus, lane ? lane : lane_made(bus, group, box), item);
    if (seq)
        *seq = item->seq;
    /* last: who is woken may change the bus */
    if (box->wake)
        box->wake(box->arg);
    return BUS_OK;
}

/* The oldest item after |after|. Searched from the youngest end, where readers are. */
static const struct item *first_after(const struct box *box, int64_t after)
{
    const struct item *found = NULL;

    for (const struct item *i = box->youngest; i && i->seq > after; i = i->before)
        found = i;
    return found;
}

void bus_read(struct bus *bus, const char *box_name, int64_t after,
              bool (*each)(const struct bus_item *item, void *arg), void *arg)
{
    const struct box *box = map_get(bus->boxes, box_name);

    for (const struct item *i = box ? first_after(box, after) : NULL; i; i = i->after) {
        const struct bus_item item = {i->seq, i->b, i->len, i->deadline_ms};

        if (!each(&item, arg))
            return;
    }
}

void bus_acknowledge(struct bus *bus, const char *box_name, int64_t through)
{
    struct box *box = map_get(bus->boxes, box_name);

    while (box && box->oldest && box->oldest->seq <= through)
        drop(bus, box->oldest);
}

void bus_forget_group(struct bus *bus, const char *group)
{
    struct group *g;

    /* dropping a lane's last item drops the lane, and the last lane the group */
    while ((g = map_get(bus->groups, group)))
        drop(bus, g->lanes->items);
}

void bus_watch(struct bus *bus, const char *box_name, void (*wake)(void *arg), void *arg)
{
    struct box *box = wake ? box_named(bus, box_name) : map_get(bus->boxes, box_name);

    if (!box)
        return;
    box->wake = wake;
    box->arg = arg;
}

static bool expire_box(void *value, void *arg)
{
    const struct job *job = arg;
    struct box *box = value;
    struct item *next;

    if (box->earliest_ms > job->now_ms)
        return true;
    box->earliest_ms = INT64_MAX;
    for (struct item *item = box->oldest; item; item = next) {
        next = item->after;
        if (item->deadline_ms <= job->now_ms)
            drop(job->bus, item);
        else if (item->deadline_ms < box->earliest_ms)
            box->earliest_ms = item->deadline_ms;
    }
    return true;
}

void bus_expire(struct bus *bus, int64_t now_ms)
{
    struct job job = {bus, now_ms};

    map_each(bus->boxes, expire_box, &job);
}

size_t bus_items(const struct bus *bus)
{
    return bus->items_n;
}

size_t bus_bytes(const struct bus *bus)
{
    return bus->bytes;
}
