/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate backup seal" and "open": streams (system/vault/backup_stream.h) into new files. A file
 * has its name only once it is whole. */
#include "backup.h"

#include "hex.h"
#include "report.h"

#include "system/core/clock.h"
#include "system/core/disk.h"
#include "system/core/key_file.h"
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

/* Of a stream: who signed it, when. */
struct told {
    uint8_t signer[32];
    int64_t time_ms;
};

static int end(struct making *m, bool ok, const struct told *told, bool json,
               struct trouble *trouble)
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
    report_add(report, "made", backup_time_json(told->time_ms));
    report_add(report, "signed_by", hex_json(told->signer, sizeof told->signer));
    return report_print(report, json) ? EXIT_DONE : EXIT_REFUSED;
}

static bool seal_into(int out, const struct backup_request *request, struct told *told,
                      struct trouble *trouble)
{
    struct backup_recipient recipient;
    char error[BACKUP_STREAM_ERROR];
    uint8_t *pair = secret_new(KEY_FILE_PAIR);
    const struct backup_sealing sealing = {&recipient, pair, told->time_ms};
    bool ok;

    ok = (backup_recipient_parse(&recipient, request->to) ||
          trouble_set(trouble, "--to is no public text of a backup key (qbk1...), or one "
                               "mistyped")) &&
         key_file_read_pair(pair, request->sign_key, trouble->text);
    if (ok && !backup_stream_seal(STDIN_FILENO, out, &sealing, error))
        ok = trouble_set(trouble, "the stream into %s %s", request->out, error);
    memcpy(told->signer, pair + KEY_FILE_SEED, sizeof told->signer);
    secret_free(pair);
    return ok;
}

int backup_command_seal(const struct backup_request *request)
{
    struct told told = {.time_ms = clock_unix_ms()};
    struct trouble trouble;
    struct making m;
    bool ok;

    if (!request->to || !request->sign_key || !request->out)
        return refuse_usage("--to, --sign-key and --out are needed; see quorate backup seal "
                            "--help");
    ok = make(&m, request->out, &trouble) && seal_into(m.fd, request, &told, &trouble);
    return end(&m, ok, &told, request->json, &trouble);
}

static bool check_age(const struct told *told, const char *path, struct trouble *trouble)
{
    int64_t now = clock_unix_ms();

    return (told->time_ms >= now - BACKUP_AGE_MS && told->time_ms <= now + BACKUP_AHEAD_MS) ||
           trouble_set(
               trouble,
               "%s is more than %d days old, or of a clock that was ahead: what was stored, "
               "burned and frozen since is not in it; give the newest, or accept that with "
               "--accept-age",
               path, BACKUP_AGE_DAYS);
}

static bool open_into(int out, const struct backup_request *request, struct told *told,
                      struct trouble *trouble)
{
    struct backup_key *key = backup_key_read(request->key, request->passphrase_file, trouble);
    struct backup_opening opening = {key, told->signer, -1};
    const char *path = request->files[0];
    char error[BACKUP_STREAM_ERROR];
    bool ok = false;
    int in;

    if (!key)
        return false;
    in = open(path, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        trouble_set(trouble, "cannot open %s: %s", path, strerror(errno));
    else if (!(ok = backup_stream_open(in, out, &opening, error)))
        trouble_set(trouble, "%s %s", path, error);
    if (in >= 0)
        close(in);
    secret_free(key);
    told->time_ms = opening.time_ms;
    return ok && (request->accept_age || check_age(told, path, trouble));
}

int backup_command_open(const struct backup_request *request)
{
    struct trouble trouble;
    struct told told;
    struct making m;
    bool ok;

    if (!request->out || !request->signed_by || request->files_n != 1)
        return refuse_usage("one file, --signed-by and --out are needed; see quorate backup open "
                            "--help");
    if (!hex_read_exact(told.signer, sizeof told.signer, request->signed_by))
        return refuse_usage("--signed-by takes the 64 hex digits that backup seal showed");
    ok = make(&m, request->out, &trouble) && open_into(m.fd, request, &told, &trouble);
    return end(&m, ok, &told, request->json, &trouble);
}
