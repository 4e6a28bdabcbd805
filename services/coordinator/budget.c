/* SPDX-License-Identifier: Apache-2.0 */
/* See budget.h. Only callers that hold something are known, so there are never more of them than
 * things held. */
#include "services/coordinator/budget.h"

#include "system/core/buffer.h"
#include "system/core/map.h"

#include <stdio.h>
#include <stdlib.h>

struct holder {
    char caller[BUDGET_CALLER_MAX];
    /* things may be of no bytes */
    size_t n, bytes;
};

struct budget {
    size_t all, each, taken;
    struct map *holders;
};

struct budget *budget_new(size_t all, size_t each)
{
    struct budget *budget = mem_new(1, sizeof *budget);

    budget->all = all;
    budget->each = each;
    budget->holders = map_new();
    return budget;
}

static bool free_holder(void *value, void *arg)
{
    (void)arg;
    free(value);
    return true;
}

void budget_free(struct budget *budget)
{
    if (!budget)
        return;
    map_each(budget->holders, free_holder, NULL);
    map_free(budget->holders);
    free(budget);
}

/* Longer names would be others' when they are cut; ids of callers are shorter. */
static struct holder *holder_of(const struct budget *budget, const char *caller)
{
    char name[BUDGET_CALLER_MAX];

    snprintf(name, sizeof name, "%s", caller);
    return map_get(budget->holders, name);
}

bool budget_take(struct budget *budget, const char *caller, size_t bytes)
{
    struct holder *holder = holder_of(budget, caller);
    size_t held = holder ? holder->bytes : 0;

    if (bytes > budget->all - budget->taken || bytes > budget->each - held)
        return false;
    if (!holder) {
        holder = mem_new(1, sizeof *holder);
        snprintf(holder->caller, sizeof holder->caller, "%s", caller);
        map_put(budget->holders, holder->caller, holder);
    }
    holder->n++;
    holder->bytes += bytes;
    budget->taken += bytes;
    return true;
}

void budget_give(struct budget *budget, const char *caller, size_t bytes)
{
    struct holder *holder = holder_of(budget, caller);

    if (!holder)
        return;
    holder->bytes -= bytes;
    budget->taken -= bytes;
    if (--holder->n > 0)
        return;
    map_remove(budget->holders, holder->caller);
    free(holder);
}
