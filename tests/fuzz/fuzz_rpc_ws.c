/* SPDX-License-Identifier: Apache-2.0 */
/* The WebSocket behind its handshake: frames and envelopes. */
#include "fuzz.h"
#include "rpc_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char handshake[] = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                                    "Connection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    fuzz_rpc_server(handshake, sizeof handshake - 1, data, size);
    return 0;
}
