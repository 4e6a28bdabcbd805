/* SPDX-License-Identifier: Apache-2.0 */
/* The hash of a row is made in the statement that writes it, from the row before: so a work that is
 * taken back, or done again after the server was away, leaves no gap. A chain that has lost the row
 * that the process knows to be committed takes no more: the next sequence number would be NULL,
 * which the table refuses. What was cut off behind that row is not noticed here. */
#include "services/account/audit.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"

#include <stdio.h>
#include <string.h>

/* Heads that a new chain names: of those that wrote last. */
enum { HEADS_MAX = 64 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct audit_row row_of(const struct audit_entry *entry)
{
    struct audit_row row = {.chain = entry->after.chain, .at_ms = clock_unix_ms()};

    for (size_t i = 0; i < AUDIT_FIELDS; i++)
        row.text[i] = entry->text[i] ? entry->text[i] : "";
    return row;
}

enum { VALUES = AUDIT_FIELDS + 3 };

static void values_of(struct db_value out[VALUES], const struct audit_row *row,
                      const uint8_t hash[AUDIT_HASH])
{
    out[0] = db_text(row->chain);
    out[1] = db_int(row->at_ms);
    for (size_t i = 0; i < AUDIT_FIELDS; i++)
        out[2 + i] = db_text(row->text[i]);
    out[VALUES - 1] = db_blob(hash, AUDIT_HASH);
}

#define INSERT                                                                                     \
    "INSERT INTO audit_log (chain, seq, at_ms, caller, address, action, object, session_id,"       \
    " outcome, request_id, detail, prev, hash) "

/* The last row of the chain $1, if it has the row |seq| with |hash|. */
#define NEWEST_BEHIND(seq, hash)                                                                   \
    " audit_log e JOIN audit_log m ON m.chain = e.chain WHERE e.chain = $1 AND m.seq = " seq       \
    " AND m.hash = " hash " ORDER BY e.seq DESC LIMIT 1"

enum db_result audit_write(struct db_tx *tx, const struct audit_entry *entry)
{
    struct audit_row row = row_of(entry);
    struct db_value values[VALUES + 2];
    uint8_t digest[AUDIT_HASH];

    audit_digest(digest, &row);
    values_of(values, &row, digest);
    values[VALUES] = db_int(entry->after.seq);
    values[VALUES + 1] = db_blob(entry->after.hash, sizeof entry->after.hash);
    return db_exec(tx,
                   INSERT "SELECT $1, l.seq + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, l.hash,"
                          " chain_hash(l.hash, $11) FROM (SELECT 1) one LEFT JOIN"
                          " (SELECT e.seq, e.hash FROM" NEWEST_BEHIND("$12", "$13") ") l ON 1 = 1",
                   values, COUNT(values), NULL);
}

enum db_result audit_store(struct db_tx *tx, void *arg)
{
    return audit_write(tx, arg);
}

static struct audit_head head_of(const struct db_row *row)
{
    struct audit_head head = {.seq = db_get_int(row, 1)};

    db_copy_text(head.chain, sizeof head.chain, row, 0);
    (void)db_copy_blob(head.hash, sizeof head.hash, row, 2);
    return head;
}

static bool take_newest(const struct db_row *row, void *arg)
{
    struct audit_head *newest = arg;

    *newest = head_of(row);
    return false;
}

enum db_result audit_look(struct db_tx *tx, void *arg)
{
    struct audit_head *head = arg, newest = {.seq = 0};
    const struct db_value values[] = {db_text(head->chain), db_int(head->seq),
                                      db_blob(head->hash, sizeof head->hash)};
    enum db_result r = db_query(tx, "SELECT e.chain, e.seq, e.hash FROM" NEWEST_BEHIND("$2", "$3"),
                                values, COUNT(values), take_newest, &newest);

    if (r != DB_OK)
        return r;
    if (newest.seq == 0)
        return DB_REFUSED;
    *head = newest;
    return DB_OK;
}

/* The beginning */

static bool take_head(const struct db_row *row, void *arg)
{
    struct buffer *heads = arg;
    struct audit_head head = head_of(row);
    char text[AUDIT_HEAD_TEXT];

    audit_head_text(text, &head);
    buffer_printf(heads, "%s%s", heads->len ? ", " : "", text);
    return true;
}

static enum db_result write_first(struct db_tx *tx, struct audit_opening *opening,
                                  const char *heads)
{
    static const uint8_t none[AUDIT_HASH] = {0};
    struct audit_entry entry = {.after = {.seq = 1}};
    struct db_value values[VALUES + 1];
    uint8_t *hash = opening->head.hash;
    struct audit_row row;

    snprintf(entry.after.chain, sizeof entry.after.chain, "%s", opening->chain);
    entry.text[AUDIT_CALLER] = opening->caller;
    entry.text[AUDIT_ACTION] = "Begin";
    entry.text[AUDIT_OUTCOME] = "done";
    entry.text[AUDIT_DETAIL] = heads;
    row = row_of(&entry);
    opening->head = entry.after;
    audit_digest(hash, &row);
    audit_link(hash, none, hash);
    values_of(values, &row, hash);
    values[VALUES] = db_blob(none, sizeof none);
    return db_exec(tx, INSERT "VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $12, $11)",
                   values, COUNT(values), NULL);
}

enum db_result audit_open(struct db_tx *tx, void *arg)
{
    struct audit_opening *opening = arg;
    const struct db_value max = db_int(HEADS_MAX);
    struct buffer heads = {0};
    enum db_result r;

    r = db_query(tx,
                 "SELECT l.chain, l.seq, l.hash FROM audit_log o JOIN audit_log l"
                 " ON l.chain = o.chain AND l.seq ="
                 " (SELECT max(a.seq) FROM audit_log a WHERE a.chain = o.chain)"
                 " WHERE o.seq = 1 ORDER BY l.at_ms DESC, l.chain LIMIT $1",
                 &max, 1, take_head, &heads);
    if (r == DB_OK)
        r = write_first(tx, opening, (const char *)heads.b);
    buffer_free(&heads);
    return r;
}
