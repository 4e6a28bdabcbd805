# SPDX-License-Identifier: Apache-2.0
"""Presignatures: a hot account gets some in the background and signs with them in one round; each
is used once, whoever is killed; and a signature that finds none is made without."""
import collections
import re
import signal
import unittest
import uuid

from support import Stack, TestCase, change_env, patient, signature_is_valid, together, until

TARGET = 8  # of each account and path, as account-service wants it
PATH = "m/44/60/0"


class Presign(TestCase):
    def edit(self, directory):
        change_env(directory, "account-service", PRESIGN_PER_MINUTE=1)

    def setUp(self):
        self.stack = Stack(self.edit)
        self.addCleanup(self.stack.close)
        self.id = self.stack.create()["account_id"]

    def sign(self, **fields):
        answer = self.stack.sign(self.id, uuid.uuid4().hex * 2, **fields)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertTrue(signature_is_valid(answer.body), answer.body)
        return answer.body

    def metric(self, name, process="session-coordinator"):
        return self.stack.metrics(process)[name]

    def at_parties(self, name):
        return sum(self.metric(name, party) for party in self.stack.parties())

    def ready(self):
        return self.metric("quorate_presignatures_ready")

    def fill(self, **fields):
        """Until the pool of one more account and path is as full as it gets."""
        target = self.ready() + TARGET
        self.sign(**fields)
        self.sign(**fields)
        until(lambda: self.ready() >= target)

    def used(self):
        """{party: {presignature: sessions it was used in}} as the keepers tell."""
        found = {}
        for party in self.stack.parties():
            uses = collections.defaultdict(list)
            for line in self.stack.log(party).splitlines():
                if "run started" in line and "presignature=" in line:
                    uses[re.search(r"presignature=([0-9a-f]{64})", line)[1]].append(
                        re.search(r"session=(\S+)", line)[1])
            found[party] = uses
        return found

    def assertUsedOnce(self):
        """Each at most once at each party and for one signature only; how many."""
        sessions = collections.defaultdict(set)
        for party, uses in self.used().items():
            for presignature, where in uses.items():
                self.assertEqual(len(where), 1, f"{presignature} at {party} in {where}")
                sessions[presignature].update(where)
        for presignature, where in sessions.items():
            self.assertEqual(len(where), 1, f"{presignature} in {where}")
        return len(sessions)


class Undisturbed(Presign):
    """Nothing goes wrong: every attempt ends with its result."""

    def edit(self, directory):
        super().edit(directory)
        patient(directory)

    def failed_attempts(self):
        return self.stack.log("session-coordinator").count("an attempt failed")

    def test_a_hot_account_signs_in_one_round(self):
        self.sign()
        self.assertEqual((self.ready(), self.assertUsedOnce()), (0, 0), "it is not hot yet")
        self.sign()
        until(lambda: self.ready() == TARGET)
        until(lambda: self.at_parties("quorate_party_presignatures") == 2 * TARGET)
        self.assertEqual(self.at_parties("quorate_party_signatures_online_total"), 0)
        for n in range(1, 4):
            answer = self.sign()
            self.assertEqual(self.assertUsedOnce(), n)
            self.assertEqual(len(answer["parties"]), 2)
        until(lambda: self.at_parties("quorate_party_signatures_online_total") == 6)
        until(lambda: self.ready() == TARGET)  # what was used is made again
        self.assertEqual(self.metric("quorate_presignatures_used_total"), 3)
        self.sign(derivation_path=PATH)  # another key: there is none for it
        self.assertEqual(self.assertUsedOnce(), 3)
        self.fill(derivation_path=PATH)
        until(lambda: self.ready() == 2 * TARGET)
        used = self.assertUsedOnce()
        self.sign(derivation_path=PATH)
        self.assertEqual(self.assertUsedOnce(), used + 1)
        self.assertEqual(self.failed_attempts(), 0)

    def test_only_those_that_may_sign(self):
        self.fill()
        used = self.assertUsedOnce()
        for pair in (("party-1", "party-2"), ("party-1", "party-3"), ("party-2", "party-3")):
            for _ in range(TARGET // 2):
                self.assertEqual(self.sign(participants=[{"party_id": p} for p in pair])["parties"], list(pair))
        self.assertGreater(self.assertUsedOnce(), used)
        self.assertEqual(self.failed_attempts(), 0)

    def test_lesson_1_9_signatures_beyond_the_pool_are_made_without(self):
        self.fill()
        together(4 * TARGET, lambda i: self.sign())
        self.assertGreaterEqual(self.assertUsedOnce(), TARGET)
        self.assertEqual(self.failed_attempts(), 0)


class Disturbed(Presign):
    def test_lesson_1_11_another_life_has_none(self):
        self.fill()
        for party in self.stack.parties():
            old = self.stack.kill(party + "/keeper")
            self.stack.restarted(party + "/keeper", old)
        until(lambda: self.ready() == 0)
        until(self.stack.is_whole)
        used = self.assertUsedOnce()
        self.sign()
        self.assertEqual(self.assertUsedOnce(), used, "an interactive signature, at once")
        until(lambda: self.ready() == TARGET)
        self.sign()
        self.assertEqual(self.assertUsedOnce(), used + 1)

    def test_lesson_1_10_each_is_used_once_whoever_is_killed(self):
        self.fill()
        for name in ("party-1/keeper", "session-coordinator", "message-router", "party-2/keeper",
                     "account-service"):
            killed = []

            def work(i, name=name, killed=killed):
                if i == 0:
                    killed.append(self.stack.kill(name))
                else:
                    self.sign_in_the_end()
            together(6, work)
            self.stack.restarted(name, killed[0])
            self.sign_in_the_end()
            self.sign_in_the_end()
            self.assertUsedOnce()
        used = self.assertUsedOnce()
        until(lambda: self.ready() >= TARGET)
        self.sign()
        self.assertEqual(self.assertUsedOnce(), used + 1)

    def test_a_party_that_stands_still_is_done_without(self):
        self.fill()
        for name in ("party-1", "party-1/keeper"):
            self.stack.kill(name, signal.SIGSTOP)
        try:
            for _ in range(3):
                self.sign()
        finally:
            for name in ("party-1/keeper", "party-1"):
                self.stack.kill(name, signal.SIGCONT)
        until(self.stack.is_whole)
        for _ in range(3):
            self.sign()
        self.assertUsedOnce()

    def sign_in_the_end(self):
        """A caller that asks again until services are back."""
        body = {"message": uuid.uuid4().hex * 2, "idempotency_key": uuid.uuid4().hex}

        def ask():
            try:
                answer = self.stack.call("POST", f"/api/v1/accounts/{self.id}/sign", body)
            except OSError:
                return None
            return answer if answer.status == 200 else None
        self.assertTrue(signature_is_valid(until(ask).body))


if __name__ == "__main__":
    unittest.main()
