/* SPDX-License-Identifier: Apache-2.0 */
/* SQL of the account service. Statements run on SQLite and PostgreSQL alike. */
#include "services/account/store.h"

#include "system/core/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const store_migrations[] = {
    /* 1 */
    "CREATE TABLE accounts ("
    "  account_id TEXT PRIMARY KEY, user_id TEXT NOT NULL, session_id TEXT NOT NULL,"
    "  trace_id TEXT NOT NULL, status TEXT NOT NULL, t INTEGER NOT NULL, n INTEGER NOT NULL,"
    "  has_user_share INTEGER NOT NULL, created_ms BIGINT NOT NULL, pk BLOB, cc BLOB, keyid BLOB,"
    "  error_code TEXT, error TEXT, intent BLOB, certificate BLOB, user_share BLOB,"
    "  idempotency_key TEXT UNIQUE, request_hash BLOB);"
    "CREATE INDEX accounts_by_user ON accounts (user_id, account_id);"
    "CREATE INDEX accounts_by_status ON accounts (status, account_id);"
    "CREATE TABLE account_parties ("
    "  account_id TEXT NOT NULL, party_id TEXT NOT NULL, idx INTEGER NOT NULL,"
    "  signs INTEGER NOT NULL, PRIMARY KEY (account_id, idx));"
    "CREATE TABLE audit ("
    "  seq INTEGER PRIMARY KEY, at_ms BIGINT NOT NULL, caller TEXT NOT NULL,"
    "  action TEXT NOT NULL, account_id TEXT NOT NULL, session_id TEXT NOT NULL,"
    "  outcome TEXT NOT NULL, trace_id TEXT NOT NULL);",
    /* 2: lists are newest first */
    "CREATE INDEX accounts_by_time ON accounts (created_ms, account_id);"
    "DROP INDEX accounts_by_user;"
    "CREATE INDEX accounts_by_user_and_time ON accounts (user_id, created_ms, account_id);",
    /* 3 */
    "ALTER TABLE accounts ADD COLUMN holder TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE accounts ADD COLUMN held_until_ms BIGINT NOT NULL DEFAULT 0;",
    /* 4: audit.h. Rows of earlier versions stay in audit */
    "CREATE TABLE audit_log ("
    "  chain TEXT NOT NULL, seq BIGINT NOT NULL, at_ms BIGINT NOT NULL, caller TEXT NOT NULL,"
    "  address TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL,"
    "  session_id TEXT NOT NULL, outcome TEXT NOT NULL, request_id TEXT NOT NULL,"
    "  detail TEXT NOT NULL, prev BLOB NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (chain, seq));"
    "CREATE INDEX audit_log_by_time ON audit_log (at_ms);"
    "CREATE INDEX audit_log_chains ON audit_log (chain) WHERE seq = 1;",
    /* 5 */
    "--only file:\n"
    "CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log BEGIN"
    "  SELECT RAISE(ABORT, 'the audit log only grows'); END;"
    "CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log BEGIN"
    "  SELECT RAISE(ABORT, 'the audit log only grows'); END;",
    /* 6 */
    "--only server:\n"
    "CREATE FUNCTION audit_log_keeps() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN RAISE EXCEPTION ''the audit log only grows''; END';"
    "CREATE TRIGGER audit_log_no_change BEFORE UPDATE OR DELETE ON audit_log"
    " FOR EACH ROW EXECUTE FUNCTION audit_log_keeps();"
    "CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log"
    " FOR EACH STATEMENT EXECUTE FUNCTION audit_log_keeps();",
    /* 7: webhook.h */
    "CREATE TABLE webhooks ("
    "  session_id TEXT PRIMARY KEY, account_id TEXT NOT NULL, kind TEXT NOT NULL,"
    "  status TEXT NOT NULL, code TEXT NOT NULL, error TEXT NOT NULL, state TEXT NOT NULL,"
    "  ended_ms BIGINT NOT NULL, due_ms BIGINT NOT NULL, tries BIGINT NOT NULL);"
    "CREATE INDEX webhooks_by_due ON webhooks (due_ms) WHERE state IN ('open', 'due');",
    NULL,
};

