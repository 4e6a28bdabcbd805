/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite behind driver.h: one file, WAL, synchronous=FULL, mode 0600.
 *
 * PATH.lock is held by flock as long as the file is open: two processes never share a database. It
 * is a file of its own because closing any descriptor of the database would drop SQLite's locks.
 * Other processes may still read by SQLite's own means (backups).
 *
 * A write that the disk has no room for fails its work, and nothing else: what was committed stays,
 * and reads go on. Until a commit succeeds again the database is told to be full; without works of
 * others one is tried every second.
 *
 * Statements are prepared once and kept by their text. */
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/disk.h"
#include "system/core/log.h"
#include "system/db/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEPT_MAX = 96, BUSY_MS = 5000, CHECKPOINT_PAGES = 1000 };

struct kept {
    char *sql;
    sqlite3_stmt *stmt;
    uint64_t used;
    bool is_running;
};

struct sqlite {
    struct db_conn conn;
    sqlite3 *db;
    int lock;
    char *path;
    struct kept kept[KEPT_MAX];
    uint64_t clock;
    bool is_reading, wrote;
    /* the disk refused to say that data is safe: nothing after that can be believed */
    bool is_broken;
};

static struct sqlite *of(struct db_conn *conn)
{
    return (struct sqlite *)conn;
}

/* A quota or a limit of the process stops a write as a full disk does. */
static bool means_full(int code)
{
    return (code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_WRITE ||
           code == SQLITE_IOERR_SHMSIZE;
}

static bool means_damaged(int code)
{
    return (code & 0xff) == SQLITE_NOTADB || (code & 0xff) == SQLITE_CORRUPT;
}

static enum db_result fail_full(struct sqlite *s)
{
    atomic_store(&s->conn.is_full, true);
    snprintf(s->conn.error, sizeof s->conn.error,
             "database %.120s: %.60s, nothing can be stored: make room on its disk", s->path,
             sqlite3_errmsg(s->db));
    return DB_FAILED;
}

static enum db_result fail(struct sqlite *s)
{
    int code = sqlite3_extended_errcode(s->db);

    if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
        code == SQLITE_CONSTRAINT_ROWID)
        return DB_CONFLICT;
    if (means_full(code))
        return fail_full(s);
    if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC) {
        s->is_broken = true;
        atomic_store(&s->conn.is_down, true);
    }
    snprintf(s->conn.error, sizeof s->conn.error, "database %.120s: %.80s%s", s->path,
             sqlite3_errmsg(s->db), means_damaged(code) ? ": restore it from a backup" : "");
    return DB_FAILED;
}

static enum db_result fail_text(struct sqlite *s, const char *what, const char *sql)
{
    snprintf(s->conn.error, sizeof s->conn.error, "%s: %.150s", what, sql);
    return DB_FAILED;
}

/* Prepared statements */

static sqlite3_stmt *prepare(struct sqlite *s, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    const char *rest = NULL;

    if (sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, &rest) != SQLITE_OK) {
        fail(s);
        return NULL;
    }
    if (!stmt || rest[strspn(rest, " \t\r\n;")] != '\0') {
        fail_text(s, "not one statement", sql);
        sqlite3_finalize(stmt);
        return NULL;
    }
    return stmt;
}

/* The kept statement of this text, or the place where it would go: one that is free, otherwise
 * the one not used for longest. NULL: all are running. */
static struct kept *place_of(struct sqlite *s, const char *sql)
{
    struct kept *best = NULL;

    for (size_t i = 0; i < KEPT_MAX; i++) {
        struct kept *k = &s->kept[i];

        if (k->sql && strcmp(k->sql, sql) == 0)
            return k;
        if (!k->is_running && (!best || k->used < best->used))
            best = k;
    }
    return best;
}

static void forget(struct kept *k)
{
    sqlite3_finalize(k->stmt);
    free(k->sql);
    *k = (struct kept){0};
}

/* A statement to run. |*kept| NULL: the caller finalizes it, for its kept twin is running. */
static sqlite3_stmt *borrow(struct sqlite *s, const char *sql, struct kept **kept)
{
    struct kept *k = place_of(s, sql);

    *kept = NULL;
    if (!k || k->is_running)
        return prepare(s, sql);
    if (!k->sql || strcmp(k->sql, sql) != 0) {
        sqlite3_stmt *stmt = prepare(s, sql);

        if (!stmt)
            return NULL;
        forget(k);
        k->sql = text_copy(sql);
        k->stmt = stmt;
    }
    k->used = ++s->clock;
    k->is_running = true;
    *kept = k;
    return k->stmt;
}

