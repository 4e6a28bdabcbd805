#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Count single tests in Meson's log and print two lines.

usage: count_tests.py TESTLOG.JSON

A program whose name ends with back ends in brackets, as in "stack/kill (postgres, redis)", ran on
those; one line says how many tests ran on each. The others keep what they store in SQLite and in
the processes' own memory, if they store anything.

A program of cmocka or of Python's unittest counts as many tests as it ran, one that prints "N passed, M failed" as many
as it says, any other as one. A program that fails without naming a failed test counts as one
failure. Exits 1 if anything failed or nothing ran.
"""
import json
import re
import sys

CMOCKA = {"passed": r"^\[  PASSED  \] (\d+) test", "failed": r"^\[  FAILED  \] (\d+) test",
          "skipped": r"^\[  SKIPPED \] (\d+) test"}
PLAIN = r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?"


def counts_of(text):
    """What a program says of itself, or None."""
    if re.search(r"^\[==========\]", text, re.M):
        return {kind: sum(int(n) for n in re.findall(rx, text, re.M)) for kind, rx in CMOCKA.items()}
    python = re.search(r"^Ran (\d+) tests? in .*\n\n(.*)", text, re.M)
    if python:
        bad, skipped = (sum(int(n) for n in re.findall(rf"(?:{rx})=(\d+)", python.group(2)))
                        for rx in ("failures|errors", "skipped"))
        return {"passed": int(python.group(1)) - bad - skipped, "failed": bad, "skipped": skipped}
    lines = re.findall(PLAIN, text, re.M)
    if lines:
        return {"passed": sum(int(x[0]) for x in lines), "failed": sum(int(x[1]) for x in lines),
                "skipped": sum(int(x[2] or 0) for x in lines)}
    return None


def counts(test):
    """Tests of one program of the log, by outcome."""
    result = test["result"]
    said = counts_of(test.get("stdout", "") + "\n" + test.get("stderr", ""))
    if result == "SKIP":
        return {"passed": 0, "failed": 0, "skipped": 1}
    good = result in ("OK", "EXPECTEDFAIL")
    if said is None:
        return {"passed": int(good), "failed": int(not good), "skipped": 0}
    if not good and said["failed"] == 0:
        said["failed"] = 1
    return said


def back_ends(test):
    """What stands in brackets at the end of the program's name."""
    found = re.search(r" \(([a-z, ]+)\)$", test["name"])
    return found.group(1).split(", ") if found else []


def main():
    total = {"passed": 0, "failed": 0, "skipped": 0}
    seconds, ends, without = 0.0, {}, 0
    try:
        tests = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
    except OSError:
        tests = []
    for test in tests:
        seconds += test.get("duration", 0)
        of_this = counts(test)
        for kind, n in of_this.items():
            total[kind] += n
        for end in back_ends(test):
            ends[end] = ends.get(end, 0) + of_this["passed"]
        without += 0 if back_ends(test) else of_this["passed"]
    if ends:
        print("Back ends: " + ", ".join(f"{n} passed on {end}" for end, n in sorted(ends.items())) +
              f", {without} on none or what is built in")
    print(f"Tests: {total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped "
          f"({len(tests)} programs, {seconds:.0f} s of work)")
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
