# SPDX-License-Identifier: Apache-2.0
"""quorate doctor: each fault is one line that names the thing and says what to do, exit code 1, and
nothing is changed. What it says of real servers is tested where they run (test_deploy.py)."""
import contextlib
import datetime
import email.utils
import http.server
import json
import os
import re
import shutil
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support import LIMIT, QUORATE, SOURCE, TestCase, run, until

sys.path.append(os.path.join(SOURCE, "tests", "support"))
from postgres import free_port  # noqa: E402

PARTY, ACCOUNT = "party-1", "account-service"


def read_env(path):
    with open(path, encoding="utf-8") as f:
        return dict(line.rstrip("\n").split("=", 1) for line in f
                    if "=" in line and not line.startswith("#"))


@contextlib.contextmanager
def service(ahead=0, status=200, metrics=b"", shows=None, says=b'{"service":"x"}'):
    """Something that answers as a service does, |ahead| seconds in the future; its port. |shows|:
    the variables of its certificate."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def date_time_string(self, timestamp=None):
            return email.utils.formatdate(time.time() + ahead, usegmt=True)

        def do_GET(self):
            body = metrics if self.path == "/metrics" else says
            self.send_response(200 if self.path == "/metrics" else status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if shows:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(shows["GRPC_TLS_CERT"], shows["GRPC_TLS_KEY"])
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def redis():
    """Something in Redis's place that tells the time in numbers and knows nothing else: its port,
    and what it was told."""
    said = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            while data := self.request.recv(4096):
                said.append(data)
                self.request.sendall(b"*2\r\n:%d\r\n:0\r\n" % time.time() if b"TIME" in data
                                     else b"-that is no command\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1], said
        finally:
            server.shutdown()
            thread.join()


def free_ports(n):
    """Nobody listens there, and no connection has one for its own end."""
    ports = set()
    while len(ports) < n:
        ports.add(free_port())
    return list(ports)


class Doctor(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="quorate-doctor-")
        cls.addClassCleanup(shutil.rmtree, cls.home, ignore_errors=True)
        cls.dir = os.path.join(cls.home, "d")
        r = run("up", "--dir", cls.dir, "--free-ports", "--tls", "--prepare")
        assert r.code == 0, r
        cls.tls = os.path.join(cls.dir, "tls")

    def doctor(self, *words):
        r = run("doctor", *words, "--json")
        self.assertEqual(r.err, "")
        report = json.loads(r.out)
        self.assertEqual(r.code, 1 if report["findings"] else 0, r)
        for one in report["findings"]:
            self.assertEqual(set(one), {"where", "what", "do"})
            self.assertNotIn("\n", one["what"])
        return report

    def env(self, name, **changes):
        """A copy of the process's file, with changes."""
        env = {**read_env(os.path.join(self.dir, name + ".env")), **changes}
        path = self.path(name + ".env")
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(f"{k}={v}\n" for k, v in env.items() if v is not None)
        os.chmod(path, 0o600)
        return path

    def found(self, text, name=PARTY, todo="", **changes):
        """One finding has |text|, and says to do |todo|; nothing is changed by looking."""
        path = self.env(name, **changes)
        before = self.tree()
        findings = self.doctor("--env", path)["findings"]
        self.assertEqual(self.tree(), before)
        hits = [one for one in findings if text in one["what"]]
        self.assertEqual(len(hits), 1, findings)
        self.assertEqual(hits[0]["where"], name)
        self.assertIn(todo, hits[0]["do"])
        return hits[0]

    def not_found(self, text, name=PARTY, **changes):
        findings = self.doctor("--env", self.env(name, **changes))["findings"]
        self.assertFalse([one for one in findings if text in one["what"]], findings)

    def issue(self, *words, hosts="127.0.0.1"):
        """A certificate of the system's authority: its variables."""
        out = tempfile.mkdtemp(dir=self.tmp)
        r = run("pki", "issue", os.path.basename(out), "--dir", self.tls, "--out", out, "--hosts",
                hosts, *words)
        self.assertEqual(r.code, 0, r)
        return {"GRPC_TLS_CERT": out + "/tls.crt", "GRPC_TLS_KEY": out + "/tls.key"}

    # --- configuration ---

    def test_an_unknown_variable(self):
        self.found("POSTGRES_PASSWORT is not a variable", POSTGRES_PASSWORT="x",
                   todo="correct its configuration")

    def test_a_placeholder_in_production(self):
        self.found("CRYPTO_MASTER_KEY is still the placeholder", CRYPTO_MASTER_KEY="0" * 64)

    def test_a_file_that_others_may_read(self):
        os.chmod(self.env(PARTY), 0o644)
        findings = self.doctor("--env", self.path(PARTY + ".env"))["findings"]
        self.assertEqual([o for o in findings if "0600" in o["what"] or "chmod" in o["what"]],
                         findings[:1])

    # --- certificates and keys ---

    def test_the_certificate_of_the_wrong_party(self):
        self.found("names party party-2, but this is party party-1",
                   **self.issue("--party", "party-2"), todo="--party")
        self.found("names party party-2, but this is no party", ACCOUNT,
                   **self.issue("--party", "party-2"), todo="without --party")

    def test_a_certificate_that_ends_soon(self):
        self.found("expires in ", **self.issue("--party", PARTY, "--days", "10"),
                   todo="quorate pki renew")
        self.not_found("expires in", **self.issue("--party", PARTY, "--days", "20"))

    def test_a_certificate_that_has_expired(self):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
        now = datetime.datetime.now(datetime.timezone.utc)
        made = x509.CertificateBuilder(name, name, key.public_key(), 7,
                                       now - datetime.timedelta(days=9),
                                       now - datetime.timedelta(days=1)).sign(key, hashes.SHA256())
        pem = serialization.Encoding.PEM
        crt = self.write("old.crt", made.public_bytes(pem))
        key = self.write("old.key", key.private_bytes(pem, serialization.PrivateFormat.PKCS8,
                                                      serialization.NoEncryption()))
        os.chmod(key, 0o600)
        self.found("expired", GRPC_TLS_CERT=crt, GRPC_TLS_KEY=key)

    def test_a_certificate_of_another_authority(self):
        run("pki", "init", "--dir", self.path("ca"))
        run("pki", "issue", "x", "--dir", self.path("ca"), "--party", PARTY, "--out",
            self.path("x"))
        self.found("peers will refuse GRPC_TLS_CERT", GRPC_TLS_CERT=self.path("x", "tls.crt"),
                   GRPC_TLS_KEY=self.path("x", "tls.key"), todo="GRPC_TLS_CA")

    def test_a_revoked_certificate(self):
        made = self.issue("--party", PARTY)
        name = os.path.basename(os.path.dirname(made["GRPC_TLS_CERT"]))
        self.assertEqual(run("pki", "revoke", name, "--dir", self.tls).code, 0)
        self.found("certificate revoked", **made)

    def test_identities(self):
        other = os.path.join(self.dir, "party-2")
        self.found("is not the key that CERTIFICATE_FILE", IDENTITY_KEY_FILE=other + "/identity.key")
        self.found("is no certificate that the key CA_KEY signed", CA_KEY="11" * 32)
        self.found("IDENTITY_KEY_FILE: ", IDENTITY_KEY_FILE=self.path("none"), todo="backup")
        self.found("INITIATOR_KEY_FILE: ", ACCOUNT, INITIATOR_KEY_FILE=self.path("none"))

    # --- what it depends on ---

    def test_a_database_that_is_not_there(self):
        self.found("there is no database", todo="restore it")
        self.found("is no directory", DATA_DIR=self.path("none"))

    def test_servers_that_are_not_there(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = str(s.getsockname()[1])
            self.found("PostgreSQL: ", POSTGRES_HOST="127.0.0.1", POSTGRES_PORT=port,
                       POSTGRES_TLS="off", POSTGRES_PASSWORD="x", todo="POSTGRES_HOST")
            self.found("Redis at 127.0.0.1:" + port, ACCOUNT, REDIS_HOST="127.0.0.1",
                       REDIS_PORT=port, todo="REDIS_HOST")
            self.found("RabbitMQ at 127.0.0.1:" + port, "message-router",
                       RABBITMQ_HOST="127.0.0.1", RABBITMQ_PORT=port, RABBITMQ_TLS="off",
                       RABBITMQ_PASSWORD="x", todo="RABBITMQ_HOST")

    def test_peers(self):
        self.found("ROUTER_ADDR 127.0.0.1:1 cannot be reached", ROUTER_ADDR="127.0.0.1:1")
        with service(ahead=40) as ahead, service(ahead=-20, status=503) as behind:
            plain = {"TLS": "off", "COORDINATOR_ADDR": f"127.0.0.1:{ahead}",
                     "ROUTER_ADDR": f"127.0.0.1:{behind}"}
            self.found("s ahead of this machine's", **plain, todo="time service")
            self.found("s behind this machine's", **plain)
            self.found(f"ROUTER_ADDR 127.0.0.1:{behind} answers, but is not ready", **plain)
        with service() as port:
            plain = {"TLS": "off", "COORDINATOR_ADDR": f"127.0.0.1:{port}",
                     "ROUTER_ADDR": f"127.0.0.1:{port}"}
            self.not_found("clock", **plain)
            self.not_found("_ADDR", **plain)

    def test_a_peer_with_another_name(self):
        with service(shows=self.issue(hosts="router.example")) as port:
            self.found("no alternative certificate subject name",
                       ROUTER_ADDR=f"127.0.0.1:{port}", todo="for this name")
        with service(shows=self.issue()) as port:
            self.not_found("ROUTER_ADDR", ROUTER_ADDR=f"127.0.0.1:{port}")

    def test_another_service_in_a_place(self):
        """Its own, or that of a peer: who answers says who it is."""
        with service(says=b'{"service":"message-router"}') as router, \
             service(says=b"{}") as stranger, \
             service(says=b'{"service":"session-coordinator"}') as coordinator:
            plain = {"TLS": "off", "HTTP_PORT": str(coordinator),
                     "COORDINATOR_ADDR": f"127.0.0.1:{coordinator}",
                     "ROUTER_ADDR": f"127.0.0.1:{router}"}
            self.not_found("_ADDR", **plain)
            self.found(f"port {coordinator} is held by session-coordinator", **plain)
            self.not_found("is held", "session-coordinator", **{**plain, "COORDINATOR_ADDR": None})
            for port, who in ((router, "message-router"), (stranger, "another program")):
                self.found(f"COORDINATOR_ADDR 127.0.0.1:{port} cannot be reached: {who} answers there",
                           **{**plain, "COORDINATOR_ADDR": f"127.0.0.1:{port}"},
                           todo="that the address is right")
            self.found(f"ROUTER_ADDR 127.0.0.1:{coordinator} cannot be reached: session-coordinator",
                       **{**plain, "HTTP_PORT": "0", "ROUTER_ADDR": f"127.0.0.1:{coordinator}"})

    def test_itself(self):
        self.found("it does not answer at https://127.0.0.1:", todo="log")
        with service(status=503, metrics=b"# x\nquorate_redis_up 0\n"
                     b"quorate_party_keys_without_backup 3\n") as port:
            plain = {"TLS": "off", "HTTP_PORT": str(port)}
            with service() as peer:  # if nothing else explains it
                self.found("it runs, but is not ready", **plain,
                           COORDINATOR_ADDR=f"127.0.0.1:{peer}", ROUTER_ADDR=f"127.0.0.1:{peer}")
            self.not_found("not ready", **plain)
            text = "of its keys 3 have no verified backup"
            self.found(text, **plain, todo="set BACKUP_RECIPIENT and BACKUP_DIR")
            recipient = re.search("qbk1[^\\s\"]+", run("backup", "key", "--json", "--out",
                                                      self.path("backup.key")).out)[0]
            self.found(text, **plain, BACKUP_RECIPIENT=recipient, BACKUP_DIR=self.tmp,
                       todo="quorate backup verify")
            # told by what is missing, where there is no log
            waits = {**plain, "BACKUP_REQUIRED": "true", "BACKUP_RECIPIENT": recipient,
                     "BACKUP_DIR": self.tmp}
            self.found("it serves once there is a receipt of its backups", **waits,
                       todo="quorate backup verify")
            self.write("party-1.state.qbk.receipt", b"")
            self.not_found("receipt", **waits)
            self.found("runs without Redis", **plain)
        with service(metrics=b"quorate_party_keys_without_backup 0\nquorate_redis_up 1\n") as port:
            plain = {"TLS": "off", "HTTP_PORT": str(port)}
            for text in ("not ready", "backup", "Redis"):
                self.not_found(text, **plain)

    def test_why_it_ended(self):
        """The last error of its log, unless it was told to stop since."""
        os.mkdir(self.path("log"))
        start = "2026-01-01T00:00:00.000Z "
        said = (start + "error keeper an older reason\n" + start + "error keeper the key is wrong\n"
                + start + "error server-party the keeper has ended\n"
                + start + "info server-party stopped\n")
        self.write("log/party-1.log", said)
        found = self.found("it does not answer at ", todo="correct that")
        self.assertTrue(found["what"].endswith("/ready: the key is wrong"), found)
        self.write("log/party-1.log", said + start + "info server-party stopping signal=SIGTERM\n")
        self.found("it does not answer at ", todo="start it; if it ended")

    def test_a_disk_with_little_room(self):
        words = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
        path = self.env(PARTY, DATA_DIR="/mnt")
        p = subprocess.run([*words, "sh", "-c", 'mount -t tmpfs -o size=1m none /mnt && exec "$@"',
                            "sh", QUORATE, "doctor", "--env", path, "--json"], text=True,
                           capture_output=True, timeout=LIMIT, check=False)
        if not p.stdout:
            self.skipTest("mounts are not allowed here")
        self.assertIn("has 1 MiB left of 1", p.stdout)
        self.assertIn("make room", p.stdout)

    def test_limits_of_the_machine(self):
        p = subprocess.run(["sh", "-c", 'ulimit -n 100; exec "$@"', "sh", QUORATE, "doctor", "--env",
                            self.env(PARTY), "--json"], capture_output=True, text=True,
                           timeout=LIMIT, check=False)
        first = json.loads(p.stdout)["findings"]
        self.assertIn(("this machine", "a process may open 100 files, a busy service needs 4096"),
                      [(o["where"], o["what"]) for o in first])

    # --- the whole ---

    def test_a_system(self):
        """While it runs nothing is found; of a stopped one that it does not run."""
        place = os.path.join(self.tmp, "system")
        words = ["up", "--dir", place, "--free-ports", "--tls"]
        with open(self.path("out"), "wb") as out:
            up = subprocess.Popen([QUORATE, *words, "--json"], stdout=subprocess.PIPE, stderr=out)
        self.addCleanup(up.stdout.close)
        self.addCleanup(up.kill)
        self.assertEqual(up.stdout.readline(), b"{\n")
        # a process that is slow for a moment may be missed once
        until(lambda: not self.doctor("--dir", place)["findings"])
        self.assertGreater(self.doctor("--dir", place)["checks"], 100)
        until(lambda: re.search(r"\A\d+ checks, 0 findings\n\Z",
                                run("doctor", "--dir", place).out))
        up.send_signal(signal.SIGINT)
        self.assertEqual(up.wait(LIMIT), 0)
        r = run("doctor", "--dir", place)
        self.assertEqual((r.code, r.err), (1, ""))
        self.assertEqual(r.out.splitlines()[0],
                         "account-service, message-router, party-1, party-2, party-3, "
                         "server-party-api, session-coordinator: they do not answer; start them; if "
                         "they ended, the ends of their logs say why")
        self.assertRegex(r.out, r"\n\d+ checks, 1 findings\n\Z")

    def causes(self):
        """[(where, what)] of the processes whose files stand in the test's directory."""
        return [(one["where"], one["what"]) for one in self.doctor("--dir", self.tmp)["findings"]
                if "database" not in one["what"]]

    def test_what_follows_is_not_found_again(self):
        """A router that is away is one finding, whoever misses it and waits for whom."""
        unready = "it runs, but is not ready"
        away, other = free_ports(2)
        with service(status=503) as account, service(status=503) as coordinator:
            self.env("message-router", TLS="off", HTTP_PORT=str(other), GRPC_PORT=str(away))
            self.env("session-coordinator", TLS="off", HTTP_PORT=str(coordinator),
                     GRPC_PORT=str(coordinator), ROUTER_ADDR=f"127.0.0.1:{away}")
            waits = {"TLS": "off", "HTTP_PORT": str(account), "GRPC_PORT": str(account),
                     "COORDINATOR_ADDR": f"127.0.0.1:{coordinator}"}
            self.env(ACCOUNT, **waits, ROUTER_ADDR=f"127.0.0.1:{away}")
            (where, what), *more = self.causes()
            self.assertEqual((where, more), ("message-router", []))
            self.assertIn(f"it does not answer at http://127.0.0.1:{other}/ready", what)
            # of nobody's file here: it is told, once, and not who waits for whom
            os.remove(self.path("message-router.env"))
            found = self.causes()
            self.assertEqual([where for where, _ in found], [ACCOUNT + ", session-coordinator"])
            self.assertIn(f"ROUTER_ADDR 127.0.0.1:{away} cannot be reached", found[0][1])
            with service() as router:
                for name in (ACCOUNT, "session-coordinator"):
                    env = read_env(self.path(name + ".env"))
                    self.env(name, **{**env, "ROUTER_ADDR": f"127.0.0.1:{router}"})
                # why it is not ready nobody knows; the others wait for it
                self.assertEqual(self.causes(), [("session-coordinator", unready)])
                # a ring: nothing of it is a cause, and all is told
                env = read_env(self.path("session-coordinator.env"))
                self.env("session-coordinator", **{**env, "ROUTER_ADDR": f"127.0.0.1:{account}"})
                self.assertEqual(self.causes(), [(ACCOUNT + ", session-coordinator", unready)])

    def test_what_a_process_does_not_say_of_itself_is_found_by_its_peer(self):
        """It answers at one port, not at the other; that it has no database is another matter."""
        away, = free_ports(1)
        with service() as good:
            self.env("session-coordinator", TLS="off", HTTP_PORT=str(good), GRPC_PORT=str(away),
                     ROUTER_ADDR=f"127.0.0.1:{good}")
            self.env(ACCOUNT, TLS="off", HTTP_PORT=str(good), ROUTER_ADDR=f"127.0.0.1:{good}",
                     COORDINATOR_ADDR=f"127.0.0.1:{away}")
            (where, what), *more = self.causes()
        self.assertEqual((where, more), (ACCOUNT, []))
        self.assertIn(f"COORDINATOR_ADDR 127.0.0.1:{away} cannot be reached", what)

    def test_another_program_on_a_port_of_a_process(self):
        """It is told of the process whose port it is, not of those that miss it there."""
        away, free = free_ports(2)
        with service() as good, service(status=404, says=b"<html>") as stranger, \
             socket.create_server(("127.0.0.1", 0)) as mute:
            for http, grpc, held in ((stranger, away, stranger),
                                     (free, mute.getsockname()[1], mute.getsockname()[1])):
                self.env("session-coordinator", TLS="off", HTTP_PORT=str(http), GRPC_PORT=str(grpc),
                         ROUTER_ADDR=f"127.0.0.1:{good}")
                self.env(ACCOUNT, TLS="off", HTTP_PORT=str(good), ROUTER_ADDR=f"127.0.0.1:{good}",
                         COORDINATOR_ADDR=f"127.0.0.1:{grpc}")
                (where, what), *more = self.causes()
                self.assertEqual((where, more), ("session-coordinator", []))
                self.assertIn(f"port {held} is held by another program", what)

    def test_the_same_of_several_is_found_once(self):
        away, *ports = free_ports(3)
        with service() as router:
            for name, port in zip((ACCOUNT, "session-coordinator"), ports):
                self.env(name, TLS="off", HTTP_PORT=str(port), POSTGRES_HOST="127.0.0.1",
                         POSTGRES_PORT=str(away), POSTGRES_TLS="off", POSTGRES_PASSWORD="x",
                         ROUTER_ADDR=f"127.0.0.1:{router}", COORDINATOR_ADDR=f"127.0.0.1:{router}"
                         if name == ACCOUNT else None)
            found = self.causes()
        both = ACCOUNT + ", session-coordinator"
        self.assertEqual([where for where, _ in found], [both, both])
        self.assertIn("they do not answer", [what for _, what in found])
        self.assertIn("PostgreSQL: ", found[0][1] + found[1][1])

    def test_a_configuration_that_is_refused_explains_the_rest(self):
        away, other = free_ports(2)
        self.env("message-router", TLS="off", HTTP_PORT=str(other), GRPC_PORT=str(away),
                 JWT_SECRET_KEY="x")
        with service(status=503) as port:
            self.env("session-coordinator", TLS="off", HTTP_PORT=str(port),
                     ROUTER_ADDR=f"127.0.0.1:{away}")
            (where, what), *more = self.causes()
        self.assertEqual((where, more), ("message-router", []))
        self.assertIn("JWT_SECRET_KEY", what)

    def test_redis_that_answers_otherwise(self):
        with redis() as (port, _):
            self.found("Redis: that is no command", ACCOUNT, REDIS_HOST="127.0.0.1", REDIS_PORT=port,
                       REDIS_PASSWORD="wrong")
            self.not_found("Redis", ACCOUNT, REDIS_HOST="127.0.0.1", REDIS_PORT=port)

    def test_redis_elsewhere_gets_no_password_in_clear(self):
        """Nor where the process's program, which refuses it, is not installed."""
        alone = shutil.copy(QUORATE, self.path("quorate"))
        env = {"REDIS_HOST": "0.0.0.0", "REDIS_PASSWORD": "not for everybody"}
        with redis() as (port, said):
            for plain in ("false", "true"):
                path = self.env(ACCOUNT, REDIS_PORT=port, REDIS_PLAINTEXT=plain, **env)
                p = subprocess.run([alone, "doctor", "--env", path], capture_output=True, text=True,
                                   timeout=LIMIT, check=False)
                self.assertEqual((p.returncode, p.stderr), (1, ""))
                is_refused = "REDIS_HOST is 0.0.0.0, and nothing that goes there" in p.stdout
                self.assertEqual(is_refused, plain == "false", p.stdout)
                self.assertEqual(b"not for everybody" in b"".join(said), plain == "true")

    def test_usage(self):
        for words in (["x"], ["--dir", self.dir, "--env", "x"], ["--program", "nothing"],
                      ["--env", QUORATE]):
            self.assertEqual(run("doctor", *words).code, 2, words)
        for name in ("x.env", "party-1.env"):
            r = run("doctor", "--env", self.path(name))
            self.assertEqual((r.code, r.out), (1, ""))
            self.assertIn(f"cannot read {self.path(name)}: No such file", r.err)
        r = run("doctor", "--dir", self.path("none"))
        self.assertEqual((r.code, r.out), (1, ""))
        self.assertIn("has no env file", r.err)
        path = self.path("service.env")
        shutil.copy(self.env(PARTY), path)
        report = self.doctor("--env", path, "--program", "server-party")
        self.assertIn("server-party", {o["where"] for o in report["findings"]})


if __name__ == "__main__":
    unittest.main()