static void give_back(sqlite3_stmt *stmt, struct kept *kept)
{
    if (!kept) {
        sqlite3_finalize(stmt);
        return;
    }
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    kept->is_running = false;
}

/* Values are borrowed until give_back. Lengths are of our own making, far below SQLite's 1 GB. */
static bool bind_one(sqlite3_stmt *stmt, int at, const struct db_value *v)
{
    switch (v->type) {
    case DB_INT:
        return sqlite3_bind_int64(stmt, at, v->number) == SQLITE_OK;
    case DB_TEXT:
        return sqlite3_bind_text64(stmt, at, v->b, v->len, SQLITE_STATIC, SQLITE_UTF8) == SQLITE_OK;
    case DB_BLOB:
        return sqlite3_bind_blob64(stmt, at, v->b, v->len, SQLITE_STATIC) == SQLITE_OK;
    case DB_NULL:
    default:
        return sqlite3_bind_null(stmt, at) == SQLITE_OK;
    }
}

/* SQLite numbers $2 by where it first stands, not by its name. */
static bool bind_values(sqlite3_stmt *stmt, const struct db_statement *st)
{
    int n = sqlite3_bind_parameter_count(stmt);

    if ((size_t)n != st->n)
        return false;
    for (int at = 1; at <= n; at++) {
        const char *name = sqlite3_bind_parameter_name(stmt, at);
        char *end = NULL;
        unsigned long number = name && name[0] == '$' ? strtoul(name + 1, &end, 10) : 0;

        if (number < 1 || number > st->n || *end != '\0')
            return false;
        if (!bind_one(stmt, at, &st->params[number - 1]))
            return false;
    }
    return true;
}

static enum db_result step_all(struct sqlite *s, sqlite3_stmt *stmt, const struct db_statement *st)
{
    struct db_row row = {.conn = &s->conn, .cursor = stmt};
    int64_t n = 0;
    int code;

    for (; (code = sqlite3_step(stmt)) == SQLITE_ROW; n++)
        if (st->each && !st->each(&row, st->arg))
            return DB_OK;
    if (code != SQLITE_DONE)
        return fail(s);
    if (!sqlite3_stmt_readonly(stmt))
        n = sqlite3_changes64(s->db);
    if (st->changed)
        *st->changed = n;
    return st->must && n == 0 ? DB_REFUSED : DB_OK;
}

static enum db_result run_stmt(struct sqlite *s, sqlite3_stmt *stmt, const struct db_statement *st)
{
    if (s->is_reading && !sqlite3_stmt_readonly(stmt))
        return fail_text(s, "a work that only reads must not write", st->sql);
    if (!bind_values(stmt, st))
        return fail_text(s, "values do not fit the statement", st->sql);
    return step_all(s, stmt, st);
}

static enum db_result sqlite_run(struct db_conn *conn, const struct db_statement *st)
{
    struct sqlite *s = of(conn);
    struct kept *kept;
    sqlite3_stmt *stmt = borrow(s, st->sql, &kept);
    enum db_result result;

    if (!stmt)
        return DB_FAILED;
    result = run_stmt(s, stmt, st);
    give_back(stmt, kept);
    return result;
}

static bool script(struct db_conn *conn, const char *sql)
{
    struct sqlite *s = of(conn);

    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    fail(s);
    return false;
}

/* Transactions */

static bool simple(struct db_conn *conn, const char *sql)
{
    const struct db_statement st = {.sql = sql};

    return sqlite_run(conn, &st) == DB_OK;
}

static bool begin(struct db_conn *conn, bool writes)
{
    struct sqlite *s = of(conn);

    if (s->is_broken && writes) {
        snprintf(conn->error, sizeof conn->error,
                 "database %.120s: the disk failed before, restart when it is well", s->path);
        return false;
    }
    if (!simple(conn, writes ? "BEGIN IMMEDIATE" : "BEGIN"))
        return false;
    s->is_reading = !writes;
    return true;
}

