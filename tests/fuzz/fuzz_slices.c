/* SPDX-License-Identifier: Apache-2.0 */
/* What an API server says of EndpointSlices: each line is tried as a list if it begins with L, else
 * as an event. What is refused has a reason and changes nothing; what is known is in order, each
 * once, and made of names that parties can have. */
#include "fuzz.h"

#include "system/core/ids.h"
#include "system/discovery/slices.h"

#include <stdlib.h>
#include <string.h>

/* Names and version, one after the other. */
static char *known(struct slices *slices)
{
    size_t n, len = strlen(slices_version(slices)) + 1;
    const char *const *pods = slices_pods(slices, &n);
    char *text, *at;

    for (size_t i = 0; i < n; i++) {
        fuzz_need(party_id_is_valid(pods[i]));
        fuzz_need(i == 0 || strcmp(pods[i - 1], pods[i]) < 0);
        len += strlen(pods[i]) + 1;
    }
    text = malloc(len);
    fuzz_need(text);
    at = stpcpy(text, slices_version(slices));
    for (size_t i = 0; i < n; i++) {
        *at++ = ' ';
        at = stpcpy(at, pods[i]);
    }
    return text;
}

static void say(struct slices *slices, const char *line, size_t len)
{
    char why[RPC_TEXT_MAX] = "", *before = known(slices), *after;
    bool is_list = len > 0 && line[0] == 'L';
    bool taken = is_list ? slices_list(slices, line + 1, len - 1, why)
                         : slices_event(slices, line, len, why);

    after = known(slices);
    fuzz_need(taken ? party_id_is_valid(slices_version(slices)) : why[0] != 0);
    fuzz_need(taken || strcmp(before, after) == 0);
    free(before);
    free(after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slices *slices = slices_new();
    const char *line = (const char *)data, *end = line + size;

    while (line < end) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        size_t len = (size_t)((next ? next : end) - line);

        say(slices, line, len);
        line += len + 1;
    }
    slices_free(slices);
    return 0;
}
