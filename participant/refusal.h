/* SPDX-License-Identifier: Apache-2.0 */
/* Why the keeper does not do what it was asked: a code for machines, one sentence for people. Codes
 * are names of include/quorate/error.h or one of these:
 *
 *   INTENT_SIGNATURE  INTENT_FORMAT  INTENT_EXPIRED  INTENT_ATTEMPT  INTENT_FIELD  INITIATOR
 *   ROSTER            ACCOUNT_EXISTS NO_SHARE        BURNED          FROZEN        NO_USER_KEY
 *   POLICY_REJECT     POLICY_RETRY   OVERLOADED      RESTARTED       SILENT        ENDED
 *   PRESIGNATURE_MISSING             STORAGE
 */
#ifndef PARTICIPANT_REFUSAL_H
#define PARTICIPANT_REFUSAL_H

#include <stdarg.h>
#include <stdbool.h>

enum { REFUSAL_TEXT_MAX = 240 };

struct refusal {
    /* constant; NULL: nothing is refused */
    const char *code;
    /* trying again, perhaps with others, may help */
    bool retry;
    char text[REFUSAL_TEXT_MAX];
};

/* Always false, for `return refuse(...)`. */
bool refuse(struct refusal *refusal, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, and trying again may help. */
bool refuse_for_now(struct refusal *refusal, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* For these two. */
void refusal_fill(struct refusal *refusal, const char *code, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

#endif
