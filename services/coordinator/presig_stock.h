/* SPDX-License-Identifier: Apache-2.0 */
/* Between the book of presignatures and the sessions: a finished presigning goes into the book, the
 * first attempt of a signature takes one out. An attempt that fails with it is followed by one
 * without. */
#ifndef COORDINATOR_PRESIG_STOCK_H
#define COORDINATOR_PRESIG_STOCK_H

#include "services/coordinator/coordinator.h"

/* All members of presigning |r| have reported the same presignature. */
void presig_stock_put(struct coordinator *c, const struct record *r);
/* If this is a signature's first attempt and there is a presignature for it: |seats| become those
 * of its signers, and the attempt uses it. Otherwise the attempt uses none. */
void presig_stock_take(struct coordinator *c, struct record *r, uint8_t seats[QRT_PARTIES_MAX]);
/* Ready for the key and path of |r|, which signs or presigns. */
size_t presig_stock_ready(const struct coordinator *c, const struct record *r);
/* Forget what is of no use any more. */
void presig_stock_expire(struct coordinator *c, int64_t now_ms);

#endif
