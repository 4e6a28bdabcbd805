/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up a variable in an env file as the services read it: blanks around name and value go, a
 * value may stand in quotes, "export " may come first. */
#include "up.h"

#include "file.h"
#include "secret.h"

#include <stdio.h>
#include <string.h>

enum { ENV_MAX = 1 << 20 };

/* Does the line say |name|? Then what follows the equals sign. */
static const char *value_of(const char *line, const char *name)
{
    line += strspn(line, " \t");
    if (strncmp(line, "export ", 7) == 0)
        line += 7 + strspn(line + 7, " \t");
    if (strncmp(line, name, strlen(name)) != 0)
        return NULL;
    line += strlen(name);
    line += strspn(line, " \t");
    return *line == '=' ? line + 1 : NULL;
}

static bool copy_trimmed(char *out, size_t cap, const char *value)
{
    size_t len;

    value += strspn(value, " \t");
    len = strcspn(value, "\n");
    while (len && strchr(" \t\r", value[len - 1]))
        len--;
    if (len >= 2 && strchr("'\"", value[0]) && value[len - 1] == value[0]) {
        value++;
        len -= 2;
    }
    if (len >= cap)
        return false;
    memcpy(out, value, len);
    out[len] = '\0';
    return true;
}

bool up_env_value(char *out, size_t cap, const char *text, const char *name)
{
    for (const char *line = text; line; line = strchr(line, '\n')) {
        const char *value;

        line += *line == '\n';
        value = value_of(line, name);
        if (value)
            return copy_trimmed(out, cap, value);
    }
    return false;
}

char *up_env_text(char path[PATH_MAX], const struct up_system *system, const struct up_member *m,
                  struct trouble *trouble)
{
    char name[UP_NAME_MAX + 8];
    struct file file;
    char *text;

    snprintf(name, sizeof name, "%s.env", m->name);
    up_path(path, system, name, NULL);
    if (!file_read(&file, path, ENV_MAX, trouble))
        return NULL;
    text = secret_alloc(file.len + 1);
    memcpy(text, file.b, file.len);
    file_free(&file);
    return text;
}
