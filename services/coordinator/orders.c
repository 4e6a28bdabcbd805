/* SPDX-License-Identifier: Apache-2.0 */
/* In memory: the newest serial and state for each subject ("" is the whole system). */
#include "services/coordinator/orders.h"

#include "services/coordinator/flow.h"
#include "system/access/order.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"
#include "system/core/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct subject {
    char account_id[ID_TEXT_MAX];
    uint64_t serial;
    bool is_frozen;
    /* its last freeze ended then, so that parties may know of it; 0: before the start, or never */
    int64_t thawed_ms;
};

struct orders {
    bool has_key;
    uint8_t key[32];
    /* struct subject */
    struct map *subjects;
    /* the last one numbered, and the last durable one */
    int64_t seq, durable_seq;
};

struct submission {
    struct coordinator *c;
    struct rpc_call *call;
    struct store_order order;
};

static struct subject *subject_of(struct orders *orders, const char *account_id)
{
    struct subject *subject = map_get(orders->subjects, account_id);

    if (!subject) {
        subject = mem_new(1, sizeof *subject);
        snprintf(subject->account_id, sizeof subject->account_id, "%s", account_id);
        map_put(orders->subjects, subject->account_id, subject);
    }
    return subject;
}

static void note(struct orders *orders, const struct store_order *order)
{
    struct subject *subject = subject_of(orders, order->account_id);

    subject->serial = order->serial;
    subject->is_frozen = order->is_freeze;
}

struct orders *orders_new(const uint8_t *operator_key, const struct store_load *load)
{
    struct orders *orders = mem_new(1, sizeof *orders);

    orders->has_key = operator_key;
    if (operator_key)
        memcpy(orders->key, operator_key, sizeof orders->key);
    orders->subjects = map_new();
    orders->seq = orders->durable_seq = load->order_seq;
    for (size_t i = 0; i < load->orders_n; i++)
        note(orders, &load->orders[i]);
    return orders;
}

static bool free_subject(void *value, void *arg)
{
    (void)arg;
    free(value);
    return true;
}

void orders_free(struct orders *orders)
{
    if (!orders)
        return;
    map_each(orders->subjects, free_subject, NULL);
    map_free(orders->subjects);
    free(orders);
}

static bool is_frozen(const struct orders *orders, const char *account_id)
{
    const struct subject *subject = map_get(orders->subjects, account_id);

    return subject && subject->is_frozen;
}

bool orders_allow(const struct orders *orders, const char *account_id, struct rpc_status *status)
{
    if (is_frozen(orders, ""))
        *status = rpc_error(RPC_STATE, "frozen", "the operator has frozen the whole system");
    else if (is_frozen(orders, account_id))
        *status =
            rpc_error(RPC_STATE, "frozen", "the operator has frozen the account %s", account_id);
    else
        return true;
    return false;
}

static bool is_thawed(const struct orders *orders, const char *account_id, int64_t now_ms)
{
    const struct subject *subject = map_get(orders->subjects, account_id);

    return subject && subject->thawed_ms && now_ms - subject->thawed_ms < ORDERS_LATE_MS;
}

bool orders_thawed(const struct orders *orders, const char *account_id, int64_t now_ms)
{
    return !is_frozen(orders, "") && !is_frozen(orders, account_id) &&
           (is_thawed(orders, "", now_ms) || is_thawed(orders, account_id, now_ms));
}

int64_t orders_seq(const struct orders *orders)
{
    return orders->durable_seq;
}

static void stored(void *arg, enum db_result result)
{
    struct submission *s = ((struct store_order *)arg)->owner;
    Mpc__Coordinator__V1__SubmitOrderResponse m = MPC__COORDINATOR__V1__SUBMIT_ORDER_RESPONSE__INIT;

    if (result == DB_OK) {
        s->c->orders->durable_seq = m.seq = s->order.seq;
        if (!s->order.is_freeze)
            subject_of(s->c->orders, s->order.account_id)->thawed_ms = clock_unix_ms();
        rpc_reply(s->call, &m.base);
    } else {
        rpc_fail(s->call, flow_store_fault(s->c));
    }
    free(s->order.body.b);
    free(s->order.signature.b);
    free(s);
}

