#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Remove each check in turn and show that some test goes red.

usage: mutate.py [--layer NAME]... [--only TEXT] [--build FOLDER] [--jobs N] [--commit NAME]
                 [--write docs/checks.md [--again]] [--fit]

The checks are in one file for each layer: mutations.py (library), mutations_participant.py,
mutations_system.py, mutations_services.py. Each row has its place, a small change of the source
that removes it, and the tests that should notice ("stack/x: test_y" is one case of a Python test
that takes minutes as a whole); of the library all other quick tests are tried after them. A program
that crashes or hangs counts as red; a change that does not compile, or whose text is not in the
source exactly once, is an error of the table. Rows with a test that is red before anything is
removed are left out, which is an error too.

--layer and --only (text of place and name) choose rows; --write renews what was run in the table
for readers, row by row, and keeps the rest; --again with it runs what no test is known to notice.
--commit takes the source of a commit instead of the working tree. --fit builds nothing: it only
sees that each text is in the source once. Exit code 1 if a check can be removed unnoticed.
"""
import argparse
import concurrent.futures
import io
import json
import os
import pathlib
import queue
import re
import signal
import subprocess
import sys
import tarfile
import time

import mutations
import mutations_participant
import mutations_services
import mutations_system

LAYERS = {"library": ("The protocol library", mutations),
          "participant": ("Parties", mutations_participant),
          "system": ("Connections, access and storage", mutations_system),
          "services": ("Services", mutations_services)}
ROOT = pathlib.Path(__file__).resolve().parent.parent
NOTHING, NOT_RUN = "**nothing**", "not run"
UNNOTICED = {NOTHING, NOT_RUN, None}
SLOW = {"proto/any_weather", "vectors/regenerate", "vectors/regenerate-other"}
TIMEOUT, STACK_TIMEOUT = 120, 900


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


def parted(name):
    """A test as a row names it, "stack/x" or "stack/x: test_y", parted into program and case."""
    program, _, case = name.partition(": ")
    return program, case


def end_group(run):
    """End what a test left behind, which would hold its output open."""
    try:
        os.killpg(run.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    run.communicate()


class Worker:
    """One copy of the tree with a build directory."""

    def __init__(self, folder, commit):
        self.commit = commit
        self.tree = folder / "tree"
        self.build = self.tree / "build"
        self.copy()
        if not (self.build / "build.ninja").exists():
            self.run("meson", "setup", str(self.build), str(self.tree), "-Dbench=false")
        self.run("ninja", "-C", str(self.build), "build.ninja")
        self.tests = {t["name"]: t for t in self.introspect("--tests")}
        self.outputs = {t["id"]: [os.path.relpath(f, self.build) for f in t["filename"]]
                        for t in self.introspect("--targets")}

    def introspect(self, what):
        return json.loads(self.run("meson", "introspect", what, str(self.build)))

    def sources(self):
        """[(name, bytes)] of the tree that is tested."""
        if self.commit:
            packed = subprocess.run(["git", "archive", self.commit], cwd=ROOT, check=True,
                                    capture_output=True).stdout
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                for member in filter(tarfile.TarInfo.isfile, archive):
                    yield member.name, archive.extractfile(member).read()
            return
        names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT,
                               text=True, check=True, capture_output=True).stdout.split("\n")
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
            if self.build not in path.parents:
                path.unlink()

    @staticmethod
    def run(*command):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout

    def quick(self):
        """Names of the library's tests that run compiled programs and are quick."""
        return [name for name, t in sorted(self.tests.items())
                if name not in SLOW and t["cmd"][0].startswith(str(self.build))
                and name.split("/")[0] != "fuzz"
                and not {"quorate:system", "quorate:stack"} & set(t["suite"])]

    def compile(self, names):
        tests = [self.tests[parted(name)[0]] for name in names]
        targets = {f for t in tests for d in t["depends"] for f in self.outputs[d]}
        targets |= {os.path.relpath(t["cmd"][0], self.build) for t in tests
                    if t["cmd"][0].startswith(str(self.build))}
        self.run("ninja", "-C", str(self.build), "-j1", *sorted(targets))

    def red(self, name):
        """None if the test passes, otherwise what it said."""
        program, case = parted(name)
        test = self.tests[program]
        env = dict(os.environ, **test["env"])
        is_stack = "quorate:stack" in test["suite"]
        limit = STACK_TIMEOUT if is_stack else TIMEOUT
        command = test["cmd"] + ["-f"] * is_stack + (["-k", case] if case else [])
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors="replace", env=env, start_new_session=True,
                               cwd=test.get("workdir") or self.build)
        try:
            text = run.communicate(timeout=limit)[0]
        except subprocess.TimeoutExpired:
            return "does not end"
        finally:
            end_group(run)
        if case and run.returncode == 0 and not re.search(r"^Ran [1-9]", text, re.M):
            return f"there is no {case}"
        if run.returncode in (0, 77):
            return None
        failed = re.findall(r"^(?:\[  FAILED  \] |(?:FAIL|ERROR): (?=test_))([a-z]\w+)", text, re.M)
        panic = re.search(r"panic at \S*?(\w+\.c:\d+)", text)
        if failed:
            return sorted(set(failed), key=failed.index)[0]
        return f"panic at {panic.group(1)}" if panic else f"exit {run.returncode}"

    def first_red(self, names):
        for name in names:
            said = self.red(name)
            if said:
                return f"{parted(name)[0]}: {said}"
        return None

    def try_check(self, check):
        """What caught the removal of |check|, or None. Raises ValueError for a bad table."""
        preferred = check["tests"]
        others = [n for n in self.quick() if n not in preferred] if check["others"] else []
        saved = mutate(self.tree, check["edits"])
        try:
            for names in (preferred, others):
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


