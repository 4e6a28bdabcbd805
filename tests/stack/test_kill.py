# SPDX-License-Identifier: Apache-2.0
"""The kill matrix: each process killed, and each stopped, at every round of keygen and of signing.

A router that holds the round's messages makes the moment; nothing is guessed from time. The request
ends with a correct result or a clear error, and afterwards nothing needs a hand: every account made
before signs, a new one can be made, none is half made, and no session outlives its deadline."""
import http.client
import signal
import time
import unittest
import uuid

from support import (LONG, Proxy, Request, Stack, TestCase, change_env, install_npm,
                     signature_is_valid, until)

KILL, STOP = signal.SIGKILL, signal.SIGSTOP
# Of the whole matrix many cells have to wait for a deadline.
SIGN_WAIT_S, KEYGEN_WAIT_S = (12, 20) if LONG else (60, 60)
COORDINATOR = {"SIGN_ATTEMPT_MS": 2500, "KEYGEN_ATTEMPT_MS": 6000}
ROUNDS = {"keygen": (1, 2, 3, 4), "sign": (1, 2, 3)}
USER_KEY = "09" + 31 * "00"  # X25519: nobody opens the share here
SERVICES = ("message-router", "session-coordinator", "account-service", "server-party-api")
PARTY = ("party", "party/keeper")  # one that takes part in the request
LOST = (ConnectionError, http.client.HTTPException, TimeoutError)

# Of the normal suite: each process, each round and both ways at least once, without long waits.
SMALL = [("sign", 1, "message-router", KILL), ("sign", 2, "session-coordinator", KILL),
         ("sign", 3, "party", KILL), ("sign", 2, "party/keeper", KILL),
         ("sign", 3, "account-service", KILL), ("sign", 1, "party", STOP),
         ("sign", 2, "account-service", STOP), ("keygen", 1, "session-coordinator", KILL),
         ("keygen", 2, "message-router", KILL), ("keygen", 4, "account-service", KILL),
         ("keygen", 3, "party", KILL), ("delegate", 3, "server-party-api", KILL)]


class Matrix(TestCase):
    @classmethod
    def setUpClass(cls):
        def edit(directory):
            cls.proxy = Proxy("router", directory)
            change_env(directory, "session-coordinator", **COORDINATOR)
            change_env(directory, "account-service", SIGN_WAIT_S=SIGN_WAIT_S,
                       KEYGEN_WAIT_S=KEYGEN_WAIT_S)
            change_env(directory, "message-router", LEASE_MS=3000, HEARTBEAT_MS=300)
            for i in (1, 2, 3):
                change_env(directory, f"party-{i}", HEARTBEAT_MS=300)

        cls.stack = Stack(edit)
        made = until(lambda: next((a for a in [cls.stack.call(
            "POST", "/api/v1/accounts", {"user_id": "before"})] if a.status == 201), None))
        cls.accounts = [made.body["account_id"]]

    @classmethod
    def tearDownClass(cls):
        try:
            cls.stack.close()
        finally:
            cls.proxy.close()

    def request(self, operation, key):
        """(method, path, body) of the request that is hit."""
        if operation == "sign":
            return ("POST", f"/api/v1/accounts/{self.accounts[0]}/sign",
                    {"message": uuid.uuid4().hex * 2, "idempotency_key": key})
        share = {"user_share": "delegate", "user_public_key": USER_KEY}
        return ("POST", "/api/v1/accounts", {"user_id": "u-" + key, "idempotency_key": key,
                                             **(share if operation == "delegate" else {})})

    def again(self, request):
        """The answer, also if the service went away meanwhile: then it is asked again."""
        def ask():
            try:
                return self.stack.call(*request)
            except LOST:
                return None
        return until(ask)

    def hit(self, operation, number, victim, sig):
        """Run a request and hit |victim| at the round; the answer."""
        stack, proxy = self.stack, self.proxy
        request = self.request(operation, uuid.uuid4().hex)
        proxy.rules({"round": number, "action": "hold"})
        running = Request(lambda: self.again(request))
        held = proxy.held(2)
        name = victim.replace("party", held[0]["from"]) if victim in PARTY else victim
        old = stack.kill(name, sig)
        proxy.release()
        if sig == KILL:
            answer = running.get()
            stack.restarted(name, old)
        else:
            if victim == "account-service":  # who asked hears nothing before it goes on
                until(lambda: not self.unfinished())
                stack.kill(name, signal.SIGCONT)
            answer = running.get()
            stack.kill(name, signal.SIGCONT)
        return answer

    def unfinished(self):
        return self.stack.sessions("status IN ('waiting', 'ready', 'running')")

    def well(self, answer):
        """A correct result, or a clear error. True for a result."""
        if answer.status in (200, 201):
            if "signature" in answer.body:
                self.assertTrue(signature_is_valid(answer.body), answer)
            else:
                self.assertEqual(answer.body["status"], "active", answer)
            return True
        self.assertIn(answer.status, (422, 503, 504), answer)
        self.assertTrue(answer.status != 504 or answer.body["session_id"], answer)
        self.assertTrue(answer.body["error"] and answer.body["code"], answer)
        return False

    def recovered(self):
        """Nothing needs a hand."""
        stack = self.stack
        fresh = until(lambda: self.made(stack.call("POST", "/api/v1/accounts",
                                                   {"user_id": "after"})))
        for account in [fresh, *self.accounts[:1], *self.accounts[-2:]]:
            self.signs(account)
        until(lambda: not self.unfinished())
        until(lambda: not stack.rows("account-service", "account.db",
                                     "SELECT account_id FROM accounts WHERE status = 'pending'"))

    def signs(self, account):
        until(lambda: self.well(self.stack.sign(account)))

    def made(self, answer):
        return answer.body["account_id"] if self.well(answer) else None

    def cell(self, operation, number, victim, sig):
        began = time.monotonic()
        answer = self.hit(operation, number, victim, sig)
        ended = time.monotonic()
        done = self.well(answer)
        if done and operation != "sign":
            self.accounts.append(answer.body["account_id"])
        if operation == "sign" and victim not in ("message-router", "session-coordinator"):
            self.assertTrue(done, answer)  # two live parties are enough
        self.recovered()
        print(f"{operation} {number} {victim} {sig.name}: {answer.status} "
              f"{'' if done else answer.body['code']} {ended - began:.1f} s, "
              f"{time.monotonic() - ended:.1f} s after", flush=True)

    def run_cells(self, cells):
        for cell in cells:
            with self.subTest(cell=cell):
                self.cell(*cell)
        for account in self.accounts:  # each that was made, whatever befell others since
            self.signs(account)
        self.assertEqual(self.stack.burned(), [])

    def test_a_small_part(self):
        self.run_cells(SMALL)

    @unittest.skipUnless(LONG, "the suite long has the whole matrix")
    def test_the_whole_matrix(self):
        self.run_cells([(operation, number, victim, sig) for operation, rounds in ROUNDS.items()
                        for number in rounds for victim in (*SERVICES, *PARTY)
                        for sig in (KILL, STOP)] +
                       [("delegate", number, victim, sig) for number in ROUNDS["keygen"]
                        for victim in ("server-party-api", "server-party-api/keeper")
                        for sig in (KILL, STOP)])


if __name__ == "__main__":
    install_npm()
    unittest.main()
