# SPDX-License-Identifier: Apache-2.0
"""Twenty party processes that come and go, in order, killed and stopped, while requests run: nothing
fails but what had too few of its parties at some moment.

`quorate up` runs the services; parties are started and ended here."""
import collections
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import unittest
import uuid

from support import (HASH, LIMIT, LONG, QUORATE, SOURCE, Request, Stack, TestCase,
                     change_env, signature_is_valid, together, until)

sys.path.append(os.path.join(SOURCE, "tests", "support"))
from postgres import free_port  # noqa: E402

PARTIES, ACCOUNTS = 20, 24 if LONG else 12
# How long, and how many may be away at a time.
SECONDS, AWAY_MAX = (600, 9) if LONG else (10, 7)
SIGNERS, MAKERS = 6, 1
SHAPES = ((2, 3), (2, 3), (3, 5))
BINARY = os.path.join(os.path.dirname(os.path.dirname(QUORATE)), "services", "quorate-server-party")
SEED = os.environ.get("CHURN_SEED", uuid.uuid4().hex)


class Pool(Stack):
    """Services of `quorate up`, and parties that it does not know of."""

    def __init__(self):
        self.running, self.stopped = {}, {}
        super().__init__(edit=self.take_parties, parties=PARTIES)
        together(PARTIES, lambda i: self.begin(self.names[i]))

    def take_parties(self, directory):
        path = os.path.join(directory, "up.json")
        with open(path, encoding="utf-8") as f:
            plan = json.load(f)
        self.names = [m["name"] for m in plan["members"] if m["name"].startswith("party-")]
        plan["members"] = [m for m in plan["members"] if m["name"] not in self.names]
        with open(path, "w", encoding="utf-8") as f:
            json.dump(plan, f)
        for name in self.names:  # nobody else takes them while the party is away
            change_env(directory, name, HTTP_PORT=free_port(), GRPC_PORT=free_port())
        at = self.base.index("--parties")
        del self.base[at:at + 2]

    def begin(self, name):
        """Returns when it is in the pool."""
        if name in self.stopped:
            self.running[name] = self.stopped.pop(name)
            self.running[name].send_signal(signal.SIGCONT)
            until(lambda: name in self.live())
            return
        with open(os.path.join(self.dir, "log", name + ".log"), "ab") as log:
            process = self.running[name] = subprocess.Popen(
                [BINARY, "--env-file", os.path.join(self.dir, name + ".env")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def is_ready():
            assert process.poll() is None, self.log(name)[-2000:]
            try:
                return self.call("GET", "/ready", key=False,
                                 url=self.service_url(name)).status == 200
            except (OSError, http.client.HTTPException):
                return False
        until(is_ready)

    def live(self):
        answer = self.call("GET", "/api/v1/parties")
        return [p["party_id"] for p in answer.body["parties"] if p["live"]]

    def end(self, name, sig):
        process = self.running.pop(name)
        process.send_signal(sig)
        if sig == signal.SIGSTOP:
            self.stopped[name] = process
            return
        code = process.wait(LIMIT)
        assert code == (-sig if sig == signal.SIGKILL else 0), f"{name} ended with {code}"

    def remove(self):
        for process in (*self.running.values(), *self.stopped.values()):
            process.kill()
            process.wait(LIMIT)
        super().remove()


class Presence:
    """Which parties are there, as we made it, and when that changed."""

    def __init__(self, names):
        self.here = set(names)
        self.lock = threading.Lock()
        self.history = [(time.monotonic(), frozenset(self.here))]

    def change(self, name, is_here):
        with self.lock:
            (self.here.add if is_here else self.here.discard)(name)
            self.history.append((time.monotonic(), frozenset(self.here)))

    def least(self, names, begin, end):
        """How many of |names| there were at the worst moment between the two."""
        with self.lock:
            before = [here for at, here in self.history if at <= begin][-1:]
            during = [here for at, here in self.history if begin < at <= end]
        return min(len(here & set(names)) for here in before + during)


class Churn(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Pool()
        cls.presence = Presence(cls.stack.names)
        # Parties are named as their processes are.
        try:
            cls.accounts = together(ACCOUNTS, lambda i: cls.make(SHAPES[i % len(SHAPES)]))
        except BaseException:
            cls.stack.remove()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    @classmethod
    def make(cls, shape):
        return cls.stack.create(threshold_t=shape[0], threshold_n=shape[1])

    # --- who asks ---

    def client(self, i):
        """Counts answers. The faults that nothing excuses."""
        counts, faults = self.counts[i], []
        draw = random.Random(f"{SEED} client {i}")
        while not self.is_over.is_set():
            ask = self.sign if i < SIGNERS else self.keygen
            begin = time.monotonic()
            kind, answer, parties, needed = ask(draw)
            least = self.presence.least(parties, begin, time.monotonic())
            is_good = answer.status in (200, 201)
            counts[kind if is_good else f"{kind}: {answer.status}"] += 1
            if not is_good and least >= needed:
                faults.append((kind, answer.status, answer.body, parties, least,
                               time.monotonic() - begin))
            elif not is_good:
                self.assertIn(answer.status, (422, 503, 504), answer)
                self.assertTrue(answer.body["error"] and answer.body["code"], answer)
            elif kind == "signature" and draw.random() < 0.05:
                self.assertTrue(signature_is_valid(answer.body))
        return faults

    def sign(self, draw):
        account = draw.choice(self.accounts)
        answer = self.stack.sign(account["account_id"], uuid.uuid4().hex * 2)
        return "signature", answer, account["parties"], account["threshold_t"]

    def keygen(self, draw):
        """All its parties are needed, until its end."""
        t, n = draw.choice(SHAPES)
        answer = self.stack.call("POST", "/api/v1/accounts", {
            "user_id": "u-" + uuid.uuid4().hex, "threshold_t": t, "threshold_n": n})
        if answer.status == 201:
            return "account", answer, answer.body["parties"], n
        session = answer.body.get("session_id")
        self.assertTrue(session, answer)  # eleven are there: there are always enough to begin
        events = self.stack.call("GET", f"/api/v1/mpc/sessions/{session}")
        return "account", answer, events.body["parties"], n

    # --- who comes and goes ---

    def is_enough(self):
        return sum(counts["signature"] for counts in self.counts) > SECONDS

    def churn(self):
        draw = random.Random(SEED)
        away = []
        end = time.monotonic() + SECONDS
        moves = collections.Counter()
        while time.monotonic() < end or (not self.is_enough() and time.monotonic() < end + LIMIT):
            if away and (len(away) >= AWAY_MAX or draw.random() < len(away) / AWAY_MAX):
                name = away.pop(draw.randrange(len(away)))
                self.stack.begin(name)
                self.presence.change(name, True)
                moves["came"] += 1
                continue
            name = draw.choice([n for n in self.stack.names if n not in away])
            sig = draw.choice((signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP))
            self.presence.change(name, False)
            self.stack.end(name, sig)
            away.append(name)
            moves[sig.name] += 1
        for name in away:
            self.stack.begin(name)
            self.presence.change(name, True)
        return moves

    def test_parties_come_and_go_under_load(self):
        self.is_over = threading.Event()
        self.counts = [collections.Counter() for _ in range(SIGNERS + MAKERS)]
        clients = [Request(lambda i=i: self.client(i)) for i in range(len(self.counts))]
        try:
            moves = self.churn()
        finally:
            self.is_over.set()
        faults = sum((client.get() for client in clients), [])
        counts = sum(self.counts, collections.Counter())
        print(f"seed {SEED}: {dict(moves)}; {dict(counts)}", flush=True)
        self.assertEqual(faults, [])
        self.assertGreater(counts["signature"], SECONDS)
        self.nothing_is_left()

    def nothing_is_left(self):
        until(lambda: not self.stack.sessions("status IN ('waiting', 'ready', 'running')"))
        for account in self.accounts:
            answer = self.stack.sign(account["account_id"], HASH)
            self.assertEqual(answer.status, 200, answer)
        for name in self.stack.names:
            self.assertEqual(self.stack.rows(name, "party.db", "SELECT * FROM tombstones"), [])


if __name__ == "__main__":
    unittest.main()
