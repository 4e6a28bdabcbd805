/* SPDX-License-Identifier: Apache-2.0 */
/* What the calls of the system leave to their callers: writes that are whole or failed, names that
 * survive a loss of power. errno says why something failed. */
#ifndef SYSTEM_CORE_DISK_H
#define SYSTEM_CORE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All |len| bytes at |at|. Whether they are on the disk is asked by fsync(2). */
bool disk_write(int fd, const void *b, size_t len, uint64_t at);
/* From |fd|'s place on, also of a pipe: |*got| is |cap|, or less where it ends. False: it cannot be
 * read; |*got| were. */
bool disk_read(int fd, void *b, size_t cap, size_t *got);
/* All |len| bytes at |fd|'s place, also into a pipe. */
bool disk_append(int fd, const void *b, size_t len);
/* The directory's names are on the disk. */
bool disk_sync_directory(const char *directory);
/* The same of the directory that holds |path|. */
bool disk_sync_parent(const char *path);

#endif
