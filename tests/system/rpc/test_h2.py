# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 from outside: frames that no decent client sends, floods, flow control, farewell; and curl
over TLS, where it is installed."""
import base64
import json
import random
import shutil
import struct
import subprocess
import tempfile
import unittest

import wire
from wire import (ACK, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, HEADERS, PING, PREFACE,
                  RST, SETTINGS, WINDOW, H2, frame, grpc_fields, header_block, message)

SAY, COUNT = "/test.echo.Echo/Say", "/test.echo.Echo/Count"
HOLD, ENDLESS = b"\x12\x04hold", b"\x28\xe8\x07"  # text "hold"; size 1000, count 0


class Http2(wire.ServerCase):
    # No limit of time may help the others.
    options = {"streams": 50, "header": 8192, "body": 100000, "bytes": 1000000,
               "request_ms": 600000}

    def connect(self):
        return H2(self.server)

    def answered(self, h2, stream):
        """The stream's frames up to its end."""
        out = []
        while True:
            f = h2.until(lambda kind, flags, s, payload: s == stream)
            out.append(f)
            if f[0] == RST or f[1] & END_STREAM and f[0] in (DATA, HEADERS):
                return out

    def test_unary_and_many_streams(self):
        h2 = self.connect()
        for i in range(40):
            h2.request(2 * i + 1, SAY, b"\x12\x05later" if i % 2 else b"\x12\x01x")
        ended = set()
        while len(ended) < 40:
            kind, flags, stream, payload = h2.next()
            if stream and kind == HEADERS and flags & END_STREAM:
                ended.add(stream)
            self.assertNotEqual(kind, RST)

    def test_message_in_many_small_frames(self):
        h2 = self.connect()
        h2.request(1, SAY)
        text = message(b"\x12\x03abc")
        for i in range(len(text)):
            h2.send(DATA, END_STREAM if i == len(text) - 1 else 0, 1, text[i:i + 1])
        frames = self.answered(h2, 1)
        self.assertIn(b"\x12\x03abc", b"".join(f[3] for f in frames if f[0] == DATA))

    def test_attack_text_that_is_none_is_refused_by_name(self):
        for text, fault in ((b"\xff", b"text is not valid UTF-8"), (b"a\xc3", b"text is not valid UTF-8"),
                            (b"a\0b", b"text must not hold a zero byte")):
            body = b"\x12" + bytes([len(text)]) + text
            h2 = self.connect()
            h2.request(1, SAY, body)
            kind, flags, _, payload = self.answered(h2, 1)[0]
            self.assertEqual((kind, flags & END_STREAM), (HEADERS, END_STREAM))
            for kind in ("", "-text"):
                web = message(body) if not kind else base64.b64encode(message(body))
                answer = self.server.get(SAY, "POST", web, {
                    "Content-Type": "application/grpc-web" + kind})
                got = answer[2] if not kind else base64.b64decode(answer[2])
                self.assertIn(b"grpc-status:3", got)
                self.assertIn(fault, got)

    def test_bad_messages(self):
        bodies = [b"", b"\0\0", b"\0\0\0\0\5ab", message(b"a") + message(b"b"), b"\1\0\0\0\1a",
                  b"\0\xff\xff\xff\xff", message(b"\x12\x05a"), message(b"x" * 100001)]
        for body in bodies:
            h2 = self.connect()
            h2.request(1, SAY)
            for i in range(0, len(body), 10000):
                h2.send(DATA, 0, 1, body[i:i + 10000])
            h2.send(DATA, END_STREAM, 1)
            frames = [f for f in self.answered(h2, 1) if f[0] != WINDOW]
            # An error is one block of header fields: no message comes.
            self.assertFalse([f for f in frames if f[0] == DATA and f[3]])
            self.assertEqual(frames[0][0], HEADERS)

    def test_a_refusal_waits_for_the_end_of_its_request(self):
        """There are clients that never end if they were answered while they still sent."""
        h2 = self.connect()
        h2.request(1, "/test.echo.Echo/Secret")
        h2.send(DATA, 0, 1, bytes(5))
        h2.request(3, SAY, b"")
        while (f := h2.next())[2] != 3 or not f[1] & END_STREAM:
            self.assertNotEqual(f[2], 1)
        h2.send(DATA, END_STREAM, 1)
        self.assertEqual(self.answered(h2, 1)[-1][0], HEADERS)

    def refused(self):
        """A connection whose stream 1 is answered although its body has not come."""
        h2 = self.connect()
        h2.request(1, "/test.echo.Echo/Secret")
        self.assertEqual(self.answered(h2, 1)[-1][0], HEADERS)
        return h2

    def test_refused_before_a_body_that_never_comes(self):
        """An answer before the end of the request is followed by a reset without error."""
        h2 = self.refused()
        f = h2.until(lambda kind, flags, stream, payload: stream == 1)
        self.assertEqual((f[0], f[3]), (RST, struct.pack(">I", 0)))

    def test_refused_body_is_dropped_to_its_end(self):
        """No reset: clients that still send would show it instead of the answer."""
        h2 = self.refused()
        for _ in range(3):
            h2.send(DATA, 0, 1, bytes(16384))
        h2.send(DATA, END_STREAM, 1)
        h2.request(3, SAY, b"")
        while (f := h2.next())[2] != 3 or not f[1] & END_STREAM:
            self.assertNotEqual(f[0], RST)

    def test_refused_body_is_dropped_up_to_a_bound(self):
        h2 = self.refused()
        room, sent = {0: 1 << 20, 1: 1 << 18}, 0  # the windows were announced before the answer
        while True:
            if min(room.values()) >= 16384:
                h2.send(DATA, 0, 1, bytes(16384))
                room = {stream: left - 16384 for stream, left in room.items()}
                sent += 16384
                continue
            kind, flags, stream, payload = h2.next()
            if kind == WINDOW and stream in room:
                room[stream] += struct.unpack(">I", payload)[0]
            if kind == RST:
                break
        self.assertEqual((stream, payload), (1, struct.pack(">I", 0)))
        self.assertGreater(sent, 1 << 20)
        self.assertLess(sent, 2 << 20)
        # The reset came once, and the connection goes on.
        h2.request(3, SAY, b"")
        while (f := h2.next())[2] != 3 or not f[1] & END_STREAM:
            self.assertNotEqual(f[0], RST)

    def test_streams_beyond_the_limit_are_refused(self):
        h2 = self.connect()
        for i in range(60):
            h2.request(2 * i + 1, SAY, HOLD)
        refused = set()
        while len(refused) < 10:
            kind, flags, stream, payload = h2.next()
            if kind == RST:
                self.assertEqual(payload, struct.pack(">I", 7))
                refused.add(stream)
        self.assertEqual(self.server.stats()["running"], 50)
        h2.s.close()
        self.server.wait_stats(lambda stats: stats["running"] == 0)

    def test_reset_cancels(self):
        before = self.server.stats()["cancelled"]
        h2 = self.connect()
        h2.request(1, SAY, HOLD)
        h2.request(3, COUNT, ENDLESS)
        self.server.wait_stats(lambda stats: stats["running"] == 2)
        h2.send(RST, 0, 1, struct.pack(">I", 8))
        self.server.wait_stats(lambda stats: stats["cancelled"] == before + 1)
        h2.send(RST, 0, 3, struct.pack(">I", 8))
        self.server.wait_stats(lambda stats: stats["cancelled"] == before + 2)
        # The endless answer has used up the connection's window.
        h2.send(WINDOW, 0, 0, struct.pack(">I", 1 << 20))
        h2.request(5, SAY, b"")
        self.answered(h2, 5)

    def test_rapid_resets_end_the_connection(self):
        h2 = self.connect()
        reset = struct.pack(">I", 8)
        text = b"".join(frame(HEADERS, END_HEADERS, s, header_block(grpc_fields(SAY)))
                        + frame(RST, 0, s, reset) for s in range(1, 2001, 2))
        try:
            h2.s.sendall(text)
        except OSError:
            pass
        goaway = [f for f in h2.rest() if f[0] == GOAWAY]
        self.assertEqual(struct.unpack(">I", goaway[-1][3][4:8])[0], ENHANCE_YOUR_CALM)
        self.server.wait_stats(lambda stats: stats["running"] == 0)

    def test_resets_that_we_are_made_to_send_count_as_well(self):
        """A stream's fault each (a body that is not as long as was said) is answered by a reset."""
        h2 = self.connect()
        block = header_block([*grpc_fields(SAY), ("content-length", "5")])
        text = b"".join(frame(HEADERS, END_HEADERS | END_STREAM, s, block)
                        for s in range(1, 2001, 2))
        try:
            h2.s.sendall(text)
        except OSError:
            pass
        goaway = [f for f in h2.rest() if f[0] == GOAWAY]
        self.assertEqual(struct.unpack(">I", goaway[-1][3][4:8])[0], ENHANCE_YOUR_CALM)

    def test_header_bytes_beyond_the_limit_end_the_connection(self):
        h2 = self.connect()
        block = header_block([*grpc_fields(SAY), ("x", "y" * 9000)])
        try:
            for s in range(1, 201, 2):
                h2.send(HEADERS, END_HEADERS | END_STREAM, s, block)
        except OSError:
            pass
        goaway = [f for f in h2.rest() if f[0] == GOAWAY]
        self.assertEqual(struct.unpack(">I", goaway[-1][3][4:8])[0], ENHANCE_YOUR_CALM)

    def test_floods_end_the_connection_or_are_answered(self):
        floods = {
            "ping": frame(PING, 0, 0, b"12345678"),
            "settings": frame(SETTINGS, 0, 0),
            "empty data": frame(DATA, 0, 1),
            "window": frame(WINDOW, 0, 0, struct.pack(">I", 1)),
            "unknown frames": frame(0xfa, 0, 0, b"x" * 100),
            "priority": frame(2, 0, 1, b"\0\0\0\0\x10"),
        }
        for name, piece in floods.items():
            with self.subTest(name):
                h2 = self.connect()
                h2.request(1, SAY)
                h2.s.settimeout(2)
                try:
                    # Nobody reads what comes back.
                    for _ in range(200):
                        h2.s.sendall(piece * 500)
                except (TimeoutError, OSError):
                    pass
                h2.s.close()
                self.assertEqual(self.server.get("/health")[0], 200)

    def test_endless_header_blocks(self):
        """CONTINUATION on and on, and many fields that say little."""
        for fields in [("x", "y" * 60)] * 200, [("a", "")] * 3000:
            h2 = self.connect()
            block = header_block(grpc_fields(SAY) + list(fields))
            try:
                h2.send(HEADERS, 0, 1, block[:10000])
                for _ in range(200):
                    h2.send(wire.CONTINUATION, 0, 1, header_block(fields)[:16000])
            except OSError:
                pass
            h2.s.close()

    def test_too_many_header_bytes_are_431(self):
        h2 = self.connect()
        h2.send(HEADERS, END_HEADERS | END_STREAM, 1,
                header_block([(":method", "GET"), (":scheme", "http"), (":path", "/health"),
                              (":authority", "x"), ("x", "y" * 9000)]))
        f = self.answered(h2, 1)[0]
        self.assertIn(b"431", f[3])

    def test_protocol_faults(self):
        path = header_block(grpc_fields(SAY))
        faults = {
            "data on stream 0": frame(DATA, 0, 0, b"x"),
            "headers on stream 0": frame(HEADERS, END_HEADERS, 0, path),
            "even stream": frame(HEADERS, END_HEADERS, 2, path),
            "data on idle stream": frame(DATA, 0, 5, b"x"),
            "bad HPACK": frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff\xff"),
            "index zero": frame(HEADERS, END_HEADERS, 1, b"\x80"),
            "long frame": frame(DATA, 0, 1, b"x" * 20000),
            "short ping": frame(PING, 0, 0, b"x"),
            "short settings": frame(SETTINGS, 0, 0, b"x"),
            "push": frame(5, END_HEADERS, 1, b"\0\0\0\2" + path),
            "window overflow": frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff") * 2,
            "continuation alone": frame(wire.CONTINUATION, END_HEADERS, 1, path),
            "settings of window": frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0x80000000)),
        }
        for name, text in faults.items():
            with self.subTest(name):
                h2 = self.connect()
                h2.s.sendall(text)
                frames = h2.rest()
                self.assertTrue([f for f in frames if f[0] == GOAWAY], frames)

    def test_malformed_requests_are_reset(self):
        good = grpc_fields(SAY)
        requests = {
            "no path": [f for f in good if f[0] != ":path"],
            "no method": [f for f in good if f[0] != ":method"],
            "two paths": good[:3] + [(":path", "/x")] + good[3:],
            "pseudo after others": good + [(":method", "POST")],
            "upper case": good + [("X-Upper", "1")],
            "connection header": good + [("connection", "close")],
            "transfer-encoding": good + [("transfer-encoding", "chunked")],
            "unknown pseudo": [(":what", "x")] + good,
            "zero byte": good + [("x", "a\0b")],
            "line break": good + [("x", "a\r\nb")],
            "empty path": [(n, "" if n == ":path" else v) for n, v in good],
            "no path but a query, of another scheme":
                [(n, {":path": "?x", ":scheme": "h2tp"}.get(n, v)) for n, v in good],
            "path without a slash, of another scheme":
                [(n, {":path": "x", ":scheme": "h2tp"}.get(n, v)) for n, v in good],
        }
        for name, fields in requests.items():
            with self.subTest(name):
                h2 = self.connect()
                h2.send(HEADERS, END_HEADERS | END_STREAM, 1, header_block(fields))
                frames = self.answered(h2, 1)
                # A reset, or 400 as the static table has it.
                self.assertTrue(frames[0][0] == RST or frames[0][3][:1] == b"\x8c", frames)

    def test_content_length_must_be_true(self):
        h2 = self.connect()
        h2.request(1, SAY, b"", ("content-length", "100"))
        self.assertEqual(self.answered(h2, 1)[-1][0], RST)

    def test_back_pressure(self):
        """A stream whose reader gives no window stops, and goes on when he does."""
        h2 = self.connect()
        h2.request(1, COUNT, ENDLESS)
        got = 0
        while got < 65535:
            kind, flags, stream, payload = h2.next()
            got += len(payload) if kind == DATA else 0
        stats = self.server.stats()
        self.assertLess(stats["sent"] * 1000, 65535 + 1000000)
        h2.send(WINDOW, 0, 0, struct.pack(">I", 1 << 20))
        h2.send(WINDOW, 0, 1, struct.pack(">I", 1 << 20))
        while got < 1000000:
            kind, flags, stream, payload = h2.next()
            got += len(payload) if kind == DATA else 0
        h2.s.close()
        self.server.wait_stats(lambda stats: stats["running"] == 0)

    def test_who_sends_without_looking_is_cut_off(self):
        """A handler that ignores rpc_send's word: the call ends before the memory does."""
        before = self.server.stats()
        h2 = self.connect()
        h2.request(1, COUNT, b"\x12\x04rude" + ENDLESS)
        stats = self.server.wait_stats(lambda stats: stats["cancelled"] > before["cancelled"])
        self.assertLess((stats["sent"] - before["sent"]) * 1000, 2000000)
        h2.s.close()

    def test_request_bodies_of_a_connection_are_bounded(self):
        h2 = self.connect()
        head = header_block(grpc_fields(SAY))
        for stream in range(1, 80, 2):
            h2.send(HEADERS, END_HEADERS, stream, head)
            h2.send(DATA, 0, stream, message(b"x" * 90000)[:16000])
        # 40 * 16000 fit; the next bytes do not.
        for stream in range(1, 80, 2):
            h2.send(DATA, 0, stream, b"x" * 16000)
        h2.until(lambda kind, flags, stream, payload: kind == HEADERS and flags & END_STREAM)
        h2.s.close()

    def test_random_frames(self):
        rng = random.Random(815)
        for _ in range(200):
            h2 = self.connect()
            text = b""
            for _ in range(rng.randrange(1, 20)):
                kind, stream = rng.randrange(11), rng.randrange(6)
                body = bytes(rng.randrange(256) for _ in range(rng.choice([0, 1, 4, 5, 8, 40])))
                if kind == HEADERS and rng.randrange(3):
                    body = header_block(grpc_fields(rng.choice([SAY, COUNT, "/x"])))
                if kind == DATA and rng.randrange(3):
                    body = message(rng.choice([HOLD, b"", ENDLESS, b"\x12\x05later"]))
                text += frame(kind, rng.randrange(256) if rng.randrange(2) else 5, stream, body)
            try:
                h2.s.sendall(text)
                h2.s.shutdown(1)
                wire.read_all(h2.s)
            except OSError:
                pass
            h2.s.close()
        self.server.wait_stats(lambda stats: stats["running"] == 0)

    def test_preface_in_pieces_and_almost(self):
        s = self.server.connect()
        for i in range(len(PREFACE)):
            s.sendall(PREFACE[i:i + 1])
        s.sendall(frame(SETTINGS, 0, 0))
        self.assertEqual(wire.read_exact(s, 4)[3], SETTINGS)
        s = self.server.connect()
        s.sendall(PREFACE[:14] + b"\r\n\r\nXX")
        self.assertTrue(wire.read_all(s).startswith(b"HTTP/1.1 400 "))

    def test_json_over_http2(self):
        if not shutil.which("curl"):
            self.skipTest("no curl")
        out = subprocess.run(
            ["curl", "-sS", "-m", "20", "-i", "--http2-prior-knowledge", "-H",
             "content-type: application/json", "-d", '{"text":"hi"}',
             f"http://127.0.0.1:{self.server.port}/api/v1/echo/a"], stdout=subprocess.PIPE)
        self.assertIn(b"HTTP/2 201", out.stdout)
        self.assertEqual(json.loads(out.stdout.split(b"\r\n\r\n", 1)[1])["text"], "hi")


