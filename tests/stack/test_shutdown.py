# SPDX-License-Identifier: Apache-2.0
"""Each service is told to end (SIGTERM) while requests run: what it has begun it finishes or hands
over, and nobody is refused whom another process could have served."""
import os
import signal
import sys
import time
import unittest

import support
from support import LIMIT, SOURCE, Stack, TestCase, until
from test_replicas import Load, Second, is_ready

sys.path.append(os.path.join(SOURCE, "tests", "support"))
from postgres import Server, programs  # noqa: E402


@unittest.skipUnless(programs(), "no PostgreSQL server is installed")
class Shutdown(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        support.POSTGRES = cls.server.url()
        os.environ["DB_TEST_PASSWORD"] = cls.server.password
        cls.second = None
        try:
            cls.stack = Stack()
            cls.second = Second(cls.stack, "account-service")
            cls.account = cls.stack.create()["account_id"]
            cls.urls = [cls.stack.service_url(n) for n in ("account-service", "account-service-2")]
        except BaseException:
            cls.server.remove()
            raise

    @classmethod
    def tearDownClass(cls):
        try:
            cls.second.end()
            cls.stack.close()
        finally:
            cls.server.remove()

    def under_load(self, urls, do):
        """The loads, after |do| and some more requests."""
        loads = [Load(self.stack, self.account, urls) for _ in range(4)]
        try:
            Load.more(loads, 3)
            do()
            Load.more(loads, 3)
        finally:
            Load.end(loads)
        return loads

    def leave_and_return(self, name):
        old = self.stack.kill(name, signal.SIGTERM)
        self.stack.restarted(name, old)
        until(lambda: is_ready(self.stack, name))

    def failures(self, loads):
        return [failure for load in loads for failure in load.failed]

    def test_parties(self):
        for name in ("party-1", "party-2", "party-3"):
            with self.subTest(name):
                loads = self.under_load(self.urls, lambda n=name: self.leave_and_return(n))
                self.assertEqual(self.failures(loads), [])

    def test_the_only_router(self):
        loads = self.under_load(self.urls, lambda: self.leave_and_return("message-router"))
        self.assertEqual(self.failures(loads), [])

    def test_an_account_service(self):
        """What it took before, it answers; then it is not there, which its callers see at once."""
        moment = []

        def leave():
            moment.append(time.monotonic())
            self.second.process.send_signal(signal.SIGTERM)
            self.assertEqual(self.second.process.wait(LIMIT), 0)

        try:
            loads = self.under_load(self.urls[::-1], leave)
        finally:
            self.second.start()
        for begun, _, what, fault in self.failures(loads):
            self.assertGreater(begun, moment[0], (what, fault))
            self.assertIsInstance(fault, OSError)


if __name__ == "__main__":
    unittest.main(verbosity=1)
