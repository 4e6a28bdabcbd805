/* SPDX-License-Identifier: Apache-2.0 */
/* JSON of a request: whatever is taken is written and read again to the same message; whatever is
 * not has a sentence. The first byte chooses the message, the rest is the text. */
#include "fuzz.h"

#include "account.pb-c.h"
#include "shapes.pb-c.h"
#include "system/rpc/json.h"

#include <stdlib.h>
#include <string.h>

static ProtobufCMessage *take(const ProtobufCMessageDescriptor *descriptor, const char *text,
                              size_t len)
{
    struct rpc_status status = {0};
    json_t *json = json_of_text(text, len, &status);
    ProtobufCMessage *message = NULL;

    if (json)
        message = message_of_json(descriptor, json, &status);
    fuzz_need(message || (status.code == RPC_INVALID && status.text[0]));
    json_decref(json);
    return message;
}

static uint8_t *pack(const ProtobufCMessage *message, size_t *len)
{
    uint8_t *b;

    *len = protobuf_c_message_get_packed_size(message);
    b = malloc(*len + 1);
    fuzz_need(b && protobuf_c_message_pack(message, b) == *len);
    return b;
}

static void must_come_back(const ProtobufCMessage *message)
{
    json_t *json = json_of_message(message);
    char *text = json_dumps(json, JSON_COMPACT);
    ProtobufCMessage *again = take(message->descriptor, text, strlen(text));
    size_t first_len, second_len;
    uint8_t *first, *second;

    fuzz_need(again);
    first = pack(message, &first_len);
    second = pack(again, &second_len);
    fuzz_need(first_len == second_len && memcmp(first, second, first_len) == 0);
    free(first);
    free(second);
    free(text);
    json_decref(json);
    protobuf_c_message_free_unpacked(again, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ProtobufCMessage *message;

    if (!size)
        return 0;
    message = take(data[0] & 1 ? &mpc__account__v1__create_account_request__descriptor
                               : &test__shapes__shapes__descriptor,
                   (const char *)data + 1, size - 1);
    if (!message)
        return 0;
    must_come_back(message);
    protobuf_c_message_free_unpacked(message, NULL);
    return 0;
}
