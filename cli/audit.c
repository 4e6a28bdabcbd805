/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate audit list" and "quorate audit verify": the audit log of account-service, read where it
 * is, by whoever may read its configuration. */
#include "audit_check.h"
#include "audit_rows.h"
#include "command.h"
#include "file.h"
#include "option.h"
#include "report.h"
#include "say.h"

#include "system/core/clock.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADS_FILE_MAX = 1024 * 1024, LIST_MAX = 100000 };

struct audit {
    const char *dir, *env, *file;
    const char *limit, *caller, *object;
    const char *heads, *save_heads;
    bool all, json;
    char path[PATH_MAX];
};

static struct audit_source *open_source(struct audit *o, struct trouble *trouble)
{
    snprintf(o->path, sizeof o->path, "%s/account-service.env", o->dir ? o->dir : "quorate-data");
    return audit_open(o->env ? o->env : o->path, o->file, trouble);
}

/* Lists */

/* Callers chose some of it: nothing there writes on the terminal. */
static void put_text(const char *before, const char *text)
{
    fputs(before, stdout);
    if (!*text)
        putchar('-');
    for (; *text; text++)
        putchar((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
}

static void print_line(const json_t *json)
{
    static const enum audit_text named[] = {AUDIT_OBJECT, AUDIT_SESSION, AUDIT_REQUEST};
    const char *text[AUDIT_FIELDS];
    char at[CLOCK_TEXT_MAX];

    clock_text(at, json_integer_value(json_object_get(json, "at_ms")));
    for (size_t i = 0; i < AUDIT_FIELDS; i++)
        text[i] = json_string_value(json_object_get(json, audit_names[i]));
    fputs(at, stdout);
    put_text(" ", text[AUDIT_CALLER]);
    put_text(" ", text[AUDIT_ADDRESS]);
    put_text(" ", text[AUDIT_ACTION]);
    put_text(" ", text[AUDIT_OUTCOME]);
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        printf(" %s=", audit_names[named[i]]);
        put_text("", text[named[i]]);
    }
    putchar('\n');
}

static void print_row(json_t *json, bool as_json)
{
    if (as_json) {
        json_dumpf(json, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        print_line(json);
    }
}

static void print_now(const struct audit_link *link, void *arg)
{
    const struct audit *o = arg;
    json_t *json = audit_to_json(link);

    print_row(json, o->json);
    json_decref(json);
}

static void keep(const struct audit_link *link, void *arg)
{
    json_array_append_new(arg, audit_to_json(link));
}

/* Oldest first. */
static bool list_newest(const struct audit *o, struct audit_source *source, long limit,
                        struct trouble *trouble)
{
    const struct audit_filter filter = {limit, o->caller ? o->caller : "",
                                        o->object ? o->object : ""};
    json_t *rows = json_array();
    bool ok = audit_newest(source, &filter, keep, rows, trouble);

    for (size_t i = json_array_size(rows); ok && i > 0; i--)
        print_row(json_array_get(rows, i - 1), o->json);
    json_decref(rows);
    return ok;
}

static int list(struct audit *o)
{
    struct trouble trouble = {""};
    struct audit_source *source;
    long limit = 100;
    bool ok;

    if (o->file || o->heads || o->save_heads)
        return refuse_usage("--file, --heads and --save-heads are for quorate audit verify");
    if (o->all && (o->limit || o->caller || o->object))
        return refuse_usage("--all goes with no other choice of rows");
    if (o->limit && !option_number(&limit, o->limit, 1, LIST_MAX))
        return refuse_usage("--limit must be a number from 1 to %d", LIST_MAX);
    source = open_source(o, &trouble);
    if (!source)
        return refuse("%s", trouble.text);
    ok = o->all ? audit_all(source, false, print_now, o, &trouble)
                : list_newest(o, source, limit, &trouble);
    audit_close(source);
    if (!ok)
        return refuse("%s", trouble.text);
    return report_flush() ? EXIT_DONE : EXIT_REFUSED;
}

/* Verification */

static void want_named(const struct audit_link *link, void *arg)
{
    const char *at = link->row.text[AUDIT_DETAIL];
    struct audit_head head;

    while (audit_head_next(&head, &at))
        audit_check_want(arg, &head, "a later chain");
}

static void take_row(const struct audit_link *link, void *arg)
{
    audit_check_row(arg, link);
}

static bool want_saved(struct audit_check *check, const char *path, struct trouble *trouble)
{
    struct audit_head head;
    struct file file;
    const char *at;
    char *text;
    bool is_read;

    if (!file_read(&file, path, HEADS_FILE_MAX, trouble))
        return false;
    text = calloc(file.len + 1, 1);
    if (!text)
        exit(refuse("out of memory"));
    memcpy(text, file.b, file.len);
    file_free(&file);
    for (at = text; audit_head_next(&head, &at);)
        audit_check_want(check, &head, path);
    is_read = at > text && !*at;
    free(text);
    return is_read || trouble_set(trouble, "%s is no list of heads: --save-heads makes one", path);
}

static bool save_heads(const struct audit_check *check, const char *path, struct trouble *trouble)
{
    char *text = audit_check_heads(check);
    bool ok = file_replace(path, (const uint8_t *)text, strlen(text), trouble);

    free(text);
    return ok;
}

/* Rows that are added meanwhile are named by nobody yet: what must be there is read first. */
static bool check_rows(const struct audit *o, struct audit_check *check,
                       struct audit_source *source, struct trouble *trouble)
{
    return (!o->heads || want_saved(check, o->heads, trouble)) &&
           audit_all(source, true, want_named, check, trouble) &&
           audit_all(source, false, take_row, check, trouble);
}

static int tell(const struct audit *o, struct audit_check *check)
{
    struct audit_result result = audit_check_end(check);
    json_t *report = json_object();
    struct trouble trouble;

    report_add(report, "status", json_string(result.faults || !result.rows ? "damaged" : "whole"));
    report_add(report, "chains", json_integer((json_int_t)result.chains));
    report_add(report, "rows", json_integer((json_int_t)result.rows));
    report_add(report, "faults", json_integer((json_int_t)result.faults));
    if (!report_print(report, o->json))
        return EXIT_REFUSED;
    if (result.faults || !result.rows)
        return refuse(result.rows ? "the audit log is damaged" : "the audit log is empty");
    if (o->save_heads && !save_heads(check, o->save_heads, &trouble))
        return refuse("%s", trouble.text);
    return EXIT_DONE;
}

static int verify(struct audit *o)
{
    struct trouble trouble = {""};
    struct audit_source *source;
    struct audit_check *check;
    int code;

    if (o->all || o->limit || o->caller || o->object)
        return refuse_usage("--all, --limit, --caller and --about are for quorate audit list");
    source = open_source(o, &trouble);
    if (!source)
        return refuse("%s", trouble.text);
    check = audit_check_new();
    if (check_rows(o, check, source, &trouble))
        code = tell(o, check);
    else
        code = refuse("%s", trouble.text);
    audit_check_free(check);
    audit_close(source);
    return code;
}

int command_audit(char **argv)
{
    struct audit o = {0};
    const struct option_row rows[] = {
        {"--dir", "DIR", NULL, &o.dir, "the system's directory (default: quorate-data)"},
        {"--env", "FILE", NULL, &o.env,
         "variables of account-service (default: account-service.env in that directory)"},
        {"--limit", "N", NULL, &o.limit, "list: the newest N rows (default: 100)"},
        {"--caller", "NAME", NULL, &o.caller, "list: of this caller"},
        {"--about", "ID", NULL, &o.object, "list: about this account or session"},
        {"--all", NULL, &o.all, NULL, "list: everything, chain by chain"},
        {"--file", "FILE", NULL, &o.file, "verify: what list --all --json wrote, no database"},
        {"--heads", "FILE", NULL, &o.heads, "verify: that nothing was cut off since --save-heads"},
        {"--save-heads", "FILE", NULL, &o.save_heads, "verify: write the heads of all chains here"},
        {"--json", NULL, &o.json, NULL, "print JSON; a list as one object a line"},
    };
    const struct options options = {
        "audit", "list|verify",
        "Read account-service's audit log, also while that runs; or verify it: that every row\n"
        "is as it was written, none is missing, and none was put in.",
        rows, sizeof rows / sizeof rows[0]};
    const char *word;
    enum options_answer answer = options_read_word(&options, argv, &word);

    if (answer != OPTIONS_GO)
        return options_code(answer);
    return strcmp(word, "list") == 0 ? list(&o) : verify(&o);
}