#define COLUMNS                                                                                    \
    "account_id, user_id, session_id, trace_id, status, t, n, has_user_share, created_ms, pk, cc," \
    " keyid, error_code, error"
enum { COLUMN_CERTIFICATE = 14, COLUMN_USER_SHARE = 15, COLUMN_INTENT = 16 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const status_names[] = {"pending", "active", "failed"};

const char *account_status_name(enum account_status status)
{
    return status_names[status];
}

static enum account_status status_of(const char *name)
{
    for (size_t i = 0; i < COUNT(status_names); i++)
        if (strcmp(name, status_names[i]) == 0)
            return (enum account_status)i;
    return ACCOUNT_FAILED;
}

static void read_account(struct account *out, const struct db_row *row)
{
    *out = (struct account){.status = status_of(db_get_text(row, 4)),
                            .t = (uint16_t)db_get_int(row, 5),
                            .n = (uint16_t)db_get_int(row, 6),
                            .has_user_share = db_get_int(row, 7) != 0,
                            .created_ms = db_get_int(row, 8)};
    db_copy_text(out->account_id, sizeof out->account_id, row, 0);
    db_copy_text(out->user_id, sizeof out->user_id, row, 1);
    db_copy_text(out->session_id, sizeof out->session_id, row, 2);
    db_copy_text(out->trace_id, sizeof out->trace_id, row, 3);
    (void)db_copy_blob(out->pk.b, sizeof out->pk.b, row, 9);
    (void)db_copy_blob(out->cc, sizeof out->cc, row, 10);
    (void)db_copy_blob(out->keyid, sizeof out->keyid, row, 11);
    db_copy_text(out->error_code, sizeof out->error_code, row, 12);
    db_copy_text(out->error, sizeof out->error, row, 13);
}

/* From the columns party_id, idx, signs, which begin at |column|. False: no more fit. */
static bool add_party(struct account *account, const struct db_row *row, int column)
{
    struct account_party *party;

    if (account->parties_n == COUNT(account->parties))
        return false;
    party = &account->parties[account->parties_n++];
    db_copy_text(party->id, sizeof party->id, row, column);
    party->index = (uint16_t)db_get_int(row, column + 1);
    party->signs = db_get_int(row, column + 2) != 0;
    return true;
}

static bool take_party(const struct db_row *row, void *arg)
{
    return add_party(arg, row, 0);
}

static enum db_result read_parties(struct db_tx *tx, struct account *account)
{
    const struct db_value id = db_text(account->account_id);

    account->parties_n = 0;
    return db_query(tx,
                    "SELECT party_id, idx, signs FROM account_parties WHERE account_id = $1"
                    " ORDER BY idx",
                    &id, 1, take_party, account);
}

static enum db_result write_parties(struct db_tx *tx, const struct account *account)
{
    const struct db_value id = db_text(account->account_id);
    enum db_result r =
        db_exec(tx, "DELETE FROM account_parties WHERE account_id = $1", &id, 1, NULL);

    for (size_t i = 0; r == DB_OK && i < account->parties_n; i++) {
        const struct account_party *party = &account->parties[i];
        const struct db_value row[] = {id, db_text(party->id), db_int(party->index),
                                       db_int(party->signs)};

        r = db_exec(tx,
                    "INSERT INTO account_parties (account_id, party_id, idx, signs)"
                    " VALUES ($1, $2, $3, $4)",
                    row, COUNT(row), NULL);
    }
    return r;
}

struct known {
    struct store_insert *job;
    bool found, same;
};

static bool take_known(const struct db_row *row, void *arg)
{
    struct known *known = arg;
    uint8_t hash[32];

    known->found = true;
    known->same = db_copy_blob(hash, sizeof hash, row, COLUMN_CERTIFICATE) &&
                  memcmp(hash, known->job->request_hash, sizeof hash) == 0;
    if (known->same)
        read_account(&known->job->account, row);
    return false;
}

static enum db_result find_known(struct db_tx *tx, struct known *known)
{
    const struct db_value key = db_text(known->job->idempotency_key);

