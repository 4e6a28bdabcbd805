# SPDX-License-Identifier: Apache-2.0
"""Webhooks: every finished session is told once, signed by both secrets, whatever becomes of the
receiver and of account-service meanwhile. The receiver is an HTTPS server of the test's, and the
Node program of examples/."""
import contextlib
import hashlib
import hmac
import http.client
import http.server
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import uuid

import openapi
from doors import ACCOUNT
from support import HASH, LIMIT, QUORATE, SOURCE, Stack, TestCase, change_env, patient, until

SECRETS = ("first-secret-of-the-hook", "second-secret-of-the-hook")
SERVICE = os.path.join(os.path.dirname(os.path.dirname(QUORATE)), "services",
                       "quorate-account-service")


def signature(secret, stamp, body):
    return hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()


class Receiver:
    """Takes what comes; |status| is what it answers."""

    def __init__(self, directory):
        self.dir, self.status, self.got = directory, 204, []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for name in ("right", "other"):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=hook", "-addext",
                            "subjectAltName=IP:127.0.0.1", "-keyout", self.path(name + ".key"),
                            "-out", self.path(name + ".pem")], check=True, capture_output=True)
        self.show("right")
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status = outer.status
                outer.got.append((status, dict(self.headers), body))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *args: None
        self.server.socket = self.context.wrap_socket(self.server.socket, server_side=True,
                                                      do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def path(self, name):
        return os.path.join(self.dir, name)

    def show(self, name):
        """Whose certificate it has from now on."""
        self.context.load_cert_chain(self.path(name + ".pem"), self.path(name + ".key"))

    def url(self):
        return f"https://127.0.0.1:{self.server.server_port}/hook"

    def of(self, session, taken=True):
        """[(headers, event)] about a session, as docs/openapi.yaml has them."""
        found = [(h, json.loads(b)) for status, h, b in self.got
                 if session in b.decode() and (status < 300) == taken]
        for headers, event in found:
            openapi.check_event(headers, event)
        return found

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Webhooks(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.mkdtemp(prefix="quorate-hook-")
        cls.receiver = Receiver(cls.tmp)

        def edit(directory):
            change_env(directory, ACCOUNT, WEBHOOK_URL=cls.receiver.url(),
                       WEBHOOK_SECRET=",".join(SECRETS), WEBHOOK_CA=cls.receiver.path("right.pem"))
            patient(directory)
        cls.stack = Stack(edit)
        cls.account = cls.stack.create()

    @classmethod
    def tearDownClass(cls):
        try:
            cls.stack.close()
        finally:
            cls.receiver.close()
            shutil.rmtree(cls.tmp)

    def setUp(self):
        self.receiver.status = 204
        self.receiver.show("right")

    def sign(self, query="", **fields):
        return self.stack.call("POST", f"/api/v1/accounts/{self.account['account_id']}/sign{query}",
                               {"message": HASH, **fields})

    def event(self, session):
        """What is told of it: more than once if the service could not note that it was told."""
        told = until(lambda: self.receiver.of(session))
        self.assertEqual([event for _, event in told], [told[0][1]] * len(told))
        return told[0]

    def expect(self, session, kind, status):
        _, event = self.event(session)
        at = event.pop("created_at")
        self.assertRegex(at, r"\A20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
        self.assertEqual(event, {"id": session, "type": "session." + status, "session": {
            "session_id": session, "session_type": kind, "status": status,
            "account_id": self.account["account_id"]}})

    def row(self, session):
        found = self.stack.rows(ACCOUNT, "account.db", "SELECT state, tries FROM webhooks WHERE"
                                " session_id = ?", session)
        return tuple(found[0]) if found else None

    def has_failed(self, session):
        state, tries = self.row(session)
        return state == "due" and tries > 0

    def restart(self):
        old = self.stack.kill(ACCOUNT)
        self.stack.restarted(ACCOUNT, old)
        until(self.is_ready)

    def is_ready(self):
        with contextlib.suppress(OSError):
            return self.stack.call("GET", "/ready", key=False).status == 200

    def test_ends_are_told_and_signed_by_both_secrets(self):
        self.expect(self.account["session_id"], "keygen", "completed")
        session = self.sign().body["session_id"]
        self.assertIn(self.row(session)[0], ("due", "sent"))  # stored with the end
        self.expect(session, "sign", "completed")
        status, headers, body = next(g for g in self.receiver.got if session in g[2].decode())
        parts = headers["Quorate-Signature"].split(",")
        stamp = parts[0].removeprefix("t=")
        self.assertEqual(parts[1:], ["v1=" + signature(s, stamp, body) for s in SECRETS])
        self.assertLess(abs(int(stamp) - time.time()), 300)
        self.assertEqual((status, headers["Content-Type"]), (204, "application/json"))

    def test_who_does_not_wait_is_told(self):
        begun = self.sign("?wait=0")
        self.assertEqual(begun.status, 200, begun)
        self.expect(begun.body["session_id"], "sign", "completed")

    def test_a_repeat_is_not_told_again(self):
        key = uuid.uuid4().hex
        session = self.sign(idempotency_key=key).body["session_id"]
        self.event(session)
        until(lambda: self.row(session)[0] == "sent")
        told = len(self.receiver.of(session))
        self.assertEqual(self.sign(idempotency_key=key).body["session_id"], session)
        self.event(self.sign().body["session_id"])
        self.assertEqual(len(self.receiver.of(session)), told)

    def is_told_as_tried(self):
        session = self.sign().body["session_id"]
        until(lambda: self.row(session)[0] == "sent")
        return len(self.receiver.of(session)) == self.row(session)[1]

    def test_one_try_tells_once(self):
        """Unless the service stands still for longer than a delivery is claimed for, now and then."""
        self.assertTrue(any(self.is_told_as_tried() for _ in range(5)))

    def test_a_failure_is_told(self):
        r = self.stack.call("POST", "/api/v1/mpc/keygen", {})
        session = r.body["session_id"]
        end = self.stack.call("POST", f"/api/v1/mpc/sessions/{session}/cancel")
        _, event = self.event(session)
        self.assertIn((end.status, event["type"]), ((200, "session.failed"),
                                                    (409, "session.completed")))

    def test_a_receiver_that_is_away_hears_of_it_later_also_after_a_restart(self):
        self.receiver.status = 500
        failed = "quorate_webhook_tries_failed_total"
        before = self.stack.metrics(ACCOUNT)[failed]
        session = self.sign().body["session_id"]
        until(lambda: self.has_failed(session))
        until(lambda: self.stack.metrics(ACCOUNT)[failed] > before)
        self.assertEqual(self.receiver.of(session), [])
        self.assertIn("the receiver said 500", self.stack.log(ACCOUNT))
        self.restart()
        self.receiver.status = 200
        self.expect(session, "sign", "completed")
        first = self.receiver.of(session, taken=False)[0][1]
        self.assertEqual(first, self.event(session)[1])

    def test_a_session_that_ends_while_the_service_is_dead_is_told(self):
        session = self.sign("?wait=0").body["session_id"]
        self.restart()
        self.expect(session, "sign", "completed")

    def test_a_certificate_of_nobody_gets_nothing(self):
        self.receiver.show("other")
        session = self.sign().body["session_id"]
        until(lambda: self.has_failed(session))
        self.assertEqual(self.receiver.of(session), [])
        self.assertIn("certificate", self.stack.log(ACCOUNT))
        self.receiver.show("right")
        self.expect(session, "sign", "completed")

    def test_faults_of_the_configuration_are_named(self):
        for changed, sentence in (
                ({"WEBHOOK_URL": "http://hook.example/"}, "WEBHOOK_URL must be an https:// address"),
                ({"WEBHOOK_URL": "hooks.example"}, "WEBHOOK_URL must be an https:// address"),
                ({"WEBHOOK_SECRET": "short"}, "WEBHOOK_SECRET must be set with WEBHOOK_URL"),
                ({"WEBHOOK_SECRET": ""}, "WEBHOOK_SECRET must be set with WEBHOOK_URL")):
            path = os.path.join(self.tmp, "other.env")
            shutil.copy(os.path.join(self.stack.dir, ACCOUNT + ".env"), path)
            change_env(self.tmp, "other", **changed)
            done = subprocess.run([SERVICE, "--env-file", path], capture_output=True, text=True,
                                  timeout=LIMIT, check=False, cwd=self.tmp)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(sentence, done.stderr + done.stdout)


@unittest.skipUnless(shutil.which("node"), "node is not installed")
class Node(TestCase):
    """The program that docs/api.md shows."""

    def setUp(self):
        self.node = subprocess.Popen(
            ["node", os.path.join(SOURCE, "examples", "node", "webhook.mjs")],
            env=dict(os.environ, WEBHOOK_SECRET=SECRETS[0], PORT="0"), stdout=subprocess.PIPE,
            text=True)
        self.port = int(self.node.stdout.readline().rsplit(":", 1)[1].strip("/\n"))

    def tearDown(self):
        self.node.terminate()
        self.node.wait(LIMIT)
        self.node.stdout.close()

    def post(self, header, body):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        c.request("POST", "/", body, {"Quorate-Signature": header} if header else {})
        status = c.getresponse().status
        c.close()
        return status

    def test_it_believes_signatures_only_and_takes_an_event_once(self):
        body = b'{"id":"a","type":"session.completed","session":{"session_id":"one"}}'
        now = int(time.time())
        good = ",v1=".join([f"t={now}", *(signature(s, now, body) for s in reversed(SECRETS))])
        old = f"t={now - 301},v1={signature(SECRETS[0], now - 301, body)}"
        for header, status in ((None, 401), ("", 401), (f"t={now}", 401), (good, 204), (good, 204),
                               (good.replace("v1", "v2"), 401), (old, 401),
                               (f"t={now},v1={signature(SECRETS[1], now, body)}", 401),
                               (good.replace(f"t={now}", f"t={now + 1}"), 401)):
            self.assertEqual(self.post(header, body), status, header)
        self.assertEqual(self.post(good, body + b" "), 401)
        self.assertEqual(self.node.stdout.readline(), "session.completed one\n")
        other = body.replace(b"one", b"two").replace(b'"a"', b'"b"')
        self.assertEqual(self.post(f"t={now},v1={signature(SECRETS[0], now, other)}", other), 204)
        self.assertEqual(self.node.stdout.readline(), "session.completed two\n")

    def test_it_takes_what_account_service_sends(self):
        stack = Stack(lambda d: change_env(d, ACCOUNT, WEBHOOK_SECRET=",".join(SECRETS),
                                           WEBHOOK_URL=f"http://127.0.0.1:{self.port}/"))
        self.addCleanup(stack.close)
        made = stack.create()
        self.assertEqual(self.node.stdout.readline(), f"session.completed {made['session_id']}\n")


if __name__ == "__main__":
    unittest.main()
