/* SPDX-License-Identifier: Apache-2.0 */
/* The last order about each subject, in memory as in the store. Account ids are compared as
 * bytes of the UUID's lower-case text. One thread takes and saves orders; any may ask.
 *
 * Of what the database says only the operator's signature counts. A row without one holds as a
 * freeze if it is one, until he ends it by a higher serial; it stands in the way of no order. */
#include "participant/orders.h"

#include "system/access/order.h"
#include "system/core/buffer.h"
#include "system/core/ids.h"
#include "system/core/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct entry *next;
    char subject[ID_TEXT_MAX];
    uint64_t serial;
    bool is_frozen, is_stored;
    /* a freeze that nobody can prove, of serial |held| */
    bool is_held;
    uint64_t held;
    /* as it was signed, while it is not stored */
    uint8_t *body, signature[64];
    size_t body_len;
};

struct orders {
    struct store *store;
    bool has_key;
    uint8_t key[32];
    pthread_mutex_t lock;
    struct entry *first;
};

static struct entry *find(const struct orders *orders, const char *subject)
{
    struct entry *entry = orders->first;

    while (entry && strcmp(entry->subject, subject) != 0)
        entry = entry->next;
    return entry;
}

/* The entry of |subject|, made if there is none. Under the lock. */
static struct entry *entry_of(struct orders *orders, const char *subject)
{
    struct entry *entry = find(orders, subject);

    if (!entry) {
        entry = mem_new(1, sizeof *entry);
        snprintf(entry->subject, sizeof entry->subject, "%s", subject);
        entry->is_stored = true;
        entry->next = orders->first;
        orders->first = entry;
    }
    return entry;
}

static void forget_signed(struct entry *entry)
{
    free(entry->body);
    entry->body = NULL;
}

/* An order that is the operator's. */
static void apply(struct orders *orders, const struct store_order *order, bool is_stored)
{
    struct entry *entry;

    pthread_mutex_lock(&orders->lock);
    entry = entry_of(orders, order->subject);
    entry->serial = order->serial;
    entry->is_frozen = order->is_frozen;
    entry->is_held = entry->is_held && entry->held >= order->serial;
    entry->is_stored = is_stored;
    forget_signed(entry);
    if (!is_stored) {
        entry->body = mem_copy(order->body, order->body_len);
        entry->body_len = order->body_len;
        memcpy(entry->signature, order->signature, sizeof entry->signature);
    }
    pthread_mutex_unlock(&orders->lock);
}

/* The subject in one form. */
static bool subject_of(char out[ID_TEXT_MAX], const char *account_id)
{
    uint8_t id[16];

    out[0] = '\0';
    if (!account_id[0])
        return true;
    if (!id_parse(id, account_id))
        return false;
    id_text(out, id);
    return true;
}

/* At the start */

enum orders_worth orders_judge(struct store_order *out, char subject[ID_TEXT_MAX],
                               const struct store_order *order, const uint8_t *operator_key)
{
    Mpc__Session__V1__Order proof = MPC__SESSION__V1__ORDER__INIT;
    Mpc__Session__V1__OrderBody *body = NULL;
    bool is_subject;

    proof.body = (ProtobufCBinaryData){order->body_len, (uint8_t *)order->body};
    proof.signature = (ProtobufCBinaryData){64, (uint8_t *)order->signature};
    if (!order->is_own && order->signature && operator_key)
        body = order_verify(&proof, operator_key);
    is_subject = subject_of(subject, body ? body->account_id : order->subject);
    *out = *order;
    out->subject = subject;
    if (body) {
        out->serial = body->serial;
        out->is_frozen = strcmp(body->action, "freeze") == 0;
        mpc__session__v1__order_body__free_unpacked(body, NULL);
        return is_subject ? ORDERS_SIGNED : ORDERS_NOTHING;
    }
    out->body = out->signature = NULL;
    out->body_len = 0;
    if (!is_subject || (!order->is_own && !order->is_frozen))
        return ORDERS_NOTHING;
    return order->is_own ? ORDERS_OWN : ORDERS_HELD;
}

static void hold(struct orders *orders, const struct store_order *order)
{
    struct entry *entry;

    pthread_mutex_lock(&orders->lock);
    entry = entry_of(orders, order->subject);
    entry->held = order->serial;
    entry->is_held = order->serial > entry->serial;
    pthread_mutex_unlock(&orders->lock);
    if (entry->is_held)
        log_event(LOG_WARN,
                  "a freeze in the database is not signed with OPERATOR_KEY: it holds until the"
                  " operator ends it",
                  LOG_S("account", order->subject), LOG_I("serial", (int64_t)order->serial));
}

