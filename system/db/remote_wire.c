/* SPDX-License-Identifier: Apache-2.0 */
/* See remote_wire.h. */
#include "system/db/remote_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE_MAX = 1 << 28 };

void wire_put_int(struct buffer *out, int64_t number)
{
    buffer_add(out, &number, sizeof number);
}

void wire_put_bytes(struct buffer *out, const void *b, size_t len)
{
    wire_put_int(out, (int64_t)len);
    buffer_add(out, b ? b : "", len);
    buffer_add(out, "", 1);
}

void wire_put_text(struct buffer *out, const char *text)
{
    wire_put_bytes(out, text, strlen(text));
}

void wire_put_value(struct buffer *out, const struct db_value *value)
{
    wire_put_int(out, value->type);
    wire_put_int(out, value->number);
    wire_put_bytes(out, value->b, value->len);
}

/* |len| bytes of the rest. */
static const uint8_t *take(struct wire *in, size_t len)
{
    const uint8_t *b = in->b + in->at;

    if (in->is_bad || len > in->len - in->at) {
        in->is_bad = true;
        return NULL;
    }
    in->at += len;
    return b;
}

int64_t wire_get_int(struct wire *in)
{
    int64_t number = 0;
    const uint8_t *b = take(in, sizeof number);

    if (b)
        memcpy(&number, b, sizeof number);
    return number;
}

const char *wire_get_bytes(struct wire *in, size_t *len)
{
    int64_t n = wire_get_int(in);
    const uint8_t *b = n >= 0 && n < MESSAGE_MAX ? take(in, (size_t)n + 1) : NULL;

    if (!b || b[n] != '\0') {
        in->is_bad = true;
        *len = 0;
        return "";
    }
    *len = (size_t)n;
    return (const char *)b;
}

const char *wire_get_text(struct wire *in)
{
    size_t len;

    return wire_get_bytes(in, &len);
}

struct db_value wire_get_value(struct wire *in)
{
    struct db_value v = {.type = (enum db_type)wire_get_int(in)};

    v.number = wire_get_int(in);
    v.b = wire_get_bytes(in, &v.len);
    return v;
}

static bool write_all(int fd, const uint8_t *b, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, b, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        b += n;
        len -= (size_t)n;
    }
    return true;
}

static bool read_all(int fd, uint8_t *b, size_t len)
{
    while (len > 0) {
        ssize_t n = read(fd, b, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        b += n;
        len -= (size_t)n;
    }
    return true;
}

bool wire_send(int fd, struct buffer *out)
{
    uint64_t len = out->len;
    bool ok = len <= MESSAGE_MAX && write_all(fd, (const uint8_t *)&len, sizeof len) &&
              write_all(fd, out->b, out->len);

    buffer_drop(out, out->len);
    return ok;
}

bool wire_receive(int fd, struct wire *in)
{
    uint64_t len = 0;

    *in = (struct wire){0};
    if (!read_all(fd, (uint8_t *)&len, sizeof len) || len > MESSAGE_MAX)
        return false;
    in->b = mem_new(1, len + 1);
    in->len = len;
    if (read_all(fd, in->b, len))
        return true;
    free(in->b);
    in->b = NULL;
    return false;
}
