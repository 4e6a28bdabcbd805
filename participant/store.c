/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL of store.h. Each operation is one work on the database's thread; its arguments and
 * results travel in a struct on the caller's stack, who waits. */
#include "participant/store_state.h"

#include "system/core/buffer.h"
#include "system/core/log.h"
#include "system/db/configured.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DAY_MS 86400000LL
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const char *const migrations[] = {
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL);"
    "CREATE TABLE shares (account_id TEXT NOT NULL, kgid BLOB NOT NULL, key_id BLOB NOT NULL,"
    " epoch INTEGER NOT NULL, own INTEGER NOT NULL, purpose INTEGER NOT NULL, caller_key BLOB,"
    " status INTEGER NOT NULL, session_id TEXT NOT NULL, attempt INTEGER NOT NULL,"
    " deadline_ms INTEGER NOT NULL, roster TEXT NOT NULL, sealed BLOB NOT NULL,"
    " PRIMARY KEY (account_id, kgid));"
    "CREATE INDEX shares_session ON shares (session_id, attempt);"
    "CREATE TABLE tombstones (kgid BLOB NOT NULL, epoch INTEGER NOT NULL, own INTEGER NOT NULL,"
    " peer INTEGER NOT NULL, PRIMARY KEY (kgid, epoch, own, peer));"
    "CREATE TABLE orders (subject TEXT PRIMARY KEY, serial INTEGER NOT NULL,"
    " frozen INTEGER NOT NULL);"
    "CREATE TABLE given (session_id TEXT PRIMARY KEY, public_key BLOB NOT NULL,"
    " expires_ms INTEGER NOT NULL, sealed BLOB NOT NULL);",
    "ALTER TABLE shares ADD COLUMN intent_hash BLOB;",
    "CREATE TABLE loans (session BLOB PRIMARY KEY);",
    "ALTER TABLE orders ADD COLUMN body BLOB;"
    "ALTER TABLE orders ADD COLUMN signature BLOB;",
    "CREATE TABLE unbacked (account_id TEXT NOT NULL, kgid BLOB NOT NULL, made INTEGER NOT NULL,"
    " PRIMARY KEY (account_id, kgid));",
    "CREATE INDEX shares_pending ON shares (deadline_ms) WHERE status = 0;",
    "ALTER TABLE unbacked ADD COLUMN digest BLOB;"
    "UPDATE unbacked SET made = 0;",
    NULL};

enum store_result store_result_of(enum db_result result)
{
    if (result == DB_OK)
        return STORE_OK;
    return result == DB_REFUSED ? STORE_NONE : STORE_FAILED;
}

/* Opening */

/* A keeper cannot go on without it, and has no loop where somebody could decide otherwise. */
static void db_lost(void *arg, const char *error)
{
    (void)arg;
    log_line(LOG_ERROR, error);
    _exit(1);
}

static const struct db_params params = {
    .migrations = migrations, .is_alone = true, .erases = true, .lost = db_lost};

static enum db_result count(struct db_tx *tx, void *arg)
{
    return db_count(tx, "SELECT count(*) FROM shares WHERE status = 1", NULL, 0, arg);
}

static bool count_shares(struct store *store)
{
    size_t n = 0;
    bool ok = db_run(store->db, DB_READ, count, &n) == DB_OK;

    atomic_store(&store->shares_n, n);
    return ok;
}

static struct store *store_with(struct db *db, const char *directory, char error[STORE_ERROR_MAX])
{
    struct store *store;

    if (!db)
        return NULL;
    store = mem_new(1, sizeof *store);
    store->db = db;
    store->reserve = reserve_open(directory, error);
    if (store->reserve)
        store->ledger = ledger_open(directory, error);
    if (store->ledger) {
        store_move_burns(store);
        if (store_settle_ledger(store) && count_shares(store))
            return store;
        snprintf(error, STORE_ERROR_MAX,
                 "the burned pairs cannot be read: restore the database and %.120s/ledger",
                 directory);
    }
    store_close(store);
    return NULL;
}

