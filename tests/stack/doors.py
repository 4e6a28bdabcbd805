# SPDX-License-Identifier: Apache-2.0
"""The doors of one running system, and what callers say there: for the tests of bad input. Each
test is followed by the question whether anything has changed: every process is the one it was, all
are ready, no account and no session was made, and a signature succeeds.

Callers come from addresses of their own (127.1.0.0/16), so that the count of failed tries of one
test is not another's."""
import base64
import ctypes
import hmac
import http.client
import itertools
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time
import uuid

import openapi
from support import (LIMIT, SOURCE, Answer, Stack, TestCase, change_env, patient,
                     signature_is_valid, until)

sys.path.append(os.path.join(SOURCE, "tests", "system", "rpc"))
import wire  # noqa: E402
from sealed import library  # noqa: E402: tests/interop, by way of support

ACCOUNT, COORDINATOR, ROUTER, SHARES = ("account-service", "session-coordinator", "message-router",
                                        "server-party-api")
APIS = (ACCOUNT, COORDINATOR, ROUTER, SHARES)
PROXY = "127.9.0.1"  # of TRUSTED_PROXIES
STRANGER = "127.8.0.1"  # not of ALLOWED_IPS
OTHER_ID = "11111111-1111-4111-8111-111111111111"  # of nothing

# Every JSON route: process, verb, path, method.
ROUTES = [(process, *row.split()) for process, rows in {
    ACCOUNT: """POST /api/v1/accounts CreateAccount
                GET /api/v1/accounts ListAccounts
                GET /api/v1/accounts/{account_id} GetAccount
                POST /api/v1/accounts/{account_id}/sign Sign
                GET /api/v1/accounts/{account_id}/certificate GetCertificate
                GET /api/v1/accounts/{account_id}/signing-parties GetSigningParties
                PUT /api/v1/accounts/{account_id}/signing-parties SetSigningParties
                DELETE /api/v1/accounts/{account_id}/signing-parties DeleteSigningParties
                POST /api/v1/mpc/keygen Keygen
                POST /api/v1/mpc/sign SignSession
                GET /api/v1/mpc/sessions/{session_id} GetSession
                GET /api/v1/mpc/sessions/{session_id}/events ListSessionEvents
                POST /api/v1/mpc/sessions/{session_id}/cancel CancelSession
                GET /api/v1/parties ListParties
                POST /api/v1/orders SubmitOrder
                GET /api/v1/freezes ListFreezes""",
    COORDINATOR: """POST /api/v1/sessions CreateSession
                GET /api/v1/sessions ListSessions
                GET /api/v1/sessions/{session_id} GetSessionStatus
                POST /api/v1/sessions/{session_id}/join JoinSession
                POST /api/v1/sessions/{session_id}/ready MarkPartyReady
                POST /api/v1/sessions/{session_id}/complete ReportCompletion
                POST /api/v1/sessions/{session_id}/cancel CancelSession
                GET /api/v1/sessions/{session_id}/events ListSessionEvents""",
    ROUTER: """POST /api/v1/messages RouteMessage
                GET /api/v1/messages/pending PendingMessages
                GET /api/v1/parties GetRegisteredParties""",
    SHARES: """POST /api/v1/shares/generate GenerateShare
                POST /api/v1/shares/confirm ConfirmShare
                POST /api/v1/shares/sign SignWithShare
                GET /api/v1/shares/key GetShareKey""",
}.items() for row in rows.splitlines()]
# The token is in the message; a party's token is in the head; registration proves itself.
OPEN = {"JoinSession", "MarkPartyReady", "ReportCompletion", "SubmitDelegateShare", "RegisterParty"}
PARTY_ONLY = {"RouteMessage", "PendingMessages"}
FILES = {ACCOUNT: "account", COORDINATOR: "coordinator", ROUTER: "router", SHARES: "party_api"}

WRONG = {"string": [7, 1.5, True, [], {}], "bytes": [7, True, {}, [], "!!"],
         "uint32": ["x", -1, 1 << 32, 1.5, True, [], {}], "int64": ["x", 1.5, True, [], {}],
         "bool": ["x", 1, [], {}], "repeated": [7, "x", {}, True], "message": [7, "x", [], True],
         "map": [7, "x", []]}


TEXTS = {}  # of each message: the numbers of its strings


