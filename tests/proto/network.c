/* SPDX-License-Identifier: Apache-2.0 */
/* The seeded network (network.h). */
#include "network.h"

#include <stdlib.h>
#include <string.h>

const struct weather fair_weather = {0, 0, 0, 0, 0};
const struct weather drizzle = {30, 10, 10, 10, 20};
const struct weather storm = {100, 50, 50, 50, 50};

/* ---- nodes ---- */

const struct qrt_run *node_run(const struct node *node)
{
    return node->is_peer ? qrt_peer_run(node->memory) : node->memory;
}

static enum qrt_err answered(struct node *node, enum qrt_err e)
{
    node->answers[e]++;
    if (e != QRT_OK)
        node->last = e;
    return e;
}

enum qrt_err node_recv(struct node *node, uint16_t from, const uint8_t *b, size_t len)
{
    if (node->is_peer)
        return answered(node, qrt_peer_recv(node->memory, b, len));
    return answered(node, qrt_run_recv(node->memory, from, b, len));
}

const struct qrt_msg *node_next(struct node *node)
{
    return node->is_peer ? qrt_peer_next(node->memory) : qrt_run_next(node->memory);
}

const struct qrt_record *node_record(const struct node *node)
{
    return node->is_peer ? qrt_peer_record(node->memory) : qrt_run_record(node->memory);
}

static void refuse(struct node *node)
{
    if (node->is_peer)
        qrt_peer_refuse(node->memory);
    else
        qrt_run_refuse(node->memory);
}

bool node_settle(struct node *node)
{
    const struct qrt_record *record = node_record(node);
    struct note *note = &node->records[node->records_n];

    if (!record)
        return false;
    assert_true(node->records_n < RECORDS_MAX);
    assert_null(node_next(node)); /* nothing leaves while a record waits */
    *note = (struct note){record->kind, malloc(record->len ? record->len : 1), record->len};
    memcpy(note->b, record->b, record->len);
    node->records_n++;
    if (node->refuse[note->kind])
        refuse(node);
    else if (node->is_peer)
        answered(node, qrt_peer_confirm(node->memory));
    else
        answered(node, qrt_run_confirm(node->memory));
    return true;
}

const struct qrt_msg *node_say(struct node *node)
{
    const struct qrt_msg *m = node_next(node);

    if (!m)
        return NULL;
    if (m->kind != QRT_KIND_ABORT) {
        node->sent++;
        return m;
    }
    node->aborts++;
    node->abort_len = m->len;
    assert_true(m->len <= sizeof node->abort);
    memcpy(node->abort, m->b, m->len);
    return m;
}

const struct note *node_noted(const struct node *node, enum qrt_record_kind kind)
{
    for (size_t i = 0; i < node->records_n; i++)
        if (node->records[i].kind == kind)
            return &node->records[i];
    return NULL;
}

void node_free(struct node *node)
{
    for (size_t i = 0; i < node->records_n; i++)
        free(node->records[i].b);
    if (node->memory && node->is_peer)
        qrt_peer_wipe(node->memory);
    else if (node->memory)
        qrt_run_wipe(node->memory);
    free(node->memory);
    memset(node, 0, sizeof *node);
}

/* ---- parcels ---- */

void parcels_push(struct parcels *list, const struct parcel *parcel)
{
    struct parcel *p;

    if (list->n == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 64;
        list->p = realloc(list->p, list->cap * sizeof *list->p);
        assert_non_null(list->p);
    }
    p = &list->p[list->n++];
    *p = *parcel;
    p->b = malloc(parcel->len ? parcel->len : 1);
    assert_non_null(p->b);
    memcpy(p->b, parcel->b, parcel->len);
}

void parcels_free(struct parcels *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->p[i].b);
    free(list->p);
    *list = (struct parcels){0};
}

static struct parcel take(struct parcels *list, size_t i)
{
    struct parcel p = list->p[i];

    memmove(&list->p[i], &list->p[i + 1], (list->n - i - 1) * sizeof *list->p);
    list->n--;
    return p;
}

/* ---- the network ---- */

void network_init(struct network *net, uint64_t seed, const struct weather *weather)
{
    *net = (struct network){.rng = {seed}, .weather = *weather};
}

struct node *network_node(struct network *net, uint16_t index)
{
    for (size_t i = 0; i < net->n; i++)
        if (net->nodes[i].index == index)
            return &net->nodes[i];
    return NULL;
}

static bool happens(struct network *net, unsigned percent)
{
    return percent && test_rng_below(&net->rng, 100) < percent;
}

static void post(struct network *net, const struct node *from, const struct qrt_msg *m)
{
    struct parcel parcel = {.from = from->index, .round = m->round, .kind = m->kind, .len = m->len};

    parcel.b = (uint8_t *)m->b;
    for (size_t i = 0; i < net->n; i++) {
        parcel.to = net->nodes[i].index;
        if (parcel.to == parcel.from || (m->to != QRT_EVERYBODY && m->to != parcel.to))
            continue;
        parcels_push(&net->queue, &parcel);
        parcels_push(&net->log, &parcel);
    }
}

/* Records, then what the node has to say; all of it if |now|. */
static bool attend(struct network *net, struct node *node, bool now)
{
    const struct qrt_msg *m;
    bool moved = false;

    while ((now || !happens(net, net->weather.laze)) && node_settle(node))
        moved = true;
    while ((now || !happens(net, net->weather.dribble)) && (m = node_say(node))) {
        post(net, node, m);
        moved = true;
    }
    return moved;
}

static void deliver(struct network *net, struct parcel *p)
{
    struct node *node = network_node(net, p->to);
    enum qrt_err e;

    if (net->hook)
        net->hook(net->hook_arg, net, p);
    if (!p->len || !node)
        return;
    e = node_recv(node, p->from, p->b, p->len);
    net->idle = e == QRT_E_AGAIN ? net->idle + 1 : 0;
    if (e == QRT_E_AGAIN) {
        parcels_push(&net->queue, p);
    } else if (p->copies < 3 && happens(net, net->weather.repeat)) {
        p->copies++;
        parcels_push(&net->queue, p);
    }
}

bool network_step(struct network *net)
{
    bool moved = false;
    struct parcel p;
    size_t at = 0;

    for (size_t i = 0; i < net->n; i++)
        moved |= attend(net, &net->nodes[i], net->queue.n == 0);
    if (!net->queue.n)
        return moved;
    if (net->idle > 4 * net->queue.n + 100)
        return false; /* all that is left is offered again and again */
    if (happens(net, net->weather.shuffle))
        at = (size_t)test_rng_below(&net->rng, net->queue.n);
    p = take(&net->queue, at);
    if (happens(net, net->weather.delay))
        parcels_push(&net->queue, &p);
    else
        deliver(net, &p);
    free(p.b);
    return true;
}

void network_run(struct network *net)
{
    net->idle = 0;
    while (network_step(net))
        continue;
}

void network_free(struct network *net)
{
    for (size_t i = 0; i < net->n; i++)
        node_free(&net->nodes[i]);
    parcels_free(&net->queue);
    parcels_free(&net->log);
    net->n = 0;
}
