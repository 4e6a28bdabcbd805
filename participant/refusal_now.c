/* SPDX-License-Identifier: Apache-2.0 */
/* Filling a refusal. A sentence that is too long is cut, never an error of its own. In a file
 * without refuse, so that a program that opens shares may have a function of that name. */
#include "participant/refusal.h"

#include <stdio.h>

void refusal_fill(struct refusal *refusal, const char *code, const char *format, va_list args)
{
    refusal->code = code;
    (void)vsnprintf(refusal->text, sizeof refusal->text, format, args);
}

bool refuse_for_now(struct refusal *refusal, const char *code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    refusal_fill(refusal, code, format, args);
    va_end(args);
    refusal->retry = true;
    return false;
}
