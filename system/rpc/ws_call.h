/* SPDX-License-Identifier: Apache-2.0 */
/* The two halves of a WebSocket: ws.c moves messages, ws_call.c makes calls of them. Internal to
 * both. */
#ifndef SYSTEM_RPC_WS_CALL_H
#define SYSTEM_RPC_WS_CALL_H

#include "system/rpc/call.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wslay/wslay.h>

struct ws {
    struct conn *conn;
    wslay_event_context_ptr context;
    /* of the handshake */
    struct head head;
    /* what wslay may read now */
    const uint8_t *in;
    size_t in_len;
    /* the head of the frame that comes, without its mask; how much is to come behind it */
    uint8_t start[10];
    size_t start_n;
    uint64_t rest;
    /* calls that have ended and wait to be let go */
    unsigned ended;
    bool is_closing, is_draining;
};

/* One text message, UTF-8. */
void ws_take(struct ws *ws, const char *text, size_t len);
/* Say why and close. */
void ws_close(struct ws *ws, uint16_t code, const char *why);

#endif
