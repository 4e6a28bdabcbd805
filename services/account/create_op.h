/* SPDX-License-Identifier: Apache-2.0 */
/* An account creation in progress: what create.c and create_resume.c share. */
#ifndef ACCOUNT_CREATE_OP_H
#define ACCOUNT_CREATE_OP_H

#include "services/account/account.h"
#include "services/account/intents.h"
#include "services/account/request.h"

struct create {
    struct account_service *s;
    /* NULL once the caller has his answer */
    struct rpc_call *call;
    bool is_keygen_form;
    /* a pending account that nobody waited for */
    bool is_resumed;
    /* the row is held by this process, on behalf of this operation: in s->held */
    bool holds;
    struct create *held_next, **held_back;
    struct request_create req;
    char *idempotency_key;
    /* who asked */
    struct audit_entry audit;
    struct webhook hook;
    struct account account;
    struct signed_intent intent;
    /* the caller signed |intent| himself; this is what it says */
    bool is_own_intent;
    struct qrt_intent own_intent;
    uint8_t *certificate, *user_share;
    size_t certificate_len, user_share_len;
    /* who takes part, until the session is asked for */
    Mpc__Coordinator__V1__SelectPartiesResponse *selected;
    uint64_t started_us;
    unsigned wait_s;
    struct store_insert insert;
    /* the row of |account| is one that a hint named (repeat.h) */
    bool is_hinted;
    struct store_intent asked;
    struct store_finish finish;
    struct store_forget forget;
    struct store_hold hold;
    struct rpc_status refusal;
};

/* |call| NULL: nobody waits. */
struct create *create_new(struct account_service *s, struct rpc_call *call);
void create_free(struct create *op);
/* From here on its row is held on to; no more. */
void create_held(struct create *op);
void create_let_go(struct create *op);
/* Refuse the caller and end the operation. */
void create_end(struct create *op, struct rpc_status status);
/* The account as it is, for the caller, if he still waits. */
void create_reply(struct create *op);
/* Wait for the account's session and finish the account as it ends. */
void create_wait(struct create *op);
/* What the callers of a failed account hear. */
struct rpc_status create_failure(const struct account *account);
/* The row says that it failed, and why; the caller hears it. */
void create_fail(struct create *op, const char *code, const char *text);

/* Who asked, for the row of its end; the caller gets his answer before that. */
void create_audit(struct create *op);
void create_audit_begun(struct create *op);
/* Who else hears of its end; NULL: nobody. */
const struct webhook *create_hook(struct create *op);

/* As if there had been no hint. */
void create_insert(struct create *op);
/* The request is a repeat and op->account is the row that stands for it: the same answer, waited
 * for if it is not there yet. */
void create_again(struct create *op);

#endif
