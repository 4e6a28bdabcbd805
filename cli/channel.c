/* SPDX-License-Identifier: Apache-2.0 */
/* Frames over a stream socket. The end of the stream, an error and a frame that is too long are
 * one thing to the user of a channel: it is over. */
#include "channel.h"

#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void channel_open(struct channel *channel, int fd)
{
    int flags = fcntl(fd, F_GETFL);

    *channel = (struct channel){.fd = fd};
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        channel->over = true;
}

void channel_close(struct channel *channel)
{
    if (channel->fd >= 0)
        close(channel->fd);
    buffer_free(&channel->in);
    buffer_free(&channel->out);
    *channel = (struct channel){.fd = -1, .over = true};
}

short channel_events(const struct channel *channel)
{
    if (channel->over)
        return 0;
    return (short)(POLLIN | (channel->out.len ? POLLOUT : 0));
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static void fill(struct channel *channel)
{
    uint8_t b[16384];

    for (;;) {
        ssize_t n = read(channel->fd, b, sizeof b);

        if (n > 0)
            buffer_put(&channel->in, b, (size_t)n);
        if (n == 0 || (n < 0 && !would_block()))
            channel->over = true;
        if (n < (ssize_t)sizeof b)
            return;
    }
}

void channel_flush(struct channel *channel)
{
    size_t at = 0;

    if (channel->out.len == 0)
        return;
    while (!channel->over && at < channel->out.len) {
        ssize_t n = write(channel->fd, channel->out.b + at, channel->out.len - at);

        if (n > 0)
            at += (size_t)n;
        else if (n < 0 && would_block())
            break;
        else
            channel->over = true;
    }
    buffer_drop(&channel->out, at);
}

void channel_pump(struct channel *channel, short revents)
{
    if (channel->in_at) {
        buffer_drop(&channel->in, channel->in_at);
        channel->in_at = 0;
    }
    if (revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL))
        fill(channel);
    if (revents & POLLOUT)
        channel_flush(channel);
}

bool channel_take(struct channel *channel, const uint8_t **b, size_t *len)
{
    size_t left = channel->in.len - channel->in_at;
    const uint8_t *at;

    if (left < 4)
        return false;
    at = channel->in.b + channel->in_at;
    *len = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
    if (*len > CHANNEL_FRAME_MAX) {
        channel->over = true;
        return false;
    }
    if (left - 4 < *len)
        return false;
    *b = at + 4;
    channel->in_at += 4 + *len;
    return true;
}

void channel_put(struct channel *channel, const uint8_t *b, size_t len)
{
    uint8_t be[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};

    if (channel->over || channel->out.len > CHANNEL_WAITING_MAX) {
        channel->over = true;
        return;
    }
    buffer_put(&channel->out, be, sizeof be);
    buffer_put(&channel->out, b, len);
    channel_flush(channel);
}

void channel_tell(struct channel *channel, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);

    if (!text)
        exit(refuse("out of memory"));
    channel_put(channel, (const uint8_t *)text, strlen(text));
    free(text);
    json_decref(value);
}

json_t *channel_hear(struct channel *channel)
{
    const uint8_t *b;
    size_t len;
    json_t *value;

    if (!channel_take(channel, &b, &len))
        return NULL;
    value = json_loadb((const char *)b, len, JSON_REJECT_DUPLICATES, NULL);
    if (!value)
        channel->over = true;
    return value;
}
