/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up a variable in an env file as the services read it: blanks around name and value go, a
 * value may stand in quotes, "export " may come first. */
#include "up.h"

#include <string.h>

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
