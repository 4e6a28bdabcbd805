/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files. A new file gets its name by link(2), which, unlike rename(2), never replaces one
 * that exists; where the file system has no hard links nothing is written. A leftover
 * temporary file is never looked at, only overwritten by the next write of the same name. */
#include "file.h"

#include "system/core/disk.h"
#include "system/core/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_open(struct file *out, int fd, const char *path, size_t max,
                      struct trouble *trouble)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return trouble_set(trouble, "cannot read %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return trouble_set(trouble, "%s is not a regular file", path);
    if ((uintmax_t)st.st_size > max)
        return trouble_set(trouble, "%s is too large: more than %zu bytes", path, max);
    out->b = secret_new((size_t)st.st_size);
    if (!disk_read(fd, out->b, (size_t)st.st_size, &out->len)) {
        file_free(out);
        return trouble_set(trouble, "cannot read %s: %s", path, strerror(errno));
    }
    return true;
}

bool file_read(struct file *out, const char *path, size_t max, struct trouble *trouble)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool ok;

    *out = (struct file){0};
    if (fd < 0 && errno == ENOENT && file_exists(path))
        return trouble_set(trouble, "%s is a symbolic link to a file that does not exist", path);
    if (fd < 0)
        return trouble_set(trouble, "cannot open %s: %s", path[0] ? path : "a file with no name",
                           strerror(errno));
    ok = read_open(out, fd, path, max, trouble);
    close(fd);
    return ok;
}

void file_free(struct file *file)
{
    secret_free(file->b);
    *file = (struct file){0};
}

bool file_exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

/* The synced bytes of |path| under the name |temporary|. */
static bool write_temporary(const char *temporary, const char *path, const uint8_t *b, size_t len,
                            struct trouble *trouble)
{
    int fd, why;
    bool ok;

    unlink(temporary);
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return trouble_set(trouble, "%s is in the way and cannot be replaced: remove it",
                           temporary);
    if (fd < 0)
        return trouble_set(trouble, "cannot write %s: %s", path, strerror(errno));
    ok = disk_write(fd, b, len, 0) && fsync(fd) == 0;
    why = errno;
    if (close(fd) == 0 && ok)
        return true;
    unlink(temporary);
    return trouble_set(trouble, "cannot write %s: %s", path, strerror(ok ? errno : why));
}

/* |give_name| turns the synced temporary file into |path|. */
static bool write_with(const char *path, const uint8_t *b, size_t len,
                       int (*give_name)(const char *, const char *), struct trouble *trouble)
{
    char temporary[PATH_MAX];
    int n = snprintf(temporary, sizeof temporary, "%s.tmp", path);

    if (n < 0 || (size_t)n >= sizeof temporary)
        return trouble_set(trouble, "the file name %s is too long", path);
    if (!write_temporary(temporary, path, b, len, trouble))
        return false;
    if (give_name(temporary, path) != 0) {
        int why = errno;

        unlink(temporary);
        return trouble_set(trouble, "cannot write %s: %s", path, strerror(why));
    }
    unlink(temporary);
    if (!disk_sync_parent(path))
        return trouble_set(trouble, "cannot sync the directory of %s: %s", path, strerror(errno));
    return true;
}

bool file_write_new(const char *path, const uint8_t *b, size_t len, struct trouble *trouble)
{
    return write_with(path, b, len, link, trouble);
}

bool file_replace(const char *path, const uint8_t *b, size_t len, struct trouble *trouble)
{
    return write_with(path, b, len, rename, trouble);
}

bool file_update(const char *path, const uint8_t *b, size_t len, struct trouble *trouble)
{
    struct trouble unread;
    struct file file;
    bool same = file_read(&file, path, len, &unread) && file.len == len &&
                (len == 0 || memcmp(file.b, b, len) == 0);

    file_free(&file);
    return same || file_replace(path, b, len, trouble);
}
