/* SPDX-License-Identifier: Apache-2.0 */
/* Which wrapping keys the rows are under. Two facts say it: the current key's id, and while it is
 * changed the next one's. Each row says it of itself: its seal begins with four bytes of magic and
 * the id (system/vault/vault.h). */
#include "participant/store_state.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define CURRENT "master key"
#define NEXT "master key next"

struct taking {
    const struct store_keys *keys;
    enum store_keys_verdict verdict;
    size_t left;
};

static bool is_key(const struct store_fact *fact, const uint8_t *id)
{
    return store_fact_is(fact, id, STORE_KEY_ID);
}

static enum db_result count(struct db_tx *tx, const uint8_t id[STORE_KEY_ID], size_t *n)
{
    struct db_value v[] = {db_blob(id, STORE_KEY_ID)};

    return db_count(tx, "SELECT count(*) FROM shares WHERE substr(sealed, 5, 8) = $1", v, 1, n);
}

/* Rows under |fact|, a key that is given no longer, make |verdict|. */
static enum db_result left_under(struct db_tx *tx, struct taking *t, const struct store_fact *fact,
                                 enum store_keys_verdict verdict)
{
    enum db_result result = count(tx, fact->b, &t->left);

    if (t->left > 0)
        t->verdict = verdict;
    return result;
}

static enum db_result judge(struct db_tx *tx, struct taking *t, const struct store_fact *current,
                            const struct store_fact *next)
{
    const struct store_keys *keys = t->keys;

    if (!current->is_set)
        return DB_OK;
    if (is_key(current, keys->current))
        return next->is_set && !is_key(next, keys->next)
                   ? left_under(tx, t, next, STORE_KEYS_NEXT_LEFT)
                   : DB_OK;
    if (!is_key(next, keys->current))
        t->verdict = is_key(current, keys->next) ? STORE_KEYS_TURNED : STORE_KEYS_WRONG;
    else if (!is_key(current, keys->next)) /* else the two were exchanged, and go back */
        return left_under(tx, t, current, STORE_KEYS_OLD_LEFT);
    return DB_OK;
}

static enum db_result take_keys(struct db_tx *tx, void *arg)
{
    struct taking *t = arg;
    struct store_fact current, next;
    enum db_result result = store_read_fact(tx, &current, CURRENT);

    t->verdict = STORE_KEYS_TAKEN;
    t->left = 0;
    if (result == DB_OK)
        result = store_read_fact(tx, &next, NEXT);
    if (result == DB_OK)
        result = judge(tx, t, &current, &next);
    if (result == DB_OK && t->verdict != STORE_KEYS_TAKEN)
        return DB_REFUSED;
    if (result == DB_OK && !is_key(&current, t->keys->current))
        result = store_write_fact(tx, CURRENT, t->keys->current, STORE_KEY_ID);
    if (result == DB_OK && (next.is_set || t->keys->next))
        result = store_write_fact(tx, NEXT, t->keys->next, STORE_KEY_ID);
    return result;
}

enum store_keys_verdict store_take_keys(struct store *store, const struct store_keys *keys,
                                        size_t *left)
{
    struct taking t = {.keys = keys};
    enum db_result result = db_run(store->db, DB_DURABLE, take_keys, &t);

    *left = t.left;
    return result == DB_OK || result == DB_REFUSED ? t.verdict : STORE_KEYS_FAILED;
}

/* Rows */

struct counting {
    const uint8_t *id;
    size_t n;
};

static enum db_result count_under(struct db_tx *tx, void *arg)
{
    struct counting *c = arg;

    return count(tx, c->id, &c->n);
}

enum store_result store_count_under(struct store *store, const uint8_t id[STORE_KEY_ID], size_t *n)
{
    struct counting c = {.id = id};
    enum db_result result = db_run(store->db, DB_READ, count_under, &c);

    *n = c.n;
    return store_result_of(result);
}

enum store_result store_next_under(struct store *store, struct store_share *out,
                                   const uint8_t id[STORE_KEY_ID], const struct store_share *after)
{
    static const uint8_t first[32];
    const struct db_value v[] = {db_text(after ? after->account_id : ""),
                                 db_blob(after ? after->kgid : first, 32),
                                 db_blob(id, STORE_KEY_ID)};

    return store_find_share(store, out,
                            "SELECT " STORE_SHARE_COLUMNS " FROM shares WHERE (account_id, kgid) >"
                            " ($1, $2) AND substr(sealed, 5, 8) = $3 ORDER BY account_id, kgid"
                            " LIMIT 1",
                            v, COUNT(v));
}

struct sealing {
    const struct store_share *share;
    const uint8_t *sealed;
    size_t len;
};

static enum db_result put_seal(struct db_tx *tx, void *arg)
{
    const struct sealing *s = arg;
    struct db_value v[] = {db_text(s->share->account_id), db_blob(s->share->kgid, 32),
                           db_blob(s->sealed, s->len),
                           db_blob(s->share->sealed, s->share->sealed_len)};
    int64_t changed = 0;
    enum db_result result = db_exec(tx,
                                    "UPDATE shares SET sealed = $3 WHERE account_id = $1 AND kgid"
                                    " = $2 AND sealed = $4",
                                    v, COUNT(v), &changed);

    if (result != DB_OK)
        return result;
    return changed == 1 ? DB_OK : DB_REFUSED;
}

enum store_result store_put_seal(struct store *store, const struct store_share *share,
                                 const uint8_t *sealed, size_t len)
{
    struct sealing s = {share, sealed, len};

    return store_result_of(db_run(store->db, DB_DURABLE, put_seal, &s));
}
