/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts as backends see them: never a share, not even a sealed one, which is for who makes the
 * account alone; no address before the key is real. */
#include "services/account/accounts.h"

#include "quorate/certificate.h"
#include "services/account/lookup.h"
#include "services/account/request.h"
#include "services/account/view.h"
#include "system/core/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_DEFAULT = 100 };

/* One read of an account with what is large. */
struct read {
    struct account_service *s;
    struct rpc_call *call;
    struct store_get get;
};

static void read_free(struct read *read)
{
    store_get_free(&read->get);
    free(read);
}

static void read_fail(struct read *read, enum db_result result)
{
    if (result == DB_REFUSED)
        rpc_fail(read->call, rpc_error(RPC_NOT_FOUND, "account_not_found",
                                       "no account has the id %s", read->get.account_id));
    else
        rpc_fail(read->call, lookup_database_fault(read->s));
    read_free(read);
}

static void read_account(struct rpc_call *call, const char *account_id, bool want_blobs,
                         struct account_service *s, db_done *done)
{
    struct read *read = mem_new(1, sizeof *read);
    struct rpc_status status;

    *read = (struct read){.s = s, .call = call, .get = {.owner = read, .want_blobs = want_blobs}};
    if (request_id(read->get.account_id, account_id, "account_id", &status)) {
        db_submit(s->db, DB_READ, store_get, done, &read->get);
    } else {
        rpc_fail(call, status);
        read_free(read);
    }
}

static void got(void *arg, enum db_result result)
{
    struct read *read = ((struct store_get *)arg)->owner;
    struct view_account view;

    if (result != DB_OK) {
        read_fail(read, result);
        return;
    }
    view_account(&view, read->s->ctx, &read->get.account);
    rpc_reply(read->call, &view.message.base);
    read_free(read);
}

void accounts_get(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Mpc__Account__V1__GetAccountRequest *in = (const void *)request;

    read_account(call, in->account_id, false, service, got);
}

/* Rows of the certificate as text. */
struct view_rows {
    Mpc__Account__V1__CertificateParty message[QRT_PARTIES_MAX], *list[QRT_PARTIES_MAX];
    char identity[QRT_PARTIES_MAX][65], share[QRT_PARTIES_MAX][67], sig[QRT_PARTIES_MAX][129];
};

static void view_rows(struct view_rows *out, const struct qrt_key_certificate *key,
                      struct account *account)
{
    for (size_t i = 0; i < account->parties_n; i++) {
        Mpc__Account__V1__CertificateParty *m = &out->message[i];
        const struct qrt_cert_row *row = qrt_certificate_row(key, account->parties[i].index);

        mpc__account__v1__certificate_party__init(m);
        out->list[i] = m;
        m->party_id = account->parties[i].id;
        m->index = account->parties[i].index;
        if (!row || i >= key->n)
            continue;
        hex_encode(out->identity[i], row->idpk, sizeof row->idpk);
        hex_encode(out->sig[i], row->sig, sizeof row->sig);
        hex_encode(out->share[i], key->parties[i].X, sizeof key->parties[i].X);
        m->identity_key = out->identity[i];
        m->signature = out->sig[i];
        m->public_share = out->share[i];
    }
}

static void reply_certificate(struct read *read, const struct qrt_key_certificate *key)
{
    struct account *account = &read->get.account;
    Mpc__Account__V1__Certificate r = MPC__ACCOUNT__V1__CERTIFICATE__INIT;
    struct view_rows *rows = mem_new(1, sizeof *rows);
    struct view_addresses addresses;
    char public_key[67];
    char *b = view_base64(read->get.certificate, read->get.certificate_len);

    view_rows(rows, key, account);
    view_addresses(&addresses, read->s->ctx, &account->pk);
    hex_encode(public_key, account->pk.b, sizeof account->pk.b);
    r.account_id = account->account_id;
    r.public_key = public_key;
    r.addresses = &addresses.message;
    r.threshold_t = account->t;
    r.threshold_n = account->n;
    r.parties = rows->list;
    r.n_parties = account->parties_n;
    r.certificate = b;
    rpc_reply(read->call, &r.base);
    free(b);
    free(rows);
}

