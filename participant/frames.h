/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's end of the socket pair: frames of BE32 length and a message of proto/keeper.proto.
 * One thread reads; any thread writes, a frame at a time, and waits while the front does not read.
 * The front is not believed: a frame that is too long or does not decode ends the conversation. */
#ifndef PARTICIPANT_FRAMES_H
#define PARTICIPANT_FRAMES_H

#include "keeper.pb-c.h"

#include <stdbool.h>

enum { FRAME_MAX = 16 << 20 };

struct frames;

/* |fd| stays the caller's. */
struct frames *frames_new(int fd);
void frames_free(struct frames *frames);

/* Take what the socket has, without waiting. False: its end, or a fault of it. */
bool frames_fill(struct frames *frames);
/* The next complete frame, freed by mpc__keeper__v1__to_keeper__free_unpacked; NULL: none yet.
 * |*broken|: the front does not speak this language. */
Mpc__Keeper__V1__ToKeeper *frames_next(struct frames *frames, bool *broken);
/* Write |frame|. Once the front is gone this does nothing. */
void frames_write(struct frames *frames, const Mpc__Keeper__V1__FromKeeper *frame);

#endif
