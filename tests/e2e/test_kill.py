# SPDX-License-Identifier: Apache-2.0
"""kill -9 for every process at every stage. Afterwards: no process is left, there is no half key,
and a demo in the same directory finishes the key or says why it cannot.

With KILL_EVERY=1 every process is killed at every stage and after every second line of the trace;
otherwise every stage sees one victim, every victim some stage, and the lines are further apart.
"""
import json
import os
import signal
import unittest

from support import PASSPHRASE, TestCase, Watched, run

EVERY = os.environ.get("KILL_EVERY") == "1"
VICTIMS = ["main", "relay", "party 1", "party 2", "party 3"]

# After so many messages the relay stands still; by then so many shares are stored. A 2-of-3 key
# takes 3 + 9 + 6 + 3 messages, of which the last six and three matter here.
STAGES = [
    (0, {}),
    (12, {}),
    (17, {".pending": 2}),
    (18, {".pending": 3}),
    (19, {".pending": 3}),
    (20, {".pending": 3, ".share": 1}),
    (21, {".pending": 3, ".share": 3}),
    (26, {".pending": 3, ".share": 3}),
]
POINTS = [(hold, stored, victim)
          for i, (hold, stored) in enumerate(STAGES) for j, victim in enumerate(VICTIMS)
          if EVERY or (i + j) % len(VICTIMS) == 0]
LINES = 2 if EVERY else 7


