/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory callers may hold at a time: all together, and each of them. A caller that takes
 * all of its own share leaves room for the others. */
#ifndef COORDINATOR_BUDGET_H
#define COORDINATOR_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

enum { BUDGET_CALLER_MAX = 72 };

struct budget;

struct budget *budget_new(size_t all, size_t each);
/* What was taken is forgotten. NULL is nothing. */
void budget_free(struct budget *budget);
/* False: it would be more than |all| or than |each|, and nothing is taken. */
bool budget_take(struct budget *budget, const char *caller, size_t bytes);
/* What budget_take took for the same caller. */
void budget_give(struct budget *budget, const char *caller, size_t bytes);

#endif
