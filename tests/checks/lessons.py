#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check that docs/lessons.md, "Where each row is tested", and the tests agree.

usage: lessons.py ROOT

Every row of both tables has a line there, with tests or with the word "later" or "none needed:";
every test that a line names exists; every test named after a row is in the line of that row.
"""
import collections
import pathlib
import re
import sys

ROWS = [("1", re.compile(r"^(\d+)\. ", re.M)), ("2", re.compile(r"^\| (\d+) \| ", re.M))]
DEFINED = re.compile(r"^\s*(?:static void|def) (test_\w+)\(", re.M)
NAMED = re.compile(r"test_lesson_([12])_0*(\d+)_")


def defined(root):
    """Of all test functions, their names."""
    return {name for path in (root / "tests").rglob("test_*") if path.suffix in (".c", ".py")
            for name in DEFINED.findall(path.read_text(encoding="utf-8"))}


def rows_of(text):
    parts = re.split(r"^## .*$", text, flags=re.M)[1:]
    return {f"{part}.{row}" for (part, form), body in zip(ROWS, parts)
            for row in form.findall(body)}, parts[2] if len(parts) > 2 else ""


def check(root):
    tests = defined(root)
    rows, index = rows_of((root / "docs/lessons.md").read_text(encoding="utf-8"))
    lines = collections.defaultdict(str)
    for row, text in re.findall(r"^\| ([12]\.\d+) \|(.*)$", index, re.M):
        lines[row] += text
    for row in sorted(rows - set(lines)):
        yield f"row {row} has no line"
    for row in sorted(set(lines) - rows):
        yield f"there is no row {row}"
    for row, text in lines.items():
        named = re.findall(r"\btest_\w+", text)
        if not named and "later" not in text and "none needed:" not in text:
            yield f"row {row} names no test"
        for name in named:
            if name not in tests and not list((root / "tests").rglob(name + ".*")):
                yield f"row {row}: there is no {name}"
    for name in sorted(tests):
        found = NAMED.match(name)
        if found and name not in lines[f"{found[1]}.{found[2]}"]:
            yield f"{name} is not in the line of its row"


def main():
    faults = [f"docs/lessons.md: {fault}" for fault in check(pathlib.Path(sys.argv[1]))]
    print(*faults, sep="\n", end="\n" if faults else "")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
