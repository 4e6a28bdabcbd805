/* SPDX-License-Identifier: Apache-2.0 */
/* Order the able candidates by rank, then take the best that get along, beginning with each in
 * turn. Of those of equal load the ones at the first one's router come before the others. */
#include "services/coordinator/choose.h"

#include "quorate/types.h"

#include <stdlib.h>
#include <string.h>

struct ranked {
    const struct candidate *candidate;
    uint8_t position;
    /* not at the router of the first one taken */
    bool is_apart;
};

static bool is_full(const struct candidate *c)
{
    return c->load >= c->capacity;
}

static int compare_load(const struct candidate *a, const struct candidate *b)
{
    /* load / capacity, without division */
    uint64_t la = (uint64_t)a->load * (b->capacity ? b->capacity : 1);
    uint64_t lb = (uint64_t)b->load * (a->capacity ? a->capacity : 1);

    if (a->suspicion != b->suspicion)
        return a->suspicion < b->suspicion ? -1 : 1;
    if (is_full(a) != is_full(b))
        return is_full(a) ? 1 : -1;
    if (la != lb)
        return la < lb ? -1 : 1;
    return 0;
}

static int compare_turn(const struct candidate *a, const struct candidate *b)
{
    if (a->turn != b->turn)
        return a->turn < b->turn ? -1 : 1;
    return 0;
}

bool choose_before(const struct candidate *a, const struct candidate *b)
{
    int order = compare_load(a, b);

    return (order != 0 ? order : compare_turn(a, b)) < 0;
}

static int by_rank(const void *pa, const void *pb)
{
    const struct ranked *a = pa, *b = pb;
    int order = compare_load(a->candidate, b->candidate);

    if (order == 0 && a->is_apart != b->is_apart)
        order = a->is_apart ? 1 : -1;
    if (order == 0)
        order = compare_turn(a->candidate, b->candidate);
    if (order != 0)
        return order;
    return a->position < b->position ? -1 : 1;
}

static int by_position(const void *pa, const void *pb)
{
    return (int)*(const uint8_t *)pa - (int)*(const uint8_t *)pb;
}

static bool is_apart(const struct candidate *a, const struct candidate *b)
{
    return a->router && b->router && strcmp(a->router, b->router) != 0;
}

/* Greedy with |first| fixed. The number taken. */
static size_t take_from(uint8_t *out, const struct ranked *able, size_t n, size_t needed,
                        size_t first)
{
    const struct candidate *one = able[first].candidate;
    struct ranked ranked[QRT_PARTIES_MAX];
    uint64_t bad = one->bad_pairs;
    size_t taken = 0;

    memcpy(ranked, able, n * sizeof ranked[0]);
    for (size_t i = 0; i < n; i++)
        ranked[i].is_apart = is_apart(ranked[i].candidate, one);
    qsort(ranked, n, sizeof ranked[0], by_rank);
    out[taken++] = able[first].position;
    for (size_t i = 0; i < n && taken < needed; i++) {
        if (ranked[i].candidate == one || (bad >> ranked[i].position & 1))
            continue;
        bad |= ranked[i].candidate->bad_pairs;
        out[taken++] = ranked[i].position;
    }
    return taken;
}

bool choose_quorum(uint8_t *out, const struct candidate *candidates, size_t n, size_t needed)
{
    struct ranked ranked[QRT_PARTIES_MAX];
    size_t able = 0;

    for (size_t i = 0; i < n && i < QRT_PARTIES_MAX; i++)
        if (candidates[i].is_able)
            ranked[able++] = (struct ranked){&candidates[i], (uint8_t)i, false};
    if (able < needed || needed == 0)
        return false;
    qsort(ranked, able, sizeof ranked[0], by_rank);
    for (size_t first = 0; first < able; first++) {
        if (take_from(out, ranked, able, needed, first) == needed) {
            qsort(out, needed, 1, by_position);
            return true;
        }
    }
    return false;
}
