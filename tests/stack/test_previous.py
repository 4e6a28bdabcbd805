# SPDX-License-Identifier: Apache-2.0
"""The release before this one beside this one. A system that the old release made, with accounts,
shares and databases of its own, is brought to the new one process by process while it signs: first
the services, then the parties, and in another run the other way round. Whatever runs beside whatever
else meanwhile makes accounts and signs, and at the end everything that the old one wrote is used.

tests/support/previous.py says which commit that is."""
import base64
import http.client
import os
import shutil
import signal
import sys
import tempfile
import threading
import unittest
import uuid

from support import HASH, QUORATE, SOURCE, Stack, TestCase, signature_is_valid, until

from npm import skip
from sealed import key_pair, lent_share, open_box, seal  # of tests/interop

sys.path.append(os.path.join(SOURCE, "tests", "support"))
import previous  # noqa: E402

NEW = os.path.dirname(os.path.dirname(os.path.realpath(QUORATE)))
PARTIES = ("party-1", "party-2", "party-3")
SERVICES = ("message-router", "session-coordinator", "server-party-api", "account-service")
DELEGATE, DELEGATE_ID = "server-party-api", "delegate-1"
LOST = (ConnectionError, http.client.HTTPException, TimeoutError)


def program_of(name):
    return "quorate-" + ("server-party" if name in PARTIES else name)


class Mixed(Stack):
    """`quorate up` of the old release over a directory of programs, where links name either release.
    What is killed comes back as what its link names then."""

    def __init__(self, old):
        self.program = os.path.join(old, "cli", "quorate")
        self.links = tempfile.mkdtemp(prefix="quorate-mixed-")
        for name in (*SERVICES, PARTIES[0]):
            self.link(name, old)
        super().__init__(options=("--services", self.links))

    def link(self, name, release):
        program = program_of(name)
        fresh = os.path.join(self.links, "fresh")
        os.symlink(os.path.join(release, "services", program), fresh)
        os.replace(fresh, os.path.join(self.links, program))

    def upgrade(self, name):
        """One process, in order."""
        self.link(name, NEW)
        old = self.kill(name, signal.SIGTERM)
        self.restarted(name, old)
        until(lambda: self.is_ready(name))

    def is_ready(self, name):
        try:
            return self.call("GET", "/ready", key=False, url=self.service_url(name)).status == 200
        except LOST:
            return False

    def release_of(self, name):
        exe = os.readlink(f"/proc/{self.pid(name)}/exe")
        return os.path.dirname(os.path.dirname(exe))

    def remove(self):
        super().remove()
        shutil.rmtree(self.links, ignore_errors=True)


class Load(threading.Thread):
    """Signatures one after the other. What gets no signature is asked again under its key, and then
    must get it."""

    def __init__(self, stack, account):
        super().__init__(daemon=True)
        self.stack, self.account = stack, account
        self.done, self.faults, self.is_over = 0, [], False
        self.start()

    def run(self):
        while not self.is_over:
            key = uuid.uuid4().hex
            fault = self.ask(key)
            if fault:
                self.faults.append(fault)
                until(lambda key=key: not self.ask(key))
            self.done += 1

    def ask(self, key):
        """None, or what there is instead of a signature."""
        try:
            answer = self.stack.sign(self.account, idempotency_key=key)
        except LOST as e:
            return repr(e)
        return None if answer.status == 200 else repr(answer)

    def more(self, n):
        want = self.done + n
        until(lambda: self.done >= want or not self.is_alive())
        assert self.is_alive()


