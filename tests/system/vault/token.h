/* SPDX-License-Identifier: Apache-2.0 */
/* A software token for tests: SoftHSM2 with its files in a directory of the test's own, and keys
 * made by the commands of docs/keys.md. */
#ifndef TEST_SYSTEM_VAULT_TOKEN_H
#define TEST_SYSTEM_VAULT_TOKEN_H

#define TOKEN_MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define TOKEN_PIN "4711-pin"

/* Sets SOFTHSM2_CONF, makes the token "quorate" and |directory|/pin. |directory| is the caller's. */
void token_new(const char *directory);
/* As pkcs11-tool makes it, with more options. */
void token_add_key(const char *label, const char *options);
/* The files of the token out of the way, and back. */
void token_hide(const char *directory);
void token_show(const char *directory);
/* While hidden: another token of the same name, without keys; and away with it. */
void token_fake(void);
void token_unfake(const char *directory);

#endif
