/* SPDX-License-Identifier: Apache-2.0 */
/* Frames over a stream socket between the processes of a demo: a length of four bytes, big-endian,
 * then that many bytes. Never blocks: poll, then pump. What goes through is public or sealed. */
#ifndef QUORATE_CLI_CHANNEL_H
#define QUORATE_CLI_CHANNEL_H

#include "buffer.h"

#include <jansson.h>
#include <stdbool.h>

/* Larger than any message of 64 parties, and than any control message. */
#define CHANNEL_FRAME_MAX (256u * 1024)
/* More than that waiting to be sent, and the reader is taken for dead. */
#define CHANNEL_WAITING_MAX (64u * 1024 * 1024)

struct channel {
    int fd; /* -1: not in use */
    bool over;
    struct buffer in, out;
    size_t in_at; /* start of the next frame */
};

/* |fd| belongs to the channel from now on. */
void channel_open(struct channel *channel, int fd);
void channel_close(struct channel *channel);

/* What to poll for. */
short channel_events(const struct channel *channel);
/* Read and write what poll says is possible. When the other side is gone, |over| is set; frames
 * that arrived before can still be taken. */
void channel_pump(struct channel *channel, short revents);
/* Write what can be written now. */
void channel_flush(struct channel *channel);

/* The next complete frame, valid until the next call on the channel. */
bool channel_take(struct channel *channel, const uint8_t **b, size_t *len);
void channel_put(struct channel *channel, const uint8_t *b, size_t len);

/* Frames that hold JSON: |value| is taken; the result is the caller's, NULL if there is none. */
void channel_tell(struct channel *channel, json_t *value);
json_t *channel_hear(struct channel *channel);

#endif
