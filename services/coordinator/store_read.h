/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of the coordinator's tables: works that fill their argument. What they give is heap and
 * the caller's; each has its free. */
#ifndef COORDINATOR_STORE_READ_H
#define COORDINATOR_STORE_READ_H

#include "services/coordinator/store.h"

/* A session as the log has it: enough to go on with it. */
struct store_session {
    struct store_row row;
    /* encoded CreateSessionRequest */
    struct store_bytes request;
    size_t attempts_n, events_n, reports_n, joins_n;
    struct store_attempt *attempts;
    struct store_event *events;
    struct store_report *reports;
    struct store_join *joins;
};

/* Every session that has not ended, oldest first; numbers that only late reports exceed; the
 * orders in force. */
struct store_load {
    void *owner;
    size_t sessions_n;
    struct store_session *sessions;
    int64_t seq, order_seq;
    size_t orders_n;
    /* newest of each account, without body */
    struct store_order *orders;
};
void store_load_free(struct store_load *load);
db_work store_load;

/* One session with its result. |found| false: there is none. */
struct store_get {
    void *owner, *context;
    char session_id[ID_TEXT_MAX];
    bool found;
    struct store_row row;
    struct store_bytes request, certificate, delegate_share;
};
void store_get_free(struct store_get *get);
db_work store_get;

/* Events of a session after |after|, with what is needed for their setups. */
struct store_events {
    void *owner;
    char session_id[ID_TEXT_MAX];
    int64_t after;
    uint32_t limit;
    /* |session.attempts|, |session.events|, |session.row| and |session.request| are filled */
    bool found;
    struct store_session session;
};
void store_events_free(struct store_events *events);
db_work store_events;

/* Sessions of an account ("" for all) in a status ("" for any), newest first. */
struct store_list {
    void *owner;
    char account_id[ID_TEXT_MAX];
    char status[16];
    char after[ID_TEXT_MAX];
    uint32_t limit;
    size_t rows_n;
    struct store_row *rows;
};
void store_list_free(struct store_list *list);
db_work store_list;

/* What a party may have missed: ends after |after| of its sessions, at most PAGE_MAX, of those
 * whose deadline is |open_ms| or later; and orders after |after_order|. */
struct store_missed {
    void *owner;
    char party_id[PARTY_ID_MAX];
    bool want_ends, want_orders;
    /* of the orders those alone that freeze something now */
    bool is_freezes;
    int64_t after, open_ms, after_order;
    size_t rows_n;
    struct store_row *rows;
    size_t orders_n;
    struct store_order *orders;
};
void store_missed_free(struct store_missed *missed);
db_work store_missed;

#endif
