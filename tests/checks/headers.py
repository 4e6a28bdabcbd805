#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check that every public header compiles alone: as strict C11 with each compiler there is, and
from C++ inside extern "C".

usage: headers.py ROOT
"""
import pathlib
import shutil
import subprocess
import sys

STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]
LANGUAGES = [
    (["gcc", "clang"], ["-x", "c", "-std=c11", "-Wstrict-prototypes"], '#include "{0}"\n'),
    (["g++", "clang++"], ["-x", "c++", "-std=c++11"], 'extern "C" {{\n#include "{0}"\n}}\n'),
]


def main():
    root = pathlib.Path(sys.argv[1])
    headers = sorted((root / "include").glob("quorate/*.h"))
    tried = faults = 0
    for compilers, flags, text in LANGUAGES:
        for compiler in filter(shutil.which, compilers):
            for header in headers:
                name = f"quorate/{header.name}"
                done = subprocess.run(
                    [compiler, *flags, *STRICT, "-I", str(root / "include"), "-"],
                    input=text.format(name), text=True, capture_output=True)
                tried += 1
                if done.returncode:
                    faults += 1
                    print(f"{name} with {compiler}:\n{done.stderr}")
    print(f"{tried} compilations, {faults} failed")
    return 1 if faults or not tried else 0


if __name__ == "__main__":
    sys.exit(main())
