# SPDX-License-Identifier: Apache-2.0
"""What the tests of the server from outside share: the echo server as a process, raw sockets, and
just enough of HTTP/1.1, HTTP/2 and WebSocket to say what no decent client would say.

Nothing here sleeps: a test waits for bytes, for the end of a connection, or for a figure of /stats
to change, which is asked again until it has.
"""
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import time
import unittest

LIMIT = 60  # seconds: nothing may hang, however loaded the machine is


class Server:
    """The echo server; options as its usage says."""

    def __init__(self, **options):
        args = [f"{name}={value}" for name, value in options.items()]
        # With AddressSanitizer freed memory would be kept back, and look like a leak.
        asan = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
        self.p = subprocess.Popen([os.environ["ECHO_SERVER"], *args], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env={**os.environ, "ASAN_OPTIONS": asan})
        self.sockets = []
        self.is_stopping = False
        ports = self.p.stdout.readline().split()
        self.port = int(ports[0])
        self.tls_port = int(ports[1]) if len(ports) > 1 else None

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sockets.append(s)
        return s

    def hang_up(self):
        for s in self.sockets:
            s.close()
        self.sockets = []

    def stats(self):
        return json.loads(self.get("/stats")[2])

    def wait_stats(self, good):
        """Until |good| of the stats holds."""
        end = time.monotonic() + LIMIT
        while True:
            stats = self.stats()
            if good(stats):
                return stats
            if time.monotonic() > end:
                raise AssertionError(f"never came: {stats}")

    def get(self, path, method="GET", body=None, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        c.request(method, path, body, headers or {})
        r = c.getresponse()
        answer = r.status, dict((k.lower(), v) for k, v in r.getheaders()), r.read()
        c.close()
        return answer

    def terminate(self):
        self.is_stopping = True
        self.p.send_signal(signal.SIGTERM)

    def stop(self):
        """Ends it, unless that has begun."""
        if not self.is_stopping:
            self.terminate()
        self.hang_up()
        err = self.p.communicate(timeout=LIMIT)[1].decode()
        return self.p.returncode, err


class ServerCase(unittest.TestCase):
    """One server for all tests of a class; it must be sound and end well afterwards."""
    options = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Server(**cls.options)

    @classmethod
    def tearDownClass(cls):
        code, err = cls.server.stop()
        if code != 0 or "Sanitizer" in err or "runtime error" in err:
            raise AssertionError(f"the server ended with {code}:\n{err}")

    def tearDown(self):
        """Whatever a test did, the next caller is served."""
        self.server.hang_up()
        self.assertEqual(self.server.get("/health")[0], 200)


def read_all(s):
    """Until the server closes; a reset is an end as well."""
    parts = []
    try:
        while True:
            part = s.recv(65536)
            if not part:
                break
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def read_exact(s, n):
    out = b""
    while len(out) < n:
        part = s.recv(n - len(out))
        if not part:
            raise EOFError(out)
        out += part
    return out


def read_until(s, mark):
    out = b""
    while mark not in out:
        part = s.recv(1)
        if not part:
            raise EOFError(out)
        out += part
    return out


def read_response(s):
    """One HTTP/1.1 answer: status, headers, body."""
    head = read_until(s, b"\r\n\r\n").decode("latin-1").split("\r\n")
    status = int(head[0].split()[1])
    headers = dict((k.lower(), v.strip()) for k, v in
                   (line.split(":", 1) for line in head[1:] if line))
    body = b""
    if headers.get("transfer-encoding") == "chunked":
        while True:
            n = int(read_until(s, b"\r\n"), 16)
            body += read_exact(s, n + 2)[:n]
            if n == 0:
                break
    elif "content-length" in headers:
        body = read_exact(s, int(headers["content-length"]))
    return status, headers, body


# ---- HTTP/2: frames and header blocks without compression ----

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
ENHANCE_YOUR_CALM = 11


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _integer(value, bits, first):
    top = (1 << bits) - 1
    if value < top:
        return bytes([first | value])
    out = bytes([first | top])
    value -= top
    while value >= 128:
        out += bytes([value % 128 + 128])
        value //= 128
    return out + bytes([value])


def header_block(fields):
    """HPACK literals that leave the table alone."""
    out = b""
    for name, value in fields:
        name, value = name.encode(), value.encode()
        out += b"\0" + _integer(len(name), 7, 0) + name + _integer(len(value), 7, 0) + value
    return out


def grpc_fields(path, *more):
    return [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x"),
            ("content-type", "application/grpc"), ("te", "trailers"), *more]


def message(payload):
    return b"\0" + struct.pack(">I", len(payload)) + payload


class H2:
    """One HTTP/2 connection, after the exchange of settings."""

    def __init__(self, server):
        self.s = server.connect()
        self.s.sendall(PREFACE + frame(SETTINGS, 0, 0))
        self.frames = []

    def send(self, kind, flags, stream, payload=b""):
        self.s.sendall(frame(kind, flags, stream, payload))

    def request(self, stream, path, payload=None, *more):
        self.send(HEADERS, END_HEADERS, stream, header_block(grpc_fields(path, *more)))
        if payload is not None:
            self.send(DATA, END_STREAM, stream, message(payload))

    def next(self):
        """(kind, flags, stream, payload); acknowledges settings by itself. None: closed."""
        try:
            head = read_exact(self.s, 9)
            length = int.from_bytes(head[:3], "big")
            payload = read_exact(self.s, length)
        except (EOFError, ConnectionResetError):
            return None
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        if kind == SETTINGS and not flags & ACK:
            try:
                self.send(SETTINGS, ACK, 0)
            except OSError:
                pass
        return kind, flags, stream, payload

    def until(self, good):
        """The first frame that |good| accepts."""
        while True:
            f = self.next()
            if f is None:
                raise AssertionError("the connection ended first")
            if good(*f):
                return f

    def rest(self):
        """All frames up to the end of the connection."""
        out = []
        while (f := self.next()) is not None:
            out.append(f)
        return out


# ---- WebSocket ----

TEXT, BINARY, CLOSE, WS_PING, PONG = 1, 2, 8, 9, 10
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = ("GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n")


def ws_frame(opcode, payload=b"", fin=True, mask=b"\1\2\3\4", rsv=0):
    if isinstance(payload, str):
        payload = payload.encode()
    out = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if len(payload) < 126:
        out += bytes([bit | len(payload)])
    elif len(payload) < 65536:
        out += bytes([bit | 126]) + struct.pack(">H", len(payload))
    else:
        out += bytes([bit | 127]) + struct.pack(">Q", len(payload))
    if not mask:
        return out + payload
    return out + mask + bytes(c ^ mask[i % 4] for i, c in enumerate(payload))


class Socket:
    """A WebSocket."""

    def __init__(self, server, more=""):
        self.s = server.connect()
        self.s.sendall((UPGRADE + more + "\r\n").encode())
        self.status, self.headers, _ = read_response(self.s)

    def send(self, envelope):
        self.s.sendall(ws_frame(TEXT, json.dumps(envelope)))

    def frame(self):
        """(opcode, payload) or None at the end."""
        try:
            first, second = read_exact(self.s, 2)
            n = second & 127
            if n == 126:
                n = struct.unpack(">H", read_exact(self.s, 2))[0]
            elif n == 127:
                n = struct.unpack(">Q", read_exact(self.s, 8))[0]
            return first & 15, read_exact(self.s, n)
        except (EOFError, ConnectionResetError):
            return None

    def receive(self):
        """The next envelope."""
        opcode, payload = self.frame()
        if opcode != TEXT:
            raise AssertionError((opcode, payload))
        return json.loads(payload)

    def close_code(self):
        """The code of the server's close frame, whatever comes before it."""
        while (f := self.frame()) is not None:
            if f[0] == CLOSE:
                return struct.unpack(">H", f[1][:2])[0]
        return None
