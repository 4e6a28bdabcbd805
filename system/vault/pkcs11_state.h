/* SPDX-License-Identifier: Apache-2.0 */
/* What pkcs11.c (module, token, session) and pkcs11_keys.c (keys, wrapping) share. Nobody else
 * includes it. */
#ifndef SYSTEM_VAULT_PKCS11_STATE_H
#define SYSTEM_VAULT_PKCS11_STATE_H

#include "system/vault/pkcs11.h"

#include <p11-kit/pkcs11.h>

struct pkcs11_key {
    CK_OBJECT_HANDLE handle;
    uint8_t id[WRAPPING_ID];
    bool has_id;
};

struct pkcs11 {
    struct pkcs11_params params;
    void *module;
    CK_FUNCTION_LIST *f;
    bool is_initialized, has_session, is_lost;
    CK_SESSION_HANDLE session;
    struct pkcs11_key keys[PKCS11_KEYS_MAX];
    char error[PKCS11_ERROR_MAX];
};

/* Always false. */
bool pkcs11_fault(struct pkcs11 *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A session with the keys found; the module starts anew before a second one. */
bool pkcs11_connect(struct pkcs11 *p);
bool pkcs11_reconnect(struct pkcs11 *p);
bool pkcs11_find_keys(struct pkcs11 *p);

#endif
