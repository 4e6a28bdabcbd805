/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of .env files: the text is cut up where it lies. Errors name file and line, and never
 * show a value. */
#include "system/core/config_file.h"

#include "system/core/buffer.h"
#include "system/core/config_table.h"
#include "system/core/secret.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20, NAME_MAX_SHOWN = 64 };

struct config_file {
    char *text;
    /* by row of the table; NULL: not set */
    const char **values;
    size_t *lines;
    /* others can read it */
    bool is_open;
};

static bool fault(char error[CONFIG_ERROR_MAX], const char *path, const char *why)
{
    snprintf(error, CONFIG_ERROR_MAX, "cannot read %s: %s", path, why);
    return false;
}

/* By others than those it is for. Where its owner is another user, as with secrets that the system
 * hands to a container or a unit, its group is how we may read it. */
static bool can_be_read(const struct stat *st)
{
    const mode_t others = st->st_uid == geteuid() ? 077 : 07;

    return S_ISREG(st->st_mode) && (st->st_mode & others) != 0;
}

static bool read_text(struct config_file *file, int fd, const char *path,
                      char error[CONFIG_ERROR_MAX])
{
    char **text = &file->text;
    struct stat st;
    size_t len = 0;
    ssize_t n = 1;

    if (fstat(fd, &st) != 0)
        return fault(error, path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return fault(error, path, "it is a directory");
    file->is_open = can_be_read(&st);
    *text = secret_new(FILE_MAX + 1);
    while (n > 0 && len <= FILE_MAX) {
        n = read(fd, *text + len, FILE_MAX + 1 - len);
        if (n > 0)
            len += (size_t)n;
    }
    if (n < 0)
        return fault(error, path, strerror(errno));
    if (len > FILE_MAX)
        return fault(error, path, "it is larger than 1 MiB");
    if (memchr(*text, 0, len))
        return fault(error, path, "it is no text: it has a zero byte");
    return true;
}

/* How many letters must be changed, added or taken away to make |b|, in capitals, of |a|. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_SHOWN + 1], n = strnlen(b, NAME_MAX_SHOWN);

    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t best = diagonal + (toupper((unsigned char)a[i]) != b[j]);

            diagonal = row[j + 1];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (diagonal + 1 < best)
                best = diagonal + 1;
            row[j + 1] = best;
        }
    }
    return row[n];
}

static const char *nearest(const char *name)
{
    const char *best = config_rows[0].name;

    for (size_t i = 1; i < config_rows_n; i++) {
        if (distance(name, config_rows[i].name) < distance(name, best))
            best = config_rows[i].name;
    }
    return best;
}

static char *trimmed(char *text)
{
    char *end;

    text += strspn(text, " \t\r");
    end = text + strlen(text);
    while (end > text && strchr(" \t\r", end[-1]))
        *--end = 0;
    return text;
}

static char *unquoted(char *text)
{
    size_t len = strlen(text);

    if (len >= 2 && (*text == '"' || *text == '\'') && text[len - 1] == *text) {
        text[len - 1] = 0;
        return text + 1;
    }
    return text;
}

static bool is_name(const char *text)
{
    return *text &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") ==
               strlen(text);
}

struct place {
    const char *path;
    size_t line;
    char *error;
};

static bool set(struct config_file *file, const struct place *at, const char *name,
                const char *value)
{
    for (size_t i = 0; i < config_rows_n; i++) {
        if (strcmp(config_rows[i].name, name) != 0)
            continue;
        if (file->values[i])
            snprintf(at->error, CONFIG_ERROR_MAX, "%s line %zu: %s is set already, in line %zu",
                     at->path, at->line, name, file->lines[i]);
        if (file->values[i])
            return false;
        file->values[i] = value;
        file->lines[i] = at->line;
        return true;
    }
    snprintf(at->error, CONFIG_ERROR_MAX, "%s line %zu: %.*s is not a variable; did you mean %s?",
             at->path, at->line, NAME_MAX_SHOWN, name, nearest(name));
    return false;
}

static bool take_line(struct config_file *file, const struct place *at, char *line)
{
    char *text = trimmed(line), *equals, *name;

    if (*text == 0 || *text == '#')
        return true;
    if (strncmp(text, "export ", 7) == 0)
        text += 7;
    equals = strchr(text, '=');
    if (equals)
        *equals = 0;
    name = trimmed(text);
    if (!equals || !is_name(name)) {
        snprintf(at->error, CONFIG_ERROR_MAX, "%s line %zu is not of the form NAME=VALUE", at->path,
                 at->line);
        return false;
    }
    return set(file, at, name, unquoted(trimmed(equals + 1)));
}

static bool take_lines(struct config_file *file, const char *path, char error[CONFIG_ERROR_MAX])
{
    char *line = file->text;

    for (size_t n = 1; line; n++) {
        struct place at = {path, n, error};
        char *end = strchr(line, '\n');

        if (end)
            *end = 0;
        if (!take_line(file, &at, line))
            return false;
        line = end ? end + 1 : NULL;
    }
    return true;
}

/* A file for everybody may be read as long as no secret is in it. */
static bool keeps_secrets(const struct config_file *file, const char *path,
                          char error[CONFIG_ERROR_MAX])
{
    for (size_t i = 0; file->is_open && i < config_rows_n; i++) {
        if (!(config_rows[i].flags & CONFIG_SECRET) || !file->values[i] || !file->values[i][0])
            continue;
        snprintf(error, CONFIG_ERROR_MAX, "%s has secrets and can be read by others: chmod 600 it",
                 path);
        return false;
    }
    return true;
}

struct config_file *config_file_read(const char *path, char error[CONFIG_ERROR_MAX])
{
    struct config_file *file = mem_new(1, sizeof *file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok;

    file->values = mem_new(config_rows_n, sizeof *file->values);
    file->lines = mem_new(config_rows_n, sizeof *file->lines);
    ok = fd >= 0 ? read_text(file, fd, path, error) : fault(error, path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (ok && take_lines(file, path, error) && keeps_secrets(file, path, error))
        return file;
    config_file_free(file);
    return NULL;
}

const char *config_file_value(const struct config_file *file, const char *name)
{
    for (size_t i = 0; i < config_rows_n; i++) {
        if (strcmp(config_rows[i].name, name) == 0)
            return file->values[i];
    }
    return NULL;
}

void config_file_free(struct config_file *file)
{
    if (!file)
        return;
    secret_free(file->text);
    free(file->values);
    free(file->lines);
    free(file);
}
