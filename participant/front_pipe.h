/* SPDX-License-Identifier: Apache-2.0 */
/* The front's end of the socket pair to its keeper: frames of BE32 length and a protobuf message
 * (proto/keeper.proto), in order both ways. It tells when a frame was handed over, which is what
 * "taken into the party's memory" means, and when so much waits that the network must pause.
 *
 * A frame that is too long or malformed, like the end of the socket, is the end: the keeper is
 * ours, so it is broken or gone. */
#ifndef PARTICIPANT_FRONT_PIPE_H
#define PARTICIPANT_FRONT_PIPE_H

#include "keeper.pb-c.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum {
    /* bytes of one frame: a keygen's messages to all peers at once fit many times */
    FRONT_FRAME_MAX = 16 << 20,
    /* above the first the pipe is full, below the second it takes more */
    FRONT_PIPE_FULL = 8 << 20,
    FRONT_PIPE_LOW = 1 << 20
};

struct front_pipe;

struct front_pipe_watch {
    void *arg;
    void (*frame)(void *arg, const Mpc__Keeper__V1__FromKeeper *frame);
    /* frames sent with a mark arrive at the keeper's socket in order */
    void (*written)(void *arg, int64_t mark);
    /* was full, takes more */
    void (*drained)(void *arg);
    /* once; |why| is one clause */
    void (*ended)(void *arg, const char *why);
};

/* Takes |fd| over. |watch| is copied. */
struct front_pipe *front_pipe_new(uv_loop_t *loop, int fd, const struct front_pipe_watch *watch);
/* No callback afterwards; memory goes on the loop's next turn. NULL is nothing. */
void front_pipe_free(struct front_pipe *pipe);
/* Encoded inside the call. |mark| above 0 is told by |written|. After the end it is nothing. */
void front_pipe_send(struct front_pipe *pipe, const Mpc__Keeper__V1__ToKeeper *frame, int64_t mark);
/* Asked before what can wait; a yes promises |drained|. */
bool front_pipe_is_full(struct front_pipe *pipe);
/* Everything sent was handed over. */
bool front_pipe_is_empty(const struct front_pipe *pipe);
bool front_pipe_has_ended(const struct front_pipe *pipe);
/* No more to the keeper: it sees the end of the socket, and |ended| comes when it is gone. */
void front_pipe_shut(struct front_pipe *pipe);

#endif
