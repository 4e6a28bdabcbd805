# SPDX-License-Identifier: Apache-2.0
"""Bad input at every door of one running system: each answer has the right status and one clear
sentence, tells callers without a key nothing of what exists, and has no effect (doors.py). The
layer's own limits are tested in tests/system/rpc; here it is every service, every route, every
method, as they are put together."""
import json
import os
import random
import re
import socket
import ssl
import struct
import subprocess
import threading
import unittest
import uuid

from doors import (ACCOUNT, APIS, COORDINATOR, FILES, MESSAGES, OPEN, OTHER_ID, PARTY_ONLY, PROXY,
                   REQUESTS, ROUTER, ROUTES, SERVICES, SHARES, STRANGER, TEXTS, WRONG, Door, Doors,
                   field, head, status_of, wire)
from support import HASH, LIMIT, Answer

BAD_BODIES = [b"", b" ", b"{", b"[]", b"null", b"7", b'"x"', b'{"a":1} x', b"{'a':1}", b'{"a":NaN}',
              b'{"a":1e999}', b"{" * 100000, b'{"a":' * 3000 + b"1" + b"}" * 3000,
              b"\xff\xfe{\0}\0",
              b'{"a":"\xc3\x28"}', b'{"a":"\\ud800"}', b'{"a":' + b"9" * 5000 + b"}", b"\0" * 100,
              b"\xef\xbb\xbf{}", b"<xml/>", b'{"a":1,}', b'{"a":"\\u0000"}', b'{"a":1,"a":1}']
RANDOM_CONNECTIONS = 10000


