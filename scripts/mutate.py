#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Remove each check of the protocol in turn and show that some test goes red.

usage: mutate.py [--build FOLDER] [--jobs N] [--only TEXT] [--commit NAME]
                 [--write docs/checks.md]

The checks are scripts/mutations.py: for each the place in the specification, a small change of the
source that removes it, and the tests that should notice. Those are tried first, then all quick
ones. A program that crashes or hangs counts as red; a change that does not compile, or whose text
is not in the source exactly once, is an error of the table. --commit takes the source of a commit
instead of the working tree; --write makes the table of checks for readers. Exit code 1 if a check can be removed unnoticed.
"""
import argparse
import concurrent.futures
import io
import json
import os
import pathlib
import queue
import re
import subprocess
import sys
import tarfile
import time

from mutations import CHECKS, UNREMOVABLE

ROOT = pathlib.Path(__file__).resolve().parent.parent
SLOW = {"proto/any_weather", "vectors/regenerate", "vectors/regenerate-other"}
TIMEOUT = 120


def fit(text, old):
    """Where |old| stands in |text|, whatever its white space."""
    pattern = r"\s+".join(re.escape(word) for word in old.split())
    return list(re.finditer(pattern, text))


def mutate(tree, edits):
    """Apply edits to the tree; returns {path: original} or raises ValueError."""
    saved = {}
    for path, old, new in edits:
        file = tree / path
        text = file.read_text(encoding="utf-8")
        found = fit(text, old)
        if len(found) != 1:
            raise ValueError(f"{path}: {len(found)} places match: {old}")
        saved.setdefault(file, text)
        file.write_text(text[:found[0].start()] + new + text[found[0].end():], encoding="utf-8")
    return saved


class Worker:
    """One copy of the tree with a build directory."""

    def __init__(self, folder, commit):
        self.commit = commit
        self.tree = folder / "tree"
        self.build = folder / "build"
        self.copy()
        if not (self.build / "build.ninja").exists():
            self.run("meson", "setup", str(self.build), str(self.tree), "-Dcli=false",
                     "-Dbench=false", "-Doptimization=1")
        listed = self.run("meson", "introspect", "--tests", str(self.build))
        self.tests = {t["name"]: t for t in json.loads(listed)}

    def sources(self):
        """[(name, bytes)] of the tree that is tested."""
        if self.commit:
            packed = subprocess.run(["git", "archive", self.commit], cwd=ROOT, check=True,
                                    capture_output=True).stdout
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                for member in filter(tarfile.TarInfo.isfile, archive):
                    yield member.name, archive.extractfile(member).read()
            return
        names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True,
                               check=True, capture_output=True).stdout.split("\n")
        for name in filter(None, names):
            if (ROOT / name).is_file():
                yield name, (ROOT / name).read_bytes()

    def copy(self):
        """Write what differs, remove what is gone: the next build is a small one."""
        wanted = set()
        for name, content in self.sources():
            target = self.tree / name
            wanted.add(target)
            if target.exists() and target.read_bytes() == content:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            target.chmod(0o755 if content.startswith(b"#!") else 0o644)
        for path in [p for p in self.tree.rglob("*") if p.is_file() and p not in wanted]:
            path.unlink()

    @staticmethod
    def run(*command):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout

    def quick(self):
        """Names of the tests that run compiled programs and are quick."""
        return [name for name, t in sorted(self.tests.items())
                if name not in SLOW and t["cmd"][0].startswith(str(self.build))
                and name.split("/")[0] != "fuzz"]

    def compile(self, names):
        targets = sorted({os.path.relpath(self.tests[n]["cmd"][0], self.build) for n in names})
        self.run("ninja", "-C", str(self.build), "-j1", *targets)

    def red(self, name):
        """None if the test passes, otherwise what it said."""
        test = self.tests[name]
        env = dict(os.environ, **test["env"])
        try:
            done = subprocess.run(test["cmd"], capture_output=True, text=True, timeout=TIMEOUT,
                                  env=env, cwd=test.get("workdir") or self.build, errors="replace")
        except subprocess.TimeoutExpired:
            return "does not end"
        if done.returncode in (0, 77):
            return None
        text = done.stdout + done.stderr
        failed = re.findall(r"^\[  FAILED  \] ([a-z]\w+)", text, re.M)
        panic = re.search(r"panic at \S*?(\w+\.c:\d+)", text)
        if failed:
            return sorted(set(failed), key=failed.index)[0]
        return f"panic at {panic.group(1)}" if panic else f"exit {done.returncode}"

    def first_red(self, names):
        for name in names:
            said = self.red(name)
            if said:
                return f"{name}: {said}"
        return None

    def try_check(self, check):
        """What caught the removal of |check|, or None. Raises ValueError for a bad table."""
        preferred = check["tests"]
        saved = mutate(self.tree, check["edits"])
        try:
            for names in (preferred, [n for n in self.quick() if n not in preferred]):
                if not names:
                    continue
                try:
                    self.compile(names)
                except RuntimeError as e:
                    raise ValueError(f"does not compile: {e}") from None
                caught = self.first_red(names)
                if caught:
                    return caught
            return None
        finally:
            for file, text in saved.items():
                file.write_text(text, encoding="utf-8")


def baseline(worker):
    """Tests that should be green before anything is removed, and are not."""
    names = worker.quick()
    worker.compile(names)
    return [(n, said) for n in names for said in [worker.red(n)] if said]


def check_table(worker, checks):
    """Sentences on what the table says of tests or source that do not exist."""
    for check in checks:
        for name in check["tests"]:
            if name not in worker.tests:
                yield f"{check['check']}: there is no test {name}"
        for path, old, _ in check["edits"]:
            places = len(fit((worker.tree / path).read_text(encoding="utf-8"), old))
            if places != 1:
                yield f"{check['check']}: {path}: {places} places match: {old}"


def run_all(workers, checks):
    free = queue.Queue()
    for worker in workers:
        free.put(worker)

    def one(check):
        worker = free.get()
        start = time.time()
        try:
            return check, worker.try_check(check), None, time.time() - start
        except ValueError as e:
            return check, None, str(e), time.time() - start
        finally:
            free.put(worker)

    with concurrent.futures.ThreadPoolExecutor(len(workers)) as pool:
        yield from pool.map(one, checks)


def table(results):
    lines = ["# Checks and the tests that catch their removal", "",
             "Made by `scripts/mutate.py --write docs/checks.md`, which removes each check from the",
             "source and runs the tests; `make check-all` repeats it. The first test that went red is",
             "named. A section is one of [protocol.md](protocol.md).", "",
             "| section | check | error | source | caught by |", "|---|---|---|---|---|"]
    for check, caught, _, _ in results:
        program, _, test = (caught or "**nothing**").partition(": ")
        where = check["edits"][0][0]
        lines.append(f"| {check['spec']} | {check['check']} | {check.get('error', '')} | `{where}` | "
                     f"{program}: {test} |" if test else
                     f"| {check['spec']} | {check['check']} | {check.get('error', '')} | `{where}` | "
                     f"{program} |")
    lines += ["", "## Checks whose removal no test can show", "", "| section | check | why |",
              "|---|---|---|"]
    lines += [f"| {c['spec']} | {c['check']} | {c['why']} |" for c in UNREMOVABLE]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/mutation", type=pathlib.Path)
    parser.add_argument("--jobs", default=os.cpu_count(), type=int)
    parser.add_argument("--only", default="")
    parser.add_argument("--commit")
    parser.add_argument("--write", type=pathlib.Path)
    args = parser.parse_args()

    checks = [c for c in CHECKS if args.only.lower() in (c["spec"] + " " + c["check"]).lower()]
    build = args.build.resolve()
    workers = [Worker(build / str(i), args.commit) for i in range(min(args.jobs, len(checks)))]
    faults = list(check_table(workers[0], checks))
    faults += [f"red before anything is removed: {n}: {said}" for n, said in baseline(workers[0])]
    for fault in faults:
        print(fault)
    if faults:
        return 1

    results, bad = [], 0
    for result in run_all(workers, checks):
        check, caught, error, seconds = result
        results.append(result)
        bad += not caught
        print(f"{'caught' if caught else 'ERROR ' if error else 'MISSED'} {seconds:5.0f} s  "
              f"{check['spec']:10} {check['check']}: {caught or error or 'no test notices'}",
              flush=True)
    print(f"{len(results) - bad} of {len(results)} removed checks were noticed")
    if args.write:
        args.write.write_text(table(results), encoding="utf-8")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
