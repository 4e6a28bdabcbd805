# SPDX-License-Identifier: Apache-2.0
"""Load: many requests at once end without an error, and after more than the system can do, it is as
fast as before. What small limits refuse is in test_limits.py."""
import collections
import json
import math
import os
import subprocess
import time
import unittest
import uuid

from support import LONG, QUORATE, Stack, TestCase, patient, signature_is_valid, together

KEYGENS, SIGNATURES = (50, 500) if LONG else (16, 200)
OVERLOAD_S, RECOVERY_S, CLIENTS = 120, 10, 3000
LOAD = os.path.join(os.path.dirname(os.path.dirname(QUORATE)), "bench", "system", "load")


class Load(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(patient)
        cls.id = cls.stack.create()["account_id"]

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def test_keygens_at_one_time(self):
        made = together(KEYGENS, lambda i: self.stack.create())
        self.assertEqual({a["status"] for a in made}, {"active"})
        self.assertEqual(len({a["public_key"] for a in made}), KEYGENS)
        for account in made[:5]:
            self.assertEqual(self.stack.sign(account["account_id"]).status, 200)

    def test_signatures_at_one_time(self):
        def sign(_):
            return self.stack.sign(self.id, uuid.uuid4().hex * 2)
        answers = together(SIGNATURES, sign)
        self.assertEqual(collections.Counter(a.status for a in answers), {200: SIGNATURES})
        self.assertEqual(len({a.body["session_id"] for a in answers}), SIGNATURES)
        self.assertTrue(all(signature_is_valid(a.body) for a in answers[::10]))
        self.assertEqual(self.stack.burned(), [])

    def test_both_at_one_time(self):
        def one(i):
            return self.stack.create() if i % 10 == 0 else self.stack.sign(self.id)
        for answer in together(SIGNATURES // 4, one):
            if not isinstance(answer, dict):
                self.assertEqual(answer.status, 200, answer)


@unittest.skipUnless(LONG, "the suite long drives the system for minutes")
class Overload(TestCase):
    """Twice the capacity for two minutes; ten seconds later latency is what it was. The clients are
    bench/system/load, which can ask for more than the system can do; python cannot."""

    def setUp(self):
        if not os.path.exists(LOAD):
            self.skipTest("built without -Dbench=true")
        self.stack = Stack()
        self.addCleanup(self.stack.close)
        self.id = self.stack.create()["account_id"]

    def load(self, clients, seconds, *rate):
        p = subprocess.Popen([LOAD, "sign", self.stack.url, str(clients), str(seconds),
                              *map(str, rate)], text=True, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
        self.addCleanup(p.__exit__, None, None, None)
        self.addCleanup(p.kill)
        p.stdin.write(f"{self.stack.key}\n{self.id}\n")
        p.stdin.close()
        return p

    def ended(self, load):
        """What it tells in its last line."""
        return json.loads(load.stdout.readline())

    def latency(self):
        """The median of one client, in seconds; of one that is refused, endless."""
        told = self.ended(self.load(1, 1))
        return math.inf if told["busy"] or told["errors"] else told["p50_s"]

    def test_lesson_1_8_twice_the_capacity(self):
        before = self.latency()
        capacity = self.ended(self.load(32, 10))["per_s"]
        load = self.load(CLIENTS, OVERLOAD_S, 2 * capacity)
        sent = json.loads(load.stdout.readline())
        end = time.monotonic() + RECOVERY_S
        after = [self.latency()]  # while the last ones may still be worked off
        while after[-1] > 2 * before and time.monotonic() < end:
            after.append(self.latency())
        told = self.ended(load)
        print(f"capacity {capacity:.0f}/s, {sent}, {told}, median {before * 1000:.1f} ms before, then "
              + ", ".join(f"{x * 1000:.1f}" for x in after), flush=True)
        self.assertEqual(told["errors"], told["wait_over"], told["first_error"])
        self.assertEqual(told["done"] + told["busy"] + told["errors"], sent["sent"])
        self.assertGreater(sent["left_out"] + told["busy"] + told["wait_over"], 0,
                           "that was not more than it can do")
        self.assertLessEqual(after[-1], 2 * before)
        self.assertEqual(self.stack.burned(), [])


if __name__ == "__main__":
    unittest.main()