static bool check_body(const struct orders *orders, const Mpc__Session__V1__OrderBody *body,
                       struct rpc_status *status)
{
    const struct subject *subject = map_get(orders->subjects, body->account_id);

    if (body->serial > INT64_MAX)
        *status = rpc_error(RPC_INVALID, "invalid_field", "serial must be below 2^63");
    else if (subject && body->serial <= subject->serial)
        *status = rpc_error(RPC_STATE, "order_too_old",
                            "the order's serial must be above %llu, the last one's",
                            (unsigned long long)subject->serial);
    else
        return true;
    return false;
}

static void take(struct coordinator *c, struct rpc_call *call, const Mpc__Session__V1__Order *order,
                 const Mpc__Session__V1__OrderBody *body)
{
    struct submission *s = mem_new(1, sizeof *s);

    s->c = c;
    s->call = call;
    s->order.seq = ++c->orders->seq;
    s->order.serial = body->serial;
    s->order.is_freeze = strcmp(body->action, "freeze") == 0;
    snprintf(s->order.account_id, sizeof s->order.account_id, "%s", body->account_id);
    s->order.body = store_bytes_copy(order->body.data, order->body.len);
    s->order.signature = store_bytes_copy(order->signature.data, order->signature.len);
    note(c->orders, &s->order);
    log_event(LOG_WARN, "an order of the operator", LOG_S("action", body->action),
              LOG_S("account", body->account_id), LOG_S("reason", body->reason),
              LOG_S("trace", rpc_trace(call)));
    s->order.owner = s;
    db_submit(c->db, DB_DURABLE, store_order, stored, &s->order);
}

void submit_order(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct coordinator *c = service;
    const Mpc__Coordinator__V1__SubmitOrderRequest *in = (const void *)request;
    struct rpc_status status;
    Mpc__Session__V1__OrderBody *body;

    if (!c->orders->has_key) {
        rpc_fail(call, rpc_error(RPC_STATE, "no_operator_key",
                                 "no operator's key is configured (OPERATOR_KEY)"));
        return;
    }
    body = in->order ? order_verify(in->order, c->orders->key) : NULL;
    if (!body) {
        rpc_fail(call, rpc_error(RPC_DENIED, "order_not_signed",
                                 "order must be signed by the operator's key"));
        return;
    }
    if (check_body(c->orders, body, &status))
        take(c, call, in->order, body);
    else
        rpc_fail(call, status);
    mpc__session__v1__order_body__free_unpacked(body, NULL);
}

/* Listing. */

static void freezes_read(void *arg, enum db_result result)
{
    struct store_missed *missed = arg;
    Mpc__Coordinator__V1__ListFreezesResponse m = MPC__COORDINATOR__V1__LIST_FREEZES_RESPONSE__INIT;
    Mpc__Session__V1__Order *rows = mem_new(missed->orders_n + 1, sizeof *rows);

    m.orders = mem_new(missed->orders_n + 1, sizeof *m.orders);
    for (; m.n_orders < missed->orders_n; m.n_orders++) {
        const struct store_order *o = &missed->orders[m.n_orders];

        mpc__session__v1__order__init(&rows[m.n_orders]);
        rows[m.n_orders].body = (ProtobufCBinaryData){o->body.len, o->body.b};
        rows[m.n_orders].signature = (ProtobufCBinaryData){o->signature.len, o->signature.b};
        m.orders[m.n_orders] = &rows[m.n_orders];
    }
    if (m.n_orders == PAGE_MAX)
        m.cursor = missed->orders[m.n_orders - 1].seq;
    if (result == DB_OK)
        rpc_reply(missed->owner, &m.base);
    else
        rpc_fail(missed->owner, flow_database_fault());
    free(m.orders);
    free(rows);
    store_missed_free(missed);
}

void list_freezes(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Mpc__Coordinator__V1__ListFreezesRequest *in = (const void *)request;
    struct coordinator *c = service;
    struct store_missed *missed;

    if (in->after < 0) {
        rpc_fail(call, rpc_error(RPC_INVALID, "invalid_field", "after must be 0 or more"));
        return;
    }
    missed = mem_new(1, sizeof *missed);
    missed->owner = call;
    missed->want_orders = missed->is_freezes = true;
    missed->after_order = in->after;
    db_submit(c->db, DB_READ, store_missed, freezes_read, missed);
}
