/* SPDX-License-Identifier: Apache-2.0 */
/* See store_backups.h. A row of |unbacked| is work to do; it goes when its share is backed up, so
 * that the rows are few however many shares there are. */
#include "participant/store_backups.h"

#include "participant/store_state.h"

#include "system/core/be.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define RECIPIENT "backup recipient"
#define PROVEN "backup proven"
#define SERIAL "backup serial"

struct recipient {
    const uint8_t *id;
    bool is_same, is_proven;
};

static enum db_result is_fact(struct db_tx *tx, const char *name, const uint8_t *id, bool *is_it)
{
    struct store_fact fact;
    enum db_result result = store_read_fact(tx, &fact, name);

    *is_it = store_fact_is(&fact, id, STORE_RECIPIENT_ID);
    return result;
}

static enum db_result begin_again(struct db_tx *tx)
{
    enum db_result result = db_exec(tx, "DELETE FROM unbacked", NULL, 0, NULL);

    return result == DB_OK ? db_exec(tx,
                                     "INSERT INTO unbacked (account_id, kgid, made) SELECT"
                                     " account_id, kgid, 0 FROM shares WHERE status = 1 AND"
                                     " session_id NOT IN (SELECT session_id FROM given)",
                                     NULL, 0, NULL)
                           : result;
}

static enum db_result take_recipient(struct db_tx *tx, void *arg)
{
    struct recipient *r = arg;
    enum db_result result = is_fact(tx, RECIPIENT, r->id, &r->is_same);

    if (result == DB_OK)
        result = is_fact(tx, PROVEN, r->id, &r->is_proven);
    if (result == DB_OK && !r->is_same)
        result = begin_again(tx);
    return result == DB_OK && !r->is_same
               ? store_write_fact(tx, RECIPIENT, r->id, STORE_RECIPIENT_ID)
               : result;
}

enum store_result store_take_recipient(struct store *store, const uint8_t id[STORE_RECIPIENT_ID],
                                       bool *is_proven)
{
    struct recipient r = {.id = id};
    enum db_result result = db_run(store->db, DB_DURABLE, take_recipient, &r);

    *is_proven = r.is_proven;
    return store_result_of(result);
}

static enum db_result put_proven(struct db_tx *tx, void *arg)
{
    return store_write_fact(tx, PROVEN, arg, STORE_RECIPIENT_ID);
}

enum store_result store_put_proven(struct store *store, const uint8_t id[STORE_RECIPIENT_ID])
{
    return store_result_of(db_run(store->db, DB_DURABLE, put_proven, (void *)id));
}

enum { SERIAL_SPAN_MS = 24 * 3600 * 1000 };

struct numbering {
    uint64_t least, now_ms, serial;
};

/* Who has the database may say anything: a serial beyond the clock would make every later state an
 * older one. */
static uint64_t believed(uint64_t serial, uint64_t now_ms)
{
    return serial <= now_ms + SERIAL_SPAN_MS ? serial : 0;
}

static enum db_result next_serial(struct db_tx *tx, void *arg)
{
    struct numbering *n = arg;
    struct store_fact fact;
    enum db_result result = store_read_fact(tx, &fact, SERIAL);
    uint64_t last;
    uint8_t b[8];

    if (result != DB_OK)
        return result;
    last = believed(fact.len == sizeof b ? be_get(fact.b, sizeof b) : 0, n->now_ms);
    n->serial = last < n->least ? n->least : last + 1;
    be_put(b, sizeof b, n->serial);
    return store_write_fact(tx, SERIAL, b, sizeof b);
}

enum store_result store_next_serial(struct store *store, uint64_t least, uint64_t now_ms,
                                    uint64_t *serial)
{
    struct numbering n = {.least = least, .now_ms = now_ms};
    enum store_result result = store_result_of(db_run(store->db, DB_DURABLE, next_serial, &n));

    *serial = n.serial;
    return result;
}

/* Shares */

enum db_result store_add_unbacked(struct db_tx *tx, const struct store_share *share)
{
    struct db_value v[] = {db_text(share->account_id), db_blob(share->kgid, 32)};

    return db_exec(tx,
                   "INSERT INTO unbacked (account_id, kgid, made) VALUES ($1, $2, 0) ON CONFLICT"
                   " DO NOTHING",
                   v, COUNT(v), NULL);
}

struct search {
    struct store_unbacked *out;
    const struct store_unbacked *after;
    bool is_made, found;
};

static bool take_unbacked(const struct db_row *row, void *arg)
{
    struct search *s = arg;

    db_copy_text(s->out->account_id, sizeof s->out->account_id, row, 0);
    s->found = db_copy_blob(s->out->kgid, 32, row, 1);
    s->out->epoch = (uint32_t)db_get_int(row, 2);
    s->out->is_made = s->is_made;
    (void)db_copy_blob(s->out->digest, STORE_DIGEST, row, 3);
    return false;
}

static enum db_result find_next(struct db_tx *tx, void *arg)
{
    static const uint8_t first[32];
    struct search *s = arg;
    struct db_value v[] = {db_text(s->after ? s->after->account_id : ""),
                           db_blob(s->after ? s->after->kgid : first, 32), db_int(s->is_made)};

