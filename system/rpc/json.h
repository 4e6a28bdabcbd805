/* SPDX-License-Identifier: Apache-2.0 */
/* JSON to protobuf (proto3) and back, by protobuf-c's descriptors.
 *
 * Names are the fields' own (snake_case). Writing: empty strings, absent messages, empty bytes and
 * members of a oneof that is not set are left out; numbers, booleans and lists are always there.
 * bytes are base64, map<string, string> is an object, 64-bit integers are numbers (above 2^63 - 1
 * text, which JSON libraries cannot hold otherwise). Maps count as lists. Reading accepts null as
 * absent; an unknown member, a wrong type, a number out of range, a duplicate member, text
 * that is not UTF-8 or holds a zero byte is refused by a sentence that names the member. Depth is
 * bounded by the descriptors. */
#ifndef SYSTEM_RPC_JSON_H
#define SYSTEM_RPC_JSON_H

#include "system/rpc/status.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

/* A JSON object, new reference, or NULL with RPC_INVALID in |status|. Duplicate members, text that
 * is not UTF-8 or holds a zero byte and nesting without end stop here. */
json_t *json_of_text(const char *text, size_t len, struct rpc_status *status);
/* New reference; never NULL. */
json_t *json_of_message(const ProtobufCMessage *message);
/* A fresh message (protobuf_c_message_free_unpacked), or NULL with RPC_INVALID in |status|. |json|
 * NULL is an empty object. */
ProtobufCMessage *message_of_json(const ProtobufCMessageDescriptor *descriptor, const json_t *json,
                                  struct rpc_status *status);
/* Set one field from text, as in a path or query: what was set is replaced, a list grows by one.
 * False with |status| as above; the message then is good for protobuf_c_message_free_unpacked. */
bool message_set_text(ProtobufCMessage *message, const char *field, const char *text,
                      struct rpc_status *status);

#endif
