# SPDX-License-Identifier: Apache-2.0
"""Durable commits on one signature's way: three at most, and none at a party."""
import contextlib
import os
import sqlite3
import time
import unittest

from support import Stack, TestCase, patient, together

N = 100
# What is noted in passing (joins, late reports, presence) gets a commit of its own if no other came
# for so long (system/db/db.h). One more commit for each signature would be ten times as much, where
# signatures take as long as they should.
LAZY_S = 0.2


class Commits(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(patient)
        cls.id = cls.stack.create()["account_id"]
        cls.sign()

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    @classmethod
    def sign(cls):
        answer = cls.stack.sign(cls.id)
        assert answer.status == 200, answer

    def commits(self):
        return {name: self.stack.metrics(name)["quorate_db_commits_total"]
                for name in ("account-service", "session-coordinator")}

    def difference(self, before):
        return {name: value - before[name] for name, value in self.commits().items()}

    def test_one_after_the_other(self):
        begin, before = time.monotonic(), self.commits()
        for _ in range(N):
            self.sign()
        made = self.difference(before)
        in_passing = 1 + (time.monotonic() - begin) / LAZY_S
        self.assertLessEqual(made["account-service"], N + in_passing, made)
        self.assertLessEqual(made["session-coordinator"], 2 * N + in_passing, made)
        self.assertGreaterEqual(sum(made.values()), 3 * N, "results that nobody made durable")

    def test_signatures_at_one_time_share_commits(self):
        """Where they do come at one time, which a machine with much to do may prevent."""
        made = []
        while not made or (made[-1] >= 2 * N and len(made) < 5):
            before = self.commits()
            together(16, lambda i: [self.sign() for _ in range(N // 16)])
            made.append(sum(self.difference(before).values()))
        self.assertLess(made[-1], 2 * N, made)

    def test_parties_write_nothing(self):
        with contextlib.ExitStack() as stack:
            stores = [self.version_of(name, stack) for name in self.stack.parties()]
            before = [version() for version in stores]
            together(8, lambda i: self.sign())
            self.assertEqual([version() for version in stores], before)
            self.stack.create()
            self.assertTrue(all(version() > old for version, old in zip(stores, before)),
                            "a keygen writes")

    def version_of(self, name, stack):
        """What gives another, larger number after every commit of anybody else."""
        env = self.stack.env(name)
        if env.get("POSTGRES_HOST"):
            return lambda: self.stack.rows(name, None, "SELECT sum(number) AS n FROM"
                                           " schema_writers")[0][0]
        store = sqlite3.connect(f"file:{env['DATA_DIR']}/party.db?mode=ro", uri=True)
        stack.enter_context(contextlib.closing(store))
        return lambda: store.execute("PRAGMA data_version").fetchone()[0]


if __name__ == "__main__":
    unittest.main()