    return db_query(
        tx,
        "SELECT u.account_id, u.kgid, s.epoch, u.digest FROM unbacked u JOIN shares s ON"
        " s.account_id = u.account_id AND s.kgid = u.kgid WHERE (u.account_id, u.kgid)"
        " > ($1, $2) AND u.made = $3 AND s.status = 1"
        " ORDER BY u.account_id, u.kgid LIMIT 1",
        v, COUNT(v), take_unbacked, s);
}

enum store_result store_next_unbacked(struct store *store, struct store_unbacked *out, bool is_made,
                                      const struct store_unbacked *after)
{
    struct search s = {.out = out, .after = after, .is_made = is_made};

    if (db_run(store->db, DB_READ, find_next, &s) != DB_OK)
        return STORE_FAILED;
    return s.found ? STORE_OK : STORE_NONE;
}

struct making {
    const struct store_unbacked *share;
    const uint8_t *digest;
};

static enum db_result put_made(struct db_tx *tx, void *arg)
{
    const struct making *m = arg;
    struct db_value v[] = {
        db_text(m->share->account_id), db_blob(m->share->kgid, 32), db_int(m->digest != NULL),
        m->digest ? db_blob(m->digest, STORE_DIGEST) : (struct db_value){.type = DB_NULL}};

    return db_exec(tx,
                   "UPDATE unbacked SET made = $3, digest = $4 WHERE account_id = $1 AND kgid = $2",
                   v, COUNT(v), NULL);
}

enum store_result store_put_made(struct store *store, const struct store_unbacked *share,
                                 const uint8_t *digest)
{
    struct making m = {share, digest};

    return store_result_of(db_run(store->db, DB_DURABLE, put_made, &m));
}

static enum db_result put_backed(struct db_tx *tx, void *arg)
{
    const struct store_unbacked *u = arg;
    struct db_value v[] = {db_text(u->account_id), db_blob(u->kgid, 32)};

    return db_exec(tx, "DELETE FROM unbacked WHERE account_id = $1 AND kgid = $2", v, COUNT(v),
                   NULL);
}

enum store_result store_put_backed(struct store *store, const struct store_unbacked *share)
{
    return store_result_of(db_run(store->db, DB_DURABLE, put_backed, (void *)share));
}

static enum db_result count_unbacked(struct db_tx *tx, void *arg)
{
    return db_count(tx,
                    "SELECT count(*) FROM unbacked u JOIN shares s ON s.account_id = u.account_id"
                    " AND s.kgid = u.kgid WHERE s.status = 1",
                    NULL, 0, arg);
}

enum store_result store_count_unbacked(struct store *store, size_t *n)
{
    *n = 0;
    return store_result_of(db_run(store->db, DB_READ, count_unbacked, n));
}

enum store_result store_get_share(struct store *store, struct store_share *out,
                                  const struct store_unbacked *share)
{
    const struct db_value v[] = {db_text(share->account_id), db_blob(share->kgid, 32)};

    return store_find_share(store, out,
                            "SELECT " STORE_SHARE_COLUMNS
                            " FROM shares WHERE account_id = $1 AND kgid = $2 AND status = 1",
                            v, COUNT(v));
}

/* The rest */

struct burns {
    void (*each)(void *arg, const struct store_burn *burn);
    void *arg;
};

static void tell_own(void *arg, const struct ledger_fact *fact)
{
    const struct burns *b = arg;

    if (fact->kind == LEDGER_BURN)
        b->each(b->arg, &fact->burn);
}

static bool tell_row(const struct db_row *row, void *arg)
{
    const struct burns *b = arg;
    struct store_burn burn;

    if (store_read_burn(&burn, row))
        b->each(b->arg, &burn);
    return true;
}

static enum db_result read_burns(struct db_tx *tx, void *arg)
{
    return db_query(tx, "SELECT " STORE_BURN_COLUMNS " FROM tombstones", NULL, 0, tell_row, arg);
}

bool store_each_burn(struct store *store, void (*each)(void *arg, const struct store_burn *burn),
                     void *arg)
{
    struct burns b = {each, arg};
    struct store_burn reserved[RESERVE_BURNS];
    size_t n = reserve_list(store->reserve, reserved, RESERVE_BURNS);

    for (size_t i = 0; i < n; i++)
        each(arg, &reserved[i]);
    return ledger_each(store->ledger, tell_own, &b) &&
           db_run(store->db, DB_READ, read_burns, &b) == DB_OK;
}

uint64_t store_changes(const struct store *store)
{
    return atomic_load(&store->changes);
}

void store_changed(struct store *store)
{
    atomic_fetch_add(&store->changes, 1);
}

static enum db_result count_rows(struct db_tx *tx, void *arg)
{
    return db_count(tx, "SELECT (SELECT count(*) FROM shares) + (SELECT count(*) FROM given)", NULL,
                    0, arg);
}

enum store_result store_is_empty(struct store *store)
{
    size_t n = 0;

    if (db_run(store->db, DB_READ, count_rows, &n) != DB_OK)
        return STORE_FAILED;
    return n == 0 ? STORE_OK : STORE_NONE;
}
