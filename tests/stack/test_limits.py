# SPDX-License-Identifier: Apache-2.0
"""Small limits: who may call, how often, and how many at a time. What is too much is told with 429
and Retry-After, and does no harm."""
import collections
import unittest

from doors import ACCOUNT, COORDINATOR, ROUTER, SHARES
from support import HASH, Request, Stack, TestCase, change_env, curl, patient, standing, until

NOWHERE = "192.0.2.1"  # of documentation: nobody calls from there
FRONTS = ("party-1", "party-2", "party-3")


class Callers(TestCase):
    """Where they come from, and how many requests are theirs."""
    RATE = 40

    @classmethod
    def setUpClass(cls):
        def edit(directory):
            change_env(directory, ACCOUNT, MAX_IN_FLIGHT=1)
            change_env(directory, COORDINATOR, MPC_API_KEY="old-key,new-key",
                       RATE_LIMIT_PER_MINUTE=cls.RATE)
            change_env(directory, ROUTER, ALLOWED_IPS=NOWHERE + ",2001:db8::/32",
                       TRUSTED_PROXIES="127.0.0.1")
            patient(directory)
            change_env(directory, SHARES, ALLOWED_IPS=NOWHERE)
        cls.stack = Stack(edit)
        cls.id = cls.stack.create()["account_id"]

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def ask(self, process, path, *words, key=True):
        return curl(self.stack, "GET", self.stack.service_url(process) + path, *words, key=key)

    def test_a_caller_from_elsewhere_is_403(self):
        for words in ((), ("-H", "X-Forwarded-For: " + NOWHERE)):
            answer = self.ask(SHARES, "/api/v1/shares/key", *words)
            self.assertError(answer, 403, "this address")
            self.assertEqual(answer[1]["code"], "address_not_allowed")
        # Not told whether the key is good.
        self.assertError(self.ask(SHARES, "/api/v1/shares/key", key="wrong"), 403)
        self.assertEqual(self.ask(SHARES, "/health", key=False)[0], 200)

    def test_forwarded_addresses_count_from_a_trusted_proxy(self):
        path, name = "/api/v1/parties", "X-Forwarded-For: "
        for good in (NOWHERE, "2001:db8::7", "203.0.113.9, " + NOWHERE, NOWHERE + ", 127.0.0.1"):
            with self.subTest(good):
                self.assertEqual(self.ask(ROUTER, path, "-H", name + good)[0], 200)
        for bad in ("203.0.113.9", NOWHERE + ", 203.0.113.9", "nonsense", ""):
            with self.subTest(bad):
                self.assertError(self.ask(ROUTER, path, "-H", name + bad), 403, "this address")
        self.assertError(self.ask(ROUTER, path), 403)

    def test_two_keys_are_good_and_each_has_its_rate(self):
        path = "/api/v1/sessions?limit=1"
        self.assertError(self.ask(COORDINATOR, path), 401)
        self.assertError(self.ask(COORDINATOR, path, key="old-key,new-key"), 401)
        answers = []
        while len(answers) < 50 * self.RATE and (not answers or answers[-1][0] == 200):
            answers.append(self.ask(COORDINATOR, path, key="old-key"))
        self.assertGreaterEqual(len(answers), self.RATE)
        self.assertError(answers[-1], 429, "too many requests")
        self.assertEqual(answers[-1][1]["code"], "rate_limited")
        self.assertEqual(self.ask(COORDINATOR, path, key="new-key")[0], 200)
        self.assertEqual(self.ask(COORDINATOR, "/health", key=False)[0], 200)
        self.assertEqual(self.stack.sign(self.id).status, 200)  # services show no key

    def test_more_requests_than_may_wait_are_429(self):
        path = f"/api/v1/accounts/{self.id}/sign"
        with standing(*map(self.stack.pid, FRONTS)):
            first = Request(lambda: self.stack.call("POST", path, {"message": HASH}))
            session = until(lambda: self.stack.sessions("status NOT IN ('completed', 'failed')")
                            )[0][0]
            second = self.stack.call("POST", path, {"message": HASH})
            self.assertError(second, 429, "waiting for their signatures")
            self.assertGreaterEqual(int(second.headers["Retry-After"]), 1)
            self.assertError(self.stack.call("POST", "/api/v1/accounts", {"user_id": "u"}), 429)
            # What does not wait is answered.
            self.assertEqual(self.stack.call("GET", "/api/v1/accounts/" + self.id).status, 200)
            self.assertEqual(self.stack.call("POST",
                                             f"/api/v1/mpc/sessions/{session}/cancel").status, 200)
            self.assertError(first.get(), 409, "was cancelled")
        self.assertEqual(self.stack.sign(self.id).status, 200)


class Rate(TestCase):
    """The account service's own rate limit."""

    def test_too_many_requests_per_minute_are_429(self):
        stack = Stack(lambda directory: change_env(directory, ACCOUNT, RATE_LIMIT_PER_MINUTE=5))
        try:
            answer = next((a for a in (stack.call("GET", "/api/v1/accounts") for _ in range(1000))
                           if a.status != 200), None)
            self.assertIsNotNone(answer)
            self.assertError(answer, 429, "too many requests")
            self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
            self.assertEqual(stack.call("GET", "/health", key=False).status, 200)
        finally:
            stack.close()


class Full(TestCase):
    """Many requests at one time, of which none ends before one was too much."""

    def run_against(self, name, work, **limits):
        def edit(directory):
            patient(directory)
            change_env(directory, name, **limits)
        stack = Stack(edit)
        try:
            account = stack.create()["account_id"]
            with standing(*map(stack.pid, FRONTS)):
                requests = [Request(lambda: work(stack, account)) for _ in range(64)]
                until(lambda: [r for r in requests if r.result and r.result.status == 429])
            answers = [request.get() for request in requests]
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
        self.run_against(ACCOUNT, lambda stack, account: stack.sign(account),
                         MAX_IN_FLIGHT=4)

    def test_lesson_1_8_sessions_that_wait_at_the_coordinator(self):
        self.run_against(COORDINATOR, lambda stack, account: stack.sign(account),
                         MAX_RUNNING_SIGN=1, MAX_WAITING=4)

    def test_keygens_that_wait_at_the_coordinator(self):
        self.run_against(COORDINATOR, lambda stack, account: stack.call(
            "POST", "/api/v1/accounts", {"user_id": "many"}),
                         MAX_RUNNING_KEYGEN=1, MAX_WAITING=4)


if __name__ == "__main__":
    unittest.main()
