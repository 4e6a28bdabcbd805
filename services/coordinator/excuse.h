/* SPDX-License-Identifier: Apache-2.0 */
/* What a party that could not take part says of itself: pure, from the code of its report.
 *
 * Whoever says "not now" answers faster and is less loaded than anybody who works: if nothing were
 * made of it, it would be asked again and again while others could do. */
#ifndef COORDINATOR_EXCUSE_H
#define COORDINATOR_EXCUSE_H

#include <stdbool.h>

enum excuse {
    /* nothing: others kept it from it, or the next attempt asks for something else */
    EXCUSE_NONE,
    /* not now, to this request: a policy that wants time */
    EXCUSE_REQUEST,
    /* not now, to anybody: too much to do, a disk that does not work */
    EXCUSE_PARTY,
    /* it has no share of this key */
    EXCUSE_SHARE
};

/* |retry|: the report says that trying again may help. |accuses|: it names a culprit. */
enum excuse excuse_of(const char *code, bool retry, bool accuses);

#endif
