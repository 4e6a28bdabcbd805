# SPDX-License-Identifier: Apache-2.0
"""The commands that talk to a system: account, sign, session, parties, status. The same facts in text
and in JSON; exit codes 0 done, 1 refused, 2 wrong use; one clear sentence for each error."""
import base64
import contextlib
import hashlib
import http.server
import json
import os
import pty
import re
import signal
import subprocess
import tempfile
import threading
import unittest
import uuid

from support import (HASH, LIMIT, QUORATE, Stack, TestCase, change_env, patient, signature_is_valid,
                     until)

NOBODY = "00000000-0000-4000-8000-000000000000"
PARTIES = ["party-1", "party-2", "party-3"]


def text_lines(text):
    """[(name, value)] of the lines of a report that are not nested."""
    return [(line[:20].rstrip(), line[20:]) for line in text.splitlines()
            if line and not line.startswith(" ")]


class Commands(TestCase):
    @classmethod
    def setUpClass(cls):
        def edit(directory):
            patient(directory)
            change_env(directory, "message-router", LEASE_MS=3000)  # who is stopped is soon missed
        cls.stack = Stack(edit)
        cls.account = cls.stack.create()
        cls.id = cls.account["account_id"]

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def json(self, *words):
        code, out, err = self.stack.cli(*words, "--json")
        self.assertEqual((code, err), (0, ""))
        return json.loads(out)

    def text(self, *words):
        code, out, err = self.stack.cli(*words)
        self.assertEqual((code, err), (0, ""))
        return out

    def refused(self, code, sentence, *words):
        self.assertEqual(self.stack.cli(*words), (code, "", f"quorate: {sentence}\n"))

    def file(self, content):
        f = tempfile.NamedTemporaryFile("wb")
        f.write(content if isinstance(content, bytes) else content.encode())
        f.flush()
        self.addCleanup(f.close)
        return f.name

    # --- account ---

    def test_create(self):
        key = uuid.uuid4().hex
        made = self.json("account", "create", "--user", "alice", "--threshold", "2/2", "--parties",
                         "party-1,party-3", "--idempotency-key", key)
        self.assertEqual((made["user_id"], made["status"], made["threshold_t"], made["threshold_n"],
                          made["parties"]), ("alice", "active", 2, 2, ["party-1", "party-3"]))
        again = self.json("account", "create", "--user", "alice", "--threshold", "2/2", "--parties",
                          "party-1,party-3", "--idempotency-key", key)
        self.assertEqual(again["account_id"], made["account_id"])
        shown = text_lines(self.text("account", "create", "--user", "carol"))
        self.assertIn(("user id", "carol"), shown)
        self.assertIn(("parties", "party-1, party-2, party-3"), shown)

    def test_create_without_waiting(self):
        made = self.json("account", "create", "--user", "dora", "--wait", "0")
        self.assertEqual(made["user_id"], "dora")
        events = self.json("session", "events", made["session_id"])["events"]
        self.assertEqual(events[0]["event_type"], "session_created")

    def test_create_refusals(self):
        wait, threshold = "--wait is a number of seconds up to 600", "--threshold looks like 2/3"
        names = "--parties takes two names or more with commas between"
        least = "--threshold T/N: T is from 2 to N, and N at most 64"
        self.refused(2, "--user is missing; see quorate account create --help", "account", "create")
        for words, usage in (
                (["--wait", "601"], wait), (["--wait", "-1"], wait), (["--wait", "x"], wait),
                (["--threshold", "2"], threshold), (["--threshold", "2-3"], threshold),
                (["--threshold", "2/3/4"], threshold), (["--threshold", "two/three"], threshold),
                (["--threshold", "4/3"], least), (["--threshold", "1/3"], least),
                (["--threshold", "2/65"], least), (["--parties", "party-1"], names),
                (["--parties", ",party-1"], names), (["--parties", "a,,b"], names),
                (["--parties", "a,b,"], names),
                (["--user-share", "perhaps"], "--user-share is none or delegate, not perhaps")):
            self.refused(2, usage, "account", "create", "--user", "u", *words)
        for words, sentence in (
                (["--parties", "party-1,nobody,party-2"], "nobody is not a known party"),
                # the API's sentences, with the options in the place of its fields
                (["--threshold", "2/3", "--parties", "party-1,party-2"],
                 "--parties must name exactly N of --threshold (3) parties"),
                (["--user-public-key", "11" * 32],
                 "--user-public-key is for --user-share delegate only"),
                (["--user-share", "delegate"],
                 "--user-share delegate needs --user-public-key (X25519, 64 hex digits); or create "
                 "with --wait 0 and name it at POST /api/v1/shares/generate")):
            self.refused(1, sentence, "account", "create", "--user", "u", *words)

    def test_list_and_show(self):
        shown = self.json("account", "show", self.id)
        self.assertEqual(shown, self.account)
        self.assertIn(self.account, self.json("account", "list")["accounts"])
        self.assertIn(("public key", self.account["public_key"]),
                      text_lines(self.text("account", "show", self.id)))
        text = self.text("account", "list")
        self.assertTrue(text.startswith("accounts\n  account id "), text)
        for account in self.json("account", "list")["accounts"]:
            self.assertIn(f"  account id        {account['account_id']}\n", text)

    def test_list_takes_every_page(self):
        stack = Stack(parties=2)
        try:
            ids = {stack.create(threshold_n=2, user_id=f"u{i}")["account_id"] for i in range(3)}
            page = stack.call("GET", "/api/v1/accounts?limit=2").body
            self.assertEqual(len(page["accounts"]), 2)
            code, out, _ = stack.cli("account", "list", "--json")
            self.assertEqual((code, {a["account_id"] for a in json.loads(out)["accounts"]}),
                             (0, ids))
        finally:
            stack.close()

    def test_wrong_ids_and_actions(self):
        for command in (["account", "show"], ["account", "verify"]):
            self.refused(2, f"the account's id is missing; see quorate {' '.join(command)} --help",
                         *command)
            self.refused(2, "x is no account id (a UUID)", *command, "x")
            self.refused(2, f"../{self.id} is no account id (a UUID)", *command, f"../{self.id}")
            code, out, err = self.stack.cli(*command, NOBODY)
            self.assertEqual((code, out, err.count("\n")), (1, "", 1))
            self.assertIn(NOBODY, err)
        for action in ("show", "events", "cancel"):
            usage = f"the session's id is missing; see quorate session {action} --help"
            self.refused(2, usage, "session", action)
            self.refused(2, "x is no session id (a UUID)", "session", action, "x")
            code, out, err = self.stack.cli("session", action, NOBODY)
            self.assertEqual((code, out, err.count("\n")), (1, "", 1))
            self.assertIn(NOBODY, err)
        what = "say what: quorate account create, list, show or verify"
        self.refused(2, what, "account")
        self.refused(2, what, "account", "delete")
        self.refused(2, "say what: quorate session show, events or cancel", "session", "list")
        self.refused(2, "x is one argument too many; see quorate parties --help", "parties", "x")
        self.refused(2, "unknown option --loud; see quorate status --help", "status", "--loud")

    # --- account verify ---

    def test_verify(self):
        report = self.json("account", "verify", self.id)
        self.assertEqual(report, {
            "account_id": self.id, "verified": True, "public_key": self.account["public_key"],
            "threshold_t": 2, "threshold_n": 3, "signed_by": PARTIES, "identities_compared": True,
            "addresses": self.account["addresses"]})
        for address in self.account["addresses"].values():
            self.json("account", "verify", self.id, "--address", address)
        self.assertIn(("verified", "yes"), text_lines(self.text("account", "verify", self.id)))
        other = self.stack.create()["addresses"]["ethereum"]
        self.refused(1, f"{other} is no address of this account's key: do not use it",
                     "account", "verify", self.id, "--address", other)

    def test_attack_another_identity_key(self):
        with open(os.path.join(self.stack.dir, "identities.json"), encoding="utf-8") as f:
            right = json.load(f)
        self.assertEqual(sorted(right), ["delegate-1", *PARTIES])
        for name in PARTIES:
            path = self.file(json.dumps({**right, name: right["delegate-1"]}))
            self.refused(1, f"{name} signed with another identity key than {path} says",
                         "account", "verify", self.id, "--identities", path)
            path = self.file(json.dumps({k: v for k, v in right.items() if k != name}))
            self.refused(1, f"{path} has no identity key of {name}",
                         "account", "verify", self.id, "--identities", path)
        path = self.file("{")
        self.refused(1, f"{path} is not valid JSON", "account", "verify", self.id, "--identities",
                     path)

    def test_without_identities_it_is_said(self):
        self.refused(1, "cannot open /nowhere: No such file or directory", "account", "verify",
                     self.id, "--identities", "/nowhere")
        known = os.path.join(self.stack.dir, "identities.json")
        os.rename(known, known + ".away")
        try:
            report = self.json("account", "verify", self.id)
        finally:
            os.rename(known + ".away", known)
        self.assertEqual((report["verified"], report["identities_compared"]), (True, False))

    def test_attack_certificate_of_a_lying_service(self):
        answer = self.stack.call("GET", f"/api/v1/accounts/{self.id}/certificate").body
        other = self.stack.call("GET", "/api/v1/accounts/" + self.stack.create()["account_id"] +
                                "/certificate").body
        changed = bytearray(base64.b64decode(answer["certificate"]))
        changed[len(changed) // 2] ^= 1
        ethereum = other["addresses"]["ethereum"]
        for lie, sentence in (
                ({**answer, "certificate": ""}, "the service gave no certificate in base64"),
                ({**answer, "certificate": base64.b64encode(changed).decode()},
                 "the certificate is not valid: "),
                ({**answer, "certificate": other["certificate"]}, "the service shows the "),
                ({**answer, "addresses": {**answer["addresses"], "ethereum": ethereum}},
                 f"the service shows the ethereum address {ethereum}, but the certificate's key has "
                 f"{self.account['addresses']['ethereum']}: do not use it"),
                ({**answer, "parties": answer["parties"][:2]},
                 "the service names 2 parties, 3 signed")):
            code, out, err = self.answered(lie, "account", "verify", self.id)
            self.assertEqual((code, out, err.count("\n")), (1, "", 1))
            self.assertTrue(err.startswith("quorate: " + sentence), err)

    def answered(self, answer, *words, requests=1):
        """The command when the service's answer is |answer|, to each of its |requests|."""
        class Liar(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps(answer).encode()
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *args):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Liar)
        thread = threading.Thread(target=lambda: [server.handle_request() for _ in range(requests)])
        thread.start()
        client = self.file(json.dumps({"url": f"http://127.0.0.1:{server.server_port}",
                                       "api_key": "x"}))
        result = self.stack.cli(*words, "--client", client)
        thread.join()
        server.server_close()
        return result

    # --- sign ---

    def test_sign(self):
        signed = self.json("sign", "--account", self.id, "--message-hash", HASH)
        self.assertEqual((signed["message_hash"], signed["status"]), (HASH, "completed"))
        self.assertTrue(signature_is_valid(signed))
        self.assertEqual(signed["public_key"], self.account["public_key"])
        text = self.text("sign", "--account", self.id, "--message-hash", "0x" + HASH, "--parties",
                         "party-2,party-3")
        self.assertIn(("parties", "party-2, party-3"), text_lines(text))

    def test_sign_a_message_that_the_parties_hash(self):
        path = self.file(b"hello")
        signed = self.json("sign", "--account", self.id, "--message", path, "--hash", "sha256")
        self.assertEqual(signed["message_hash"], hashlib.sha256(b"hello").hexdigest())
        self.assertTrue(signature_is_valid(signed))
        signed = self.json("sign", "--account", self.id, "--message", path, "--hash", "keccak256")
        self.assertTrue(signature_is_valid(signed))

    def test_sign_with_a_child_key(self):
        signed = self.json("sign", "--account", self.id, "--message-hash", HASH, "--path", "m/0/7")
        self.assertTrue(signature_is_valid(signed))
        self.assertNotEqual(signed["public_key"], self.account["public_key"])

    def test_sign_with_the_same_idempotency_key(self):
        words = ["sign", "--account", self.id, "--message-hash", HASH, "--idempotency-key",
                 uuid.uuid4().hex]
        self.assertEqual(self.json(*words), self.json(*words))

    def test_sign_without_waiting(self):
        begun = self.json("sign", "--account", self.id, "--message-hash", HASH, "--wait", "0")
        shown = self.stack.call("GET", f"/api/v1/mpc/sessions/{begun['session_id']}?wait=30").body
        self.assertEqual(shown["status"], "completed")

    def test_attack_a_signature_that_does_not_verify(self):
        signed = self.json("sign", "--account", self.id, "--message-hash", HASH)
        code, out, err = self.answered({**signed, "message_hash": "22" * 32}, "sign", "--account",
                                       self.id, "--message-hash", "22" * 32)
        self.assertEqual((code, out, err), (1, "", "quorate: the service gave a signature that does "
                                            "not verify: do not use it\n"))

    def test_attack_a_signature_of_something_else(self):
        signed = self.json("sign", "--account", self.id, "--message-hash", HASH)
        code, out, err = self.answered(signed, "sign", "--account", self.id, "--message-hash",
                                       "22" * 32)
        wanted = (1, "", "quorate: the service gave a signature of another message: do not use it\n")
        self.assertEqual((code, out, err), wanted)
        self.assertEqual(self.answered(signed, "sign", "--account", self.id, "--message",
                                       self.file(b"hello"), "--hash", "keccak256"), wanted)

    def test_sign_refusals(self):
        account, digest = ["--account", self.id], ["--message-hash", HASH]
        for words, sentence in (
                (digest, "--account is missing; see quorate sign --help"),
                (["--account", "x", *digest], "--account x is no account id (a UUID)"),
                (account, "give one of --message-hash and --message"),
                ([*account, *digest, "--message", "x"], "give one of --message-hash and --message"),
                ([*account, "--message", "x"], "--message needs --hash keccak256 or --hash sha256"),
                ([*account, "--message", "x", "--hash", "md5"],
                 "--message needs --hash keccak256 or --hash sha256"),
                ([*account, *digest, "--hash", "sha256"],
                 "--hash goes with --message; a --message-hash is taken as it is"),
                ([*account, "--message-hash", "12"],
                 "--message-hash must be 32 bytes in hex, 64 digits"),
                ([*account, *digest, "--path", "m/44h"],
                 "--path must look like m/44/60/0, not hardened, at most 16 levels"),
                ([*account, *digest, "--path", "m/0'"],
                 "--path must look like m/44/60/0, not hardened, at most 16 levels"),
                ([*account, *digest, "--intent", "00"],
                 "--intent and --intent-signature go together"),
                ([*account, *digest, "--parties", "party-1"],
                 "--parties takes two names or more with commas between"),
                ([*account, *digest, "--wait", "long"], "--wait is a number of seconds up to 600")):
            self.refused(2, sentence, "sign", *words)
        self.refused(1, "cannot open /nowhere: No such file or directory", "sign", *account,
                     "--message", "/nowhere", "--hash", "sha256")
        empty = self.file(b"")
        self.refused(1, f"{empty} is empty: a message has one byte at least", "sign", *account,
                     "--message", empty, "--hash", "sha256")
        for words, name in ((["--account", NOBODY, *digest], NOBODY),
                            ([*account, *digest, "--parties", "party-1,party-1"],
                             "--parties names party-1 twice")):
            code, out, err = self.stack.cli("sign", *words)
            self.assertEqual((code, out, err.count("\n")), (1, "", 1))
            self.assertIn(name, err)

    def test_sign_says_which_party_it_waits_for(self):
        """And how to ask for the session when the wait is over, which is not its end."""
        stopped, = self.pause("party-3")
        words = ["sign", "--account", self.id, "--message-hash", HASH, "--parties"]
        code, out, err = self.stack.cli(*words, "party-1,party-3", "--wait", "1")
        self.assertRegex(err, r"\A(?:quorate: still waiting: party-3 is not live\n)?"
                         r"quorate: the wait is over, the session goes on: quorate session "
                         r"show \S{36} tells its end; asking again without the same "
                         r"--idempotency-key begins another\n\Z")
        self.assertEqual((code, out), (1, ""))
        session = err.split("show ")[1].split()[0]
        self.assertEqual(self.json("session", "show", session)["session_id"], session)
        self.waits_for("party-3 is", stopped, *words, "party-2,party-3")

    def test_sign_says_which_of_the_account_s_parties_are_missing(self):
        stopped = self.pause("party-2", "party-3")
        self.waits_for("party-2 is|party-3 is|party-2, party-3 are", *stopped, "sign", "--account",
                       self.id, "--message-hash", HASH)

    def pause(self, *names):
        """Until the test's end, when all are live again."""
        self.addCleanup(until, lambda: all(p["live"] for p in self.stack.call(
            "GET", "/api/v1/parties").body["parties"]))
        stopped = [self.stack.kill(name, signal.SIGSTOP) for name in names]
        for pid in stopped:
            self.addCleanup(os.kill, pid, signal.SIGCONT)
        return stopped

    def waits_for(self, who, *words):
        """The command says so, and is done when the processes (the first of |words|) go on."""
        stopped = [word for word in words if isinstance(word, int)]
        p = subprocess.Popen([QUORATE, *words[len(stopped):], "--json", "--dir", self.stack.dir],
                             text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(p.communicate)
        self.assertRegex(p.stderr.readline(), rf"\Aquorate: still waiting: ({who}) not live\n\Z")
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        out, err = p.communicate(timeout=LIMIT)
        self.assertEqual((p.returncode, err), (0, ""))
        self.assertTrue(signature_is_valid(json.loads(out)))

    def test_on_a_terminal_the_time_is_shown_and_goes_away(self):
        stopped = [self.stack.kill(name, signal.SIGSTOP) for name in PARTIES]
        for pid in stopped:
            self.addCleanup(os.kill, pid, signal.SIGCONT)
        terminal, end = pty.openpty()
        self.addCleanup(os.close, terminal)
        p = subprocess.Popen([QUORATE, "sign", "--account", self.id, "--message-hash", HASH,
                              "--json", "--dir", self.stack.dir], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=end)
        os.close(end)
        self.addCleanup(p.communicate)
        shown = b""
        while not re.search(rb"\rsigning, \d+ s\x1b\[K", shown):
            shown += os.read(terminal, 4096)
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        out = p.communicate(timeout=LIMIT)[0]
        with contextlib.suppress(OSError):  # nobody has the other end any more
            while got := os.read(terminal, 4096):
                shown += got
        self.assertEqual(p.returncode, 0)
        self.assertTrue(signature_is_valid(json.loads(out)))
        self.assertTrue(shown.endswith(b"\r\x1b[K"), shown)

    # --- session, parties, status ---

    def test_session(self):
        session = self.account["session_id"]
        shown = self.json("session", "show", session)
        self.assertEqual((shown["session_id"], shown["session_type"], shown["status"]),
                         (session, "keygen", "completed"))
        self.assertIn(("status", "completed"), text_lines(self.text("session", "show", session)))
        events = self.json("session", "events", session)["events"]
        self.assertEqual((events[0]["event_type"], events[-1]["event_type"]),
                         ("session_created", "session_completed"))
        text = self.text("session", "events", session)
        for event in events:
            self.assertIn(f"  event type        {event['event_type']}\n", text)
        self.refused(1, f"the session {session} has ended: completed", "session", "cancel", session)

    def test_cancel(self):
        stack = Stack(patient, parties=2)
        try:
            for name in ("party-1", "party-2"):
                os.kill(stack.pid(name), signal.SIGSTOP)
            code, out, _ = stack.cli("account", "create", "--user", "u", "--threshold", "2/2",
                                     "--wait", "0", "--json")
            session = json.loads(out)["session_id"]
            code, out, err = stack.cli("session", "cancel", session, "--json")
            self.assertEqual((code, err, json.loads(out)["status"]), (0, "", "cancelled"))
            for name in ("party-1", "party-2"):
                os.kill(stack.pid(name), signal.SIGCONT)
        finally:
            stack.close()

    def test_parties_and_status(self):
        parties = self.json("parties")["parties"]
        self.assertEqual([(p["party_id"], p["role"], p["live"]) for p in parties],
                         [("delegate-1", "delegate", True)] +
                         [(name, "persistent", True) for name in PARTIES])
        text = self.text("parties")
        self.assertIn("  party id          party-2\n  role              persistent\n", text)
        self.assertEqual(self.json("status"),
                         {"status": "ready", "signing": "ready", "parties_live": 4,
                          "parties_known": 4})
        self.assertEqual(text_lines(self.text("status")),
                         [("status", "ready"), ("signing", "ready"), ("parties live", "4"),
                          ("parties known", "4")])

    def test_status_of_a_system_without_parties_to_sign(self):
        """The services are ready, nobody's key can be used: that is told, by the exit code too."""
        for live, can_sign in ((1, False), (2, True)):
            pool = [{"party_id": f"party-{i}", "role": "persistent", "live": i <= live}
                    for i in range(1, 4)]
            pool.append({"party_id": "delegate-1", "role": "delegate", "live": True})
            code, out, err = self.answered({"parties": pool}, "status", "--json", requests=2)
            self.assertEqual(json.loads(out), {
                "status": "ready", "signing": "ready" if can_sign else "not_ready",
                "parties_live": live + 1, "parties_known": 4})
            self.assertEqual((code, "live server parties: 1, and a signature takes 2 or more; "
                              in err), (0, False) if can_sign else (1, True))

    # --- the system is not there ---

    def test_wrong_api_key(self):
        client = self.file(json.dumps({"url": self.stack.url, "api_key": "wrong"}))
        self.refused(1, "unauthorized", "account", "list", "--client", client)

    def test_client_file(self):
        for content in ("", "[]", '{"url": 1, "api_key": "x"}', '{"url": "http://127.0.0.1"}'):
            path = self.file(content)
            self.refused(1, f"{path} must hold " '{"url": ..., "api_key": ...}', "account", "list",
                         "--client", path)

    def test_not_running(self):
        asked = [["account", "list"], ["account", "show", NOBODY], ["account", "verify", NOBODY],
                 ["account", "create", "--user", "u"], ["parties"], ["session", "show", NOBODY],
                 ["sign", "--account", NOBODY, "--message-hash", HASH], ["status"],
                 ["freeze", "--key", self.file("ab" * 32)]]
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "client.json")
            for words in asked:
                p = subprocess.run([QUORATE, *words, "--dir", directory], capture_output=True,
                                   text=True, timeout=LIMIT, check=False)
                self.assertEqual((p.returncode, p.stdout, p.stderr), (
                    1, "", f"quorate: cannot open {path}: No such file or directory; is the system "
                    "running? quorate up starts it\n"))
        client = self.file(json.dumps({"url": "http://127.0.0.1:1", "api_key": "x"}))
        for words in asked:
            code, out, err = self.stack.cli(*words, "--client", client)
            self.assertEqual((code, out, err), (
                1, "", "quorate: the system at http://127.0.0.1:1 does not answer (Couldn't connect "
                "to server); is it running? quorate up starts it\n"))


if __name__ == "__main__":
    unittest.main()
