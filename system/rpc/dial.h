/* SPDX-License-Identifier: Apache-2.0 */
/* From "host:port" to a connected socket without blocking: the resolver works on libuv's pool, the
 * addresses are tried one after the other. No deadline of its own: who dials sets a timer and
 * cancels. */
#ifndef SYSTEM_RPC_DIAL_H
#define SYSTEM_RPC_DIAL_H

#include <stdbool.h>
#include <uv.h>

enum { DIAL_HOST_MAX = 256, DIAL_PORT_MAX = 8 };

/* "host:port", "1.2.3.4:port" or "[::1]:port"; |host| comes without brackets. False: not so. */
bool dial_split(const char *target, char host[DIAL_HOST_MAX], char port[DIAL_PORT_MAX]);

struct dial;

/* |tcp| is connected, on the heap and the callback's, who ends it by uv_close and free; or NULL,
 * and |why| says what the last address answered. The dial is over. Never inside dial_start. */
typedef void dial_done(void *arg, uv_tcp_t *tcp, const char *why);

/* NULL: no name that could be resolved. */
struct dial *dial_start(uv_loop_t *loop, const char *host, const char *port, dial_done *done,
                        void *arg);
/* |done| is not called any more. */
void dial_cancel(struct dial *dial);

#endif
