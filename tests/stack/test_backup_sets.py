# SPDX-License-Identifier: Apache-2.0
"""Which backups sign together: sets that do not belong together and sets with a burned pair, of
files that tests/participant/backup_maker.c makes. No system runs."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

from support import HASH, LIMIT, QUORATE, TestCase, quorate, signature_is_valid

MAKER = os.environ.get("BACKUP_MAKER", os.path.join(
    os.path.dirname(QUORATE), os.pardir, "tests", "participant", "backup_maker"))
FIRST, SECOND = (f"0{i}000000-0000-4000-8000-000000000000" for i in (1, 2))
EPOCH = 0  # of a key that a keygen made


class BackupSets(TestCase):
    @classmethod
    def setUpClass(cls):
        place = tempfile.TemporaryDirectory(prefix="quorate-backup-sets-")
        cls.addClassCleanup(place.cleanup)
        cls.place, cls.key = place.name, os.path.join(place.name, "backup.key")
        recipient = quorate("backup", "key", "--out", cls.key, "--json")["recipient"]
        subprocess.run([MAKER, cls.place, recipient], check=True, timeout=LIMIT)

    def paths(self, names):
        return [os.path.join(self.place, name + ".qbk") for name in names.split()]

    def sign(self, names):
        words = [w for path in self.paths(names) for w in ("--backup", path)]
        return ["sign", "--key", self.key, "--message-hash", HASH, "--json", *words]

    def drill(self, names):
        return ["backup", "drill", "--key", self.key, "--json", *self.paths(names)]

    def signs(self, names, *parties):
        shown = quorate(*self.drill(names))
        self.assertEqual((shown["signs"], shown["parties"]), (True, list(parties)))
        shown = quorate(*self.sign(names))
        self.assertEqual(shown["parties"], list(parties))
        self.assertTrue(signature_is_valid(shown))

    def refused(self, names, say):
        """By both commands, in one line, with |say| in it."""
        for words in (self.drill(names), self.sign(names)):
            said = quorate(*words, code=1)
            self.assertIn(say, said)
            self.assertEqual(said.count("\n"), 1)

    def test_every_file_is_sound(self):
        """Nothing below is refused for another reason."""
        for files in (self.paths("1 1.state 1.burned 1.now 2 2.says 3 3.burned 2.kgid 2.account"),
                      self.paths("2.epoch")):  # its dealer gives party 2 an identity of its own
            shown = quorate("backup", "verify", "--key", self.key, "--json", *files)
            self.assertEqual((shown["sound"], shown["not_sound"]), (len(files), 0))

    def test_a_state_that_another_than_its_party_signed_is_not_sound(self):
        one, forged = self.paths("1 forged.identity")
        said = quorate("backup", "verify", "--key", self.key, one, forged, code=1)
        self.assertIn(f"{forged} is of another identity of party party-1 than {one}", said)
        self.assertFalse(os.path.exists(forged + ".receipt"))
        for name in ("forged.name", "forged.key"):
            path, = self.paths(name)
            said = quorate("backup", "verify", "--key", self.key, path, code=1)
            self.assertIn(f"{path} was not made by the party whose certificate it holds", said)
            self.assertFalse(os.path.exists(path + ".receipt"))

    def test_a_state_of_long_ago_restores_no_party(self):
        """A party writes one every day."""
        env = os.path.join(self.place, "no.env")
        words = ["backup", "restore", "--key", self.key, "--env", env, *self.paths("1 1.state")]
        self.assertIn("the newest state of party party-1 here is more than 3 days old",
                      quorate(*words, code=1))
        self.assertIn(env, quorate(*words, "--accept-age", code=1))

    def test_the_newest_state_is_that_of_the_highest_serial(self):
        """Whatever the clock was when it was made."""
        env = os.path.join(self.place, "no.env")
        restore = ["backup", "restore", "--key", self.key, "--env", env]
        self.assertIn(env, quorate(*restore, *self.paths("1 1.now 1.ahead 1.state"), code=1))
        for names in ("1 1.now 1.last", "1 1.last 1.now 1.ahead"):
            self.assertIn("the newest state of party party-1 here is more than 3 days old",
                          quorate(*restore, *self.paths(names), code=1))

    def test_shares_are_not_merged(self):
        env = os.path.join(self.place, "no.env")
        merge = ["backup", "merge", "--key", self.key, "--env", env]
        self.assertIn("there is no state (PARTY.state.qbk) among these",
                      quorate(*merge, *self.paths("1"), code=1))
        self.assertIn("of another identity of party party-1: give one party's",
                      quorate(*merge, *self.paths("1 1.state forged.identity"), code=1))
        self.assertIn(env, quorate(*merge, *self.paths("1 1.last"), code=1))

    def test_an_archive_of_long_ago_opens_for_its_signers_key_and_by_name_only(self):
        out, old = (os.path.join(self.place, name) for name in ("opened", "old.qbs"))
        with open(os.path.join(self.place, "signer"), encoding="ascii") as f:
            signer = f.read()
        words = ["backup", "open", "--key", self.key, "--out", out, old, "--signed-by"]
        said = quorate(*words, "0" * 64, "--accept-age", code=1)
        self.assertIn(f"{old} is signed by {signer}, which is another key", said)
        self.assertIn(f"{old} is more than 3 days old", quorate(*words, signer, code=1))
        self.assertFalse(os.path.exists(out))
        shown = quorate(*words, signer, "--accept-age", "--json")
        self.assertEqual(shown, {"file": out, "made": "2023-11-14T22:13:20Z", "signed_by": signer})

    def test_what_is_sealed_is_signed_with_the_key_that_is_given(self):
        names = ("new.qbs", "new", "sign.key")
        sealed, out, key = (os.path.join(self.place, name) for name in names)
        with open(key, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write("0" * 63 + "1")
        recipient = quorate("backup", "key", "--key", self.key, "--json")["recipient"]
        p = subprocess.run([QUORATE, "backup", "seal", "--to", recipient, "--sign-key", key,
                            "--out", sealed, "--json"], input=b"a dump", timeout=LIMIT,
                           capture_output=True, check=True)
        signer = json.loads(p.stdout)["signed_by"]
        quorate("backup", "open", "--key", self.key, "--signed-by", signer, "--out", out, sealed,
                "--json")
        with open(out, "rb") as f:
            self.assertEqual(f.read(), b"a dump")

    def test_shares_of_one_sharing_sign(self):
        self.signs("1 2", "party-1", "party-2")
        self.signs("3 1", "party-3", "party-1")
        self.signs("1 3 1.state", "party-1", "party-3")

    def test_two_epochs_do_not(self):
        one, other = self.paths("1 2.epoch")
        self.refused("1 2.epoch", f"{one} is of epoch {EPOCH}, {other} of epoch 7 of another sharing "
                     f"of account {FIRST}")
        self.refused("2.epoch 1", f"{other} is of epoch 7, {one} of epoch {EPOCH}")
        self.refused("1 3 2.epoch", f"{one} is of epoch {EPOCH}, {other} of epoch 7")

    def test_two_sharings_of_one_epoch_do_not(self):
        one, other = self.paths("1 2.kgid")
        self.refused("1 2.kgid", f"{one} is of epoch {EPOCH}, {other} of epoch {EPOCH} of another "
                     "sharing")

    def test_two_accounts_do_not(self):
        one, other = self.paths("1 2.account")
        self.refused("1 2.account", f"{one} is of account {FIRST}, {other} of account {SECOND}"
                     ": give backups of one account, or choose it with --account\n")

    def test_an_account_is_chosen_among_several(self):
        """As in the parties' own directories."""
        place = os.path.join(self.place, "all")
        os.mkdir(place)
        for name in ("1", "1.state", "2.account", "3"):
            shutil.copy(*self.paths(name), place)
        drill = ["backup", "drill", "--key", self.key, "--json", place]
        sign = ["sign", "--key", self.key, "--message-hash", HASH, "--json", "--backup", place]
        for words in (drill, sign):
            self.assertIn("choose it with --account", quorate(*words, code=1))
            shown = quorate(*words, "--account", FIRST)
            self.assertEqual((shown["account_id"], shown["parties"]),
                             (FIRST, ["party-1", "party-3"]))
            self.assertNotIn("left_out", shown)
            said = quorate(*words, "--account", SECOND, code=1)
            self.assertIn(f"account {SECOND} signs with the shares of 2 parties, and 1 is", said)
            self.assertIn("is no account id", quorate(*words, "--account", "x", code=2))

    def test_what_is_damaged_is_named_and_left_out_if_the_rest_is_enough(self):
        """Wherever it stands among the others, and whatever it is of."""
        self.damage("1", "damaged.share")
        self.damage("1.state", "damaged.state")
        for name in ("damaged.share", "damaged.state"):
            bad, = self.paths(name)
            for names in (f"{name} 2 3", f"2 3 {name}"):
                for words in (self.drill(names), self.sign(names)):
                    p = subprocess.run([QUORATE, *words], capture_output=True, text=True,
                                       timeout=LIMIT, check=True)
                    shown = json.loads(p.stdout)
                    self.assertEqual(shown["parties"], ["party-2", "party-3"])
                    self.assertEqual([one["file"] for one in shown["left_out"]], [bad])
                    self.assertIn(shown["left_out"][0]["why"] + "; it is left out", p.stderr)
                    self.assertEqual(p.stderr.count("\n"), 1)
            self.refused(f"2 {name}", f"and 1 is here; {bad} is damaged")
            self.refused(name, f"{bad} is damaged")

    def damage(self, name, to):
        one, other = self.paths(f"{name} {to}")
        with open(one, "rb") as f:
            content = bytearray(f.read())
        content[-70] ^= 1
        with open(other, "wb") as f:
            f.write(content)

    def test_backups_are_given_64_times_at_most(self):
        names = " ".join(["1"] * 64)
        self.assertIn("are backups of the same party's share", quorate(*self.sign(names), code=1))
        self.assertEqual(quorate(*self.sign(names + " 1"), code=2),
                         "quorate: --backup is given more than 64 times\n")

    def test_one_party_twice_is_one(self):
        one, other = self.paths("3 3.burned")
        self.refused("3 3.burned", f"{one} and {other} are backups of the same party's share")

    def test_too_few_parties(self):
        self.refused("1", f"account {FIRST} signs with the shares of 2 parties, and 1 is here")
        self.refused("1 1.state", f"account {FIRST} signs with the shares of 2 parties, and 1 is")
        self.refused("1.state", "there is no share among these backups")

    def test_a_pair_that_a_state_says_is_burned_does_not_sign(self):
        for names, pair in (("1 2 1.burned", "party-1 with party-2"),
                            ("1.burned 2 1", "party-2 with party-1"),
                            ("1 1.state 2 1.burned", "party-1 with party-2")):
            self.refused(names, "no 2 of these parties have an unburned pair each with each; give a "
                         f"backup of another party; burned: {pair}\n")
        self.signs("1 3 1.burned", "party-1", "party-3")
        self.signs("2 3 1.burned", "party-2", "party-3")

    def test_attack_another_partys_state_burns_no_pair(self):
        self.signs("1 3 2.says", "party-1", "party-3")
        self.signs("2.says 3 2 1 1.burned", "party-3", "party-2")

    def test_a_pair_that_is_burned_in_a_share_does_not_sign(self):
        for names, pair in (("1 3.burned", "party-1 with party-3"),
                            ("3.burned 1", "party-3 with party-1")):
            self.refused(names, f"; burned: {pair}\n")
        self.signs("2 3.burned", "party-2", "party-3")

    def test_of_more_backups_the_first_sign_that_have_no_burned_pair(self):
        self.signs("2 3 1", "party-2", "party-3")
        self.signs("1 2 3 1.burned", "party-1", "party-3")
        self.signs("1 2 3.burned 1.burned", "party-2", "party-3")
        self.signs("1 3 2 1.burned", "party-1", "party-3")
        self.signs("3 2 1 1.burned", "party-3", "party-2")


if __name__ == "__main__":
    unittest.main()