    if (!known->job->idempotency_key[0])
        return DB_OK;
    return db_query(tx, "SELECT " COLUMNS ", request_hash FROM accounts WHERE idempotency_key = $1",
                    &key, 1, take_known, known);
}

/* |inserted| 0: another replica has just used the key. */
static enum db_result insert_row(struct db_tx *tx, const struct store_insert *job,
                                 int64_t *inserted)
{
    const struct account *account = &job->account;
    const char *key = job->idempotency_key[0] ? job->idempotency_key : NULL;
    const struct db_value row[] = {db_text(account->account_id),
                                   db_text(account->user_id),
                                   db_text(account->session_id),
                                   db_text(account->trace_id),
                                   db_text(account_status_name(account->status)),
                                   db_int(account->t),
                                   db_int(account->n),
                                   db_int(account->has_user_share),
                                   db_int(account->created_ms),
                                   db_text(key),
                                   db_blob(job->request_hash, 32),
                                   db_text(job->replica),
                                   db_int(HOLD_MS)};

    return db_exec(tx,
                   "INSERT INTO accounts (account_id, user_id, session_id, trace_id, status, t, n,"
                   " has_user_share, created_ms, idempotency_key, request_hash, holder,"
                   " held_until_ms)"
                   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, now_ms() + $13)"
                   " ON CONFLICT (idempotency_key) DO NOTHING",
                   row, COUNT(row), inserted);
}

enum db_result store_insert(struct db_tx *tx, void *arg)
{
    struct store_insert *job = arg;
    struct known known = {.job = job};
    enum db_result r = find_known(tx, &known);
    int64_t inserted = 0;

    if (r == DB_OK && !known.found) {
        r = insert_row(tx, job, &inserted);
        if (r == DB_OK && inserted == 0)
            r = find_known(tx, &known);
    }
    if (r != DB_OK || inserted > 0)
        return r;
    if (!known.found) /* and has taken it back at once */
        return DB_FAILED;
    if (!known.same)
        return DB_REFUSED;
    job->existed = true;
    return read_parties(tx, &job->account);
}

enum db_result store_hold(struct db_tx *tx, void *arg)
{
    const struct store_hold *job = arg;
    const struct db_value row[] = {db_text(job->account->account_id), db_text(job->replica),
                                   db_int(HOLD_MS), db_int(job->any)};
    int64_t changed = 0;
    enum db_result r = db_exec(tx,
                               "UPDATE accounts SET holder = $2, held_until_ms = now_ms() + $3"
                               " WHERE account_id = $1 AND status = 'pending'"
                               " AND (held_until_ms <= now_ms() OR $4 = 1)",
                               row, COUNT(row), &changed);

    return r == DB_OK && changed == 0 ? DB_REFUSED : r;
}

enum db_result store_renew(struct db_tx *tx, void *arg)
{
    const struct store_renew *job = arg;
    enum db_result r = DB_OK;

    for (size_t i = 0; r == DB_OK && i < job->n; i++) {
        const struct db_value row[] = {db_text(job->ids[i]), db_text(job->replica),
                                       db_int(HOLD_MS)};

        r = db_exec(tx,
                    "UPDATE accounts SET held_until_ms = now_ms() + $3"
                    " WHERE account_id = $1 AND holder = $2 AND status = 'pending'",
                    row, COUNT(row), NULL);
    }
    return r;
}

enum db_result store_intent(struct db_tx *tx, void *arg)
{
    const struct store_intent *job = arg;
    const struct db_value row[] = {db_blob(job->intent, job->intent_len),
                                   db_text(job->account->account_id)};
    enum db_result r =
        db_exec(tx, "UPDATE accounts SET intent = $1 WHERE account_id = $2", row, COUNT(row), NULL);

    return r == DB_OK ? write_parties(tx, job->account) : r;
}

enum db_result store_session(struct db_tx *tx, void *arg)
{
    const struct store_session *job = arg;
    const struct db_value row[] = {db_text(job->account->session_id),
                                   db_text(job->account->account_id)};

