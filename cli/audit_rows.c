/* SPDX-License-Identifier: Apache-2.0 */
/* See audit_rows.h. A database is read in pages, each in a transaction of its own. */
#include "audit_rows.h"

#include "report.h"

#include "system/core/buffer.h"
#include "system/core/config.h"
#include "system/core/ids.h"
#include "system/db/configured.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 2000, CHAIN_MAX = 64 };

#define COLUMNS                                                                                    \
    "SELECT chain, seq, at_ms, prev, hash, caller, address, action, object, session_id, outcome,"  \
    " request_id, detail FROM audit_log "
enum { COLUMN_TEXT = 5 };

struct audit_source {
    struct config *config;
    struct db *db;
    FILE *file;
    const char *name;
};

static bool open_database(struct audit_source *source, const char *env, struct trouble *trouble)
{
    const struct db_names names = {.file = "account", .schema = "account"};
    const struct db_params params = {.reads_only = true};

    source->config = config_load(CONFIG_ACCOUNT, env, trouble->text);
    if (source->config)
        source->db = db_configured_open(NULL, source->config, &names, &params, trouble->text);
    return source->db != NULL;
}

static bool open_text(struct audit_source *source, const char *path, struct trouble *trouble)
{
    source->name = path;
    source->file = fopen(path, "re");
    return source->file || trouble_set(trouble, "%s: %s", path, strerror(errno));
}

struct audit_source *audit_open(const char *env, const char *file, struct trouble *trouble)
{
    struct audit_source *source = mem_new(1, sizeof *source);

    if (file ? open_text(source, file, trouble) : open_database(source, env, trouble))
        return source;
    audit_close(source);
    return NULL;
}

void audit_close(struct audit_source *source)
{
    if (source->db)
        db_close(source->db);
    if (source->config)
        config_free(source->config);
    if (source->file)
        fclose(source->file);
    free(source);
}

/* Databases */

struct page {
    const char *sql;
    struct db_value params[4];
    size_t params_n;
    audit_each *each;
    void *arg;
    /* the last row's place */
    size_t n;
    char chain[CHAIN_MAX];
    int64_t seq;
};

static bool take_row(const struct db_row *row, void *arg)
{
    struct page *page = arg;
    char *text[AUDIT_FIELDS];
    struct audit_link link = {0};

    page->n++;
    page->seq = db_get_int(row, 1);
    db_copy_text(page->chain, sizeof page->chain, row, 0);
    link.row =
        (struct audit_row){.chain = page->chain, .seq = page->seq, .at_ms = db_get_int(row, 2)};
    (void)db_copy_blob(link.prev, sizeof link.prev, row, 3);
    (void)db_copy_blob(link.hash, sizeof link.hash, row, 4);
    for (int i = 0; i < AUDIT_FIELDS; i++)
        link.row.text[i] = text[i] = text_copy(db_get_text(row, COLUMN_TEXT + i));
    page->each(&link, page->arg);
    for (size_t i = 0; i < AUDIT_FIELDS; i++)
        free(text[i]);
    return true;
}

static enum db_result read_page(struct db_tx *tx, void *arg)
{
    struct page *page = arg;

    return db_query(tx, page->sql, page->params, page->params_n, take_row, page);
}

static bool run_page(struct audit_source *source, struct page *page, struct trouble *trouble)
{
    if (db_run(source->db, DB_READ, read_page, page) == DB_OK)
        return true;
    db_error(source->db, trouble->text);
    return false;
}

static bool all_of_database(struct audit_source *source, bool only_first, struct page *page,
                            struct trouble *trouble)
{
    page->sql = COLUMNS "WHERE (chain, seq) > ($1, $2) AND (seq = 1 OR $3 = 0)"
                        " ORDER BY chain, seq LIMIT $4";
    page->params_n = 4;
    do {
        char chain[CHAIN_MAX];

        memcpy(chain, page->chain, sizeof chain);
        page->n = 0;
        page->params[0] = db_text(chain);
        page->params[1] = db_int(page->seq);
        page->params[2] = db_int(only_first);
        page->params[3] = db_int(PAGE);
        if (!run_page(source, page, trouble))
            return false;
    } while (page->n == PAGE);
    return true;
}

