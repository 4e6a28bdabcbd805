/* SPDX-License-Identifier: Apache-2.0 */
/* Is an audit log whole? Every chain from its first row on, each row's hash made again; and every
 * head that a chain's beginning or the operator's own list names must be there as it was. */
#ifndef QUORATE_CLI_AUDIT_CHECK_H
#define QUORATE_CLI_AUDIT_CHECK_H

#include "audit_rows.h"

struct audit_check;

struct audit_check *audit_check_new(void);
void audit_check_free(struct audit_check *check);

/* |head| must turn up; |who| (lent) says so. Before the rows. */
void audit_check_want(struct audit_check *check, const struct audit_head *head, const char *who);
/* The next row of any chain. */
void audit_check_row(struct audit_check *check, const struct audit_link *link);

struct audit_result {
    size_t chains, rows, faults;
};
/* After the last row. Faults have been said, the first twenty of them. */
struct audit_result audit_check_end(struct audit_check *check);
/* The heads of all chains, a line each; heap, the caller's. */
char *audit_check_heads(const struct audit_check *check);

#endif
