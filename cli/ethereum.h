/* SPDX-License-Identifier: Apache-2.0 */
/* EIP-1559 transactions: from JSON, to the bytes that are signed and the bytes that are sent. */
#ifndef QUORATE_CLI_ETHEREUM_H
#define QUORATE_CLI_ETHEREUM_H

#include "say.h"

#include "quorate/types.h"
#include "system/core/buffer.h"

#include <jansson.h>

/* Numbers are big-endian. */
struct eth_tx {
    uint8_t chain_id[32], nonce[32], max_priority_fee[32], max_fee[32], gas_limit[32], value[32];
    uint8_t to[20];
    struct buffer data;
};

/* Fields chainId, nonce, to, value, maxFeePerGas, maxPriorityFeePerGas, gasLimit; data and
 * accessList (empty) may be left out, type may be 2. Anything else, and any value out of range, is
 * refused by name. |name| is what the sentence calls the file, |text| what stands in it. */
bool eth_tx_read(struct eth_tx *out, const char *name, const char *text, size_t len,
                 struct trouble *trouble);
void eth_tx_free(struct eth_tx *tx);

/* 0x02, then the list of nine fields: its Keccak-256 is what is signed. */
void eth_tx_unsigned(struct buffer *out, const struct eth_tx *tx);
/* 0x02, then the list of twelve: what a node accepts. */
void eth_tx_signed(struct buffer *out, const struct eth_tx *tx, const struct qrt_sig *sig);

#endif
