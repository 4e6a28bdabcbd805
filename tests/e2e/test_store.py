# SPDX-License-Identifier: Apache-2.0
"""Storing: new files never replace others, a burn is applied to the sealed share file, a burned pair
never signs again."""
import os
import struct
import subprocess
import unittest

from support import LIMIT, PASSPHRASE, TestCase, open_share_file, parse_record, passphrase_pipe, run

HELPER = os.environ["STORE_HELPER"]
PASSPHRASE_FD = 5


def helper(*args):
    """Run the helper with the passphrase where a party has it."""
    r = passphrase_pipe(PASSPHRASE)
    os.dup2(r, PASSPHRASE_FD)
    if r != PASSPHRASE_FD:
        os.close(r)
    try:
        return subprocess.run([HELPER, *args], pass_fds=[PASSPHRASE_FD], capture_output=True,
                              text=True, check=False, timeout=LIMIT)
    finally:
        os.close(PASSPHRASE_FD)


class Files(TestCase):
    def test_a_new_file_is_written_whole_and_private(self):
        path = self.path("x")
        self.assertEqual(helper("write-new", path, "hello").returncode, 0)
        with open(path, encoding="ascii") as f:
            self.assertEqual(f.read(), "hello")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(os.listdir(self.tmp), ["x"])

    def test_a_new_file_never_replaces_another(self):
        path = self.write("x", "old")
        before = self.tree()
        r = helper("write-new", path, "new")
        self.assertEqual((r.returncode, r.stderr),
                         (1, f"quorate: cannot write {path}: File exists\n"))
        self.assertEqual(self.tree(), before)

    def test_a_name_that_is_a_dangling_link_is_not_followed(self):
        path = self.path("x")
        os.symlink(self.path("elsewhere"), path)
        self.assertEqual(helper("write-new", path, "new").returncode, 1)
        self.assertFalse(os.path.exists(self.path("elsewhere")))

    def test_a_leftover_temporary_file_is_no_obstacle_and_not_followed(self):
        path, target = self.path("x"), self.write("target", "old")
        os.symlink(target, path + ".tmp")
        self.assertEqual(helper("write-new", path, "new").returncode, 0)
        with open(target, encoding="ascii") as f:
            self.assertEqual(f.read(), "old")
        self.assertEqual(sorted(os.listdir(self.tmp)), ["target", "x"])

    def test_what_stands_in_the_place_of_the_temporary_file_is_named(self):
        path = self.path("x")
        os.mkdir(path + ".tmp")
        r = helper("write-new", path, "new")
        self.assertEqual((r.returncode, r.stderr), (
            1, f"quorate: {path}.tmp is in the way and cannot be replaced: remove it\n"))

    def test_replace_is_for_what_exists(self):
        path = self.write("x", "old")
        self.assertEqual(helper("replace", path, "new").returncode, 0)
        with open(path, encoding="ascii") as f:
            self.assertEqual(f.read(), "new")


class Burn(TestCase):
    def setUp(self):
        super().setUp()
        self.make_key()
        self.file = self.share("key", 1)

    def record(self, peers, epoch=0, magic=b"DKB1"):
        kgid = parse_record(open_share_file(self.file, PASSPHRASE)[2]).kgid
        return self.write(magic.decode(), magic + b"\1" + kgid + struct.pack(
            f">IHH{len(peers)}H", epoch, 1, len(peers), *peers))

    def gate(self, peers):
        return self.record(peers, magic=b"DKG1")

    def pairs(self):
        return {pair[0]: pair for pair in
                parse_record(open_share_file(self.file, PASSPHRASE)[2]).pairs}

    def sign(self, i, j):
        return run("demo", "--shares", f"{self.share('key', i)},{self.share('key', j)}",
                   passphrase=PASSPHRASE)

    def test_a_burn_is_durable_and_erases_what_the_peer_attacked(self):
        before = self.pairs()
        burn = self.record([2])
        self.assertEqual(helper("gate", self.file, self.gate([2])).returncode, 0)
        r = helper("burn", self.file, burn)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        after = self.pairs()
        self.assertEqual(after[3], before[3])
        peer, bits, zs, bob, alice, delta = after[2]
        self.assertEqual((bits & 1, zs, bob), (1, before[2][2], before[2][3]))
        self.assertEqual((alice, delta), (bytes(8192), bytes(16)))
        self.assertEqual(sorted(os.listdir(self.path("key"))),
                         [f"party-{i}.share" for i in (1, 2, 3)])

    def test_a_burned_pair_never_signs_again_and_the_gate_is_closed(self):
        burn = self.record([2])
        self.assertEqual(helper("burn", self.file, burn).returncode, 0)
        r = self.sign(1, 2)
        self.assertEqual(r.code, 1)
        self.assertTrue(r.err.endswith("party 1: the OT setup with a signer is burned; refresh the "
                                       "key first\n"), r.err)
        self.assertEqual(helper("gate", self.file, self.gate([2])).returncode, 1)
        self.assertEqual(helper("gate", self.file, self.gate([3])).returncode, 0)
        self.assertEqual(self.sign(1, 3).code, 0)

    def test_a_gate_is_no_burn_and_a_burn_no_gate(self):
        gate, burn = self.gate([2]), self.record([2])
        before = self.tree()
        self.assertEqual(helper("burn", self.file, gate).returncode, 1)
        self.assertEqual(helper("gate", self.file, burn).returncode, 1)
        self.assertEqual(self.tree(), before)

    def test_a_burn_of_another_share_changes_nothing(self):
        before = self.tree()
        burn = self.record([2], epoch=1)
        self.assertEqual(helper("burn", self.file, burn).returncode, 1)
        os.unlink(burn)
        self.assertEqual(self.tree(), before)


if __name__ == "__main__":
    unittest.main()
