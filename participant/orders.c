/* SPDX-License-Identifier: Apache-2.0 */
/* The last order about each subject, in memory as in the store. Account ids are compared as
 * bytes of the UUID's lower-case text. One thread takes and saves orders; any may ask. */
#include "participant/orders.h"

#include "system/access/order.h"
#include "system/core/buffer.h"
#include "system/core/ids.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct entry *next;
    char subject[ID_TEXT_MAX];
    uint64_t serial;
    bool is_frozen, is_stored;
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

static void apply(struct orders *orders, const struct entry *order)
{
    struct entry *entry;

    pthread_mutex_lock(&orders->lock);
    entry = find(orders, order->subject);
    if (!entry) {
        entry = mem_new(1, sizeof *entry);
        memcpy(entry->subject, order->subject, sizeof entry->subject);
        entry->next = orders->first;
        orders->first = entry;
    }
    entry->serial = order->serial;
    entry->is_frozen = order->is_frozen;
    entry->is_stored = order->is_stored;
    pthread_mutex_unlock(&orders->lock);
}

static void apply_stored(void *arg, const char *subject, uint64_t serial, bool frozen)
{
    struct entry order = {.serial = serial, .is_frozen = frozen, .is_stored = true};

    snprintf(order.subject, sizeof order.subject, "%s", subject);
    apply(arg, &order);
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
        free(entry);
    }
    pthread_mutex_destroy(&orders->lock);
    free(orders);
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

static enum orders_answer obey(struct orders *orders, const Mpc__Session__V1__OrderBody *body,
                               char account_id[37])
{
    struct entry order = {.is_frozen = strcmp(body->action, "freeze") == 0};
    const struct entry *known;

    if ((!order.is_frozen && strcmp(body->action, "unfreeze") != 0) || body->serial > INT64_MAX ||
        !subject_of(account_id, body->account_id))
        return ORDERS_INVALID;
    strcpy(order.subject, account_id);
    order.serial = body->serial;
    known = find(orders, account_id);
    if (known && known->serial >= body->serial)
        return ORDERS_OLD;
    if (!order.is_frozen &&
        store_put_order(orders->store, account_id, body->serial, false) == STORE_FAILED)
        return ORDERS_FAILED;
    order.is_stored = !order.is_frozen;
    apply(orders, &order);
    return order.is_frozen ? ORDERS_FROZEN : ORDERS_THAWED;
}

/* STORE_NONE: the store has a later one, which was read from it or stored by this process. */
bool orders_save(struct orders *orders)
{
    bool all = true;

    for (struct entry *entry = orders->first; entry; entry = entry->next) {
        if (!entry->is_stored)
            entry->is_stored = store_put_order(orders->store, entry->subject, entry->serial,
                                               entry->is_frozen) != STORE_FAILED;
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
        answer = obey(orders, body, account_id);
        mpc__session__v1__order_body__free_unpacked(body, NULL);
    }
    return answer;
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
    frozen = (all && all->is_frozen) || (one && one->is_frozen);
    pthread_mutex_unlock(&orders->lock);
    return frozen;
}
