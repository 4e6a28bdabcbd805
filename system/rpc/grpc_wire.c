/* SPDX-License-Identifier: Apache-2.0 */
/* See grpc_wire.h. Lengths come from the wire: they are compared with the limit before anything
 * waits for that many bytes. */
#include "system/rpc/grpc_wire.h"

#include "system/core/be.h"
#include "system/core/ids.h"

#include <stdio.h>
#include <string.h>

enum grpc_next grpc_frame_next(struct grpc_frame *frame, const struct buffer *in, size_t *at,
                               size_t max)
{
    size_t left = in->len - *at;
    const uint8_t *b;
    size_t len;

    /* An empty buffer has no bytes to point at. */
    if (left < GRPC_HEAD)
        return GRPC_MORE;
    b = in->b + *at;
    len = (size_t)be_get(b + 1, 4);
    frame->flags = b[0];
    if (len > max)
        return GRPC_TOO_LONG;
    if (left - GRPC_HEAD < len)
        return GRPC_MORE;
    frame->b = b + GRPC_HEAD;
    frame->len = len;
    *at += GRPC_HEAD + len;
    return GRPC_FRAME;
}

static void frame_head(struct buffer *out, uint8_t flags, size_t len)
{
    uint8_t head[GRPC_HEAD] = {flags};

    be_put(head + 1, 4, len);
    buffer_add(out, head, sizeof head);
}

/* protobuf-c packs into anything that can append. */
struct packer {
    ProtobufCBuffer base;
    struct buffer *out;
};

static void packer_append(ProtobufCBuffer *base, size_t len, const uint8_t *b)
{
    buffer_add(((struct packer *)(void *)base)->out, b, len);
}

void grpc_frame_add(struct buffer *out, const ProtobufCMessage *message)
{
    struct packer packer = {.base = {.append = packer_append}, .out = out};

    frame_head(out, 0, protobuf_c_message_get_packed_size(message));
    protobuf_c_message_pack_to_buffer(message, &packer.base);
}

void grpc_frame_bytes(struct buffer *out, uint8_t flags, const void *b, size_t len)
{
    frame_head(out, flags, len);
    buffer_add(out, b, len);
}

static bool is_plain(char c)
{
    return c >= ' ' && c <= '~' && c != '%';
}

void grpc_percent_encode(struct buffer *out, const char *text)
{
    while (*text) {
        size_t plain = 0;

        while (is_plain(text[plain]))
            plain++;
        buffer_add(out, text, plain);
        text += plain;
        if (*text)
            buffer_printf(out, "%%%02X", (unsigned)(unsigned char)*text++);
    }
}

void grpc_percent_decode(char *out, size_t cap, const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len && n + 1 < cap; i++) {
        int high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
        int low = i + 2 < len ? hex_digit(text[i + 2]) : -1;

        if (text[i] == '%' && high >= 0 && low >= 0) {
            out[n++] = (char)(high << 4 | low);
            i += 2;
        } else {
            out[n++] = text[i];
        }
    }
    out[n] = 0;
}

/* Eight digits of milliseconds are a day; longer waits are told in seconds. */
void grpc_timeout_text(char out[GRPC_TIMEOUT_MAX], uint64_t ms)
{
    if (ms <= 99999999)
        snprintf(out, GRPC_TIMEOUT_MAX, "%um", (unsigned)ms);
    else
        snprintf(out, GRPC_TIMEOUT_MAX, "%uS",
                 (unsigned)(ms / 1000 < 99999999 ? ms / 1000 : 99999999));
}

/* Eight digits of hours in milliseconds fit 64 bits. */
static bool unit_ms(uint64_t *ms, uint64_t value, char unit)
{
    switch (unit) {
    case 'H':
        *ms = value * 3600000;
        return true;
    case 'M':
        *ms = value * 60000;
        return true;
    case 'S':
        *ms = value * 1000;
        return true;
    case 'm':
        *ms = value;
        return true;
    case 'u':
        *ms = (value + 999) / 1000;
        return true;
    case 'n':
        *ms = (value + 999999) / 1000000;
        return true;
    default:
        return false;
    }
}

bool grpc_timeout_parse(uint64_t *ms, const char *text)
{
    uint64_t value = 0;
    size_t n = 0;

    while (text[n] >= '0' && text[n] <= '9' && n < 9)
        value = 10 * value + (uint64_t)(text[n++] - '0');
    if (n < 1 || n > 8 || !text[n] || text[n + 1])
        return false;
    return unit_ms(ms, value, text[n]);
}
