# SPDX-License-Identifier: Apache-2.0
"""Two hosts: everything on one, but for a party, the database or the broker between routers, which is
on the other. The network between them is cut and healed under load. What was asked ends right, what is asked later
works, and nothing that was acknowledged is lost."""
import contextlib
import json
import os
import pwd
import signal
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

from support import (HASH, LIMIT, LONG, QUORATE, SOURCE, Stack, TestCase, change_env, read_env,
                     rows_at_server, signature_is_valid, until, use_postgres)

sys.path.append(os.path.join(SOURCE, "tests", "support"))
import hosts  # noqa: E402
from postgres import Server, programs  # noqa: E402
from rabbitmq import PROGRAM as RABBITMQ, Server as Broker, free_ports  # noqa: E402

PROGRAMS = os.path.join(os.path.dirname(os.path.dirname(QUORATE)), "services")
CALLED = ("message-router", "session-coordinator")  # by parties
AWAY = "party-3"
ENOUGH = 5  # signatures in each part of a play


def certify(directory, name, host, out=None):
    """A new certificate of |name| that is good for |host| as well."""
    out = out or os.path.join(directory, name)
    for file in ("tls.crt", "tls.key"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(out, file))
    subprocess.run([QUORATE, "pki", "issue", name, "--dir", os.path.join(directory, "tls"), "--out",
                    out, "--hosts", "localhost,127.0.0.1," + host], check=True, capture_output=True)


class HostsStack(Stack):
    """A system whose processes this one starts, those of |away| (name -> host) elsewhere. |spread|
    gets the directory before anything runs."""

    def __init__(self, spread, away=()):
        self.away, self.running = dict(away), {}
        super().__init__(edit=spread, options=["--tls"])

    def run(self, name):
        program = "server-party" if name.startswith("party-") else name.removesuffix("-2")
        words = [os.path.join(PROGRAMS, "quorate-" + program), "--env-file",
                 os.path.join(self.dir, name + ".env")]
        os.makedirs(os.path.join(self.dir, "log"), exist_ok=True)
        with open(os.path.join(self.dir, "log", name + ".log"), "ab") as log:
            self.running[name] = subprocess.Popen(
                self.away[name].inside(*words) if name in self.away else words,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=hosts.end_with_parent)

    def start(self):
        with open(os.path.join(self.dir, "client.json"), encoding="utf-8") as f:
            client = json.load(f)
        self.url, self.key = client["url"], client["api_key"]
        for name in sorted(f[:-4] for f in os.listdir(self.dir) if f.endswith(".env")):
            self.run(name)
        until(lambda: len(self.live()) == 3)
        until(lambda: self.call("POST", "/api/v1/accounts", {"user_id": "u"}).status == 201)

    def live(self):
        """Persistent parties that are."""
        with contextlib.suppress(OSError):
            answer = self.call("GET", "/api/v1/parties")
            if answer.status == 200:
                return {p["party_id"] for p in answer.body["parties"]
                        if p["live"] and p["role"] == "persistent"}
        return set()

    def stop(self):
        for p in self.running.values():
            p.send_signal(signal.SIGTERM)
        codes = {name: p.wait(LIMIT) for name, p in self.running.items()}
        self.running = {}
        return {c for c in codes.values() if c != 0} or 0

    def remove(self):
        for p in self.running.values():
            p.kill()
            p.wait(LIMIT)
        super().remove()


class Load:
    """Threads that go on asking, each for the same again, until they are told to stop."""

    def __init__(self, *asks):
        self.answers = [[] for _ in asks]
        self.is_over, self.faults = False, []
        self.threads = [threading.Thread(target=self.go_on, args=(ask, got), daemon=True)
                        for ask, got in zip(asks, self.answers)]
        for t in self.threads:
            t.start()

    def go_on(self, ask, got):
        try:
            while not self.is_over:
                got.append(ask())
        except BaseException as e:  # told by more and stop
            self.faults.append(e)

    def good(self, i):
        return sum(a.status in (200, 201) for a in self.answers[i])

    def more(self, i, n):
        """Until |n| more good answers came to ask |i|."""
        wanted = self.good(i) + n
        until(lambda: self.faults or self.good(i) >= wanted)
        assert not self.faults, self.faults

    def all_more(self):
        """The last one asks for what takes long."""
        for i in range(len(self.answers)):
            self.more(i, 1 if i == len(self.answers) - 1 else ENOUGH)

    def stop(self):
        self.is_over = True
        for t in self.threads:
            t.join(LIMIT)
        assert not self.faults, self.faults
        return self.answers


