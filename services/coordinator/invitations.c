/* SPDX-License-Identifier: Apache-2.0 */
/* The cursor is the number of the last durable event. Invitations and ends are committed in the
 * order of their numbers, so nothing at or below it is still to come. A party that asks from 0 has
 * just started and gets the open invitations and what ended within the last hour; of anything
 * older it asks by GetSessionStatus. */
#include "services/coordinator/invitations.h"

#include "services/coordinator/flow.h"
#include "services/coordinator/orders.h"
#include "services/coordinator/record.h"
#include "services/coordinator/view.h"
#include "system/core/buffer.h"

#include <stdlib.h>
#include <string.h>

/* A party opens no session whose deadline is over, and ends what it has by its own clock: of such a
 * session's end it need not hear. Of all that ended in an hour it would remember more than it has
 * room for. Clocks may differ by half of this. */
enum { PAST_MS = 60000 };

struct told {
    struct view_event view;
    struct view_setup setup;
    char token[TOKEN_TEXT_MAX];
};

/* A reply being gathered. What it borrows from records is added after the database has answered,
 * in the breath in which the reply is sent. */
struct gathering {
    struct coordinator *c;
    struct rpc_call *call;
    char party_id[PARTY_ID_MAX];
    int64_t after;
    Mpc__Coordinator__V1__ListInvitationsResponse message;
    size_t told_n;
    struct told **told;
    struct store_missed *missed;
};

static struct told *add(struct gathering *g)
{
    struct told *told = mem_new(1, sizeof *told);

    g->told = realloc(g->told, (g->told_n + 1) * sizeof(void *));
    if (!g->told)
        abort();
    g->told[g->told_n++] = told;
    return told;
}

static void add_invitation(struct gathering *g, const struct record *r, uint8_t seat)
{
    const struct store_event event = {.seq = r->invited_seq,
                                      .type = EVENT_CREATED,
                                      .attempt = r->state.attempts_n - 1,
                                      .at_ms = r->invited_ms};
    struct told *told = add(g);

    view_event(&told->view, &event, r->row.session_id, r->row.trace_id);
    view_setup(&told->setup, r);
    view_join_token(told->token, g->c->tokens, r, seat);
    told->view.message.party_id = (char *)(uintptr_t) "";
    told->view.message.detail = (char *)(uintptr_t)r->reason;
    told->view.message.setup = &told->setup.message;
    told->view.message.join_token = told->token;
}

static void add_open(struct gathering *g)
{
    for (const struct record *r = g->c->open.first; r; r = r->next) {
        uint8_t seat = record_seat(r, g->party_id);

        if (r->state.is_open && seat != SEAT_NONE && (r->state.seats[seat] & SEAT_IN) &&
            r->invited_seq > g->after && r->invited_seq <= g->message.cursor)
            add_invitation(g, r, seat);
    }
}

/* The first that ended after the cursor; they stand in the order of their ends, so that a party
 * which asks every second does not walk through all that were ever kept. */
static const struct record *first_ended(const struct gathering *g)
{
    const struct record *first = NULL;

    for (const struct record *r = g->c->ended.last; r && r->row.end_seq > g->after; r = r->prev)
        first = r;
    return first;
}

static void add_ended(struct gathering *g)
{
    for (const struct record *r = first_ended(g); r; r = r->next) {
        uint8_t seat = record_seat(r, g->party_id);

        if (r->row.end_seq <= g->message.cursor && seat != SEAT_NONE &&
            (r->state.seats[seat] & SEAT_EVER))
            (void)view_end(&add(g)->view, &r->row);
    }
}

static void gathering_free(struct gathering *g)
{
    for (size_t i = 0; i < g->told_n; i++)
        free(g->told[i]);
    free(g->told);
    if (g->missed)
        store_missed_free(g->missed);
    free(g);
}