/* Files */

static bool take_line(const struct audit_source *source, const char *line, size_t number,
                      bool only_first, const struct page *page, struct trouble *trouble)
{
    json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    struct audit_link link;
    bool is_row = json && audit_of_json(&link, json);

    if (is_row && (!only_first || link.row.seq == 1))
        page->each(&link, page->arg);
    json_decref(json);
    return is_row ||
           trouble_set(trouble, "line %zu of %s is no row of an audit log", number, source->name);
}

static bool all_of_file(struct audit_source *source, bool only_first, const struct page *page,
                        struct trouble *trouble)
{
    char *line = NULL;
    size_t cap = 0, number = 0;
    bool ok = true;

    rewind(source->file);
    while (ok && getline(&line, &cap, source->file) > 0)
        ok = take_line(source, line, ++number, only_first, page, trouble);
    free(line);
    if (ok && ferror(source->file))
        return trouble_set(trouble, "%s cannot be read", source->name);
    return ok;
}

bool audit_all(struct audit_source *source, bool only_first, audit_each *each, void *arg,
               struct trouble *trouble)
{
    struct page page = {.each = each, .arg = arg};

    return source->file ? all_of_file(source, only_first, &page, trouble)
                        : all_of_database(source, only_first, &page, trouble);
}

bool audit_newest(struct audit_source *source, const struct audit_filter *filter, audit_each *each,
                  void *arg, struct trouble *trouble)
{
    struct page page = {
        .sql = COLUMNS "WHERE ($1 = '' OR caller = $1) AND ($2 = '' OR object = $2 OR"
                       " session_id = $2) ORDER BY at_ms DESC, chain DESC, seq DESC LIMIT $3",
        .params = {db_text(filter->caller), db_text(filter->object), db_int(filter->limit)},
        .params_n = 3,
        .each = each,
        .arg = arg};

    return run_page(source, &page, trouble);
}

/* JSON */

static void add_hash(json_t *json, const char *name, const uint8_t hash[AUDIT_HASH])
{
    char text[2 * AUDIT_HASH + 1];

    hex_encode(text, hash, AUDIT_HASH);
    report_add(json, name, json_string(text));
}

json_t *audit_to_json(const struct audit_link *link)
{
    json_t *json = json_object();

    report_add(json, "chain", json_string(link->row.chain));
    report_add(json, "seq", json_integer(link->row.seq));
    report_add(json, "at_ms", json_integer(link->row.at_ms));
    for (size_t i = 0; i < AUDIT_FIELDS; i++)
        report_add(json, audit_names[i], json_string(link->row.text[i]));
    add_hash(json, "prev", link->prev);
    add_hash(json, "hash", link->hash);
    return json;
}

static bool read_hash(uint8_t out[AUDIT_HASH], const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text && hex_decode(out, AUDIT_HASH, text);
}

bool audit_of_json(struct audit_link *out, const json_t *json)
{
    struct audit_row *row = &out->row;
    const json_t *seq = json_object_get(json, "seq"), *at = json_object_get(json, "at_ms");

    row->chain = json_string_value(json_object_get(json, "chain"));
    row->seq = json_integer_value(seq);
    row->at_ms = json_integer_value(at);
    if (!row->chain || !json_is_integer(seq) || !json_is_integer(at) ||
        json_object_size(json) != AUDIT_FIELDS + 5)
        return false;
    for (size_t i = 0; i < AUDIT_FIELDS; i++) {
        row->text[i] = json_string_value(json_object_get(json, audit_names[i]));
        if (!row->text[i])
            return false;
    }
    return read_hash(out->prev, json, "prev") && read_hash(out->hash, json, "hash");
}
