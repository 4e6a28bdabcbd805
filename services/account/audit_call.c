/* SPDX-License-Identifier: Apache-2.0 */
/* See audit_call.h. */
#include "services/account/audit_call.h"

#include "services/account/account.h"
#include "services/account/lookup.h"
#include "system/core/buffer.h"
#include "system/core/utf8.h"
#include "system/service/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool audit_begin(struct account_service *s)
{
    struct audit_opening opening = {.chain = s->replica, .caller = s->host->name};

    if (db_run(s->db, DB_DURABLE, audit_open, &opening) != DB_OK)
        return false;
    s->audit_head = opening.head;
    return true;
}

struct glance {
    struct account_service *s;
    struct audit_head head;
};

static enum db_result look(struct db_tx *tx, void *arg)
{
    return audit_look(tx, &((struct glance *)arg)->head);
}

static void looked(void *arg, enum db_result result)
{
    struct glance *glance = arg;

    glance->s->is_auditing = false;
    if (result == DB_OK)
        glance->s->audit_head = glance->head;
    else if (result == DB_REFUSED)
        service_fault("row %lld of the chain %s of the audit log is gone, which was committed: see "
                      "who changed the database, or went back to an old state of it",
                      (long long)glance->head.seq, glance->head.chain);
    free(glance);
}

void audit_tick(struct account_service *s)
{
    struct glance *glance;

    if (s->is_auditing)
        return;
    s->is_auditing = true;
    glance = mem_new(1, sizeof *glance);
    *glance = (struct glance){s, s->audit_head};
    db_submit(s->db, DB_READ, look, looked, glance);
}

/* The method's name without its service. */
static const char *action_of(const struct rpc_call *call)
{
    const char *path = rpc_call_method(call)->path;
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

void audit_of_call(struct audit_entry *entry, const struct account_service *s,
                   const struct rpc_call *call)
{
    *entry = (struct audit_entry){.after = s->audit_head};
    access_address(s->host->access, call, entry->address);
    snprintf(entry->caller, sizeof entry->caller, "%s", rpc_caller(call));
    entry->text[AUDIT_CALLER] = entry->caller;
    entry->text[AUDIT_ADDRESS] = entry->address;
    entry->text[AUDIT_ACTION] = action_of(call);
    entry->text[AUDIT_REQUEST] = rpc_trace(call);
}

void audit_like(struct audit_entry *entry, const struct audit_entry *from)
{
    *entry = *from;
    entry->text[AUDIT_CALLER] = entry->caller;
    entry->text[AUDIT_ADDRESS] = entry->address;
}

/* A row on its way with its own copy of the text. */
struct note {
    struct account_service *s;
    struct audit_entry entry;
    char *copy[AUDIT_FIELDS];
};

static void noted(void *arg, enum db_result result)
{
    struct note *note = ((struct audit_entry *)arg)->owner;

    if (result != DB_OK)
        (void)lookup_database_fault(note->s);
    for (size_t i = 0; i < AUDIT_FIELDS; i++)
        free(note->copy[i]);
    free(note);
}

void audit_note(struct account_service *s, const struct audit_entry *entry)
{
    struct note *note = mem_new(1, sizeof *note);

    note->s = s;
    note->entry = (struct audit_entry){.owner = note, .after = entry->after};
    for (size_t i = 0; i < AUDIT_FIELDS; i++)
        if (entry->text[i])
            note->entry.text[i] = note->copy[i] = text_copy(entry->text[i]);
    db_submit(s->db, DB_LAZY, audit_store, noted, &note->entry);
}

/* The text of |request|'s field |name|; NULL: it has none. */
static const char *field_of(const ProtobufCMessage *request, const char *name)
{
    const ProtobufCFieldDescriptor *field =
        request ? protobuf_c_message_descriptor_get_field_by_name(request->descriptor, name) : NULL;

    if (!field || field->type != PROTOBUF_C_TYPE_STRING ||
        field->label == PROTOBUF_C_LABEL_REPEATED)
        return NULL;
    return *(char *const *)(const void *)((const char *)request + field->offset);
}

/* Of strangers only what was refused for who they are, which the guard limits. */
static bool is_operation(const struct rpc_call *call, const struct rpc_status *status)
{
    if (!(rpc_call_method(call)->access & ~(unsigned)ACCESS_OPEN))
        return false;
    if (rpc_access(call) == 0)
        return status->code == RPC_UNAUTHENTICATED || status->code == RPC_DENIED;
    return !status->name || strcmp(status->name, "rate_limited") != 0;
}

/* Whatever a caller may write there, a row holds no more than this of it. */
static void cut(char out[ERROR_TEXT_MAX], const char *text)
{
    snprintf(out, ERROR_TEXT_MAX, "%s", text ? text : "");
    utf8_mend(out);
}

void audit_watch(struct rpc_call *call, const struct rpc_status *status, void *arg)
{
    const ProtobufCMessage *request = rpc_request_of(call);
    char object[ERROR_TEXT_MAX], session[ERROR_TEXT_MAX];
    struct account_service *s = arg;
    struct audit_entry entry;

    if (!is_operation(call, status))
        return;
    cut(object, field_of(request, "account_id"));
    cut(session, status->session_id[0] ? status->session_id : field_of(request, "session_id"));
    audit_of_call(&entry, s, call);
    entry.text[AUDIT_OBJECT] = object;
    entry.text[AUDIT_SESSION] = session;
    entry.text[AUDIT_OUTCOME] = status->code == RPC_OK ? "done" : status->name;
    audit_note(s, &entry);
}
