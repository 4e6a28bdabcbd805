/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing is decoded before its signature has been checked. */
#include "system/access/order.h"

#include "system/access/signed.h"
#include "system/core/ids.h"
#include "system/core/utf8.h"

#include <string.h>

static const char order_prefix[] = "quorate/operator-order/1";

static bool order_is_in_form(const Mpc__Session__V1__OrderBody *body)
{
    uint8_t id[16];

    return (strcmp(body->action, "freeze") == 0 || strcmp(body->action, "unfreeze") == 0) &&
           (!body->account_id[0] || id_parse(id, body->account_id)) &&
           utf8_prefix(body->reason, strlen(body->reason)) == strlen(body->reason);
}

Mpc__Session__V1__OrderBody *order_verify(const Mpc__Session__V1__Order *order,
                                          const uint8_t operator_key[32])
{
    Mpc__Session__V1__OrderBody *body;

    if (!order || !signed_check_bytes(order->signature, order_prefix, order->body, operator_key))
        return NULL;
    body = mpc__session__v1__order_body__unpack(NULL, order->body.len, order->body.data);
    if (body && order_is_in_form(body))
        return body;
    if (body)
        mpc__session__v1__order_body__free_unpacked(body, NULL);
    return NULL;
}

void order_sign(uint8_t signature[64], const uint8_t *body, size_t len, const uint8_t secret[64])
{
    struct buffer message;

    signed_begin(&message, order_prefix);
    buffer_add(&message, body, len);
    signed_make(signature, &message, secret);
}
