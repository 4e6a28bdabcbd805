/* SPDX-License-Identifier: Apache-2.0 */
/* Which pending accounts this process works on: their rows are held in its name and renewed, so
 * that another replica takes one up only when this one is gone. */
#include "services/account/create.h"
#include "services/account/create_op.h"
#include "services/account/lookup.h"
#include "system/core/buffer.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

void create_held(struct create *op)
{
    struct account_service *s = op->s;

    op->holds = true;
    op->held_next = s->held;
    op->held_back = &s->held;
    if (s->held)
        s->held->held_back = &op->held_next;
    s->held = op;
}

void create_let_go(struct create *op)
{
    if (!op->holds)
        return;
    *op->held_back = op->held_next;
    if (op->held_next)
        op->held_next->held_back = op->held_back;
}

struct renewal {
    struct account_service *s;
    struct store_renew renew;
};

static void renewed(void *arg, enum db_result result)
{
    struct renewal *renewal =
        (struct renewal *)(void *)((char *)arg - offsetof(struct renewal, renew));

    /* Others may take it up then: the end is written once. */
    if (result == DB_FAILED)
        (void)lookup_database_fault(renewal->s);
    renewal->s->is_renewing = false;
    free(renewal->renew.ids);
    free(renewal);
}

void create_hold_on(struct account_service *s)
{
    struct renewal *renewal;
    size_t n = 0;

    for (const struct create *op = s->held; op; op = op->held_next)
        n++;
    if (n == 0 || s->is_alone || s->is_renewing)
        return;
    renewal = mem_new(1, sizeof *renewal);
    renewal->s = s;
    renewal->renew.replica = s->replica;
    renewal->renew.ids = mem_new(n, sizeof *renewal->renew.ids);
    for (const struct create *op = s->held; op; op = op->held_next)
        memcpy(renewal->renew.ids[renewal->renew.n++], op->account.account_id, ID_TEXT_MAX);
    s->is_renewing = true;
    db_submit(s->db, DB_LAZY, store_renew, renewed, &renewal->renew);
}
