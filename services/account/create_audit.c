/* SPDX-License-Identifier: Apache-2.0 */
/* What the audit log says of an account's creation: a row when its key is there or cannot be made
 * (store_finish), and one more if the caller had his answer before. And what WEBHOOK_URL hears. */
#include "services/account/create_op.h"

#include <stdio.h>
#include <string.h>

/* The request's id is the account's trace, also after a restart. */
void create_audit(struct create *op)
{
    if (op->call) {
        audit_of_call(&op->audit, op->s, op->call);
        return;
    }
    op->audit.after = op->s->audit_head;
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

/* Of a keygen that never had a session nobody hears. */
const struct webhook *create_hook(struct create *op)
{
    const struct account *account = &op->account;
    struct webhook *hook = &op->hook;
    bool is_active = account->status == ACCOUNT_ACTIVE;

    if (!op->s->webhooks || !account->session_id[0])
        return NULL;
    *hook = (struct webhook){.kind = "keygen"};
    memcpy(hook->session_id, account->session_id, sizeof hook->session_id);
    memcpy(hook->account_id, account->account_id, sizeof hook->account_id);
    strcpy(hook->status, is_active ? "completed" : "failed");
    snprintf(hook->code, sizeof hook->code, "%s", account->error_code);
    snprintf(hook->error, sizeof hook->error, "%s", account->error);
    return hook;
}