class BadInput(Doors):
    # --- who may ask ---

    def paths(self, path):
        """|path| with something that exists, with something that does not, and with no id."""
        for account, session in ((self.id, self.session), (OTHER_ID, OTHER_ID), ("x", "x")):
            yield path.format(account_id=account, session_id=session)

    def test_without_key_every_route_says_the_same_of_everything(self):
        for process, verb, path, method in ROUTES:
            body = {"party_id": "party-1"} if method in OPEN else b"{" if verb != "GET" else None
            for one in self.paths(path):
                with self.subTest(process=process, verb=verb, path=one):
                    self.assertUnauthorized(self.ask(process, verb, one, body, key=None))
            if method not in OPEN:
                self.assertUnauthorized(self.h2(process, verb, next(self.paths(path))))

    def test_without_key_every_method_says_the_same(self):
        for process, name in FILES.items():
            for method, _ in SERVICES[name]:
                with self.subTest(method=method):
                    got = self.web(process, method, wire.message(b"\xff" * 20))
                    self.assertIn(got[0], (3, 16) if method.split("/")[1] in OPEN else (16,))
                    answer = self.socket_call(process, method, {"nonsense": 1})["error"]
                    self.assertEqual(answer["code"] == "unauthorized",
                                     method.split("/")[1] not in OPEN, answer)

    def test_keys_are_compared_whole(self):
        key = self.stack.key
        for bad in ("", key[:-1], key[1:], key + "x", key + key, f"{key},{key}", key.upper(),
                    key[:1], key.swapcase(), "a" * 10000, f"Bearer {key}", "0" * len(key)):
            for process in APIS:
                path = {ROUTER: "/api/v1/parties", SHARES: "/api/v1/shares/key",
                        COORDINATOR: "/api/v1/sessions", ACCOUNT: "/api/v1/accounts"}[process]
                with self.subTest(key=bad[:80], process=process):
                    self.assertUnauthorized(self.ask(process, "GET", path, key=bad))
        for headers in ({"Authorization": f"Bearer {key}"}, {"X-Api-Key2": key},
                        {"Cookie": f"X-API-Key={key}"}):
            self.assertUnauthorized(self.ask(ACCOUNT, "GET", "/api/v1/accounts", key=None,
                                             headers=headers))
        self.assertEqual(status_of(self.doors[ACCOUNT][0].tell(
            head("GET", "/api/v1/accounts", f"X-API-Key: {key}", "X-API-Key: x"))), 401)

    def test_other_addresses_whatever_they_show_and_say(self):
        for key in (True, None, "wrong"):
            for said in (None, "127.0.0.1", f"127.0.0.1, {PROXY}", "::1", "nonsense", "," * 1000):
                headers = {"X-Forwarded-For": said, "X-Real-IP": "127.0.0.1",
                           "Forwarded": "for=127.0.0.1"} if said else None
                answer = self.ask(ACCOUNT, "GET", f"/api/v1/accounts/{self.id}", key=key,
                                  headers=headers, source=STRANGER)
                # first it is refused, after so many tries not even looked at
                self.assertIn(answer.status, (403, 429), answer)
                self.assertNotIn(self.id, str(answer.body))

    def test_x_forwarded_for_counts_from_a_trusted_proxy_only(self):
        def through(source, said):
            return self.ask(ACCOUNT, "GET", "/api/v1/accounts", source=source,
                            headers={"X-Forwarded-For": said}).status
        mine = next(Door.fresh)
        other = "127.8.0.2"  # a stranger whose tries were not counted yet
        for said in (other, "6.6.6.6", "nonsense", "127.0.0.1, 6.6.6.6", ""):
            self.assertEqual(through(mine, said), 200, said)
        for said, status in (("127.0.0.1", 200), ("6.6.6.6, 127.0.0.1", 200), (other, 403),
                             ("127.0.0.1, 6.6.6.6", 403), (f"127.0.0.1, 6.6.6.6, {PROXY}", 403),
                             ("nonsense", 200), (f"{other}, nonsense", 200)):
            self.assertEqual(through(PROXY, said), status, said)

    def test_failed_tries_are_limited_and_harm_nobody_else(self):
        mine = next(Door.fresh)
        got = [self.ask(ACCOUNT, "GET", "/api/v1/accounts", key=f"wrong{i}", source=mine,
                        headers={"X-Forwarded-For": f"9.9.9.{i}"}) for i in range(40)]
        self.assertEqual({a.status for a in got[:20]}, {401})
        # now and then another one is let through: twenty in a minute
        limited = next(a for a in got[20:] if a.status != 401)
        self.assertGreaterEqual(int(limited.headers["Retry-After"]), 1)
        self.assertError(limited, 429)
        self.assertEqual(self.ask(ACCOUNT, "GET", "/api/v1/accounts", source=mine).status, 200)
        log = self.stack.log(ACCOUNT)
        self.assertIn(mine, log)
        self.assertNotIn("wrong1", log)
        self.assertNotIn(self.stack.key, log)

    # --- what is asked ---

    def fill(self, process, path, method):
        """The path with what exists, and the headers that open it."""
        headers = {"Authorization": "Bearer " + self.party_token()} if method in PARTY_ONLY else {}
        return path.format(account_id=self.id, session_id=self.session), headers

    def test_bodies_that_are_no_objects(self):
        for process, verb, path, method in ROUTES:
            if verb == "GET":
                continue
            path, headers = self.fill(process, path, method)
            for body in BAD_BODIES:
                # no body is an object without members: what needs none is left out
                if not body and method not in ("CreateAccount",):
                    continue
                with self.subTest(process=process, path=path, body=body[:30]):
                    answer = self.ask(process, verb, path, body, headers=headers)
                    self.assertIn(answer.status, (400, 401, 413) if method in OPEN else (400, 413))
                    self.assertError(answer, answer.status)
            answer = self.ask(process, verb, path, b"{}", headers={**headers,
                                                                   "Content-Type": "text/plain"})
            self.assertError(answer, 415, "application/json")

    def test_wrong_types_and_typos_in_every_field_of_every_route(self):
        for process, verb, path, method in ROUTES:
            if verb == "GET":
                continue
            there, headers = self.fill(process, path, method)
            fields = MESSAGES[REQUESTS[f"{method}@{FILES[process]}"]]
            names = [name for name in fields if "{" + name + "}" not in path]
            for name in names:
                for value in WRONG[fields[name]]:
                    with self.subTest(method=method, field=name, value=value):
                        self.assertError(self.ask(process, verb, there, {name: value},
                                                  headers=headers), 400, name)
                for typo in (name[1:], name + "s", name[:1] + name, name.upper()):
                    if typo not in fields:
                        with self.subTest(method=method, typo=typo):
                            self.assertError(self.ask(process, verb, there, {typo: "x"},
                                                      headers=headers), 400, typo)
            if process == ACCOUNT and names:
                self.assertError(self.h2(process, verb, there, json.dumps({names[0]: {}}).encode(),
                                         "-H", "X-API-Key: " + self.stack.key), 400, names[0])

    def test_paths_and_parameters(self):
        for process, verb, path, method in ROUTES:
            there, headers = self.fill(process, path, method)
            if method not in OPEN and verb == "GET":
                for query in ("nonsense=1", "a", "=", "%", "%00=1", "x" * 2000 + "=1", "%ff=%fe"):
                    self.assertError(self.ask(process, verb, f"{there}?{query}", headers=headers),
                                     400)
            for bad in ("x", "%00", "..%2f..", "%ff", OTHER_ID + "x", self.id.replace("-", ""),
                        "'%20OR%201=1", "x" * 5000, "{account_id}", "-"):
                one = path.replace("{account_id}", bad).replace("{session_id}", bad)
                if one != path and verb == "GET":
                    with self.subTest(path=one[:80]):
                        self.assertIn(self.ask(process, verb, one).status, (400, 404))
        for name in self.doors:
            for path in ("/", "/api", "/api/v1/accounts/", "//api/v1/accounts", "/..", "/ready/x",
                         "/%2e%2e/etc/passwd", "/API/V1/ACCOUNTS", "/ready%00", "/metrics/../x"):
                self.assertError(self.ask(name, "GET", path), 404)
            for verb in ("TRACE", "OPTIONS", "DELETE", "PATCH", "PROPFIND"):
                answer = self.ask(name, verb, "/ready", key=None)
                self.assertIn(answer.status, (204, 400, 404, 405), (name, verb))

    def test_unknown_ids_and_parties(self):
        for process, verb, path, method in ROUTES:
            if "{" not in path or method in OPEN:
                continue
            body = {"Sign": {"message": HASH}, "SetSigningParties": {"party_ids": ["party-1",
                                                                                   "party-2"]}}
            answer = self.ask(process, verb, path.format(account_id=OTHER_ID, session_id=OTHER_ID),
                              body.get(method))
            self.assertError(answer, 404)
        for path, body, status in (
                (f"/api/v1/accounts/{self.id}/signing-parties", {"party_ids": ["party-1",
                                                                               "party-9"]}, 400),
                ("/api/v1/accounts", {"user_id": "u", "participants": [
                    {"party_id": f"party-{i}"} for i in (1, 2, 9)]}, 422),
                (f"/api/v1/accounts/{self.id}/sign", {"message": HASH, "participants": [
                    {"party_id": "party-1"}, {"party_id": "party-9"}]}, 400)):
            verb = "PUT" if path.endswith("parties") else "POST"
            self.assertError(self.ask(ACCOUNT, verb, path, body), status, "party-9")
        for path in ("generate", "sign"):
            answer = self.ask(SHARES, "POST", f"/api/v1/shares/{path}", {
                "session_id": OTHER_ID, **({"user_share": "A" * 400} if path == "sign" else {})})
            self.assertError(answer, 404)
        self.assertError(self.ask(SHARES, "POST", "/api/v1/shares/confirm",
                                  {"session_id": OTHER_ID}), 404)

    def test_bodies_that_are_too_large(self):
        for process, verb, path, method in ROUTES:
            if verb == "GET":
                continue
            path, headers = self.fill(process, path, method)
            lines = [f"{k}: {v}" for k, v in headers.items()]
            lines += ["X-API-Key: " + self.stack.key, "Content-Type: application/json"]
            with self.subTest(path=path):
                # by what is announced, at once; by what comes, when it has come
                for length in ("100000000", "9" * 17):
                    self.assertEqual(status_of(self.doors[process][0].tell(
                        head(verb, path, *lines, f"Content-Length: {length}"))), 413)
                chunks = [b"10000\r\n" + b" " * 65536 + b"\r\n"] * 70
                self.assertEqual(status_of(self.doors[process][0].tell(
                    head(verb, path, *lines, "Transfer-Encoding: chunked"), *chunks)), 413)
        c = wire.H2(self.doors[ACCOUNT][0])
        with c.s:
            c.send(wire.HEADERS, wire.END_HEADERS, 1, wire.header_block(
                [(":method", "POST"), (":scheme", "http"), (":path", "/api/v1/accounts"),
                 (":authority", "x"), ("x-api-key", self.stack.key),
                 ("content-type", "application/json"), ("content-length", "3000000")]))
            text = c.until(lambda kind, flags, stream, _: kind == wire.DATA)[3]
            self.assertEqual(json.loads(text)["code"], "body_too_large")

    # --- what is no request ---

    def test_requests_that_are_none(self):
        hello = ssl.MemoryBIO()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(ssl.MemoryBIO(), hello,
                                                               server_hostname="x")
        self.assertRaises(ssl.SSLWantReadError, tls.do_handshake)
        ok = "X-API-Key: " + self.stack.key
        cases = [(hello.read(), 400, "TLS"), (b"\0" * 100, 400, "HTTP"), (b"\x80\x2e\x01\0\2", 400,
                                                                          "HTTP"),
                 (b"GET / HTTP/1.1\r\n\r\n", 400, "host"), (b"get\r\n\r\n", 400, "request line"),
                 (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400, ""), (head("GET", "ready"), 400,
                                                                   "URL"),
                 (head("FOO", "/ready"), 400, ""), (head("GET", "/ready", " folded: 1"), 400,
                                                    "name"),
                 (head("GET", "/ready", "a b: 1"), 400, "name"), (head("GET", "/ready", "a: \1"),
                                                                  400, "value"),
                 (head("GET", "/ready", "Host: y"), 400, "host"),
                 (head("POST", "/ready", "Content-Length: -1"), 400, "content-length"),
                 (head("POST", "/ready", "Content-Length: 1", "Content-Length: 2"), 400,
                  "content-length"),
                 (head("POST", "/ready", "Content-Length: 5", "Transfer-Encoding: chunked"), 400,
                  "content-length"),
                 (head("POST", "/ready", "Transfer-Encoding: gzip"), 400, "transfer-encoding"),
                 (head("GET", "/ready", "Expect: the unexpected"), 417, "100-continue"),
                 (head("GET", "/ready", "X: " + "y" * 40000), 431, "header"),
                 (head("GET", "/ready", *[f"X-{i}: y" for i in range(20000)]), 431, "header"),
                 (head("GET", "/ready", *["X: y"] * 5000), 431, "header"),
                 (head("GET", "/" + "x" * 100000), 431, "header"), (b"GET " * 100000, 431,
                                                                    "header"),
                 (head("GET", "/ws", "Upgrade: websocket", "Connection: upgrade"), 426, "version"),
                 (head("GET", "/ws", "Upgrade: websocket", "Connection: upgrade",
                       "Sec-WebSocket-Version: 13",
                       "Sec-WebSocket-Key: x"), 400, "handshake"), (head("GET", "/ws", ok), 426,
                                                                    "WebSocket"),
                 (b"SSH-2.0-OpenSSH_9.0\r\n\r\n", 400, ""), (b"\r\n\r\n\r\n" + b"\x16\3\1", 400,
                                                             "TLS"),
                 (wire.PREFACE[:10] + b"x" * 100 + b"\r\n\r\n", 400, "")]
        for door in self.all_doors:
            for text, status, word in cases:
                with self.subTest(port=door.port, text=text[:60]):
                    answer = door.tell(text)
                    self.assertEqual(status_of(answer), status, answer)
                    body = json.loads(answer.split(b"\r\n\r\n", 1)[1])
                    self.assertError(Answer(status, body, None), status, word)

    def test_pipelined_requests_are_answered_each_for_itself(self):
        key, there = "X-API-Key: " + self.stack.key, f"/api/v1/accounts/{self.id}"
        sent = [("/api/v1/accounts/x", key, 400), (there, key, 200), (there, "X-API-Key: x", 401),
                (there, key, 200),
                ("/nothing", key, 404), (there, "A: b", 401), ("/ready", "A: b", 200)] * 5
        ids = [uuid.uuid4().hex for _ in sent]
        answers = self.doors[ACCOUNT][0].connect()
        with answers:
            answers.sendall(b"".join(head("GET", path, line, "X-Request-Id: " + i)
                                     for (path, line, _), i in zip(sent, ids)))
            for (_, _, status), i in zip(sent, ids):
                got, headers, _ = wire.read_response(answers)
                self.assertEqual((got, headers["x-request-id"]), (status, i))
        # what a body hides is never a request
        hidden = head("GET", "/ready")
        text = self.doors[ACCOUNT][0].tell(head("POST", "/api/v1/accounts", key,
                                                "Content-Type: application/json",
                                                f"Content-Length: {len(hidden)}") + hidden)
        self.assertEqual((text.count(b"HTTP/1.1 "), status_of(text)), (1, 400))

    def proof(self, process, method):
        """Metadata that admits to a method."""
        if process != ROUTER and not method.endswith("ListInvitations"):
            return {"x_api_key": self.stack.key}
        is_coordinators = re.search("Publish|Watch", method)
        return {"authorization": "Bearer " + (
            self.service_token() if is_coordinators else self.party_token())}

    def test_attack_text_that_is_none_in_every_field_of_every_method(self):
        """No database takes it; one that is asked to would fail the service."""
        for process, name in FILES.items():
            for method, request in SERVICES[name]:
                for text, number in TEXTS[request].items():
                    for value, word in ((b"\xff", "is not valid UTF-8"),
                                        (b"caf\xc3", "is not valid UTF-8"),
                                        (b"a\0b", "must not hold a zero byte")):
                        with self.subTest(method=method, field=text, value=value):
                            got = self.web(process, method, wire.message(field(number, value)),
                                           **self.proof(process, method))
                            self.assertEqual(got, (3, f"{text} {word}"))

    def test_grpc_frames_that_are_none(self):
        key = {"x_api_key": self.stack.key}
        for process, name in FILES.items():
            for method, _ in SERVICES[name]:
                mine = self.proof(process, method)
                for body, status, word in (
                        (b"", 3, "whole"), (b"\0", 3, "whole"), (b"\0\0\0\0\5abc", 3, "whole"),
                        (wire.message(b"") * 2, 3, "whole"), (b"\1" + wire.message(b"x")[1:], 12,
                                                              "compressed"),
                        (b"\0\xff\xff\xff\xff", 8, "longer"), (b"\x40\0\0\0\0", 3, "flags"),
                        (wire.message(b"\xff" * 30), 3, "valid"), (wire.message(field(1,
                                                                                      1 << 70)[:9]),
                                                                                      3, "valid"),
                        (wire.message(b"\x0a\xff\xff\xff\xff\x0f"), 3, "valid")):
                    with self.subTest(method=method, body=body[:20]):
                        got = self.web(process, method, body, **mine)
                        self.assertEqual(got[0], status, got)
                        self.assertIn(word, got[1])
        unknown = self.web(ACCOUNT, "mpc.account.v1.AccountService/Nothing", b"")
        self.assertEqual(unknown[0], 12)
        self.assertEqual(self.web(ACCOUNT, "mpc.account.v1.AccountService/ListAccounts",
                                  wire.message(b""),
                                  grpc_timeout="soon", **key)[0], 3)

    def test_grpc_over_http2(self):
        path = "/mpc.account.v1.AccountService/CreateAccount"
        for name, (_, door) in self.doors.items():
            c = wire.H2(door)
            with c.s:
                bad = [wire.message(b"\xff" * 9), b"\1\0\0\0\1x", b"\0\xff\xff\xff\xff", b"\0\0",
                       b""]
                for i, body in enumerate(bad):
                    fields = wire.grpc_fields(path, ("x-api-key", self.stack.key))
                    c.send(wire.HEADERS, wire.END_HEADERS, 2 * i + 1, wire.header_block(fields))
                    c.send(wire.DATA, wire.END_STREAM, 2 * i + 1, body)
                    c.until(lambda kind, flags, stream, _, i=i: stream == 2 * i + 1 and
                            flags & wire.END_STREAM and kind == wire.HEADERS)
        p = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-D", "-", "-o", "/dev/null",
                            "-H",
                            "Content-Type: application/grpc", "-H", "TE: trailers", "-H",
                            "grpc-encoding: gzip",
                            "-H", "x-api-key: " + self.stack.key, "--data-binary", "@-",
                            f"http://127.0.0.1:{self.doors[ACCOUNT][1].port}{path}"],
                           input=b"\1\0\0\0\1x", capture_output=True, timeout=LIMIT, check=True)
        self.assertRegex(p.stdout.decode(), r"grpc-status: 12\r\n")

    def test_http2_connections_that_break_the_rules(self):
        f, block = wire.frame, wire.header_block([("x", "y" * 1000)])
        bad = [f(wire.DATA, 1, 1, b"x"), f(wire.HEADERS, 4, 2, block), f(wire.HEADERS, 4, 0, block),
               f(wire.WINDOW, 0, 0, struct.pack(">I", 0)), f(wire.SETTINGS, 0, 0, b"x" * 5),
               f(wire.PING, 0, 0, b"x"), f(wire.CONTINUATION, 4, 1, block), f(wire.HEADERS, 4, 1,
                                                                              b"\xff" * 50),
               f(wire.WINDOW, 0, 0, struct.pack(">I", 0x7fffffff)) * 2,
               b"\xff\xff\xff" + b"\0" * 6 + b"x" * 20000,
               f(wire.HEADERS, 0, 1, block) + f(wire.CONTINUATION, 0, 1, block) * 2000,
               b"".join(f(wire.HEADERS, 5, i, wire.header_block(wire.grpc_fields("/x"))) + f(
                   wire.RST, 0, i, b"\0\0\0\x08") for i in range(1, 4000, 2)),
               f(wire.HEADERS, 4, 3, block) + f(wire.HEADERS, 4, 1, block), os.urandom(5000)]
        for door in self.all_doors:
            for text in bad:
                with self.subTest(port=door.port, text=text[:20]):
                    # it ends: with a last word or without
                    door.tell(wire.PREFACE + f(wire.SETTINGS, 0, 0), text)

    def test_sockets_that_break_the_rules(self):
        frames = [wire.ws_frame(wire.TEXT, "{", mask=None), wire.ws_frame(wire.TEXT, b"\xff"),
                  wire.ws_frame(wire.TEXT, "{"), wire.ws_frame(wire.TEXT, "[]"),
                  wire.ws_frame(wire.BINARY, b"x"),
                  wire.ws_frame(3, b""), wire.ws_frame(wire.WS_PING, b"x" * 126),
                  wire.ws_frame(wire.TEXT, "", rsv=4),
                  b"\x81\xff" + b"\xff" * 12, b"\x81\xff" + struct.pack(">QI", 1 << 40, 0) + b"x",
                  wire.ws_frame(0, b"x"),
                  *[wire.ws_frame(wire.TEXT, text) for text in (
                      "{}", '{"id":-1}', '{"id":1}', '{"id":"1","method":"x"}',
                      '{"id":1e300,"method":"x"}',
                      '{"id":1,"method":7}', '{"id":1,"method":"x","metadata":[]}',
                      '{"id":1,"method":"x","y":1}',
                      '{"id":1,"id":2,"method":"x"}', "{" * 50000)]]
        for name in self.doors:
            for text in frames:
                s = wire.Socket(self.doors[name][0])
                with s.s, self.subTest(process=name, text=text[:40]):
                    s.s.sendall(text)
                    opcode, why = s.frame()
                    self.assertEqual(opcode, wire.CLOSE)
                    self.assertIn(why[:2], (b"", *(struct.pack(">H", code) for code in (
                        1002, 1003, 1007, 1008, 1009))))
                    self.assertIsNone(s.frame())
        s = wire.Socket(self.doors[ACCOUNT][0])
        with s.s:
            lists = "mpc.account.v1.AccountService/ListAccounts"
            for i, (method, metadata, request, code) in enumerate([
                    ("nothing", {}, {}, "unknown_method"), (lists, {}, {}, "unauthorized"),
                    (lists, {"x-api-key": "x"}, {}, "unauthorized"), (lists, {"x-api-key": 7}, {},
                                                                      "bad_metadata"),
                    (lists, {"x-forwarded-for": "127.0.0.1"}, {}, "unauthorized"),
                    (lists, {"x-api-key": self.stack.key}, {"usr": 1}, "unknown_field"),
                    (lists, {"x-api-key": self.stack.key}, {"limit": "x"}, "invalid_field"),
                    (lists, {"x-api-key": self.stack.key}, [], None)]):
                s.send({"id": i, "method": method, "metadata": metadata, "request": request})
                error = s.receive()
                self.assertEqual(error["id"], i)
                self.assertError(Answer(0, error["error"], None), 0)
                self.assertIn(code, (None, error["error"]["code"]))
            s.send({"id": 99, "method": lists, "metadata": {"x-api-key": self.stack.key},
                    "request": {}})
            self.assertIn("response", s.receive())

    # --- many, slow, at random ---

    def test_random_bytes_on_every_port(self):
        rng = random.Random(3)
        starts = [b"", b"", b"GET /", b"POST /api/v1/accounts HTTP/1.1\r\nHost: x\r\n",
                  wire.PREFACE, b"\x16\3\1\2\0\1",
                  (wire.UPGRADE + "\r\n").encode(), wire.PREFACE + wire.frame(wire.SETTINGS, 0, 0)]
        for i in range(RANDOM_CONNECTIONS):
            door = self.all_doors[i % len(self.all_doors)]
            try:
                with door.connect() as s:
                    s.sendall(rng.choice(starts) + rng.randbytes(rng.randrange(1, 400)))
                    if i % 50 == 0:
                        s.shutdown(socket.SHUT_WR)
                        wire.read_all(s)
            except ConnectionError:
                pass  # closed while we spoke

    def test_more_connections_than_a_process_takes(self):
        held = []
        try:
            for _ in range(4300):
                held.append(self.doors[ACCOUNT][0].connect())
            self.assertEqual(self.stack.sign(self.id).status, 200)
        finally:
            for s in held:
                s.close()
        self.expect_sessions()

    def test_half_open_and_slow_connections(self):
        key = "X-API-Key: " + self.stack.key
        halves = [b"", b"GET", b"GET /ready HTTP/1.1\r\nHost: x\r\nX-Slow: ", wire.PREFACE[:9],
                  head("POST", "/api/v1/accounts", key, "Content-Type: application/json",
                       "Content-Length: 50")
                  + b'{"user_id":', head("POST", "/api/v1/accounts", key,
                                         "Content-Type: application/json",
                                         "Transfer-Encoding: chunked") + b"5\r\n{",
                  wire.PREFACE + wire.frame(wire.SETTINGS, 0, 0) + wire.frame(
                      wire.HEADERS, 0, 1, wire.header_block(wire.grpc_fields("/x")))]
        held, slow = [], []
        for i in range(203):
            s = self.all_doors[i % len(self.all_doors)].connect()
            half = halves[i // len(self.all_doors) % len(halves)]
            s.sendall(half)
            which = slow if half.endswith(b"Slow: ") else held
            which.append(s)
        self.assertEqual(self.stack.sign(self.id).status, 200)
        # a byte now and then keeps nothing open
        open_ones = list(slow)
        while open_ones:
            time_up = threading.Event()
            time_up.wait(0.2)  # the pace of a slow client
            for s in list(open_ones):
                try:
                    s.sendall(b"x")
                    s.setblocking(False)
                    if not s.recv(4096):
                        raise ConnectionResetError
                except BlockingIOError:
                    pass
                except OSError:
                    open_ones.remove(s)
                else:
                    open_ones.remove(s)  # answered
                s.settimeout(LIMIT)
        for s in held:
            wire.read_all(s)  # the server ends each
        for s in held + slow:
            s.close()
        self.expect_sessions()


if __name__ == "__main__":
    unittest.main()
