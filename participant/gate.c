/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs in one list: as many as running sessions have, and the burned ones, which are rare. Two
 * kinds of lock: the table's for list and membership, a pair's for what leaves. The table's is
 * never held while a pair's is waited for; gate_burn takes it inside a pair's. */
#include "participant/gate.h"

#include "system/core/buffer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct gate_pair {
    struct gate_pair *next;
    uint8_t kgid[32];
    uint16_t peer;
    /* written under both locks, read under either */
    bool is_burned;
    pthread_mutex_t lock;
    struct gate_seat *members;
};

struct gates {
    pthread_mutex_t lock;
    struct gate_pair *first;
};

struct gates *gates_new(void)
{
    struct gates *gates = mem_new(1, sizeof *gates);

    pthread_mutex_init(&gates->lock, NULL);
    return gates;
}

static void pair_free(struct gate_pair *pair)
{
    pthread_mutex_destroy(&pair->lock);
    free(pair);
}

void gates_free(struct gates *gates)
{
    if (!gates)
        return;
    while (gates->first) {
        struct gate_pair *pair = gates->first;

        gates->first = pair->next;
        pair_free(pair);
    }
    pthread_mutex_destroy(&gates->lock);
    free(gates);
}

static struct gate_pair *pair_of(struct gates *gates, const uint8_t kgid[32], uint16_t peer)
{
    struct gate_pair *pair = gates->first;

    while (pair && (pair->peer != peer || memcmp(pair->kgid, kgid, 32) != 0))
        pair = pair->next;
    if (pair)
        return pair;
    pair = mem_new(1, sizeof *pair);
    memcpy(pair->kgid, kgid, 32);
    pair->peer = peer;
    pthread_mutex_init(&pair->lock, NULL);
    pair->next = gates->first;
    gates->first = pair;
    return pair;
}

static size_t slot_of(const struct gate_seat *seat, const struct gate_pair *pair)
{
    size_t i = 0;

    while (i < seat->n && seat->pairs[i] != pair)
        i++;
    return i;
}

static void unlink_member(struct gate_pair *pair, struct gate_seat *seat)
{
    struct gate_seat **at = &pair->members;

    while (*at && *at != seat)
        at = &(*at)->next[slot_of(*at, pair)];
    if (*at)
        *at = seat->next[slot_of(seat, pair)];
}

/* A pair that nobody needs to remember. */
static void drop_if_idle(struct gates *gates, struct gate_pair *pair)
{
    struct gate_pair **at = &gates->first;

    if (pair->members || pair->is_burned)
        return;
    while (*at != pair)
        at = &(*at)->next;
    *at = pair->next;
    pair_free(pair);
}

static void quit_locked(struct gates *gates, struct gate_seat *seat)
{
    while (seat->n > 0) {
        struct gate_pair *pair = seat->pairs[seat->n - 1];

        unlink_member(pair, seat);
        seat->n--;
        drop_if_idle(gates, pair);
    }
}

bool gate_join(struct gates *gates, struct gate_seat *seat, const uint8_t kgid[32],
               const uint16_t *peers, size_t n, uint16_t *burned)
{
    *burned = 0;
    pthread_mutex_lock(&gates->lock);
    for (size_t i = 0; i < n && !*burned; i++) {
        struct gate_pair *pair = pair_of(gates, kgid, peers[i]);

        seat->pairs[i] = pair;
        seat->next[i] = pair->members;
        pair->members = seat;
        seat->n = i + 1;
        if (pair->is_burned)
            *burned = peers[i];
    }
    if (*burned)
        quit_locked(gates, seat);
    pthread_mutex_unlock(&gates->lock);
    return *burned == 0;
}

void gate_quit(struct gates *gates, struct gate_seat *seat)
{
    pthread_mutex_lock(&gates->lock);
    quit_locked(gates, seat);
    pthread_mutex_unlock(&gates->lock);
}

/* Never NULL for a pair that the seat has joined: its members keep it. */
static struct gate_pair *joined(const struct gate_seat *seat, uint16_t peer)
{
    for (size_t i = 0; i < seat->n; i++) {
        if (seat->pairs[i]->peer == peer)
            return seat->pairs[i];
    }
    return NULL;
}

bool gate_enter(struct gate_seat *seat, const uint16_t *peers, size_t n)
{
    bool open = true;

    for (size_t i = 0; i < n; i++) {
        struct gate_pair *pair = joined(seat, peers[i]);

        if (!pair) {
            open = false;
            continue;
        }
        pthread_mutex_lock(&pair->lock);
        open = open && !pair->is_burned;
    }
    return open;
}

void gate_leave(struct gate_seat *seat, const uint16_t *peers, size_t n)
{
    for (size_t i = n; i > 0; i--) {
        struct gate_pair *pair = joined(seat, peers[i - 1]);

        if (pair)
            pthread_mutex_unlock(&pair->lock);
    }
}

void gate_burn(struct gates *gates, struct gate_seat *seat, uint16_t peer, void (*each)(void *run))
{
    struct gate_pair *pair = joined(seat, peer);

    if (!pair)
        return;
    pthread_mutex_lock(&gates->lock);
    pair->is_burned = true;
    for (struct gate_seat *s = pair->members; s; s = s->next[slot_of(s, pair)]) {
        if (s != seat)
            each(s->run);
    }
    pthread_mutex_unlock(&gates->lock);
}
