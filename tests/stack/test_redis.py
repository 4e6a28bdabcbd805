# SPDX-License-Identifier: Apache-2.0
"""The system with a Redis server beside it, which dies for good, hangs, and comes back under load:
no request fails, and nothing secret is kept there."""
import http.client
import os
import signal
import subprocess
import sys
import threading
import unittest

from doors import Door, Key, authority, certify, registration, wire
from support import (LIMIT, QUORATE, SOURCE, Request, Stack, TestCase, change_env,
                     signature_is_valid, together, until)

sys.path.append(os.path.join(SOURCE, "tests", "support"))
from postgres import free_port  # noqa: E402
from redis import Server, program  # noqa: E402

SERVICES = ("account-service", "session-coordinator", "message-router", "server-party-api")
CLIENTS = 4


@unittest.skipUnless(program(), "no Redis server is installed")
class Redis(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

        def edit(directory):
            for name in SERVICES:
                change_env(directory, name, REDIS_HOST="127.0.0.1", REDIS_PORT=cls.server.port,
                           REDIS_PASSWORD=cls.server.password, RETRY_DELAY_MS=50,
                           RATE_LIMIT_PER_MINUTE=1000000)
        try:
            cls.stack = Stack(edit)
        except BaseException:
            cls.server.remove()
            raise
        until(cls.is_shared)

    @classmethod
    def tearDownClass(cls):
        try:
            cls.stack.close()
        finally:
            cls.server.remove()

    @classmethod
    def is_shared(cls):
        try:
            return all(cls.stack.metrics(name).get("quorate_redis_up") == 1 for name in SERVICES)
        except OSError:  # it is just starting
            return False

    def created(self):
        """How often the coordinator was asked for a session."""
        return self.stack.metrics("session-coordinator")[
            'quorate_rpc_seconds_count{method="mpc.coordinator.v1.SessionCoordinator/CreateSession"}']

    def load(self, while_it_runs):
        """Clients sign, each until a few rounds after |while_it_runs| has ended. Every answer."""
        account = self.stack.create()
        is_over, rounds, answers = threading.Event(), [0] * CLIENTS, []

        def client(i):
            after = 0
            while after < 3:
                after += is_over.is_set()
                answer = self.stack.sign(account["account_id"], os.urandom(32).hex(),
                                         idempotency_key=os.urandom(8).hex())
                answers.append(answer)
                rounds[i] += 1

        def conductor():
            try:
                until(lambda: min(rounds) >= 2)
                while_it_runs()
            finally:
                is_over.set()

        conducted = Request(conductor)
        together(CLIENTS, client)
        conducted.get()
        return answers

    def expect_good(self, answers):
        self.assertEqual({answer.status for answer in answers}, {200})
        for answer in answers:
            self.assertTrue(signature_is_valid(answer.body))

    def test_1_hangs_and_comes_back_under_load(self):
        def hang():
            self.server.send(signal.SIGSTOP)
            until(lambda: self.stack.metrics("account-service")["quorate_redis_up"] == 0)
            self.server.send(signal.SIGCONT)
            until(self.is_shared)

        self.expect_good(self.load(hang))

    def test_2_a_repeat_is_answered_by_what_replicas_share(self):
        account = self.stack.create(idempotency_key="key-of-account")
        first = self.stack.sign(account["account_id"], idempotency_key="key-of-signature")
        # its own memory is lost
        self.stack.restarted("account-service", self.stack.kill("account-service"))
        until(self.is_shared)
        until(lambda: self.stack.call("GET", "/ready", key=False).status == 200)

        def repeat():
            before = self.created()
            answer = self.stack.sign(account["account_id"], idempotency_key="key-of-signature")
            return answer.body, self.created() - before

        port = int(self.stack.env("account-service")["HTTP_PORT"])
        self.assertEqual(self.in_time((port,), repeat), (first.body, 0))
        # an entry that somebody else wrote is none
        for key in self.server.ask("KEYS", "quorate:account-repeat/*"):
            self.server.ask("SET", key, b"x" * 68)
        other = self.stack.sign(account["account_id"], "22" * 32,
                                idempotency_key="key-of-signature")
        self.assertEqual(other.status, 409)

    def second_router(self):
        """Another replica beside the stack's; its HTTP port."""
        env = dict(self.stack.env("message-router"), HTTP_PORT=free_port(), GRPC_PORT=free_port())
        path = os.path.join(self.stack.dir, "second")  # no .env: it is none of the stack's
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(f"{k}={v}\n" for k, v in env.items())
        beside = os.path.join(os.path.dirname(os.path.dirname(QUORATE)), "services")
        log = open(path + ".log", "wb")
        self.addCleanup(log.close)
        process = subprocess.Popen([os.path.join(beside, "quorate-message-router"), "--env-file",
                                    path], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(process.wait, LIMIT)
        self.addCleanup(process.terminate)
        port = int(env["HTTP_PORT"])

        def is_up():
            try:
                return self.page(port, "/metrics").count(b"\nquorate_redis_up 1\n")
            except OSError:
                return False

        until(is_up)
        return port

    def page(self, port, path, source="127.0.0.1", **headers):
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT, source_address=(source, 0))
        try:
            c.request("GET", path, headers=headers)
            r = c.getresponse()
            text = r.read()
            return text if path == "/metrics" else r.status
        finally:
            c.close()

    def refusal(self, port, source):
        """The status of a try with a wrong key."""
        return self.page(port, "/api/v1/parties", source, **{"X-API-Key": "wrong"})

    def register(self, port, request):
        s = wire.Socket(Door(port))
        with s.s:
            s.send({"id": 1, "method": "mpc.router.v1.MessageRouter/RegisterParty",
                    "request": request})
            return s.receive()

    def in_time(self, ports, work):
        """What |work| gives, once Redis was in time for all of it: a loaded machine may be slow."""
        def failures():
            return [line for port in ports for line in self.page(port, "/metrics").splitlines()
                    if line.startswith(b"quorate_redis_failures_total ")]

        while True:
            before = failures()
            result = work()
            if failures() == before:
                return result

    def test_3_two_routers_are_one_to_strangers(self):
        first = int(self.stack.env("message-router")["HTTP_PORT"])
        second, key = self.second_router(), Key()
        good = certify(authority(self.stack), "party-88", key.public)
        for one, other in ((first, second), (second, first)):
            def twice(one=one, other=other):
                request = registration(key, good)
                return self.register(one, request), self.register(other, request)

            taken, refused = self.in_time((one, other), twice)
            self.assertIn("response", taken)
            self.assertEqual(refused["error"]["code"], "replayed")
            self.assertIn("response", self.register(other, registration(key, good)))
        # tries with a wrong key at both are counted together
        sources = (f"127.3.3.{i}" for i in range(1, 250))

        def tries():
            source, counts = next(sources), []
            for port in (first, second):
                counts.append(0)
                while self.refusal(port, source) != 429:
                    counts[-1] += 1
            return counts

        counts = self.in_time((first, second), tries)
        self.assertGreaterEqual(counts[0], 20)
        self.assertLess(counts[1], 15)

    def every_kind_is_kept(self):
        """Of what is remembered for a minute or for longer, some is made for this look."""
        self.stack.create(idempotency_key=os.urandom(8).hex())
        key = Key()
        self.register(int(self.stack.env("message-router")["HTTP_PORT"]), registration(
            key, certify(authority(self.stack), "party-88", key.public)))
        kept = "\n".join(self.server.ask("KEYS", "*"))
        return all("quorate:" + kind in kept for kind in (
            "access/l/rate/", "router-address/l/", "router-nonce/v/party-", "account-repeat/v/"))

    def test_4_nothing_secret_is_kept_there(self):
        env = self.stack.env("account-service")
        until(self.every_kind_is_kept)
        self.server.ask("CONFIG", "SET", "appendonly", "yes")
        until(lambda: self.server.info("aof_rewrite_in_progress") == 0)
        log = b""
        for directory, _, names in os.walk(self.server.dir):
            for name in names:
                with open(os.path.join(directory, name), "rb") as f:
                    log += b"" if name == "redis.conf" else f.read()
        self.assertIn(b"account-repeat", log)
        for secret in (env["MPC_API_KEY"], env["JWT_SECRET_KEY"], "key-of-account",
                       "key-of-signature"):
            self.assertNotIn(secret.encode(), log)

    def test_5_killed_for_good_under_load(self):
        def kill():
            self.server.kill()
            until(lambda: self.stack.metrics("account-service")["quorate_redis_up"] == 0)

        self.expect_good(self.load(kill))
        self.expect_good(self.load(lambda: None))
        # a party that comes back is let in, too
        metric = "quorate_router_registrations_total"
        before = self.stack.metrics("message-router")[metric]
        self.stack.restarted("party-1", self.stack.kill("party-1"))
        until(lambda: self.stack.metrics("message-router")[metric] > before)
        self.expect_good(self.load(lambda: None))
        self.assertIn("Redis is away", self.stack.log("account-service"))


if __name__ == "__main__":
    unittest.main(verbosity=1)