static void got_certificate(void *arg, enum db_result result)
{
    struct read *read = ((struct store_get *)arg)->owner;
    struct qrt_key_certificate key;

    if (result != DB_OK) {
        read_fail(read, result);
        return;
    }
    if (read->get.account.status != ACCOUNT_ACTIVE)
        rpc_fail(read->call,
                 rpc_error(RPC_STATE, "account_not_active", "the account is %s, not active",
                           account_status_name(read->get.account.status)));
    else if (qrt_certificate_open(&key, read->s->ctx, read->get.certificate,
                                  read->get.certificate_len) != QRT_OK)
        rpc_fail(read->call, rpc_error(RPC_DATA_LOSS, "certificate_damaged",
                                       "the stored certificate does not verify: restore the"
                                       " account database from its backup"));
    else
        reply_certificate(read, &key);
    read_free(read);
}

void accounts_certificate(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Mpc__Account__V1__GetCertificateRequest *in = (const void *)request;

    read_account(call, in->account_id, true, service, got_certificate);
}

struct list {
    struct account_service *s;
    struct rpc_call *call;
    struct store_list list;
};

static void listed(void *arg, enum db_result result)
{
    struct list *op = ((struct store_list *)arg)->owner;
    struct store_list *list = &op->list;
    Mpc__Account__V1__ListAccountsResponse r = MPC__ACCOUNT__V1__LIST_ACCOUNTS_RESPONSE__INIT;
    size_t n = list->accounts_n < list->limit ? list->accounts_n : list->limit;
    struct view_account *views = mem_new(n + 1, sizeof *views);

    r.accounts = mem_new(n + 1, sizeof *r.accounts);
    for (size_t i = 0; i < n; i++) {
        view_account(&views[i], op->s->ctx, &list->accounts[i]);
        r.accounts[i] = &views[i].message;
    }
    r.n_accounts = n;
    if (list->accounts_n > n)
        r.next = list->accounts[n - 1].account_id;
    if (result == DB_OK)
        rpc_reply(op->call, &r.base);
    else
        rpc_fail(op->call, lookup_database_fault(op->s));
    free(r.accounts);
    free(views);
    free(list->accounts);
    free(op);
}

static bool take_list(struct store_list *out, const Mpc__Account__V1__ListAccountsRequest *in,
                      struct rpc_status *status)
{
    if (in->limit_given_case && (in->limit == 0 || in->limit > PAGE_MAX)) {
        *status = rpc_error(RPC_INVALID, "invalid_field", "limit must be a number from 1 to %d",
                            PAGE_MAX);
        return false;
    }
    if (strlen(in->user_id) >= USER_ID_MAX) {
        *status = rpc_error(RPC_INVALID, "invalid_field", "user_id must be at most %d bytes",
                            USER_ID_MAX - 1);
        return false;
    }
    snprintf(out->user_id, sizeof out->user_id, "%s", in->user_id);
    out->limit = in->limit_given_case ? in->limit : PAGE_DEFAULT;
    return !in->after[0] || request_id(out->after, in->after, "after", status);
}

void accounts_list(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct list *op = mem_new(1, sizeof *op);
    struct rpc_status status;

    *op = (struct list){.s = service, .call = call, .list = {.owner = op}};
    if (take_list(&op->list, (const void *)request, &status)) {
        db_submit(op->s->db, DB_READ, store_list, listed, &op->list);
    } else {
        rpc_fail(call, status);
        free(op);
    }
}

/* Reading or changing who signs. */
struct signing {
    struct account_service *s;
    struct rpc_call *call;
    /* the new ones; lent with the call. |is_change| with none: anybody signs */
    bool is_change;
    char **party_ids;
    size_t party_ids_n;
    struct account account;
    struct store_signing_parties change;
    struct audit_entry audit;
};

static void reply_signing(struct signing *op)
{
    Mpc__Account__V1__SigningParties r = MPC__ACCOUNT__V1__SIGNING_PARTIES__INIT;
    char *list[QRT_PARTIES_MAX];

    r.account_id = op->account.account_id;
    r.party_ids = list;
    for (size_t i = 0; i < op->account.parties_n; i++)
        if (op->account.parties[i].signs)
            list[r.n_party_ids++] = op->account.parties[i].id;
    rpc_reply(op->call, &r.base);
    free(op);
}

