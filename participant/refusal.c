/* SPDX-License-Identifier: Apache-2.0 */
/* Filling a refusal. A sentence that is too long is cut, never an error of its own. */
#include "participant/refusal.h"

#include <stdarg.h>
#include <stdio.h>

static void fill(struct refusal *refusal, const char *code, const char *format, va_list args)
{
    refusal->code = code;
    (void)vsnprintf(refusal->text, sizeof refusal->text, format, args);
}

bool refuse(struct refusal *refusal, const char *code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fill(refusal, code, format, args);
    va_end(args);
    refusal->retry = false;
    return false;
}

bool refuse_for_now(struct refusal *refusal, const char *code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fill(refusal, code, format, args);
    va_end(args);
    refusal->retry = true;
    return false;
}
