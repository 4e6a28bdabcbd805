/* SPDX-License-Identifier: Apache-2.0 */
/* Presignatures at work: a finished presigning goes into the book, the first attempt of a signature
 * takes one out. An attempt that fails with it is followed by one without. */
#ifndef COORDINATOR_PRESIGN_H
#define COORDINATOR_PRESIGN_H

#include "services/coordinator/coordinator.h"

/* All members of presigning |r| have reported the same presignature. */
void presign_made(struct coordinator *c, const struct record *r);
/* If this is a signature's first attempt and there is a presignature for it: |seats| become those
 * of its signers, and the attempt uses it. Otherwise the attempt uses none. */
void presign_use(struct coordinator *c, struct record *r, uint8_t seats[QRT_PARTIES_MAX]);
/* Ready for the key and path of |r|, which signs or presigns. */
size_t presign_ready(const struct coordinator *c, const struct record *r);
/* Presigning is for idle times: no signature waits, and few run. */
bool presign_is_time(const struct coordinator *c);
/* Forget what is of no use any more. */
void presign_expire(struct coordinator *c, int64_t now_ms);

#endif
