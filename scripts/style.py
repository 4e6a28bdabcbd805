#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure the source against the budgets of CONTRIBUTING.md; exit 1 if one is exceeded.

usage: style.py [ROOT]          (needs Universal Ctags)

A comment line is one that starts with a comment or lies inside one; code is what is neither that
nor blank. Function lengths count from the name's line to the closing brace.
"""
import pathlib
import re
import subprocess
import sys

BUDGETS = [  # area, measure, limit
    ("lib", "function median", 15), ("lib", "function p90", 40), ("lib", "function p99", 80),
    ("lib", "longest function", 60), ("lib", "longest file", 600), ("lib", "goto", 0),
    ("lib", "lines over 100", 0),
    ("cli", "function median", 15), ("cli", "function p90", 40), ("cli", "function p99", 80),
    ("cli", "longest function", 60), ("cli", "longest file", 600), ("cli", "lines over 100", 0),
    ("include", "lines over 100", 0),
] + [(area, measure, limit) for area in ("system", "participant", "services")
     for measure, limit in (("function median", 15), ("function p90", 40), ("function p99", 80),
                            ("longest function", 60), ("longest file", 600), ("lines over 100", 0))]
FLOORS = [("include", "comment per code", 1.0)]
AREAS = {
    "include": ["include/**/*.h"],
    "lib": ["lib/**/*.[ch]"],
    "cli": ["cli/**/*.[ch]"],
    "system": ["system/**/*.[ch]"],
    "participant": ["participant/**/*.[ch]"],
    "services": ["services/**/*.[ch]"],
    "tests": ["tests/**/*.[ch]"],
    "bench": ["bench/**/*.[ch]"],
}
TEST_PER_CODE = 1.0
# Rows of tables: one line each (errors, variables, methods), aligned by hand.
TABLE_ROW = re.compile(r"\s*X\([A-Z]|#define QRT_\w+\(X\) +\\$|    \{ \"|    METHOD\(")


def functions(files):
    """[(length, name, file)], shortest first."""
    out = subprocess.run(
        ["ctags", "--fields=+ne", "--kinds-C=f", "--languages=C", "--langmap=C:.c.h", "-f", "-",
         "-L", "-"], input="\n".join(map(str, files)), capture_output=True, text=True,
        check=True).stdout
    found = []
    for line in out.splitlines():
        part = line.split("\t")
        tags = dict(x.split(":", 1) for x in part[3:] if ":" in x)
        if "line" in tags and "end" in tags:
            found.append((int(tags["end"]) - int(tags["line"]) + 1, part[0], part[1]))
    return sorted(found)


def line_kinds(text):
    """(code lines, comment lines)."""
    code = comment = 0
    inside = False
    for line in map(str.strip, text.splitlines()):
        if not line:
            continue
        if inside or line.startswith(("/*", "//")):
            comment += 1
            opened = inside or line.startswith("/*")
            inside = opened and "*/" not in line
        else:
            code += 1
            inside = "/*" in line and "*/" not in line.rsplit("/*", 1)[1]
    return code, comment


def long_lines(path, text):
    """["file:line: columns"] of those over 100."""
    return [f"{path}:{i}: {len(line.expandtabs(8))} columns"
            for i, line in enumerate(text.splitlines(), 1)
            if len(line.expandtabs(8)) > 100 and not TABLE_ROW.match(line)]


def measure(files):
    texts = {f: f.read_text(encoding="utf-8") for f in files}
    lengths = [n for n, _, _ in functions(files)] or [0]
    kinds = [line_kinds(text) for text in texts.values()]
    code, comment = (sum(k[i] for k in kinds) for i in (0, 1))

    def at(share):
        return lengths[min(len(lengths) - 1, int(len(lengths) * share))]

    return {
        "files": len(files), "code": code, "comment per code": round(comment / max(code, 1), 2),
        "functions": len(lengths), "function median": at(.5), "function p90": at(.9),
        "function p99": at(.99), "longest function": lengths[-1],
        "longest file": max(len(t.splitlines()) for t in texts.values()),
        "goto": sum(len(re.findall(r"\bgoto \w+;", t)) for t in texts.values()),
        "lines over 100": sum(len(long_lines(f, t)) for f, t in texts.items()),
    }


def table(measured):
    names = list(next(iter(measured.values())))
    print(f"{'':18}" + "".join(f"{area:>10}" for area in measured))
    for name in names:
        print(f"{name:18}" + "".join(f"{m[name]:>10}" for m in measured.values()))


def faults_of(measured):
    for area, name, limit in BUDGETS:
        if area in measured and measured[area][name] > limit:
            yield f"{area}: {name} is {measured[area][name]}, at most {limit} wanted"
    for area, name, floor in FLOORS:
        if area in measured and measured[area][name] < floor:
            yield f"{area}: {name} is {measured[area][name]}, at least {floor} wanted"
    if {"lib", "tests"} <= measured.keys():
        share = measured["tests"]["code"] / max(measured["lib"]["code"], 1)
        if share < TEST_PER_CODE:
            yield f"tests per code of lib is {share:.2f}, at least {TEST_PER_CODE} wanted"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    measured = {}
    for area, globs in AREAS.items():
        files = sorted({f for pattern in globs for f in root.glob(pattern)})
        if files:
            measured[area] = measure(files)
    table(measured)
    for length, name, path in functions(sorted(root.glob("lib/**/*.c")))[-5:]:
        print(f"{length:6}  {name}  {path}")
    for path in sorted(f for area in ("lib", "cli", "include", "system", "participant", "services") for g in AREAS[area]
                       for f in root.glob(g)):
        for where in long_lines(path, path.read_text(encoding="utf-8")):
            print(where)
    faults = list(faults_of(measured))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
