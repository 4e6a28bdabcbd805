/* SPDX-License-Identifier: Apache-2.0 */
/* See front_backup.h. What works on files runs on libuv's threads and touches its job only. */
#include "participant/front_backup.h"

#include "system/core/buffer.h"
#include "system/core/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ERROR_MAX = 256, READ_MAX = 1024, NAME_LEN = 200 };

/* The name's bytes are the keeper's own ids; whatever they are, they stay in the directory. */
static const char name_bytes[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

struct front_backup {
    uv_loop_t *loop;
    uv_work_t work;
    void (*done)(void *arg, const Mpc__Keeper__V1__BackupAnswer *answer);
    void *arg;
    char *directory;
    bool is_busy, is_freed;
    /* the job, and what came of it */
    Mpc__Keeper__V1__BackupFile__Act act;
    uint64_t number;
    char path[PATH_MAX];
    struct buffer content;
    bool found;
    char error[ERROR_MAX];
};

struct front_backup *
front_backup_new(uv_loop_t *loop, const char *directory,
                 void (*done)(void *arg, const Mpc__Keeper__V1__BackupAnswer *answer), void *arg)
{
    struct front_backup *f = mem_new(1, sizeof *f);

    f->loop = loop;
    f->directory = text_copy(directory);
    f->done = done;
    f->arg = arg;
    f->work.data = f;
    return f;
}

static void clean(struct front_backup *f)
{
    buffer_free(&f->content);
    free(f->directory);
    free(f);
}

void front_backup_free(struct front_backup *f)
{
    if (!f)
        return;
    f->is_freed = true;
    if (!f->is_busy)
        clean(f);
}

/* Files */

static bool fault(struct front_backup *f, const char *what)
{
    snprintf(f->error, sizeof f->error, "cannot %s %.160s: %s", what, f->path, strerror(errno));
    return false;
}

static bool put_at(const struct front_backup *f, const char *temporary)
{
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0 && disk_write(fd, f->content.b, f->content.len, 0) && fsync(fd) == 0;

    if (fd >= 0 && close(fd) != 0)
        ok = false;
    return ok && rename(temporary, f->path) == 0;
}

static void put_file(struct front_backup *f)
{
    char temporary[PATH_MAX + 8];

    snprintf(temporary, sizeof temporary, "%s.new", f->path);
    (void)mkdir(f->directory, 0700);
    if (!put_at(f, temporary) || !disk_sync_directory(f->directory)) {
        fault(f, "write");
        (void)unlink(temporary);
    }
}

static void look_file(struct front_backup *f)
{
    struct stat st;

    f->found = stat(f->path, &st) == 0 && S_ISREG(st.st_mode);
    if (!f->found && errno != ENOENT && errno != 0)
        fault(f, "look for");
}

static void read_file(struct front_backup *f)
{
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    uint8_t b[READ_MAX];
    ssize_t n;

    if (fd < 0) {
        if (errno != ENOENT)
            fault(f, "open");
        return;
    }
    n = read(fd, b, sizeof b);
    close(fd);
    f->found = n > 0;
    if (f->found)
        buffer_add(&f->content, b, (size_t)n);
}

static void on_work(uv_work_t *work)
{
    struct front_backup *f = work->data;

    switch (f->act) {
    case MPC__KEEPER__V1__BACKUP_FILE__ACT__PUT:
        put_file(f);
        break;
    case MPC__KEEPER__V1__BACKUP_FILE__ACT__LOOK:
        errno = 0;
        look_file(f);
        break;
    default:
        read_file(f);
        break;
    }
}

/* The loop */

static void answer(struct front_backup *f, uint64_t number, const char *error)
{
    Mpc__Keeper__V1__BackupAnswer reply = MPC__KEEPER__V1__BACKUP_ANSWER__INIT;

    reply.number = number;
    reply.error = (char *)error;
    if (!error[0]) {
        reply.found = f->found;
        if (f->act == MPC__KEEPER__V1__BACKUP_FILE__ACT__READ)
            reply.content = (ProtobufCBinaryData){f->content.len, f->content.b};
    }
    f->done(f->arg, &reply);
}

static void on_done(uv_work_t *work, int status)
{
    struct front_backup *f = work->data;

    f->is_busy = false;
    if (f->is_freed) {
        clean(f);
        return;
    }
    answer(f, f->number, status < 0 ? "stopped" : f->error);
    buffer_free(&f->content);
}

static bool begin(struct front_backup *f, const Mpc__Keeper__V1__BackupFile *file)
{
    size_t len = strlen(file->name);
    int n;

    if (!len || len > NAME_LEN || file->name[0] == '.' || strspn(file->name, name_bytes) != len)
        return false;
    n = snprintf(f->path, sizeof f->path, "%s/%s", f->directory, file->name);
    f->act = file->act;
    f->number = file->number;
    f->found = false;
    f->error[0] = '\0';
    f->content = (struct buffer){0};
    buffer_add(&f->content, file->content.data, file->content.len);
    if (f->act != MPC__KEEPER__V1__BACKUP_FILE__ACT__PUT)
        buffer_free(&f->content);
    return n >= 0 && (size_t)n < sizeof f->path;
}

void front_backup_take(struct front_backup *f, const Mpc__Keeper__V1__BackupFile *file)
{
    const char *error = !f->directory[0] ? "BACKUP_DIR is not set"
                        : f->is_busy     ? "BACKUP_DIR has not answered yet"
                                         : "";

    if (!error[0] && !begin(f, file))
        error = "that is no name of a backup file";
    if (!error[0]) {
        f->is_busy = true;
        if (uv_queue_work(f->loop, &f->work, on_work, on_done) == 0)
            return;
        f->is_busy = false;
        error = "no thread for backups";
    }
    answer(f, file->number, error);
}
