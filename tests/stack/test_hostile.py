# SPDX-License-Identifier: Apache-2.0
"""A hostile router: it drops, repeats, swaps, replays, redirects, misattributes and alters every
kind of message of every round of keygen and of signing.

Never a wrong signature, never a burned pair, nobody blamed; the request ends; and once the
hostility stops, signing works."""
import unittest

from support import (LONG, Proxy, Stack, TestCase, change_env, install_npm, patient,
                     signature_is_valid, until)

# (protocol, round, kind); kind 0 is for everybody, 1 for one
KEYGEN = [(1, 1, 0), (1, 2, 0), (1, 2, 1), (1, 3, 1), (1, 4, 0)]
SIGN = [(3, 1, 0), (3, 1, 1), (3, 2, 0), (3, 2, 1), (3, 3, 0)]
# What does no harm at all: the first attempt ends well.
HARMLESS = ("duplicate", "alter_and_pass", "misattribute", "replay", "swap")
# What takes messages away: another attempt, or the deadline.
HARMFUL = ("drop", "alter", "redirect")
# Of these, in the normal suite: each takes as long as an attempt.
LOSSES = [("drop", SIGN[0]), ("drop", SIGN[3]), ("alter", SIGN[1]), ("alter", SIGN[4]),
          ("redirect", SIGN[2]), ("alter", KEYGEN[3])]


def takes_away(action, what):
    """Broadcasts between three that are redirected reach everybody all the same."""
    return action in HARMFUL and not (action == "redirect" and what[0] == 1 and what[2] == 0)


class Hostile(TestCase):
    """What the tests of both classes do."""

    @staticmethod
    def times(directory):
        """How long attempts and requests may take."""
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        def edit(directory):
            cls.proxy = Proxy("router", directory)
            patient(directory)
            cls.times(directory)

        cls.stack = Stack(edit)
        cls.id = cls.stack.create()["account_id"]

    @classmethod
    def tearDownClass(cls):
        try:
            cls.stack.close()
        finally:
            cls.proxy.close()

    def acted(self):
        return self.proxy.seen().get("acted", 0)

    def request(self, protocol):
        if protocol == 1:
            return self.stack.call("POST", "/api/v1/accounts", {"user_id": "hostile"})
        return self.stack.sign(self.id)

    def check(self, answer):
        """A correct result, or a clear error."""
        if answer.status in (200, 201):
            if "signature" in answer.body:
                self.assertTrue(signature_is_valid(answer.body), answer)
            else:
                self.assertEqual(answer.body["status"], "active", answer)
                self.assertTrue(signature_is_valid(self.signed(answer.body["account_id"])))
            return True
        self.assertIn(answer.status, (422, 503, 504), answer)
        self.assertTrue(answer.body["error"], answer)
        return False

    def signed(self, account):
        """Signing works, now that the network is friendly again."""
        def signs():
            answer = self.stack.sign(account)
            return answer.body if answer.status == 200 else None
        return until(signs)

    def hostility(self, what, action, seed=1, **more):
        """One request under one rule; did it succeed?"""
        protocol, number, kind = what
        before = self.acted()
        self.proxy.rules({"protocol": protocol, "round": number, "kind": kind, "action": action,
                          **more}, seed=seed)
        answer = self.request(protocol)
        self.proxy.release()
        self.assertGreater(self.acted(), before, "the rule never met a message")
        done = self.check(answer)
        self.assertTrue(signature_is_valid(self.signed(self.id)))
        self.innocent()
        return done, answer

    def innocent(self):
        """No pair is burned, nobody is accused."""
        self.assertEqual(self.stack.burned(), [])
        self.assertEqual(self.stack.rows("session-coordinator", "coordinator.db",
                                         "SELECT session_id, party_id, code, detail, culprit"
                                         " FROM reports"
                                         " WHERE culprit != 0 OR evidence IS NOT NULL"), [])

    def attempts(self, answer):
        return self.stack.rows("session-coordinator", "coordinator.db",
                               "SELECT attempts_n FROM sessions WHERE session_id = ?",
                               answer.body["session_id"])[0][0]


class Harmless(Hostile):
    @staticmethod
    def times(directory):
        """None that ends here."""

    def test_what_does_no_harm(self):
        for action in HARMLESS:
            for what in SIGN + (KEYGEN if LONG or action in ("alter_and_pass", "replay") else []):
                with self.subTest(action=action, what=what):
                    done, answer = self.hostility(what, action)
                    self.assertTrue(done, answer)
                    self.assertEqual(self.attempts(answer), 1, answer)


class Harmful(Hostile):
    @staticmethod
    def times(directory):
        change_env(directory, "session-coordinator", SIGN_ATTEMPT_MS=2000, KEYGEN_ATTEMPT_MS=4000)
        change_env(directory, "account-service", SIGN_WAIT_S=12, KEYGEN_WAIT_S=30)

    def made_up_for(self, action, what):
        """The number of attempts of a request whose first one lost something."""
        done, answer = self.hostility(what, action, attempt=0)
        self.assertTrue(done, answer)
        return self.attempts(answer)

    def test_lesson_1_1_what_is_lost_once_is_made_up_for(self):
        """The next attempt is not touched. Where a busy machine takes longer for it than an attempt
        may, there is another try."""
        every = [(action, what) for action in HARMFUL for what in SIGN + KEYGEN
                 if takes_away(action, what)]
        for action, what in every if LONG else LOSSES:
            with self.subTest(action=action, what=what):
                tries = [self.made_up_for(action, what)]
                while tries[-1] > 2 and len(tries) < 5:
                    tries.append(self.made_up_for(action, what))
                self.assertEqual(tries[-1], 2, tries)

    def test_equivocation(self):
        """One receiver of a broadcast gets something else than the other."""
        for what in KEYGEN if LONG else KEYGEN[1:2]:
            if what[2] == 0:
                with self.subTest(what=what):
                    self.hostility(what, "alter", to="party-2", attempt=0)

    def test_lesson_1_1_hostility_without_end_ends_the_request(self):
        for action in HARMFUL if LONG else ("alter",):
            for what in SIGN + KEYGEN if LONG else (SIGN[3],):
                with self.subTest(action=action, what=what):
                    done, answer = self.hostility(what, action)
                    self.assertEqual(done, not takes_away(action, what), answer)

    def test_everything_at_once(self):
        """All messages, all actions, one after the other."""
        rules = [{"action": action, "times": 1, "after": i}
                 for i, action in enumerate((*HARMLESS, *HARMFUL) * (20 if LONG else 3))]
        for seed in range(1, 40 if LONG else 4):
            self.proxy.rules(*rules, seed=seed)
            self.check(self.request(3))
            self.proxy.release()
            self.signed(self.id)
        self.innocent()

    @unittest.skipUnless(LONG, "the suite long has every bit's place")
    def test_each_part_of_a_message_is_altered(self):
        """Header, ext, payload, tag, signature: many places, of every kind."""
        places = [*range(0, 80), *range(80, 260, 9), *range(-100, 0, 5)]
        for what in SIGN:
            for place in places:
                with self.subTest(what=what, place=place):
                    self.hostility(what, "alter_and_pass", seed=place + 1000, byte=place)


if __name__ == "__main__":
    install_npm()
    unittest.main()