static void apply_higher(struct orders *orders, const struct store_order *order)
{
    const struct entry *known = find(orders, order->subject);

    if (!known || order->serial > known->serial)
        apply(orders, order, true);
}

static void apply_stored(void *arg, const struct store_order *row)
{
    struct orders *orders = arg;
    struct store_order order;
    char subject[ID_TEXT_MAX];

    switch (orders_judge(&order, subject, row, orders->has_key ? orders->key : NULL)) {
    case ORDERS_NOTHING:
        break;
    case ORDERS_HELD:
        hold(orders, &order);
        break;
    case ORDERS_SIGNED:
    case ORDERS_OWN:
        apply_higher(orders, &order);
        break;
    }
}

struct orders *orders_new(struct store *store, const uint8_t operator_key[32])
{
    struct orders *orders = mem_new(1, sizeof *orders);

    orders->store = store;
    orders->has_key = operator_key != NULL;
    if (operator_key)
        memcpy(orders->key, operator_key, 32);
    pthread_mutex_init(&orders->lock, NULL);
    if (store_each_order(store, apply_stored, orders))
        return orders;
    orders_free(orders);
    return NULL;
}

void orders_free(struct orders *orders)
{
    if (!orders)
        return;
    while (orders->first) {
        struct entry *entry = orders->first;

        orders->first = entry->next;
        forget_signed(entry);
        free(entry);
    }
    pthread_mutex_destroy(&orders->lock);
    free(orders);
}

static bool is_old(const struct orders *orders, const struct store_order *order)
{
    const struct entry *known = find(orders, order->subject);

    return known && (known->serial >= order->serial ||
                     (!order->is_frozen && known->is_held && known->held >= order->serial));
}

static enum orders_answer obey(struct orders *orders, const Mpc__Session__V1__OrderBody *body,
                               const Mpc__Session__V1__Order *proof, char account_id[37])
{
    struct store_order order = {.subject = account_id,
                                .serial = body->serial,
                                .is_frozen = strcmp(body->action, "freeze") == 0,
                                .body = proof->body.data,
                                .body_len = proof->body.len,
                                .signature = proof->signature.data};

    if ((!order.is_frozen && strcmp(body->action, "unfreeze") != 0) || body->serial > INT64_MAX ||
        !subject_of(account_id, body->account_id))
        return ORDERS_INVALID;
    if (is_old(orders, &order))
        return ORDERS_OLD;
    if (!order.is_frozen && store_put_order(orders->store, &order) == STORE_FAILED)
        return ORDERS_FAILED;
    apply(orders, &order, !order.is_frozen);
    return order.is_frozen ? ORDERS_FROZEN : ORDERS_THAWED;
}

static bool save(struct orders *orders, const struct entry *entry)
{
    const struct store_order order = {.subject = entry->subject,
                                      .serial = entry->serial,
                                      .is_frozen = entry->is_frozen,
                                      .body = entry->body,
                                      .body_len = entry->body_len,
                                      .signature = entry->signature};

    return store_put_order(orders->store, &order) != STORE_FAILED;
}

/* STORE_NONE: the database has a row of a higher serial, whosever it is; the directory has this
 * order. */
bool orders_save(struct orders *orders)
{
    bool all = true;

    for (struct entry *entry = orders->first; entry; entry = entry->next) {
        if (!entry->is_stored)
            entry->is_stored = save(orders, entry);
        if (entry->is_stored)
            forget_signed(entry);
        all = all && entry->is_stored;
    }
    return all;
}

enum orders_answer orders_take(struct orders *orders, const Mpc__Session__V1__Order *order,
                               char account_id[37])
{
    Mpc__Session__V1__OrderBody *body = orders->has_key ? order_verify(order, orders->key) : NULL;
    enum orders_answer answer = ORDERS_INVALID;

    account_id[0] = '\0';
    if (body) {
        answer = obey(orders, body, order, account_id);
        mpc__session__v1__order_body__free_unpacked(body, NULL);
    }
    return answer;
}

static bool holds(const struct entry *entry)
{
    return entry && (entry->is_frozen || entry->is_held);
}

bool orders_is_frozen(struct orders *orders, const char *account_id)
{
    char subject[ID_TEXT_MAX];
    const struct entry *all, *one;
    bool frozen;

    if (!subject_of(subject, account_id))
        return true;
    pthread_mutex_lock(&orders->lock);
    all = find(orders, "");
    one = find(orders, subject);
    frozen = holds(all) || holds(one);
    pthread_mutex_unlock(&orders->lock);
    return frozen;
}
