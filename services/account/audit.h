/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log of this process (docs/audit.md): a row for every operation of the API, who asked,
 * from where, for what, and how it ended. Rows are chained by hashes (system/access/audit.h), in a
 * chain that begins with the process and names the heads of those it found, so replicas do not wait
 * for each other. Rows are only added; the database refuses anything else. */
#ifndef ACCOUNT_AUDIT_H
#define ACCOUNT_AUDIT_H

#include "system/access/audit.h"
#include "system/db/db.h"

enum { AUDIT_ADDRESS_MAX = 64, AUDIT_CALLER_MAX = 65 };

/* A row to write; text is lent until the work is done. What is NULL is "". */
struct audit_entry {
    void *owner;
    /* the process's chain, and a row of it that was committed and has to be there still */
    struct audit_head after;
    const char *text[AUDIT_FIELDS];
    /* what text[] points to where a call said it */
    char address[AUDIT_ADDRESS_MAX], caller[AUDIT_CALLER_MAX];
};

/* Inside a work that ends something: the row is there if and only if its changes are. */
enum db_result audit_write(struct db_tx *tx, const struct audit_entry *entry);
/* A work of its own; its argument is an audit_entry. */
db_work audit_store;
/* The first row of a chain, which names the heads of those that are there. */
struct audit_opening {
    const char *chain, *caller;
    /* out */
    struct audit_head head;
};
db_work audit_open;
/* A DB_READ; its argument is an audit_head, which becomes the newest committed one of its chain.
 * DB_REFUSED: the row that it names is not there any more. */
db_work audit_look;

#endif
