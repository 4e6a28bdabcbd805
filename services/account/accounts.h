/* SPDX-License-Identifier: Apache-2.0 */
/* Reading accounts, and choosing who signs for one. */
#ifndef ACCOUNT_ACCOUNTS_H
#define ACCOUNT_ACCOUNTS_H

#include "services/account/account.h"

rpc_handler accounts_get;
rpc_handler accounts_list;
rpc_handler accounts_certificate;
rpc_handler signing_parties_get;
rpc_handler signing_parties_set;
rpc_handler signing_parties_delete;

#endif
