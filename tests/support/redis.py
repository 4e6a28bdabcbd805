# SPDX-License-Identifier: Apache-2.0
"""A Redis server for tests: real, of an ordinary user, in a directory of its own, on loopback, with
a password, in memory only."""
import os
import pwd
import secrets
import select
import shutil
import signal
import socket
import subprocess
import tempfile

from postgres import drop_root, free_port


def program():
    return shutil.which("redis-server")


class Server:
    def __init__(self, password=None):
        if not program():
            raise FileNotFoundError("no Redis server is installed")
        self.dir = tempfile.mkdtemp(prefix="quorate-redis-")
        self.port = free_port()
        self.password = secrets.token_hex(12) if password is None else password
        self.file = os.path.join(self.dir, "redis.conf")
        with open(self.file, "w", encoding="ascii") as f:
            f.write(f'bind 127.0.0.1\nport {self.port}\ndir {self.dir}\nsave ""\nappendonly no\n')
            if self.password:
                f.write(f"requirepass {self.password}\n")
        if os.geteuid() == 0:
            who = pwd.getpwnam("nobody")
            for path in (self.dir, self.file):
                os.chown(path, who.pw_uid, who.pw_gid)
        self.process = None
        try:
            self.start()
        except BaseException:
            self.remove()
            raise

    def start(self):
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen([program(), self.file], cwd=self.dir, stdout=log,
                                            stdin=subprocess.DEVNULL, stderr=log, **drop_root())
        while not self.answers():
            if self.process.poll() is not None:
                with open(os.path.join(self.dir, "log"), encoding="utf-8") as log:
                    raise RuntimeError("Redis does not start: " + log.read()[-2000:])
            select.select([], [], [], 0.01)  # between two looks

    def answers(self):
        try:
            return self.ask("PING") == "PONG"
        except OSError:
            return False

    def ask(self, *words):
        """One command; a line, a number, a value or a list of them; None for nothing."""
        with socket.create_connection(("127.0.0.1", self.port), 60) as s, s.makefile("rb") as lines:
            if self.password:
                self._send(s, "AUTH", self.password)
                self._read(lines)
            self._send(s, *words)
            return self._read(lines)

    @staticmethod
    def _send(s, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))

    def _read(self, lines):
        line = lines.readline()
        if not line:
            raise ConnectionError("Redis closed the connection")
        kind, text = line[:1], line[1:].strip()
        if kind == b"-":
            raise RuntimeError(text.decode())
        if kind == b"+":
            return text.decode()
        if kind == b":":
            return int(text)
        if kind == b"*":
            return [self._read(lines) for _ in range(int(text))]
        return None if text == b"-1" else lines.read(int(text) + 2)[:-2].decode()

    def info(self, name):
        for line in self.ask("INFO").splitlines():
            if line.startswith(name + ":"):
                return int(line.split(":")[1])
        raise KeyError(name)

    def send(self, sig):
        self.process.send_signal(sig)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def remove(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()