def read_protos(directory):
    """({service: [(method, request)]}, {message: {field: kind}}) of the .proto files, as they are
    written."""
    services, messages = {}, {}
    TEXTS.clear()
    for name in FILES.values():
        with open(os.path.join(directory, name + ".proto"), encoding="utf-8") as f:
            text = re.sub("//.*", "", f.read())
        package = re.search(r"package ([\w.]+);", text)[1]
        service, body = re.search(r"service (\w+) \{(.*?)\n\}", text, re.S).groups()
        services[name] = [(f"{package}.{service}/{m}", package + "." + request) for m, request in
                          re.findall(r"rpc (\w+)\((\w+)\)", body)]
        for message, fields in re.findall(r"^message (\w+) \{(.*?)^\}", text.replace("{}", "{\n}"),
                                          re.S | re.M):
            TEXTS[f"{package}.{message}"] = {name: int(n) for name, n in re.findall(
                r"string (\w+) = (\d+);", fields)}
            found = re.findall(r"(repeated )?([\w.]+|map<.*?>) (\w+) = \d+;", fields)
            messages[f"{package}.{message}"] = {
                field: "repeated" if many else "map" if kind.startswith("map") else
                kind if kind in WRONG else "message" for many, kind, field in found}
    return services, messages


SERVICES, MESSAGES = read_protos(os.path.join(SOURCE, "proto"))
REQUESTS = {method.split("/")[1] + "@" + name: request for name, methods in SERVICES.items()
            for method, request in methods}


def b64url(b):
    return base64.urlsafe_b64encode(b).rstrip(b"=").decode()


def jwt(secret, header='{"alg":"HS256","typ":"JWT"}', digest="sha256", **claims):
    text = b64url(header.encode()) + "." + b64url(json.dumps(claims).encode())
    return text + "." + b64url(hmac.new(secret.encode(), text.encode(), digest).digest())


