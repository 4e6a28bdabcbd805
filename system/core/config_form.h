/* SPDX-License-Identifier: Apache-2.0 */
/* The forms that values of variables have: what fits, and how it is said in words. */
#ifndef SYSTEM_CORE_CONFIG_FORM_H
#define SYSTEM_CORE_CONFIG_FORM_H

#include "system/core/config_table.h"

enum { CONFIG_FORM_TEXT_MAX = 128 };

/* Items of a list are given one after another, each ended by a zero byte, |n| of them. */
bool config_form_fits(const struct config_row *row, const char *text, size_t n);
bool config_form_is_list(enum config_form form);
/* "a whole number from 0 to 65535" */
void config_form_text(char out[CONFIG_FORM_TEXT_MAX], const struct config_row *row);
/* Cut a comma-separated list where it lies, into items as above; blanks around them go. */
size_t config_form_split(char *text);
/* Strict decimal. */
bool config_form_number(int64_t *out, const char *text);

#endif