static size_t add_orders(Mpc__Session__V1__Order *out, Mpc__Session__V1__Order **list,
                         const struct store_missed *missed)
{
    for (size_t i = 0; i < missed->orders_n; i++) {
        const struct store_order *order = &missed->orders[i];

        mpc__session__v1__order__init(&out[i]);
        out[i].body = (ProtobufCBinaryData){order->body.len, order->body.b};
        out[i].signature = (ProtobufCBinaryData){order->signature.len, order->signature.b};
        list[i] = &out[i];
    }
    return missed->orders_n;
}

static void reply(struct gathering *g)
{
    Mpc__Coordinator__V1__ListInvitationsResponse *m = &g->message;
    size_t orders_n = g->missed ? g->missed->orders_n : 0;
    Mpc__Session__V1__Order *orders = mem_new(orders_n + 1, sizeof *orders);

    m->events = mem_new(g->told_n + 1, sizeof(void *));
    m->n_events = g->told_n;
    for (size_t i = 0; i < g->told_n; i++)
        m->events[i] = &g->told[i]->view.message;
    m->orders = mem_new(orders_n + 1, sizeof(void *));
    if (g->missed)
        m->n_orders = add_orders(orders, m->orders, g->missed);
    if (m->n_orders > 0)
        m->order_cursor = g->missed->orders[m->n_orders - 1].seq;
    m->server_time_ms = clock_unix_ms();
    rpc_reply(g->call, &m->base);
    free(m->events);
    free(m->orders);
    free(orders);
    gathering_free(g);
}

/* A page that is full ends the cursor: the rest comes with the next call. */
static void missed_read(void *arg, enum db_result result)
{
    struct store_missed *missed = arg;
    struct gathering *g = missed->owner;

    if (result != DB_OK) {
        rpc_fail(g->call, flow_database_fault());
        gathering_free(g);
        return;
    }
    add_open(g);
    for (size_t i = 0; i < missed->rows_n; i++)
        if (missed->rows[i].end_seq <= g->message.cursor)
            (void)view_end(&add(g)->view, &missed->rows[i]);
    if (!missed->want_ends)
        add_ended(g);
    if (missed->rows_n == PAGE_MAX)
        g->message.cursor = missed->rows[PAGE_MAX - 1].end_seq;
    reply(g);
}

static void read_missed(struct gathering *g, bool want_ends, int64_t after_order)
{
    struct store_missed *missed = g->missed = mem_new(1, sizeof *missed);

    missed->owner = g;
    memcpy(missed->party_id, g->party_id, sizeof missed->party_id);
    missed->want_ends = want_ends;
    missed->after = g->after;
    missed->open_ms = clock_unix_ms() - PAST_MS;
    missed->want_orders = after_order < orders_seq(g->c->orders);
    missed->after_order = after_order;
    db_submit(g->c->db, DB_READ, store_missed, missed_read, missed);
}

void list_invitations(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct coordinator *c = service;
    const Mpc__Coordinator__V1__ListInvitationsRequest *in = (const void *)request;
    int64_t after = in->after > c->seq ? 0 : in->after; /* of another database */
    bool is_old = after < c->ends_floor;
    struct gathering *g;

    if (strcmp(in->party_id, rpc_caller(call)) != 0 || !party_id_is_valid(in->party_id)) {
        rpc_fail(call,
                 rpc_error(RPC_DENIED, "wrong_party", "a party may read its own invitations only"));
        return;
    }
    g = mem_new(1, sizeof *g);
    g->c = c;
    g->call = call;
    g->after = after;
    memcpy(g->party_id, in->party_id, strlen(in->party_id));
    mpc__coordinator__v1__list_invitations_response__init(&g->message);
    g->message.cursor = c->committed_seq > after ? c->committed_seq : after;
    g->message.order_cursor = in->after_order;
    if (is_old || in->after_order < orders_seq(c->orders)) {
        read_missed(g, is_old, in->after_order);
        return;
    }
    add_open(g);
    add_ended(g);
    reply(g);
}
