/* SPDX-License-Identifier: Apache-2.0 */
/* An operator's order: parties and coordinator obey it because of its signature, whoever carries it
 * (proto/session.proto). What it means for them is not here. */
#ifndef SYSTEM_ACCESS_ORDER_H
#define SYSTEM_ACCESS_ORDER_H

#include "session.pb-c.h"

#include <stddef.h>
#include <stdint.h>

/* An order that |operator_key| signed; the body is the caller's (free_unpacked). NULL otherwise. */
Mpc__Session__V1__OrderBody *order_verify(const Mpc__Session__V1__Order *order,
                                          const uint8_t operator_key[32]);
void order_sign(uint8_t signature[64], const uint8_t *body, size_t len, const uint8_t secret[64]);

#endif
