/* SPDX-License-Identifier: Apache-2.0 */
#include "system/rpc/targets.h"

#include "system/core/buffer.h"

#include <stdlib.h>
#include <string.h>

/* Up to the comma, without blanks around it. */
static char *item(const char *text, size_t len)
{
    char *copy;

    while (len && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    while (len && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    copy = mem_new(len + 1, 1);
    memcpy(copy, text, len);
    return copy;
}

void targets_init(struct targets *targets, const char *text)
{
    *targets = (struct targets){0};
    for (;;) {
        size_t len = strcspn(text, ",");

        targets->list[targets->n++] = item(text, len);
        if (!text[len] || targets->n == TARGETS_MAX)
            return;
        text += len + 1;
    }
}

void targets_free(struct targets *targets)
{
    for (size_t i = 0; i < targets->n; i++)
        free(targets->list[i]);
}

const char *targets_one(const struct targets *targets)
{
    return targets->list[targets->at];
}

void targets_next(struct targets *targets)
{
    targets->at = (targets->at + 1) % targets->n;
}

bool targets_failed(struct targets *targets)
{
    targets_next(targets);
    if (++targets->failed < targets->n)
        return false;
    targets->failed = 0;
    return true;
}

void targets_succeeded(struct targets *targets)
{
    targets->failed = 0;
}
