/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate backup verify": each file on its own, but for the identity, which is one for all files
 * of a party; those that are sound get a receipt, whatever the others are. */
#include "backup.h"

#include "library.h"
#include "report.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/secret.h"

#include <stdlib.h>
#include <string.h>

/* Whose files these are: the first identity under each party's name. */
struct signer {
    char party_id[65];
    uint8_t identity[32];
    const char *path;
};

struct verifying {
    const struct backup_key *key;
    struct library library;
    json_t *verified;
    size_t failed;
    struct signer *signers;
    size_t signers_n;
};

static bool is_same_signer(struct verifying *v, const struct backup_item *item,
                           struct trouble *trouble)
{
    const struct backup_head *head = &item->parsed.head;
    struct signer *s = v->signers;

    while (s < v->signers + v->signers_n && strcmp(s->party_id, head->party_id) != 0)
        s++;
    if (s == v->signers + v->signers_n) {
        v->signers_n++;
        memcpy(s->party_id, head->party_id, sizeof s->party_id);
        memcpy(s->identity, head->identity, sizeof s->identity);
        s->path = item->path;
    }
    return memcmp(s->identity, head->identity, sizeof s->identity) == 0 ||
           trouble_set(trouble, "%s is of another identity of party %s than %s", item->path,
                       head->party_id, s->path);
}

static bool write_receipt(const struct verifying *v, const struct backup_item *item,
                          struct trouble *trouble)
{
    uint8_t receipt[BACKUP_RECEIPT];
    struct buffer path = {0};
    bool ok;

    backup_receipt_make(receipt, &item->parsed, v->key, clock_unix_ms());
    buffer_printf(&path, "%s.receipt", item->path);
    ok = file_replace((const char *)path.b, receipt, sizeof receipt, trouble);
    buffer_free(&path);
    return ok;
}

static void verify(struct verifying *v, const char *path)
{
    struct backup_item item;
    struct trouble trouble;

    if (backup_item_open(&item, path, v->key, v->library.ctx, &trouble) &&
        is_same_signer(v, &item, &trouble) && write_receipt(v, &item, &trouble)) {
        json_array_append_new(v->verified, backup_item_json(&item));
    } else {
        v->failed++;
        say("%s", trouble.text);
    }
    backup_item_close(&item);
}

static int run(struct verifying *v, const struct backup_paths *paths, bool as_json)
{
    json_t *report = json_object();

    v->verified = json_array();
    v->signers = mem_new(paths->n + 1, sizeof *v->signers);
    library_open(&v->library);
    for (size_t i = 0; i < paths->n; i++)
        verify(v, paths->v[i]);
    library_close(&v->library);
    free(v->signers);
    if (json_array_size(v->verified) == 0) {
        json_decref(v->verified);
        json_decref(report);
        return EXIT_REFUSED;
    }
    report_add(report, "sound", json_integer((json_int_t)json_array_size(v->verified)));
    report_add(report, "not_sound", json_integer((json_int_t)v->failed));
    report_add(report, "verified", v->verified);
    return report_print(report, as_json) && v->failed == 0 ? EXIT_DONE : EXIT_REFUSED;
}

int backup_command_verify(const struct backup_request *request)
{
    struct backup_key *key;
    struct backup_paths paths = {0};
    struct trouble trouble;
    struct verifying v = {0};
    int code;

    key = backup_key_read(request->key, request->passphrase_file, &trouble);
    if (key && backup_paths_of(&paths, request, &trouble)) {
        v.key = key;
        code = run(&v, &paths, request->json);
    } else {
        code = refuse("%s", trouble.text);
    }
    backup_paths_free(&paths);
    secret_free(key);
    return code;
}
