/* SPDX-License-Identifier: Apache-2.0 */
/* Codes are those of participant/refusal.h and quorate/error.h. One that is not known here is the
 * reporter's own trouble: that it is asked last costs nothing while there are others. */
#include "services/coordinator/excuse.h"

#include "quorate/error.h"

#include <string.h>

/* Waited for others, was left by one, misses what only this attempt asks for. */
static bool is_of_others(const char *code)
{
    return strcmp(code, "SILENT") == 0 || strcmp(code, "PRESIGNATURE_MISSING") == 0 ||
           strcmp(code, qrt_err_name(QRT_E_PEER_ABORT)) == 0;
}

enum excuse excuse_of(const char *code, bool retry, bool accuses)
{
    if (!retry || accuses || is_of_others(code))
        return EXCUSE_NONE;
    if (strcmp(code, "NO_SHARE") == 0)
        return EXCUSE_SHARE;
    if (strcmp(code, "STORAGE") == 0 || strcmp(code, "OVERLOADED") == 0)
        return EXCUSE_PARTY;
    return EXCUSE_REQUEST;
}
