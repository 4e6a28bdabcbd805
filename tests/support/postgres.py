#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server for tests: real, of an ordinary user, in a directory of its own, on loopback.

usage: postgres.py COMMAND [ARGUMENT ...]

Starts a server, runs COMMAND with DB_TEST_URL and DB_TEST_PASSWORD set (tests/support/db_place.h
says what they mean), stops the server and removes it. Exits as COMMAND did; 77, which is "skipped",
where no server is installed.

As a module: Server. PostgreSQL refuses to run as root; then everything of it belongs to `nobody`.
"""
import contextlib
import ctypes
import glob
import os
import pwd
import random
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

USER, DATABASE = "mpc_user", "mpc_system"
PORTS = (2000, 4000)
taken = []  # names of the ports of this process
SETTINGS = ["listen_addresses=127.0.0.1", "max_connections=200", "log_min_messages=warning",
            "deadlock_timeout=200ms"]


def programs():
    """The newest installed server's directory of programs, or None."""
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb") + glob.glob("/usr/local/pgsql/bin/initdb")
    return os.path.dirname(max(found)) if found else None


def drop_root():
    """What subprocess needs to run a program as an ordinary user."""
    if os.geteuid() != 0:
        return {}
    who = pwd.getpwnam("nobody")
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}


def end_with_parent():
    """A test that is killed leaves no server."""
    ctypes.CDLL(None).prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG


def free_port():
    """This process's until it ends: a server may take long to listen, or stop and listen again. It
    is none that `quorate up` chooses or that the kernel gives to connections, which begin higher,
    and other tests see by a name that it is taken."""
    while True:
        port = random.randrange(*PORTS)
        name = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError), socket.socket() as s:
            name.bind(f"\0quorate-test-port-{port}")
            s.bind(("127.0.0.1", port))
            taken.append(name)
            return port
        name.close()


def lives(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class Server:
    def __init__(self, settings=(), port=None, password=None):
        self.bin = programs()
        if not self.bin:
            raise FileNotFoundError("no PostgreSQL server is installed")
        self.dir = tempfile.mkdtemp(prefix="quorate-postgres-")
        self.data = os.path.join(self.dir, "data")
        self.password = password or secrets.token_hex(12)
        self.port = port or free_port()
        self.settings = SETTINGS + list(settings)
        self.process = None
        try:
            self._make()
            self.start()
            self.sql(f"CREATE DATABASE {DATABASE}", "postgres")
        except BaseException:
            self.remove()
            raise

    def _make(self):
        words = os.path.join(self.dir, "password")
        with open(words, "w", encoding="ascii") as f:
            f.write(self.password + "\n")
        if os.geteuid() == 0:
            who = pwd.getpwnam("nobody")
            for path in (self.dir, words):
                os.chown(path, who.pw_uid, who.pw_gid)
        self._run("initdb", "-D", self.data, "-A", "scram-sha-256", "-U", USER, f"--pwfile={words}",
                  "-E", "UTF8", "--locale=C", "--data-checksums", "--no-sync")

    def _run(self, program, *args):
        done = subprocess.run([os.path.join(self.bin, program), *args], cwd=self.dir, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, **drop_root())
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stdout.decode(errors='replace')}{self.log()}")
        return done.stdout.decode()

    def log(self):
        try:
            with open(os.path.join(self.dir, "log"), encoding="utf-8", errors="replace") as f:
                return f.read()[-2000:]
        except FileNotFoundError:
            return ""

    def start(self):
        """A child of this process, so that a killed one leaves nothing behind."""
        words = [os.path.join(self.bin, "postgres"), "-D", self.data, "-p", str(self.port), "-c",
                 f"unix_socket_directories={self.dir}"]
        for setting in self.settings:
            words += ["-c", setting]
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen(words, cwd=self.dir, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, preexec_fn=end_with_parent,
                                            **drop_root())
        while not self.answers():
            if self.process.poll() is not None:
                raise RuntimeError("PostgreSQL does not start: " + self.log())
            select.select([], [], [], 0.01)  # between two looks

    def answers(self):
        asked = subprocess.run([os.path.join(self.bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p",
                                str(self.port)], check=False)
        return asked.returncode == 0

    def stop(self, how=signal.SIGINT):
        """SIGINT ends sessions at once and closes in order; SIGQUIT leaves that to the next start."""
        self.process.send_signal(how)
        self.process.wait()

    def children(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
                    if int(f.read().rsplit(")", 1)[1].split()[1]) == self.process.pid:
                        found.append(int(pid))
            except OSError:
                pass
        return found

    def kill(self):
        """All at once, as if the machine had lost its power, but for what the kernel still has."""
        if not self.process or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGSTOP)  # no more children
        doomed = self.children()
        for pid in [self.process.pid] + doomed:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        while any(map(lives, doomed)):
            select.select([], [], [], 0.005)  # between two looks

    def url(self, database=DATABASE, user=USER):
        return (f"postgres:host=127.0.0.1 port={self.port} dbname={database} user={user}"
                " sslmode=disable")

    def sql(self, text, database=DATABASE, user=USER, password=None):
        """What psql prints of it, without decoration. Raises RuntimeError with the server's words."""
        env = dict(os.environ, PGPASSWORD=password or self.password, PGSSLMODE="disable")
        done = subprocess.run(
            [os.path.join(self.bin, "psql"), "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h",
             "127.0.0.1", "-p", str(self.port), "-U", user, "-d", database, "-c", text],
            env=env, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        return done.stdout.strip()

    def client(self, program, *args, **options):
        """One of PostgreSQL's own programs, as the owner; what it wrote, in bytes."""
        env = dict(os.environ, PGPASSWORD=self.password, PGSSLMODE="disable")
        done = subprocess.run([os.path.join(self.bin, program), "-h", "127.0.0.1", "-p",
                               str(self.port), "-U", USER, *args],
                              env=env, check=False, capture_output=True, **options)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.decode(errors="replace").strip())
        return done.stdout

    def env(self):
        """For programs that use tests/support/db_place.h."""
        return dict(os.environ, DB_TEST_URL=self.url(), DB_TEST_PASSWORD=self.password)

    def remove(self):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()


def main():
    try:
        server = Server()
    except FileNotFoundError as e:
        print(e, file=sys.stderr)
        return 77
    with server:
        return subprocess.run(sys.argv[1:], env=server.env(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
