# SPDX-License-Identifier: Apache-2.0
"""The whole system under TLS, with certificates of `quorate pki` and of another authority: who is
let in, who is not, and what happens when files change under running programs."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import unittest
import uuid

from authority import Authority, is_let_in, open_door, serial_at
from doors import field, jwt
from support import (HASH, LIMIT, QUORATE, SOURCE, Stack, TestCase, change_env, curl, read_env,
                     signature_is_valid, until)

sys.path.append(os.path.join(SOURCE, "tests", "support"))
from postgres import free_port  # noqa: E402

HOSTS = "IP:127.0.0.1,DNS:localhost"
SERVICES = ("account-service", "session-coordinator", "message-router", "server-party-api")
READ_AGAIN, STAY = "TLS files were read again", "the old ones stay in use"
REVOKED = "a connection ends: its certificate is revoked"
LOST = "connection lost variable=ROUTER_ADDR"
CONNECTED = "connected variable=ROUTER_ADDR"


class HalfOpen:
    """A client that has heard the server's part of the handshake and not said its own."""

    def __init__(self, port, ca, pair):
        context = ssl.create_default_context(cafile=ca)
        context.load_cert_chain(*pair)
        context.set_alpn_protocols(["h2"])
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT)
        self.into, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.into, self.out, server_hostname="127.0.0.1")
        while not self.is_done():
            self.socket.sendall(self.out.read())
            self.into.write(self.socket.recv(65536))

    def is_done(self):
        try:
            self.tls.do_handshake()
            return True
        except ssl.SSLWantReadError:
            return False

    def finish(self):
        """The rest, and a request's beginning: what the server says to that."""
        said = b""
        self.tls.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
        try:
            self.socket.sendall(self.out.read())
            while part := self.socket.recv(65536):
                self.into.write(part)
                with contextlib.suppress(ssl.SSLWantReadError):
                    said += self.tls.read(65536)
        except ConnectionError:
            pass
        self.socket.close()
        return said


def pki(stack, *words):
    p = subprocess.run([QUORATE, "pki", *words, "--dir", os.path.join(stack.dir, "tls"), "--json"],
                       capture_output=True, text=True, timeout=LIMIT, check=True)
    return json.loads(p.stdout)


def put(path, content):
    """At once: whoever reads the file reads the old one or this."""
    with open(path + ".new", "wb") as f:
        f.write(content)
    os.replace(path + ".new", path)


def say(stack, name, *options, **changes):
    """What a program says to its variables, changed: (exit code, text)."""
    path = os.path.join(stack.dir, "trial.env")
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(f"{k}={v}\n" for k, v in {**stack.env(name), **changes}.items())
    program = "server-party" if name.startswith("party-") else name
    p = subprocess.run([os.path.join(os.path.dirname(QUORATE), "..", "services",
                                     "quorate-" + program), *options, "--env-file", path],
                       capture_output=True, text=True, timeout=LIMIT, check=False)
    return p.returncode, p.stdout + p.stderr


class OverHttp(TestCase):
    """A party that reaches nothing but HTTP_PORT of router and coordinator, as from another host."""

    def test_it_makes_keys_and_signs(self):
        def edit(directory):
            for variable, name in (("ROUTER_ADDR", "message-router"),
                                   ("COORDINATOR_ADDR", "session-coordinator")):
                port = read_env(os.path.join(directory, name + ".env"))["HTTP_PORT"]
                change_env(directory, "party-3", **{variable: "127.0.0.1:" + port})
            change_env(directory, "account-service", HTTP_PORT_ALSO=self.also)

        self.also = free_port()
        stack = Stack(edit, options=["--tls"])
        self.addCleanup(stack.close)
        until(lambda: stack.call("GET", "/ready", url=stack.service_url("party-3"),
                                 key=False).status == 200)
        account = stack.create()["account_id"]
        answer = stack.sign(account, participants=[{"party_id": "party-1"},
                                                   {"party_id": "party-3"}])
        self.assertEqual(answer.status, 200, answer)
        self.assertTrue(signature_is_valid(answer.body))
        # and account-service answers at its second port
        answer = stack.call("GET", f"/api/v1/accounts/{account}",
                            url=f"https://127.0.0.1:{self.also}")
        self.assertEqual(answer.status, 200, answer)


