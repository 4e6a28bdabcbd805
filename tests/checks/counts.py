#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What scripts/count_tests.py makes of a log: tests by outcome and by back end.

usage: counts.py ROOT
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

CMOCKA = "[==========] Running 3 test(s).\n[  PASSED  ] 3 test(s).\n"
PYTHON = "Ran 5 tests in 1.0s\n\nOK (skipped=1)\n"


def entry(name, stdout="", stderr="", result="OK"):
    return {"name": name, "stdout": stdout, "stderr": stderr, "result": result, "duration": 1.5}


class Counts(unittest.TestCase):
    def count(self, *entries):
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as f:
            f.writelines(json.dumps(e) + "\n" for e in entries)
            f.flush()
            done = subprocess.run([sys.executable, os.path.join(ROOT, "scripts", "count_tests.py"),
                                   f.name], capture_output=True, text=True, check=False)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout.splitlines()

    def test_tests_by_outcome(self):
        code, lines = self.count(entry("a", CMOCKA), entry("b", stderr=PYTHON), entry("c"))
        self.assertEqual(code, 0)
        self.assertEqual(lines, ["Tests: 8 passed, 0 failed, 1 skipped (3 programs, 4 s of work)"])

    def test_a_program_that_fails_without_a_word_is_a_failure(self):
        code, lines = self.count(entry("a", CMOCKA), entry("b", CMOCKA, result="TIMEOUT"))
        self.assertEqual(code, 1)
        self.assertIn("6 passed, 1 failed", lines[-1])

    def test_nothing_is_no_success(self):
        self.assertEqual(self.count()[0], 1)
        self.assertEqual(self.count(entry("a", result="SKIP"))[0], 1)

    def test_tests_by_back_end(self):
        """Each that stands in the brackets; no other words in brackets."""
        _, lines = self.count(entry("a", CMOCKA), entry("a (postgres)", CMOCKA),
                              entry("b (postgres, redis)", stderr=PYTHON), entry("c(x) d", CMOCKA))
        self.assertEqual(lines[0], "Back ends: 7 passed on postgres, 4 passed on redis,"
                                   " 6 on none or what is built in")


if __name__ == "__main__":
    ROOT = sys.argv.pop(1)
    unittest.main()
