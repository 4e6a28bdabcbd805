/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as answers. A view owns the text that its message points to; it is made on the stack, used
 * for one reply and forgotten. */
#ifndef ACCOUNT_VIEW_H
#define ACCOUNT_VIEW_H

#include "quorate/address.h"
#include "services/account/account.h"
#include "system/core/clock.h"

struct view_addresses {
    Mpc__Account__V1__Addresses message;
    char text[QRT_ADDRESS_KINDS][QRT_ADDRESS_MAX];
};
void view_addresses(struct view_addresses *out, const struct qrt_ctx *ctx,
                    const struct qrt_pubkey *pk);

struct view_account {
    Mpc__Account__V1__Account message;
    struct view_addresses addresses;
    char public_key[67];
    char created[CLOCK_TEXT_MAX];
    char *parties[QRT_PARTIES_MAX];
};
/* Borrows |account|. */
void view_account(struct view_account *out, const struct qrt_ctx *ctx, struct account *account);

/* Base64, heap, the caller's. */
char *view_base64(const uint8_t *b, size_t len);

#endif
