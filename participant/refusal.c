/* SPDX-License-Identifier: Apache-2.0 */
/* A refusal for good. */
#include "participant/refusal.h"

bool refuse(struct refusal *refusal, const char *code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    refusal_fill(refusal, code, format, args);
    va_end(args);
    refusal->retry = false;
    return false;
}
