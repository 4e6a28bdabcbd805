/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's freeze orders: taken if signed by OPERATOR_KEY, kept, and handed to every party by
 * ListInvitations. Parties enforce them; here they only spare callers a late refusal. */
#ifndef COORDINATOR_ORDERS_H
#define COORDINATOR_ORDERS_H

#include "services/coordinator/store_read.h"
#include "system/rpc/server.h"

/* parties read orders every second */
enum { ORDERS_LATE_MS = 5000 };

struct coordinator;
struct orders;

/* |operator_key| NULL: every order is refused. |load| is what was stored. */
struct orders *orders_new(const uint8_t *operator_key, const struct store_load *load);
void orders_free(struct orders *orders);
/* False with |status| if the account or the whole system is frozen. */
bool orders_allow(const struct orders *orders, const char *account_id, struct rpc_status *status);
/* Nothing freezes the account, but something did until ORDERS_LATE_MS ago at most: a party that
 * refuses may not have read of that yet. */
bool orders_thawed(const struct orders *orders, const char *account_id, int64_t now_ms);
/* The last one that is durable. */
int64_t orders_seq(const struct orders *orders);

/* Handlers of SessionCoordinator/SubmitOrder and ListFreezes. */
rpc_handler submit_order, list_freezes;

#endif
