/* SPDX-License-Identifier: Apache-2.0 */
/* Presignatures for hot accounts: sessions of our own that parties run in the background, so that a
 * later signature takes one round. Nobody waits for them, and a signature needs none.
 *
 * A signature of a hot account, when it is answered, starts a presigning if fewer than
 * PRESIGN_TARGET are ready; one that succeeds starts the next. At most one is under way for an
 * account and path. Sessions whose end nobody here waits for (wait 0) do not count as
 * signatures, and neither do those with a caller's own intent. */
#ifndef ACCOUNT_PRESIGN_H
#define ACCOUNT_PRESIGN_H

#include "services/account/account.h"

enum { PRESIGN_TARGET = 8 };

/* |ready|: presignatures that the coordinator knows for this account and path. */
void presign_after(struct account_service *s, const struct account *account, const uint32_t *path,
                   size_t path_n, uint32_t ready);

#endif
