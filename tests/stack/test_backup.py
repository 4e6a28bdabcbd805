# SPDX-License-Identifier: Apache-2.0
"""Backups of parties, from the file a party writes to a signature out of restored shares, by the
commands of docs/backup.md."""
import contextlib
import glob
import itertools
import json
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import unittest

from support import (HASH, LIMIT, QUORATE, SOURCE, Stack, TestCase, change_env, patient, psql,
                     quorate, signature_is_valid, until)

sys.path.append(os.path.join(SOURCE, "tests", "docs"))
from pages import Page  # noqa: E402

PARTIES = ("party-1", "party-2", "party-3")
METRIC = "quorate_party_keys_without_backup"
PAGE = Page("docs/backup.md")


class Backup(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.mkdtemp(prefix="quorate-backup-")
        cls.kept = os.path.join(cls.tmp, "kept")
        cls.key = os.path.join(cls.tmp, "backup.key")
        cls.do("Setting up")

        def edit(directory):
            patient(directory)
            for name in PARTIES:
                cls.do("Setting up", 1, ENV_FILE=os.path.join(directory, name + ".env"),
                       BACKUPS=os.path.join(cls.tmp, name))

        cls.stack = Stack(edit)
        cls.accounts = [cls.stack.create()["account_id"] for _ in range(2)]
        for name in PARTIES:
            until(lambda name=name: len(cls.files(name)) == len(cls.accounts) and
                  os.path.exists(cls.state(name)))

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()
        shutil.rmtree(cls.tmp)
        PAGE.all_ran()

    @classmethod
    def do(cls, heading, place=0, **names):
        """A command of the page, where the key is."""
        command = PAGE.of(heading)[place].text
        path = os.path.dirname(QUORATE) + os.pathsep + os.environ["PATH"]
        p = subprocess.run(["bash", "-euc", command], cwd=cls.tmp, capture_output=True, text=True,
                           env={**os.environ, "PATH": path, **names}, stdin=subprocess.DEVNULL,
                           timeout=LIMIT, check=False)
        assert p.returncode == 0, (command, p.stdout, p.stderr)
        return p.stdout

    @classmethod
    def files(cls, name, pattern="*-*.*.qbk"):
        found = sorted(glob.glob(os.path.join(cls.tmp, name, f"{name}.{pattern}")))
        return [f for f in found if not f.endswith("state.qbk")]

    @classmethod
    def state(cls, name):
        return os.path.join(cls.tmp, name, f"{name}.state.qbk")

    def without(self, name):
        """None while the party starts."""
        with contextlib.suppress(OSError):
            return self.stack.metrics(name).get(METRIC)

    def verify(self, *paths, code=0):
        return quorate("backup", "verify", "--key", self.key, "--json", *paths, code=code)

    # --- files and receipts ---

    def test_a_a_share_counts_as_backed_up_once_its_file_was_verified(self):
        shown = self.verify(os.path.join(self.tmp, PARTIES[0]))
        self.assertEqual((shown["sound"], shown["not_sound"]), (len(self.accounts) + 1, 0))
        shares = [f for f in shown["verified"] if f["kind"] == "share"]
        self.assertEqual(sorted(f["account_id"] for f in shares), sorted(self.accounts))
        until(lambda: self.without(PARTIES[0]) == 0)
        until(lambda: self.without(PARTIES[1]) == len(self.accounts))
        self.accounts.append(self.stack.create()["account_id"])
        until(lambda: len(self.files(PARTIES[0])) == len(self.accounts))
        until(lambda: self.without(PARTIES[0]) == 1)
        until(lambda: len(self.files(PARTIES[2])) == len(self.accounts))
        self.verify(os.path.join(self.tmp, PARTIES[0]), os.path.join(self.tmp, PARTIES[2]))
        until(lambda: self.without(PARTIES[0]) == self.without(PARTIES[2]) == 0)

    def test_b_no_file_has_a_secret_in_the_open_and_all_are_the_owners_alone(self):
        with open(self.stack.env(PARTIES[0])["IDENTITY_KEY_FILE"], encoding="ascii") as f:
            seed = bytes.fromhex(f.read().strip())
        for path in self.files(PARTIES[0]) + [self.state(PARTIES[0])]:
            with open(path, "rb") as f:
                content = f.read()
            self.assertNotIn(seed, content)
            self.assertNotIn(b"DKS1", content)
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

    def test_c_what_is_damaged_gets_no_receipt(self):
        whole = self.files(PARTIES[0])[0]
        with open(whole, "rb") as f:
            content = f.read()
        for at, say in ((3, "is no backup file of a party"), (7, "of a version that"),
                        (8, "is damaged"), (90, "is damaged"), (-1, "is damaged"),
                        (len(content) // 2, "is damaged")):
            path = os.path.join(self.tmp, "changed.qbk")
            changed = bytearray(content)
            changed[at] ^= 1
            with open(path, "wb") as f:
                f.write(changed)
            said = self.verify(path, code=1)
            self.assertIn(say, said)
            self.assertIn("take another copy of it" if "damaged" in say else say, said)
            self.assertEqual(said.count("\n"), 1)
            self.assertFalse(os.path.exists(path + ".receipt"))
        other = os.path.join(self.tmp, "other.key")
        quorate("backup", "key", "--out", other, "--json")
        said = quorate("backup", "verify", "--key", other, whole, code=1)
        self.assertIn("is sealed to another recipient than this key's: use that one's key", said)

    def test_d_a_file_that_is_gone_is_written_again_unless_it_was_verified(self):
        name = PARTIES[2]
        verified = self.files(name)
        self.do("Verifying", BACKUPS=os.path.join(self.tmp, name))
        self.do("Verifying", 1, PARTY=self.stack.service_url(name))
        new = self.stack.create()["account_id"]
        self.accounts.append(new)
        path = until(lambda: [f for f in self.files(name) if new in f])[0]
        os.mkdir(self.kept)
        for f in self.files(name):
            os.rename(f, os.path.join(self.kept, os.path.basename(f)))
        self.stack.restarted(name, self.stack.kill(name, signal.SIGTERM))
        until(lambda: os.path.exists(path))
        until(lambda: self.without(name) == 1)
        self.assertEqual(self.files(name), [path])
        for f in verified:
            os.rename(os.path.join(self.kept, os.path.basename(f)), f)

    # --- signatures out of backups ---

    def of(self, account, *names):
        return [next(f for f in self.files(name) if account in f) for name in names]

    def test_e_backups_of_enough_parties_sign(self):
        account = self.accounts[0]
        for pair in itertools.combinations(PARTIES, 2):
            shown = quorate("backup", "drill", "--key", self.key, "--json", self.state(pair[0]),
                            *self.of(account, *pair))
            self.assertEqual(shown["account_id"], account)
            self.assertEqual((shown["signs"], shown["parties"]), (True, list(pair)))
            self.assertNotIn("signature", shown)
        self.assertIn("signs               yes", self.do("Proving that backups sign", ACCOUNT=account))
        self.assertIn("signature", self.do("Signing without a system", ACCOUNT=account, HASH=HASH))
        signed = self.stack.sign(account).body
        words = [w for f in self.of(account, "party-1", "party-3") for w in ("--backup", f)]
        shown = quorate("sign", *words, "--key", self.key, "--message-hash", HASH, "--json")
        self.assertEqual(shown["public_key"], signed["public_key"])
        self.assertEqual(shown["message_hash"], HASH)
        self.assertTrue(signature_is_valid(shown))
        child = quorate("sign", *words, "--key", self.key, "--message-hash", HASH, "--json",
                        "--path", "m/44/60")
        signed = self.stack.sign(account, derivation_path="m/44/60").body
        self.assertEqual(child["public_key"], signed["public_key"])
        self.assertTrue(signature_is_valid(child))

    def test_e_inspect_shows_what_is_public(self):
        account = self.accounts[0]
        path, = self.of(account, "party-1")
        shown = quorate("inspect", path, "--json")
        self.assertEqual((shown["kind"], shown["party_id"], shown["account_id"]),
                         ("backup of a share", "party-1", account))
        self.assertRegex(shown["made"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")
        shown = quorate("inspect", self.state("party-2"), "--json")
        self.assertEqual((shown["kind"], shown["party_id"], shown.get("account_id")),
                         ("backup of a party's state", "party-2", None))
        with open(path, "rb") as f:
            changed = bytearray(f.read())
        changed[20] ^= 1
        with tempfile.NamedTemporaryFile(suffix=".qbk") as f:
            f.write(changed)
            f.flush()
            self.assertIn(f.name, quorate("inspect", f.name, code=1))

    def test_f_backups_that_do_not_belong_together_sign_nothing(self):
        first, second = self.accounts[:2]
        one, = self.of(first, "party-1")
        other, = self.of(second, "party-2")
        for files, say in (
                ([one, other], f"{one} is of account {first}, {other} of account {second}"),
                ([one, one], "are backups of the same party's share"),
                ([one], f"account {first} signs with the shares of 2 parties, and 1 is here"),
                ([self.state("party-1")], "there is no share among these backups")):
            said = quorate("backup", "drill", "--key", self.key, *files, code=1)
            self.assertIn(say, said)
            self.assertEqual(said.count("\n"), 1)
        words = [w for f in self.of(first, "party-1", "party-2") for w in ("--backup", f)]
        said = quorate("sign", *words, "--key", self.key, "--account", second, "--message-hash",
                       HASH, code=1)
        self.assertIn(f"there is no share of account {second} among these backups", said)

    # --- a party that has lost everything ---

    def lose(self, name):
        """The party's database, ledger and identity."""
        env = self.stack.env(name)
        if env.get("POSTGRES_HOST"):
            psql(env, "DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables WHERE"
                      " schemaname = current_schema() LOOP EXECUTE 'DROP TABLE ' || t || ' CASCADE';"
                      " END LOOP; END $$")
        shutil.rmtree(env["DATA_DIR"])
        self.assertFalse(os.path.exists(env["IDENTITY_KEY_FILE"]))

    def forge_order(self, name):
        """Who may write to the database ends every freeze, and the party writes its state again."""
        env, row = self.stack.env(name), (
            f"INSERT INTO orders (subject, serial, frozen) VALUES ('', {2 ** 63 - 1}, 0)")
        self.stack.stop()
        os.remove(self.state(name))
        if env.get("POSTGRES_HOST"):
            psql(env, row)
        else:
            with contextlib.closing(sqlite3.connect(
                    os.path.join(env["DATA_DIR"], "party.db"))) as db, db:
                db.execute(row)
        self.stack.start()
        until(lambda: os.path.exists(self.state(name)))

    def said_by_state(self, member):
        """Of party-1, as it wrote it last."""
        return self.verify(self.state("party-1"))["verified"][0][member]

    def refused(self, *files, options=(), say=""):
        env = os.path.join(self.stack.dir, "party-1.env")
        said = quorate("backup", "restore", "--key", self.key, "--env", env, *options, *files,
                       code=1)
        self.assertIn(say, said)
        self.assertEqual(said.count("\n"), 1)

    def changed_meanwhile(self, path, by, state):
        """A file is another one between its check and its restore, which asks for the settings
        then."""
        changing, pipe = os.path.join(self.tmp, "changing.qbk"), os.path.join(self.tmp, "pipe")
        shutil.copy(path, changing)
        os.mkfifo(pipe, 0o600)
        with subprocess.Popen([QUORATE, "backup", "restore", "--key", self.key, "--env", pipe,
                               changing, state], stderr=subprocess.PIPE, text=True) as p:
            with open(pipe, "w", encoding="utf-8") as f, \
                    open(os.path.join(self.stack.dir, "party-1.env"), encoding="utf-8") as env:
                shutil.copy(by, changing)
                f.write(env.read())
            said = p.communicate(timeout=LIMIT)[1]
        self.assertEqual(p.returncode, 1)
        self.assertIn(f"{changing} has changed since it was checked", said)

    def assertBurned(self, account, *parties):
        """They refuse to sign, and say why; nobody waits for the request's end."""
        answer = self.stack.call("POST", f"/api/v1/accounts/{account}/sign?wait=0", {
            "message": HASH, "participants": [{"party_id": p} for p in parties]})
        path = f"/api/v1/mpc/sessions/{answer.body['session_id']}"
        until(lambda: "burned" in str(self.stack.call("GET", path + "/events").body))
        self.assertNotEqual(self.stack.call("GET", path).body["status"], "completed")

    def burns(self):
        """Of party-1's database; each is in its ledger as well (participant/ledger.h)."""
        rows = [tuple(row) for row in self.stack.rows(
            "party-1", "party.db", "SELECT kgid, epoch, own, peer FROM tombstones")]
        with open(os.path.join(self.stack.env("party-1")["DATA_DIR"], "ledger"), "rb") as f:
            places = f.read()
        for kgid, *numbers in rows:
            self.assertIn(b"DKL1\1" + kgid + struct.pack(">IHH", *numbers), places)
        return rows

    def burn(self, account):
        """Party 1 has burned its pair with party 2, and said so in its state. The system has
        stopped then."""
        own, peer = (self.stack.rows(p, "party.db", "SELECT own FROM shares WHERE account_id = ?",
                                     account)[0][0] for p in PARTIES[:2])
        self.stack.stop()
        before = self.said_by_state("serial")
        self.assertEqual(self.stack.change(
            "party-1", "INSERT INTO tombstones (kgid, epoch, own, peer) SELECT kgid, 0, "
            f"{own}, {peer} FROM shares WHERE account_id = '{account}'"), 1)
        self.stack.start()
        until(lambda: self.said_by_state("serial") > before)
        self.stack.stop()
        burn, = self.burns()
        self.assertEqual(burn[1:], (0, own, peer))
        one, two, three = self.of(account, *PARTIES)
        said = quorate("backup", "drill", "--key", self.key, one, two, self.state("party-1"), code=1)
        self.assertIn("burned: party-1 with party-2", said)
        self.assertTrue(quorate("backup", "drill", "--key", self.key, "--json", one, three,
                                self.state("party-1"))["signs"])
        return burn

    def forgotten_and_merged(self, burn, frozen):
        """Party 1's database and directory are of before its burn and the freeze."""
        env, place = (os.path.join(self.stack.dir, "party-1.env"),
                      os.path.join(self.tmp, "party-1"))
        with open(self.stack.env("party-1")["DATA_DIR"] + "/ledger", "r+b") as f:
            f.truncate()
        for table in ("tombstones", "orders"):
            self.stack.change("party-1", f"DELETE FROM {table}")
        self.assertEqual(self.burns(), [])
        merge = ["backup", "merge", "--key", self.key, "--env", env]
        self.assertIn("is another identity than the backups'", quorate(
            *merge, os.path.join(self.tmp, "party-2"), code=1))
        self.no_operator(env, place)
        stranger = os.path.join(self.stack.dir, "account-service.env")
        self.assertEqual(quorate(*merge[:-1], stranger, place, code=1),
                         f"quorate: {stranger} is no party's settings: it does not set "
                         "IDENTITY_KEY_FILE\n")
        said = self.do("Adding what a newer state knows", ENV_FILE=env, BACKUPS=place)
        self.assertRegex(said, f"(?m)^frozen +{frozen}$")
        self.assertEqual(self.burns(), [burn])
        rows = self.stack.rows("party-1", "party.db", "SELECT subject, frozen FROM orders")
        self.assertEqual(rows, [(frozen, 1)])
        self.stack.start()
        said = quorate(*merge, place, code=1)
        self.assertEqual(said.count("\n"), 1)
        self.assertBurned(self.accounts[0], *PARTIES[:2])
        self.stack.stop()

    def no_operator(self, env, place):
        """Orders that the party cannot check are not left out unsaid; nothing was written then."""
        path = os.path.join(self.tmp, "no-operator.env")
        with open(env, encoding="utf-8") as f, open(path, "w", encoding="utf-8") as out:
            out.writelines(line for line in f if not line.startswith("OPERATOR_KEY="))
        os.chmod(path, 0o600)
        said = quorate("backup", "merge", "--key", self.key, "--env", path, place, code=1)
        self.assertIn("OPERATOR_KEY is not set", said)
        self.assertEqual(self.burns(), [])

    def test_g_a_party_is_restored_and_signs_as_before(self):
        place, files = os.path.join(self.tmp, "party-1"), self.files("party-1")
        env = os.path.join(self.stack.dir, "party-1.env")
        frozen = self.accounts[-1]
        orders = self.said_by_state("orders") + 2  # in its ledger and in its database
        code, _, err = self.stack.cli("freeze", "--account", frozen)
        self.assertEqual((code, err), (0, ""))
        until(lambda: self.said_by_state("orders") == orders)
        serial = self.said_by_state("serial")
        self.forge_order("party-1")
        self.assertEqual(self.said_by_state("orders"), orders)
        burn = self.burn(self.accounts[0])
        self.assertGreater(self.said_by_state("serial"), serial)
        self.forgotten_and_merged(burn, frozen)
        self.refused(place, say="backups are restored into an empty one only")
        self.lose("party-1")
        self.refused(*files, say="none of these files is the state of party party-1")
        self.refused(place, os.path.join(self.tmp, "party-2"), say="of party party-2: give one")
        self.refused(self.state("party-1"), say="there is no share among these backups")
        with open(files[0], "rb") as f:
            content = bytearray(f.read())
        content[-70] ^= 1
        with open(os.path.join(self.tmp, "changed.qbk"), "wb") as f:
            f.write(content)
        self.refused(place, os.path.join(self.tmp, "changed.qbk"), say="is damaged")
        self.assertFalse(os.path.exists(self.stack.env("party-1")["DATA_DIR"]))
        self.changed_meanwhile(files[0], files[1], self.state("party-1"))
        self.lose("party-1")
        change_env(self.stack.dir, "party-1", CRYPTO_MASTER_KEY=os.urandom(32).hex())
        self.do("Restoring a party", ENV_FILE=env, BACKUPS=place)
        self.assertEqual(self.burns(), [burn])
        self.refused(place, say="backups are restored into an empty one only")
        old, = self.of(self.accounts[0], "party-1")
        os.remove(old)
        self.stack.start()
        for account, peer in itertools.product(self.accounts[:-1], PARTIES[1:]):
            if (account, peer) == (self.accounts[0], "party-2"):
                self.assertBurned(account, "party-1", peer)
                continue
            answer = self.stack.sign(account, participants=[
                {"party_id": p} for p in ("party-1", peer)])
            self.assertEqual(answer.status, 200, answer)
            self.assertTrue(signature_is_valid(answer.body))
        # it is burned in the share itself, too, of which there is a new backup
        until(lambda: os.path.exists(old))
        said = quorate("backup", "drill", "--key", self.key, old,
                       *self.of(self.accounts[0], "party-2"), code=1)
        self.assertIn("burned: party-1 with party-2", said)
        rows = self.stack.rows("party-1", "party.db", "SELECT subject, frozen FROM orders")
        self.assertEqual(rows, [(frozen, 1)])

    # --- another recipient ---

    def test_lesson_1_16_a_party_serves_once_its_recipient_has_opened_a_backup(self):
        name, key = "party-3", os.path.join(self.tmp, "next.key")
        recipient = quorate("backup", "key", "--out", key, "--json")["recipient"]
        change_env(self.stack.dir, name, BACKUP_RECIPIENT=recipient, BACKUP_REQUIRED="true")
        ready = self.stack.log(name).count("keeper ready")
        self.stack.restarted(name, self.stack.kill(name, signal.SIGTERM))
        until(lambda: "serves once the recipient of its backups" in self.stack.log(name))
        self.assertEqual(self.stack.log(name).count("keeper ready"), ready)
        place = os.path.join(self.tmp, name)
        until(lambda: f"quorate: {name}: it serves once there is a receipt of its backups "
              f"(BACKUP_REQUIRED): quorate backup verify --key FILE {place}\n" in self.said())
        self.assertIn(f"{name}: it serves once there is a receipt", self.stack.cli("doctor")[1])
        opens = [QUORATE, "backup", "verify", "--key", key, self.state(name)]
        until(lambda: subprocess.run(opens, capture_output=True, check=False).returncode == 0)
        until(lambda: self.stack.log(name).count("keeper ready") > ready)
        until(lambda: self.without(name) == len(self.accounts))
        until(lambda: f"quorate: {name} runs now\n" in self.said())
        self.assertNotIn("it serves once", self.stack.cli("doctor")[1])

    def said(self):
        """By quorate up."""
        with open(os.path.join(self.stack.dir, "up.stderr"), encoding="utf-8") as f:
            return f.read()


if __name__ == "__main__":
    unittest.main()
