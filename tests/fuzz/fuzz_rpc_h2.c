/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 behind its preface: frames, header blocks, gRPC messages. */
#include "fuzz.h"
#include "rpc_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";

    fuzz_rpc_server(preface, sizeof preface, data, size);
    return 0;
}
