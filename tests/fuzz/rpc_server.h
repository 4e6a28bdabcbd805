/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of the server with the echo service, fed with the fuzzer's bytes. */
#ifndef FUZZ_RPC_SERVER_H
#define FUZZ_RPC_SERVER_H

#include <stddef.h>
#include <stdint.h>

/* |prefix| and then |data|, whose first byte says in which pieces; then the peer reads for a while
 * and goes. All that the connection caused must be gone afterwards. */
void fuzz_rpc_server(const void *prefix, size_t prefix_len, const uint8_t *data, size_t size);

#endif
