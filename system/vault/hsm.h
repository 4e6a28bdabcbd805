/* SPDX-License-Identifier: Apache-2.0 */
/* Wrapping keys that never leave their token, for a process in a sandbox: a helper process, started
 * before, has the vendor's module and the session; this process asks it over a socket pair. The
 * helper sees data keys, as any holder of a wrapping key could, and no share.
 *
 * One request at a time, each with a deadline. A token that went away answers VAULT_AWAY until it
 * is back. A helper that has ended does not come back: whoever started this process starts both. */
#ifndef SYSTEM_VAULT_HSM_H
#define SYSTEM_VAULT_HSM_H

#include "system/vault/pkcs11.h"
#include "system/vault/wrapping.h"

struct hsm;

/* Start |program| --keeper --vault (hsm_main) and wait until it is logged in. Call before any
 * thread exists. NULL with one line in |error|. */
struct hsm *hsm_start(const char *program, const struct pkcs11_params *params,
                      char error[PKCS11_ERROR_MAX]);
/* After the wrappings were freed. NULL is nothing. */
void hsm_stop(struct hsm *hsm);
/* To poll: at its end the helper is gone. Nothing is to be read. */
int hsm_fd(const struct hsm *hsm);
/* The key of params->labels[key]; lends |hsm|. */
struct wrapping *hsm_wrapping(struct hsm *hsm, size_t key);

/* The helper's main, the socket on descriptor 3. */
int hsm_main(void);

#endif
