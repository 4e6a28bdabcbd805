/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#11 2.40: the session's life here, keys and wrapping in pkcs11_keys.c. */
#include "system/vault/pkcs11_state.h"

#include "system/core/buffer.h"
#include "system/core/key_file.h"
#include "system/core/secret.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_MAX = 256, PIN_MAX = 256 };

bool pkcs11_fault(struct pkcs11 *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(p->error, sizeof p->error, format, args);
    va_end(args);
    return false;
}

const char *pkcs11_error(const struct pkcs11 *p)
{
    return p->error;
}

bool pkcs11_is_lost(const struct pkcs11 *p)
{
    return p->is_lost;
}

/* The module */

static bool load(struct pkcs11 *p)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    CK_C_GetFunctionList get = NULL;
    void *symbol;
    CK_RV rv;

    p->module = dlopen(p->params.module, RTLD_NOW | RTLD_LOCAL);
    if (!p->module)
        return pkcs11_fault(p, "PKCS11_MODULE cannot be loaded: %s", dlerror());
    symbol = dlsym(p->module, "C_GetFunctionList");
    /* what POSIX says of dlsym and ISO C cannot */
    memcpy(&get, &symbol, sizeof get);
    if (!get || get(&p->f) != CKR_OK || !p->f)
        return pkcs11_fault(p, "PKCS11_MODULE: %s is no PKCS#11 module", p->params.module);
    rv = p->f->C_Initialize(&args);
    if (rv != CKR_OK)
        return pkcs11_fault(p, "PKCS11_MODULE: %s does not start: error 0x%lx", p->params.module,
                            rv);
    p->is_initialized = true;
    return true;
}

/* The token */

/* The module's texts are padded with blanks. */
static bool label_is(const CK_UTF8CHAR *padded, size_t size, const char *label)
{
    size_t len = strlen(label);

    if (len > size || memcmp(padded, label, len) != 0)
        return false;
    while (len < size && padded[len] == ' ')
        len++;
    return len == size;
}

/* With a token that was initialized, and is the one that is asked for if one is. */
static bool fits(const struct pkcs11 *p, CK_SLOT_ID slot)
{
    CK_TOKEN_INFO info;

    return p->f->C_GetTokenInfo(slot, &info) == CKR_OK && info.flags & CKF_TOKEN_INITIALIZED &&
           (!p->params.token[0] || label_is(info.label, sizeof info.label, p->params.token));
}

static bool find_slot(struct pkcs11 *p, CK_SLOT_ID *slot)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG n = SLOTS_MAX;
    size_t found = 0;
    CK_RV rv;

    if (p->params.slot >= 0) {
        *slot = (CK_SLOT_ID)p->params.slot;
        return fits(p, *slot) ||
               pkcs11_fault(p, "PKCS11_SLOT: there is no token in slot %ld%s%s", p->params.slot,
                            p->params.token[0] ? " named " : "", p->params.token);
    }
    rv = p->f->C_GetSlotList(CK_TRUE, slots, &n);
    if (rv != CKR_OK)
        return pkcs11_fault(p, "PKCS11_MODULE: the slots cannot be read: error 0x%lx", rv);
    for (size_t i = 0; i < n; i++) {
        if (fits(p, slots[i]) && found++ == 0)
            *slot = slots[i];
    }
    if (found == 1)
        return true;
    if (p->params.token[0])
        return pkcs11_fault(p, "PKCS11_TOKEN: %s is named %s",
                            found ? "more than one token" : "no token", p->params.token);
    return pkcs11_fault(p, "PKCS11_TOKEN: there %s: name the one to use",
                        found ? "are several tokens" : "is no token");
}

/* The session */

static bool refuse_login(struct pkcs11 *p, CK_RV rv)
{
    p->is_lost = rv == CKR_PIN_INCORRECT || rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE ||
                 rv == CKR_PIN_LOCKED || rv == CKR_PIN_EXPIRED;
    if (rv == CKR_PIN_LOCKED)
        return pkcs11_fault(p, "the token is locked after too many wrong PINs: unlock it");
    if (p->is_lost)
        return pkcs11_fault(p, "the PIN in %s is wrong: the token refuses it", p->params.pin_file);
    return pkcs11_fault(p, "the token refuses the login: error 0x%lx", rv);
}

static bool log_in(struct pkcs11 *p)
{
    char *pin = secret_new(PIN_MAX);
    size_t len = 0;
    bool ok = key_file_read_text(pin, PIN_MAX, &len, p->params.pin_file, p->error);

    if (ok) {
        CK_RV rv = p->f->C_Login(p->session, CKU_USER, (CK_UTF8CHAR *)pin, len);

        ok = rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN || refuse_login(p, rv);
    }
    secret_free(pin);
    return ok;
}

static void close_session(struct pkcs11 *p)
{
    if (p->has_session) {
        (void)p->f->C_Logout(p->session);
        (void)p->f->C_CloseSession(p->session);
    }
    p->has_session = false;
}

/* A token that was lost may need a module that starts anew: C_Finalize makes it forget. */
bool pkcs11_connect(struct pkcs11 *p)
{
    CK_SLOT_ID slot = 0;
    CK_RV rv;

    close_session(p);
    if (!find_slot(p, &slot))
        return false;
    rv = p->f->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &p->session);
    if (rv != CKR_OK)
        return pkcs11_fault(p, "the token opens no session: error 0x%lx", rv);
    p->has_session = true;
    if (log_in(p) && pkcs11_find_keys(p))
        return true;
    close_session(p);
    return false;
}

bool pkcs11_reconnect(struct pkcs11 *p)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};

    if (p->is_lost)
        return false;
    if (p->has_session)
        (void)p->f->C_CloseSession(p->session);
    p->has_session = false;
    (void)p->f->C_Finalize(NULL);
    p->is_initialized = p->f->C_Initialize(&args) == CKR_OK;
    if (!p->is_initialized)
        return pkcs11_fault(p, "PKCS11_MODULE: %s does not start again", p->params.module);
    return pkcs11_connect(p);
}

struct pkcs11 *pkcs11_open(const struct pkcs11_params *params, char error[PKCS11_ERROR_MAX])
{
    struct pkcs11 *p = mem_new(1, sizeof *p);

    p->params = *params;
    if (load(p) && pkcs11_connect(p))
        return p;
    (void)snprintf(error, PKCS11_ERROR_MAX, "%s", p->error);
    pkcs11_close(p);
    return NULL;
}

void pkcs11_close(struct pkcs11 *p)
{
    if (!p)
        return;
    close_session(p);
    if (p->is_initialized)
        (void)p->f->C_Finalize(NULL);
    if (p->module)
        dlclose(p->module);
    free(p);
}
