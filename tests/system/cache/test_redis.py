#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Caches that share through a real Redis server: what they share, and that nothing of it is needed.

Nothing here measures time: a question that hangs would never be answered.

usage: test_redis.py DESK_PROGRAM SUPPORT_DIRECTORY
"""
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

DESK = sys.argv[1]
sys.path.append(sys.argv[2])
from redis import Server, program  # noqa: E402


def until(holds):
    """Until it does; the limit is one that only a hang reaches."""
    end = time.monotonic() + 300
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        select.select([], [], [], 0.005)  # between two looks


class Desk:
    """A process; it is patient with Redis unless |wait_ms| says otherwise (0: as services are)."""

    def __init__(self, port, *password, wait_ms=60000):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([DESK, str(port), str(wait_ms), *password], text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors)

    def send(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def read(self):
        return self.process.stdout.readline().strip()

    def ask(self, *words):
        self.send(*words)
        return self.read()

    def until(self, state):
        until(lambda: self.ask("state") == state)
        return self

    def settle(self):
        """Redis answers in order: what was asked before has been answered, and what that started."""
        for _ in range(2):
            self.ask("lookup", "nothing")

    def allow(self, n, key="k", rate=1, burst=50):
        return [self.ask("allow", key, rate, burst) for _ in range(n)].count("yes")

    def log(self):
        # the position in the file is the process's, too
        return os.pread(self.errors.fileno(), 1 << 20, 0).decode()

    def reasons(self):
        return re.findall(r'reason="?([^"\n]*)', self.log())

    def end(self):
        self.process.stdin.close()
        code = self.process.wait()
        self.process.stdout.close()
        return code


class Liar:
    """Says that it is Redis, and then |words|."""

    def __init__(self, words):
        self.words = words
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client:
                try:
                    client.recv(65536)
                    client.sendall(b"+PONG\r\n")
                    client.recv(65536)
                    client.sendall(self.words)
                    while client.recv(65536):
                        pass
                except OSError:
                    pass

    def close(self):
        self.listener.close()


class Case(unittest.TestCase):
    def desk(self, *args, state="up", **options):
        desk = Desk(*args, **options)
        self.addCleanup(desk.errors.close)
        self.addCleanup(lambda: self.assertEqual(desk.end(), 0, "a desk's end"))
        return desk.until(state)


@unittest.skipUnless(program(), "no Redis server is installed")
class Shared(Case):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.remove)

    def one(self, **options):
        return self.desk(self.server.port, self.server.password, **options)

    def test_a_budget_is_shared(self):
        a, b = self.one(), self.one()
        self.assertEqual(a.allow(30), 30)
        a.settle()
        first = b.allow(1)
        b.settle()
        self.assertEqual(first, 1)
        # one may have come back meanwhile
        self.assertIn(b.allow(60), (19, 20))
        b.settle()
        # a hears of it with the first that it lets pass: one too many, which is a debt
        first = a.allow(1)
        a.settle()
        self.assertEqual(first, 1)
        self.assertEqual(a.allow(60), 0)
        left = int(self.server.ask("HGET", "test:desk/l/k", "left"))
        self.assertLess(left, 0)
        self.assertGreaterEqual(left, -60000)
        self.assertGreater(self.server.ask("PTTL", "test:desk/l/k"), 0)

    def test_a_burst_at_both_is_a_debt(self):
        """Neither hears of the other in time: at most twice the burst, never more."""
        a, b = self.one(), self.one()
        for _ in range(100):
            a.send("allow", "k", 1, 50)
            b.send("allow", "k", 1, 50)
        for desk in (a, b):
            self.assertLessEqual([desk.read() for _ in range(100)].count("yes"), 50)
            desk.settle()
        for desk in (a, b):
            self.assertEqual(desk.allow(10), 0)
        # everybody that comes later pays for it
        c = self.one()
        self.assertLessEqual(c.allow(1), 1)
        c.settle()
        self.assertEqual(c.allow(10), 0)

    def test_a_claim_is_good_once_anywhere(self):
        a, b = self.one(), self.one()
        self.assertEqual(a.ask("claim", "n"), "first")
        self.assertEqual(b.ask("claim", "n"), "elsewhere")
        self.assertEqual(b.ask("claim", "n"), "again")
        self.assertEqual(a.ask("claim", "n"), "again")
        self.assertEqual(b.ask("claim", "m"), "first")
        self.assertGreater(self.server.ask("PTTL", "test:desk/v/n"), 0)
        # of many at once, one is first
        for i in range(50):
            a.send("claim", f"race{i}")
            b.send("claim", f"race{i}")
        won = list(zip([a.read() for _ in range(50)], [b.read() for _ in range(50)]))
        self.assertEqual([set(pair) for pair in won], [{"first", "elsewhere"}] * 50)

    def test_values_are_published(self):
        a, b = self.one(), self.one()
        self.assertEqual(a.ask("publish", "k", "hello"), "ok")
        a.settle()
        self.assertEqual(b.ask("own", "k"), "none")
        self.assertEqual(b.ask("lookup", "k"), "hello")
        self.assertEqual(b.ask("lookup", "other"), "none")

    def test_killed_and_started_again(self):
        a, b = self.one(), self.one()
        self.assertEqual(a.ask("claim", "before"), "first")
        self.assertEqual(a.allow(30), 30)
        a.settle()
        self.server.kill()
        a.until("away")
        b.until("away")
        # each by itself, with what it knows
        self.assertEqual(a.ask("claim", "before"), "again")
        self.assertEqual(a.ask("claim", "n"), "first")
        self.assertEqual(a.ask("claim", "n"), "again")
        self.assertEqual(b.ask("claim", "n"), "first")
        self.assertEqual(a.ask("publish", "k", "mine"), "ok")
        self.assertEqual(a.ask("lookup", "k"), "mine")
        self.assertEqual(b.ask("lookup", "k"), "none")
        self.assertIn(a.allow(60), (20, 21))
        self.server.start()
        a.until("up")
        b.until("up")
        self.assertEqual(a.ask("claim", "n"), "again")
        self.assertEqual(b.ask("lookup", "k"), "none")
        self.assertEqual(a.ask("claim", "after"), "first")
        self.assertEqual(b.ask("claim", "after"), "elsewhere")
        # a new server knows no budget; who used his own up stays where he is
        self.assertLessEqual(a.allow(10), 1)

    def test_killed_with_questions_on_the_way(self):
        a = self.one()
        self.server.send(signal.SIGSTOP)
        for i in range(100):
            a.send("claim", f"n{i}")
        self.server.kill()
        self.assertEqual([a.read() for _ in range(100)], ["first"] * 100)
        self.server.start()
        a.until("up")

    def test_hanging(self):
        a = self.one(wait_ms=0)
        self.server.send(signal.SIGSTOP)
        for i in range(100):
            a.send("claim", f"n{i}")
        self.assertEqual([a.read() for _ in range(100)], ["first"] * 100)
        self.assertIn("no answer in time", a.reasons())
        self.assertEqual(a.allow(60), 50)
        self.server.send(signal.SIGCONT)
        a.until("up")

    def refused(self):
        """Wrong passwords so far."""
        found = re.search(r"cmdstat_auth:.*failed_calls=(\d+)", self.server.ask("INFO", "all"))
        return int(found.group(1)) if found else 0

    def test_wrong_password(self):
        a = self.desk(self.server.port, "wrong", state="away")
        until(lambda: self.refused() >= 5)
        self.assertEqual(a.ask("allow", "k", 1, 1), "yes")
        self.assertEqual(a.ask("claim", "n"), "first")
        self.assertEqual(a.ask("claim", "n"), "again")
        reasons = a.reasons()
        self.assertEqual(len(reasons), 1, reasons)
        self.assertIn("check REDIS_PASSWORD: WRONGPASS", reasons[0])
        self.assertNotIn("wrong ", a.log())

    def test_no_password(self):
        a = self.desk(self.server.port, state="away")
        until(a.reasons)
        self.assertIn("check REDIS_PASSWORD: NOAUTH", a.reasons()[0])

    def test_full(self):
        """A server that refuses a command is no reason to refuse anything."""
        a = self.one()
        self.server.ask("CONFIG", "SET", "maxmemory", "1")
        self.assertEqual(a.ask("claim", "n"), "first")
        self.assertEqual(a.ask("claim", "n"), "again")
        self.assertEqual(a.allow(60), 50)
        self.assertIn("OOM", a.reasons()[0])
        self.assertEqual(len(a.reasons()), 1)
        self.assertEqual(a.ask("state"), "up")


class Liars(Case):
    def check(self, words, reason):
        liar = Liar(words)
        self.addCleanup(liar.close)
        a = self.desk(liar.port)
        self.assertEqual(a.ask("claim", "n"), "first")
        until(a.reasons)
        self.assertEqual(a.reasons()[0], reason)

    def test_not_the_protocol(self):
        self.check(b"HTTP/1.1 200 OK\r\n\r\n", "what it sends is not Redis's protocol")

    def test_an_array(self):
        self.check(b"*2000000000\r\n", "what it sends is not Redis's protocol")

    def test_too_long(self):
        self.check(b"$2000000000\r\n" + b"x" * (2 << 20), "an answer is too long")

    def test_unasked(self):
        self.check(b"+OK\r\n+OK\r\n", "it answers without being asked")

    def test_another_kind(self):
        """An answer that such a question does not have is none."""
        liar = Liar(b":1\r\n")
        self.addCleanup(liar.close)
        a = self.desk(liar.port)
        self.assertEqual(a.ask("claim", "n"), "first")
        self.assertEqual(a.ask("claim", "n"), "again")

    def test_a_debt_without_end(self):
        """It may cost one budget, which comes back: here, within milliseconds."""
        for left in (b"-9000000000000000000", b"-9223372036854775808", b"9223372036854775807"):
            # the second word is unasked: once that is told, the first has been taken
            liar = Liar(b":" + left + b"\r\n+OK\r\n")
            self.addCleanup(liar.close)
            a = self.desk(liar.port)
            self.assertEqual(a.ask("allow", "k", 60000, 1), "yes")
            until(a.reasons)
            until(lambda a=a: a.ask("allow", "k", 60000, 1) == "yes")

    def test_nobody_there(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))  # and nobody else comes
            a = self.desk(s.getsockname()[1], state="away")
            until(a.reasons)
            self.assertEqual(a.allow(60), 50)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]], verbosity=1)
