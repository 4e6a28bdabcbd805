/* SPDX-License-Identifier: Apache-2.0 */
/* The form of an HTTP/1.1 head, stricter than the parser's: whatever two readers could understand
 * differently is refused (bare CR or LF, folded lines, blanks before a colon, control bytes). */
#ifndef SYSTEM_RPC_H1_CHECK_H
#define SYSTEM_RPC_H1_CHECK_H

#include <stddef.h>
#include <stdint.h>

/* The length of the head with its empty line; 0: it is not complete. What was looked at by an
 * earlier call with less is |*seen|. */
size_t h1_head_len(const uint8_t *b, size_t len, size_t *seen);
/* NULL if a request may begin with this byte, otherwise one sentence: who speaks another protocol
 * is told at once, not when a head is overdue. */
const char *h1_first_fault(uint8_t first);
/* NULL if the whole head has the right form, otherwise one sentence. */
const char *h1_head_fault(const uint8_t *b, size_t len);

#endif
