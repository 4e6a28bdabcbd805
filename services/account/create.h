/* SPDX-License-Identifier: Apache-2.0 */
/* Making accounts: a pending row, parties, a signed intent, a keygen session, and the certificate
 * of all parties before the account is active. */
#ifndef ACCOUNT_CREATE_H
#define ACCOUNT_CREATE_H

#include "services/account/account.h"

/* Handlers of AccountService/CreateAccount and AccountService/Keygen. */
rpc_handler create_account;
rpc_handler create_keygen;

/* Go on with a pending account that nobody waits for: watch its session to the end, or, if it has
 * none, look for one at the coordinator and give the account up if there is none. */
void create_resume(struct account_service *s, const struct account *account);
/* Renews the hold on all rows of accounts under way; every second, where there may be replicas. */
void create_hold_on(struct account_service *s);
/* The service ends: repeats that wait for their session to begin end. */
void create_end_looks(struct account_service *s);

#endif
