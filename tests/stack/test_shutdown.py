# SPDX-License-Identifier: Apache-2.0
"""Each service is told to end (SIGTERM) while requests run: what it has begun it finishes or hands
over, and nobody is refused whom another process could have served."""
import base64
import os
import signal
import sys
import unittest
import uuid

import support
from sealed import key_pair, lent_share, open_box, seal  # of tests/interop, as support is
from support import (HASH, LIMIT, SOURCE, Request, Stack, TestCase, change_env, read_env,
                     signature_is_valid, standing, until)
from test_replicas import Load, Second, is_ready
from test_routers import FIRST, SECOND, SecondRouter

sys.path.append(os.path.join(SOURCE, "tests", "support"))
from postgres import Server, programs  # noqa: E402
from rabbitmq import PROGRAM as RABBITMQ, Server as Broker  # noqa: E402

DELEGATE, DELEGATES_ID = "server-party-api", "delegate-1"


def long_lease(directory):
    """Who stands still counts as there, however long the others take to leave and return."""
    change_env(directory, "message-router", LEASE_MS=60000)


def leave_and_return(stack, name):
    old = stack.kill(name, signal.SIGTERM)
    stack.restarted(name, old)
    until(lambda: is_ready(stack, name) and stack.is_whole())


def failures(loads):
    return [failure for load in loads for failure in load.failed]


def under_load(stack, account, urls, do):
    """The loads, after |do| and some more requests."""
    loads = [Load(stack, account, urls) for _ in range(4)]
    try:
        Load.more(loads, 3)
        do()
        Load.more(loads, 3)
    finally:
        Load.end(loads)
    return loads


