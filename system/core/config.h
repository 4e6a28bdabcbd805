/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration: one table of every variable of every program (config_table.c). The parser,
 * --help, --check, .env.example and docs/configuration.md are made from it.
 *
 * A value comes from the environment or from a file of NAME=VALUE lines (--env-file FILE, else
 * `.env` in the working directory if it is there); the environment wins. Variables of the process
 * that the table marks secret are overwritten in the environment block once read. A missing or
 * malformed value is one line that names the variable and the form it must have. An unknown name
 * in the file is refused with the nearest known one; unknown names in the environment are not ours.
 * In production a placeholder from .env.example is refused. */
#ifndef SYSTEM_CORE_CONFIG_H
#define SYSTEM_CORE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who reads a variable; a bit each. */
enum config_program {
    CONFIG_ACCOUNT = 1,
    CONFIG_COORDINATOR = 2,
    CONFIG_ROUTER = 4,
    CONFIG_PARTY = 8,
    CONFIG_PARTY_API = 16,
    /* the process that holds a party's shares: what it reads, its front does not */
    CONFIG_KEEPER = 32,
    CONFIG_ALL = 63
};

struct config;

enum { CONFIG_ERROR_MAX = 256 };

/* Read and check everything |program| needs. |env_file| NULL: `.env` if there is one. NULL on a
 * fault, with one line in |error|. The result is the caller's: config_free wipes it. */
struct config *config_load(enum config_program program, const char *env_file,
                           char error[CONFIG_ERROR_MAX]);
void config_free(struct config *config);

/* Values by name. Asking for a name that the table does not list for the program, or as another
 * type, is a bug. Lent until config_free. Text that is not set and has no default is "". */
const char *config_text(const struct config *config, const char *name);
int64_t config_int(const struct config *config, const char *name);
/* Decoded hex of a key; |len| bytes as the table says. NULL if it is optional and not set. */
const uint8_t *config_key(const struct config *config, const char *name, size_t len);
/* Decoded keys of a list, |len| bytes each as the table says, one after the other; |n| gets how
 * many. NULL if there is none. */
const uint8_t *config_keys(const struct config *config, const char *name, size_t len, size_t *n);
/* Comma-separated lists, blanks trimmed. */
size_t config_list_n(const struct config *config, const char *name);
const char *config_list_item(const struct config *config, const char *name, size_t i);

/* True unless ENVIRONMENT is development. */
bool config_is_production(const struct config *config);

/* What --help prints for |program|; the texts of .env.example, of .env.prod.example (what has no
 * default) and of .env.party.example (what a party reads); the reference page in Markdown. */
void config_print_help(enum config_program program);
void config_print_example(void);
void config_print_example_prod(void);
void config_print_example_party(void);
void config_print_reference(void);

#endif
