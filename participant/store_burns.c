/* SPDX-License-Identifier: Apache-2.0 */
/* Burns, loans and shares that are gone, of store.h. A burn is in the ledger before the
 * database is asked, or if the disk has no room for that, in the reserve until both have it; a loan
 * is in both when it is told. What the ledger or the database knows, counts. */
#include "participant/store_state.h"

#include "system/core/buffer.h"
#include "system/core/log.h"

#include <stdlib.h>
#include <string.h>

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

static bool write_down(struct store *store, const struct store_burn *burn)
{
    const struct ledger_fact fact = {.kind = LEDGER_BURN, .burn = *burn};

    return ledger_put(store->ledger, &fact, 1);
}

enum store_result store_put_burn(struct store *store, const struct store_share *share,
                                 const struct store_burn *burn)
{
    struct burning b = {share, burn, false};
    enum store_result result = store_result_of(db_run(store->db, DB_DURABLE, put_burn, &b));

    if (result != STORE_OK || !burn)
        return result;
    store_changed(store);
    if (write_down(store, burn))
        reserve_drop(store->reserve, burn);
    else if (!reserve_has(store->reserve, burn))
        return STORE_FAILED;
    return STORE_OK;
}

bool store_reserve_burn(struct store *store, const struct store_burn *burn)
{
    const bool ok = write_down(store, burn) || reserve_put(store->reserve, burn);

    store_changed(store);
    return ok;
}

void store_move_burns(struct store *store)
{
    struct store_burn burns[RESERVE_BURNS];
    size_t n = reserve_list(store->reserve, burns, RESERVE_BURNS);

    for (size_t i = 0; i < n; i++)
        (void)store_put_burn(store, NULL, &burns[i]);
}

static enum db_result find_burn(struct db_tx *tx, void *arg)
{
    struct burning *b = arg;
    struct db_value v[] = {db_blob(b->burn->kgid, 32), db_int(b->burn->epoch), db_int(b->burn->own),
                           db_int(b->burn->peer)};

    return db_exists(tx,
                     "SELECT 1 FROM tombstones WHERE kgid = $1 AND epoch = $2 AND own = $3 AND peer"
                     " = $4",
                     v, COUNT(v), &b->found);
}

enum store_result store_is_burned(struct store *store, const struct store_burn *burn)
{
    const struct ledger_fact fact = {.kind = LEDGER_BURN, .burn = *burn};
    struct burning b = {NULL, burn, false};

    if (reserve_has(store->reserve, burn) || ledger_has(store->ledger, &fact))
        return STORE_OK;
    if (db_run(store->db, DB_READ, find_burn, &b) != DB_OK)
        return STORE_FAILED;
    return b.found ? STORE_OK : STORE_NONE;
}

/* What was lent by its owner */

static enum db_result put_loan(struct db_tx *tx, void *arg)
{
    struct db_value v[] = {db_blob(arg, 16)};
    int64_t changed = 0;
    enum db_result result = db_exec(
        tx, "INSERT INTO loans (session) VALUES ($1) ON CONFLICT DO NOTHING", v, 1, &changed);

    if (result != DB_OK)
        return result;
    return changed ? DB_OK : DB_REFUSED;
}

enum store_result store_put_loan(struct store *store, const uint8_t session[16])
{
    struct ledger_fact fact = {.kind = LEDGER_LOAN};
    enum store_result result;

    memcpy(fact.loan, session, 16);
    if (ledger_has(store->ledger, &fact))
        return STORE_NONE;
    result = store_result_of(db_run(store->db, DB_DURABLE, put_loan, (void *)session));
    if (result == STORE_OK && !ledger_put(store->ledger, &fact, 1))
        return STORE_FAILED;
    return result;
}

/* Several */

struct facts {
    struct ledger_fact *all;
    size_t n, cap;
};

static void add(struct facts *facts, const struct ledger_fact *fact)
{
    if (facts->n == facts->cap) {
        struct ledger_fact *more = mem_new(2 * facts->cap + 16, sizeof *more);

        if (facts->n > 0)
            memcpy(more, facts->all, facts->n * sizeof *more);
        free(facts->all);
        facts->all = more;
        facts->cap = 2 * facts->cap + 16;
    }
    facts->all[facts->n++] = *fact;
}

