/* SPDX-License-Identifier: Apache-2.0 */
/* Logs of the processes that `quorate up` runs. A log is set aside when its process starts and it
 * has grown large; one old log is kept. */
#define _GNU_SOURCE /* O_CLOEXEC with all its friends */

#include "up.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOG_MAX = 16 << 20, TAIL = 4096 };

int up_log_open(const char *path)
{
    char old[PATH_MAX];
    struct stat st;
    int n = snprintf(old, sizeof old, "%s.1", path);

    if (n > 0 && (size_t)n < sizeof old && stat(path, &st) == 0 && st.st_size > LOG_MAX)
        (void)rename(path, old);
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

/* The last bytes of the file. */
static size_t read_tail(char tail[TAIL], const char *path)
{
    FILE *f = fopen(path, "r");
    size_t n;

    if (!f)
        return 0;
    if (fseek(f, -TAIL, SEEK_END) != 0)
        rewind(f);
    n = fread(tail, 1, TAIL, f);
    fclose(f);
    return n;
}

void up_log_last_line(char *out, size_t cap, const char *path)
{
    char tail[TAIL];
    size_t end = read_tail(tail, path), begin;

    while (end > 0 && strchr("\r\n", tail[end - 1]))
        end--;
    begin = end;
    while (begin > 0 && tail[begin - 1] != '\n')
        begin--;
    snprintf(out, cap, "%.*s", (int)(end - begin), tail + begin);
}
