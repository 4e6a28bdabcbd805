/* SPDX-License-Identifier: Apache-2.0 */
/* Reading appends to one buffer that is cut from the front; its memory is bounded by one frame and
 * one read. Writing encodes outside the lock. Frames can carry a lent share or a sealed one, never
 * an open secret. */
#include "participant/frames.h"

#include "system/core/be.h"
#include "system/core/buffer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { READ_MAX = 1 << 18 };

struct frames {
    int fd;
    struct buffer in;
    /* bytes of |in| that were given out */
    size_t taken;
    uint8_t *chunk;
    pthread_mutex_t write_lock;
};

struct frames *frames_new(int fd)
{
    struct frames *frames = mem_new(1, sizeof *frames);

    frames->fd = fd;
    frames->chunk = mem_new(1, READ_MAX);
    pthread_mutex_init(&frames->write_lock, NULL);
    return frames;
}

void frames_free(struct frames *frames)
{
    if (!frames)
        return;
    buffer_free(&frames->in);
    free(frames->chunk);
    pthread_mutex_destroy(&frames->write_lock);
    free(frames);
}

bool frames_fill(struct frames *frames)
{
    ssize_t n = recv(frames->fd, frames->chunk, READ_MAX, MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    buffer_drop(&frames->in, frames->taken);
    frames->taken = 0;
    buffer_add(&frames->in, frames->chunk, (size_t)n);
    return true;
}

Mpc__Keeper__V1__ToKeeper *frames_next(struct frames *frames, bool *broken)
{
    size_t left = frames->in.len - frames->taken;
    Mpc__Keeper__V1__ToKeeper *frame;
    const uint8_t *b;
    uint32_t len;

    *broken = false;
    if (left < 4)
        return NULL;
    b = frames->in.b + frames->taken;
    len = (uint32_t)be_get(b, 4);
    if (len > FRAME_MAX) {
        *broken = true;
        return NULL;
    }
    if (left - 4 < len)
        return NULL;
    frame = mpc__keeper__v1__to_keeper__unpack(NULL, len, b + 4);
    frames->taken += 4 + (size_t)len;
    *broken = frame == NULL;
    return frame;
}

/* The socket is in blocking mode, but the front shares its end's mode with nobody: EAGAIN is
 * possible only if somebody changed ours, and is waited for. */
static bool send_all(int fd, const uint8_t *b, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, b, len, MSG_NOSIGNAL);

        if (n > 0) {
            b += n;
            len -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};

            (void)poll(&wait, 1, -1);
        } else if (n >= 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

void frames_write(struct frames *frames, const Mpc__Keeper__V1__FromKeeper *frame)
{
    size_t len = mpc__keeper__v1__from_keeper__get_packed_size(frame);
    uint8_t *b = mem_new(1, 4 + len);

    be_put(b, 4, len);
    mpc__keeper__v1__from_keeper__pack(frame, b + 4);
    pthread_mutex_lock(&frames->write_lock);
    (void)send_all(frames->fd, b, 4 + len);
    pthread_mutex_unlock(&frames->write_lock);
    free(b);
}
