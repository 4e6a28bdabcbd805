# SPDX-License-Identifier: Apache-2.0
"""The race: however late the replies to a join are, and however often and in whatever order events
and polls come, each party starts each attempt exactly once, and the result is right."""
import collections
import re
import unittest

from support import (Proxy, Request, Stack, TestCase, install_npm, patient, signature_is_valid,
                     until)


class Race(TestCase):
    @classmethod
    def setUpClass(cls):
        def edit(directory):
            cls.router = Proxy("router", directory)
            cls.coordinator = Proxy("coordinator", directory)
            patient(directory)

        cls.stack = Stack(edit)
        cls.id = cls.stack.create()["account_id"]

    @classmethod
    def tearDownClass(cls):
        try:
            cls.stack.close()
        finally:
            cls.router.close()
            cls.coordinator.close()

    def tearDown(self):
        self.router.release()
        self.coordinator.release()

    def starts(self, session):
        """{(party, attempt): times} that a run of the session was started."""
        found = collections.Counter()
        for party in self.stack.parties():
            for line in self.stack.log(party).splitlines():
                if " run started session=" + session in line:
                    found[party, re.search(r"attempt=(\d+)", line)[1]] += 1
        return found

    def check(self, answer, runs):
        self.assertIn(answer.status, (200, 201), answer)
        if "signature" in answer.body:
            self.assertTrue(signature_is_valid(answer.body), answer)
        starts = self.starts(answer.body["session_id"])
        self.assertEqual(set(starts.values()), {1}, starts)
        self.assertEqual(len(starts), runs, starts)

    def test_lesson_1_5_messages_and_results_overtake_the_replies_to_join(self):
        """The protocol ends while both parties still wait to hear that they may take part."""
        self.coordinator.rules({"method": "JoinSession", "action": "delay_reply"})
        running = Request(lambda: self.stack.sign(self.id))
        held = self.coordinator.held(2)
        self.assertEqual({h["method"] for h in held}, {"JoinSession"})
        until(lambda: self.signed_at(2))
        self.coordinator.release(reverse=True)
        self.check(running.get(), 2)

    def signed_at(self, n):
        """The keepers of |n| parties have ended the last signing session that began."""
        session = self.stack.sessions("type = 'sign' ORDER BY created_ms DESC LIMIT 1")[0][0]
        return n == sum(" signed session=" + session in line
                        for party in self.stack.parties()
                        for line in self.stack.log(party).splitlines())

    def test_a_keygen_whose_join_replies_come_last_and_in_reverse(self):
        self.coordinator.rules({"method": "JoinSession", "action": "delay_reply"})
        running = Request(lambda: self.stack.call("POST", "/api/v1/accounts", {"user_id": "race"}))
        self.coordinator.held(3)
        self.coordinator.release(reverse=True)
        self.check(running.get(), 3)

    def test_joins_that_arrive_twice(self):
        self.coordinator.rules({"method": "JoinSession", "action": "twice"},
                               {"method": "ReportCompletion", "action": "twice"})
        self.check(self.stack.sign(self.id), 2)

    def test_joins_that_are_lost_at_first(self):
        self.coordinator.rules({"method": "JoinSession", "action": "drop", "times": 4},
                               {"method": "ReportCompletion", "action": "drop", "times": 2})
        self.check(self.stack.sign(self.id), 2)

    def test_events_come_again_and_again_newest_first(self):
        self.router.rules({"method": "SubscribeSessionEvents", "action": "repeat"},
                          {"method": "SubscribeMessages", "action": "repeat"})
        for _ in range(5):
            self.check(self.stack.sign(self.id), 2)
        self.check(self.stack.call("POST", "/api/v1/accounts", {"user_id": "race"}), 3)

    def test_no_event_ever_comes(self):
        """The poll finds the invitation."""
        self.router.rules({"method": "SubscribeSessionEvents", "action": "drop"})
        self.check(self.stack.sign(self.id), 2)

    def test_events_are_held_until_the_session_is_over(self):
        """The poll invites; all events come after the end."""
        self.router.rules({"method": "SubscribeSessionEvents", "action": "hold"})
        answer = self.stack.sign(self.id)
        self.check(answer, 2)
        self.router.held(2)
        self.router.release(reverse=True)
        self.check(self.stack.sign(self.id, "22" * 32), 2)
        self.check(answer, 2)

    def test_both_at_once(self):
        self.router.rules({"method": "SubscribeSessionEvents", "action": "repeat"})
        self.coordinator.rules({"method": "JoinSession", "action": "delay_reply"})
        running = [Request(lambda: self.stack.sign(self.id)) for _ in range(8)]
        self.coordinator.held(16)
        self.coordinator.release(reverse=True)
        for one in running:
            self.check(one.get(), 2)


if __name__ == "__main__":
    install_npm()
    unittest.main()
