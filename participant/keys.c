/* SPDX-License-Identifier: Apache-2.0 */
/* From variables to a vault. */
#include "participant/keys.h"

#include "system/core/buffer.h"
#include "system/core/secret.h"
#include "system/vault/hsm.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)KEYS_ERROR_MAX >= (int)PKCS11_ERROR_MAX, "one buffer for both");
_Static_assert((int)STORE_KEY_ID == (int)VAULT_CHECK_BYTES, "the store keeps the vault's ids");

#define MASTER "CRYPTO_MASTER_KEY"
#define LABEL "PKCS11_KEY_LABEL"

struct keys {
    struct hsm *hsm;
    struct vault *vault;
    /* variables that name them; |next| NULL: there is none */
    const char *current, *next;
};

static bool fault(char error[KEYS_ERROR_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool fault(char error[KEYS_ERROR_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(error, KEYS_ERROR_MAX, format, args);
    va_end(args);
    return false;
}

static bool is_label(const char *variable)
{
    return variable && strncmp(variable, LABEL, strlen(LABEL)) == 0;
}

static bool choose(struct keys *keys, const struct config *config, char error[KEYS_ERROR_MAX])
{
    bool master_next = config_key(config, MASTER "_NEXT", WRAPPING_PLAIN) != NULL;
    bool label_next = config_text(config, LABEL "_NEXT")[0] != '\0';

    keys->current = strcmp(config_text(config, "VAULT"), "pkcs11") == 0 ? LABEL : MASTER;
    if (master_next && label_next)
        return fault(error, MASTER "_NEXT and " LABEL "_NEXT are both set: there is one next key");
    keys->next = master_next ? MASTER "_NEXT" : label_next ? LABEL "_NEXT" : NULL;
    return true;
}

/* Those in the token, in the order of |current| and |next|. */
static bool start_hsm(struct keys *keys, const struct config *config, const char *program,
                      char error[KEYS_ERROR_MAX])
{
    static const char *const needed[] = {"PKCS11_MODULE", "PKCS11_PIN_FILE"};
    struct pkcs11_params params = {.module = config_text(config, "PKCS11_MODULE"),
                                   .slot = (long)config_int(config, "PKCS11_SLOT"),
                                   .token = config_text(config, "PKCS11_TOKEN"),
                                   .pin_file = config_text(config, "PKCS11_PIN_FILE")};
    const char *const variables[] = {keys->current, keys->next};

    for (size_t i = 0; i < 2; i++) {
        if (!is_label(variables[i]))
            continue;
        params.labels[params.labels_n] = config_text(config, variables[i]);
        if (!params.labels[params.labels_n++][0])
            return fault(error, "%s is not set: the label of the wrapping key in the token",
                         variables[i]);
    }
    if (params.labels_n == 0)
        return true;
    for (size_t i = 0; i < 2; i++) {
        if (!config_text(config, needed[i])[0])
            return fault(error, "%s is not set: a wrapping key in a token needs it", needed[i]);
    }
    keys->hsm = hsm_start(program, &params, error);
    return keys->hsm != NULL;
}

static struct wrapping *master_of(const struct config *config, const char *variable)
{
    uint8_t *master = secret_new(WRAPPING_PLAIN);
    struct wrapping *wrapping;

    memcpy(master, config_key(config, variable, WRAPPING_PLAIN), WRAPPING_PLAIN);
    wrapping = wrapping_master(master);
    secret_free(master);
    return wrapping;
}

static void make_vault(struct keys *keys, const struct config *config)
{
    struct wrapping *current = NULL, *next = NULL;
    size_t label = 0;

    current = is_label(keys->current) ? hsm_wrapping(keys->hsm, label++)
                                      : master_of(config, keys->current);
    if (keys->next)
        next =
            is_label(keys->next) ? hsm_wrapping(keys->hsm, label) : master_of(config, keys->next);
    keys->vault = vault_of_keys(current, next);
}

static bool are_two(const struct keys *keys, char error[KEYS_ERROR_MAX])
{
    uint8_t current[VAULT_CHECK_BYTES], next[VAULT_CHECK_BYTES];

    vault_check(keys->vault, current);
    if (!vault_next_check(keys->vault, next) || memcmp(current, next, sizeof current) != 0)
        return true;
    return fault(error, "%s is the same key as %s: unset it, or make a new key", keys->next,
                 keys->current);
}

struct keys *keys_open(const struct config *config, const char *program, char error[KEYS_ERROR_MAX])
{
    struct keys *keys = mem_new(1, sizeof *keys);

    if (choose(keys, config, error) && start_hsm(keys, config, program, error)) {
        make_vault(keys, config);
        if (are_two(keys, error))
            return keys;
    }
    keys_close(keys);
    return NULL;
}

void keys_close(struct keys *keys)
{
    if (!keys)
        return;
    vault_free(keys->vault);
    hsm_stop(keys->hsm);
    free(keys);
}

const struct vault *keys_vault(const struct keys *keys)
{
    return keys->vault;
}

int keys_fd(const struct keys *keys)
{
    return keys->hsm ? hsm_fd(keys->hsm) : -1;
}

bool keys_settle(const struct keys *keys, struct store *store, const char *directory,
                 char error[KEYS_ERROR_MAX])
{
    uint8_t current[VAULT_CHECK_BYTES], next[VAULT_CHECK_BYTES];
    struct store_keys ids = {current, keys->next ? next : NULL};
    size_t left;

    vault_check(keys->vault, current);
    (void)vault_next_check(keys->vault, next);
    switch (store_take_keys(store, &ids, &left)) {
    case STORE_KEYS_TAKEN:
        return true;
    case STORE_KEYS_WRONG:
        return fault(error, "%s is not the key that the shares in %s are sealed with",
                     keys->current, directory);
    case STORE_KEYS_TURNED:
        return fault(error,
                     "%s is not the key that the shares in %s are sealed with, but %s is: make "
                     "that one the current key",
                     keys->current, directory, keys->next);
    case STORE_KEYS_OLD_LEFT:
        return fault(error,
                     "%zu shares in %s are still under the key before %s: set that one again, and "
                     "this one as the next, until quorate_vault_rows_to_rewrap is 0",
                     left, directory, keys->current);
    case STORE_KEYS_NEXT_LEFT:
        return fault(error,
                     "%zu shares in %s are under the next key that was set before: set it again as "
                     "the next one beside %s",
                     left, directory, keys->current);
    case STORE_KEYS_FAILED:
        store_error(store, error);
        return false;
    }
    return false;
}
