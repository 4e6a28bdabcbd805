# SPDX-License-Identifier: Apache-2.0
"""A whole system for the tests of every call, and a description of it for programs in other
languages: addresses, keys, and what the .proto files say."""
import base64
import hashlib
import hmac
import importlib.util
import json
import os
import re
import subprocess
import sys
import time
import unittest
import uuid

from npm import MODULES  # noqa: F401: for the tests that import this
from sealed import key_pair

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
PROTO = os.path.join(SOURCE, "proto")
LIMIT = 900
# proto file, service, where it runs
SERVICES = {
    "coordinator": ("coordinator", "mpc.coordinator.v1.SessionCoordinator", "session-coordinator"),
    "router": ("router", "mpc.router.v1.MessageRouter", "message-router"),
    "account": ("account", "mpc.account.v1.AccountService", "account-service"),
    "shares": ("party_api", "mpc.party_api.v1.ShareService", "server-party-api"),
    "health": ("health", "grpc.health.v1.Health", ""),
}
RPC = re.compile(r"rpc (\w+)\(([\w.]+)\) returns \((stream )?([\w.]+)\)")


def stack_support():
    """tests/stack/support.py, under a name of its own."""
    spec = importlib.util.spec_from_file_location(
        "stack_support", os.path.join(SOURCE, "tests", "stack", "support.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


STACK = stack_support()


def token(secret, **claims):
    """A token as the services make them (system/access/token.h)."""
    def text(b):
        return base64.urlsafe_b64encode(b).rstrip(b"=")
    claims |= {"jti": uuid.uuid4().hex, "iat": int(time.time()), "exp": int(time.time()) + 600}
    body = text(b'{"alg":"HS256","typ":"JWT"}') + b"." + text(json.dumps(claims).encode())
    return (body + b"." + text(hmac.digest(secret.encode(), body, hashlib.sha256))).decode()


def methods(name):
    package = SERVICES[name][1].rpartition(".")[0]
    with open(os.path.join(PROTO, SERVICES[name][0] + ".proto"), encoding="utf-8") as f:
        rows = RPC.findall(f.read())

    def full(word):
        return word if "." in word else f"{package}.{word}"
    return {method: {"request": full(request), "response": full(response),
                     "is_stream": bool(stream)} for method, request, stream, response in rows}


class System:
    """`quorate up`, so that no party that a test plays is ever late."""

    def __init__(self, **variables):
        def edit(directory):
            STACK.change_env(directory, "message-router", LEASE_MS=600000)
            STACK.change_env(directory, "session-coordinator", SIGN_ATTEMPT_MS=60000,
                             KEYGEN_ATTEMPT_MS=60000)
            for name in os.listdir(directory):
                if name.endswith(".env"):
                    STACK.change_env(directory, name[:-len(".env")], **variables)

        self.stack = STACK.Stack(edit=edit)
        self.user = [key.hex() for key in key_pair()]

    def seed(self, name):
        with open(os.path.join(self.stack.dir, "keys", name + ".key"), encoding="ascii") as f:
            return f.read().strip()

    def addresses(self, process):
        env = self.stack.env(process)
        return {"http": "127.0.0.1:" + env["HTTP_PORT"], "grpc": "127.0.0.1:" + env["GRPC_PORT"]}

    def description(self):
        processes = {place: service for _, service, place in SERVICES.values() if place}
        processes |= {name: "" for name in self.stack.parties()}
        secret = self.stack.env("message-router")["JWT_SECRET_KEY"]
        return {
            "api_key": self.stack.key,
            "ca_seed": self.seed("ca"),
            "operator_seed": self.seed("operator"),
            "tokens": {
                "coordinator": token(secret, typ="service", sub="session-coordinator"),
                "account": token(secret, typ="service", sub="account-service"),
                "ghost": token(secret, typ="party", sub="ghost", role="persistent"),
            },
            "processes": processes,
            "addresses": {process: self.addresses(process) for process in processes},
            "services": {name: {"name": SERVICES[name][1], "process": SERVICES[name][2],
                                "methods": methods(name)} for name in SERVICES},
            "proto_dir": PROTO,
            "protos": [row[0] + ".proto" for row in SERVICES.values()],
            "user": {"public_key": self.user[0], "secret_key": self.user[1],
                     "program": [sys.executable, os.path.join(HERE, "sealed.py")]},
        }

    def describe(self):
        """The description as a file, whose path is returned."""
        path = os.path.join(self.stack.dir, "description.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(self.description(), f)
        return path

    def close(self):
        self.stack.close()


class TestCase(unittest.TestCase):
    def system(self, **variables):
        system = System(**variables)
        self.addCleanup(system.close)
        return system

    def succeeds(self, *argv):
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                           check=False, timeout=LIMIT)
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr)
        return p.stdout