static void changed(void *arg, enum db_result result)
{
    struct signing *op = ((struct store_signing_parties *)arg)->owner;

    lookup_forget(op->s, op->account.account_id);
    if (result == DB_OK) {
        rpc_set_noted(op->call);
        reply_signing(op);
    } else {
        rpc_fail(op->call, lookup_database_fault(op->s));
        free(op);
    }
}

static struct account_party *find_party(struct account *account, const char *party_id)
{
    for (size_t i = 0; i < account->parties_n; i++)
        if (strcmp(account->parties[i].id, party_id) == 0)
            return &account->parties[i];
    return NULL;
}

/* Exactly t of the account's parties, or none. */
static bool mark(struct signing *op, struct rpc_status *status)
{
    struct account *account = &op->account;

    for (size_t i = 0; i < account->parties_n; i++)
        account->parties[i].signs = false;
    if (op->party_ids_n && op->party_ids_n != account->t) {
        *status = rpc_error(RPC_INVALID, "invalid_field",
                            "party_ids must name exactly %u parties of this account", account->t);
        return false;
    }
    for (size_t i = 0; i < op->party_ids_n; i++) {
        struct account_party *party = find_party(account, op->party_ids[i]);

        if (!party || party->signs) {
            *status = rpc_error(RPC_INVALID, "invalid_field", "%.64s is %s", op->party_ids[i],
                                party ? "named twice" : "no party of this account");
            return false;
        }
        party->signs = true;
    }
    return true;
}

static void signing_found(void *arg, const struct account *account, const struct rpc_status *status)
{
    struct signing *op = arg;
    struct rpc_status fault = *status;

    if (!account) {
        rpc_fail(op->call, fault);
        free(op);
        return;
    }
    op->account = *account;
    if (!op->is_change) {
        reply_signing(op);
        return;
    }
    if (account->status != ACCOUNT_ACTIVE)
        fault = rpc_error(RPC_STATE, "account_not_active", "the account is %s, not active",
                          account_status_name(account->status));
    if (fault.code != RPC_OK || !mark(op, &fault)) {
        rpc_fail(op->call, fault);
        free(op);
        return;
    }
    audit_of_call(&op->audit, op->s, op->call);
    op->audit.text[AUDIT_OBJECT] = op->account.account_id;
    op->audit.text[AUDIT_OUTCOME] = "done";
    op->change =
        (struct store_signing_parties){.owner = op, .account = &op->account, .audit = &op->audit};
    db_submit(op->s->db, DB_DURABLE, store_signing_parties, changed, &op->change);
}

static void signing_begin(struct signing *op, const char *account_id)
{
    char id[ID_TEXT_MAX];
    struct rpc_status status;

    if (request_id(id, account_id, "account_id", &status)) {
        lookup_account(op->s, id, signing_found, op);
    } else {
        rpc_fail(op->call, status);
        free(op);
    }
}

static struct signing *signing_new(struct rpc_call *call, void *service, bool is_change)
{
    struct signing *op = mem_new(1, sizeof *op);

    *op = (struct signing){.s = service, .call = call, .is_change = is_change};
    return op;
}

void signing_parties_get(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Mpc__Account__V1__GetSigningPartiesRequest *in = (const void *)request;

    signing_begin(signing_new(call, service, false), in->account_id);
}

void signing_parties_set(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Mpc__Account__V1__SetSigningPartiesRequest *in = (const void *)request;
    struct signing *op;

    if (in->n_party_ids == 0) {
        rpc_fail(call, rpc_error(RPC_INVALID, "invalid_field",
                                 "party_ids is missing: name exactly t parties of this account"));
        return;
    }
    op = signing_new(call, service, true);
    op->party_ids = in->party_ids;
    op->party_ids_n = in->n_party_ids;
    signing_begin(op, in->account_id);
}

void signing_parties_delete(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Mpc__Account__V1__DeleteSigningPartiesRequest *in = (const void *)request;

    signing_begin(signing_new(call, service, true), in->account_id);
}
