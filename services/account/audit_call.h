/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows the calls of the API get.
 *
 * What changes something, and a signature, is written by the work that makes its end durable, in
 * that commit, before the caller hears of it. All others (what is read, what is refused) are told
 * by the server when they end, and are on the disk a moment later. */
#ifndef ACCOUNT_AUDIT_CALL_H
#define ACCOUNT_AUDIT_CALL_H

#include "services/account/audit.h"
#include "system/rpc/server.h"

struct account_service;

/* Begin the chain of this process; blocks. False if the database failed. */
bool audit_begin(struct account_service *s);
/* Every second: which row was committed last. If the one before is gone the process ends. */
void audit_tick(struct account_service *s);

/* Who asks, from where, for what, and the request's id, from |call|; |entry| stays where it is. */
void audit_of_call(struct audit_entry *entry, const struct account_service *s,
                   const struct rpc_call *call);
/* The same as |from| says. */
void audit_like(struct audit_entry *entry, const struct audit_entry *from);

/* Now or a moment later, without anybody waiting; everything is copied. */
void audit_note(struct account_service *s, const struct audit_entry *entry);
/* For rpc_server_watch; |arg| is the account_service. */
rpc_watch audit_watch;

#endif
