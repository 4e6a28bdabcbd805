# SPDX-License-Identifier: Apache-2.0
"""Wrapping keys change under a running system, by the commands of docs/keys.md: one party after the
other while signatures are made all the time, and none fails."""
import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

from doors import SHARES as DELEGATE
from sealed import key_pair
from support import HASH, LIMIT, SOURCE, Stack, TestCase, signature_is_valid, until

sys.path.append(os.path.join(SOURCE, "tests", "docs"))
from pages import Page  # noqa: E402

PAGE = Page("docs/keys.md")
PARTIES = ("party-1", "party-2", "party-3")
ACCOUNTS = 4
DONE = "every share is under the next wrapping key"


def commands(heading):
    """The commands of one section of the page, each block on its own."""
    return [block.text for block in PAGE.of(heading)]


class Signers:
    """Sign with all accounts, over and over, until the end; every answer is kept."""

    def __init__(self, stack, accounts):
        self.stack, self.ends, self.answers = stack, threading.Event(), []
        self.threads = [threading.Thread(target=self.run, args=(a,)) for a in accounts]
        for thread in self.threads:
            thread.start()

    def run(self, account):
        while not self.ends.is_set():
            try:
                self.answers.append(self.stack.sign(account["account_id"]))
            except Exception as e:  # noqa: BLE001: a failure is what the test looks for
                self.answers.append(e)

    def stop(self):
        self.ends.set()
        for thread in self.threads:
            thread.join(LIMIT)
        return self.answers


class Rotation(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.mkdtemp(prefix="quorate-rotation-")
        # `up` gives its services no variable of a token's module, but a home.
        home = os.path.join(cls.tmp, "home", ".config", "softhsm2")
        os.makedirs(home)
        os.makedirs(os.path.join(cls.tmp, "tokens"))
        with open(os.path.join(home, "softhsm2.conf"), "w", encoding="ascii") as f:
            f.write(f"directories.tokendir = {cls.tmp}/tokens\nlog.level = ERROR\n")
        os.environ["HOME"] = os.path.join(cls.tmp, "home")
        os.environ.pop("SOFTHSM2_CONF", None)
        cls.stack = Stack()
        cls.accounts = [cls.stack.create() for _ in range(ACCOUNTS)]
        cls.given = cls.stack.create(user_share="delegate", user_public_key=key_pair()[0].hex())

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()
        shutil.rmtree(cls.tmp)
        PAGE.all_ran()

    def do(self, name, command):
        """As the operator of the process |name|."""
        env = {**os.environ, "ENV_FILE": os.path.join(self.stack.dir, name + ".env"),
               "PARTY": self.stack.service_url(name)}
        p = subprocess.run(["bash", "-euc", command], cwd=self.tmp, env=env, capture_output=True,
                           text=True, stdin=subprocess.DEVNULL, timeout=LIMIT, check=False)
        self.assertEqual(p.returncode, 0, command + p.stdout + p.stderr)

    def restart(self, name):
        said = self.stack.log(name).count("keeper ready")
        self.stack.restarted(name, self.stack.kill(name, signal.SIGTERM))
        until(lambda: self.stack.log(name).count("keeper ready") > said)
        until(self.stack.is_whole)  # before the next one goes

    def change(self, name, begin, end):
        """From one wrapping key to the next; what waits stands in the first section."""
        wait = commands("Changing the wrapping key")[1]
        said = self.stack.log(name).count(DONE)
        self.do(name, begin)
        self.restart(name)
        self.do(name, wait)
        until(lambda: self.stack.log(name).count(DONE) > said)
        self.do(name, end)
        self.restart(name)

    @contextlib.contextmanager
    def signing(self):
        """Meanwhile every account signs all the time, and no signature fails."""
        signers = Signers(self.stack, self.accounts)
        try:
            until(lambda: len(signers.answers) >= ACCOUNTS)
            yield
        finally:
            answers = signers.stop()
        self.assertGreaterEqual(len(answers), 2 * ACCOUNTS)
        for answer in answers:
            self.assertEqual(getattr(answer, "status", None), 200, answer)
            self.assertTrue(signature_is_valid(answer.body))

    def all_sign(self):
        """Every account, by every two parties: every share is opened."""
        for account, pair in itertools.product(self.accounts,
                                               itertools.combinations(PARTIES, 2)):
            answer = self.stack.call("POST", "/api/v1/mpc/sign", {
                "account_id": account["account_id"], "message_hash": HASH,
                "participants": [{"party_id": p} for p in pair]})
            self.assertEqual(answer.status, 201, answer)
            session = self.stack.call(
                "GET", f"/api/v1/mpc/sessions/{answer.body['session_id']}?wait=60")
            self.assertEqual(session.body["status"], "completed", session)

    def ids(self, name):
        """Of the wrapping keys that a process's rows are under."""
        rows = self.stack.rows(name, "party.db", "SELECT substr(sealed, 5, 8) AS id FROM shares")
        # a server gives bytes as text, backslash and x before the digits
        return {i.hex() if isinstance(i, bytes) else i[2:] for i, in rows}

    def test_a_every_party_gets_another_master_key_while_all_sign(self):
        begin, _, end = commands("Changing the wrapping key")
        before = {name: self.ids(name) for name in (*PARTIES, DELEGATE)}
        keys = {name: self.stack.env(name)["CRYPTO_MASTER_KEY"] for name in before}
        with self.signing():
            for name in (*PARTIES, DELEGATE):
                self.change(name, begin, end)
        for name, old in before.items():
            self.assertEqual(len(self.ids(name)), 1, name)
            self.assertFalse(self.ids(name) & old, name)
            self.assertNotEqual(self.stack.env(name)["CRYPTO_MASTER_KEY"], keys[name])
            self.assertNotIn("CRYPTO_MASTER_KEY_NEXT", self.stack.env(name))
        self.all_sign()
        kept = self.stack.call("POST", "/api/v1/shares/confirm",
                               {"session_id": self.given["session_id"]},
                               url=self.stack.service_url(DELEGATE))
        self.assertEqual((kept.status, kept.body["status"]), (200, "confirmed"), kept)

    def test_b_into_a_token_and_out_again_while_all_sign(self):
        make, begin, end, back, last = commands("A wrapping key in a token")
        name = PARTIES[0]
        self.do(name, make)
        with self.signing():
            self.change(name, begin, end)
        self.assertNotIn("CRYPTO_MASTER_KEY", self.stack.env(name))
        self.assertEqual(self.stack.env(name)["VAULT"], "pkcs11")
        inside = self.ids(name)
        self.assertEqual(len(inside), 1)
        self.all_sign()
        self.accounts.append(self.stack.create())
        self.assertEqual(self.ids(name), inside)
        with self.signing():
            self.change(name, back, last)
        self.assertNotIn("VAULT", self.stack.env(name))
        self.assertFalse(self.ids(name) & inside)
        self.all_sign()


if __name__ == "__main__":
    unittest.main()
