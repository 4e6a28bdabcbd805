# SPDX-License-Identifier: Apache-2.0
"""The database is dumped while the system works, destroyed, and restored at a new server: every
account of the dump signs, and what was told before the dump is there."""
import os
import shutil
import sys
import unittest
import uuid

import support
from support import HASH, SOURCE, Stack, TestCase, signature_is_valid

sys.path.append(os.path.join(SOURCE, "tests", "support"))
from postgres import DATABASE, Server, programs  # noqa: E402
from test_replicas import Load  # noqa: E402


@unittest.skipUnless(programs(), "no PostgreSQL server is installed")
class Restore(TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(lambda: self.server.remove())
        support.POSTGRES = self.server.url()
        os.environ["DB_TEST_PASSWORD"] = self.server.password
        self.stack = Stack(support.patient)
        self.addCleanup(self.stack.close)

    def dump(self):
        return (self.server.client("pg_dumpall", "--roles-only"),
                self.server.client("pg_dump", "--format=custom", DATABASE))

    def replace(self, dumped):
        """Nothing is left of the old server but its address and its owner's password."""
        roles, database = dumped
        self.server.remove()
        self.server = Server(port=self.server.port, password=self.server.password)
        # that the owner is there already is the one thing that may go wrong
        self.server.client("psql", "-X", "-q", "-d", DATABASE, input=roles)
        self.server.client("pg_restore", "--exit-on-error", "-d", DATABASE, input=database)

    def told(self, key):
        return self.stack.sign(self.accounts[0], idempotency_key=key)

    def work_and_dump(self):
        self.accounts = [self.stack.create()["account_id"] for _ in range(3)]
        key = uuid.uuid4().hex
        before = self.told(key)
        load = Load(self.stack, self.accounts[1], [self.stack.url])
        try:
            dumped = self.dump()
        finally:
            Load.end([load])
        self.assertEqual(load.failed, [])
        self.late = self.stack.create()["account_id"]
        return key, before, dumped

    def check(self, key, before):
        again = self.told(key)
        self.assertEqual((again.status, again.body), (200, before.body))
        for account in self.accounts:
            answer = self.stack.sign(account)
            self.assertEqual(answer.status, 200, answer)
            self.assertTrue(signature_is_valid(answer.body))
        self.assertError(self.stack.sign(self.late), 404)
        account = self.stack.create()["account_id"]
        self.assertEqual(self.stack.sign(account, HASH).status, 200)

    def test_dump_destroy_restore(self):
        key, before, dumped = self.work_and_dump()
        self.stack.stop()
        self.replace(dumped)
        self.stack.start()
        self.check(key, before)

    def test_the_machines_are_gone_as_well(self):
        """What is left: the dump, and the files that say who the programs are (keys, variables)."""
        key, before, dumped = self.work_and_dump()
        self.stack.stop()
        self.replace(dumped)
        for name in self.stack.parties():
            data = self.stack.env(name)["DATA_DIR"]
            for entry in os.listdir(data):
                path = os.path.join(data, entry)
                if entry not in self.kept(name):
                    (shutil.rmtree if os.path.isdir(path) else os.remove)(path)
        self.stack.start()
        self.check(key, before)

    def kept(self, name):
        """Files of DATA_DIR that its variables name."""
        data = self.stack.env(name)["DATA_DIR"]
        return {os.path.basename(v) for v in self.stack.env(name).values()
                if os.path.dirname(v) == data.rstrip("/")}


if __name__ == "__main__":
    unittest.main()