class UnderTls(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(options=["--tls"])
        cls.addClassCleanup(cls.stack.close)
        cls.ca = os.path.join(cls.stack.dir, "tls", "ca.crt")
        cls.account = cls.stack.create()["account_id"]
        cls.authority = Authority(os.path.join(cls.stack.dir, "openssl"), cls.ca,
                                  os.path.join(cls.stack.dir, "tls", "ca.key"))

    def tearDown(self):
        answer = self.stack.sign(self.account)
        self.assertEqual(answer.status, 200, answer)
        self.assertTrue(signature_is_valid(answer.body))

    def port(self, name, which="GRPC_PORT"):
        return int(self.stack.env(name)[which])

    def pair(self, name):
        return tuple(os.path.join(self.stack.dir, name, f) for f in ("tls.crt", "tls.key"))

    def is_let_in(self, pair=None, name="message-router"):
        return is_let_in(self.port(name), self.ca, pair)

    def count(self, name, text):
        return self.stack.log(name).count(text)

    # --- who is let in ---

    def test_an_account_by_curl(self):
        status, account = curl(self.stack, "POST", "/api/v1/accounts", "--cacert", self.ca,
                               body={"user_id": "u-tls"})
        self.assertEqual(status, 201, account)
        for options in (["--tlsv1.3"], ["--tls-max", "1.2"], ["--http1.1"], ["--http2"]):
            status, answer = curl(self.stack, "POST",
                                  f"/api/v1/accounts/{account['account_id']}/sign", "--cacert",
                                  self.ca, *options, body={"message": HASH})
            self.assertEqual(status, 200, answer)
            self.assertTrue(signature_is_valid(answer))
        # The command finds the authority in client.json.
        code, out, err = self.stack.cli("sign", "--account", account["account_id"],
                                        "--message-hash", HASH, "--json")
        self.assertEqual((code, err), (0, ""))
        self.assertTrue(signature_is_valid(json.loads(out)))

    def test_what_is_no_tls_is_refused(self):
        for name in SERVICES:
            for port in ("HTTP_PORT", "GRPC_PORT"):
                p = subprocess.run(["curl", "-sS", "-m", str(LIMIT),
                                    f"http://127.0.0.1:{self.port(name, port)}/health"],
                                   capture_output=True, text=True, timeout=LIMIT, check=False)
                self.assertNotEqual(p.returncode, 0)
                self.assertEqual(p.stdout, "")
        for options in (["--tls-max", "1.1"], ["--cacert", "/dev/null"], []):
            trust = [] if "--cacert" in options or not options else ["--cacert", self.ca]
            p = subprocess.run(["curl", "-sS", "-m", str(LIMIT), *trust, *options,
                                self.stack.url + "/health"], capture_output=True, text=True,
                               timeout=LIMIT, check=False)
            self.assertNotEqual(p.returncode, 0)
            self.assertEqual(p.stdout, "")

    def test_who_has_no_certificate_is_refused(self):
        for name in SERVICES:
            self.assertFalse(self.is_let_in(None, name))
            self.assertTrue(self.is_let_in(self.pair("party-1"), name))

    def test_certificates_of_others_and_of_other_times(self):
        stranger = Authority(os.path.join(self.stack.dir, "stranger"))
        self.assertFalse(self.is_let_in(stranger.issue("a", HOSTS)))
        self.assertTrue(self.is_let_in(self.authority.issue("b", HOSTS)))
        self.assertFalse(self.is_let_in(self.authority.issue(
            "c", HOSTS, "-startdate", "20200101000000Z", "-enddate", "20200201000000Z")))
        self.assertFalse(self.is_let_in(self.authority.issue(
            "d", HOSTS, "-startdate", "20700101000000Z", "-enddate", "20710101000000Z")))

    def test_a_revoked_certificate(self):
        made = pki(self.stack, "issue", "guest")
        guest = (made["certificate"], made["key"])
        ports = [self.port(name) for name in SERVICES]
        live = open_door(ports[2], self.ca, guest)
        self.assertIsNotNone(live)
        pki(self.stack, "revoke", "guest")
        for port in ports:
            until(lambda port=port: not is_let_in(port, self.ca, guest))
        # The connection that was there before has ended, and no other.
        rest = b"."
        while rest:
            try:
                rest = live.recv(1000)
            except (ssl.SSLError, ConnectionError):
                rest = b""
        live.close()
        self.assertIn(REVOKED, self.stack.log("message-router"))
        self.assertTrue(self.is_let_in(self.pair("party-1")))

    def test_a_handshake_that_began_before_the_revocation(self):
        """It is over when the list has been read: what the old list let in is asked again."""
        made = pki(self.stack, "issue", "late")
        door = HalfOpen(self.port("message-router"), self.ca, (made["certificate"], made["key"]))
        before = self.count("message-router", READ_AGAIN)
        ended = self.count("message-router", REVOKED)
        pki(self.stack, "revoke", "late")
        until(lambda: self.count("message-router", READ_AGAIN) > before)
        self.assertEqual(door.finish(), b"")
        until(lambda: self.count("message-router", REVOKED) > ended)

    def register(self, pair, party, port="GRPC_PORT"):
        """What RegisterParty says to a message with nothing but the party's id."""
        message = field(1, party)
        path = os.path.join(self.stack.dir, "message")
        with open(path, "wb") as f:
            f.write(b"\0" + len(message).to_bytes(4, "big") + message)
        p = subprocess.run(["curl", "-sS", "-i", "--http2", "-m", str(LIMIT), "--cacert", self.ca,
                            *(["--cert", pair[0], "--key", pair[1]] if pair else []), "-H",
                            "Content-Type: application/grpc", "-H", "TE: trailers",
                            "--data-binary", "@" + path,
                            f"https://127.0.0.1:{self.port('message-router', port)}/"
                            "mpc.router.v1.MessageRouter/RegisterParty"],
                           capture_output=True, text=True, timeout=LIMIT, check=False)
        self.assertEqual(p.returncode, 0, p.stderr)
        return p.stdout

    def test_a_partys_certificate_registers_that_party_alone(self):
        self.assertIn("wrong_certificate", self.register(self.pair("party-2"), "party-1"))
        self.assertIn("invalid_role", self.register(self.pair("party-1"), "party-1"))
        # One that names no party may register any that proves itself.
        self.assertIn("invalid_role", self.register(self.pair("message-router"), "party-1"))

    def test_nobody_registers_without_a_certificate(self):
        self.assertIn("certificate_required", self.register(None, "party-1", "HTTP_PORT"))

    def test_the_http_port_takes_a_certificate_as_well(self):
        """For a party on another host, which reaches no other port."""
        self.assertIn("invalid_role", self.register(self.pair("party-1"), "party-1", "HTTP_PORT"))
        self.assertIn("wrong_certificate",
                      self.register(self.pair("party-2"), "party-1", "HTTP_PORT"))
        self.assertIn("certificate_required",
                      self.register(self.pair("message-router"), "party-1", "HTTP_PORT"))
        port = self.port("message-router", "HTTP_PORT")
        stranger = Authority(os.path.join(self.stack.dir, "stranger2"))
        self.assertTrue(is_let_in(port, self.ca, None))
        self.assertTrue(is_let_in(port, self.ca, self.pair("party-1")))
        self.assertFalse(is_let_in(port, self.ca, stranger.issue("a", HOSTS)))
        made = pki(self.stack, "issue", "passer-by")
        pki(self.stack, "revoke", "passer-by")
        until(lambda: not is_let_in(port, self.ca, (made["certificate"], made["key"])))

    def test_a_partys_token_is_no_good_with_anothers_certificate(self):
        now = int(time.time())
        token = jwt(self.stack.env("message-router")["JWT_SECRET_KEY"], typ="party", sub="party-1",
                    role="persistent", jti=os.urandom(16).hex(), iat=now, exp=now + 60)
        url = (f"https://127.0.0.1:{self.port('message-router')}/api/v1/messages/pending"
               "?party_id=party-1")
        for name, wanted in (("party-1", 200), ("party-2", 401), ("message-router", 200)):
            certificate, key = self.pair(name)
            status, body = curl(self.stack, "GET", url, "--cacert", self.ca, "--cert", certificate,
                                "--key", key, "-H", "Authorization: Bearer " + token, key=False)
            self.assertEqual(status, wanted, body)

    def as_service(self, port, certificate, *options):
        """PublishSessionEvent, gRPC, with a good token of the coordinator; its message is empty."""
        now = int(time.time())
        token = jwt(self.stack.env("message-router")["JWT_SECRET_KEY"], typ="service",
                    sub="session-coordinator", jti=os.urandom(16).hex(), iat=now, exp=now + 60)
        path = os.path.join(self.stack.dir, "empty")
        with open(path, "wb") as f:
            f.write(bytes(5))
        shown = ["--cert", certificate[0], "--key", certificate[1]] if certificate else []
        p = subprocess.run(["curl", "-sS", "-i", "--http2", "-m", str(LIMIT), "--cacert", self.ca,
                            *shown, "-H", "Content-Type: application/grpc", "-H", "TE: trailers",
                            "-H", "Authorization: Bearer " + token, *options, "--data-binary",
                            "@" + path, f"https://127.0.0.1:{self.port('message-router', port)}/"
                            "mpc.router.v1.MessageRouter/PublishSessionEvent"],
                           capture_output=True, text=True, timeout=LIMIT, check=False)
        self.assertEqual(p.returncode, 0, p.stderr)
        return int(re.search(r"grpc-status: (\d+)", p.stdout).group(1))

    def test_a_services_token_needs_a_services_certificate(self):
        unauthenticated = 16
        self.assertEqual(self.as_service("HTTP_PORT", None), unauthenticated)
        # on HTTP_PORT only a party's certificate counts, so it is as if there were none
        self.assertEqual(self.as_service("HTTP_PORT", self.pair("session-coordinator")),
                         unauthenticated)
        self.assertEqual(self.as_service("GRPC_PORT", self.pair("party-1")), unauthenticated)
        relay = ["-H", "x-relay-access: service", "-H", "x-relay-caller: account-service", "-H",
                 "x-relay-address: 127.0.0.1"]
        self.assertEqual(self.as_service("GRPC_PORT", self.pair("party-1"), *relay),
                         unauthenticated)
        self.assertNotEqual(self.as_service("GRPC_PORT", self.pair("session-coordinator")),
                            unauthenticated)

    def test_a_partys_token_on_http_opens_its_routes_alone(self):
        now = int(time.time())
        token = jwt(self.stack.env("message-router")["JWT_SECRET_KEY"], typ="party", sub="party-1",
                    role="persistent", jti=os.urandom(16).hex(), iat=now, exp=now + 60)
        for name, path, wanted in (
                ("message-router", "/api/v1/messages/pending?party_id=party-1", 200),
                ("message-router", "/api/v1/parties", 401),
                ("session-coordinator", "/api/v1/sessions/" + str(uuid.uuid4()), 401)):
            url = f"https://127.0.0.1:{self.port(name, 'HTTP_PORT')}{path}"
            status, body = curl(self.stack, "GET", url, "--cacert", self.ca, "-H",
                                "Authorization: Bearer " + token, key=False)
            self.assertEqual(status, wanted, (path, body))

    # --- files that change ---

    def members(self):
        return [*SERVICES, *self.stack.parties()]

    def test_renewal_while_signing(self):
        ended, faults, signed = threading.Event(), [], []

        def sign():
            while not ended.is_set():
                answer = self.stack.sign(self.account, os.urandom(32).hex())
                if answer.status != 200 or not signature_is_valid(answer.body):
                    faults.append(answer)
                    return
                signed.append(answer)

        threads = [threading.Thread(target=sign) for _ in range(4)]
        for t in threads:
            t.start()
        try:
            for name in self.members():
                before = self.count(name, READ_AGAIN)
                made = pki(self.stack, "renew", name, "--out", os.path.join(self.stack.dir, name))
                self.stack.kill(name, signal.SIGHUP)  # looks at once
                until(lambda: self.count(name, READ_AGAIN) > before or faults)
                for which in ("HTTP_PORT", "GRPC_PORT"):  # what was read first may be another file
                    until(lambda: serial_at(self.port(name, which), self.ca, self.pair(name)) ==
                          made["serial"])
            n = len(signed)
            until(lambda: len(signed) > n + 20 or faults)
        finally:
            ended.set()
            for t in threads:
                t.join()
        self.assertEqual(faults, [])

    def test_connections_that_are_made_anew_show_the_new_certificate(self):
        self.connect_anew("session-coordinator", "connected variable=COORDINATOR_ADDR",
                          ("party-1",))
        ended = self.count("session-coordinator", REVOKED)
        made = pki(self.stack, "renew", "party-1", "--out", os.path.join(self.stack.dir, "party-1"))
        until(lambda: serial_at(self.port("party-1"), self.ca, self.pair("party-1")) ==
              made["serial"])
        pki(self.stack, "revoke", "--serial", made["replaced_serial"])
        # Its connections are ended, and it comes back with the new one.
        until(lambda: self.count("session-coordinator", REVOKED) > ended)
        answers = [self.stack.sign(self.account) for _ in range(5)]
        self.assertEqual([a.status for a in answers], [200] * 5, answers)
        until(self.stack.is_whole)

    def test_symbolic_links_that_are_swapped(self):
        """As Kubernetes does: DIR/..data is a link to a directory, and is replaced at once."""
        directory = os.path.join(self.stack.dir, "server-party-api")
        place = os.path.join(self.stack.dir, "mounted")
        for generation in ("1", "2"):
            os.makedirs(os.path.join(place, generation))
            for name in ("tls.crt", "tls.key"):
                shutil.copy(os.path.join(directory, name), os.path.join(place, generation, name))
        os.symlink("1", os.path.join(place, "..data"))
        before = self.count("server-party-api", READ_AGAIN)
        for name in ("tls.crt", "tls.key"):
            os.symlink(os.path.join(place, "..data", name), os.path.join(directory, name + ".link"))
            os.rename(os.path.join(directory, name + ".link"), os.path.join(directory, name))
        until(lambda: self.count("server-party-api", READ_AGAIN) > before)
        made = pki(self.stack, "renew", "server-party-api", "--out", os.path.join(place, "2"))
        os.symlink("2", os.path.join(place, "..new"))
        os.rename(os.path.join(place, "..new"), os.path.join(place, "..data"))
        until(lambda: serial_at(self.port("server-party-api"), self.ca,
                                self.pair("server-party-api")) == made["serial"])

    def test_broken_files_change_nothing(self):
        certificate, key = self.pair("account-service")
        serial = serial_at(self.port("account-service"), self.ca, (certificate, key))
        with open(certificate, "rb") as f:
            good = f.read()
        expired, _ = self.authority.issue("e", HOSTS, "-startdate", "20200101000000Z", "-enddate",
                                          "20200201000000Z")
        with open(expired, "rb") as f:
            ended = f.read()
        for bad, why in ((b"nothing\n", "cannot use the certificate"), (ended, "expired on 2020")):
            before = self.count("account-service", STAY)
            put(certificate, bad)
            until(lambda: self.count("account-service", STAY) > before)
            self.assertIn(why, self.stack.log("account-service").rsplit(STAY, 1)[1])
            self.assertEqual(serial_at(self.port("account-service"), self.ca,
                                       self.pair("party-1")), serial)
            self.assertEqual(self.stack.sign(self.account).status, 200)
        # Its own calls: connections are made anew with what was good.
        self.stack.restarted("session-coordinator", self.stack.kill("session-coordinator"))
        until(lambda: self.stack.sign(self.account).status == 200)
        self.assertGreater(self.count("account-service", "connection lost"), 0)
        before = self.count("account-service", READ_AGAIN)
        put(certificate, good)
        until(lambda: self.count("account-service", READ_AGAIN) > before)

    def replace(self, contents, said):
        """Certificates by the program's name; when each has |said| so they were looked at."""
        before = {name: self.count(name, said) for name in contents}
        for name, content in contents.items():
            put(self.pair(name)[0], content)
        until(lambda: all(self.count(name, said) > n for name, n in before.items()))

    def connect_anew(self, server, said, clients):
        """So that their connections are of its present certificate, whatever tests came before."""
        before = {name: self.count(name, said) for name in clients}
        self.stack.restarted(server, self.stack.kill(server))
        until(lambda: all(self.count(name, said) > n for name, n in before.items()))

    def test_connections_with_whom_is_revoked_end(self):
        """Those to account-service and those that parties made to the router; of party-3 and
        account-service although their own files are broken."""
        made = pki(self.stack, "issue", "leaver")
        leaver = (made["certificate"], made["key"])
        port = self.port("account-service")
        live = open_door(port, self.ca, leaver)
        ended = self.count("account-service", REVOKED)
        self.connect_anew("message-router", CONNECTED, ("party-2", "party-3"))
        server = pki(self.stack, "renew", "message-router", "--out",
                     os.path.join(self.stack.dir, "message-router"))
        good = {}
        for name in ("account-service", "party-3"):
            with open(self.pair(name)[0], "rb") as f:
                good[name] = f.read()
        self.replace(dict.fromkeys(good, b"nothing\n"), STAY)
        until(lambda: serial_at(self.port("message-router"), self.ca, self.pair("party-2")) ==
              server["serial"])
        lost = {name: self.count(name, LOST) for name in ("party-2", "party-3")}
        pki(self.stack, "revoke", "leaver")
        pki(self.stack, "revoke", "--serial", server["replaced_serial"])
        # nobody else's connection ends; nobody knocks before, for it might be one more of the leaver
        until(lambda: self.count("account-service", REVOKED) > ended)
        self.assertFalse(is_let_in(port, self.ca, leaver))
        self.assertEqual(self.count("account-service", REVOKED), ended + 1)
        live.close()
        until(lambda: all(self.count(name, LOST) > n for name, n in lost.items()))
        self.replace(good, READ_AGAIN)
        until(self.stack.is_whole)

    def test_when_certificates_end_is_measured(self):
        for name in self.members():
            shown = self.stack.metrics(name)
            for variable in ("TLS_CERT", "GRPC_TLS_CERT", "GRPC_TLS_CA"):
                end = shown[f'quorate_tls_certificate_expiry_seconds{{file="{variable}"}}']
                p = subprocess.run(["openssl", "x509", "-noout", "-enddate", "-in",
                                    self.stack.env(name)[variable]], capture_output=True, text=True,
                                   timeout=LIMIT, check=True)
                self.assertEqual(end, ssl.cert_time_to_seconds(p.stdout.strip().split("=", 1)[1]))

    # --- what cannot be started ---

    def test_files_that_are_told_at_the_start(self):
        expired = self.authority.issue("f", HOSTS, "-startdate", "20200101000000Z", "-enddate",
                                       "20200201000000Z")
        own, other = self.pair("account-service"), self.pair("party-1")
        for changes, words in (
                ({"TLS_CERT": expired[0], "TLS_KEY": expired[1]}, [expired[0], "expired on 2020"]),
                ({"GRPC_TLS_CERT": expired[0], "GRPC_TLS_KEY": expired[1]},
                 [expired[0], "expired on 2020"]),
                ({"TLS_KEY": other[1]}, [other[1], "is not that of the certificate", own[0]]),
                ({"GRPC_TLS_KEY": other[1]}, [other[1], "is not that of the certificate"]),
                ({"TLS_CERT": "/no/file"}, ["/no/file", "cannot be read"]),
                ({"GRPC_TLS_CA": "/no/file"}, ["/no/file", "cannot be read"]),
                ({"GRPC_TLS_CRL": "/no/file"}, ["/no/file", "cannot be read"]),
                ({"GRPC_TLS_CRL": self.ca}, [self.ca, "cannot use the revocation list"]),
                ({"GRPC_TLS_CA": own[1]}, [own[1], "cannot use the CA certificate"]),
                ({"TLS": "off", "LISTEN_HOST": "0.0.0.0"}, ["TLS=off", "LISTEN_HOST"])):
            code, text = say(self.stack, "account-service", "--check", **changes)
            self.assertEqual(code, 1, text)
            self.assertEqual(text.count("\n"), 1, text)
            for word in words:
                self.assertIn(word[:80], text)
        self.assertEqual(say(self.stack, "account-service", "--check")[0], 0)


    def test_the_certificate_of_another_party_is_refused_at_the_start(self):
        certificate, key = self.pair("party-2")
        data = os.path.join(self.stack.dir, "trial")
        os.mkdir(data)
        code, text = say(self.stack, "party-1", GRPC_TLS_CERT=certificate, GRPC_TLS_KEY=key,
                         DATA_DIR=data, POSTGRES_HOST="", POSTGRES_PASSWORD="", HTTP_PORT="0",
                         GRPC_PORT="0")
        self.assertEqual(code, 1, text)
        self.assertEqual(text.count("GRPC_TLS_CERT is the TLS certificate of party party-2, but "
                                    "CERTIFICATE_FILE says that this is party party-1"), 1, text)
        self.assertNotIn("registered", text)


class OtherWays(TestCase):
    def test_files_of_another_authority(self):
        """Made by the openssl command; nothing in them is quorate's."""
        def edit(directory):
            authority = Authority(os.path.join(directory, "openssl"))
            for name in os.listdir(directory):
                if not name.endswith(".env"):
                    continue
                member = os.path.join(directory, name[:-len(".env")])
                for made, place in zip(authority.issue(name[:-len(".env")], HOSTS),
                                       ("tls.crt", "tls.key")):
                    shutil.copy(made, os.path.join(member, place))
            shutil.copy(authority.certificate, os.path.join(directory, "tls", "ca.crt"))
            shutil.copy(authority.crl(), os.path.join(directory, "tls", "crl.pem"))

        stack = Stack(edit, options=["--tls"])
        try:
            answer = stack.sign(stack.create()["account_id"])
            self.assertEqual(answer.status, 200, answer)
            self.assertTrue(signature_is_valid(answer.body))
        finally:
            stack.close()

    def test_a_system_without_tls_stays_so(self):
        stack = Stack()
        try:
            stack.stop()
            p = subprocess.run([QUORATE, *stack.base, "--tls"], capture_output=True, text=True,
                               stdin=subprocess.DEVNULL, timeout=LIMIT, check=False)
            self.assertEqual(p.returncode, 1)
            self.assertRegex(p.stderr, re.escape(stack.dir) + " was made without TLS")
        finally:
            stack.close()


if __name__ == "__main__":
    unittest.main()
