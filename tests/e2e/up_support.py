# SPDX-License-Identifier: Apache-2.0
"""`quorate up` for tests: the services are stand-ins (stand_in.py), so that each can be made to fail
as a test needs it; tests/stack runs the real ones."""
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from support import LIMIT, QUORATE, until  # noqa: F401: also for the tests that import this

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(os.path.dirname(HERE), "support"))
from postgres import free_port  # noqa: E402,F401: also for the tests that import this
PROGRAMS = ["account-service", "message-router", "server-party", "server-party-api",
            "session-coordinator"]
NAMES = ["account-service", "message-router", "party-1", "party-2", "party-3", "server-party-api",
         "session-coordinator"]


def read_env(path):
    with open(path, encoding="utf-8") as f:
        return dict(line.rstrip("\n").split("=", 1) for line in f if "=" in line and line[0] != "#")


def children(parent):
    """Pids of the living children of |parent|."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            if int(fields[1]) == parent and fields[0] != "Z":
                found.append(int(pid))
    return found


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Up(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="quorate-up-")
        self.dir = os.path.join(self.root, "data")
        self.services = os.path.join(self.root, "services")
        os.mkdir(self.services)
        for name in PROGRAMS:
            shutil.copy(os.path.join(HERE, "stand_in.py"),
                        os.path.join(self.services, "quorate-" + name))
            os.chmod(os.path.join(self.services, "quorate-" + name), 0o755)
        self.started = []

    def tearDown(self):
        for p in self.started:
            if p.poll() is None:
                p.kill()
            p.wait()
            p.stdout.close()
            p.stderr.close()
        shutil.rmtree(self.root)

    def command(self, *options):
        return [QUORATE, "up", "--dir", self.dir, "--services", self.services, *options]

    def start(self, *options):
        p = subprocess.Popen(self.command("--free-ports", *options), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.started.append(p)
        return p

    def up(self, *options):
        """A running system: its process and what it printed."""
        p = self.start("--json", *options)
        text = ""
        for line in p.stdout:
            text += line
            if line == "}\n":
                break
        else:
            self.fail("ended: " + p.stderr.read())
        return p, json.loads(text)

    def stop(self, p):
        p.send_signal(signal.SIGINT)
        self.assertEqual(p.wait(LIMIT), 0)
        return p.stderr.read()

    def said_until(self, p, text):
        """Lines on stderr up to the one with |text|."""
        said = ""
        while text not in said:
            line = p.stderr.readline()
            self.assertTrue(line, said)
            said += line
        return said

    def refused(self, *options, code=1):
        r = subprocess.run(self.command(*options), stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, timeout=LIMIT, check=False)
        self.assertEqual(r.returncode, code, r.stderr)
        self.assertEqual(r.stdout, "")
        self.assertRegex(r.stderr, "^quorate: ")
        return r.stderr

    def prepare(self, *options):
        r = subprocess.run(self.command("--prepare", *options), capture_output=True, text=True,
                           timeout=LIMIT, check=False)
        self.assertEqual((r.returncode, r.stdout, r.stderr), (0, "", ""))

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def env(self, name):
        return read_env(self.path(name + ".env"))

    def fault(self, name, what):
        with open(self.path(name + ".fault"), "w", encoding="utf-8") as f:
            f.write(what)

    def pids(self, p):
        """{name: pid}"""
        found = {}
        for pid in children(p.pid):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/cmdline", encoding="utf-8") as f:
                    words = f.read().split("\0")
                for w in words:
                    if w.endswith(".env"):
                        found[os.path.basename(w)[:-4]] = pid
        return found

    def contents(self):
        """{path: digest} of what must never change."""
        found = {}
        for folder, _, names in os.walk(self.dir):
            for name in names:
                path = os.path.join(folder, name)
                if not path.endswith((".log", "lock", ".asked")):
                    with open(path, "rb") as f:
                        found[path] = hashlib.sha256(f.read()).hexdigest()
        return found
