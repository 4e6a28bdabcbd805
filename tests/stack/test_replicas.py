# SPDX-License-Identifier: Apache-2.0
"""Two coordinators and two account services at one PostgreSQL: any of them can be asked, and any of
them can go, at any time and in any way, without losing what was told or a request elsewhere.

`quorate up` runs one of each; the second ones are started here, and nobody starts those again."""
import http.client
import itertools
import os
import select
import signal
import subprocess
import sys
import threading
import time
import unittest
import uuid

import support
from support import (HASH, LIMIT, QUORATE, SOURCE, Request, Stack, TestCase, signature_is_valid,
                     standing, until)

sys.path.append(os.path.join(SOURCE, "tests", "support"))
from postgres import Server, free_port, programs  # noqa: E402

COORDINATORS = ("session-coordinator", "session-coordinator-2")
ACCOUNTS = ("account-service", "account-service-2")


def executable(name):
    beside = os.path.join(os.path.dirname(os.path.dirname(QUORATE)), "services")
    return next(os.path.join(d, n) for d, _, names in os.walk(beside) for n in names
                if n == "quorate-" + name)


class Second:
    """One more process of a kind that runs already, with its own ports."""

    def __init__(self, stack, first, **changes):
        self.stack, self.first, self.name = stack, first, first + "-2"
        env = dict(stack.env(first), HTTP_PORT=free_port(), GRPC_PORT=free_port(), **changes)
        self.path = os.path.join(stack.dir, self.name + ".env")
        with open(self.path, "w", encoding="utf-8") as f:
            f.writelines(f"{k}={v}\n" for k, v in env.items())
        os.chmod(self.path, 0o600)
        self.address = f"127.0.0.1:{env['GRPC_PORT']}"
        self.start()

    def start(self):
        with open(os.path.join(self.stack.dir, "log", self.name + ".log"), "ab") as log:
            self.process = subprocess.Popen([executable(self.first), "--env-file", self.path],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            until(self.is_ready)
        except BaseException:
            self.end()
            raise

    def is_ready(self):
        assert self.process.poll() is None, self.stack.log(self.name)[-2000:]
        return is_ready(self.stack, self.name)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(LIMIT)


def is_ready(stack, name):
    try:
        return stack.call("GET", "/ready", key=False, url=stack.service_url(name)).status == 200
    except (OSError, http.client.HTTPException):
        return False


class Load(threading.Thread):
    """Signatures, and now and then an account, one after the other at one account service. Whoever
    gets no answer asks again with the same key, at another service."""

    def __init__(self, stack, account, urls):
        super().__init__(daemon=True)
        self.stack, self.account, self.urls = stack, account, urls
        self.done, self.failed, self.is_over = [], [], False
        self.start()

    def run(self):
        n = 0
        while not self.is_over:
            n += 1
            key = uuid.uuid4().hex
            ask = self.create if n % 10 == 0 else self.sign
            begun = time.monotonic()
            try:
                answer = ask(key, self.urls[0])
                fault = None if answer.status in (200, 201) else answer
            except (OSError, http.client.HTTPException) as e:
                fault = e
            if fault is not None:
                self.failed.append((begun, time.monotonic(), ask.__name__, fault))
                answer = self.repeat(ask, key)
            self.done.append((ask.__name__, answer))

    @staticmethod
    def more(loads, n):
        """Each of them so many more requests."""
        want = [len(load.done) + n for load in loads]
        until(lambda: all(not load.is_alive() or len(load.done) >= w
                          for load, w in zip(loads, want)))
        assert all(load.is_alive() for load in loads)

    @staticmethod
    def end(loads):
        for load in loads:
            load.is_over = True
        for load in loads:
            load.join(LIMIT)
            assert not load.is_alive()

    def repeat(self, ask, key):
        urls = itertools.cycle(self.urls[::-1])

        def answered():
            try:
                answer = ask(key, next(urls))
            except (OSError, http.client.HTTPException):
                return None
            return answer if answer.status in (200, 201) else None

        return until(answered)

    def sign(self, key, url):
        return self.stack.call("POST", f"/api/v1/accounts/{self.account}/sign",
                               {"message": HASH, "idempotency_key": key}, url=url)

    def create(self, key, url):
        return self.stack.call("POST", "/api/v1/accounts",
                               {"user_id": "u-" + key, "idempotency_key": key}, url=url)


@unittest.skipUnless(programs(), "no PostgreSQL server is installed")
class Replicas(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        support.POSTGRES = cls.server.url()
        os.environ["DB_TEST_PASSWORD"] = cls.server.password
        cls.stack = Stack()

    @classmethod
    def tearDownClass(cls):
        try:
            cls.stack.close()
        finally:
            cls.server.remove()

    def setUp(self):
        self.seconds = []
        second = self.second("session-coordinator")
        first = "127.0.0.1:" + self.stack.env("session-coordinator")["GRPC_PORT"]
        self.second("account-service", COORDINATOR_ADDR=f"{second.address},{first}")
        self.account = self.stack.create()["account_id"]
        self.urls = [self.stack.service_url(name) for name in ACCOUNTS]

    def tearDown(self):
        for second in self.seconds:
            second.end()
        until(lambda: all(is_ready(self.stack, name)
                          for name in ("session-coordinator", "account-service")))

    def second(self, first, **changes):
        made = Second(self.stack, first, **changes)
        self.seconds.append(made)
        return made

    def sql(self, text, process="session-coordinator"):
        env = self.stack.env(process)
        return self.server.sql(f"SET search_path = {env['POSTGRES_SCHEMA']};" + text,
                               user=env["POSTGRES_USER"], password=env["POSTGRES_PASSWORD"])

    def leads(self, name):
        try:
            return self.stack.metrics(name)["quorate_coordinator_leads"] == 1
        except (OSError, http.client.HTTPException):
            return False

    def leader(self):
        return until(lambda: [n for n in COORDINATORS if self.leads(n)])[0]

    def pid_of(self, name):
        for second in self.seconds:
            if second.name == name:
                return second.process.pid
        return self.stack.pid(name)

    def make_leader(self, name):
        """By asking the other to go, which may be back soon enough to lead once more."""
        while self.leader() != name:
            other = self.leader()
            old = self.pid_of(other)
            os.kill(old, signal.SIGTERM)
            until(lambda: self.pid_of(self.leader()) != old)
            self.back(other)

    def back(self, name):
        """What is not started again by `up` is started here."""
        for second in self.seconds:
            if second.name == name:
                second.process.wait(LIMIT)
                second.start()
        until(lambda: is_ready(self.stack, name))

    def under_load(self, do):
        """|do| while both services work; then everything that was told is there. The loads."""
        loads = [Load(self.stack, self.account, urls)
                 for urls in (self.urls, self.urls[::-1]) for _ in range(2)]
        try:
            Load.more(loads, 5)
            do(loads)
            Load.more(loads, 5)
        finally:
            Load.end(loads)
        self.check_told(loads)
        return loads

    def check_told(self, loads):
        told = [pair for load in loads for pair in load.done]
        completed = set(self.sql("SELECT session_id FROM sessions WHERE status = 'completed'")
                        .split())
        active = set(self.sql("SELECT account_id FROM accounts WHERE status = 'active'",
                              "account-service").split())
        for what, answer in told:
            if what == "sign":
                self.assertIn(answer.body["session_id"], completed)
            else:
                self.assertEqual(answer.body["status"], "active")
                self.assertIn(answer.body["account_id"], active)
        self.assertTrue(signature_is_valid([a for w, a in told if w == "sign"][-1].body))

    def assertOnlyInFlight(self, loads, killed, gone):
        """Nothing failed but what was under way while the process died."""
        for load in loads:
            for begun, ended, what, fault in load.failed:
                self.assertTrue(begun <= gone and killed <= ended, (what, fault, begun - gone))

    def test_any_replica_can_be_asked(self):
        for name in COORDINATORS:
            answer = self.stack.call("GET", "/api/v1/sessions?limit=1",
                                     url=self.stack.service_url(name))
            self.assertEqual(answer.status, 200, name)
            bad = self.stack.call("GET", "/api/v1/sessions/" + str(uuid.uuid4()),
                                  url=self.stack.service_url(name))
            self.assertError(bad, 404)
            self.assertError(self.stack.call("GET", "/api/v1/sessions", key="wrong",
                                             url=self.stack.service_url(name)), 401)
        self.leader()
        self.assertLessEqual(sum(self.leads(name) for name in COORDINATORS), 1)
        for url in self.urls:
            answer = self.stack.call("POST", f"/api/v1/accounts/{self.account}/sign",
                                     {"message": HASH}, url=url)
            self.assertEqual(answer.status, 200, answer)

    def test_the_leader_is_killed(self):
        for name in COORDINATORS:
            self.make_leader(name)
            times = []

            def kill(_, name=name, times=times):
                old = self.pid_of(name)
                process = os.pidfd_open(old)
                times.append(time.monotonic())
                os.kill(old, signal.SIGKILL)
                select.select([process], [], [])
                times.append(time.monotonic())
                os.close(process)
                self.back(name)
                until(lambda: self.pid_of(self.leader()) != old)

            with self.subTest(name):
                self.assertOnlyInFlight(self.under_load(kill), *times)

    def test_the_leader_leaves_in_order(self):
        """Without waiting for the lease to run out."""
        self.make_leader(COORDINATORS[1])
        before = len(self.stack.log(COORDINATORS[1]))

        def leave(_):
            self.seconds[0].process.send_signal(signal.SIGTERM)
            until(lambda: self.leads(COORDINATORS[0]))
            self.assertEqual(self.seconds[0].process.wait(LIMIT), 0)

        loads = self.under_load(leave)
        for load in loads:  # not even those: only account-service-2 has lost its way there
            if load.urls[0] == self.urls[0]:
                self.assertEqual(load.failed, [])
        said = self.stack.log(COORDINATORS[1])[before:].splitlines()
        self.assertEqual([line for line in said if " error " in line], [])

    def writers(self):
        rows = self.sql("SELECT encode(writer, 'hex'), number FROM schema_writers").split()
        return dict(row.split("|") for row in rows)

    def test_a_leader_that_slept_past_its_lease_writes_nothing(self):
        self.make_leader(COORDINATORS[1])
        before, seen = self.writers(), {}

        def sleep(loads):
            Load.more(loads, 3)
            process = self.seconds[0].process
            seen["leaders"] = {w for w, n in self.writers().items() if before.get(w) != n}
            process.send_signal(signal.SIGSTOP)
            try:
                until(lambda: self.leads(COORDINATORS[0]))
                seen["then"] = self.writers()
            finally:
                process.send_signal(signal.SIGCONT)
            self.assertNotEqual(process.wait(LIMIT), 0)

        self.under_load(sleep)
        self.assertEqual(len(seen["leaders"]), 1)
        after = self.writers()
        for writer in seen["leaders"]:
            self.assertEqual(after[writer], seen["then"][writer])
        self.assertIn("another replica of the coordinator leads now",
                      self.stack.log(COORDINATORS[1]))

    def test_one_key_at_both_services_makes_one_account(self):
        for _ in range(5):
            key = uuid.uuid4().hex
            body = {"user_id": "u-" + key, "idempotency_key": key}
            asked = [Request(lambda u=url: self.stack.call("POST", "/api/v1/accounts", body, url=u))
                     for url in self.urls]
            answers = [request.get() for request in asked]
            self.assertEqual([a.status for a in answers], [201, 201], answers)
            self.assertEqual(len({a.body["account_id"] for a in answers}), 1)
            self.assertEqual({a.body["status"] for a in answers}, {"active"})
            self.assertEqual(self.sql("SELECT count(*) FROM accounts WHERE user_id ="
                                      f" 'u-{key}'", "account-service"), "1")

    def test_a_keygen_of_a_killed_service_is_finished_by_the_other(self):
        key = uuid.uuid4().hex
        body = {"user_id": "u-" + key, "idempotency_key": key}
        with standing(self.stack.pid("party-3")):
            asked = Request(lambda: self.stack.call("POST", "/api/v1/accounts", body,
                                                    url=self.urls[1]))
            row = until(lambda: self.sql("SELECT account_id FROM accounts WHERE user_id ="
                                         f" 'u-{key}' AND session_id <> ''", "account-service"))
            self.seconds[1].end()
        with self.assertRaises((OSError, http.client.HTTPException)):
            asked.get()
        until(lambda: self.stack.call("GET", "/api/v1/accounts/" + row, url=self.urls[0])
              .body["status"] == "active")
        again = self.stack.call("POST", "/api/v1/accounts", body, url=self.urls[0])
        self.assertEqual((again.status, again.body["account_id"]), (201, row))
        self.assertEqual(self.stack.sign(row).status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=1)