# A body that is written whatever happens; what became of it in one line.
NODE = """
const [port, path, size] = process.argv.slice(1);
const client = require('http2').connect('http://127.0.0.1:' + port);
const request = client.request({':method': 'POST', ':path': path,
                                'content-type': 'application/json'});
let status = 0, body = '', error = '';
request.on('response', (head) => { status = head[':status']; });
request.on('data', (piece) => { body += piece; });
request.on('error', (e) => { error = String(e); });
request.on('end', () => { if (!request.closed) request.close(); });
request.on('close', () => {
    console.log(JSON.stringify({status, body, error}));
    client.destroy();
});
function* pieces() {
    for (let left = Number(size); left > 0; left -= 50000)
        yield Buffer.alloc(50000, 32);
}
require('stream').Readable.from(pieces()).pipe(request);
"""


class EarlyAnswers(wire.ServerCase):
    """Clients as they are in use, with a long body that is refused: they see why."""
    options = {"body": 100000}
    # A key that is missing, and a body that is too long; before the body and in it.
    cases = [(path, size, status, code) for size in (300 * 1000, 20 * 1000 * 1000)
             for path, status, code in (("/api/v1/secret", 401, "unauthorized"),
                                        ("/api/v1/echo/a", 413, "body_too_large"))]

    def curl(self, version, *more):
        for path, size, status, code in self.cases:
            out = subprocess.run(
                ["curl", "-sS", "-m", str(wire.LIMIT), version, *more, "-w", "\n%{http_code}", "-H",
                 "content-type: application/json", "--data-binary", "@-",
                 f"http://127.0.0.1:{self.server.port}{path}"],
                input=bytes(size), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertEqual(out.returncode, 0, out)
            body, http = out.stdout.rsplit(b"\n", 1)
            self.assertEqual((int(http), json.loads(body)["code"]), (status, code))

    @unittest.skipUnless(shutil.which("curl"), "no curl")
    def test_curl(self):
        for version in "--http1.1", "--http2-prior-knowledge":
            for more in [], ["-H", "Expect:"], ["-H", "Transfer-Encoding: chunked"]:
                self.curl(version, *more)

    @unittest.skipUnless(shutil.which("node"), "no node")
    def test_node(self):
        for path, size, status, code in self.cases:
            out = subprocess.run(["node", "-e", NODE, str(self.server.port), path, str(size)],
                                 stdout=subprocess.PIPE, timeout=wire.LIMIT, check=True)
            seen = json.loads(out.stdout)
            self.assertEqual((seen["status"], seen["error"]), (status, ""))
            self.assertEqual(json.loads(seen["body"])["code"], code)

    def test_http_client(self):
        """It sends all of the body before it looks."""
        for path, size, status, code in self.cases:
            got, _, body = self.server.get(path, "POST", bytes(size),
                                           {"content-type": "application/json"})
            self.assertEqual((got, json.loads(body)["code"]), (status, code))


class Farewell(unittest.TestCase):
    def test_stop_lets_calls_end(self):
        server = wire.Server()
        h2 = H2(server)
        h2.request(1, SAY, HOLD)
        server.wait_stats(lambda stats: stats["running"] == 1)
        server.terminate()
        # Announced with the highest stream there can be, then with the true one.
        f = h2.until(lambda kind, flags, stream, payload: kind == GOAWAY)
        self.assertEqual(f[3][:4], b"\x7f\xff\xff\xff")
        h2.request(3, SAY, b"")
        h2.until(lambda kind, flags, stream, payload: stream == 3 and flags & END_STREAM)
        f = h2.until(lambda kind, flags, stream, payload: kind == GOAWAY)
        self.assertEqual(f[3][:4], b"\0\0\0\3")
        h2.send(RST, 0, 1, struct.pack(">I", 8))
        self.assertEqual(server.stop()[0], 0)


class Tls(unittest.TestCase):
    """Certificates for this test only; both sides checked."""

    @classmethod
    def setUpClass(cls):
        if not shutil.which("curl") or not shutil.which("openssl"):
            raise unittest.SkipTest("no curl or no openssl")
        cls.folder = tempfile.TemporaryDirectory()
        cls.make("ca", None)
        cls.make("server", "ca")
        cls.make("client", "ca")
        cls.make("stranger", None)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def path(cls, name):
        return f"{cls.folder.name}/{name}"

    @classmethod
    def make(cls, name, issuer):
        args = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", cls.path(f"{name}.key"),
                "-out", cls.path(f"{name}.pem")]
        if issuer:
            args += ["-CA", cls.path(f"{issuer}.pem"), "-CAkey", cls.path(f"{issuer}.key"),
                     "-addext", "subjectAltName=IP:127.0.0.1",
                     "-addext", "basicConstraints=CA:FALSE"]
        subprocess.run(args, check=True, stderr=subprocess.DEVNULL)

    def curl(self, server, *args):
        return subprocess.run(
            ["curl", "-sS", "-m", "20", "-i", "--cacert", self.path("ca.pem"), *args,
             f"https://127.0.0.1:{server.tls_port}/health"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def test_alpn_chooses_the_protocol(self):
        server = wire.Server(certificate=self.path("server.pem"), key=self.path("server.key"))
        for args, version in ((["--http1.1"], b"HTTP/1.1 200"), (["--http2"], b"HTTP/2 200"),
                              (["--no-alpn"], b"HTTP/1.1 200"),
                              (["--tls-max", "1.2", "--http2"], b"HTTP/2 200")):
            out = self.curl(server, *args)
            self.assertTrue(out.stdout.startswith(version), (args, out))
        # Version 1.1 of TLS is not spoken; plain text on the TLS port ends.
        self.assertNotEqual(self.curl(server, "--tls-max", "1.1").returncode, 0)
        s = wire.socket.create_connection(("127.0.0.1", server.tls_port), timeout=wire.LIMIT)
        s.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertNotIn(b"200", wire.read_all(s))
        s.close()
        code, err = server.stop()
        self.assertEqual(code, 0, err)

    def test_client_certificates(self):
        server = wire.Server(certificate=self.path("server.pem"), key=self.path("server.key"),
                             client_ca=self.path("ca.pem"))
        none = self.curl(server)
        self.assertNotIn(b"200", none.stdout)
        for name, good in ("client", True), ("stranger", False):
            out = self.curl(server, "--cert", self.path(f"{name}.pem"), "--key",
                            self.path(f"{name}.key"))
            self.assertEqual(b"HTTP/2 200" in out.stdout, good, out)
        code, err = server.stop()
        self.assertEqual(code, 0, err)


if __name__ == "__main__":
    unittest.main()
