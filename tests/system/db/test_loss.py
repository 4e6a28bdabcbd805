#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server that dies, and connections that break anywhere: what was told is there, once,
and nobody is told of a failure.

usage: test_loss.py LANES_PROGRAM SUPPORT_DIRECTORY
"""
import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import unittest

LANES = sys.argv[1]
sys.path.append(sys.argv[2])
from postgres import Server, programs  # noqa: E402


class Cutter:
    """A way to the server that breaks. |watch|(connection number, data, comes from the server)
    gives how many bytes of the data still go through, or None for all; less than all cuts."""

    def __init__(self, port, watch):
        self.server, self.watch, self.cuts, self.number = port, watch, 0, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.number += 1
            threading.Thread(target=self.carry, args=(client, self.number), daemon=True).start()

    def carry(self, client, number):
        with client, socket.create_connection(("127.0.0.1", self.server)) as server:
            pairs = {client: server, server: client}
            while True:
                for source in select.select(list(pairs), [], [])[0]:
                    try:
                        data = source.recv(65536)
                    except OSError:
                        data = b""
                    if not data:
                        return
                    passed = self.watch(number, data, source is server)
                    try:
                        pairs[source].sendall(data if passed is None else data[:passed])
                    except OSError:
                        return
                    if passed is not None:
                        self.cuts += 1
                        return

    def close(self):
        self.listener.close()


class Writer:
    """The program under test."""

    def __init__(self, server, schema, port=None, lanes=32, blind=False):
        url = server.url().replace(f"port={server.port}", f"port={port or server.port}")
        env = dict(server.env(), DB_TEST_URL=f"{url} options=-csearch_path={schema}")
        words = [LANES, str(lanes)] + ["blind"] * blind
        self.process = subprocess.Popen(words, env=env, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.blind, self.log = blind, []
        self.reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr))
        self.reader.start()
        self.told = []

    def read(self, n):
        """The next |n| lines."""
        for _ in range(n):
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError("the program ended: " + "".join(self.log)[-2000:])
            self.told.append(line.strip())

    def finish(self):
        self.process.stdin.close()
        self.told += [line.strip() for line in self.process.stdout]
        code = self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        return code


@unittest.skipUnless(programs(), "no PostgreSQL server is installed")
class Losses(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.remove()

    def both(self, lose):
        """With works that ask, and with works that may be put off whole."""
        for blind in (False, True):
            with self.subTest(blind=blind):
                lose(blind)

    def check(self, writer, schema):
        """Nobody was refused; each work is there exactly once, in an order."""
        self.assertEqual(writer.finish(), 0, "".join(writer.log)[-3000:])
        self.assertEqual(writer.told.pop(), "end")
        told = [(word, int(number)) for word, number in map(str.split, writer.told)]
        for word, number in told:
            self.assertEqual(word, "refused" if writer.blind and number % 7 == 0 else "ok",
                             "".join(writer.log)[-3000:])
        self.assertEqual(len({number for _, number in told}), len(told))
        ids = {number for word, number in told if word == "ok"}
        rows = self.server.sql(f"SELECT id FROM {schema}.item").split()
        self.assertEqual({int(i) for i in rows}, ids)
        self.assertEqual(self.server.sql(
            f"SELECT n, (SELECT count(*) FROM {schema}.item), (SELECT max(at) FROM {schema}.item)"
            f" FROM {schema}.counter"), "|".join([str(len(ids))] * 3))

    def test_server_is_killed_and_started_again(self):
        self.both(self.server_is_killed_and_started_again)

    def server_is_killed_and_started_again(self, blind):
        writer = Writer(self.server, f"killed_{blind:d}", blind=blind)
        for _ in range(2):
            writer.read(700)
            self.server.kill()
            self.server.start()
        writer.read(700)
        self.check(writer, f"killed_{blind:d}")

    def test_server_is_stopped_and_started_again(self):
        writer = Writer(self.server, "stopped")
        for how in (signal.SIGINT, signal.SIGQUIT):
            writer.read(500)
            self.server.stop(how)
            self.server.start()
        writer.read(500)
        self.check(writer, "stopped")

    def test_connections_break_anywhere(self):
        self.both(self.connections_break_anywhere)

    def connections_break_anywhere(self, blind):
        lots, left = random.Random(7), {}

        def watch(number, data, _):
            rest = left.setdefault(number, lots.randrange(3000, 60000))
            left[number] = rest - len(data)
            return None if rest > len(data) else rest

        cutter = Cutter(self.server.port, watch)
        writer = Writer(self.server, f"broken_{blind:d}", cutter.port, lanes=8, blind=blind)
        while cutter.cuts < 30:
            writer.read(20)
        self.check(writer, f"broken_{blind:d}")
        cutter.close()

    def test_answers_of_commits_are_lost(self):
        self.both(self.answers_of_commits_are_lost)

    def answers_of_commits_are_lost(self, blind):
        """The third commit of each connection takes place, and its answer does not come."""
        seen = {}

        def watch(number, data, from_server):
            if from_server:
                seen[number] = seen.get(number, 0) + data.count(b"C\0\0\0\x0bCOMMIT\0")
                if seen[number] >= 3:
                    return 0
            return None

        cutter = Cutter(self.server.port, watch)
        writer = Writer(self.server, f"unanswered_{blind:d}", cutter.port, lanes=8, blind=blind)
        while cutter.cuts < 20:
            writer.read(5)
        self.check(writer, f"unanswered_{blind:d}")
        cutter.close()

    def test_commits_that_do_not_arrive_are_made_again(self):
        self.both(self.commits_that_do_not_arrive_are_made_again)

    def commits_that_do_not_arrive_are_made_again(self, blind):
        """A request is swallowed: the end of a transaction, or its middle."""
        requests, lots = {}, random.Random(5)

        def watch(number, _, from_server):
            requests[number] = requests.get(number, 0) + (not from_server)
            return 0 if not from_server and requests[number] > lots.randrange(9, 30) else None

        cutter = Cutter(self.server.port, watch)
        writer = Writer(self.server, f"swallowed_{blind:d}", cutter.port, lanes=8, blind=blind)
        while cutter.cuts < 25:
            writer.read(5)
        self.check(writer, f"swallowed_{blind:d}")
        cutter.close()


if __name__ == "__main__":
    os.environ.pop("DB_TEST_URL", None)
    unittest.main(argv=[sys.argv[0]], verbosity=1)
