# SPDX-License-Identifier: Apache-2.0
"""A user's share, from end to end: made by the delegate, opened by its owner, confirmed and gone;
lent for one session, used there, and for nothing else."""
import base64
import unittest
import uuid

from support import Request, Stack, TestCase, change_env, patient, signature_is_valid, until

from sealed import field, key_pair, lent_share, open_box, seal  # of tests/interop, as support is

DELEGATE = "server-party-api"
NAME = "delegate-1"


class Delegate(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(patient)
        cls.public, cls.secret = key_pair()

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def api(self, method, path, body=None):
        return self.stack.call(method, path, body, url=self.stack.service_url(DELEGATE))

    def shares(self):
        return self.stack.rows(DELEGATE, "party.db", "SELECT count(*) FROM shares")[0][0]

    def confirm(self, account):
        answer = self.api("POST", "/api/v1/shares/confirm", {"session_id": account["session_id"]})
        self.assertEqual(answer.status, 200, answer)

    def create(self):
        """An account, and its user's share, opened."""
        account = self.stack.create(user_share="delegate", user_public_key=self.public.hex())
        self.assertIn(NAME, account["parties"])
        box = base64.b64decode(account["encrypted_user_share"], validate=True)
        return account, open_box(box, self.public, self.secret)

    def session(self, account, message):
        """A signing session that the delegate takes part in: id, its join token."""
        other = next(p for p in account["parties"] if p != NAME)
        answer = self.stack.call("POST", "/api/v1/mpc/sign?wait=0", {
            "account_id": account["account_id"], "message_hash": message,
            "participants": [{"party_id": other}, {"party_id": NAME}]})
        self.assertEqual(answer.status // 100, 2, answer)
        return answer.body["session_id"], answer.body["join_tokens"][NAME]

    def lend(self, session, plain):
        key = bytes.fromhex(self.api("GET", "/api/v1/shares/key").body["public_key"])
        return self.api("POST", "/api/v1/shares/sign", {
            "session_id": session[0], "join_token": session[1],
            "user_share": base64.b64encode(seal(plain, key)).decode()})

    def assertSigned(self, account, message, answer):
        self.assertEqual(answer.status, 200, answer)
        self.assertTrue(signature_is_valid({
            "signature": answer.body["signature"], "public_key": account["public_key"],
            "message_hash": message}), answer)

    def test_a_share_is_made_confirmed_lent_and_forgotten(self):
        account, share = self.create()
        self.assertEqual(self.shares(), 1)
        self.confirm(account)
        self.assertEqual(self.shares(), 0)
        for _ in range(2):
            message = uuid.uuid4().hex * 2
            session = self.session(account, message)
            self.assertSigned(account, message, self.lend(session, lent_share(session[0], share)))
            final = self.stack.call("GET", f"/api/v1/mpc/sessions/{session[0]}?wait=240").body
            self.assertEqual((final["status"], final["public_key"]),
                             ("completed", account["public_key"]))
        self.assertEqual(self.shares(), 0)
        # the others sign without the user
        self.assertTrue(signature_is_valid(self.stack.sign(account["account_id"]).body))

    def test_a_share_that_a_restart_took_comes_with_a_repeat(self):
        request = {"user_id": "again", "user_share": "delegate", "idempotency_key": uuid.uuid4().hex,
                   "user_public_key": self.public.hex()}
        account = self.stack.call("POST", "/api/v1/accounts", request).body
        session = {"session_id": account["session_id"]}
        self.assertEqual(self.api("POST", "/api/v1/shares/generate", session).body["user_share"],
                         account["encrypted_user_share"])
        self.stack.restarted(DELEGATE, self.stack.kill(DELEGATE))
        answer = until(lambda: next((a for a in [self.generate_again(session)] if a), None))
        self.assertError(answer, 409, "a repeat of the request that made the account")
        self.assertEqual(self.stack.call("POST", "/api/v1/accounts", request).body, account)
        # who made it without an idempotency_key asks the operator
        at_coordinator = self.stack.call(
            "GET", "/api/v1/sessions/" + account["session_id"],
            url=self.stack.service_url("session-coordinator"))
        self.assertEqual(at_coordinator.body["delegate_share"], account["encrypted_user_share"])

    def test_who_reads_accounts_sees_no_share(self):
        """Sealed or not, before its owner has confirmed it and after."""
        account, _ = self.create()
        box = account.pop("encrypted_user_share")
        path, user = "/api/v1/accounts/" + account["account_id"], account["user_id"]
        reads = path, path + "/certificate", "/api/v1/accounts?user_id=" + user
        for ask in (lambda: None, lambda: self.confirm(account)):
            ask()
            for read in reads:
                answer = self.stack.call("GET", read)
                self.assertEqual(answer.status, 200, answer)
                self.assertFalse(box in str(answer.body), read)
            self.assertEqual(self.stack.call("GET", path).body, account)

    def generate_again(self, session):
        """None while the delegate starts."""
        try:
            answer = self.api("POST", "/api/v1/shares/generate", session)
        except OSError:
            return None
        return None if answer.status == 503 else answer

    def test_attack_a_box_of_another_session(self):
        account, share = self.create()
        self.confirm(account)
        message = uuid.uuid4().hex * 2
        session, other = (self.session(account, message) for _ in range(2))
        for plain in (lent_share(other[0], share), share, field(2, share)):
            self.assertError(self.lend(session, plain), 400, "user_share")
        self.assertSigned(account, message, self.lend(session, lent_share(session[0], share)))
        self.stack.call("POST", f"/api/v1/mpc/sessions/{other[0]}/cancel")

    def test_a_key_that_comes_with_the_call(self):
        """Neither the request nor the configuration names one: the keygen waits for the call, which
        may come before the delegate has heard of the session."""
        answer = self.stack.call("POST", "/api/v1/accounts?wait=0",
                                 {"user_id": "late", "user_share": "delegate"})
        self.assertEqual(answer.status, 201, answer)
        session = answer.body["session_id"]
        made = self.api("POST", "/api/v1/shares/generate",
                        {"session_id": session, "user_public_key": self.public.hex()})
        self.assertEqual(made.status, 200, made)
        self.assertTrue(open_box(base64.b64decode(made.body["user_share"]), self.public,
                                 self.secret))
        path = f"/api/v1/accounts/{answer.body['account_id']}"
        until(lambda: self.stack.call("GET", path).body["status"] == "active")
        self.confirm({"session_id": session})

    def test_a_share_that_was_made_is_the_same_for_every_call(self):
        account, _ = self.create()
        answer = self.api("POST", "/api/v1/shares/generate",
                          {"session_id": account["session_id"], "user_public_key": "09" + 62 * "0"})
        # the share that was made is the answer to everybody, and opens for its owner alone
        self.assertEqual(answer.status, 200, answer)
        self.assertTrue(open_box(base64.b64decode(answer.body["user_share"]), self.public,
                                 self.secret))
        self.confirm(account)
        self.assertError(self.api("POST", "/api/v1/shares/generate",
                                  {"session_id": account["session_id"]}), 409, "confirmed")


class Queue(TestCase):
    """One keygen runs at a time."""

    def setUp(self):
        def edit(directory):
            patient(directory)
            change_env(directory, "session-coordinator", MAX_RUNNING_KEYGEN=1)
        self.stack = Stack(edit)
        self.public, self.secret = key_pair()

    def tearDown(self):
        self.stack.close()

    def begin(self):
        answer = self.stack.call("POST", "/api/v1/accounts?wait=0",
                                 {"user_id": "late", "user_share": "delegate"})
        self.assertEqual(answer.status, 201, answer)
        return answer.body["session_id"]

    def generate(self, session):
        return self.stack.call("POST", "/api/v1/shares/generate",
                               {"session_id": session, "user_public_key": self.public.hex()},
                               url=self.stack.service_url(DELEGATE))

    def test_a_share_of_a_session_that_waits_its_turn(self):
        first, second, third = (self.begin() for _ in range(3))  # the first waits for its caller's key
        waiting = Request(lambda: self.generate(second))
        refused = Request(lambda: self.generate(third))
        self.assertError(self.generate(str(uuid.uuid4())), 404, "not invited")
        self.stack.call("POST", f"/api/v1/mpc/sessions/{third}/cancel")
        self.assertError(refused.get(), 409, "cancelled")
        self.assertTrue(waiting.is_alive())
        self.stack.call("POST", f"/api/v1/mpc/sessions/{first}/cancel")
        made = waiting.get()
        self.assertEqual(made.status, 200, made)
        self.assertTrue(open_box(base64.b64decode(made.body["user_share"]), self.public,
                                 self.secret))


if __name__ == "__main__":
    unittest.main()
