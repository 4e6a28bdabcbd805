# SPDX-License-Identifier: Apache-2.0
"""A BACKUP_DIR that is gone, cannot be written or is full, each at one of the parties: they make
keys and sign as ever, say so once, count what has no backup, and write it once they can."""
import contextlib
import glob
import os
import subprocess
import tempfile

from support import (Stack, TestCase, change_env, main_with_mounts, patient, quorate,
                     signature_is_valid, until)

GONE, CLOSED, FULL = "party-1", "party-2", "party-3"
WHY = {GONE: "No such file or directory", CLOSED: "Read-only file system",
       FULL: "No space left on device"}
METRIC = "quorate_party_keys_without_backup"
SAID, AGAIN = "backups cannot be written or read: tried again", "backups are written again"
SIZE = 1 << 20


def mount(*words):
    subprocess.run(["mount", *words], check=True)


class BackupDirs(TestCase):
    @classmethod
    def setUpClass(cls):
        place = tempfile.TemporaryDirectory(prefix="quorate-backup-dirs-")
        cls.addClassCleanup(place.cleanup)
        cls.key = os.path.join(place.name, "backup.key")
        recipient = quorate("backup", "key", "--out", cls.key, "--json")["recipient"]
        cls.places = {name: os.path.join(place.name, name) for name in WHY}
        for name, path in cls.places.items():
            os.mkdir(path)
            mount("-t", "tmpfs", "-o", f"size={SIZE},mode=700", "none", path)
            os.makedirs(cls.dir(name))
            cls.addClassCleanup(subprocess.run, ["umount", path], check=True)

        def edit(directory):
            patient(directory)
            for name in WHY:
                change_env(directory, name, BACKUP_RECIPIENT=recipient, BACKUP_DIR=cls.dir(name))

        cls.stack = Stack(edit)
        cls.addClassCleanup(cls.stack.close)

    @classmethod
    def dir(cls, name):
        """Where there are backups; its parent can be moved away."""
        return os.path.join(cls.places[name], "some", "backups")

    def create(self):
        account = self.stack.create()["account_id"]
        self.assertTrue(signature_is_valid(self.stack.sign(account).body))
        return account

    def spoil(self):
        os.rename(os.path.join(self.places[GONE], "some"), os.path.join(self.places[GONE], "away"))
        mount("-o", "remount,ro", self.places[CLOSED])
        with open(os.path.join(self.places[FULL], "ballast"), "wb", buffering=0) as f:
            with contextlib.suppress(OSError):
                while True:
                    f.write(b"\1" * 4096)

    def mend(self):
        os.rename(os.path.join(self.places[GONE], "away"), os.path.join(self.places[GONE], "some"))
        mount("-o", "remount,rw", self.places[CLOSED])
        os.remove(os.path.join(self.places[FULL], "ballast"))

    def test_it_is_written_once_it_can_be(self):
        first = self.create()
        for name in WHY:
            until(lambda name=name: self.shares_in_state(name) == 1)
        pids = [self.stack.pid(name + "/keeper") for name in WHY]
        self.spoil()
        second = self.create()
        for name, why in WHY.items():
            until(lambda name=name: SAID in self.stack.log(name))
            self.assertIn(why, next(line for line in self.stack.log(name).splitlines()
                                    if SAID in line))
            until(lambda name=name: self.stack.metrics(name)[METRIC] == 2)
        third = self.create()
        for name in WHY:
            self.assertEqual(self.files(name, second) + self.files(name, third), [])
        self.mend()
        for name in WHY:
            until(lambda name=name: AGAIN in self.stack.log(name))
            self.assertTrue(self.files(name, second) and self.files(name, third))
            self.assertEqual(self.stack.log(name).count("tried again"), 1)
            self.assertEqual(self.files(name, "", ".new"), [])
            shown = self.verify(self.dir(name))
            self.assertEqual((shown["sound"], shown["not_sound"]), (4, 0))
            self.assertEqual(self.shares_in_state(name), 3)
        for name in WHY:
            until(lambda name=name: self.stack.metrics(name)[METRIC] == 0)
        self.assertEqual([self.stack.pid(name + "/keeper") for name in WHY], pids)

    def verify(self, path):
        return quorate("backup", "verify", "--key", self.key, "--json", path)

    def shares_in_state(self, name):
        """What the party writes last. None: it has not written one."""
        state = self.files(name, "state")
        return self.verify(state[0])["verified"][0]["shares"] if state else None

    def files(self, name, what, end=".qbk"):
        return glob.glob(os.path.join(self.dir(name), f"{name}.{what}*{end}"))


if __name__ == "__main__":
    main_with_mounts()
