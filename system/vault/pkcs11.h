/* SPDX-License-Identifier: Apache-2.0 */
/* Wrapping keys in a token: a vendor's PKCS#11 module, loaded at run time, one session, logged in.
 * The keys are AES-256, and a key that could leave the token is refused. Wrapping is CKM_AES_GCM as
 * wrapping.h has it. A token that went away is looked for again at the next call; a wrong PIN is
 * tried once only, since tokens lock themselves.
 *
 * One thread. A module does what it likes with its process: this belongs into hsm.h's helper, not
 * into a process with shares. */
#ifndef SYSTEM_VAULT_PKCS11_H
#define SYSTEM_VAULT_PKCS11_H

#include "system/vault/wrapping.h"

#include <stdbool.h>

struct pkcs11;

enum { PKCS11_KEYS_MAX = 2, PKCS11_ERROR_MAX = 512 };

struct pkcs11_params {
    const char *module;
    /* number of the slot, or -1: the token of this label, or if it is "" the only one */
    long slot;
    const char *token;
    /* read at each login: a regular file, its owner's alone */
    const char *pin_file;
    const char *labels[PKCS11_KEYS_MAX];
    size_t labels_n;
};

/* Load, log in, find the keys. All of |params| is lent until pkcs11_close. NULL with one line in
 * |error|, which names the variable. */
struct pkcs11 *pkcs11_open(const struct pkcs11_params *params, char error[PKCS11_ERROR_MAX]);
void pkcs11_close(struct pkcs11 *pkcs11);
/* The id of a key, made from what it does: the same key in another token has the same. */
const uint8_t *pkcs11_id(const struct pkcs11 *pkcs11, size_t key);

/* As struct wrapping_kind has them. VAULT_AWAY: pkcs11_error has a line. */
enum vault_result pkcs11_wrap(struct pkcs11 *pkcs11, size_t key, uint8_t out[WRAPPING_WRAPPED],
                              const uint8_t plain[WRAPPING_PLAIN], const struct wrapping_ad *ad);
enum vault_result pkcs11_unwrap(struct pkcs11 *pkcs11, size_t key, uint8_t out[WRAPPING_PLAIN],
                                const uint8_t wrapped[WRAPPING_WRAPPED],
                                const struct wrapping_ad *ad);
const char *pkcs11_error(const struct pkcs11 *pkcs11);
/* The token does not take the PIN, or the keys are other ones than at first: there is no use in
 * going on. */
bool pkcs11_is_lost(const struct pkcs11 *pkcs11);

#endif
