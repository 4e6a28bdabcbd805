/* SPDX-License-Identifier: Apache-2.0 */
/* Parties that run and do not serve until somebody has opened their backups (BACKUP_REQUIRED). Only
 * who has the recipient's key can end that, and nobody knows when: it is told, not waited for. */
#include "up.h"

#include "system/core/buffer.h"

#include <string.h>

static void add_directory(struct buffer *words, const struct up_system *system,
                          const struct up_member *m)
{
    char path[PATH_MAX];
    struct trouble trouble;
    struct config_file *file = up_env(path, system, m, &trouble);
    const char *directory = file ? config_file_value(file, "BACKUP_DIR") : NULL;

    if (directory)
        buffer_printf(words, " %s", directory);
    config_file_free(file);
}

void up_receipt_tell(const struct up_system *system, const struct up_member *const members[],
                     size_t n)
{
    struct buffer names = {0}, words = {0};

    for (size_t i = 0; i < n; i++) {
        buffer_printf(&names, "%s%s", i ? ", " : "", members[i]->name);
        add_directory(&words, system, members[i]);
    }
    say("%s: %s (BACKUP_REQUIRED): quorate backup verify --key FILE%s", (const char *)names.b,
        n == 1 ? "it serves once there is a receipt of its backups"
               : "they serve once there are receipts of their backups",
        words.b ? (const char *)words.b : " DIR");
    buffer_free(&names);
    buffer_free(&words);
}
