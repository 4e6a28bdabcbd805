/* SPDX-License-Identifier: Apache-2.0 */
/* Who the parties of a key are: names that the operator's authority certified for identity keys,
 * nothing that the coordinator or the router says on its own. */
#ifndef ACCOUNT_ROSTER_H
#define ACCOUNT_ROSTER_H

#include "quorate/certificate.h"
#include "services/account/account.h"
#include "services/account/intents.h"

/* Members as they were selected for a keygen: certified under their names, indices 1 to n, nobody
 * twice, those that the request names if it names any, and one delegate exactly if it asks for
 * one. Fills the account's parties and what the intent says of them. */
bool roster_take(struct account *account, struct intent_member *out,
                 const struct account_service *s, const struct request_create *req,
                 const Mpc__Coordinator__V1__SelectPartiesResponse *selected);

/* One of those that roster_take took is a delegate, and has no USER_SHARE_PUBLIC_KEY: it makes the
 * share for whom its caller names, if it is told so. With one it needs no word, and coordinators
 * and delegates of the release before know none. */
bool roster_leaves_key(const struct account_service *s,
                       const Mpc__Coordinator__V1__SelectPartiesResponse *selected);

/* The end of a keygen: this certificate is of the key that |intent| asked for, whose seats were
 * taken by roster_take. Fills the account's key. */
bool roster_take_key(struct account *account, const struct account_service *s,
                     const ProtobufCBinaryData *certificate, const struct signed_intent *intent);

/* All parties of an account as CreateSession names them, and those of them that are to sign (none:
 * anybody). Leads into the account. */
struct roster_members {
    size_t n, preferred_n;
    Mpc__Session__V1__Member rows[QRT_PARTIES_MAX], *list[QRT_PARTIES_MAX];
    char *preferred[QRT_PARTIES_MAX];
};
void roster_members(struct roster_members *out, struct account *account);

#endif