    return db_exec(tx,
                   "UPDATE accounts SET session_id = $1 WHERE account_id = $2"
                   " AND status = 'pending'",
                   row, COUNT(row), NULL);
}

static enum db_result finish_row(struct db_tx *tx, const struct store_finish *job, int64_t *changed)
{
    const struct account *account = job->account;
    bool active = account->status == ACCOUNT_ACTIVE;
    const struct db_value none = db_text(NULL);
    const struct db_value row[] = {
        db_text(account_status_name(account->status)),
        active ? db_blob(account->pk.b, sizeof account->pk.b) : none,
        active ? db_blob(account->cc, sizeof account->cc) : none,
        active ? db_blob(account->keyid, sizeof account->keyid) : none,
        active ? none : db_text(account->error_code),
        active ? none : db_text(account->error),
        job->certificate_len ? db_blob(job->certificate, job->certificate_len) : none,
        job->user_share_len ? db_blob(job->user_share, job->user_share_len) : none,
        db_text(account->session_id),
        db_text(account->account_id)};

    return db_exec(tx,
                   "UPDATE accounts SET status = $1, pk = $2, cc = $3, keyid = $4, error_code = $5,"
                   " error = $6, certificate = $7, user_share = $8, session_id = $9"
                   " WHERE account_id = $10 AND status = 'pending'",
                   row, COUNT(row), changed);
}

enum db_result store_finish(struct db_tx *tx, void *arg)
{
    const struct store_finish *job = arg;
    const struct account *account = job->account;
    struct audit_entry *audit = job->audit;
    int64_t changed = 0;
    enum db_result r = finish_row(tx, job, &changed);

    if (r == DB_OK && changed == 0)
        return DB_REFUSED;
    audit->text[AUDIT_OBJECT] = account->account_id;
    audit->text[AUDIT_SESSION] = account->session_id;
    audit->text[AUDIT_OUTCOME] = account_status_name(account->status);
    audit->text[AUDIT_REQUEST] = account->trace_id;
    if (r == DB_OK)
        r = audit_write(tx, audit);
    return r == DB_OK ? webhook_end(tx, job->hook) : r;
}

enum db_result store_forget(struct db_tx *tx, void *arg)
{
    const struct store_forget *job = arg;
    const struct db_value id = db_text(job->account_id);
    int64_t changed = 0;
    enum db_result r = db_exec(tx,
                               "DELETE FROM accounts WHERE account_id = $1 AND status = 'pending'"
                               " AND session_id = ''",
                               &id, 1, &changed);

    if (r != DB_OK || changed == 0)
        return r;
    return db_exec(tx, "DELETE FROM account_parties WHERE account_id = $1", &id, 1, NULL);
}

void store_get_free(struct store_get *get)
{
    free(get->certificate);
    free(get->user_share);
    free(get->intent);
}

struct found {
    struct store_get *job;
    bool found;
};

static bool take_account(const struct db_row *row, void *arg)
{
    struct found *found = arg;
    struct store_get *job = found->job;

    found->found = true;
    read_account(&job->account, row);
    if (job->want_blobs) {
        job->certificate = db_take_blob(&job->certificate_len, row, COLUMN_CERTIFICATE);
        job->user_share = db_take_blob(&job->user_share_len, row, COLUMN_USER_SHARE);
        job->intent = db_take_blob(&job->intent_len, row, COLUMN_INTENT);
    }
    return false;
}

enum db_result store_get(struct db_tx *tx, void *arg)
{
    struct store_get *job = arg;
    struct found found = {.job = job};
    const struct db_value id = db_text(job->account_id);
    enum db_result r = db_query(
        tx,
        "SELECT " COLUMNS ", certificate, user_share, intent FROM accounts WHERE account_id = $1",
        &id, 1, take_account, &found);

    if (r != DB_OK)
        return r;
    return found.found ? read_parties(tx, &job->account) : DB_REFUSED;
}

