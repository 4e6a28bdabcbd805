/* SPDX-License-Identifier: Apache-2.0 */
/* The frozen subjects in memory; their serials are compared in the store. Account ids are compared
 * as bytes of the UUID's lower-case text. */
#include "participant/orders.h"

#include "system/access/identity.h"
#include "system/core/buffer.h"
#include "system/core/ids.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct frozen {
    struct frozen *next;
    char subject[ID_TEXT_MAX];
};

struct orders {
    struct store *store;
    bool has_key;
    uint8_t key[32];
    pthread_mutex_t lock;
    struct frozen *first;
};

static struct frozen **find(struct orders *orders, const char *subject)
{
    struct frozen **at = &orders->first;

    while (*at && strcmp((*at)->subject, subject) != 0)
        at = &(*at)->next;
    return at;
}

static void apply(struct orders *orders, const char *subject, bool frozen)
{
    struct frozen **at, *entry;

    pthread_mutex_lock(&orders->lock);
    at = find(orders, subject);
    entry = *at;
    if (frozen && !entry) {
        entry = mem_new(1, sizeof *entry);
        strncpy(entry->subject, subject, sizeof entry->subject - 1);
        entry->next = orders->first;
        orders->first = entry;
    } else if (!frozen && entry) {
        *at = entry->next;
        free(entry);
    }
    pthread_mutex_unlock(&orders->lock);
}

static void apply_stored(void *arg, const char *subject, uint64_t serial, bool frozen)
{
    (void)serial;
    apply(arg, subject, frozen);
}

struct orders *orders_new(struct store *store, const uint8_t operator_key[32])
{
    struct orders *orders = mem_new(1, sizeof *orders);

    orders->store = store;
    orders->has_key = operator_key != NULL;
    if (operator_key)
        memcpy(orders->key, operator_key, 32);
    pthread_mutex_init(&orders->lock, NULL);
    store_each_order(store, apply_stored, orders);
    return orders;
}

void orders_free(struct orders *orders)
{
    if (!orders)
        return;
    while (orders->first) {
        struct frozen *entry = orders->first;

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
    bool frozen = strcmp(body->action, "freeze") == 0;

    if ((!frozen && strcmp(body->action, "unfreeze") != 0) || body->serial > INT64_MAX ||
        !subject_of(account_id, body->account_id))
        return ORDERS_INVALID;
    switch (store_put_order(orders->store, account_id, body->serial, frozen)) {
    case STORE_OK:
        apply(orders, account_id, frozen);
        return frozen ? ORDERS_FROZEN : ORDERS_THAWED;
    case STORE_NONE:
        return ORDERS_OLD;
    case STORE_FAILED:
        break;
    }
    return ORDERS_FAILED;
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
    bool frozen;

    if (!subject_of(subject, account_id))
        return true;
    pthread_mutex_lock(&orders->lock);
    frozen = *find(orders, "") || (subject[0] && *find(orders, subject));
    pthread_mutex_unlock(&orders->lock);
    return frozen;
}