class Plays(TestCase):
    """What happens at each cut, and what it has to leave as it was."""
    sessions = "SELECT session_id, status, signature, attempts_n FROM sessions"

    def pin(self, account_id, *parties):
        answer = self.stack.call("PUT", f"/api/v1/accounts/{account_id}/signing-parties",
                                 {"party_ids": parties})
        self.assertEqual(answer.status, 200, answer)

    def play(self, is_cut, is_healed, goes_on=True):
        """Load, cut, |is_cut|, heal, |is_healed|, load. Requests: for an account that any parties
        may sign for, for one that needs AWAY, for new accounts. |goes_on|: the first are served all
        the time."""
        free, bound = self.stack.create()["account_id"], self.stack.create()["account_id"]
        self.pin(bound, "party-1", AWAY)
        load = Load(*[lambda: self.stack.sign(free)] * 3, lambda: self.stack.sign(bound),
                    lambda: self.stack.call("POST", "/api/v1/accounts", {"user_id": "u-hosts"}))
        try:
            load.all_more()
            self.host.cut()
            try:
                until(is_cut)
                for i in range(3 if goes_on else 0):
                    load.more(i, ENOUGH)
            finally:
                self.host.heal()
            until(is_healed)
            load.all_more()
        finally:
            answers = load.stop()
        self.check([a for some in answers[:3] for a in some], answers[3], answers[4], goes_on)

    def check(self, free, bound, created, goes_on):
        for answer in free + bound + created:
            if answer.status not in (200, 201):
                self.assertIn(answer.status, (422, 503, 504), answer)
                self.assertError(answer, answer.status)
        again = self.check_signatures([a.body for a in free + bound if a.status == 200])
        if goes_on:
            self.assertEqual([a for a in free if a.status != 200], [])
            self.assertTrue(again, "the cut was in nobody's way")
        for answer in created:
            if answer.status == 201:
                self.check_account(answer.body["account_id"])
        self.assertEqual(self.stack.burned(), [])

    def check_signatures(self, answers):
        """Each is as it was acknowledged. The last ones, and those that took more than one attempt
        and are given back, are checked by themselves."""
        rows = {row[0]: row[1:] for row in self.rows()}
        again = []
        for answer in answers:
            status, signature, attempts = rows[answer["session_id"]]
            self.assertEqual((status, signature.hex()[:128]),
                             ("completed", answer["signature"]["compact"]))
            again += [answer] if attempts > 1 else []
        self.assertEqual(len({a["session_id"] for a in answers}), len(answers))
        for answer in again + answers[-10:]:
            self.assertTrue(signature_is_valid(answer))
        return again

    def rows(self):
        return self.stack.rows("session-coordinator", "coordinator.db", self.sessions)

    def check_account(self, account_id):
        """Every party has its share."""
        for other in ("party-1", "party-2"):
            self.pin(account_id, other, AWAY)
            answer = self.stack.sign(account_id, HASH)
            self.assertEqual(answer.status, 200, answer)
            self.assertTrue(signature_is_valid(answer.body))


class PartyAway(Plays):
    @classmethod
    def setUpClass(cls):
        cls.host = hosts.Host(1)
        cls.addClassCleanup(cls.host.close)
        cls.stack = HostsStack(cls.spread, {AWAY: cls.host})
        cls.addClassCleanup(cls.stack.close)

    @classmethod
    def spread(cls, directory):
        addresses = {}
        for name in CALLED:
            change_env(directory, name, LISTEN_HOST="0.0.0.0")
            certify(directory, name, cls.host.here)
            port = read_env(os.path.join(directory, name + ".env"))["GRPC_PORT"]
            addresses[name] = f"{cls.host.here}:{port}"
        change_env(directory, AWAY, ROUTER_ADDR=addresses["message-router"],
                   COORDINATOR_ADDR=addresses["session-coordinator"])
        change_env(directory, "account-service", SIGN_WAIT_S=120)  # nobody fails for being slow
        change_env(directory, "session-coordinator", KEYGEN_ATTEMPT_MS=10000)

    def cut(self, is_over=lambda: True):
        self.play(lambda: AWAY not in self.stack.live() and is_over(),
                  lambda: AWAY in self.stack.live())

    def test_the_network_to_a_party_is_cut_and_healed(self):
        self.cut()

    @unittest.skipUnless(LONG, "STACK_LONG")
    def test_it_stays_cut_until_the_party_has_given_up(self):
        lost = self.stack.log(AWAY).count("connection lost")
        self.cut(lambda: self.stack.log(AWAY).count("connection lost") >= lost + 2)


