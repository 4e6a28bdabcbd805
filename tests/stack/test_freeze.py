# SPDX-License-Identifier: Apache-2.0
"""The operator's freeze: nothing is signed for what is frozen, whoever asks, and only the operator's
key says so. The parties enforce it, with the services' help or without it."""
import contextlib
import http.server
import json
import os
import re
import tempfile
import threading
import unittest
import uuid

from support import Answer, Stack, TestCase, patient, signature_is_valid, until

PARTIES = ("party-1", "party-2", "party-3")
REASON = "a phone was stolen"


class Freeze(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(patient)
        cls.account = cls.stack.create()["account_id"]
        cls.other = cls.stack.create()["account_id"]

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    @contextlib.contextmanager
    def one_order(self):
        """That is given here. It ends when every party has obeyed: the next one's is another."""
        before = {party: self.obeyed(party) for party in PARTIES}
        yield
        for party in PARTIES:
            until(lambda party=party: self.obeyed(party) > before[party])

    def order(self, action, account=None, *options):
        """Given and obeyed by every party: its serial."""
        words = ["--account", account] if account else []
        with self.one_order():
            code, out, err = self.stack.cli(action, *words, *options, "--json")
        self.assertEqual((code, err), (0, ""))
        report = json.loads(out)
        self.assertEqual((report["action"], report.get("account_id")), (action, account))
        return report["serial"]

    def assertSigns(self, account):
        answer = self.stack.sign(account)
        self.assertEqual(answer.status, 200, answer)
        self.assertTrue(signature_is_valid(answer.body))

    def assertFrozen(self, account, what):
        answer = self.stack.sign(account)
        self.assertError(answer, 409, f"the operator has frozen {what}")
        self.assertEqual(answer.body["code"], "frozen")

    def obeyed(self, party):
        """How many orders the party has obeyed."""
        return len(re.findall("(?:frozen|freeze ended) by the operator", self.stack.log(party)))

    def submit(self, order):
        return self.stack.call("POST", "/api/v1/orders", order)

    # --- one account ---

    def test_a_frozen_account_signs_nothing_and_others_do(self):
        self.order("freeze", self.account, "--reason", REASON)
        self.assertFrozen(self.account, f"the account {self.account}")
        code, out, err = self.stack.cli("sign", "--account", self.account, "--message-hash",
                                        "22" * 32)
        self.assertEqual((code, out), (1, ""))
        self.assertEqual(err, f"quorate: the operator has frozen the account {self.account}\n")
        self.assertSigns(self.other)
        self.assertIn(REASON, self.stack.log("session-coordinator"))
        self.order("unfreeze", self.account)
        self.assertSigns(self.account)

    def test_who_signs_right_after_an_unfreeze_waits_until_the_parties_know(self):
        for words in (["--account", self.account], []):
            self.order("freeze", *words[1:])
            with self.one_order():
                self.assertEqual(self.stack.cli("unfreeze", *words)[0], 0)
                self.assertSigns(self.account)

    def test_the_whole_system(self):
        self.order("freeze")
        for account in (self.account, self.other):
            self.assertFrozen(account, "the whole system")
        self.assertError(self.stack.call("POST", "/api/v1/accounts", {"user_id": "late"}), 409,
                         "frozen")
        # an account's own freeze is another matter
        self.order("freeze", self.other)
        self.order("unfreeze")
        self.assertSigns(self.account)
        self.assertFrozen(self.other, f"the account {self.other}")
        self.order("unfreeze", self.other)
        self.assertSigns(self.other)

    def test_what_is_frozen_is_listed_with_its_order(self):
        def listed(*words):
            code, out, err = self.stack.cli("freeze", "list", "--json", *words)
            self.assertEqual((code, err), (0, ""))
            return [(f.get("account_id"), f.get("reason"), f["signed_by_operator"])
                    for f in json.loads(out)["freezes"]]
        self.assertEqual(listed(), [])
        self.order("freeze", self.account, "--reason", REASON)
        self.order("freeze")
        self.order("freeze", self.other)
        self.order("unfreeze", self.other)
        self.assertEqual(listed(), [(self.account, REASON, True), (None, None, True)])
        with tempfile.NamedTemporaryFile("w", suffix=".key") as f:  # another operator's
            f.write("cd" * 32 + "\n")
            f.flush()
            self.assertEqual(listed("--key", f.name), [(self.account, REASON, False),
                                                       (None, None, False)])
        first, second = self.stack.call("GET", "/api/v1/freezes").body["freezes"]
        # What was submitted comes back as it was, so that anybody can check it.
        self.assertError(self.submit({k: first[k] for k in ("body", "signature")}), 409)
        answer = self.stack.call("GET", "/api/v1/freezes?after=1")
        self.assertEqual((answer.status, answer.body["freezes"][-1:]), (200, [second]))
        for bad in ("x", "-1"):
            self.assertError(self.stack.call("GET", "/api/v1/freezes?after=" + bad), 400, "after")
        self.order("unfreeze")
        self.order("unfreeze", self.account)
        self.assertEqual(listed(), [])

    def test_an_account_that_nobody_knows_is_told_of(self):
        with self.one_order():
            code, out, err = self.stack.cli("freeze", "--account", str(uuid.uuid4()))
        self.assertEqual(code, 1)
        self.assertIn("freeze", out)  # it was given: a service may hide an account
        self.assertIn("the order was given, but this account is not known to be there", err)

    # --- who orders ---

    def test_attack_an_order_by_another_key_changes_nothing(self):
        with tempfile.NamedTemporaryFile("w", suffix=".key") as f:
            f.write("ab" * 32 + "\n")
            f.flush()
            code, out, err = self.stack.cli("freeze", "--key", f.name)
        self.assertEqual((code, out), (1, ""))
        self.assertEqual(err, "quorate: order must be signed by the operator's key\n")
        self.assertSigns(self.account)

    def test_attack_a_changed_order_changes_nothing(self):
        order = self.captured("freeze", self.account)
        body = bytearray.fromhex(order["body"])
        for i in (0, len(body) // 2, len(body) - 1):
            changed = bytearray(body)
            changed[i] ^= 1
            answer = self.submit({**order, "body": changed.hex()})
            self.assertEqual(answer.status // 100, 4, answer)
        self.assertError(self.submit({**order, "signature": "00" * 64}), 403)
        self.assertError(self.submit({**order, "signature": "zz"}), 400, "signature")
        self.assertSigns(self.account)

    def captured(self, action, account):
        """What the command sends, without sending it to the system: to a port that answers 503."""
        class Catch(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.server.got = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(503)
                self.end_headers()

            def log_message(self, *args):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Catch)
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with tempfile.NamedTemporaryFile("w") as f:
            json.dump({"url": f"http://127.0.0.1:{server.server_port}", "api_key": "x"}, f)
            f.flush()
            code, _, err = self.stack.cli(action, "--account", account, "--client", f.name)
        thread.join()
        server.server_close()
        self.assertEqual((code, err), (1, f"quorate: http://127.0.0.1:{server.server_port} answered "
                                       "with HTTP status 503\n"))
        return server.got

    def test_an_older_order_is_refused(self):
        old = self.captured("freeze", self.other)
        serial = self.order("unfreeze", self.other)
        self.assertError(self.submit(old), 409, f"above {serial}")
        self.assertSigns(self.other)
        # and no order counts twice
        again = self.captured("unfreeze", self.other)
        with self.one_order():
            self.assertEqual(self.submit(again).status, 200)
        self.assertError(self.submit(again), 409, "above")

    def test_attack_without_the_api_key(self):
        order = self.captured("freeze", self.account)
        self.assertEqual(self.stack.call("POST", "/api/v1/orders", order, key=False).status, 401)
        self.assertSigns(self.account)

    # --- the parties' own memory ---

    def forget(self):
        """The coordinator loses every order, as one that is on the attacker's side would say."""
        self.assertGreater(self.stack.change("session-coordinator", "DELETE FROM orders"), 0)

    def test_parties_remember_over_a_restart_and_need_no_coordinator_for_it(self):
        self.order("freeze", self.account)
        self.assertEqual(self.stack.stop(), 0)
        self.forget()
        self.stack.start()
        answer = self.stack.sign(self.account)
        self.assertIsInstance(answer, Answer)
        self.assertEqual(answer.status // 100, 4, answer)
        self.assertIn("the operator has frozen this account or the system", answer.body["error"])
        self.assertSigns(self.other)
        self.order("unfreeze", self.account)
        self.assertSigns(self.account)

    def test_wrong_use(self):
        for words, sentence in (
                (["freeze", "--account", "x"], "x is no account id (a UUID)"),
                (["freeze", "x"], "x is one argument too many; see quorate freeze --help"),
                (["unfreeze", "--reason", "y" * 1001], "--reason is longer than 1000 bytes")):
            self.assertEqual(self.stack.cli(*words), (2, "", f"quorate: {sentence}\n"))
        self.assertEqual(self.stack.cli("freeze", "--key", "/nowhere"),
                         (1, "", "quorate: cannot open /nowhere: No such file or directory\n"))
        with tempfile.NamedTemporaryFile("w") as f:
            f.write("short")
            f.flush()
            self.assertEqual(self.stack.cli("freeze", "--key", f.name),
                             (1, "", f"quorate: {f.name} must hold 64 hex digits\n"))


if __name__ == "__main__":
    unittest.main()
