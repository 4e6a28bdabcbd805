/* SPDX-License-Identifier: Apache-2.0 */
/* Where the rows of an audit log come from: account-service's database, also while that runs, or a
 * file that "quorate audit list --all --json" wrote. */
#ifndef QUORATE_CLI_AUDIT_ROWS_H
#define QUORATE_CLI_AUDIT_ROWS_H

#include "say.h"

#include "system/access/audit.h"

#include <jansson.h>
#include <stddef.h>

struct audit_source;

/* |file| NULL: the database of |env|. NULL with |trouble|. */
struct audit_source *audit_open(const char *env, const char *file, struct trouble *trouble);
void audit_close(struct audit_source *source);

/* As it stands there; lent for the call. */
struct audit_link {
    struct audit_row row;
    uint8_t prev[AUDIT_HASH], hash[AUDIT_HASH];
};
typedef void audit_each(const struct audit_link *link, void *arg);

/* Every row, those of a chain in their order; or only those that begin a chain. */
bool audit_all(struct audit_source *source, bool only_first, audit_each *each, void *arg,
               struct trouble *trouble);

/* The newest rows, newest first; "": of any caller, about anything. A database only. */
struct audit_filter {
    long limit;
    const char *caller, *object;
};
bool audit_newest(struct audit_source *source, const struct audit_filter *filter, audit_each *each,
                  void *arg, struct trouble *trouble);

/* A row as an object, and back; what is read lives as long as |json|. */
json_t *audit_to_json(const struct audit_link *link);
bool audit_of_json(struct audit_link *out, const json_t *json);

#endif