@unittest.skipUnless(LONG and programs(), "STACK_LONG, and a PostgreSQL server")
class DatabaseAway(Plays):
    """The rows of account-service and of the coordinator, by TLS; parties have theirs beside them.
    """
    servers = ("account-service", "session-coordinator")

    @classmethod
    def setUpClass(cls):
        cls.host = hosts.Host(2)
        cls.addClassCleanup(cls.host.close)
        cls.place = tempfile.mkdtemp(prefix="quorate-hosts-")
        cls.addClassCleanup(shutil.rmtree, cls.place)
        os.chmod(cls.place, 0o755)
        cls.stack = HostsStack(cls.spread)
        cls.addClassCleanup(lambda: cls.server.remove())
        cls.addClassCleanup(cls.stack.close)

    @classmethod
    def spread(cls, directory):
        certify(directory, "postgres", cls.host.address, cls.place)
        crt, key = (os.path.join(cls.place, n) for n in ("tls.crt", "tls.key"))
        if os.geteuid() == 0:
            for path in (crt, key):
                os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
        kept = {}
        for name in (n for n in os.listdir(directory) if n.startswith("party-") or "api" in n):
            if name.endswith(".env"):
                with open(os.path.join(directory, name), encoding="utf-8") as f:
                    kept[name] = f.read()
        with cls.host.entered():
            cls.server = Server(["listen_addresses=*", "ssl=on", f"ssl_cert_file={crt}",
                                 f"ssl_key_file={key}"])
            with open(os.path.join(cls.server.data, "pg_hba.conf"), "a", encoding="ascii") as f:
                f.write("hostssl all all 10.77.0.0/16 scram-sha-256\n")
            cls.server.sql("SELECT pg_reload_conf()")
            use_postgres(directory, cls.server.url(), cls.server.password)
        for name, text in kept.items():
            with open(os.path.join(directory, name), "w", encoding="utf-8") as f:
                f.write(text)
        for name in cls.servers:
            change_env(directory, name, POSTGRES_HOST=cls.host.address, POSTGRES_TLS="verify-full",
                       POSTGRES_TLS_CA=os.path.join(directory, "tls", "ca.crt"))

    def rows(self):
        with self.host.entered():  # where it is plain text to the server
            return rows_at_server({**self.stack.env("session-coordinator"),
                                   "POSTGRES_HOST": "127.0.0.1"}, self.sessions, ())

    def is_ready(self, name):
        with contextlib.suppress(OSError):
            return self.stack.call("GET", "/ready", key=False,
                                   url=self.stack.service_url(name)).status == 200
        return False

    def has_lost(self, name):
        return "the connection to the database is lost" in self.stack.log(name)

    def test_the_network_to_the_database_is_cut_and_healed(self):
        """For so long that both give the connection up: it is not the same one that goes on."""
        self.play(lambda: all(self.has_lost(name) for name in self.servers) and
                  not self.is_ready("session-coordinator"),
                  lambda: self.is_ready("session-coordinator"), goes_on=False)


@unittest.skipUnless(LONG and os.path.exists(RABBITMQ), "STACK_LONG, and a RabbitMQ server")
class BrokerAway(Plays):
    """Two routers, AWAY at the second one, the others at the first."""
    routers = ("message-router", "message-router-2")

    @classmethod
    def setUpClass(cls):
        cls.host = hosts.Host(3)
        cls.addClassCleanup(cls.host.close)
        with cls.host.entered():
            cls.broker = Broker([f"listeners.ssl.2 = {cls.host.address}:5671"])
        cls.addClassCleanup(cls.broker.remove)
        cls.stack = HostsStack(cls.spread)
        cls.addClassCleanup(cls.stack.close)

    @classmethod
    def spread(cls, directory):
        change_env(directory, cls.routers[0], **{
            **cls.broker.env(), "RABBITMQ_HOST": cls.host.address, "RABBITMQ_PORT": 5671,
            "RABBITMQ_TLS": "verify-ca", "RABBITMQ_TLS_CA": cls.broker.ca})
        shutil.copy(os.path.join(directory, cls.routers[0] + ".env"),
                    os.path.join(directory, cls.routers[1] + ".env"))
        http, grpc = free_ports(2)
        change_env(directory, cls.routers[1], HTTP_PORT=http, GRPC_PORT=grpc)
        change_env(directory, AWAY, ROUTER_ADDR=f"127.0.0.1:{grpc}")
        change_env(directory, "session-coordinator", KEYGEN_ATTEMPT_MS=3000)

    def joined(self, n):
        return all(self.stack.metrics(r)["quorate_router_others"] == n for r in self.routers)

    def test_the_network_to_the_broker_is_cut_and_healed(self):
        self.play(lambda: self.joined(0), lambda: self.joined(1))


if __name__ == "__main__":
    hosts.enter()
    unittest.main()
