/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files: read with a limit, written durably. */
#ifndef QUORATE_CLI_FILE_H
#define QUORATE_CLI_FILE_H

#include "say.h"

#include <stddef.h>
#include <stdint.h>

struct file {
    uint8_t *b; /* guarded: what is read may be secret */
    size_t len;
};

/* Read |path|, a regular file of at most |max| bytes. */
bool file_read(struct file *out, const char *path, size_t max, struct trouble *trouble);
void file_free(struct file *file);
bool file_exists(const char *path);

/* Write, sync, give it its name, sync the directory; mode 0600. On return the file is durable
 * and complete, or it does not exist. An existing file is never touched. */
bool file_write_new(const char *path, const uint8_t *b, size_t len, struct trouble *trouble);
/* The same, over an existing file, which stays whole until the new one is. */
bool file_replace(const char *path, const uint8_t *b, size_t len, struct trouble *trouble);
/* The same; nothing is written if that is what the file holds. */
bool file_update(const char *path, const uint8_t *b, size_t len, struct trouble *trouble);

#endif
