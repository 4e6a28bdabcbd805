/* SPDX-License-Identifier: Apache-2.0 */
/* The last order about each subject, in memory as in the store, and the newest one that the store
 * does not have. Account ids are compared as bytes of the UUID's lower-case text. Entries stay as
 * long as the table, which grows at its head.
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

/* An order that is to be stored, as it was signed; |body| NULL: none. */
struct owed {
    uint64_t serial;
    /* a freeze counts already, its end does not yet */
    bool is_frozen, has_failed;
    uint8_t *body, signature[64];
    size_t body_len;
};

struct entry {
    struct entry *next;
    char subject[ID_TEXT_MAX];
    uint64_t serial;
    bool is_frozen;
    /* a freeze that nobody can prove, of serial |held| */
    bool is_held;
    uint64_t held;
    struct owed owed;
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
        entry->next = orders->first;
        orders->first = entry;
    }
    return entry;
}

/* An order that is the operator's. Under the lock. */
static void count_it(struct entry *entry, uint64_t serial, bool is_frozen)
{
    entry->serial = serial;
    entry->is_frozen = is_frozen;
    entry->is_held = entry->is_held && entry->held >= serial;
}

static void owed_free(struct owed *owed)
{
    free(owed->body);
    *owed = (struct owed){0};
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
    bool is_held;

    pthread_mutex_lock(&orders->lock);
    entry = entry_of(orders, order->subject);
    entry->held = order->serial;
    entry->is_held = is_held = order->serial > entry->serial;
    pthread_mutex_unlock(&orders->lock);
    if (is_held)
        log_event(LOG_WARN,
                  "a freeze in the database is not signed with OPERATOR_KEY: it holds until the"
                  " operator ends it",
                  LOG_S("account", order->subject), LOG_I("serial", (int64_t)order->serial));
}

static void count_higher(struct orders *orders, const struct store_order *order)
{
    struct entry *entry;

    pthread_mutex_lock(&orders->lock);
    entry = entry_of(orders, order->subject);
    if (order->serial > entry->serial)
        count_it(entry, order->serial, order->is_frozen);
    pthread_mutex_unlock(&orders->lock);
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
        count_higher(orders, &order);
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
        owed_free(&entry->owed);
        free(entry);
    }
    pthread_mutex_destroy(&orders->lock);
    free(orders);
}

/* Taking; never waits for the database */

/* Under the lock. */
static bool is_old(const struct orders *orders, const struct store_order *order)
{
    const struct entry *known = find(orders, order->subject);

    return known && (known->serial >= order->serial || known->owed.serial >= order->serial ||
                     (!order->is_frozen && known->is_held && known->held >= order->serial));
}

/* Instead of an older one: whatever that said, it counts no more once this one is stored. Under the
 * lock. */
static void owe(struct entry *entry, const struct store_order *order)
{
    owed_free(&entry->owed);
    entry->owed = (struct owed){.serial = order->serial,
                                .is_frozen = order->is_frozen,
                                .body = mem_copy(order->body, order->body_len),
                                .body_len = order->body_len};
    memcpy(entry->owed.signature, order->signature, sizeof entry->owed.signature);
    if (order->is_frozen)
        count_it(entry, order->serial, true);
}

/* A freeze holds already, and is written down before anything else is waited for. If the disk does
 * not take it, orders_save tries it again. */
static enum orders_answer take(struct orders *orders, const struct store_order *order)
{
    bool old;

    pthread_mutex_lock(&orders->lock);
    old = is_old(orders, order);
    if (!old)
        owe(entry_of(orders, order->subject), order);
    pthread_mutex_unlock(&orders->lock);
    if (old)
        return ORDERS_OLD;
    if (!order->is_frozen)
        return ORDERS_ENDING;
    (void)store_put_own_order(orders->store, order);
    return ORDERS_FROZEN;
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
    return take(orders, &order);
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

/* Saving */

static bool store(struct orders *orders, const struct entry *entry, const struct owed *owed)
{
    const struct store_order order = {.subject = entry->subject,
                                      .serial = owed->serial,
                                      .is_frozen = owed->is_frozen,
                                      .body = owed->body,
                                      .body_len = owed->body_len,
                                      .signature = owed->signature};

    return store_put_order(orders->store, &order) != STORE_FAILED;
}

/* A copy; one without a body if nothing is owed. */
static struct owed copy_owed(struct orders *orders, const struct entry *entry)
{
    struct owed copy;

    pthread_mutex_lock(&orders->lock);
    copy = entry->owed;
    if (copy.body)
        copy.body = mem_copy(copy.body, copy.body_len);
    pthread_mutex_unlock(&orders->lock);
    return copy;
}

/* |owed| was stored, or could not be. True: who waits for the end of a freeze is to hear of it. */
static bool settle(struct orders *orders, struct entry *entry, const struct owed *owed,
                   bool is_stored)
{
    bool is_news = false;

    pthread_mutex_lock(&orders->lock);
    if (entry->owed.serial == owed->serial) {
        is_news = !owed->is_frozen && (is_stored || !owed->has_failed);
        if (is_stored)
            count_it(entry, owed->serial, owed->is_frozen);
        if (is_stored)
            owed_free(&entry->owed);
        else
            entry->owed.has_failed = true;
    }
    pthread_mutex_unlock(&orders->lock);
    return is_news;
}

/* STORE_NONE: the database has a row of a higher serial, whosever it is; the directory has this
 * order. */
bool orders_save(struct orders *orders,
                 void (*ended)(void *arg, const char *subject, bool is_stored), void *arg)
{
    struct entry *entry;
    bool all = true;

    pthread_mutex_lock(&orders->lock);
    entry = orders->first;
    pthread_mutex_unlock(&orders->lock);
    for (; entry; entry = entry->next) {
        struct owed owed = copy_owed(orders, entry);
        bool is_stored;

        if (!owed.body)
            continue;
        is_stored = store(orders, entry, &owed);
        if (settle(orders, entry, &owed, is_stored) && ended)
            ended(arg, entry->subject, is_stored);
        owed_free(&owed);
        all = all && is_stored;
    }
    return all;
}

static bool holds(const struct entry *entry)
{
    return entry && (entry->is_frozen || entry->is_held);
}

/* What holds |entry| ends as soon as it is stored. */
static bool is_ending(const struct entry *entry)
{
    return entry->owed.body && !entry->owed.is_frozen && !entry->owed.has_failed;
}

bool orders_is_frozen(struct orders *orders, const char *account_id, bool *ends)
{
    char subject[ID_TEXT_MAX];
    const struct entry *all, *one;
    bool frozen;

    *ends = false;
    if (!subject_of(subject, account_id))
        return true;
    pthread_mutex_lock(&orders->lock);
    all = find(orders, "");
    one = find(orders, subject);
    frozen = holds(all) || holds(one);
    *ends = frozen && (!holds(all) || is_ending(all)) && (!holds(one) || is_ending(one));
    pthread_mutex_unlock(&orders->lock);
    return frozen;
}

void orders_each_frozen(struct orders *orders, void (*each)(void *arg, const char *subject),
                        void *arg)
{
    pthread_mutex_lock(&orders->lock);
    for (const struct entry *entry = orders->first; entry; entry = entry->next) {
        if (holds(entry))
            each(arg, entry->subject);
    }
    pthread_mutex_unlock(&orders->lock);
}