static void rollback(struct db_conn *conn)
{
    struct sqlite *s = of(conn);

    s->is_reading = false;
    /* Some faults have taken it back already. */
    if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

static bool commit(struct db_conn *conn, bool *wrote)
{
    struct sqlite *s = of(conn);

    s->wrote = false;
    if (!simple(conn, "COMMIT")) {
        rollback(conn);
        return false;
    }
    *wrote = s->wrote;
    if (s->wrote && atomic_exchange(&conn->is_full, false))
        log_event(LOG_INFO, "the disk has room again", LOG_S("database", s->path));
    return true;
}

/* A commit that changes nothing but the disk: SQLite writes the page all the same. */
static bool rest(struct db_conn *conn)
{
    const char *again = "PRAGMA user_version=0";
    bool wrote;

    if (!atomic_load(&conn->is_full) || !begin(conn, true))
        return true;
    if (simple(conn, again))
        commit(conn, &wrote);
    else
        rollback(conn);
    return true;
}

static bool save(struct db_conn *conn)
{
    return simple(conn, "SAVEPOINT work");
}

static enum db_result keep(struct db_conn *conn, enum db_result *result)
{
    (void)result;
    return simple(conn, "RELEASE work") ? DB_OK : DB_FAILED;
}

static bool take_back(struct db_conn *conn)
{
    /* Without a transaction there is no savepoint, and the error's text is the one to keep. */
    if (sqlite3_get_autocommit(of(conn)->db))
        return false;
    return simple(conn, "ROLLBACK TO work") && simple(conn, "RELEASE work");
}

/* After each commit that wrote pages. Readers elsewhere only put the checkpoint off. */
static int on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct sqlite *s = arg;

    s->wrote = true;
    if (pages >= CHECKPOINT_PAGES)
        sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return SQLITE_OK;
}

/* Rows */

static bool is_null(const struct db_row *row, int column)
{
    return sqlite3_column_type(row->cursor, column) == SQLITE_NULL;
}

static int64_t get_int(const struct db_row *row, int column)
{
    return sqlite3_column_int64(row->cursor, column);
}

static const char *get_text(const struct db_row *row, int column)
{
    const unsigned char *text = sqlite3_column_text(row->cursor, column);

    return text ? (const char *)text : "";
}

static const uint8_t *get_blob(const struct db_row *row, int column, size_t *len)
{
    const uint8_t *b = sqlite3_column_blob(row->cursor, column);

    *len = (size_t)sqlite3_column_bytes(row->cursor, column);
    /* SQLite lends no pointer for an empty blob. */
    if (!b && !is_null(row, column))
        return (const uint8_t *)"";
    return b;
}

static int width(const struct db_row *row)
{
    return sqlite3_column_count(row->cursor);
}

static enum db_type type_of(const struct db_row *row, int column)
{
    switch (sqlite3_column_type(row->cursor, column)) {
    case SQLITE_INTEGER:
        return DB_INT;
    case SQLITE_TEXT:
        return DB_TEXT;
    case SQLITE_BLOB:
        return DB_BLOB;
    default:
        return DB_NULL;
    }
}

/* Opening */

static bool lock_file(struct sqlite *s, char error[DB_ERROR_MAX])
{
    char name[PATH_MAX];

    if (snprintf(name, sizeof name, "%s.lock", s->path) >= (int)sizeof name) {
        snprintf(error, DB_ERROR_MAX, "database %.150s...: the path is too long", s->path);
        return false;
    }
    s->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock < 0) {
        snprintf(error, DB_ERROR_MAX, "database %.150s: %s (see DATA_DIR)", s->path,
                 strerror(errno));
        return false;
    }
    if (flock(s->lock, LOCK_EX | LOCK_NB) != 0) {
        snprintf(error, DB_ERROR_MAX, "database %.150s is in use by another process", s->path);
        return false;
    }
    return true;
}

/* SQLite would make it readable for others. The name of a new file is on the disk before anything
 * is promised. */
static bool make_file(struct sqlite *s, char error[DB_ERROR_MAX])
{
    int fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    bool is_ok = fd >= 0 && fchmod(fd, 0600) == 0 && disk_sync_parent(s->path);

    if (!is_ok)
        snprintf(error, DB_ERROR_MAX, "database %.150s: %s (see DATA_DIR)", s->path,
                 strerror(errno));
    if (fd >= 0)
        close(fd);
    return is_ok;
}

static bool mode_is_wal(const struct db_row *row, void *arg)
{
    bool *is_wal = arg;

    *is_wal = strcmp(get_text(row, 0), "wal") == 0;
    return true;
}

