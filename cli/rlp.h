/* SPDX-License-Identifier: Apache-2.0 */
/* Ethereum's recursive length prefix, writing only (Yellow Paper, appendix B). */
#ifndef QUORATE_CLI_RLP_H
#define QUORATE_CLI_RLP_H

#include "system/core/buffer.h"

void rlp_put_bytes(struct buffer *out, const uint8_t *b, size_t len);
/* A number of |len| bytes, big-endian: without its leading zeros. */
void rlp_put_number(struct buffer *out, const uint8_t *b, size_t len);
/* A list whose items are already encoded, one after the other, in |items|. */
void rlp_put_list(struct buffer *out, const struct buffer *items);

#endif
