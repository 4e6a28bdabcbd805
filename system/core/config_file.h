/* SPDX-License-Identifier: Apache-2.0 */
/* A file of NAME=VALUE lines. Blanks around name and value go; a value may stand in '...' or "...";
 * lines that are empty or begin with # are skipped; "export " may come first. Nothing is expanded.
 *
 * The file may hold secrets: it is kept in guarded memory and wiped; and then it must be its
 * owner's alone. If it belongs to another user than ours (a secret that is mounted into a
 * container, a file of root's), its group may read it; it may be a symbolic link, as mounted
 * secrets are. */
#ifndef SYSTEM_CORE_CONFIG_FILE_H
#define SYSTEM_CORE_CONFIG_FILE_H

#include "system/core/config.h"

#include <stdbool.h>
#include <stddef.h>

struct config_file;

/* NULL with one line in |error| if it cannot be read, is larger than 1 MiB, has a line of another
 * form, a name twice, or a name that the table does not have, or if others can read its secrets. */
struct config_file *config_file_read(const char *path, char error[CONFIG_ERROR_MAX]);
/* Lent; NULL if the file does not set it. */
const char *config_file_value(const struct config_file *file, const char *name);
/* NULL is nothing. */
void config_file_free(struct config_file *file);

#endif