static bool take_listed(const struct db_row *row, void *arg)
{
    struct store_list *job = arg;

    read_account(&job->accounts[job->accounts_n++], row);
    return job->accounts_n <= job->limit;
}

/* A page's accounts, those that come after the place ($1, $2), newest first. Accounts made in the
 * same millisecond are told apart by their ids. */
#define PAGE                                                                                       \
    " (created_ms, account_id) < ($1, $2) ORDER BY created_ms DESC, account_id DESC LIMIT $3"
#define PARTIES_OF(page)                                                                           \
    "SELECT p.account_id, p.party_id, p.idx, p.signs FROM (SELECT account_id, created_ms FROM"     \
    " accounts WHERE" page ") a JOIN account_parties p ON p.account_id = a.account_id"             \
    " ORDER BY a.created_ms DESC, a.account_id DESC, p.idx"

struct page_sql {
    const char *accounts, *parties;
};
static const struct page_sql page_of_all = {"SELECT " COLUMNS " FROM accounts WHERE" PAGE,
                                            PARTIES_OF(PAGE)};
static const struct page_sql page_of_user = {"SELECT " COLUMNS
                                             " FROM accounts WHERE user_id = $4 AND" PAGE,
                                             PARTIES_OF(" user_id = $4 AND" PAGE)};

static bool take_place(const struct db_row *row, void *arg)
{
    *(int64_t *)arg = db_get_int(row, 0);
    return false;
}

/* The accounts' order is that of the rows. Between the two statements accounts may have come. */
static bool take_page_party(const struct db_row *row, void *arg)
{
    struct store_list *job = arg;
    size_t at = job->parties_at;

    while (at < job->accounts_n && strcmp(job->accounts[at].account_id, db_get_text(row, 0)) != 0)
        at++;
    if (at == job->accounts_n)
        return true;
    job->parties_at = at;
    return add_party(&job->accounts[at], row, 1);
}

static enum db_result query_page(struct db_tx *tx, struct store_list *job)
{
    const struct page_sql *sql = job->user_id[0] ? &page_of_user : &page_of_all;
    const struct db_value after = db_text(job->after);
    int64_t place_ms = job->after[0] ? -1 : INT64_MAX;
    struct db_value params[4] = {
        {0}, after, db_int((int64_t)job->limit + 1), db_text(job->user_id)};
    const size_t n = job->user_id[0] ? 4 : 3;
    enum db_result r = DB_OK;

    if (job->after[0])
        r = db_query(tx, "SELECT created_ms FROM accounts WHERE account_id = $1", &after, 1,
                     take_place, &place_ms);
    params[0] = db_int(place_ms);
    if (r == DB_OK)
        r = db_query(tx, sql->accounts, params, n, take_listed, job);
    job->parties_at = 0;
    return r == DB_OK ? db_query(tx, sql->parties, params, n, take_page_party, job) : r;
}

static enum db_result query_pending(struct db_tx *tx, struct store_list *job)
{
    const struct db_value params[] = {db_text(job->after), db_int((int64_t)job->limit + 1),
                                      db_int(job->with_held)};
    enum db_result r = db_query(tx,
                                "SELECT " COLUMNS " FROM accounts WHERE status = 'pending'"
                                " AND (held_until_ms <= now_ms() OR $3 = 1)"
                                " AND account_id > $1 ORDER BY account_id LIMIT $2",
                                params, COUNT(params), take_listed, job);

    for (size_t i = 0; r == DB_OK && i < job->accounts_n; i++)
        r = read_parties(tx, &job->accounts[i]);
    return r;
}

enum db_result store_list(struct db_tx *tx, void *arg)
{
    struct store_list *job = arg;

    job->accounts = mem_new(job->limit + 1, sizeof *job->accounts);
    return job->pending_only ? query_pending(tx, job) : query_page(tx, job);
}

enum db_result store_signing_parties(struct db_tx *tx, void *arg)
{
    const struct store_signing_parties *job = arg;
    enum db_result r = write_parties(tx, job->account);

    return r == DB_OK ? audit_write(tx, job->audit) : r;
}
