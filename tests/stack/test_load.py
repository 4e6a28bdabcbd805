# SPDX-License-Identifier: Apache-2.0
"""Load: many requests at once end without an error other than 429 under a configured limit; and
after more than the system can do, it is as fast as before."""
import collections
import statistics
import threading
import time
import unittest
import uuid

from support import (HASH, LONG, Stack, TestCase, change_env, signature_is_valid, together, until)

KEYGENS, SIGNATURES = (50, 500) if LONG else (16, 200)
OVERLOAD_S, RECOVERY_S, SAMPLES = 120, 10, 50


class Load(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()
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


class Limits(TestCase):
    """Small limits: what is too much is told with 429 and Retry-After, and does no harm."""

    def run_against(self, name, work, **limits):
        stack = Stack(lambda directory: change_env(directory, name, **limits))
        try:
            account = stack.create()["account_id"]
            answers = together(64, lambda i: work(stack, account))
            counts = collections.Counter(a.status for a in answers)
            self.assertLessEqual(set(counts), {200, 201, 429}, counts)
            self.assertGreater(counts[429], 0, counts)
            self.assertGreater(counts[200] + counts[201], 0, counts)
            for answer in answers:
                if answer.status == 429:
                    self.assertError(answer, 429)
                    self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
            until(lambda: stack.sign(account).status == 200)
        finally:
            stack.close()

    def test_requests_that_wait_at_the_account_service(self):
        self.run_against("account-service", lambda stack, account: stack.sign(account),
                         MAX_IN_FLIGHT=4)

    def test_lesson_1_8_sessions_that_wait_at_the_coordinator(self):
        self.run_against("session-coordinator", lambda stack, account: stack.sign(account),
                         MAX_RUNNING_SIGN=1, MAX_WAITING=4)

    def test_keygens_that_wait_at_the_coordinator(self):
        self.run_against("session-coordinator", lambda stack, account: stack.call(
            "POST", "/api/v1/accounts", {"user_id": "many"}),
                         MAX_RUNNING_KEYGEN=1, MAX_WAITING=4)


@unittest.skipUnless(LONG, "the suite long drives the system for minutes")
class Overload(TestCase):
    """Twice the capacity for two minutes; ten seconds later latency is what it was."""

    def setUp(self):
        self.stack = Stack()
        self.id = self.stack.create()["account_id"]

    def tearDown(self):
        self.stack.close()

    def latency(self):
        """The median of some, in seconds."""
        times = []
        for _ in range(SAMPLES):
            begin = time.monotonic()
            answer = self.stack.sign(self.id)
            times.append(time.monotonic() - begin)
            self.assertEqual(answer.status, 200, answer)
        return statistics.median(times)

    def capacity(self, clients=32, seconds=10):
        """Signatures per second of a closed loop."""
        end = time.monotonic() + seconds
        done = together(clients, lambda i: self.sign_until(end))
        return sum(done) / seconds

    def sign_until(self, end):
        n = 0
        while time.monotonic() < end:
            n += self.stack.sign(self.id).status == 200
        return n

    def drive(self, rate):
        """Requests begin at |rate| per second, whatever becomes of those before; their statuses."""
        counts, lock, threads = collections.Counter(), threading.Lock(), []

        def one():
            try:
                status = self.stack.sign(self.id).status
            except OSError as e:
                status = type(e).__name__
            with lock:
                counts[status] += 1

        begin = time.monotonic()
        for i in range(int(rate * OVERLOAD_S)):
            pause = begin + i / rate - time.monotonic()
            if pause > 0:
                threading.Event().wait(pause)  # the rate is what is tested
            if len(threads) > 4000:
                threads = [t for t in threads if t.is_alive()]
            threads.append(threading.Thread(target=one))
            threads[-1].start()
        return counts, threads

    def test_lesson_1_8_twice_the_capacity(self):
        before = self.latency()
        capacity = self.capacity()
        counts, threads = self.drive(2 * capacity)
        end = time.monotonic() + RECOVERY_S
        for t in threads:
            t.join()
        self.assertLessEqual(set(counts), {200, 429, 504}, counts)
        after = [self.latency()]
        while after[-1] > 2 * before and time.monotonic() < end:
            after.append(self.latency())
        print(f"capacity {capacity:.0f}/s, {dict(counts)}, median {before * 1000:.1f} ms before, then "
              + ", ".join(f"{x * 1000:.1f}" for x in after), flush=True)
        self.assertLessEqual(after[-1], 2 * before)
        self.assertEqual(self.stack.burned(), [])


if __name__ == "__main__":
    unittest.main()
