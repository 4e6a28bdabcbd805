/* SPDX-License-Identifier: Apache-2.0 */
/* From the first byte of a connection on: mostly HTTP/1.1, with JSON and gRPC-Web in it. */
#include "fuzz.h"
#include "rpc_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_rpc_server("", 0, data, size);
    return 0;
}
