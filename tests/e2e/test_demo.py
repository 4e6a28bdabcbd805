# SPDX-License-Identifier: Apache-2.0
"""`quorate demo`: a whole system that is there for one account and one signature, and is gone
afterwards, however the demo ends."""
import json
import os
import re
import signal
import subprocess
import unittest

from support import EXAMPLE, LIMIT, QUORATE, TestCase, run, until

KEYS = ["system_start_ms", "key_generation_ms", "account_id", "public_key", "address", "parties",
        "signing_ms", "signs", "message_hash", "signed_by", "signature", "recovery_id",
        "raw_transaction", "transaction_hash"]


def processes(text):
    """Pids of the living processes with |text| among their words."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if text.encode() in f.read():
                    found.append(int(pid))
        except OSError:
            pass  # it ended meanwhile
    return found


class Demo(TestCase):
    def assertNothingLeft(self):
        self.assertEqual((os.listdir(self.tmp), processes(self.tmp)), ([], []))

    def test_json(self):
        r = run("demo", "--json")
        self.assertEqual((r.code, r.err), (0, ""))
        report = json.loads(r.out)
        self.assertEqual(list(report), KEYS)
        self.assertEqual(report["parties"], ["party-1", "party-2", "party-3"])
        self.assertEqual(len(report["signed_by"]), 2)
        self.assertEqual(report["signs"], "examples/transfer.json")
        self.assertNothingLeft()
        r = run("verify", "--message-hash", report["message_hash"], "--signature", report["signature"],
                "--address", report["address"], "--json")
        self.assertEqual((r.code, json.loads(r.out)["public_key"]), (0, report["public_key"]))

    def test_text_says_the_same(self):
        r = run("demo", "--tx", EXAMPLE)
        self.assertEqual((r.code, r.err), (0, ""))
        lines = [(line[:20].rstrip(), line[20:]) for line in r.out.splitlines()]
        self.assertEqual([name for name, _ in lines],
                         [re.sub(" ms$", "", key.replace("_", " ")) for key in KEYS])
        for name, value in lines:
            if name in ("system start", "key generation", "signing"):
                self.assertRegex(value, r"\A\d+\.\d ms\Z")
        self.assertIn(("parties", "party-1, party-2, party-3"), lines)
        self.assertIn(("signs", EXAMPLE), lines)

    def test_the_directory_is_kept_and_goes_on(self):
        path = self.path("system")
        first = json.loads(run("demo", "--json", "--dir", path).out)
        r = run("demo", "--json", "--dir", path)
        self.assertEqual((r.code, r.err), (0, ""))
        self.assertNotEqual(json.loads(r.out)["address"], first["address"])
        self.assertTrue(os.path.exists(os.path.join(path, "client.json")))
        self.assertEqual((os.listdir(self.tmp), processes(self.tmp)), (["system"], []))

    def test_a_directory_in_use_is_refused(self):
        path = self.path("system")
        p = subprocess.Popen([QUORATE, "up", "--dir", path, "--free-ports"],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.assertTrue(p.stdout.readline())
        r = run("demo", "--dir", path)
        self.assertEqual((r.code, r.out, r.err), (1, "", f"quorate: another quorate up runs in {path}: "
                                                  "use that one, or give this one another --dir\n"))
        p.send_signal(signal.SIGINT)
        self.assertEqual(p.wait(LIMIT), 0)
        p.stdout.close()

    def start(self):
        return subprocess.Popen([QUORATE, "demo", "--json"], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def test_signals_leave_nothing(self):
        # as soon as there is a directory, a supervisor, a first service, all
        for n in (0, 1, 2, 8):
            for sig in (signal.SIGINT, signal.SIGTERM):
                p = self.start()
                until(lambda n=n, p=p: p.poll() is not None or os.listdir(self.tmp) and
                      len(processes(self.tmp)) >= n)
                p.send_signal(sig)
                out, err = p.communicate(timeout=LIMIT)
                # it may have been done already
                if p.returncode:
                    self.assertEqual((p.returncode, out, err.decode()), (
                        1, b"", "quorate: stopped by a signal; nothing of the system is left "
                        "running\n"))
                self.assertNothingLeft()

    def test_a_killed_demo_leaves_no_process(self):
        for n in (1, 2, 8):
            p = self.start()
            until(lambda n=n, p=p: p.poll() is not None or len(processes(self.tmp)) >= n)
            p.kill()
            p.communicate(timeout=LIMIT)
            until(lambda: not processes(self.tmp))


if __name__ == "__main__":
    unittest.main()
