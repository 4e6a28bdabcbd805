/* SPDX-License-Identifier: Apache-2.0 */
/* Who the parties of a key are: names that the operator's authority certified for identity keys,
 * nothing that the coordinator or the router says on its own. */
#ifndef ACCOUNT_ROSTER_H
#define ACCOUNT_ROSTER_H

#include "quorate/certificate.h"
#include "services/account/account.h"
#include "services/account/intents.h"
#include "system/access/identity.h"

/* Members as they were selected for a keygen: certified under their names, indices 1 to n, each
 * once. Fills the account's parties and what the intent says of them. */
bool roster_take(struct account *account, struct intent_member *out,
                 const struct account_service *s, Mpc__Session__V1__Member **members, size_t n);

/* The end of a keygen: the certificate verifies, has the account's shape, and its signers are the
 * certified members. Fills the account's key and parties. */
bool roster_take_key(struct account *account, const struct account_service *s,
                     const Mpc__Coordinator__V1__GetSessionStatusResponse *end);

#endif
