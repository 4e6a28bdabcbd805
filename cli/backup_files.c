/* SPDX-License-Identifier: Apache-2.0 */
/* Backup files, opened and checked; and the paths of many. */
#include "backup.h"

#include "hex.h"
#include "report.h"

#include "system/core/buffer.h"
#include "system/core/ids.h"
#include "system/core/secret.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static bool open_share(struct backup_item *item, const struct qrt_ctx *ctx, struct trouble *trouble)
{
    const struct backup_head *head = &item->parsed.head;
    const char *wrong;

    if (!backup_share_decode(&item->share, head, item->body, item->parsed.body_len))
        return trouble_set(trouble, "%s holds a share in a form that this program does not know",
                           item->path);
    wrong = backup_share_check(&item->opened, ctx, &item->share, head);
    return !wrong || trouble_set(trouble, "%s %s", item->path, wrong);
}

static bool open_state(struct backup_item *item, struct trouble *trouble)
{
    const char *wrong;

    if (!backup_state_decode(&item->state, item->body, item->parsed.body_len))
        return trouble_set(trouble, "%s holds a state in a form that this program does not know",
                           item->path);
    wrong = backup_state_check(&item->state, &item->parsed.head);
    return !wrong || trouble_set(trouble, "%s %s", item->path, wrong);
}

static bool open_body(struct backup_item *item, const struct qrt_ctx *ctx, struct trouble *trouble)
{
    if (item->parsed.head.kind == BACKUP_SHARE)
        return open_share(item, ctx, trouble);
    return open_state(item, trouble);
}

bool backup_item_read(struct backup_item *item, const char *path, struct trouble *trouble)
{
    enum backup_result result;

    *item = (struct backup_item){.path = path};
    if (!file_read(&item->file, path, BACKUP_BODY_MAX + BACKUP_OVERHEAD, trouble))
        return false;
    result = backup_parse(&item->parsed, item->file.b, item->file.len);
    return result == BACKUP_OK || trouble_set(trouble, "%s %s", path, backup_text(result));
}

bool backup_item_unseal(struct backup_item *item, const struct backup_key *key,
                        const struct qrt_ctx *ctx, struct trouble *trouble)
{
    enum backup_result result;

    item->body = secret_new(item->parsed.body_len);
    result = backup_open(item->body, &item->parsed, key);
    if (result != BACKUP_OK)
        return trouble_set(trouble, "%s %s", item->path, backup_text(result));
    return open_body(item, ctx, trouble);
}

bool backup_item_open(struct backup_item *item, const char *path, const struct backup_key *key,
                      const struct qrt_ctx *ctx, struct trouble *trouble)
{
    return backup_item_read(item, path, trouble) && backup_item_unseal(item, key, ctx, trouble);
}

void backup_item_close(struct backup_item *item)
{
    store_share_free(&item->share.row);
    backup_state_free(&item->state);
    secret_free(item->body);
    file_free(&item->file);
    *item = (struct backup_item){0};
}

void backup_burns_add(struct backup_burns *burns, const struct backup_item *state)
{
    size_t more = state->state.burns_n;
    struct backup_burn *all = mem_new(burns->n + more + 1, sizeof *all);

    if (burns->n > 0)
        memcpy(all, burns->v, burns->n * sizeof *all);
    for (size_t i = 0; i < more; i++) {
        memcpy(all[burns->n + i].identity, state->parsed.head.identity, 32);
        all[burns->n + i].burn = state->state.burns[i];
    }
    free(burns->v);
    burns->v = all;
    burns->n += more;
}

json_t *backup_time_json(int64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;
    char text[32];

    if (time_ms < 0 || !gmtime_r(&seconds, &tm) ||
        !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm))
        return json_null();
    return json_string(text);
}

void backup_head_add(json_t *json, const struct backup_head *head)
{
    char account[ID_TEXT_MAX];

    report_add(json, "party_id", json_string(head->party_id));
    report_add(json, "made", backup_time_json(head->time_ms));
    if (head->kind == BACKUP_STATE)
        return;
    id_text(account, head->account);
    report_add(json, "account_id", json_string(account));
    report_add(json, "kgid", hex_json(head->kgid, 32));
    report_add(json, "epoch", json_integer(head->epoch));
}

json_t *backup_item_json(const struct backup_item *item)
{
    const struct backup_head *head = &item->parsed.head;
    json_t *json = json_object();

    report_add(json, "file", json_string(item->path));
    report_add(json, "kind", json_string(head->kind == BACKUP_SHARE ? "share" : "state"));
    backup_head_add(json, head);
    if (head->kind == BACKUP_STATE) {
        report_add(json, "serial", json_integer((json_int_t)item->state.serial));
        report_add(json, "shares", json_integer(item->state.shares_n));
        report_add(json, "burns", json_integer((json_int_t)item->state.burns_n));
        report_add(json, "orders", json_integer((json_int_t)item->state.orders_n));
        return json;
    }
    report_add(json, "public_key", hex_json(item->opened.pk, 33));
    report_add(json, "threshold_t", json_integer(item->opened.t));
    report_add(json, "threshold_n", json_integer(item->opened.n));
    return json;
}

/* Paths */

static void add(struct backup_paths *paths, char *path)
{
    if (paths->n == paths->cap) {
        char **more = mem_new(2 * paths->cap + 16, sizeof *more);

        if (paths->n > 0)
            memcpy(more, paths->v, paths->n * sizeof *more);
        free(paths->v);
        paths->v = more;
        paths->cap = 2 * paths->cap + 16;
    }
    paths->v[paths->n++] = path;
}

static int is_backup(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 4 && strcmp(entry->d_name + len - 4, ".qbk") == 0;
}

static bool add_directory(struct backup_paths *paths, const char *path, struct trouble *trouble)
{
    struct dirent **entries;
    int n = scandir(path, &entries, is_backup, alphasort);

    if (n < 0)
        return trouble_set(trouble, "cannot read %s: %s", path, strerror(errno));
    for (int i = 0; i < n; i++) {
        struct buffer text = {0};

        buffer_printf(&text, "%s/%s", path, entries[i]->d_name);
        add(paths, (char *)text.b);
        free(entries[i]);
    }
    free(entries);
    return n > 0 || trouble_set(trouble, "there is no backup (*.qbk) in %s", path);
}

bool backup_paths_of(struct backup_paths *out, const struct backup_request *request,
                     struct trouble *trouble)
{
    struct stat st;

    *out = (struct backup_paths){0};
    for (size_t i = 0; i < request->files_n; i++) {
        const char *path = request->files[i];

        if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
            add(out, text_copy(path));
        else if (!add_directory(out, path, trouble))
            return false;
    }
    return true;
}

void backup_paths_free(struct backup_paths *paths)
{
    for (size_t i = 0; i < paths->n; i++)
        free(paths->v[i]);
    free(paths->v);
    *paths = (struct backup_paths){0};
}
