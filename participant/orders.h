/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's freeze orders: signed with OPERATOR_KEY, obeyed whatever the network asks for. Of
 * two orders about one subject the higher serial counts. A freeze holds from the moment it is read
 * and is in the party's own ledger before orders_take returns, if the disk takes it; its end counts
 * once it is stored. One thread takes
 * orders, one saves them; any may ask. */
#ifndef PARTICIPANT_ORDERS_H
#define PARTICIPANT_ORDERS_H

#include "participant/store.h"
#include "session.pb-c.h"

struct orders;

enum orders_worth {
    /* counts for nothing: the database says it, and nobody signed it */
    ORDERS_NOTHING,
    /* a freeze that nobody signed: holds until the operator ends it */
    ORDERS_HELD,
    ORDERS_SIGNED,
    /* the party's own word */
    ORDERS_OWN
};
/* What an order of store_each_order, or of a backup, is worth; |out| is what it says then: of a
 * signed one what was signed, with the signature lent from |order|. |subject| is |out|'s.
 * |operator_key| may be NULL. */
enum orders_worth orders_judge(struct store_order *out, char subject[37],
                               const struct store_order *order, const uint8_t *operator_key);

/* |operator_key| NULL: no order is obeyed; freezes that are stored still hold. NULL: the stored
 * orders cannot be read, and nobody knows what is frozen. */
struct orders *orders_new(struct store *store, const uint8_t operator_key[32]);
void orders_free(struct orders *orders);

enum orders_answer {
    ORDERS_FROZEN,
    /* the end of a freeze, which counts once orders_save has stored it */
    ORDERS_ENDING,
    /* a newer one is known */
    ORDERS_OLD,
    /* not the operator's, or no order */
    ORDERS_INVALID
};

/* |account_id| gets the subject, "" for the whole system. After ORDERS_FROZEN and ORDERS_ENDING:
 * orders_save. Waits for no database. */
enum orders_answer orders_take(struct orders *orders, const Mpc__Session__V1__Order *order,
                               char account_id[37]);
/* Store what is not yet. |ended|, if not NULL, hears of each freeze that ends, and once of an end
 * that cannot be stored. False: some still is not stored. */
bool orders_save(struct orders *orders,
                 void (*ended)(void *arg, const char *subject, bool is_stored), void *arg);
/* The system or this account is frozen. |*ends|: but its end is known and is being stored, which
 * |ended| will hear of. */
bool orders_is_frozen(struct orders *orders, const char *account_id, bool *ends);
/* Every subject that is frozen, under the lock. */
void orders_each_frozen(struct orders *orders, void (*each)(void *arg, const char *subject),
                        void *arg);

#endif
