/* SPDX-License-Identifier: Apache-2.0 */
/* Orders of store.h: in the ledger, which this party alone writes, and with their signatures in
 * the database, which goes into backups. A freeze is in the ledger first and an end of one last. */
#include "participant/store_backups.h"
#include "participant/store_state.h"

#include "system/core/ids.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static enum db_result put_order(struct db_tx *tx, void *arg)
{
    const struct store_order *o = arg;
    struct db_value v[] = {db_text(o->subject), db_int((int64_t)o->serial), db_int(o->is_frozen),
                           db_blob(o->body, o->body_len), db_blob(o->signature, 64)};
    int64_t changed = 0;
    enum db_result result =
        db_exec(tx,
                "INSERT INTO orders (subject, serial, frozen, body, signature)"
                " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (subject) DO UPDATE SET serial = $2,"
                " frozen = $3, body = $4, signature = $5 WHERE orders.serial < $2",
                v, COUNT(v), &changed);

    if (result != DB_OK)
        return result;
    return changed ? DB_OK : DB_REFUSED;
}

static bool write_down(struct store *store, const struct store_order *order)
{
    struct ledger_fact fact = {.kind = LEDGER_ORDER,
                               .order = {.serial = order->serial, .is_frozen = order->is_frozen}};

    return (!order->subject[0] || id_parse(fact.order.account, order->subject)) &&
           ledger_put(store->ledger, &fact, 1);
}

enum store_result store_put_order(struct store *store, const struct store_order *order)
{
    enum store_result result;

    if (order->is_frozen && !write_down(store, order))
        return STORE_FAILED;
    result = store_result_of(db_run(store->db, DB_DURABLE, put_order, (void *)order));
    store_changed(store);
    if (result != STORE_FAILED && !order->is_frozen && !write_down(store, order))
        return STORE_FAILED;
    return result;
}

enum store_result store_put_own_order(struct store *store, const struct store_order *order)
{
    bool ok = write_down(store, order);

    store_changed(store);
    return ok ? STORE_OK : STORE_FAILED;
}

enum store_result store_put_held_order(struct store *store, const struct store_order *order)
{
    enum store_result result =
        store_result_of(db_run(store->db, DB_DURABLE, put_order, (void *)order));

    store_changed(store);
    return result;
}

struct reader {
    void (*each)(void *arg, const struct store_order *order);
    void *arg;
};

static void read_own(void *arg, const struct ledger_fact *fact)
{
    struct reader *r = arg;
    static const uint8_t system_wide[16];
    char subject[ID_TEXT_MAX] = "";
    struct store_order order = {.subject = subject,
                                .serial = fact->order.serial,
                                .is_frozen = fact->order.is_frozen,
                                .is_own = true};

    if (fact->kind != LEDGER_ORDER)
        return;
    if (memcmp(fact->order.account, system_wide, sizeof system_wide) != 0)
        id_text(subject, fact->order.account);
    r->each(r->arg, &order);
}

static bool read_row(const struct db_row *row, void *arg)
{
    struct reader *r = arg;
    size_t signature_len = 0;
    struct store_order order = {.subject = db_get_text(row, 0),
                                .serial = (uint64_t)db_get_int(row, 1),
                                .is_frozen = db_get_int(row, 2) != 0};

    order.body = db_get_blob(row, 3, &order.body_len);
    order.signature = db_get_blob(row, 4, &signature_len);
    if (signature_len != 64)
        order.signature = NULL;
    r->each(r->arg, &order);
    return true;
}

static enum db_result read_rows(struct db_tx *tx, void *arg)
{
    return db_query(tx, "SELECT subject, serial, frozen, body, signature FROM orders", NULL, 0,
                    read_row, arg);
}

bool store_each_order(struct store *store, void (*each)(void *arg, const struct store_order *order),
                      void *arg)
{
    struct reader r = {each, arg};

    return ledger_each(store->ledger, read_own, &r) &&
           db_run(store->db, DB_READ, read_rows, &r) == DB_OK;
}