def field(number, value):
    """One field of a protocol buffer: text, bytes or a number."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    b = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(b)) + b


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


class Key:
    """An Ed25519 key of libsodium."""

    def __init__(self, seed=None):
        self.sodium, self.buffer = library(), ctypes.create_string_buffer
        public, self.secret = self.buffer(32), self.buffer(64)
        self.sodium.crypto_sign_seed_keypair(public, self.secret, seed or os.urandom(32))
        self.public, self.long = public.raw, ctypes.c_ulonglong

    def sign(self, message):
        out = self.buffer(64)
        self.sodium.crypto_sign_detached(out, None, message, self.long(len(message)), self.secret)
        return out.raw


def authority(stack):
    """The key that certifies the parties of a stack."""
    with open(os.path.join(stack.dir, "keys", "ca.key"), encoding="ascii") as f:
        return Key(bytes.fromhex(f.read().strip()))


def certify(ca, party, key, role="temporary"):
    body = field(1, party) + field(2, key) + field(3, role)
    signature = ca.sign(b"quorate/party-certificate/1\0" + body)
    return {"body": base64.b64encode(body).decode(),
            "signature": base64.b64encode(signature).decode()}


def registration(key, certificate, party="party-88", role="temporary", off=0, **changes):
    """A request of RegisterParty as the party itself makes it, then changed."""
    now, boot, nonce = int(time.time() * 1000) + off, os.urandom(16), os.urandom(16)
    proof = key.sign(b"quorate/register/1\0" + party.encode() + b"\0" + role.encode() + b"\0" +
                     boot + struct.pack(">Q", now) + nonce)
    return {"party_id": party, "role": role, "capacity": 1, "version": "1",
            "certificate": certificate, "time_ms": now,
            **{k: base64.b64encode(v).decode() for k, v in
               (("boot_id", boot), ("nonce", nonce), ("proof", proof))}, **changes}


class Door:
    """A port, as tests/system/rpc/wire.py knows one: each connection from a fresh address."""
    fresh = (f"127.1.{i // 250}.{i % 250 + 1}" for i in itertools.count())

    def __init__(self, port, source=None):
        self.port, self.source = port, source

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT,
                                     source_address=(self.source or next(self.fresh), 0))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def tell(self, *chunks):
        """All that is answered up to the end of the connection, which we end first."""
        with self.connect() as s:
            try:
                for chunk in chunks:
                    s.sendall(chunk)
                s.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has closed already
            try:
                return wire.read_all(s)
            except OSError:
                return b""


def head(verb, path, *lines):
    return "\r\n".join([f"{verb} {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


def status_of(answer):
    """Of the first answer; None if there is none."""
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.") else None


class Doors(TestCase):
    @classmethod
    def setUpClass(cls):
        def edit(directory):
            for name in APIS:
                change_env(directory, name, ALLOWED_IPS=f"127.0.0.1,::1,127.1.0.0/16,{PROXY}",
                           TRUSTED_PROXIES=PROXY)
            patient(directory)  # a session whose party was stopped stays as it is, too
        cls.stack = Stack(edit)
        cls.id = cls.stack.create()["account_id"]
        cls.session = cls.stack.sign(cls.id).body["session_id"]
        names = [*APIS, *cls.stack.parties()]
        cls.doors = {name: (Door(int(cls.stack.env(name)["HTTP_PORT"])),
                            Door(int(cls.stack.env(name)["GRPC_PORT"]))) for name in names}
        cls.all_doors = [door for pair in cls.doors.values() for door in pair]
        cls.secret = cls.stack.env(COORDINATOR)["JWT_SECRET_KEY"]

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def setUp(self):
        self.before = self.world()

    def tearDown(self):
        self.assertEqual(self.world(), self.before)
        for name, (door, _) in self.doors.items():
            until(lambda name=name: self.ask(name, "GET", "/ready", key=None).status == 200)
        answer = self.stack.sign(self.id)
        self.assertEqual(answer.status, 200, answer)
        self.assertTrue(signature_is_valid(answer.body))

    def world(self):
        """All processes, all accounts, all sessions."""
        accounts = self.stack.rows(ACCOUNT, "account.db", "SELECT account_id, status FROM accounts")
        return self.stack.processes(), sorted(accounts), sorted(self.stack.sessions())

    def expect_sessions(self):
        """The test has made sessions, and nothing else."""
        self.before = (*self.before[:2], self.world()[2])

    def ask(self, process, verb, path, body=None, key=True, headers=None, source=None):
        """One request; |key| True is the right one, None is none."""
        c = http.client.HTTPConnection("127.0.0.1", self.doors[process][0].port, timeout=LIMIT,
                                       source_address=(source or next(Door.fresh), 0))
        h = dict(headers or {})
        if key is not None:
            h["X-API-Key"] = self.stack.key if key is True else key
        if body is not None:
            h.setdefault("Content-Type", "application/json")
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            c.request(verb, path, body, h)
            r = c.getresponse()
            text = r.read()
        finally:
            c.close()
        answer = Answer(r.status, json.loads(text) if text else None, r.headers)
        openapi.check(verb, path, answer.status, answer.body)
        return answer

    def h2(self, process, verb, path, body=None, *more):
        """The same by curl over HTTP/2: (status, object or text)."""
        words = ["curl", "-sS", "--http2-prior-knowledge", "-m", str(LIMIT), "--interface",
                 next(Door.fresh), "-X", verb, "-w", "\n%{http_code}", *more]
        if body is not None:
            words += ["-H", "Content-Type: application/json", "--data-binary", "@-"]
        url = f"http://127.0.0.1:{self.doors[process][0].port}{path}"
        p = subprocess.run([*words, url], input=body or b"", capture_output=True, timeout=LIMIT,
                           check=False)
        self.assertEqual(p.returncode, 0, p.stderr)
        text, status = p.stdout.decode().rsplit("\n", 1)
        openapi.check(verb, path, int(status), json.loads(text))
        return Answer(int(status), json.loads(text), None)

    def web(self, process, method, body, **headers):
        """A gRPC-Web call: (grpc-status, sentence)."""
        c = http.client.HTTPConnection("127.0.0.1", self.doors[process][1].port, timeout=LIMIT,
                                       source_address=(next(Door.fresh), 0))
        c.request("POST", "/" + method, body,
                  {"Content-Type": "application/grpc-web+proto",
                   **{k.replace("_", "-"): v for k, v in headers.items()}})
        r = c.getresponse()
        text = r.read()
        c.close()
        while text and text[0] != 0x80:
            text = text[5 + int.from_bytes(text[1:5], "big"):]
        trailers = dict(line.split(":", 1) for line in text[5:].decode().split("\r\n") if line)
        trailers = {**r.headers, **{k.lower(): v.strip() for k, v in trailers.items()}}
        return int(trailers["grpc-status"]), trailers.get("grpc-message", "")

    def socket_call(self, process, method, request, **metadata):
        """One call in a WebSocket of its own: the envelope of the answer."""
        s = wire.Socket(self.doors[process][0])
        with s.s:
            self.assertEqual(s.status, 101)
            s.send({"id": 1, "method": method, "metadata": metadata, "request": request})
            return s.receive()

    def assertUnauthorized(self, answer, code="unauthorized"):
        self.assertError(answer, 401)
        self.assertEqual((answer.body["error"], answer.body["code"]), ("unauthorized", code))

    def party_token(self, party="party-1", secret=None, now=None, **claims):
        now = int(time.time()) if now is None else now
        return jwt(self.secret if secret is None else secret, **{"typ": "party", "sub": party,
                                                                 "role": "persistent",
                                             "jti": uuid.uuid4().hex, "iat": now,
                                             "exp": now + 600, **claims})

    def service_token(self, **claims):
        now = int(time.time())
        return jwt(self.secret, **{"typ": "service", "sub": "session-coordinator",
                                   "jti": uuid.uuid4().hex,
                                   "iat": now, "exp": now + 600, **claims})
