/* SPDX-License-Identifier: Apache-2.0 */
/* What a server may answer to our gRPC client, cut in any way: headers, frames, trailers. A call
 * that succeeds has exactly one message, or is a stream; one that does not has a code and a name. */
#include "fuzz.h"

#include "shapes.pb-c.h"
#include "system/core/utf8.h"
#include "system/rpc/client_call.h"

#include <string.h>

struct seen {
    unsigned messages;
};

static bool is_text(const char *text)
{
    return utf8_prefix(text, strlen(text)) == strlen(text);
}

static void check(const ProtobufCMessage *message)
{
    const Test__Shapes__Shapes *m = (const void *)message;

    fuzz_need(m && is_text(m->text));
    for (size_t i = 0; i < m->n_texts; i++)
        fuzz_need(is_text(m->texts[i]));
    for (size_t i = 0; i < m->n_inners; i++)
        fuzz_need(is_text(m->inners[i]->name));
}

static void on_each(void *arg, const ProtobufCMessage *message)
{
    check(message);
    ((struct seen *)arg)->messages++;
}

static void header(struct rpc_pending *call, struct fuzz_in *in)
{
    static const char *const names[] = {":status",      "content-type", "grpc-status",
                                        "grpc-message", "x-session-id", "retry-after"};
    static const char *const usual[] = {"200", "application/grpc", "0", "ok", "", "7"};
    char value[300];
    size_t which = fuzz_u8(in) % 6, len = fuzz_u8(in);

    if (len > 0xf0) {
        pending_header(call, names[which], usual[which], strlen(usual[which]));
        return;
    }
    for (size_t i = 0; i < len; i++)
        value[i] = (char)fuzz_u8(in);
    value[len] = 0;
    pending_header(call, names[which], value, len);
}

/* False: the call is over. */
static bool data_part(struct rpc_pending *call, struct fuzz_in *in)
{
    size_t len = fuzz_u16(in);
    const uint8_t *b = in->b;

    len = len < in->left ? len : in->left;
    in->b += len;
    in->left -= len;
    return pending_data(call, b, len) == PENDING_TOOK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Test__Shapes__Shapes message = TEST__SHAPES__SHAPES__INIT;
    struct fuzz_in in = {data, size};
    struct seen seen = {0};
    bool is_stream = fuzz_u8(&in) & 1, goes_on = true;
    const struct rpc_request request = {
        .path = "t.T/T",
        .message = &message.base,
        .response = &test__shapes__shapes__descriptor,
        .trace = "t",
        .each = is_stream ? on_each : NULL,
        .arg = &seen,
    };
    struct rpc_pending *call = pending_new(NULL, &request, 0);

    while (in.left && goes_on) {
        if (fuzz_u8(&in) & 1)
            header(call, &in);
        else
            goes_on = data_part(call, &in);
    }
    if (goes_on)
        pending_settle(call, size & 3, "server");
    fuzz_need(call->status.code == RPC_OK || call->status.name);
    fuzz_need(call->status.code != RPC_OK || is_stream || call->message);
    fuzz_need(is_stream || !seen.messages);
    fuzz_need(is_text(call->status.text) && is_text(call->status.session_id));
    if (call->message)
        check(call->message);
    pending_free(call);
    return 0;
}
