/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers as text: UUIDv4, trace ids, hex. Public values: variable time. */
#ifndef SYSTEM_CORE_IDS_H
#define SYSTEM_CORE_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ID_TEXT_MAX = 37, TRACE_TEXT_MAX = 33 };

/* A fresh UUIDv4: 16 random bytes and its text, lower case. */
void id_new(char out[ID_TEXT_MAX]);
/* False unless |text| is a UUIDv4 in the usual form (either case); |out| gets the 16 bytes. */
bool id_parse(uint8_t out[16], const char *text);
void id_text(char out[ID_TEXT_MAX], const uint8_t id[16]);
/* 32 hex digits. */
void trace_new(char out[TRACE_TEXT_MAX]);

/* Lower-case hex of |len| bytes and a zero byte: 2 * len + 1. */
void hex_encode(char *out, const uint8_t *b, size_t len);
/* The value of a hex digit of either case; -1 if it is none. */
int hex_digit(char c);
/* Exactly |len| bytes from exactly 2 * len digits of either case; false otherwise. */
bool hex_decode(uint8_t *out, size_t len, const char *text);
/* party ids: 1 to 64 of a-z A-Z 0-9 . _ - */
bool party_id_is_valid(const char *text);

#endif