class Previous(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.public, cls.secret = key_pair()

    def run_through(self, order):
        stack = Mixed(self.old)
        try:
            made = [stack.create() for _ in range(2)]
            lent = self.create_for_user(stack)
            load = Load(stack, made[0]["account_id"])
            for name in order:
                self.step(stack, load, name, made)
            load.is_over = True
            load.join()
            self.everything_is_there(stack, made, lent)
        finally:
            stack.close()

    def step(self, stack, load, name, made):
        self.assertEqual(stack.release_of(name), os.path.realpath(self.old))
        load.more(2)
        faults = len(load.faults)
        stack.upgrade(name)
        load.more(2)
        self.assertEqual(stack.release_of(name), NEW)
        if name in PARTIES:  # two are enough: nobody notices
            self.assertEqual(load.faults[faults:], [], name)
            self.pairs_sign(stack, made[1], name)
        made.append(self.create(stack))
        print(f"{name}: {load.done} signed, {len(load.faults) - faults} asked again", flush=True)

    def create(self, stack):
        """All parties are back."""
        until(stack.is_whole)
        return stack.create()

    def pairs_sign(self, stack, account, name):
        """The party with each other one, whatever release that is of."""
        mine = account["parties"][PARTIES.index(name)]
        for other in account["parties"]:
            if other == mine:
                continue
            answer = until(lambda other=other: self.pair_signs(stack, account, [mine, other]))
            self.assertEqual(sorted(answer["parties"]), sorted([mine, other]))
            self.assertTrue(signature_is_valid(answer))

    @staticmethod
    def pair_signs(stack, account, ids):
        """None while a party that was just started is not yet known to live."""
        answer = stack.sign(account["account_id"], participants=[{"party_id": p} for p in ids])
        assert answer.status in (200, 422, 503), answer
        return answer.body if answer.status == 200 else None

    def create_for_user(self, stack):
        """An account with the user's share, which the old delegate made, opened."""
        account = stack.create(user_share="delegate", user_public_key=self.public.hex())
        box = base64.b64decode(account["encrypted_user_share"], validate=True)
        answer = stack.call("POST", "/api/v1/shares/confirm", {"session_id": account["session_id"]},
                            url=stack.service_url(DELEGATE))
        self.assertEqual(answer.status, 200, answer)
        return account, open_box(box, self.public, self.secret)

    def everything_is_there(self, stack, made, lent):
        for account in made:
            now = stack.call("GET", "/api/v1/accounts/" + account["account_id"]).body
            for field in ("user_id", "session_id", "status", "public_key", "addresses", "parties"):
                self.assertEqual(now[field], account[field])
            answer = stack.sign(account["account_id"])
            self.assertEqual(answer.status, 200, answer)
            self.assertTrue(signature_is_valid(answer.body))
        self.lent_share_signs(stack, *lent)
        self.assertEqual(stack.burned(), [])

    def lent_share_signs(self, stack, account, share):
        other = next(p for p in account["parties"] if p != DELEGATE_ID)
        answer = stack.call("POST", "/api/v1/mpc/sign?wait=0", {
            "account_id": account["account_id"], "message_hash": HASH,
            "participants": [{"party_id": other}, {"party_id": DELEGATE_ID}]})
        self.assertEqual(answer.status // 100, 2, answer)
        session, token = answer.body["session_id"], answer.body["join_tokens"][DELEGATE_ID]
        url = stack.service_url(DELEGATE)
        key = bytes.fromhex(stack.call("GET", "/api/v1/shares/key", url=url).body["public_key"])
        box = base64.b64encode(seal(lent_share(session, share), key)).decode()
        answer = stack.call("POST", "/api/v1/shares/sign", {
            "session_id": session, "join_token": token, "user_share": box}, url=url)
        self.assertEqual(answer.status, 200, answer)

    def test_old_parties_with_new_services(self):
        self.run_through(SERVICES + PARTIES)

    def test_new_parties_with_old_services(self):
        self.run_through(PARTIES + SERVICES)


def old_release():
    """Built, and able to run by itself: what is wrong with it alone is not looked for here."""
    try:
        old = previous.build(NEW)
        Mixed(old).close()
    except previous.Unavailable as e:
        skip(str(e))
    except AssertionError as e:
        skip(f"the release before this one, {previous.commit()}, does not run: {e}")
    return old


if __name__ == "__main__":
    Previous.old = old_release()
    unittest.main()