struct store *store_open(const char *directory, char error[STORE_ERROR_MAX])
{
    struct db_params here = params;
    struct buffer url = {0};
    struct db *db;

    buffer_printf(&url, "sqlite:%s/party.db", directory);
    here.url = (const char *)url.b;
    db = db_open(NULL, &here, error);
    buffer_free(&url);
    return store_with(db, directory, error);
}

struct store *store_open_configured(const struct config *config, int helper,
                                    char error[STORE_ERROR_MAX])
{
    const struct db_names names = {.file = "party", .remote = helper};

    return store_with(db_configured_open(NULL, config, &names, &params, error),
                      config_text(config, "DATA_DIR"), error);
}

void store_close(struct store *store)
{
    if (!store)
        return;
    db_close(store->db);
    reserve_close(store->reserve);
    ledger_close(store->ledger);
    free(store);
}

bool store_is_up(const struct store *store)
{
    return db_is_up(store->db) || db_is_full(store->db);
}

void store_error(const struct store *store, char out[STORE_ERROR_MAX])
{
    db_error(store->db, out);
}

/* Shares */

void store_share_free(struct store_share *share)
{
    free(share->roster);
    free(share->sealed);
    share->roster = NULL;
    share->sealed = NULL;
}

void store_sealed_free(struct store_sealed *sealed)
{
    free(sealed->sealed);
    sealed->sealed = NULL;
}

static enum db_result insert_share(struct db_tx *tx, const struct store_share *s)
{
    struct db_value v[] = {
        db_text(s->account_id),
        db_blob(s->kgid, 32),
        db_blob(s->key_id, 32),
        db_int(s->epoch),
        db_int(s->own),
        db_int(s->purpose),
        s->has_caller ? db_blob(s->caller_key, 32) : (struct db_value){.type = DB_NULL},
        db_int(s->status),
        db_text(s->session_id),
        db_int(s->attempt),
        db_int(s->deadline_ms),
        db_text(s->roster),
        db_blob(s->sealed, s->sealed_len),
        db_blob(s->intent_hash, 32),
    };

    return db_exec(tx,
                   "INSERT INTO shares (account_id, kgid, key_id, epoch, own, purpose, caller_key,"
                   " status, session_id, attempt, deadline_ms, roster, sealed,"
                   " intent_hash)"
                   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
                   v, COUNT(v), NULL);
}

static enum db_result put_pending(struct db_tx *tx, void *arg)
{
    return insert_share(tx, arg);
}

enum store_result store_put_pending(struct store *store, const struct store_share *share)
{
    return store_result_of(db_run(store->db, DB_DURABLE, put_pending, (void *)share));
}

struct activation {
    const struct store_share *share;
    const struct store_sealed *given;
};

static enum db_result put_given(struct db_tx *tx, const struct store_sealed *g)
{
    struct db_value v[] = {db_text(g->session_id), db_blob(g->public_key, 33),
                           db_int(g->expires_ms), db_blob(g->sealed, g->sealed_len)};

    return db_exec(tx,
                   "INSERT INTO given (session_id, public_key, expires_ms, sealed)"
                   " VALUES ($1, $2, $3, $4) ON CONFLICT (session_id) DO UPDATE SET"
                   " public_key = $2, expires_ms = $3, sealed = $4",
                   v, COUNT(v), NULL);
}

static enum db_result activate(struct db_tx *tx, void *arg)
{
    struct activation *a = arg;
    const struct store_share *s = a->share;
    struct db_value v[] = {db_text(s->account_id), db_blob(s->kgid, 32),
                           db_blob(s->sealed, s->sealed_len)};
    int64_t changed = 0;
    enum db_result result = db_exec(tx,
                                    "UPDATE shares SET status = 1, sealed = $3 WHERE account_id ="
                                    " $1 AND kgid = $2 AND status = 0",
                                    v, COUNT(v), &changed);