@unittest.skipUnless(programs(), "no PostgreSQL server is installed")
class Shutdown(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        support.POSTGRES = cls.server.url()
        os.environ["DB_TEST_PASSWORD"] = cls.server.password
        cls.second = None
        try:
            cls.stack = Stack(long_lease)
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
            support.POSTGRES = None  # the others' systems keep their rows in files

    def under_load(self, urls, do):
        return under_load(self.stack, self.account, urls, do)

    def leave_and_return(self, name):
        leave_and_return(self.stack, name)

    def test_parties(self):
        for name in ("party-1", "party-2", "party-3"):
            with self.subTest(name):
                loads = self.under_load(self.urls, lambda n=name: self.leave_and_return(n))
                self.assertEqual(failures(loads), [])

    def test_the_only_router(self):
        loads = self.under_load(self.urls, lambda: self.leave_and_return("message-router"))
        self.assertEqual(failures(loads), [])

    def test_an_account_service(self):
        """What it took before, it answers; then it is not there, which its callers see at once."""
        def sign():
            return self.stack.call("POST", f"/api/v1/accounts/{self.account}/sign",
                                   {"message": HASH}, url=self.urls[1])

        running = len(self.stack.sessions())
        with standing(*map(self.stack.pid, ("party-1", "party-2"))):  # none signs without them
            requests = [Request(sign) for _ in range(4)]
            until(lambda: len(self.stack.sessions()) == running + 4)
            self.second.process.send_signal(signal.SIGTERM)
            until(lambda: "stopping signal=SIGTERM" in self.stack.log("account-service-2"))
        try:
            self.assertEqual([request.get().status for request in requests], [200] * 4)
            self.assertEqual(self.second.process.wait(LIMIT), 0)
            self.assertRaises(OSError, sign)
        finally:
            self.second.process.wait(LIMIT)
            self.second.start()


@unittest.skipUnless(os.path.exists(RABBITMQ), "no RabbitMQ server is installed")
class TwoRouters(TestCase):
    """Everybody knows both; who was at the one that leaves is at the other before it has gone."""

    @classmethod
    def setUpClass(cls):
        cls.broker = Broker()
        cls.addClassCleanup(cls.broker.remove)
        cls.stack = Stack(edit=cls.spread)
        cls.addClassCleanup(cls.stack.close)
        cls.addClassCleanup(cls.leave_second)
        cls.account = cls.stack.create()["account_id"]

    @classmethod
    def spread(cls, directory):
        change_env(directory, FIRST, **cls.broker.env())
        cls.second = SecondRouter(directory)
        first = "127.0.0.1:" + read_env(os.path.join(directory, FIRST + ".env"))["GRPC_PORT"]
        second = f"127.0.0.1:{cls.second.grpc}"
        for name in ("party-1", "party-3", "session-coordinator", "account-service"):
            change_env(directory, name, ROUTER_ADDR=f"{first},{second}")
        for name in ("party-2", DELEGATE):
            change_env(directory, name, ROUTER_ADDR=f"{second},{first}")
        cls.second.start()

    @classmethod
    def leave_second(cls):
        code = cls.second.end(signal.SIGTERM)
        assert code == 0, f"the second router ended with {code}"

    def under_load(self, do):
        loads = under_load(self.stack, self.account, [self.stack.url], do)
        self.assertEqual(failures(loads), [])

    def others(self, router):
        return self.stack.metrics(router)["quorate_router_others"]

    def test_the_second(self):
        self.under_load(self.leave_second)
        self.under_load(self.second.start)
        until(lambda: self.others(FIRST) == 1)

    def test_the_first(self):
        self.under_load(lambda: leave_and_return(self.stack, FIRST))
        until(lambda: self.others(SECOND) == 1)


class Delegate(TestCase):
    """It leaves in the midst of a session; its caller asks again, and has the same session's end."""

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(long_lease)
        cls.addClassCleanup(cls.stack.close)
        cls.public, cls.secret = key_pair()

    def api(self, method, path, body=None):
        """None while nobody answers there, or who does has no answer yet."""
        try:
            answer = self.stack.call(method, path, body, url=self.stack.service_url(DELEGATE))
        except OSError:
            return None
        self.said.append((answer.status, answer.body.get("code"), answer.body.get("error")))
        return None if answer.status == 503 else answer

    def setUp(self):
        self.said = []

    def held_up(self, party, begin):
        """What |begin| comes to, if the delegate leaves while a party stands still."""
        old = self.stack.pid(DELEGATE)
        with standing(self.stack.pid(party)):
            request = begin()
            os.kill(old, signal.SIGTERM)
            self.stack.restarted(DELEGATE, old)
        return request

    def create(self):
        return self.stack.create(user_share="delegate", user_public_key=self.public.hex())

    def share_of(self, account):
        box = base64.b64decode(account["encrypted_user_share"], validate=True)
        return open_box(box, self.public, self.secret)

    def until_invited(self, since):
        """The delegate has heard of one more session."""
        until(lambda: self.stack.log(DELEGATE).count("session=") > since)

    def test_a_key_generation(self):
        def begin():
            since = self.stack.log(DELEGATE).count("session=")
            request = Request(self.create)
            self.until_invited(since)
            return request

        account = self.held_up("party-3", begin).get()
        self.assertEqual(account["status"], "active")
        self.assertTrue(self.share_of(account))
        self.assertTrue(signature_is_valid(self.stack.sign(account["account_id"]).body))

    def test_a_signature_with_a_lent_share(self):
        """A share is lent once: it is lent for another session, as the answer says."""
        account = self.create()
        share = self.share_of(account)
        self.api("POST", "/api/v1/shares/confirm", {"session_id": account["session_id"]})
        other = next(p for p in account["parties"] if p != DELEGATES_ID)
        message = uuid.uuid4().hex * 2

        def lend():
            session = self.stack.call("POST", "/api/v1/mpc/sign?wait=0", {
                "account_id": account["account_id"], "message_hash": message,
                "participants": [{"party_id": other}, {"party_id": DELEGATES_ID}]}).body
            key = until(lambda: self.api("GET", "/api/v1/shares/key"))
            box = seal(lent_share(session["session_id"], share),
                       bytes.fromhex(key.body["public_key"]))
            return self.api("POST", "/api/v1/shares/sign", {
                "session_id": session["session_id"],
                "join_token": session["join_tokens"][DELEGATES_ID],
                "user_share": base64.b64encode(box).decode()})

        def begin():
            since = self.stack.log(DELEGATE).count("session=")
            request = Request(lend)
            self.until_invited(since)
            return request

        answer = self.held_up(other, begin).get() or until(lend)
        for _, code, text in self.said:
            if code == "stopping":
                self.assertIn("begin another session", text)
        self.assertEqual(answer.status, 200, (answer, self.said))
        self.assertTrue(signature_is_valid({
            "signature": answer.body["signature"], "public_key": account["public_key"],
            "message_hash": message}), answer)


if __name__ == "__main__":
    unittest.main(verbosity=1)
