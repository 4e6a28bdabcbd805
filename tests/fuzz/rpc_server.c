/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc_server.h"

#include "fuzz.h"
#include "system/rpc/conn.h"
#include "tests/system/rpc/echo.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECES_MAX = 24, TURNS_MAX = 100000 };

static uv_loop_t loop;
static struct rpc_server *server;
static struct echo echo;

static void start(void)
{
    const struct rpc_limits limits = {
        .body_max = 4096, .header_max = 2048, .streams_max = 8, .connection_bytes_max = 256 * 1024};
    const char *origin = "https://a";

    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&loop);
    echo.loop = &loop;
    server = rpc_server_new(&loop, &limits);
    echo_add(server, &echo);
    rpc_server_origins(server, &origin, 1);
}

/* What came back; nobody looks at it. */
static void swallow(int fd)
{
    static uint8_t room[256 * 1024];

    while (recv(fd, room, sizeof room, MSG_DONTWAIT) > 0)
        ;
}

static void turn(int fd)
{
    uv_run(&loop, UV_RUN_NOWAIT);
    swallow(fd);
}

static void send_piece(int fd, const void *b, size_t len)
{
    if (len && send(fd, b, len, MSG_DONTWAIT) < 0 && errno != EPIPE)
        fuzz_need(errno == EAGAIN || errno == ECONNRESET);
    turn(fd);
}

void fuzz_rpc_server(const void *prefix, size_t prefix_len, const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    size_t piece = fuzz_u8(&in);
    int fds[2];

    if (!server)
        start();
    fuzz_need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    conn_open(server, fds[0], NULL);
    if (prefix_len)
        send_piece(fds[1], prefix, prefix_len);
    if (piece == 0 || in.left / piece > PIECES_MAX)
        piece = in.left / PIECES_MAX + 1;
    while (in.left) {
        size_t n = in.left < piece ? in.left : piece;

        send_piece(fds[1], in.b, n);
        in.b += n;
        in.left -= n;
    }
    turn(fds[1]);
    close(fds[1]);
    for (int i = 0; server->conns_n || echo.running; i++) {
        fuzz_need(i < TURNS_MAX);
        uv_run(&loop, UV_RUN_ONCE);
    }
    fuzz_need(!server->conns && !server->dirty);
}
