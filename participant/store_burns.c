/* SPDX-License-Identifier: Apache-2.0 */
/* Burns of store.h: in the database, or in the reserve as long as the database does not take them.
 */
#include "participant/store_state.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

struct burning {
    const struct store_share *share;
    const struct store_burn *burn;
    bool found;
};

static enum db_result put_tombstone(struct db_tx *tx, const struct store_burn *b)
{
    struct db_value v[] = {db_blob(b->kgid, 32), db_int(b->epoch), db_int(b->own), db_int(b->peer)};

    return db_exec(tx,
                   "INSERT INTO tombstones (kgid, epoch, own, peer) VALUES ($1, $2, $3, $4)"
                   " ON CONFLICT DO NOTHING",
                   v, COUNT(v), NULL);
}

static enum db_result put_burn(struct db_tx *tx, void *arg)
{
    struct burning *b = arg;
    const struct store_share *s = b->share;
    int64_t changed = 1;
    enum db_result result = b->burn ? put_tombstone(tx, b->burn) : DB_OK;

    if (result == DB_OK && s) {
        struct db_value v[] = {db_text(s->account_id), db_blob(s->kgid, 32),
                               db_blob(s->sealed, s->sealed_len)};

        result = db_exec(tx, "UPDATE shares SET sealed = $3 WHERE account_id = $1 AND kgid = $2", v,
                         COUNT(v), &changed);
    }
    if (result != DB_OK)
        return result;
    return changed == 1 ? DB_OK : DB_REFUSED;
}

enum store_result store_put_burn(struct store *store, const struct store_share *share,
                                 const struct store_burn *burn)
{
    struct burning b = {share, burn, false};
    enum store_result result = store_result_of(db_run(store->db, DB_DURABLE, put_burn, &b));

    if (result == STORE_OK && burn)
        reserve_drop(store->reserve, burn);
    return result;
}

bool store_reserve_burn(struct store *store, const struct store_burn *burn)
{
    return reserve_put(store->reserve, burn);
}

void store_move_burns(struct store *store)
{
    struct store_burn burns[RESERVE_BURNS];
    size_t n = reserve_list(store->reserve, burns, RESERVE_BURNS);

    for (size_t i = 0; i < n; i++)
        (void)store_put_burn(store, NULL, &burns[i]);
}

static bool note_found(const struct db_row *row, void *arg)
{
    bool *found = arg;

    (void)row;
    *found = true;
    return false;
}

static enum db_result find_burn(struct db_tx *tx, void *arg)
{
    struct burning *b = arg;
    struct db_value v[] = {db_blob(b->burn->kgid, 32), db_int(b->burn->epoch), db_int(b->burn->own),
                           db_int(b->burn->peer)};

    return db_query(tx,
                    "SELECT 1 FROM tombstones WHERE kgid = $1 AND epoch = $2 AND own = $3 AND peer"
                    " = $4",
                    v, COUNT(v), note_found, &b->found);
}

enum store_result store_is_burned(struct store *store, const struct store_burn *burn)
{
    struct burning b = {NULL, burn, false};

    if (reserve_has(store->reserve, burn))
        return STORE_OK;
    if (db_run(store->db, DB_READ, find_burn, &b) != DB_OK)
        return STORE_FAILED;
    return b.found ? STORE_OK : STORE_NONE;
}