/* What is gone */

struct retiring {
    const char *session_id;
    int64_t now_ms;
    struct facts facts;
};

static bool add_gone(const struct db_row *row, void *arg)
{
    struct ledger_fact fact = {.kind = LEDGER_GONE,
                               .gone = {.epoch = (uint32_t)db_get_int(row, 1)}};

    if (db_copy_blob(fact.gone.kgid, 32, row, 0))
        add(arg, &fact);
    return true;
}

static enum db_result read_given(struct db_tx *tx, void *arg)
{
    struct retiring *r = arg;
    struct db_value v[] = {db_text(r->session_id), db_int(r->now_ms)};

    r->facts.n = 0;
    return db_query(tx,
                    "SELECT kgid, epoch FROM shares WHERE status = 1 AND session_id IN (SELECT"
                    " session_id FROM given WHERE session_id = $1 OR expires_ms <= $2)",
                    v, COUNT(v), add_gone, &r->facts);
}

bool store_retire(struct store *store, const char *session_id, int64_t now_ms)
{
    struct retiring r = {session_id, now_ms, {0}};
    bool ok = db_run(store->db, DB_READ, read_given, &r) == DB_OK &&
              ledger_put(store->ledger, r.facts.all, r.facts.n);

    free(r.facts.all);
    return ok;
}

bool store_is_gone(const struct store *store, const uint8_t kgid[32], uint32_t epoch)
{
    struct ledger_fact fact = {.kind = LEDGER_GONE, .gone = {.epoch = epoch}};

    memcpy(fact.gone.kgid, kgid, 32);
    return ledger_has(store->ledger, &fact);
}

/* At the start: each of the two learns what the other one knows. */

bool store_read_burn(struct store_burn *out, const struct db_row *row)
{
    *out = (struct store_burn){.epoch = (uint32_t)db_get_int(row, 1),
                               .own = (uint16_t)db_get_int(row, 2),
                               .peer = (uint16_t)db_get_int(row, 3)};
    return db_copy_blob(out->kgid, 32, row, 0);
}

static bool add_burn(const struct db_row *row, void *arg)
{
    struct ledger_fact fact = {.kind = LEDGER_BURN};

    if (store_read_burn(&fact.burn, row))
        add(arg, &fact);
    return true;
}

static bool add_loan(const struct db_row *row, void *arg)
{
    struct ledger_fact fact = {.kind = LEDGER_LOAN};

    if (db_copy_blob(fact.loan, 16, row, 0))
        add(arg, &fact);
    return true;
}

static enum db_result read_all(struct db_tx *tx, void *arg)
{
    struct facts *facts = arg;
    enum db_result result;

    facts->n = 0;
    result = db_query(tx, "SELECT " STORE_BURN_COLUMNS " FROM tombstones", NULL, 0, add_burn, arg);
    return result == DB_OK ? db_query(tx, "SELECT session FROM loans", NULL, 0, add_loan, arg)
                           : result;
}

static void add_known_burn(void *arg, const struct ledger_fact *fact)
{
    if (fact->kind == LEDGER_BURN)
        add(arg, fact);
}

/* Loans are not: they are asked for here alone, and may be many. */
static enum db_result put_all(struct db_tx *tx, void *arg)
{
    const struct facts *facts = arg;
    enum db_result result = DB_OK;

    for (size_t i = 0; result == DB_OK && i < facts->n; i++)
        result = put_tombstone(tx, &facts->all[i].burn);
    return result;
}

bool store_settle_ledger(struct store *store)
{
    struct facts facts = {0};
    bool is_read = db_run(store->db, DB_READ, read_all, &facts) == DB_OK;
    bool ok = is_read && ledger_put(store->ledger, facts.all, facts.n);

    facts.n = 0;
    is_read = is_read && ledger_each(store->ledger, add_known_burn, &facts);
    if (is_read && facts.n > 0)
        ok = db_run(store->db, DB_DURABLE, put_all, &facts) == DB_OK && ok;
    free(facts.all);
    if (is_read && !ok)
        log_line(LOG_WARN, "what is burned is not both in the database and in the ledger: is the"
                           " disk full?");
    return is_read;
}
