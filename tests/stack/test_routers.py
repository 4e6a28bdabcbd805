# SPDX-License-Identifier: Apache-2.0
"""Two routers with RabbitMQ between them, parties spread over both: signatures go on while a router
dies, stands still or comes back, and while the broker is away."""
import os
import signal
import subprocess
import sys
import unittest

from support import (LIMIT, QUORATE, SOURCE, Request, Stack, TestCase, change_env, read_env,
                     signature_is_valid, together, until)

sys.path.append(os.path.join(SOURCE, "tests", "support"))
from rabbitmq import PROGRAM as RABBITMQ, Server, free_ports  # noqa: E402

FIRST, SECOND = "message-router", "message-router-2"
BINARY = os.path.join(os.path.dirname(os.path.dirname(QUORATE)), "services",
                      "quorate-message-router")


class SecondRouter:
    """A replica beside those that `quorate up` runs, with an env file and a log like theirs."""

    def __init__(self, directory):
        self.dir = directory
        self.process = None
        self.http, self.grpc = free_ports(2)
        path = os.path.join(directory, SECOND + ".env")
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(f"{k}={v}\n" for k, v in read_env(
                os.path.join(directory, FIRST + ".env")).items())
        change_env(directory, SECOND, HTTP_PORT=self.http, GRPC_PORT=self.grpc)

    def start(self):
        os.makedirs(os.path.join(self.dir, "log"), exist_ok=True)
        with open(os.path.join(self.dir, "log", SECOND + ".log"), "ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "--env-file", os.path.join(self.dir, SECOND + ".env")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def end(self, sig=signal.SIGKILL):
        self.process.send_signal(sig)
        return self.process.wait(LIMIT)


@unittest.skipUnless(os.path.exists(RABBITMQ), "no RabbitMQ server is installed")
class Routers(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Server()
        cls.second = None
        try:
            cls.stack = Stack(edit=cls.spread)
            cls.account = cls.stack.create()
        except BaseException:
            cls.broker.remove()
            raise

    @classmethod
    def spread(cls, directory):
        """Party 3 at the first router, 2 at the second; 1 is at the first that answers it."""
        change_env(directory, FIRST, RETRY_DELAY_MS=500, RETRY_MAX=100, **cls.broker.env())
        cls.second = SecondRouter(directory)
        first = "127.0.0.1:" + read_env(os.path.join(directory, FIRST + ".env"))["GRPC_PORT"]
        second = f"127.0.0.1:{cls.second.grpc}"
        for name in ("party-1", "session-coordinator", "account-service"):
            change_env(directory, name, ROUTER_ADDR=f"{first},{second}")
        # these wait until theirs is back
        change_env(directory, "party-3", ROUTER_ADDR=first)
        change_env(directory, "party-2", ROUTER_ADDR=second)
        change_env(directory, "server-party-api", ROUTER_ADDR=f"{second},{first}")
        cls.second.start()

    @classmethod
    def tearDownClass(cls):
        try:
            code = cls.second.end(signal.SIGTERM)
            cls.stack.close()
            assert code == 0, f"the second router ended with {code}"
        finally:
            cls.broker.remove()

    def metric(self, name):
        return [self.stack.metrics(router)[name] for router in (FIRST, SECOND)]

    def parties_are_live(self):
        """At both routers."""
        for router in (FIRST, SECOND):
            try:
                answer = self.stack.call("GET", "/api/v1/parties",
                                         url=self.stack.service_url(router))
            except OSError:
                return False
            live = [p["party_id"] for p in answer.body["parties"] if p["live"]] \
                if answer.status == 200 else []
            if len(live) < 4:
                return False
        return self.stack.is_whole()

    def signs(self, fields=None):
        answer = self.stack.sign(self.account["account_id"], **(fields or {}))
        self.assertEqual(answer.status, 200, answer.body)
        self.assertTrue(signature_is_valid(answer.body))
        return answer.body

    def signs_again(self):
        """Once a signature comes about: then all do."""
        until(self.parties_are_live)
        until(lambda: self.stack.sign(self.account["account_id"]).status == 200)
        together(4, lambda i: self.signs())

    def parties(self):
        return self.account["parties"]

    def names(self):
        return sorted(p if isinstance(p, str) else p["party_id"] for p in self.parties())

    def last_registrations(self):
        """When party 1 came to each router."""
        words = f"a party registered party={self.names()[0]} "
        return [max((line[:24] for line in self.stack.log(router).splitlines() if words in line),
                    default="") for router in (FIRST, SECOND)]

    def beside_party_1(self):
        """Which of 2 and 3, from 0, is at its router."""
        first, second = self.last_registrations()
        return 2 if first > second else 1

    def sign_with(self, *which):
        names = self.names()
        chosen = [names[i] for i in which]
        answer = self.stack.call("PUT", f"/api/v1/accounts/{self.account['account_id']}"
                                 "/signing-parties", {"party_ids": chosen})
        self.assertEqual(answer.status, 200, answer.body)
        return chosen

    def any_party_signs(self):
        self.stack.call("DELETE", f"/api/v1/accounts/{self.account['account_id']}/signing-parties")

    def test_1_parties_at_two_routers_sign(self):
        until(self.parties_are_live)
        self.sign_with(1, 2)
        before = self.metric("quorate_router_messages_forwarded_total")
        for _ in range(5):
            self.signs()
        after = self.metric("quorate_router_messages_forwarded_total")
        self.assertGreater(after[0], before[0])
        self.assertGreater(after[1], before[1])
        self.any_party_signs()

    def test_2_parties_at_one_router_need_no_broker(self):
        def crossed():
            """Messages of each router after and before five signatures; None if party 1 has moved."""
            came = self.last_registrations()
            self.sign_with(0, self.beside_party_1())
            before = self.metric("quorate_router_messages_forwarded_total")
            carried = self.metric("quorate_router_messages_total")
            for _ in range(5):
                self.signs()
            self.assertGreater(sum(self.metric("quorate_router_messages_total")), sum(carried))
            after = self.metric("quorate_router_messages_forwarded_total")
            return [after, before] if self.last_registrations() == came else None

        until(self.parties_are_live)
        after, before = until(crossed)
        self.assertEqual(after, before)
        self.any_party_signs()

    def test_3_a_router_that_dies(self):
        requests = [Request(lambda: self.stack.sign(self.account["account_id"])) for _ in range(8)]
        old = self.stack.kill(FIRST)
        for request in requests:
            self.assertEqual(request.get().status, 200)
        self.stack.restarted(FIRST, old)
        self.signs_again()
        requests = [Request(lambda: self.stack.sign(self.account["account_id"])) for _ in range(8)]
        self.second.end()
        for request in requests:
            self.assertEqual(request.get().status, 200)
        self.signs()
        self.second.start()
        self.signs_again()

    def test_4_a_router_that_stands_still_and_goes_on(self):
        requests = [Request(lambda: self.stack.sign(self.account["account_id"])) for _ in range(8)]
        self.second.process.send_signal(signal.SIGSTOP)
        for request in requests:
            self.assertEqual(request.get().status, 200)
        # its parties have found the other one
        until(lambda: self.stack.metrics(FIRST)["quorate_router_others"] == 0)
        self.signs()
        self.second.process.send_signal(signal.SIGCONT)
        until(lambda: self.stack.metrics(FIRST)["quorate_router_others"] == 1)
        self.signs_again()

    def test_5_a_broker_that_dies_and_comes_back(self):
        epochs = self.metric("quorate_router_epochs_total")
        requests = [Request(lambda: self.stack.sign(self.account["account_id"])) for _ in range(4)]
        self.broker.kill()
        later = [Request(lambda: self.stack.sign(self.account["account_id"])) for _ in range(4)]
        self.broker.start()
        for request in requests + later:
            answer = request.get()
            # right: a signature, or a clear word that there is none
            self.assertIn(answer.status, (200, 422, 503, 504), answer.body)
        until(lambda: self.metric("quorate_router_broker_up") == [1, 1])
        until(lambda: self.metric("quorate_router_others") == [1, 1])
        until(lambda: all(a > b for a, b in zip(self.metric("quorate_router_epochs_total"),
                                                epochs)))
        self.signs_again()

    def test_6_a_broker_that_stands_still(self):
        requests = [Request(lambda: self.stack.sign(self.account["account_id"])) for _ in range(4)]
        self.broker.signal(signal.SIGSTOP)
        # nothing comes from the other one: it counts as gone
        until(lambda: self.metric("quorate_router_others") == [0, 0])
        self.broker.signal(signal.SIGCONT)
        for request in requests:
            self.assertIn(request.get().status, (200, 422, 503, 504))
        until(lambda: self.metric("quorate_router_others") == [1, 1])
        self.signs_again()

    def test_7_a_router_without_its_broker_ends_with_a_word(self):
        change_env(self.stack.dir, SECOND, RABBITMQ_PORT=free_ports(1)[0], RETRY_MAX=2,
                   RETRY_DELAY_MS=10)
        self.assertEqual(self.second.end(signal.SIGTERM), 0)
        try:
            self.second.start()
            self.assertEqual(self.second.process.wait(LIMIT), 1)
            self.assertIn("RABBITMQ_HOST", self.stack.log(SECOND))
            change_env(self.stack.dir, SECOND, RABBITMQ_PASSWORD="")
            self.second.start()
            self.assertEqual(self.second.process.wait(LIMIT), 1)
            self.assertIn("RABBITMQ_PASSWORD must be set", self.stack.log(SECOND))
        finally:
            change_env(self.stack.dir, SECOND, RETRY_MAX=100, RETRY_DELAY_MS=500,
                       **self.broker.env())
            self.second.start()
        self.signs_again()


if __name__ == "__main__":
    unittest.main()