def tests_of(worker, check):
    return {*check["tests"], *(worker.quick() if check["others"] else [])}


def baseline(worker, checks):
    """{test: what it said} of those that are red although nothing is removed."""
    names = sorted(set().union(*(tests_of(worker, c) for c in checks)))
    worker.compile(names)
    return {n: said for n in names for said in [worker.red(n)] if said}


def check_tests(worker, checks):
    """Sentences on tests that do not exist."""
    for check in checks:
        if not check["tests"] and not check["others"]:
            yield f"{check['check']}: no test is named"
        for name in check["tests"]:
            if parted(name)[0] not in worker.tests:
                yield f"{check['check']}: there is no test {name}"


def check_places(tree, checks):
    """Sentences on source that is not there."""
    for check in checks:
        for path, old, _ in check["edits"]:
            file = tree / path
            text = file.read_text(encoding="utf-8") if file.is_file() else ""
            places = len(fit(text, old))
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


def known(path):
    """{(section, check): caught by} of a table that was written before."""
    rows = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    cells = [[c.strip() for c in row.strip("|").split(" | ")] for row in rows if row[:2] == "| "]
    return {(c[0], c[1]): c[4] for c in cells if len(c) == 5}


def row(check, caught):
    return (f"| {check['spec']} | {check['check']} | {check['error']} | "
            f"`{check['edits'][0][0]}` | {caught} |")


def table(results, before):
    """The table for readers: what was run anew, what was not as it was."""
    now = {(c["spec"], c["check"]): caught or NOTHING for c, caught, _, _ in results}
    lines = ["# Checks and the tests that catch their removal", "",
             "Made by `scripts/mutate.py --write docs/checks.md`, which removes each check from",
             "the source and runs the tests; `make check-all` repeats it, `--layer` and `--only`",
             "a part. The first test that went red is named. A section of the library is one of",
             "[protocol.md](protocol.md); above it, the name of the part."]
    for title, module in LAYERS.values():
        lines += ["", f"## {title}", "", "| section | check | error | source | caught by |",
                  "|---|---|---|---|---|"]
        for check in module.CHECKS:
            key = check["spec"], check["check"]
            lines.append(row(check, now.get(key) or before.get(key) or NOT_RUN))
    lines += ["", "## Checks whose removal no test can show", "", "| section | check | why |",
              "|---|---|---|"]
    lines += [f"| {c['spec']} | {c['check']} | {c['why']} |"
              for _, module in LAYERS.values() for c in module.UNREMOVABLE]
    return "\n".join(lines) + "\n"


def chosen(layers, only):
    """The rows, quick ones first; of the library all other quick tests are tried as well."""
    rows = [dict(c, others=name == "library")
            for name, (_, module) in LAYERS.items() if name in layers
            for c in module.CHECKS if only.lower() in (c["spec"] + " " + c["check"]).lower()]
    return sorted(rows, key=lambda c: any(n.startswith("stack/") for n in c["tests"]))


def tell(faults):
    faults = list(faults)
    for fault in faults:
        print(fault)
    return 1 if faults else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/mutation", type=pathlib.Path)
    parser.add_argument("--jobs", default=os.cpu_count(), type=int)
    parser.add_argument("--layer", action="append", choices=LAYERS)
    parser.add_argument("--only", default="")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--commit")
    parser.add_argument("--write", type=pathlib.Path)
    args = parser.parse_args()

    checks = chosen(args.layer or LAYERS, args.only)
    if args.again:
        before = known(args.write)
        checks = [c for c in checks if before.get((c["spec"], c["check"])) in UNNOTICED]
    if args.fit:
        return tell(check_places(ROOT, checks))
    if not checks:
        return tell(["no check has this in its name"])
    build = args.build.resolve()
    workers = [Worker(build / str(i), args.commit) for i in range(min(args.jobs, len(checks)))]
    if tell([*check_places(workers[0].tree, checks), *check_tests(workers[0], checks)]):
        return 1
    red = baseline(workers[0], checks)
    tell(f"red before anything is removed: {n}: {said}" for n, said in red.items())
    sound = [c for c in checks if not tests_of(workers[0], c) & set(red)]

    results, noticed = [], 0
    for result in run_all(workers, sound):
        check, caught, error, seconds = result
        results.append(result)
        noticed += bool(caught)
        print(f"{'caught' if caught else 'ERROR ' if error else 'MISSED'} {seconds:5.0f} s  "
              f"{check['spec']:10} {check['check']}: {caught or error or 'no test notices'}",
              flush=True)
        if args.write:
            args.write.write_text(table(results, known(args.write)), encoding="utf-8")
    print(f"{noticed} of {len(checks)} removed checks were noticed")
    return 0 if noticed == len(checks) else 1


if __name__ == "__main__":
    sys.exit(main())
