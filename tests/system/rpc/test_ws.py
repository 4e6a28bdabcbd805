# SPDX-License-Identifier: Apache-2.0
"""The WebSocket from outside: envelopes, many calls at a time, and frames that no browser sends."""
import json
import random
import struct
import unittest

import wire
from wire import BINARY, CLOSE, PONG, TEXT, UPGRADE, WS_PING, Socket, ws_frame

SAY, COUNT = "test.echo.Echo/Say", "test.echo.Echo/Count"
TRACE = "00112233445566778899aabbccddeeff"


class WebSocket(wire.ServerCase):
    options = {"streams": 20, "body": 50000, "bytes": 1000000}

    def test_handshake(self):
        ws = Socket(self.server)
        self.assertEqual(ws.status, 101)
        # The example of RFC 6455, 1.3.
        self.assertEqual(ws.headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")

    def test_bad_handshakes(self):
        good = UPGRADE + "\r\n"
        cases = {
            "no key": (good.replace("Sec-WebSocket-Key", "X-Key"), 400),
            "short key": (good.replace(wire.KEY, "YWJj"), 400),
            "key of other length": (good.replace(wire.KEY, wire.KEY[4:]), 400),
            "version 8": (good.replace("Version: 13", "Version: 8"), 426),
            "no version": (good.replace("Sec-WebSocket-Version", "X-Version"), 426),
            "no upgrade": (good.replace("Upgrade: websocket", "X: y"), 426),
            "no connection": (good.replace("Connection: Upgrade", "X: y"), 426),
            "POST": (good.replace("GET", "POST"), 400),
            "a body": (good.replace("\r\n\r\n", "\r\nContent-Length: 3\r\n\r\nabc"), 400),
            "elsewhere": (good.replace("/ws", "/wss"), 404),
        }
        for name, (text, status) in cases.items():
            with self.subTest(name):
                s = self.server.connect()
                s.sendall(text.encode())
                self.assertEqual(wire.read_response(s)[0], status)

    def test_unary_calls(self):
        ws = Socket(self.server)
        ws.send({"id": 1, "method": SAY, "metadata": {"x-request-id": TRACE},
                 "request": {"text": "hi", "tags": ["a"]}})
        answer = ws.receive()
        self.assertEqual(answer["id"], 1)
        self.assertEqual(answer["response"]["text"], "hi")
        self.assertEqual(answer["response"]["trace"], TRACE)
        ws.send({"id": 1, "method": SAY, "request": {"text": "fail"}})
        error = ws.receive()["error"]
        self.assertEqual(error["code"], "wrong_state")
        self.assertEqual(error["session_id"], "8a6f2f6c-9a53-4d8c-8f0c-0d8a6f2f6c9a")
        ws.send({"id": 2, "method": SAY})
        self.assertIn("response", ws.receive())

    def test_guard_sees_metadata_and_the_handshake(self):
        call = {"id": 7, "method": "test.echo.Echo/Secret", "request": {}}
        ws = Socket(self.server)
        ws.send(call)
        self.assertEqual(ws.receive()["error"]["error"], "unauthorized")
        ws.send({**call, "metadata": {"x-api-key": "right"}})
        self.assertEqual(ws.receive()["response"]["caller"], "tester")
        ws = Socket(self.server, "X-Api-Key: right\r\n")
        ws.send(call)
        self.assertEqual(ws.receive()["response"]["caller"], "tester")
        ws.send({**call, "metadata": {"x-api-key": "wrong"}})
        self.assertEqual(ws.receive()["error"]["code"], "unauthorized")
        # What a proxy writes is the handshake's.
        forged = {"x-api-key": "right", "x-forwarded-for": "10.0.0.1"}
        ws.send({**call, "metadata": forged})
        self.assertEqual(ws.receive()["response"]["caller"], "tester")
        ws = Socket(self.server, "X-Forwarded-For: 10.0.0.2\r\n")
        ws.send({**call, "metadata": forged})
        self.assertEqual(ws.receive()["response"]["caller"], "10.0.0.2")

    def test_streams_side_by_side(self):
        ws = Socket(self.server)
        for i in range(5):
            ws.send({"id": i, "method": COUNT, "request": {"count": 10}})
        seen, ends = {i: [] for i in range(5)}, 0
        while ends < 5:
            answer = ws.receive()
            if "end" in answer:
                self.assertEqual(seen[answer["id"]], list(range(1, 11)))
                ends += 1
            else:
                seen[answer["id"]].append(answer["response"]["count"])

    def test_cancel(self):
        before = self.server.stats()["cancelled"]
        ws = Socket(self.server)
        ws.send({"id": 3, "method": SAY, "request": {"text": "hold"}})
        self.server.wait_stats(lambda stats: stats["running"] == 1)
        ws.send({"id": 3, "cancel": True})
        self.assertEqual(ws.receive()["error"]["code"], "cancelled")
        self.assertEqual(self.server.stats()["cancelled"], before + 1)
        ws.send({"id": 3, "cancel": True})
        ws.send({"id": 3, "method": SAY, "request": {"text": "again"}})
        self.assertEqual(ws.receive()["response"]["text"], "again")

    def test_deadline(self):
        ws = Socket(self.server)
        ws.send({"id": 1, "method": SAY, "metadata": {"grpc-timeout": "50m"},
                 "request": {"text": "hold"}})
        self.assertEqual(ws.receive()["error"]["code"], "deadline_exceeded")

    def test_errors_of_calls(self):
        ws = Socket(self.server)
        cases = [({"method": "x.Y/Z"}, "unknown_method"),
                 ({"method": SAY, "request": {"texte": 1}}, "unknown_field"),
                 ({"method": SAY, "request": []}, "invalid_json"),
                 ({"method": SAY, "metadata": {"x-api-key": 1}}, "bad_metadata"),
                 ({"method": SAY, "metadata": {"grpc-timeout": "soon"}}, "bad_timeout"),
                 ({"method": "test.echo.Echo/SayShort", "request": {"text": "x" * 100}},
                  "body_too_large")]
        for i, (call, code) in enumerate(cases):
            ws.send({"id": i, **call})
            answer = ws.receive()
            self.assertEqual((answer["id"], answer["error"]["code"]), (i, code))

    def test_too_many_calls(self):
        ws = Socket(self.server)
        for i in range(25):
            ws.send({"id": i, "method": SAY, "request": {"text": "hold"}})
        for i in range(5):
            self.assertEqual(ws.receive()["error"]["code"], "too_many_calls")
        ws.s.close()
        self.server.wait_stats(lambda stats: stats["running"] == 0)

    def test_envelopes_that_end_the_connection(self):
        cases = {"no JSON": ("{", 1007), "a list": ("[]", 1007), "no id": ('{"method":"x"}', 1008),
                 "id of text": ('{"id":"1","method":"x"}', 1008),
                 "negative id": ('{"id":-1,"method":"x"}', 1008),
                 "no method": ('{"id":1}', 1008), "more": ('{"id":1,"method":"x","y":1}', 1008),
                 "metadata of text": ('{"id":1,"method":"x","metadata":"y"}', 1008),
                 "two ids": ('{"id":1,"id":2,"method":"x"}', 1007),
                 "deep": ("[" * 20000, 1007)}
        for name, (text, code) in cases.items():
            with self.subTest(name):
                ws = Socket(self.server)
                ws.s.sendall(ws_frame(TEXT, text))
                self.assertEqual(ws.close_code(), code)
        ws = Socket(self.server)
        ws.send({"id": 1, "method": SAY, "request": {"text": "hold"}})
        ws.send({"id": 1, "method": SAY, "request": {"text": "x"}})
        self.assertEqual(ws.close_code(), 1008)
        self.server.wait_stats(lambda stats: stats["running"] == 0)

    def test_frames_that_end_the_connection(self):
        cases = {
            "binary": (ws_frame(BINARY, b"{}"), 1003),
            "no mask": (ws_frame(TEXT, b"{}", mask=b""), 1002),
            "reserved bit": (ws_frame(TEXT, b"{}", rsv=4), 1002),
            "unknown opcode": (ws_frame(3, b"{}"), 1002),
            "long ping": (ws_frame(WS_PING, b"x" * 126), None),
            "ping in parts": (ws_frame(WS_PING, b"x", fin=False), None),
            "continuation of nothing": (ws_frame(0, b"x"), 1002),
            "text inside text": (ws_frame(TEXT, b"x", fin=False) + ws_frame(TEXT, b"x"), 1002),
            "not UTF-8": (ws_frame(TEXT, b"\xff\xfe"), 1007),
            "too long": (ws_frame(TEXT, b" " * 50001), 1009),
            "too long in parts": (ws_frame(TEXT, b" " * 30000, fin=False)
                                  + ws_frame(0, b" " * 30000), 1009),
            "huge": (b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\1\2\3\4x", 1009),
            "announced": (b"\x81\xff" + struct.pack(">QI", 1 << 40, 1), 1009),
            "announced without a mask": (b"\x81\xff" + struct.pack(">Q", 1 << 40), 1009),
            "announced in two bytes": (b"\x81\xfe\xff\xff", 1009),
            "announced behind others": (ws_frame(PONG, b"x") + ws_frame(PONG, b"")
                                        + b"\x81\xff" + struct.pack(">Q", 70000), 1009),
            "close": (ws_frame(CLOSE, struct.pack(">H", 1000)), 1000),
            "close without a code": (ws_frame(CLOSE), None),
        }
        for name, (text, code) in cases.items():
            with self.subTest(name):
                ws = Socket(self.server)
                ws.s.sendall(text)
                got = ws.frame()
                self.assertEqual(got[0], CLOSE)
                self.assertEqual(struct.unpack(">H", got[1][:2])[0] if got[1] else None, code)
                self.assertIsNone(ws.frame())

    def test_an_announcement_that_comes_byte_by_byte(self):
        ws = Socket(self.server)
        ws.s.sendall(ws_frame(TEXT, json.dumps({"id": 1, "method": SAY, "request": {"text": "x"}})))
        self.assertEqual(ws.frame()[0], TEXT)
        for byte in b"\x81\xff" + struct.pack(">Q", 1 << 40):
            ws.s.sendall(bytes([byte]))
        self.assertEqual(ws.close_code(), 1009)

    def test_fragments_with_a_ping_between(self):
        ws = Socket(self.server)
        text = json.dumps({"id": 1, "method": SAY, "request": {"text": "joined"}})
        for i in range(0, len(text), 7):
            ws.s.sendall(ws_frame(TEXT if i == 0 else 0, text[i:i + 7], fin=i + 7 >= len(text)))
            ws.s.sendall(ws_frame(WS_PING, b"p"))
        pongs = 0
        while True:
            opcode, payload = ws.frame()
            if opcode == TEXT:
                break
            self.assertEqual((opcode, payload), (PONG, b"p"))
            pongs += 1
        self.assertEqual(json.loads(payload)["response"]["text"], "joined")
        self.assertGreater(pongs, 0)

    def test_frames_behind_the_handshake(self):
        s = self.server.connect()
        s.sendall((UPGRADE + "\r\n").encode()
                  + ws_frame(TEXT, json.dumps({"id": 1, "method": SAY, "request": {"text": "at once"}})))
        self.assertEqual(wire.read_response(s)[0], 101)
        head = wire.read_exact(s, 2)
        size = head[1] if head[1] < 126 else struct.unpack(">H", wire.read_exact(s, 2))[0]
        self.assertIn(b"at once", wire.read_exact(s, size))

    def test_slow_reader_of_a_stream(self):
        ws = Socket(self.server)
        before = self.server.stats()
        ws.send({"id": 1, "method": COUNT, "request": {"size": 10000}})
        stats = self.server.wait_stats(lambda stats: stats["running"] == 1)
        for _ in range(300):
            answer = ws.receive()
            self.assertEqual(answer["id"], 1)
        stats = self.server.stats()
        self.assertGreater(stats["drains"], before["drains"])
        ws.s.close()
        self.server.wait_stats(lambda stats: stats["running"] == 0)

    def test_ping_flood_without_reading(self):
        ws = Socket(self.server)
        ws.s.settimeout(1)
        try:
            for _ in range(20000):
                ws.s.sendall(ws_frame(WS_PING, b"x" * 100) * 20)
        except (TimeoutError, OSError):
            pass
        ws.s.close()

    def test_random_frames(self):
        rng = random.Random(42)
        for _ in range(300):
            ws = Socket(self.server)
            text = b""
            for _ in range(rng.randrange(1, 6)):
                body = rng.choice([b"", b"{}", b"[", bytes(rng.randrange(256) for _ in range(20)),
                                   json.dumps({"id": rng.randrange(3), "method": rng.choice([SAY, COUNT]),
                                               "request": {"text": rng.choice(["hold", "later", "x"])}
                                               }).encode()])
                text += ws_frame(rng.choice([0, 1, 1, 1, 2, 8, 9, 10, 3]), body,
                                 fin=rng.randrange(5) > 0, rsv=rng.randrange(20) // 19)
            ws.s.sendall(text[:rng.randrange(1, len(text) + 1)])
            ws.s.close()
        self.server.wait_stats(lambda stats: stats["running"] == 0)


class Farewell(unittest.TestCase):
    def test_stop_closes_with_going_away(self):
        server = wire.Server()
        busy, idle = Socket(server), Socket(server)
        busy.send({"id": 1, "method": SAY, "request": {"text": "hold"}})
        server.wait_stats(lambda stats: stats["running"] == 1)
        server.terminate()
        self.assertEqual(idle.close_code(), 1001)
        busy.send({"id": 2, "method": SAY, "request": {"text": "x"}})
        self.assertEqual(busy.receive()["error"]["code"], "stopping")
        busy.send({"id": 1, "cancel": True})
        self.assertEqual(busy.receive()["error"]["code"], "cancelled")
        self.assertEqual(busy.close_code(), 1001)
        self.assertEqual(server.stop()[0], 0)


if __name__ == "__main__":
    unittest.main()
