/* SPDX-License-Identifier: Apache-2.0 */
/* libuv's pipe around the socket. Reading collects bytes and cuts frames; writing is one request
 * per frame, so that each can be told as handed over. */
#include "participant/front_pipe.h"

#include "system/core/be.h"
#include "system/core/buffer.h"

#include <stdlib.h>

enum { LENGTH_BYTES = 4, READ_BYTES = 64 << 10, KEEP_BYTES = 1 << 20 };

struct front_pipe {
    uv_pipe_t handle;
    uv_shutdown_t shutdown;
    struct front_pipe_watch watch;
    struct buffer in;
    char read[READ_BYTES];
    bool was_full, has_ended, is_freed;
};

struct write {
    uv_write_t request;
    struct front_pipe *pipe;
    int64_t mark;
    uint8_t *b;
};

static void end(struct front_pipe *pipe, const char *why)
{
    if (pipe->has_ended)
        return;
    pipe->has_ended = true;
    uv_read_stop((uv_stream_t *)&pipe->handle);
    if (!pipe->is_freed)
        pipe->watch.ended(pipe->watch.arg, why);
}

static bool take_frame(struct front_pipe *pipe, const uint8_t *b, size_t len)
{
    Mpc__Keeper__V1__FromKeeper *frame = mpc__keeper__v1__from_keeper__unpack(NULL, len, b);

    if (!frame) {
        end(pipe, "the keeper sent a malformed frame");
        return false;
    }
    pipe->watch.frame(pipe->watch.arg, frame);
    mpc__keeper__v1__from_keeper__free_unpacked(frame, NULL);
    return !pipe->has_ended && !pipe->is_freed;
}

static void take_frames(struct front_pipe *pipe)
{
    size_t at = 0;

    while (pipe->in.len - at >= LENGTH_BYTES) {
        size_t len = (size_t)be_get(pipe->in.b + at, LENGTH_BYTES);

        if (len > FRONT_FRAME_MAX) {
            end(pipe, "the keeper sent a frame that is too long");
            return;
        }
        if (pipe->in.len - at - LENGTH_BYTES < len)
            break;
        if (!take_frame(pipe, pipe->in.b + at + LENGTH_BYTES, len))
            return;
        at += LENGTH_BYTES + len;
    }
    buffer_drop(&pipe->in, at);
    if (!pipe->in.len && pipe->in.cap > KEEP_BYTES) {
        buffer_free(&pipe->in);
        pipe->in = (struct buffer){0};
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct front_pipe *pipe = handle->data;

    (void)suggested;
    *out = uv_buf_init(pipe->read, sizeof pipe->read);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct front_pipe *pipe = stream->data;

    if (n > 0) {
        buffer_add(&pipe->in, b->base, (size_t)n);
        take_frames(pipe);
    } else if (n < 0) {
        end(pipe, n == UV_EOF ? "the keeper has ended" : "the socket to the keeper broke");
    }
}

struct front_pipe *front_pipe_new(uv_loop_t *loop, int fd, const struct front_pipe_watch *watch)
{
    struct front_pipe *pipe = mem_new(1, sizeof *pipe);

    pipe->watch = *watch;
    uv_pipe_init(loop, &pipe->handle, 0);
    pipe->handle.data = pipe;
    uv_pipe_open(&pipe->handle, fd);
    uv_read_start((uv_stream_t *)&pipe->handle, on_alloc, on_read);
    return pipe;
}

static void on_closed(uv_handle_t *handle)
{
    struct front_pipe *pipe = handle->data;

    buffer_free(&pipe->in);
    free(pipe);
}

void front_pipe_free(struct front_pipe *pipe)
{
    if (!pipe || pipe->is_freed)
        return;
    pipe->is_freed = true;
    uv_close((uv_handle_t *)&pipe->handle, on_closed);
}

static void on_written(uv_write_t *request, int status)
{
    struct write *write = request->data;
    struct front_pipe *pipe = write->pipe;

    if (!pipe->is_freed && status < 0)
        end(pipe, "the socket to the keeper broke");
    if (!pipe->is_freed && status == 0 && write->mark > 0)
        pipe->watch.written(pipe->watch.arg, write->mark);
    if (!pipe->is_freed && pipe->was_full &&
        uv_stream_get_write_queue_size((uv_stream_t *)&pipe->handle) < FRONT_PIPE_LOW) {
        pipe->was_full = false;
        pipe->watch.drained(pipe->watch.arg);
    }
    free(write->b);
    free(write);
}

void front_pipe_send(struct front_pipe *pipe, const Mpc__Keeper__V1__ToKeeper *frame, int64_t mark)
{
    size_t len = mpc__keeper__v1__to_keeper__get_packed_size(frame);
    struct write *write;
    uv_buf_t b;

    if (pipe->has_ended || pipe->is_freed || len > FRONT_FRAME_MAX)
        return;
    write = mem_new(1, sizeof *write);
    write->pipe = pipe;
    write->mark = mark;
    write->b = mem_new(LENGTH_BYTES + len, 1);
    be_put(write->b, LENGTH_BYTES, len);
    mpc__keeper__v1__to_keeper__pack(frame, write->b + LENGTH_BYTES);
    write->request.data = write;
    b = uv_buf_init((char *)write->b, (unsigned)(LENGTH_BYTES + len));
    if (uv_write(&write->request, (uv_stream_t *)&pipe->handle, &b, 1, on_written) == 0)
        return;
    free(write->b);
    free(write);
    end(pipe, "the socket to the keeper broke");
}

bool front_pipe_is_full(struct front_pipe *pipe)
{
    if (uv_stream_get_write_queue_size((const uv_stream_t *)&pipe->handle) < FRONT_PIPE_FULL)
        return false;
    pipe->was_full = true;
    return true;
}

bool front_pipe_is_empty(const struct front_pipe *pipe)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&pipe->handle) == 0;
}

bool front_pipe_has_ended(const struct front_pipe *pipe)
{
    return pipe->has_ended;
}

static void on_shut(uv_shutdown_t *request, int status)
{
    (void)request;
    (void)status;
}

void front_pipe_shut(struct front_pipe *pipe)
{
    if (!pipe->has_ended && !pipe->is_freed)
        uv_shutdown(&pipe->shutdown, (uv_stream_t *)&pipe->handle, on_shut);
}
