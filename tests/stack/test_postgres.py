# SPDX-License-Identifier: Apache-2.0
"""A system that keeps its rows in PostgreSQL: each program under its own role, the server killed
under load, and what an operator can get wrong."""
import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

import support
from support import HASH, SOURCE, QUORATE, Stack, TestCase, change_env, signature_is_valid, until

sys.path.append(os.path.join(SOURCE, "tests", "support"))
from postgres import Server, programs  # noqa: E402
from postgres_tls import authority, certify, revocations  # noqa: E402


def service(stack, name, program=None, **changes):
    """Run a program of the system by itself with its variables changed; (exit code, log)."""
    env = dict(stack.env(name), **{k: str(v) for k, v in changes.items()})
    path = os.path.join(stack.dir, "trial.env")
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(f"{k}={v}\n" for k, v in env.items())
    beside = os.path.join(os.path.dirname(os.path.dirname(QUORATE)), "services")
    found = [os.path.join(d, n) for d, _, names in os.walk(beside) for n in names
             if n == "quorate-" + (program or name)]
    done = subprocess.run([found[0], "--env-file", path], capture_output=True, text=True,
                          timeout=support.LIMIT, check=False)
    return done.returncode, done.stdout + done.stderr


@unittest.skipUnless(programs(), "no PostgreSQL server is installed")
class Postgres(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        support.POSTGRES = cls.server.url()
        os.environ["DB_TEST_PASSWORD"] = cls.server.password
        # a server's start takes as long as the machine needs
        cls.stack = Stack(lambda directory: change_env(directory, "account-service",
                                                       SIGN_WAIT_S=300))
        cls.account = cls.stack.create()["account_id"]

    @classmethod
    def tearDownClass(cls):
        try:
            cls.stack.close()
        finally:
            cls.server.remove()

    def role(self, name):
        env = self.stack.env(name)
        return env["POSTGRES_USER"], env["POSTGRES_PASSWORD"]

    def count(self, name, table):
        role, password = self.role(name)
        return int(self.server.sql(f"SELECT count(*) FROM {role}.{table}", user=role,
                                   password=password))

    def test_rows_are_at_the_server_and_nowhere_else(self):
        self.assertEqual(self.stack.sign(self.account).status, 200)
        self.assertGreaterEqual(self.count("account-service", "accounts"), 1)
        self.assertGreaterEqual(self.count("session-coordinator", "sessions"), 2)
        for i in (1, 2, 3):
            self.assertGreaterEqual(self.count(f"party-{i}", "shares"), 1)
        for where, _, names in os.walk(self.stack.dir):
            self.assertEqual([n for n in names if n.endswith(".db")], [], where)

    def test_a_party_cannot_read_what_belongs_to_another(self):
        names = ("party-1", "party-2", "account-service", "session-coordinator")
        for one in names:
            role, password = self.role(one)
            for other in names:
                if other == one:
                    continue
                schema = self.role(other)[0]
                with self.assertRaisesRegex(RuntimeError, "permission denied for schema"):
                    self.server.sql(f"SELECT * FROM {schema}.schema_migrations", user=role,
                                    password=password)

    def test_who_speaks_to_the_server_for_a_party_is_in_a_sandbox(self):
        """One such process for each party: filtered calls, no new privileges."""
        found = [(status["Seccomp"], status["NoNewPrivs"]) for _, status in self.helpers()]
        self.assertGreaterEqual(len(found), 3)
        self.assertEqual(set(found), {("2", "1")})

    def helpers(self):
        """(pid, status) of the processes that speak to the server for keepers."""
        keepers = {str(pid) for name, pids in self.stack.processes().items() for pid in pids
                   if name.endswith("/keeper")}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/status", encoding="ascii") as f:
                    status = dict(line.split(":\t", 1) for line in f.read().splitlines())
                if status["PPid"] in keepers:
                    yield int(pid), status

    def test_a_party_begins_nothing_while_another_could_have_its_database(self):
        """Its claim ends with the connection, though its shares are in memory."""
        self.assertEqual(self.stack.sign(self.account).status, 200)
        stopped = [pid for pid, _ in self.helpers()]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            until(self.somebody_waits)
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        until(lambda: self.stack.sign(self.account).status == 200)

    def somebody_waits(self):
        """Asks for a signature; whether a party has said that it cannot be sure now."""
        self.stack.call("POST", "/api/v1/mpc/sign?wait=0",
                        {"account_id": self.account, "message_hash": HASH})
        return any("waits for its database" in self.stack.log(f"party-{i}") for i in (1, 2, 3))

    def test_passwords_are_told_nowhere(self):
        secrets = {self.role(n)[1] for n in ("party-1", "account-service", "session-coordinator")}
        for name in os.listdir(os.path.join(self.stack.dir, "log")):
            text = self.stack.log(name[:-len(".log")]) if name.endswith(".log") else ""
            self.assertFalse([s for s in secrets if s in text], name)
        for pids in self.stack.processes().values():
            for pid in pids:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read().decode(errors="replace")
                self.assertFalse([s for s in secrets if s in words], words)

    def test_the_server_is_killed_under_load(self):
        """What is in flight ends right, and what was answered is kept."""
        answers, goes_on = [], threading.Event()

        def load():
            while not goes_on.is_set():
                answers.append(self.stack.sign(self.account))

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(2):
                want = len(answers) + 10
                until(lambda n=want: len(answers) >= n)
                self.server.kill()
                self.server.start()
            want = len(answers) + 10
            until(lambda: len(answers) >= want)
        finally:
            goes_on.set()
            for thread in threads:
                thread.join()
        bad = [a for a in answers if a.status not in (200, 503, 504)]
        self.assertEqual(bad, [])
        good = [a.body for a in answers if a.status == 200]
        self.assertGreaterEqual(len(good), 20)
        self.assertTrue(signature_is_valid(good[-1]))
        kept = {line for line in self.server.sql(
            f"SELECT session_id FROM {self.role('session-coordinator')[0]}.sessions"
            " WHERE status = 'completed'").split()}
        self.assertEqual([g["session_id"] for g in good if g["session_id"] not in kept], [])
        self.assertEqual(self.stack.create()["status"], "active")

    def test_faults_are_one_line_and_an_exit(self):
        role = self.role("account-service")[0]
        self.server.sql("CREATE DATABASE other ENCODING 'LATIN1' TEMPLATE template0", "postgres")
        faults = [
            ({"POSTGRES_PASSWORD": "wrong-password"},
             f"refuses the password of the role {role}: set POSTGRES_PASSWORD"),
            ({"POSTGRES_DB": "nowhere"}, "has no database nowhere"),
            ({"POSTGRES_DB": "other"}, "is encoded in LATIN1"),
            ({"POSTGRES_USER": "nobody_knows"}, "POSTGRES_PASSWORD"),
            ({"POSTGRES_SCHEMA": "none_of_mine"}, "run quorate db init"),
            ({"POSTGRES_SCHEMA": "Not-A-Name"}, "set POSTGRES_SCHEMA"),
            ({"POSTGRES_PORT": 1, "RETRY_DELAY_MS": 1, "RETRY_MAX": 3}, "cannot be reached: Connection refused"),
            ({"POSTGRES_TLS": "require"}, "does not support SSL"),
            ({"POSTGRES_TLS": "verify-full"}, "POSTGRES_TLS_CA"),
            ({"POSTGRES_HOST": "192.0.2.1"}, "POSTGRES_TLS=off is allowed on loopback"),
            ({"POSTGRES_HOST": ""}, "POSTGRES_PASSWORD is set, but POSTGRES_HOST is not"),
        ]
        for changes, line in faults:
            with self.subTest(line):
                code, log = service(self.stack, "account-service", **changes)
                self.assertEqual(code, 1, log)
                errors = [x for x in log.splitlines() if " error " in x]
                self.assertEqual(len(errors), 1, log)
                self.assertIn(line, errors[0])
                self.assertNotIn("wrong-password", log)

    def test_a_database_of_a_newer_program_is_refused_and_unchanged(self):
        """By another schema of the same role, as one finds it after a step back."""
        role, password = self.role("account-service")
        self.server.sql(f"CREATE SCHEMA newer AUTHORIZATION {role}")
        self.server.sql("CREATE TABLE newer.schema_migrations (number bigint PRIMARY KEY,"
                        " applied_ms bigint NOT NULL);"
                        "INSERT INTO newer.schema_migrations VALUES (99, 0)", user=role,
                        password=password)
        code, log = service(self.stack, "account-service", POSTGRES_SCHEMA="newer")
        self.assertEqual(code, 1, log)
        self.assertIn("the database is at version 99", log)
        self.assertEqual(self.server.sql("SELECT count(*) FROM information_schema.tables"
                                         " WHERE table_schema = 'newer'"), "2")

    def is_ready(self, name):
        with contextlib.suppress(OSError, http.client.HTTPException):  # it may be starting anew
            return self.stack.call("GET", "/ready", key=False,
                                   url=self.stack.service_url(name)).status == 200
        return False

    def ready(self):
        """Of each service, whether it is."""
        return [self.is_ready(name) for name in ("account-service", "session-coordinator")]

    def test_a_service_whose_audit_rows_are_cut_off_ends(self):
        """Of a row that is older than a second it is known that it was committed."""
        name = "account-service"
        role, old = self.role(name)[0], self.stack.pid(name)

        def has_ended():
            if self.server.sql(f"SELECT count(*) FROM {role}.audit_log WHERE seq > 1") == "0":
                with contextlib.suppress(OSError):
                    self.stack.call("GET", "/api/v1/accounts")
            self.server.sql("SET session_replication_role = replica;"
                            f"DELETE FROM {role}.audit_log WHERE seq > 1 AND"
                            " at_ms < extract(epoch from clock_timestamp()) * 1000 - 1500")
            return old not in self.stack.processes().get(name, [])

        until(has_ended)
        self.assertIn("of the audit log is gone, which was committed", self.stack.log(name))
        self.stack.restarted(name, old)
        until(lambda: all(self.ready()))
        self.assertEqual(self.stack.sign(self.account, HASH).status, 200)

    def test_idle_services_see_that_the_server_is_gone(self):
        until(lambda: all(self.ready()))
        self.server.stop()
        until(lambda: not any(self.ready()))
        self.server.start()
        until(lambda: all(self.ready()))

    def test_a_request_waits_for_the_server_and_ends_well(self):
        """Nobody is told of the pause but those who ask whether the service is ready."""
        def is_ready():
            return all(self.ready())

        until(is_ready)
        self.server.stop()
        waiting = support.Request(lambda: self.stack.sign(self.account, HASH[::-1]))
        until(lambda: not is_ready())
        self.server.start()
        self.assertEqual(waiting.get().status, 200)
        until(is_ready)


@unittest.skipUnless(programs(), "no PostgreSQL server is installed")
class Encrypted(TestCase):
    """The way to the server: a certificate of the operator's CA, checked with the server's name."""

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="quorate-postgres-tls-")
        os.chmod(cls.dir, 0o755)
        cls.ca = authority(cls.dir, "ca")
        cls.other = authority(cls.dir, "other")
        crt, key = certify(cls.dir, cls.ca, "IP:127.0.0.1")
        cls.lists = revocations(cls.dir, cls.ca, crt)
        cls.server = Server(["ssl=on", f"ssl_cert_file={crt}", f"ssl_key_file={key}"])
        support.POSTGRES = cls.server.url()
        os.environ["DB_TEST_PASSWORD"] = cls.server.password

        def edit(directory):
            for name in (n[:-4] for n in os.listdir(directory) if n.endswith(".env")):
                if "POSTGRES_HOST" in support.read_env(os.path.join(directory, name + ".env")):
                    change_env(directory, name, POSTGRES_TLS="verify-full",
                               POSTGRES_TLS_CA=cls.ca[0], POSTGRES_TLS_CRL=cls.lists[0])
        cls.stack = Stack(edit)

    @classmethod
    def tearDownClass(cls):
        try:
            cls.stack.close()
        finally:
            cls.server.remove()
            shutil.rmtree(cls.dir)

    def test_every_session_is_encrypted(self):
        account = self.stack.create()["account_id"]
        self.assertTrue(signature_is_valid(self.stack.sign(account).body))
        found = self.server.sql("SELECT ssl, version, count(*) FROM pg_stat_ssl JOIN"
                                " pg_stat_activity USING (pid) WHERE application_name LIKE"
                                " 'quorate %' GROUP BY 1, 2").splitlines()
        self.assertEqual([line.rsplit("|", 1)[0] for line in found], ["t|TLSv1.3"])
        self.assertGreaterEqual(int(found[0].rsplit("|", 1)[1]), 5)

    def test_attack_a_server_of_another_authority_or_another_name(self):
        for changes, line in (
                ({"POSTGRES_TLS_CA": self.other[0]}, "certificate verify failed"),
                ({"POSTGRES_TLS": "verify-ca", "POSTGRES_TLS_CA": self.other[0]},
                 "certificate verify failed"),
                ({"POSTGRES_TLS_CRL": self.lists[1]}, "certificate verify failed"),
                ({"POSTGRES_HOST": "localhost"}, "does not match host name")):
            with self.subTest(line):
                code, log = service(self.stack, "account-service", **changes)
                self.assertEqual(code, 1, log)
                errors = [x for x in log.splitlines() if " error " in x]
                self.assertEqual(len(errors), 1, log)
                self.assertIn(line, errors[0])
                self.assertIn("see POSTGRES_TLS, POSTGRES_TLS_CA and POSTGRES_TLS_CRL", errors[0])

    def test_attack_a_list_that_cannot_be_used_is_no_list(self):
        torn = os.path.join(self.dir, "torn.crl")
        with open(self.lists[0], encoding="ascii") as whole, open(torn, "w", encoding="ascii") as f:
            f.write(whole.read() + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        for path in (self.ca[0], os.path.join(self.dir, "none"), torn):
            code, log = service(self.stack, "account-service", POSTGRES_TLS_CRL=path)
            self.assertEqual(code, 1, log)
            self.assertIn(f"POSTGRES_TLS_CRL: the file {path} cannot be read, is damaged or has no", log)

    def test_attack_a_partys_revoked_server(self):
        """The party's own process for the database has read the list."""
        code, log = service(self.stack, "party-3", "server-party", POSTGRES_TLS_CRL=self.lists[1],
                            DATA_DIR=tempfile.mkdtemp(dir=self.dir), HTTP_PORT=0, GRPC_PORT=0)
        self.assertNotEqual(code, 0, log)
        self.assertIn("certificate verify failed", log)

    def test_without_the_name_the_authority_suffices_where_that_is_asked_for(self):
        """What fails then is the port, which is in use: the server was believed."""
        code, log = service(self.stack, "account-service", POSTGRES_HOST="localhost",
                            POSTGRES_TLS="verify-ca")
        self.assertEqual(code, 1, log)
        self.assertIn("database kind=postgres host=localhost", log)


if __name__ == "__main__":
    unittest.main(verbosity=1)