    if (result != DB_OK)
        return result;
    if (changed != 1)
        return DB_REFUSED;
    return a->given ? put_given(tx, a->given) : store_add_unbacked(tx, s);
}

enum store_result store_activate(struct store *store, const struct store_share *share,
                                 const struct store_sealed *given)
{
    struct activation a = {share, given};
    enum store_result result = store_result_of(db_run(store->db, DB_DURABLE, activate, &a));

    if (result == STORE_OK)
        atomic_fetch_add(&store->shares_n, 1);
    store_changed(store);
    return result;
}

/* Finding them */

void store_read_share(struct store_share *out, const struct db_row *row)
{
    db_copy_text(out->account_id, sizeof out->account_id, row, 0);
    db_copy_text(out->session_id, sizeof out->session_id, row, 1);
    out->attempt = (uint32_t)db_get_int(row, 2);
    out->status = db_get_int(row, 3) ? STORE_ACTIVE : STORE_PENDING;
    (void)db_copy_blob(out->kgid, 32, row, 4);
    (void)db_copy_blob(out->key_id, 32, row, 5);
    out->epoch = (uint32_t)db_get_int(row, 6);
    out->own = (uint16_t)db_get_int(row, 7);
    out->purpose = (uint8_t)db_get_int(row, 8);
    out->has_caller = !db_is_null(row, 9);
    (void)db_copy_blob(out->caller_key, 32, row, 9);
    out->deadline_ms = db_get_int(row, 10);
    out->roster = text_copy(db_get_text(row, 11));
    out->sealed = db_take_blob(&out->sealed_len, row, 12);
    (void)db_copy_blob(out->intent_hash, 32, row, 13);
}

struct finding {
    const char *sql;
    const struct db_value *values;
    size_t values_n;
    struct store_share *out;
    bool found;
};

static bool take_share(const struct db_row *row, void *arg)
{
    struct finding *f = arg;

    store_read_share(f->out, row);
    f->found = true;
    return false;
}

static enum db_result find(struct db_tx *tx, void *arg)
{
    struct finding *f = arg;

    return db_query(tx, f->sql, f->values, f->values_n, take_share, f);
}

enum store_result store_find_share(struct store *store, struct store_share *out, const char *sql,
                                   const struct db_value *values, size_t n)
{
    struct finding f = {.sql = sql, .values = values, .values_n = n, .out = out};

    *out = (struct store_share){0};
    if (db_run(store->db, DB_READ, find, &f) != DB_OK)
        return STORE_FAILED;
    return f.found ? STORE_OK : STORE_NONE;
}

enum store_result store_get_key(struct store *store, struct store_share *out,
                                const char *account_id, const uint8_t key_id[32])
{
    const struct db_value v[] = {db_text(account_id), db_blob(key_id, 32)};

    return store_find_share(store, out,
                            "SELECT " STORE_SHARE_COLUMNS
                            " FROM shares WHERE account_id = $1 AND key_id = $2"
                            " AND status = 1 ORDER BY epoch DESC LIMIT 1",
                            v, COUNT(v));
}

enum store_result store_get_made(struct store *store, struct store_share *out,
                                 const char *session_id, uint32_t attempt)
{
    const struct db_value v[] = {db_text(session_id), db_int(attempt)};

    return store_find_share(store, out,
                            "SELECT " STORE_SHARE_COLUMNS
                            " FROM shares WHERE session_id = $1 AND attempt = $2"
                            " ORDER BY status DESC LIMIT 1",
                            v, COUNT(v));
}

struct looking {
    const char *account_id, *session_id;
    bool found;
};

static enum db_result find_other(struct db_tx *tx, void *arg)
{
    struct looking *l = arg;
    struct db_value v[] = {db_text(l->account_id), db_text(l->session_id)};

    return db_exists(tx,
                     "SELECT 1 FROM shares WHERE account_id = $1 AND session_id <> $2 AND status ="
                     " 1 LIMIT 1",
                     v, COUNT(v), &l->found);
}

