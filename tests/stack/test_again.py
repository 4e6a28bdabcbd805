#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One party is there and says "not now": its share is gone, its storage is damaged, its policy wants
time. The others sign, and no request fails; where all are needed, it is asked again, later."""
import contextlib
import glob
import os
import shlex
import sqlite3
import unittest

from support import (POSTGRES, Stack, TestCase, change_env, patient, signature_is_valid, together,
                     until)

ODD = "party-1"  # the one that says it
# Appends a letter for every question; the first so many are answered RETRY.
POLICY = """cat > /dev/null
echo -n x >> {log}
if [ $(wc -c < {log}) -le {times} ]; then echo RETRY; else echo APPROVE; fi
"""


def use_policy(directory, party, times):
    log, script = (os.path.join(directory, "policy." + end) for end in ("log", "sh"))
    with open(script, "w", encoding="ascii") as f:
        f.write(POLICY.format(log=shlex.quote(log), times=times))
    change_env(directory, party, POLICY_COMMAND="sh " + script)
    patient(directory)


class Again(TestCase):
    def stack(self, **options):
        stack = Stack(**options)
        self.addCleanup(stack.close)
        return stack

    def odd(self, stack, code):
        """How often |ODD| said it, as the coordinator heard it."""
        return stack.log("session-coordinator").count(f"{ODD}: {code}")

    def assertAllSign(self, stack, accounts, code):
        """One after the other, then eight at a time; |code| is what the odd one says."""
        def sign(i):
            return stack.sign(accounts[i % len(accounts)], os.urandom(32).hex())
        answers = [sign(i) for i in range(9)] + [a for _ in range(4) for a in together(8, sign)]
        for answer in answers:
            self.assertEqual(answer.status, 200, answer)
            self.assertTrue(signature_is_valid(answer.body), answer)
        self.assertEqual(stack.sessions("type = 'sign' AND status <> 'completed'"), [])
        self.assertGreater(self.odd(stack, code), 0)

    def offline(self, stack, sql):
        """Ctrl-C, |sql| in the odd party's database, and on again with everybody."""
        stack.stop()
        path, = glob.glob(os.path.join(stack.dir, ODD, "**", "party.db"), recursive=True)
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute(sql)
            db.commit()
        stack.start()
        until(lambda: stack.metrics("session-coordinator")["quorate_parties_live"] >= 3)

    @unittest.skipIf(POSTGRES, "writes into the file of a database")
    def test_a_party_that_lost_its_shares_stops_nobody(self):
        stack = self.stack(edit=patient)
        accounts = [stack.create()["account_id"]]  # notes about two might take each other's place
        self.offline(stack, "DELETE FROM shares")
        self.assertAllSign(stack, accounts, "NO_SHARE")
        # asked once for its key, but for those that were asked at the same time
        self.assertLessEqual(self.odd(stack, "NO_SHARE"), 2 * (1 + 8))
        pair = [{"party_id": ODD}, {"party_id": "party-2"}]
        answer = stack.sign(accounts[0], os.urandom(32).hex(), participants=pair)
        self.assertGreaterEqual(answer.status, 400)
        self.assertIn("NO_SHARE", answer.body["error"])
        self.assertIn(ODD + " refused", answer.body["error"])

    @unittest.skipIf(POSTGRES, "writes into the file of a database")
    def test_a_party_with_damaged_shares_stops_nobody(self):
        stack = self.stack(edit=patient)
        accounts = [stack.create()["account_id"] for _ in range(3)]
        self.offline(stack, "UPDATE shares SET sealed = zeroblob(length(sealed))")
        self.assertAllSign(stack, accounts, "STORAGE")

    def test_a_policy_that_decides_late_is_waited_for(self):
        stack = self.stack(edit=lambda directory: use_policy(directory, ODD, 0))
        accounts = {n: stack.call("POST", "/api/v1/accounts", {
            "user_id": "u", "threshold_t": 2, "threshold_n": n,
            "participants": [{"party_id": f"party-{i + 1}"} for i in range(n)]}).body["account_id"]
            for n in (2, 3)}
        # for ever: the other two sign
        self.decide_after(stack, 1 << 20)
        self.assertAllSign(stack, [accounts[3]], "POLICY_RETRY")
        # five times: there is nobody else
        self.decide_after(stack, 5)
        answer = stack.sign(accounts[2])
        self.assertEqual(answer.status, 200, answer)
        self.assertTrue(signature_is_valid(answer.body), answer)
        rows = stack.rows("session-coordinator", "coordinator.db",
                          "SELECT attempts_n FROM sessions WHERE session_id = ?",
                          answer.body["session_id"])
        self.assertEqual(rows[0][0], 6)

    def decide_after(self, stack, times):
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(stack.dir, "policy.log"))
        with open(os.path.join(stack.dir, "policy.sh"), "w", encoding="ascii") as f:
            f.write(POLICY.format(log=shlex.quote(os.path.join(stack.dir, "policy.log")),
                                  times=times))


if __name__ == "__main__":
    unittest.main()
