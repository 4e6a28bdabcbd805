/* SPDX-License-Identifier: Apache-2.0 */
/* See disk.h. */
#include "system/core/disk.h"

#include "system/core/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool disk_write(int fd, const void *b, size_t len, uint64_t at)
{
    const uint8_t *next = b;

    while (len > 0) {
        ssize_t n = pwrite(fd, next, len, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        next += n;
        at += (size_t)n;
        len -= (size_t)n;
    }
    return true;
}

bool disk_read(int fd, void *b, size_t cap, size_t *got)
{
    for (*got = 0; *got < cap;) {
        ssize_t n = read(fd, (uint8_t *)b + *got, cap - *got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return true;
}

bool disk_append(int fd, const void *b, size_t len)
{
    const uint8_t *next = b;

    while (len > 0) {
        ssize_t n = write(fd, next, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        next += n;
        len -= (size_t)n;
    }
    return true;
}

bool disk_sync_directory(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int why = errno;

    if (fd >= 0)
        close(fd);
    errno = why;
    return ok;
}

bool disk_sync_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash ? text_copy(path) : text_copy(".");
    bool ok;

    if (slash)
        directory[slash == path ? 1 : slash - path] = '\0';
    ok = disk_sync_directory(directory);
    free(directory);
    return ok;
}
