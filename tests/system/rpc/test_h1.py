# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 from outside: JSON routes and their errors, gRPC-Web, CORS, and requests that no decent
client sends."""
import base64
import json
import random
import socket
import struct
import unittest

import wire

JSON = {"content-type": "application/json"}
# Read to the end: an answer, and then nothing may follow it.
MALFORMED = {
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "host with user": b"GET /health HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "bare LF": b"GET /health HTTP/1.1\nHost: a\n\r\n\r\n",
    "bare LF in a header": b"GET /health HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    "bare CR in a header": b"GET /health HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
    "zero byte": b"GET /health HTTP/1.1\r\nHost: a\0b\r\n\r\n",
    "folded": b"GET /health HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "blank before colon": b"GET /health HTTP/1.1\r\nHost : a\r\n\r\n",
    "no colon": b"GET /health HTTP/1.1\r\nHost: a\r\nabc\r\n\r\n",
    "empty name": b"GET /health HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
    "two blanks": b"GET  /health HTTP/1.1\r\nHost: a\r\n\r\n",
    "tab in target": b"GET /hea\tlth HTTP/1.1\r\nHost: a\r\n\r\n",
    "high byte in target": b"GET /h\xe9alth HTTP/1.1\r\nHost: a\r\n\r\n",
    "fragment": b"GET /health#x HTTP/1.1\r\nHost: a\r\n\r\n",
    "HTTP/2.0": b"GET /health HTTP/2.0\r\nHost: a\r\n\r\n",
    "HTTP/0.9": b"GET /health\r\n\r\n",
    "HTTP/1.2": b"GET /health HTTP/1.2\r\nHost: a\r\n\r\n",
    "unknown method": b"BREW /health HTTP/1.1\r\nHost: a\r\n\r\n",
    "lower case": b"get /health HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "both lengths": b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n{}",
    "two lengths": b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                   b"Content-Length: 3\r\n\r\n{}",
    "same length twice": b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                         b"Content-Length: 2\r\n\r\n{}",
    "list of lengths": b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 2\r\n\r\n{}",
    "negative length": b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: -2\r\n\r\n{}",
    "signed length": b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\n{}",
    "hex length": b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 0x2\r\n\r\n{}",
    "empty length": b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n{}",
    "huge length": b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\n"
                   b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "length of 19 digits": b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\n"
                           b"Content-Length: 1000000000000000002\r\n\r\n{}",
    "gzip coding": b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\n"
                   b"Transfer-Encoding: gzip\r\n\r\n{}",
    "two codings": b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\n"
                   b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "odd coding": b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\n"
                  b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked in 1.0": b"POST /api/v1/echo/a HTTP/1.0\r\nHost: a\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunk of what": b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "chunk without end": b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\n"
                         b"Content-Type: application/json\r\n"
                         b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n",
    "chunk with bare LF": b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\n"
                          b"Content-Type: application/json\r\n"
                          b"Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n",
    "huge chunk": b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}",
    "CONNECT": b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
}


class Http1(wire.ServerCase):
    options = {"origin": "https://admin.example", "header": 8192, "body": 100000}

    def exchange(self, text):
        """The answer to |text|, on a connection that must end."""
        s = self.server.connect()
        s.sendall(text)
        answer = wire.read_all(s)
        s.close()
        return answer

    def test_malformed_requests_are_refused_and_end_the_connection(self):
        for name, text in MALFORMED.items():
            with self.subTest(name):
                # What follows must not be taken for a request.
                answer = self.exchange(text + b"GET /stats HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertIn(answer[:13], (b"HTTP/1.1 400 ", b"HTTP/1.1 413 "), answer)
                self.assertNotIn(b"running", answer)
                self.assertEqual(answer.count(b"HTTP/1.1 4"), 1, answer)
                self.assertIn(b"connection: close", answer)
                body = json.loads(answer.split(b"\r\n\r\n", 1)[1])
                self.assertEqual(sorted(body), ["code", "error", "request_id"])

    def test_head_limits(self):
        long = b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 9000 + b"\r\n\r\n"
        self.assertTrue(self.exchange(long).startswith(b"HTTP/1.1 431 "))
        endless = b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 20000
        self.assertTrue(self.exchange(endless).startswith(b"HTTP/1.1 431 "))
        many = b"GET /health HTTP/1.1\r\nHost: a\r\n" + b"".join(
            b"X%d: y\r\n" % i for i in range(150)) + b"connection: close\r\n\r\n"
        self.assertTrue(self.exchange(many).startswith(b"HTTP/1.1 431 "))

    def test_errors_of_json_routes(self):
        ask = self.server.get
        cases = [
            ("POST", "/api/v1/echo/a", b"{}", {"content-type": "text/plain"}, 415,
             "unsupported_media_type"),
            ("POST", "/api/v1/echo/a", b"{}", {}, 415, "unsupported_media_type"),
            ("POST", "/api/v1/echo/a", b"{", JSON, 400, "invalid_json"),
            ("POST", "/api/v1/echo/a", b"[]", JSON, 400, "invalid_json"),
            ("POST", "/api/v1/echo/a", b'{"texte":"x"}', JSON, 400, "unknown_field"),
            ("POST", "/api/v1/echo/a", b'{"text":1}', JSON, 400, "invalid_field"),
            ("POST", "/api/v1/echo/a", b'{"id":"b"}', JSON, 400, "invalid_field"),
            ("POST", "/api/v1/echo/a?text=1", b'{"text":"b"}', JSON, 400, "invalid_field"),
            ("GET", "/api/v1/echo/a?id=b", None, {}, 400, "invalid_field"),
            ("GET", "/api/v1/echo/a?text=1&text=2", None, {}, 400, "invalid_field"),
            ("GET", "/api/v1/echo/a?nothing=1", None, {}, 400, "unknown_field"),
            ("GET", "/api/v1/echo/a?count=x", None, {}, 400, "invalid_field"),
            ("GET", "/api/v1/echo/a?text=%zz", None, {}, 400, "invalid_field"),
            ("GET", "/api/v1/echo/a%00b", None, {}, 400, "invalid_field"),
            ("GET", "/api/v1/echo/a%ff", None, {}, 400, "invalid_field"),
            ("GET", "/api/v1/echo/", None, {}, 404, "not_found"),
            ("GET", "/api/v1/echo", None, {}, 404, "not_found"),
            ("GET", "/", None, {}, 404, "not_found"),
            ("GET", "/api/v1/echo/a/b", None, {}, 404, "not_found"),
            ("PUT", "/api/v1/echo/a", b"{}", JSON, 405, "method_not_allowed"),
            ("POST", "/health", b"", {}, 405, "method_not_allowed"),
            ("POST", "/test.echo.Echo/Say", b"{}", JSON, 415, "unsupported_media_type"),
            ("POST", "/api/v1/secret", b"{", JSON, 401, "unauthorized"),
            ("POST", "/api/v1/secret", b"{}", {**JSON, "x-api-key": "wrong"}, 401, "unauthorized"),
            ("POST", "/api/v1/echo/a", b" " * 100001, JSON, 413, "body_too_large"),
            ("POST", "/api/v1/short", b" " * 65, JSON, 413, "body_too_large"),
            ("POST", "/api/v1/echo/a", b'{"text":"fail"}', JSON, 409, "wrong_state"),
        ]
        for method, path, body, headers, status, code in cases:
            with self.subTest(f"{method} {path} {body}"[:80]):
                got, head, text = ask(path, method, body, headers)
                answer = json.loads(text)
                self.assertEqual((got, answer["code"]), (status, code), text)
                self.assertEqual(answer["request_id"], head["x-request-id"])
                self.assertEqual(head["content-type"], "application/json")
                if status == 405:
                    self.assertIn("allow", head)
                if status == 401:
                    self.assertEqual(answer["error"], "unauthorized")
                if code == "wrong_state":
                    self.assertEqual(head["retry-after"], "7")
                    self.assertEqual(answer["session_id"], "8a6f2f6c-9a53-4d8c-8f0c-0d8a6f2f6c9a")

    def test_fields_of_path_query_and_body(self):
        status, _, body = self.server.get("/api/v1/echo/a%2Fb%20c+d?count=7&tags=x&tags=y+z&", "POST",
                                          b'{"text":"caf\xc3\xa9"}', JSON)
        answer = json.loads(body)
        self.assertEqual(status, 201)
        self.assertEqual(answer["id"], "a/b c+d")
        self.assertEqual(answer["text"], "caf\u00e9")
        self.assertEqual(answer["count"], 7)
        self.assertEqual(answer["tags"], ["x", "y z"])

    def test_no_body_is_an_empty_object(self):
        self.assertEqual(self.server.get("/api/v1/echo/a", "POST")[0], 201)
        self.assertEqual(self.server.get("/api/v1/echo/a/tags/b", "DELETE")[0], 200)

    def test_request_id_is_taken_or_made(self):
        mine = "00112233445566778899AABBCCDDEEFF"
        self.assertEqual(self.server.get("/health", headers={"x-request-id": mine})[1]
                         ["x-request-id"], mine)
        other = self.server.get("/health", headers={"x-request-id": "short"})[1]["x-request-id"]
        self.assertRegex(other, "^[0-9a-f]{32}$")

    def test_head_of_a_page_and_of_a_route(self):
        for path in "/health", "/api/v1/echo/a":
            s = self.server.connect()
            s.sendall(f"HEAD {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            head, body = wire.read_all(s).split(b"\r\n\r\n", 1)
            self.assertTrue(head.startswith(b"HTTP/1.1 200 "))
            self.assertNotIn(b"content-length: 0", head)
            self.assertEqual(body, b"")

    def test_pipelined_requests_are_answered_in_order(self):
        s = self.server.connect()
        texts = ["later" if i % 3 == 0 else f"n{i}" for i in range(50)]
        s.sendall(b"".join(
            b"GET /api/v1/echo/a?text=%s HTTP/1.1\r\nHost: a\r\n\r\n" % t.encode() for t in texts))
        for text in texts:
            self.assertEqual(json.loads(wire.read_response(s)[2])["text"], text)

    def test_byte_by_byte(self):
        s = self.server.connect()
        body = b'{"text":"slowly"}'
        text = (b"\r\nPOST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body)) + body
        for i in range(len(text)):
            s.sendall(text[i:i + 1])
            # An answer to somebody else: this byte has been read alone.
            self.server.get("/health")
        self.assertEqual(json.loads(wire.read_response(s)[2])["text"], "slowly")

    def test_chunked_body_with_trailers_and_next_request(self):
        s = self.server.connect()
        s.sendall(b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n5;x=y\r\n{\"tex\r\n8\r\nt\":\"abc\"\r\n1\r\n}\r\n"
                  b"0\r\nX-Api-Key: right\r\n\r\n"
                  b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        status, _, body = wire.read_response(s)
        self.assertEqual((status, json.loads(body)["text"]), (201, "abc"))
        self.assertEqual(wire.read_response(s)[0], 200)

    def test_chunked_body_over_the_limit(self):
        s = self.server.connect()
        s.sendall(b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n" + b"8000\r\n" + b" " * 0x8000 + b"\r\n")
        for _ in range(3):
            s.sendall(b"8000\r\n" + b" " * 0x8000 + b"\r\n")
        self.assertEqual(wire.read_response(s)[0], 413)
        self.assertEqual(wire.read_all(s), b"")

    def test_expect_continue(self):
        s = self.server.connect()
        s.sendall(b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                  b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        self.assertEqual(wire.read_until(s, b"\r\n\r\n"), b"HTTP/1.1 100 Continue\r\n\r\n")
        s.sendall(b"{}")
        self.assertEqual(wire.read_response(s)[0], 201)
        # A refusal comes instead of the invitation.
        s.sendall(b"POST /api/v1/secret HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                  b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        self.assertEqual(wire.read_response(s)[0], 401)
        self.assertEqual(wire.read_all(s), b"")
        self.assertTrue(self.exchange(
            b"GET /health HTTP/1.1\r\nHost: a\r\nExpect: the worst\r\n\r\n"
        ).startswith(b"HTTP/1.1 417 "))

    def test_refused_body_is_dropped_and_the_connection_goes_on(self):
        s = self.server.connect()
        body = b"{" + b" " * 5000
        s.sendall(b"POST /api/v1/secret HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                  b"Content-Length: %d\r\n\r\n" % len(body))
        self.assertEqual(wire.read_response(s)[0], 401)
        s.sendall(body + b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(wire.read_response(s)[0], 200)

    def test_an_announced_body_is_refused_before_it_comes(self):
        s = self.server.connect()
        s.sendall(b"POST /api/v1/echo/a HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                  b"Content-Length: 100001\r\n\r\n")
        self.assertTrue(wire.read_all(s).startswith(b"HTTP/1.1 413 "))
        s.close()

    def test_refused_long_body_closes(self):
        s = self.server.connect()
        s.sendall(b"POST /api/v1/secret HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                  b"Content-Length: 90000\r\n\r\n" + b"x" * 30000)
        self.assertEqual(wire.read_response(s)[0], 401)
        self.assertEqual(wire.read_all(s), b"")

    def test_old_clients(self):
        answer = self.exchange(b"GET /health HTTP/1.0\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "))
        answer = self.exchange(b"GET http://x/health HTTP/1.1\r\nHost: x\r\n"
                               b"Connection: close\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "))
        # An offer to change to HTTP/2 is overlooked.
        answer = self.exchange(b"GET /health HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n"
                               b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk"
                               b"\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n"
                               b"Connection: close\r\n\r\n")
        self.assertEqual(answer.count(b"HTTP/1.1 200 "), 2)

    def test_half_closed_client_gets_its_answer(self):
        s = self.server.connect()
        s.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        s.shutdown(socket.SHUT_WR)
        self.assertTrue(wire.read_all(s).startswith(b"HTTP/1.1 200 "))

    def test_lost_client_cancels_its_call(self):
        before = self.server.stats()["cancelled"]
        s = self.server.connect()
        s.sendall(b"GET /api/v1/echo/a?text=hold HTTP/1.1\r\nHost: a\r\n\r\n")
        self.server.wait_stats(lambda stats: stats["running"] > 0)
        s.close()
        self.server.wait_stats(lambda stats: stats["cancelled"] == before + 1)

    def test_stop_while_a_lost_client_has_a_call(self):
        """The handler still works; the connection is gone already when the server stops."""
        server = wire.Server()
        s = server.connect()
        s.sendall(b"GET /api/v1/echo/a?text=later&count=2000 HTTP/1.1\r\nHost: a\r\n\r\n")
        server.wait_stats(lambda stats: stats["running"] == 1)
        s.close()
        server.stats()  # so that the end of the connection has been read
        self.assertEqual(server.stop()[0], 0)

    def test_random_bytes(self):
        rng = random.Random(4711)
        for _ in range(300):
            s = self.server.connect()
            text = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 200)))
            if rng.randrange(2):
                text = rng.choice(list(MALFORMED.values()))[:rng.randrange(1, 60)] + text
            s.sendall(text + b"\r\n\r\n")
            s.shutdown(socket.SHUT_WR)
            wire.read_all(s)
            s.close()

    # ---- gRPC-Web ----

    def web(self, path, payload, text=False, headers=None):
        body = wire.message(payload)
        kind = "application/grpc-web" + ("-text" if text else "") + "+proto"
        status, head, answer = self.server.get(
            path, "POST", base64.b64encode(body) if text else body,
            {"content-type": kind, **(headers or {})})
        if text and status == 200:
            # A frame each, padded for itself.
            out = b""
            while answer:
                end = answer.find(b"=")
                end = len(answer) if end < 0 else end + 4 - end % 4
                out += base64.b64decode(answer[:end])
                answer = answer[end:]
            answer = out
        frames = []
        while status == 200 and answer:
            n = struct.unpack(">I", answer[1:5])[0]
            frames.append((answer[0], answer[5:5 + n]))
            answer = answer[5 + n:]
        return status, head, frames

    def test_grpc_web(self):
        for text in False, True:
            with self.subTest(text=text):
                status, head, frames = self.web("/test.echo.Echo/Say", b"\x12\x03abc", text)
                self.assertEqual((status, len(frames)), (200, 2))
                self.assertIn(b"\x12\x03abc", frames[0][1])
                self.assertEqual(frames[1], (0x80, b"grpc-status:0\r\n"))
                frames = self.web("/test.echo.Echo/Count", b"\x20\x05", text)[2]
                self.assertEqual([f[0] for f in frames], [0] * 5 + [0x80])
                frames = self.web("/test.echo.Echo/Say", b"\x12\x04fail", text)[2]
                self.assertEqual(len(frames), 1)
                self.assertIn(b"grpc-status:9\r\n", frames[0][1])
                self.assertIn(b"grpc-message:100%25 of \"caf%C3%A9\" is%0Aclosed\r\n", frames[0][1])

    def test_grpc_web_refusals(self):
        ask = self.server.get
        head = {"content-type": "application/grpc-web+proto"}
        self.assertEqual(ask("/test.echo.Echo/Say", "GET", None, head)[0], 405)
        # Payloads that would decode, so that nothing else refuses them.
        bodies = {b"": 3, b"\0\0\0\0\5ab": 3, wire.message(b"") * 2: 3, b"\1\0\0\0\0": 12,
                  b"\2\0\0\0\0": 3, b"\x80\0\0\0\0": 3, wire.message(b"\x12\x05a"): 3,
                  b"\0\xff\xff\xff\xff": 8}
        for body, code in bodies.items():
            with self.subTest(body):
                status, _, answer = ask("/test.echo.Echo/Say", "POST", body, head)
                self.assertEqual((status, answer[0]), (200, 0x80))
                self.assertIn(b"grpc-status:%d\r\n" % code, answer)
        text = {"content-type": "application/grpc-web-text"}
        for body in b"****", b"AAAAAA", b"A===", b"=AAA":
            self.assertIn(b"gAAAA", ask("/test.echo.Echo/Say", "POST", body, text)[2])
        grpc = {"content-type": "application/grpc"}
        self.assertEqual(ask("/test.echo.Echo/Say", "POST", wire.message(b""), grpc)[0], 505)

    def test_a_path_lists_its_verbs(self):
        origin = {"origin": "https://admin.example"}
        for path, verbs in (("/api/v1/echo/x", "GET, HEAD, POST"), ("/api/v1/short", "POST"),
                            ("/api/v1/echo/x/tags/y?count=1", "DELETE"), ("/health", "GET, HEAD"),
                            ("/test.echo.Echo/Say", "POST"), ("/ws", "GET"),
                            ("*", "GET, HEAD, POST, PUT, PATCH, DELETE")):
            with self.subTest(path=path):
                status, head, body = self.server.get(path, "OPTIONS", None, origin)
                self.assertEqual((status, body), (204, b""))
                self.assertEqual(head["allow"], verbs + ", OPTIONS")
                self.assertEqual(head["access-control-allow-methods"], verbs)
        for path in "/", "/api/v1/echo", "/api/v1/shorter", "/test.echo.Echo/None":
            self.assertEqual(self.server.get(path, "OPTIONS", None, origin)[0], 404, path)
            # a page reads why its call failed only if the browser lets it call
            ask = {**origin, "access-control-request-method": "POST"}
            self.assertEqual(self.server.get(path, "OPTIONS", None, ask)[0], 204, path)
        self.assertEqual(self.server.get("/api/v1/echo/x", "DELETE")[1]["allow"], "GET, HEAD, POST")

    def test_cors(self):
        ask = self.server.get
        preflight = {"origin": "https://admin.example", "access-control-request-method": "POST"}
        status, head, _ = ask("/test.echo.Echo/Say", "OPTIONS", None, preflight)
        self.assertEqual(status, 204)
        self.assertEqual(head["access-control-allow-origin"], "https://admin.example")
        self.assertIn("x-grpc-web", head["access-control-allow-headers"])
        head = self.web("/test.echo.Echo/Say", b"", headers={"origin": "https://admin.example"})[1]
        self.assertEqual(head["access-control-allow-origin"], "https://admin.example")
        self.assertIn("grpc-status", head["access-control-expose-headers"])
        self.assertEqual(head["vary"], "origin")
        for origin in "https://evil.example", "null", "https://admin.example.evil":
            for method in "OPTIONS", "GET":
                head = ask("/health", method, None, {**preflight, "origin": origin})[1]
                self.assertNotIn("access-control-allow-origin", head)

    def test_sockets_of_other_pages_are_refused(self):
        for origin, status in (("https://evil.example", 403), ("https://admin.example", 101),
                               ("http://x", 101)):
            self.assertEqual(wire.Socket(self.server, f"Origin: {origin}\r\n").status, status)


if __name__ == "__main__":
    unittest.main()
