/* SPDX-License-Identifier: Apache-2.0 */
/* What the audit log says of an account's creation: a row when its key is there or cannot be made
 * (store_finish), and one more if the caller had his answer before. */
#include "services/account/create_op.h"

/* The request's id is the account's trace, also after a restart. */
void create_audit(struct create *op)
{
    if (op->call) {
        audit_of_call(&op->audit, op->s, op->call);
        return;
    }
    op->audit.chain = op->s->replica;
    op->audit.text[AUDIT_CALLER] = op->s->host->name;
    op->audit.text[AUDIT_ACTION] = "CreateAccount";
}

/* The caller is answered now; the row of the end comes later. */
void create_audit_begun(struct create *op)
{
    struct audit_entry entry;

    audit_like(&entry, &op->audit);
    entry.text[AUDIT_OBJECT] = op->account.account_id;
    entry.text[AUDIT_SESSION] = op->account.session_id;
    entry.text[AUDIT_OUTCOME] = "begun";
    entry.text[AUDIT_REQUEST] = op->account.trace_id;
    audit_note(op->s, &entry);
    rpc_set_noted(op->call);
}