static void tell_time(sqlite3_context *context, int n, sqlite3_value **values)
{
    (void)n;
    (void)values;
    sqlite3_result_int64(context, clock_unix_ms());
}

static void hash_chain(sqlite3_context *context, int n, sqlite3_value **values)
{
    crypto_hash_sha256_state hash;
    uint8_t out[crypto_hash_sha256_BYTES];

    crypto_hash_sha256_init(&hash);
    for (int i = 0; i < n; i++) {
        const void *b = sqlite3_value_blob(values[i]);

        crypto_hash_sha256_update(&hash, b, (unsigned long long)sqlite3_value_bytes(values[i]));
    }
    crypto_hash_sha256_final(&hash, out);
    sqlite3_result_blob(context, out, sizeof out, SQLITE_TRANSIENT);
}

static bool set_functions(struct sqlite *s)
{
    return sqlite3_create_function(s->db, "now_ms", 0, SQLITE_UTF8, NULL, tell_time, NULL, NULL) ==
               SQLITE_OK &&
           sqlite3_create_function(s->db, "chain_hash", 2, SQLITE_UTF8, NULL, hash_chain, NULL,
                                   NULL) == SQLITE_OK;
}

static bool set_up(struct sqlite *s)
{
    bool is_wal = false;
    const struct db_statement wal = {
        .sql = "PRAGMA journal_mode=WAL", .each = mode_is_wal, .arg = &is_wal};

    if (sqlite_run(&s->conn, &wal) != DB_OK)
        return false;
    if (!is_wal) {
        fail_text(s, "no write-ahead log can be made beside the database", s->path);
        return false;
    }
    if (!script(&s->conn, "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                          "PRAGMA trusted_schema=OFF; PRAGMA temp_store=MEMORY;"
                          "PRAGMA cell_size_check=ON; PRAGMA journal_size_limit=67108864"))
        return false;
    sqlite3_wal_hook(s->db, on_commit, s);
    return set_functions(s);
}

static void close_conn(struct db_conn *conn)
{
    struct sqlite *s = of(conn);

    for (size_t i = 0; i < KEPT_MAX; i++)
        forget(&s->kept[i]);
    sqlite3_close(s->db);
    if (s->lock >= 0)
        close(s->lock);
    free(s->path);
    free(s);
}

static bool open_db(struct sqlite *s, int flags, char error[DB_ERROR_MAX])
{
    bool is_ok = sqlite3_open_v2(s->path, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK;

    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, BUSY_MS);
    if (is_ok && (flags & SQLITE_OPEN_READONLY ? set_functions(s) : set_up(s)))
        return true;
    if (s->conn.error[0] == '\0')
        fail(s);
    snprintf(error, DB_ERROR_MAX, "%s", s->conn.error);
    return false;
}

static bool open_file(struct sqlite *s, char error[DB_ERROR_MAX])
{
    if (!lock_file(s, error) || !make_file(s, error) || !open_db(s, SQLITE_OPEN_READWRITE, error))
        return false;
    if (sqlite3_db_readonly(s->db, "main") != 0) {
        snprintf(error, DB_ERROR_MAX, "database %.150s cannot be written", s->path);
        return false;
    }
    return true;
}

static struct db_conn *open_conn(const struct db_params *params, bool writes,
                                 char error[DB_ERROR_MAX])
{
    struct sqlite *s = mem_new(1, sizeof *s);

    (void)writes;
    s->conn.driver = &db_sqlite;
    s->lock = -1;
    s->path = text_copy(params->url + strlen(db_sqlite.scheme));
    if (params->reads_only && open_db(s, SQLITE_OPEN_READONLY, error))
        return &s->conn;
    if (!params->reads_only && open_file(s, error) &&
        (!params->erases || script(&s->conn, "PRAGMA secure_delete=ON")))
        return &s->conn;
    close_conn(&s->conn);
    return NULL;
}

const struct db_driver db_sqlite = {
    .scheme = "sqlite:",
    .open = open_conn,
    .close = close_conn,
    .rest = rest,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .save = save,
    .keep = keep,
    .take_back = take_back,
    .script = script,
    .run = sqlite_run,
    .is_null = is_null,
    .get_int = get_int,
    .get_text = get_text,
    .get_blob = get_blob,
    .width = width,
    .type_of = type_of,
};
