/* SPDX-License-Identifier: Apache-2.0 */
/* Logs of the processes that `quorate up` runs. A log is set aside when its process starts and it
 * has grown large; one old log is kept. */
#define _GNU_SOURCE /* O_CLOEXEC with all its friends */

#include "up.h"

#include "participant/backup_log.h"
#include "system/core/buffer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOG_MAX = 16 << 20, PART = 1 << 20 };

int up_log_open(const char *path)
{
    char old[PATH_MAX];
    struct stat st;
    int n = snprintf(old, sizeof old, "%s.1", path);

    if (n > 0 && (size_t)n < sizeof old && stat(path, &st) == 0 && st.st_size > LOG_MAX)
        (void)rename(path, old);
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

off_t up_log_end(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_size <= LOG_MAX ? st.st_size : 0;
}

/* At most PART bytes of the file from |from| on, without the line that is cut; a zero byte ends
 * them. |from| below 0 counts from the file's end. */
static void read_part(char part[PART + 1], const char *path, off_t from)
{
    FILE *f = fopen(path, "r");
    size_t n = 0;

    if (f && (fseeko(f, from, from < 0 ? SEEK_END : SEEK_SET) == 0 || from < 0))
        n = fread(part, 1, PART, f);
    if (f)
        fclose(f);
    part[n] = '\0';
    if (n == PART && strrchr(part, '\n'))
        *strrchr(part, '\n') = '\0';
}

/* What an error line of log.h says: time, "error", service, sentence. NULL: it is none. */
static const char *sentence_of(const char *line)
{
    const char *level = strchr(line, ' '), *service;

    if (!level || strncmp(level, " error ", 7) != 0)
        return NULL;
    service = strchr(level + 7, ' ');
    return service ? service + 1 : NULL;
}

void up_log_error(char *out, size_t cap, const char *path, off_t from)
{
    char *part = mem_new(1, PART + 1), *rest = NULL;
    const char *last = NULL, *sentence = NULL;

    read_part(part, path, from);
    for (char *line = strtok_r(part, "\r\n", &rest); line && !sentence;
         line = strtok_r(NULL, "\r\n", &rest)) {
        sentence = sentence_of(line);
        last = line;
    }
    snprintf(out, cap, "%s", sentence ? sentence : last ? last : "it says nothing");
    free(part);
}

bool up_log_waits(const char *path, off_t from)
{
    char *part = mem_new(1, PART + 1), *rest = NULL;
    bool waits = false;

    read_part(part, path, from < 0 ? -(off_t)PART : from);
    for (char *line = strtok_r(part, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest))
        waits = strstr(line, BACKUP_LOG_WAITS) || (waits && !strstr(line, BACKUP_LOG_SERVES));
    free(part);
    return waits;
}

/* Told to stop, it ended for no fault, nor for one that it served after. That the keeper has ended
 * is no reason: it gave its own. */
static const char *reason_after(const char *line, const char *reason)
{
    const char *sentence = sentence_of(line);

    if (strstr(line, " stopping signal=") || strstr(line, BACKUP_LOG_SERVES))
        return NULL;
    return sentence && strcmp(sentence, "the keeper has ended") != 0 ? sentence : reason;
}

bool up_log_reason(char *out, size_t cap, const char *path)
{
    char *part = mem_new(1, PART + 1), *rest = NULL;
    const char *reason = NULL;

    read_part(part, path, -(off_t)PART);
    for (char *line = strtok_r(part, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest))
        reason = reason_after(line, reason);
    snprintf(out, cap, "%s", reason ? reason : "");
    free(part);
    return reason != NULL;
}
