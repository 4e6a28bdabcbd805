# SPDX-License-Identifier: Apache-2.0
"""Limits of time, number and memory: slow clients, too many of them, no descriptors left."""
import os
import resource
import socket
import struct
import time
import unittest

import wire
from wire import GOAWAY, HEADERS, END_HEADERS, H2, Server, Socket, grpc_fields, header_block

GET = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


class Limits(unittest.TestCase):
    def start(self, **options):
        self.server = Server(**options)
        return self.server

    def tearDown(self):
        code, err = self.server.stop()
        self.assertEqual(code, 0, err)
        self.assertNotIn("Sanitizer", err)

    def test_slow_requests_end(self):
        """Each byte comes in time, the request does not."""
        server = self.start(request_ms=1500)  # enough for those that are quick
        slow = {"nothing": b"", "part of a head": b"GET / HTTP/1.1\r\nHost: ",
                "part of a body": b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\n"
                                  b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
                "part of the preface": b"PRI * HT"}
        sockets = {}
        for name, text in slow.items():
            sockets[name] = server.connect()
            sockets[name].sendall(text)
        # A request is answered meanwhile, and its connection may be silent longer than that.
        good = server.connect()
        good.sendall(GET)
        self.assertEqual(wire.read_response(good)[0], 200)
        drip = server.connect()
        drip.sendall(b"GET /health HTTP/1.1\r\n")
        ended = None
        while ended is None:
            try:
                drip.sendall(b"X: y\r\n")
                drip.settimeout(0.05)
                ended = drip.recv(1000)
            except TimeoutError:
                continue
            except OSError:
                ended = b""
        self.assertEqual(ended, b"")
        for name, s in sockets.items():
            with self.subTest(name):
                answer = wire.read_all(s)
                self.assertTrue(answer == b"" or answer.startswith(b"HTTP/1.1 408 "), answer)
        good.sendall(GET)
        self.assertEqual(wire.read_response(good)[0], 200)

    def test_head_that_is_never_complete_over_http2(self):
        server = self.start(request_ms=1500)
        h2 = H2(server)
        h2.send(HEADERS, 0, 1, header_block(grpc_fields("/test.echo.Echo/Say")))
        # Nothing else could come on this connection: it ends, and is not answered.
        self.assertNotIn(HEADERS, [kind for kind, *_ in h2.rest()])
        self.assertEqual(server.get("/health")[0], 200)

    def test_body_that_is_never_complete_and_began_late(self):
        server = self.start(request_ms=1500)
        s = server.connect()
        opened = time.monotonic()
        while time.monotonic() < opened + 0.05:
            server.get("/health")
        s.sendall(b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                  b"Content-Length: 9\r\n\r\n{")
        self.assertTrue(wire.read_all(s).startswith(b"HTTP/1.1 408 "))

    def test_slow_request_over_http2(self):
        server = self.start(request_ms=1500)
        h2 = H2(server)
        h2.send(HEADERS, END_HEADERS, 1, header_block(grpc_fields("/test.echo.Echo/Say")))
        f = h2.until(lambda kind, flags, stream, payload: stream == 1)
        self.assertEqual(f[0], HEADERS)
        # Silence before the settings is idleness; the connection itself lives.
        h2.request(3, "/test.echo.Echo/Say", b"")
        h2.until(lambda kind, flags, stream, payload: stream == 3)

    def test_idle_connections_end(self):
        server = self.start(idle_ms=1500)  # enough for all of them to say something
        plain = server.connect()
        plain.sendall(GET)
        self.assertEqual(wire.read_response(plain)[0], 200)
        h2, ws = H2(server), Socket(server)
        busy = Socket(server)
        busy.send({"id": 1, "method": "test.echo.Echo/Say", "request": {"text": "hold"}})
        self.assertEqual(wire.read_all(plain), b"")
        self.assertTrue([f for f in h2.rest() if f[0] == GOAWAY])
        self.assertEqual(ws.close_code(), 1001)
        # Who has a call stays.
        self.assertEqual(server.stats()["running"], 1)
        busy.send({"id": 1, "cancel": True})
        self.assertEqual(busy.receive()["error"]["code"], "cancelled")

    def test_age_ends_connections(self):
        server = self.start(age_ms=300)
        h2 = H2(server)
        self.assertTrue([f for f in h2.rest() if f[0] == GOAWAY])

    def test_silent_peer_is_asked(self):
        server = self.start(ping_ms=200)
        h2 = H2(server)
        h2.request(1, "/test.echo.Echo/Say", b"\x12\x04hold")
        f = h2.until(lambda kind, flags, stream, payload: kind == wire.PING)
        h2.send(wire.PING, wire.ACK, 0, f[3])
        h2.until(lambda kind, flags, stream, payload: kind == wire.PING)
        ws = Socket(server)
        ws.send({"id": 1, "method": "test.echo.Echo/Say", "request": {"text": "hold"}})
        self.assertEqual(ws.frame()[0], wire.WS_PING)

    def test_requests_ahead_are_bounded(self):
        """A client that sends on and on while one request is held is not read any more."""
        server = self.start(call_ms=5000)
        s = server.connect()
        s.sendall(b"GET /api/v1/echo/a?text=hold HTTP/1.1\r\nHost: a\r\n\r\n")
        server.wait_stats(lambda stats: stats["running"] > 0)
        s.settimeout(1)
        sent = 0
        with self.assertRaises(TimeoutError):
            while True:
                sent += s.send(GET * 1000)
        self.assertLess(sent, 64 * 1024 * 1024)
        s.close()
        server.wait_stats(lambda stats: stats["running"] == 0)

    def test_reader_that_does_not_read(self):
        """Pipelined large answers: bounded by what waits, and the others are served."""
        server = self.start()
        s = server.connect()
        s.sendall(b"GET /api/v1/echo/a?size=1000000 HTTP/1.1\r\nHost: a\r\n\r\n" * 500)
        for _ in range(20):
            self.assertEqual(server.get("/health")[0], 200)
        self.assertLess(resident_kib(server.p.pid), 400 * 1024)
        s.close()

    def test_connections_beyond_the_limit_wait(self):
        server = self.start(connections=20)
        held = []
        for _ in range(19):
            s = server.connect()
            s.sendall(b"GET /api/v1/echo/a?text=hold HTTP/1.1\r\nHost: a\r\n\r\n")
            held.append(s)
        last = server.connect()
        last.sendall(GET)
        self.assertEqual(wire.read_response(last)[0], 200)
        # The twentieth is idle now and has to go when another comes.
        more = server.connect()
        more.sendall(GET)
        self.assertEqual(wire.read_response(more)[0], 200)
        self.assertEqual(wire.read_all(last), b"")
        # All busy: the next waits until one has gone.
        more.sendall(b"GET /api/v1/echo/a?text=hold HTTP/1.1\r\nHost: a\r\n\r\n")
        waiting = server.connect()
        waiting.sendall(GET)
        waiting.settimeout(1)
        with self.assertRaises(TimeoutError):
            waiting.recv(1)
        waiting.settimeout(wire.LIMIT)
        held[0].close()
        self.assertEqual(wire.read_response(waiting)[0], 200)

    def test_no_descriptors_left(self):
        """The listener survives EMFILE without spinning, and serves when there are some again."""
        server = self.start()
        pid = server.p.pid
        held = [server.connect() for _ in range(3)]
        held[0].sendall(GET)
        self.assertEqual(wire.read_response(held[0])[0], 200)
        limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_files(pid), limit[1]))
        waiting = [server.connect() for _ in range(5)]
        for s in waiting:
            s.sendall(GET)
        # An open connection is served all the while.
        start = time.monotonic()
        ticks = self.cpu_ticks(pid)
        while time.monotonic() - start < 1:
            held[0].sendall(GET)
            self.assertEqual(wire.read_response(held[0])[0], 200)
            held[0].settimeout(0.1)
            try:
                held[0].recv(1)
            except TimeoutError:
                pass
            held[0].settimeout(wire.LIMIT)
        used = (self.cpu_ticks(pid) - ticks) / os.sysconf("SC_CLK_TCK")
        self.assertLess(used, 0.5)
        for s in waiting:
            s.settimeout(0.05)
            with self.assertRaises(TimeoutError):
                s.recv(1)
            s.settimeout(wire.LIMIT)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
        for s in waiting:
            self.assertEqual(wire.read_response(s)[0], 200)

    @staticmethod
    def cpu_ticks(pid):
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def test_memory_and_descriptors_stay_flat(self):
        server = self.start()
        pid = server.p.pid
        marks = []
        for _ in range(4):
            for _ in range(10):
                h2 = H2(server)
                for i in range(60):
                    h2.request(2 * i + 1, "/test.echo.Echo/Say", b"\x12\x05later" + b"\x28\x90\x4e")
                h2.s.close()
                s = server.connect()
                s.sendall(GET * 50 + b"GET /api/v1/echo/a?size=9999 HTTP/1.1\r\nHost: a\r\n"
                          b"Connection: close\r\n\r\n")
                self.assertEqual(wire.read_all(s).count(b"HTTP/1.1 200 "), 51)
                s.close()
                ws = Socket(server)
                for i in range(10):
                    ws.send({"id": i, "method": "test.echo.Echo/Say", "request": {"text": "x"}})
                for i in range(10):
                    ws.receive()
                ws.s.close()
            server.wait_stats(lambda stats: stats["running"] == 0)
            marks.append((resident_kib(pid), open_files(pid)))
        self.assertLess(marks[-1][0], marks[1][0] * 1.1 + 512)
        self.assertLessEqual(marks[-1][1], marks[0][1] + 5)


if __name__ == "__main__":
    unittest.main()
