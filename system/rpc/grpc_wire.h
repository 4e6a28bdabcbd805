/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of gRPC that client and server share: length-prefixed frames, grpc-timeout and the
 * percent-encoding of grpc-message. No connection, no state. */
#ifndef SYSTEM_RPC_GRPC_WIRE_H
#define SYSTEM_RPC_GRPC_WIRE_H

#include "system/core/buffer.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A frame: one byte of flags, four of length, the payload. */
enum { GRPC_HEAD = 5, GRPC_COMPRESSED = 0x01, GRPC_TRAILERS = 0x80 };

struct grpc_frame {
    uint8_t flags;
    /* lent from the buffer that was read */
    const uint8_t *b;
    size_t len;
};

enum grpc_next {
    /* the buffer ends inside the frame */
    GRPC_MORE,
    GRPC_FRAME,
    /* longer than allowed: told by the head alone */
    GRPC_TOO_LONG
};

/* The frame at |*at|, which moves behind it. The caller drops what is before |*at| when it has
 * finished with the frames. Flags are not judged. */
enum grpc_next grpc_frame_next(struct grpc_frame *frame, const struct buffer *in, size_t *at,
                               size_t max);
/* Add |message| as one frame, or any payload. */
void grpc_frame_add(struct buffer *out, const ProtobufCMessage *message);
void grpc_frame_bytes(struct buffer *out, uint8_t flags, const void *b, size_t len);

/* grpc-message: %XX for everything but printable ASCII, and for '%'. */
void grpc_percent_encode(struct buffer *out, const char *text);
/* Decodes as far as |cap| - 1 bytes go; a broken escape stays as it is. */
void grpc_percent_decode(char *out, size_t cap, const char *text, size_t len);

/* grpc-timeout: at most eight digits and a unit. */
enum { GRPC_TIMEOUT_MAX = 16 };
void grpc_timeout_text(char out[GRPC_TIMEOUT_MAX], uint64_t ms);
/* Rounded up to a millisecond. False if it is malformed. */
bool grpc_timeout_parse(uint64_t *ms, const char *text);

#endif
