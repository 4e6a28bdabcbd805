/* SPDX-License-Identifier: Apache-2.0 */
/* The wrapping keys that a keeper's configuration names: the current one, and while it is changed
 * the next one; each the value of a variable or a key in a token. What is in a token is asked for
 * through a helper process (system/vault/hsm.h), which starts here. */
#ifndef PARTICIPANT_KEYS_H
#define PARTICIPANT_KEYS_H

#include "participant/store.h"
#include "system/core/config.h"
#include "system/vault/vault.h"

struct keys;

enum { KEYS_ERROR_MAX = 512 };

/* |program| is started as the helper if one is needed. Call before any thread exists and before the
 * sandbox. NULL with one line in |error|. */
struct keys *keys_open(const struct config *config, const char *program,
                       char error[KEYS_ERROR_MAX]);
/* NULL is nothing. */
void keys_close(struct keys *keys);
/* Lent. */
const struct vault *keys_vault(const struct keys *keys);
/* To poll: at its end the helper is gone. -1: there is none. */
int keys_fd(const struct keys *keys);
/* Are these the keys that the shares in |store|, which is in |directory|, are under? False with one
 * line that says what to do; then nothing was changed. */
bool keys_settle(const struct keys *keys, struct store *store, const char *directory,
                 char error[KEYS_ERROR_MAX]);

#endif
