/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate backup seal" and "open": streams (system/vault/backup_stream.h) into new files. A file
 * has its name only once it is whole. */
#include "backup.h"

#include "report.h"

#include "system/core/disk.h"
#include "system/core/secret.h"
#include "system/vault/backup_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A file without its name yet. */
struct making {
    const char *path;
    char temporary[PATH_MAX];
    int fd;
};

static bool make(struct making *m, const char *path, struct trouble *trouble)
{
    int n = snprintf(m->temporary, sizeof m->temporary, "%s.tmp", path);

    m->path = path;
    m->fd = -1;
    if (n < 0 || (size_t)n >= sizeof m->temporary)
        return trouble_set(trouble, "the file name %s is too long", path);
    if (file_exists(path))
        return trouble_set(trouble, "%s exists already", path);
    unlink(m->temporary);
    m->fd = open(m->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return m->fd >= 0 || trouble_set(trouble, "cannot write %s: %s", path, strerror(errno));
}

/* link(2) replaces nothing. */
static bool name_it(struct making *m, struct trouble *trouble)
{
    if (fsync(m->fd) == 0 && link(m->temporary, m->path) == 0 && disk_sync_parent(m->path))
        return true;
    return trouble_set(trouble, "cannot write %s: %s", m->path, strerror(errno));
}

static int end(struct making *m, bool ok, bool json, struct trouble *trouble)
{
    json_t *report;

    ok = ok && name_it(m, trouble);
    if (m->fd >= 0) {
        close(m->fd);
        unlink(m->temporary);
    }
    if (!ok)
        return refuse("%s", trouble->text);
    report = json_object();
    report_add(report, "file", json_string(m->path));
    return report_print(report, json) ? EXIT_DONE : EXIT_REFUSED;
}

int backup_command_seal(const struct backup_request *request)
{
    struct backup_recipient recipient;
    char error[BACKUP_STREAM_ERROR];
    struct trouble trouble;
    struct making m;
    bool ok;

    if (!request->to || !request->out)
        return refuse_usage("--to and --out are needed; see quorate backup seal --help");
    if (!backup_recipient_parse(&recipient, request->to))
        return refuse("--to is no public text of a backup key (qbk1...), or one mistyped");
    ok = make(&m, request->out, &trouble);
    if (ok && !backup_stream_seal(STDIN_FILENO, m.fd, &recipient, error))
        ok = trouble_set(&trouble, "the stream into %s %s", request->out, error);
    return end(&m, ok, request->json, &trouble);
}

static bool open_into(int out, const struct backup_request *request, struct trouble *trouble)
{
    struct backup_key *key = backup_key_read(request->key, request->passphrase_file, trouble);
    char error[BACKUP_STREAM_ERROR];
    bool ok = false;
    int in;

    if (!key)
        return false;
    in = open(request->files[0], O_RDONLY | O_CLOEXEC);
    if (in < 0)
        trouble_set(trouble, "cannot open %s: %s", request->files[0], strerror(errno));
    else if (!(ok = backup_stream_open(in, out, key, error)))
        trouble_set(trouble, "%s %s", request->files[0], error);
    if (in >= 0)
        close(in);
    secret_free(key);
    return ok;
}

int backup_command_open(const struct backup_request *request)
{
    struct trouble trouble;
    struct making m;
    bool ok;

    if (!request->out || request->files_n != 1)
        return refuse_usage("one file and --out are needed; see quorate backup open --help");
    ok = make(&m, request->out, &trouble) && open_into(m.fd, request, &trouble);
    return end(&m, ok, request->json, &trouble);
}
