/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal of public data as people and JSON have it, with or without 0x. Plain hex is
 * system/core/ids.h. */
#ifndef QUORATE_CLI_HEX_H
#define QUORATE_CLI_HEX_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* |out| holds |cap| bytes; false if |text| is no hex, of odd length or too long. */
bool hex_read(uint8_t *out, size_t cap, size_t *len, const char *text);
/* Exactly |len| bytes. */
bool hex_read_exact(uint8_t *out, size_t len, const char *text);

/* What |text| is instead of the hex that was wanted: "31 bytes", "63 hex digits", "not hex". */
#define HEX_DESCRIPTION_MAX 40
void hex_describe(char out[HEX_DESCRIPTION_MAX], const char *text);

/* A JSON string, without or with 0x. */
json_t *hex_json(const uint8_t *b, size_t len);
json_t *hex_json_0x(const uint8_t *b, size_t len);
/* Exactly |len| bytes out of the string |key| of |object|. */
bool hex_from_json(uint8_t *out, size_t len, const json_t *object, const char *key);

#endif
