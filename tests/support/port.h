/* SPDX-License-Identifier: Apache-2.0 */
/* A port of loopback for a server that comes and goes. A port that is free belongs to whoever asks
 * next, be it for a connection that goes out: a server that comes back may find it taken, and who
 * tries whether nobody listens may find somebody. This one is held by a socket that does not
 * listen: connections are refused, and a server that sets SO_REUSEADDR, as libuv does, may listen
 * there and leave again. */
#ifndef TEST_PORT_H
#define TEST_PORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* The descriptor that holds |*port|, to be closed in the end. */
static inline int port_hold(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

#endif
