# SPDX-License-Identifier: Apache-2.0
"""The one way in which commands of documents are run: every fenced `sh` block of a page, in order,
in one bash (-eu, pipefail), so that variables and the directory go on from block to block.

The place is a fresh directory as its reader has it: `quorate` is on the path and at
build/cli/quorate, examples/ and the tree's other files are there. `quorate up` takes free ports
there, so that pages run side by side; a page reads URL and key from quorate-data/client.json.

A fence of two words, `sh terminal`, is what a reader leaves running in another terminal: the next
block begins when it has said "ready", and at the page's end it gets Ctrl-C and must end with 0.

    page = Page("docs/keys.md")
    page.run(place, heading="Changing the wrapping key", env={"PARTY": url})
    page.all_ran()

table.py says of each page how it is run; test_list.py that nothing is left out."""
import collections
import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import textwrap
import time

QUORATE = os.environ.get("QUORATE", "")
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIMIT = 600  # seconds: nothing may hang, however loaded the machine is
TREE = ("deploy", "deploy.sh", "docs", "proto", ".env.example", ".env.prod.example")

Block = collections.namedtuple("Block", "page line words heading text")
FENCE = re.compile(r"^(?P<indent> *)```(?P<words>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S)


def read(page):
    with open(os.path.join(SOURCE, page), encoding="utf-8") as f:
        return f.read()


def fences(page):
    """All fenced blocks of a page."""
    text = read(page)
    for found in FENCE.finditer(text):
        before = text[:found.start()]
        headings = re.findall(r"^#+ (.*)$", re.sub(FENCE, "", before), re.M)
        yield Block(page, before.count("\n") + 1, found["words"].split(), headings[-1:] and
                    headings[-1], textwrap.dedent(found["text"]))


def commands(page):
    """Those that are run."""
    return [b for b in fences(page) if b.words[:1] == ["sh"]]


def until(what, limit=LIMIT):
    end = time.monotonic() + limit
    while not what():
        if time.monotonic() > end:
            raise AssertionError("waited in vain for " + what.__name__)
        select.select([], [], [], 0.02)  # between two looks


class Place:
    """A fresh directory to run a page in, or |top|, which is the caller's. |own| are variables for
    its commands."""

    def __init__(self, top=None, own=None):
        self.dir = top or tempfile.mkdtemp(prefix="quorate-page-")
        self.is_own = top is None
        os.makedirs(self.path("build", "cli"))
        self.program("build/cli/quorate", f"""
            # Free ports, unless the reader has said something of ports.
            case "$*" in
            up*--port-base*) ;;
            up|up\\ *) shift; set -- up --free-ports "$@" ;;
            esac
            exec {QUORATE} "$@"
            """)
        for name in TREE:
            if not os.path.exists(self.path(name)):
                os.symlink(os.path.join(SOURCE, name), self.path(name))
        shutil.copytree(os.path.join(SOURCE, "examples"), self.path("examples"),
                        ignore=shutil.ignore_patterns("node_modules"))
        self.env = {**os.environ, "PATH": self.path("build/cli") + ":" + os.environ["PATH"],
                    **(own or {})}
        self.terminals, self.ends = [], []

    def at_end(self, what):
        """Called when the page is over, the last one first."""
        self.ends.append(what)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def program(self, name, text):
        """A shell script of the place, as |name| under its directory."""
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\n" + textwrap.dedent(text).strip() + "\n")
        os.chmod(self.path(name), 0o755)

    def terminal(self, text, what="a terminal"):
        """Start what goes on, until it says that it is ready."""
        log = self.path(f"terminal-{len(self.terminals) + 1}.log")
        with open(log, "wb") as f:
            process = subprocess.Popen(["bash", "-eu", "-c", "exec " + text.strip()], cwd=self.dir,
                                       env=self.env, stdin=subprocess.DEVNULL, stdout=f, stderr=f)
        self.terminals.append((process, what, log))

        def ready():
            with open(log, encoding="utf-8", errors="replace") as f:
                said = f.read()
            if process.poll() is not None:
                self.terminals.pop()
                raise AssertionError(f"{what} ended with {process.returncode}:\n{said[-4000:]}")
            return "ready" in said
        until(ready)

    def close(self):
        """What was asked for, and Ctrl-C in every terminal; then the directory goes."""
        faults = []
        for end in reversed(self.ends):
            end()
        for process, what, log in reversed(self.terminals):
            process.send_signal(signal.SIGINT)
            try:
                code = process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                code = "a hang"
            if code != 0:
                with open(log, encoding="utf-8", errors="replace") as f:
                    faults.append(f"{what} ended with {code}:\n{f.read()[-4000:]}")
        if self.is_own:
            shutil.rmtree(self.dir, ignore_errors=True)
        assert not faults, "\n".join(faults)


class Shell:
    """One bash that takes block after block."""

    def __init__(self, place, env):
        self.place, self.n = place, 0
        self.done, told = os.pipe()
        self.out = open(place.path(".output"), "wb+")
        self.bash = subprocess.Popen(["bash", "-eu", "-o", "pipefail"], cwd=place.dir,
                                     env={**place.env, **env, "DONE": str(told)},
                                     stdin=subprocess.PIPE, stdout=self.out, stderr=self.out,
                                     pass_fds=[told], start_new_session=True)
        os.close(told)

    def run(self, block):
        """What it printed. AssertionError with that and the place in the page if it fails."""
        self.n += 1
        script = self.place.path(f".block-{self.n}.sh")
        with open(script, "w", encoding="utf-8") as f:
            f.write(block.text)
        begin = self.out.seek(0, os.SEEK_END)
        with contextlib.suppress(BrokenPipeError):
            self.bash.stdin.write(f"source {script} < /dev/null\necho >&$DONE\n".encode())
            self.bash.stdin.flush()
        ready, _, _ = select.select([self.done], [], [], LIMIT)
        is_done = ready and os.read(self.done, 1)
        self.out.seek(begin)
        said = self.out.read().decode(errors="replace")
        if not is_done:
            why = f"exit {self.bash.wait(LIMIT)}" if ready else "no end"
            raise AssertionError(f"{block.page}:{block.line}: {why}\n{block.text}\n{said[-4000:]}")
        return said

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.bash.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.bash.pid, signal.SIGKILL)
        self.bash.wait(LIMIT)
        os.close(self.done)
        self.out.close()


class Page:
    """A page's commands, and which of them have run."""

    def __init__(self, name, not_run=()):
        self.name = name
        self.blocks = [b for b in commands(name) if not b.text.startswith(tuple(not_run))]
        self.ran = set()

    def of(self, heading=None):
        """The blocks under a heading, which count as run: for who runs them one by one."""
        found = [b for b in self.blocks if heading in (None, b.heading)]
        assert found, f"{self.name} has no commands under {heading!r}"
        self.ran.update(b.line for b in found)
        return found

    def run(self, place, heading=None, env=None):
        """All blocks, or those under one heading, in order; what each printed."""
        shell, said = Shell(place, env or {}), []
        try:
            for block in self.of(heading):
                if "terminal" in block.words:
                    place.terminal(block.text, f"{block.page}:{block.line}")
                    said.append("")
                else:
                    said.append(shell.run(block))
        finally:
            shell.close()
        return said

    def all_ran(self):
        left = [f"{b.page}:{b.line}" for b in self.blocks if b.line not in self.ran]
        assert not left, "nothing runs " + ", ".join(left)
