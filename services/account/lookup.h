/* SPDX-License-Identifier: Apache-2.0 */
/* Finding an account by its id. Rows read less than a second ago answer from memory, so that a
 * signature costs no read of the database; whoever changes a row forgets it here. */
#ifndef ACCOUNT_LOOKUP_H
#define ACCOUNT_LOOKUP_H

#include "services/account/account.h"

/* |account| is lent for the callback; NULL with |status| if there is none. */
typedef void lookup_done(void *arg, const struct account *account, const struct rpc_status *status);

/* May call |done| before it returns. */
void lookup_account(struct account_service *s, const char *account_id, lookup_done *done,
                    void *arg);
void lookup_forget(struct account_service *s, const char *account_id);

/* The answer to a database that failed, told once in the log. */
struct rpc_status lookup_database_fault(const struct account_service *s);

#endif