enum store_result store_has_account(struct store *store, const char *account_id,
                                    const char *but_session_id)
{
    struct looking l = {account_id, but_session_id, false};

    if (db_run(store->db, DB_READ, find_other, &l) != DB_OK)
        return STORE_FAILED;
    return l.found ? STORE_OK : STORE_NONE;
}

/* What was given to its owner */

struct giving {
    const char *session_id;
    int64_t now_ms;
    struct store_sealed *out;
    bool found;
    int64_t erased;
};

static bool take_sealed(const struct db_row *row, void *arg)
{
    struct giving *g = arg;

    db_copy_text(g->out->session_id, sizeof g->out->session_id, row, 0);
    (void)db_copy_blob(g->out->public_key, 33, row, 1);
    g->out->expires_ms = db_get_int(row, 2);
    g->out->sealed = db_take_blob(&g->out->sealed_len, row, 3);
    g->found = true;
    return false;
}

static enum db_result find_sealed(struct db_tx *tx, void *arg)
{
    struct giving *g = arg;
    struct db_value v[] = {db_text(g->session_id)};

    return db_query(tx,
                    "SELECT session_id, public_key, expires_ms, sealed FROM given WHERE session_id"
                    " = $1",
                    v, COUNT(v), take_sealed, g);
}

enum store_result store_get_sealed(struct store *store, struct store_sealed *out,
                                   const char *session_id)
{
    struct giving g = {.session_id = session_id, .out = out};

    *out = (struct store_sealed){0};
    if (db_run(store->db, DB_READ, find_sealed, &g) != DB_OK)
        return STORE_FAILED;
    return g.found ? STORE_OK : STORE_NONE;
}

static enum db_result forget_given(struct db_tx *tx, void *arg)
{
    struct giving *g = arg;
    struct db_value v[] = {db_text(g->session_id)};
    int64_t changed = 0;
    enum db_result result = db_exec(tx, "DELETE FROM given WHERE session_id = $1", v, 1, &changed);

    if (result != DB_OK)
        return result;
    if (changed == 0)
        return DB_REFUSED;
    return db_exec(tx, "DELETE FROM shares WHERE session_id = $1 AND status = 1", v, 1, &g->erased);
}

enum store_result store_forget_given(struct store *store, const char *session_id)
{
    struct giving g = {.session_id = session_id};
    enum store_result result;

    if (!store_retire(store, session_id, -1))
        return STORE_FAILED;
    result = store_result_of(db_run(store->db, DB_DURABLE, forget_given, &g));
    if (result == STORE_OK)
        atomic_fetch_sub(&store->shares_n, (size_t)g.erased);
    return result;
}

/* Time */

static enum db_result expire(struct db_tx *tx, void *arg)
{
    struct giving *g = arg;
    struct db_value now[] = {db_int(g->now_ms)};
    struct db_value month[] = {db_int(g->now_ms - 30 * DAY_MS)};
    enum db_result result =
        db_exec(tx,
                "DELETE FROM shares WHERE status = 1 AND session_id IN (SELECT session_id FROM"
                " given WHERE expires_ms <= $1)",
                now, 1, &g->erased);

    if (result == DB_OK)
        result = db_exec(tx, "DELETE FROM given WHERE expires_ms <= $1", now, 1, NULL);
    if (result == DB_OK)
        result =
            db_exec(tx, "DELETE FROM shares WHERE status = 0 AND deadline_ms < $1", month, 1, NULL);
    return result;
}

bool store_expire(struct store *store, int64_t now_ms)
{
    struct giving g = {.now_ms = now_ms};
    bool ok;

    store_move_burns(store);
    ok = store_retire(store, "", now_ms) && db_run(store->db, DB_DURABLE, expire, &g) == DB_OK;
    if (ok)
        atomic_fetch_sub(&store->shares_n, (size_t)g.erased);
    return ok;
}

size_t store_count(const struct store *store)
{
    return atomic_load(&store->shares_n);
}
