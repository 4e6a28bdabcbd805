/* SPDX-License-Identifier: Apache-2.0 */
/* What backends ask about sessions, parties and orders: passed on to who knows. */
#ifndef ACCOUNT_SESSIONS_H
#define ACCOUNT_SESSIONS_H

#include "services/account/account.h"

rpc_handler sessions_get;
rpc_handler sessions_events;
rpc_handler sessions_cancel;
rpc_handler parties_list;
rpc_handler orders_submit;
rpc_handler freezes_list;

#endif