class Kill(TestCase):
    def files(self):
        """Which kinds of file each party has."""
        directory = self.path("key")
        names = os.listdir(directory) if os.path.isdir(directory) else []
        self.assertEqual([n for n in names if not n.startswith("party-")], [])
        return [{kind for kind in ("share", "share.pending") if f"party-{i}.{kind}" in names}
                for i in (1, 2, 3)]

    def whole_key_or_none(self):
        files = self.files()
        if any("share" in kinds for kinds in files):
            self.assertTrue(all(files), files)
        return files

    def key_ids(self):
        found = set()
        for i in (1, 2, 3):
            for kind in ("share", "share.pending"):
                path = self.path("key", f"party-{i}.{kind}")
                if os.path.exists(path):
                    r = run("inspect", path, "--json")
                    self.assertEqual(r.code, 0, r.err)
                    found.add(json.loads(r.out)["key_id"])
        return found

    def afterwards(self):
        """What a later demo does must follow from the files alone."""
        files = self.whole_key_or_none()
        ids = self.key_ids()
        self.assertLessEqual(len(ids), 1)
        before = self.tree()
        r = run("demo", "--dir", self.path("key"), "--signers", "2,3", "--json",
                passphrase=PASSPHRASE)
        if all(kinds == {"share"} for kinds in files):
            self.assertEqual(r.code, 1)
            self.assertIn("already holds the shares of a key", r.err)
            r = run("demo", "--shares", f"{self.share('key', 2)},{self.share('key', 3)}", "--json",
                    passphrase=PASSPHRASE)
            self.assertEqual((r.code, r.err), (0, ""))
            self.assertEqual({json.loads(r.out)["key_id"]}, ids)
            return "whole"
        if any(files) and not all(files):
            self.assertEqual(r.code, 1)
            self.assertIn("so its key never came to be", r.err)
            self.assertEqual(r.err.count("\n"), 1)
            self.assertEqual(self.tree(), before)
            return "never"
        self.assertEqual((r.code, r.err), (0, ""))
        report = json.loads(r.out)
        self.assertEqual(report["resumed"], bool(ids))
        self.assertEqual([k for k in self.files() if k != {"share"}], [])
        self.assertEqual(self.key_ids(), {report["key_id"]})
        if ids:
            self.assertEqual(ids, {report["key_id"]})
            return "resumed"
        return "fresh"

    def check_end(self, end, victim):
        self.assertEqual(end.out, "")
        if victim == "main":
            self.assertEqual((end.code, end.err), (-signal.SIGKILL, []))
        else:
            self.assertEqual(end.code, 1)
            self.assertEqual(len(end.err), 1, end.err)
            self.assertRegex(end.err[0], f"the process of the {victim} was killed by signal 9"
                             "(; party-[123].share.pending.* left in .*)?$")

    def start(self, *args):
        return Watched("--dir", self.path("key"), "--signers", "1,2", "--json", *args,
                       passphrase=PASSPHRASE)

    def clear(self):
        directory = self.path("key")
        if os.path.isdir(directory):
            for name in os.listdir(directory):
                os.unlink(os.path.join(directory, name))
            os.rmdir(directory)

    def test_a_process_at_every_stage(self):
        outcomes = {}
        for hold, stored, victim in POINTS:
            with self.subTest(messages=hold, killed=victim):
                w = self.start("--relay-hold", str(hold))
                w.until_line(f"relay holds after {hold} messages")
                for suffix, n in stored.items():
                    w.until(lambda lines, s=suffix, n=n: n <= sum(
                        " stored " in line and line.endswith(s) for line in lines))
                w.kill(victim)
                self.check_end(w.end(), victim)
                outcomes.setdefault(hold, set()).add(self.afterwards())
                self.clear()
        self.assertEqual([outcomes[hold] for hold in (0, 12)], [{"fresh"}] * 2)
        self.assertEqual([outcomes[hold] for hold in (17, 18, 19, 20)],
                         [{"never"}, {"resumed"}, {"resumed"}, {"resumed"}])
        # A leftover pending file beside a whole key is tidied up, or was so before the kill.
        self.assertLessEqual(outcomes[21] | outcomes[26], {"whole", "resumed"})

    def test_at_the_moment_of_lines_of_the_trace(self):
        at = 0
        while True:
            at += LINES
            victim = VICTIMS[at % len(VICTIMS)]
            with self.subTest(line=at, killed=victim):
                w = self.start()
                w.until_line("party 3 is process")
                w.until(lambda lines: len(lines) >= at or lines[-1].endswith("tells signature"))
                if len(w.lines) < at:
                    w.end()
                    break
                w.kill(victim)
                end = w.end()
                if end.code != 0:  # otherwise it was done before the signal came
                    self.check_end(end, victim)
                self.afterwards()
                self.clear()
        self.assertGreater(at, 20)

    def test_resuming_can_be_interrupted_and_resumed_again(self):
        w = self.start("--relay-hold", "18")
        w.until_count(".pending", 3)
        w.kill("main")
        w.end()
        ids = self.key_ids()
        for hold in (0, 1, 2):
            w = self.start("--relay-hold", str(hold))
            w.until_line(f"relay holds after {hold} messages")
            if hold == 2:
                w.until_count(" stored ", 1)
            w.kill("party 2")
            self.check_end(w.end(), "party 2")
            self.whole_key_or_none()
            self.assertEqual(self.key_ids(), ids)
        self.assertEqual(self.afterwards(), "resumed")

    def test_wrong_passphrase_for_a_resumption_changes_nothing(self):
        w = self.start("--relay-hold", "20")
        w.until(lambda lines: any(" stored " in l and l.endswith(".share") for l in lines))
        w.kill("main")
        w.end()
        before = self.tree()
        r = run("demo", "--dir", self.path("key"), passphrase=b"wrong")
        self.assertEqual(r.code, 1)
        self.assertRegex(r.err, r"\Aquorate: opening the share files failed: party [123]: wrong "
                                r"passphrase, or the header of \S+/party-[123]\.share(\.pending)? "
                                r"was changed\n\Z")
        self.assertEqual(self.tree(), before)
        r = run("demo", "--dir", self.path("key"))
        self.assertEqual(r.code, 2)
        self.assertIn("give the passphrase it was started with", r.err)
        self.assertEqual(self.tree(), before)

    def test_a_pending_share_does_not_sign(self):
        w = self.start("--relay-hold", "18")
        w.until_count(".pending", 3)
        w.kill("main")
        w.end()
        pending = [self.path("key", f"party-{i}.share.pending") for i in (1, 2)]
        r = run("demo", "--shares", ",".join(pending), passphrase=PASSPHRASE)
        self.assertEqual(r.code, 1)
        self.assertEqual(r.err, f"quorate: {pending[0]} is a pending share: its key generation has "
                                "not completed; complete it by quorate demo --dir with its directory "
                                "and --passphrase-fd N\n")
        # Not even under another name: what is pending is authenticated.
        with open(pending[0], "rb") as f:
            b = bytearray(f.read())
        b[9] = 0
        forged = [self.write("one.share", bytes(b))]
        with open(pending[1], "rb") as f:
            b = bytearray(f.read())
        b[9] = 0
        forged.append(self.write("two.share", bytes(b)))
        r = run("demo", "--shares", ",".join(forged), passphrase=PASSPHRASE)
        self.assertEqual(r.code, 1)
        self.assertRegex(r.err, r"was changed after it was sealed\n\Z")

    def test_a_signal_ends_everything_in_order(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            w = self.start("--relay-hold", "12")
            w.until_line("relay holds after 12 messages")
            os.kill(w.pids["main"], number)
            end = w.end()
            self.assertEqual((end.code, end.out), (1, ""))
            self.assertEqual(end.err, ["quorate: key generation failed: interrupted"])
            self.assertFalse(os.path.exists(self.path("key")))

    def test_a_signal_ends_the_wait_for_the_passphrase(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            for directory in ([], ["--dir", self.path("key")]):
                r, w = os.pipe()
                demo = Watched(*directory, fd=r)
                os.close(r)
                demo.until_line("party 3 is process")
                os.write(w, b"part of it")
                os.kill(demo.pids["main"], number)
                end = demo.end()
                os.close(w)
                self.assertEqual((end.code, end.out, end.err), (
                    1, "", ["quorate: interrupted while the passphrase was read"]))
                self.assertEqual(os.listdir(self.tmp), [])

    def test_a_passphrase_from_a_terminal_is_waited_for_aloud(self):
        master, terminal = os.openpty()
        demo = Watched("--signers", "1,2", fd=terminal)
        os.close(terminal)
        waiting = (f"quorate: waiting for the passphrase on descriptor {terminal}, a terminal, which "
                   "shows it; end it with Enter and Ctrl-D")
        demo.until_line(waiting)
        os.write(master, PASSPHRASE + b"\n\x04")
        end = demo.end()
        os.close(master)
        self.assertEqual((end.code, end.err), (0, [waiting]))

    def test_what_a_failed_key_generation_leaves_is_named(self):
        for hold, stored, left in ((17, 2, "remove them, the key never came to be"),
                                   (18, 3, "the same command with the same passphrase completes "
                                           "the key")):
            w = self.start("--relay-hold", str(hold))
            w.until_count(".pending", stored)
            w.kill("relay")
            end = w.end()
            names = [n for n in sorted(os.listdir(self.path("key")))]
            self.assertEqual(end.err, [
                "quorate: key generation failed: the process of the relay was killed by signal 9; "
                f"{', '.join(names)} are left in {self.path('key')}: {left}"])
            self.clear()


if __name__ == "__main__":
    unittest.main()
