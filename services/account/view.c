/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts and addresses as messages. An account without a complete certificate has no address. */
#include "services/account/view.h"

#include "system/core/buffer.h"

#include <sodium.h>

void view_addresses(struct view_addresses *out, const struct qrt_ctx *ctx,
                    const struct qrt_pubkey *pk)
{
    *out = (struct view_addresses){.message = MPC__ACCOUNT__V1__ADDRESSES__INIT};
    for (size_t kind = 0; kind < QRT_ADDRESS_KINDS; kind++)
        if (qrt_address(out->text[kind], ctx, (enum qrt_address_kind)kind, pk) != QRT_OK)
            qrt_panic(__FILE__, __LINE__); /* pk was verified with its certificate */
    out->message.ethereum = out->text[QRT_ADDRESS_ETHEREUM];
    out->message.bitcoin_p2wpkh = out->text[QRT_ADDRESS_BITCOIN_P2WPKH];
    out->message.bitcoin_p2pkh = out->text[QRT_ADDRESS_BITCOIN_P2PKH];
    out->message.tron = out->text[QRT_ADDRESS_TRON];
}

void view_account(struct view_account *out, const struct qrt_ctx *ctx, struct account *account)
{
    Mpc__Account__V1__Account *m = &out->message;

    mpc__account__v1__account__init(m);
    clock_text(out->created, account->created_ms);
    for (size_t i = 0; i < account->parties_n; i++)
        out->parties[i] = account->parties[i].id;
    m->account_id = account->account_id;
    m->user_id = account->user_id;
    m->session_id = account->session_id;
    m->status = (char *)account_status_name(account->status);
    m->key_type = "secp256k1";
    m->threshold_t = account->t;
    m->threshold_n = account->n;
    m->parties = out->parties;
    m->n_parties = account->parties_n;
    m->created_at = out->created;
    m->error = account->error;
    if (account->status != ACCOUNT_ACTIVE)
        return;
    hex_encode(out->public_key, account->pk.b, sizeof account->pk.b);
    view_addresses(&out->addresses, ctx, &account->pk);
    m->public_key = out->public_key;
    m->addresses = &out->addresses.message;
}

char *view_base64(const uint8_t *b, size_t len)
{
    size_t cap = sodium_base64_encoded_len(len, sodium_base64_VARIANT_ORIGINAL);
    char *out = mem_new(cap, 1);

    return sodium_bin2base64(out, cap, b, len, sodium_base64_VARIANT_ORIGINAL);
}
