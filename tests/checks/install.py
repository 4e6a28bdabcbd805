#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Install into an empty folder and use what lies there as a stranger would: the soname, pkg-config,
the example with the shared and with the static library, a C++ program.

usage: install.py ROOT BUILD          (CC, CXX: the compilers; cc, g++)

Nothing is built again: what BUILD holds is installed.
"""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT, BUILD = (pathlib.Path(arg).resolve() for arg in sys.argv[1:3])
CC = shlex.split(os.environ.get("CC", "cc"))
CXX = shlex.split(os.environ.get("CXX", "g++"))
PLUS_PLUS = """#include <quorate/quorate.h>
#include <cstdlib>
void qrt_panic(const char *, int) { std::abort(); }
int main() { return qrt_err_text(QRT_OK)[0] ? 0 : 1; }
"""


def run(*command, **more):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **more)
    if done.returncode:
        raise AssertionError(f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.top = pathlib.Path(cls.folder.name).resolve()
        cls.dest = cls.top / "dest"
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", cls.dest)
        cls.described = cls.one("quorate.pc").parent
        cls.libdir = cls.one("libquorate.so").parent

    @classmethod
    def one(cls, name):
        found = list(cls.dest.rglob(name))
        if len(found) != 1:
            raise AssertionError(f"{name}: {found}")
        return found[0]

    def flags(self, *wanted):
        path = os.pathsep.join(filter(None, [str(self.described),
                                             os.environ.get("PKG_CONFIG_PATH")]))
        env = {**os.environ, "PKG_CONFIG_SYSROOT_DIR": str(self.dest), "PKG_CONFIG_PATH": path}
        return shlex.split(run("pkg-config", *wanted, "quorate", env=env))

    def link(self, compiler, source, libs):
        out = self.top / "program"
        run(*compiler, "-Wall", "-Wextra", "-Werror", source, *self.flags("--cflags"), *libs,
            "-o", out)
        return out

    def needed(self, program):
        return re.findall(r"\(NEEDED\).*\[(.+)\]", run("readelf", "-d", program))

    def run_shared(self, program):
        self.assertIn("libquorate.so.0", self.needed(program))
        run(program, env={**os.environ, "LD_LIBRARY_PATH": str(self.libdir)}, timeout=120)

    def test_the_shared_library_is_called_libquorate_so_0(self):
        text = run("readelf", "-d", self.libdir / "libquorate.so")
        self.assertEqual(re.findall(r"\(SONAME\).*\[(.+)\]", text), ["libquorate.so.0"])

    def test_every_public_header_is_installed_and_no_other(self):
        there = {p.name for p in (ROOT / "include/quorate").glob("*.h")}
        folder = self.one("quorate.h").parent
        self.assertEqual({p.name for p in folder.iterdir()}, there)
        self.assertEqual(len(list(self.dest.rglob("*.h"))), len(there))

    def test_the_example_runs_with_the_shared_library(self):
        self.run_shared(self.link(CC, ROOT / "examples/two_of_three.c", self.flags("--libs")))

    def test_the_example_runs_with_the_static_library(self):
        libs = self.flags("--static", "--libs")
        self.assertIn("-lquorate", libs)
        libs = ["-l:libquorate.a" if lib == "-lquorate" else lib for lib in libs]
        program = self.link(CC, ROOT / "examples/two_of_three.c", libs)
        self.assertNotIn("libquorate.so.0", self.needed(program))
        run(program, timeout=120)

    @unittest.skipUnless(shutil.which(CXX[0]), "no C++ compiler")
    def test_a_program_in_cplusplus_links_and_runs(self):
        source = self.top / "program.cc"
        source.write_text(PLUS_PLUS, encoding="utf-8")
        self.run_shared(self.link(CXX, source, self.flags("--libs")))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
