/* SPDX-License-Identifier: Apache-2.0 */
/* See names.h. */
#include "system/rpc/names.h"

#include "system/core/buffer.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_LEN = 64 };

const char *names_keep(struct names *names, const char *name, size_t len)
{
    if (len == 0 || len > NAME_LEN || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != len)
        return NULL;
    for (size_t i = 0; i < NAMES_MAX; i++) {
        if (names->all[i] == NULL)
            names->all[i] = mem_copy(name, len + 1);
        if (strcmp(names->all[i], name) == 0)
            return names->all[i];
    }
    return NULL;
}

void names_free(struct names *names)
{
    for (size_t i = 0; i < NAMES_MAX; i++)
        free(names->all[i]);
}
