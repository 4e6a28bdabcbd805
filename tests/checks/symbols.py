#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check what libquorate takes, gives and keeps, by its symbols.

usage: symbols.py ROOT STATIC.A SHARED.SO ALLOWLIST

It takes nothing that is not in the allowlist; it gives exactly what the public headers declare,
all of it qrt_*; it keeps no writable data, that is, there are no globals but constant tables.
"""
import fnmatch
import pathlib
import re
import subprocess
import sys

DECLARATION = re.compile(r"\bQRT_API\b[^;{()]*?\b(\w+)\s*\(", re.S)
DATA = re.compile(r"^\s*\d+: [0-9a-f]+ +\S+ +(OBJECT|TLS|COMMON) +(\S+) +\S+ +(\S+) +(\S+)")
SECTION = re.compile(r"^\s*\[ *(\d+)\] (\S+)")
# Constant after relocation: tables of pointers in position-independent code.
CONSTANT = (".rodata", ".data.rel.ro", ".eh_frame", "-")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def symbols(*arguments):
    """{name: type letter} as nm prints them; versions cut off."""
    found = {}
    for line in run("nm", *arguments).splitlines():
        part = line.split()
        if len(part) >= 2 and len(part[-2]) == 1:
            found.setdefault(part[-1].split("@")[0], set()).add(part[-2])
    return found


def allowed(path):
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def check_taken(label, names, patterns):
    for name in sorted(names):
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            yield f"{label} needs {name}, which is not in the allowlist"


def check_given(exported, root):
    text = "".join(p.read_text(encoding="utf-8") for p in root.glob("include/quorate/*.h"))
    declared = set(DECLARATION.findall(re.sub(r"^\s*#.*", "", text, flags=re.M)))
    for name in sorted(exported - declared):
        yield f"exported, but not declared in a public header: {name}"
    for name in sorted(declared - exported):
        yield f"declared in a public header, but not exported: {name}"
    for name in sorted(exported):
        if not name.startswith("qrt_"):
            yield f"exported without the prefix qrt_: {name}"


def check_kept(library):
    """Objects that live in a writable section of any member of the static library."""
    sections = {}
    for line in run("readelf", "--wide", "--sections", "--syms", library).splitlines():
        if line.startswith("File:"):
            sections = {}
            continue
        section = SECTION.match(line)
        if section:
            sections[section.group(1)] = section.group(2)
        data = DATA.match(line)
        if data:
            where = sections.get(data.group(3), data.group(3))
            if where != "UND" and not where.startswith(CONSTANT):
                yield f"writable data: {data.group(4)} in {where}"


def main():
    root, static, shared, allowlist = (pathlib.Path(a) for a in sys.argv[1:5])
    patterns = allowed(allowlist)
    inside = symbols(str(static))
    defined = {name for name, kinds in inside.items() if kinds - set("Uw")}
    exported = {name for name, kinds in symbols("-D", "--defined-only", str(shared)).items()
                if not kinds <= {"A"}}
    faults = [*check_taken("libquorate.a", set(inside) - defined, patterns),
              *check_taken("libquorate.so", symbols("-D", "-u", str(shared)), patterns),
              *check_given(exported, root),
              *check_kept(str(static))]
    faults += [f"global without the prefix qrt_: {name}" for name, kinds in sorted(inside.items())
               if kinds & set("TDBRVW") and not name.startswith(("qrt_", "__x86."))]
    for fault in faults:
        print(fault)
    print(f"{len(exported)} exported, {len(set(inside) - defined)} taken")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
