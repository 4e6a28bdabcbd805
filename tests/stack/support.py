# SPDX-License-Identifier: Apache-2.0
"""A whole system on this machine for tests: `quorate up` in a fresh directory, on free ports.

Nothing here sleeps as a way to get an order: tests wait for answers, for lines of logs, for the end
of processes, always with a limit that only a hang reaches.
"""
import base64
import collections
import contextlib
import http.client
import json
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
import uuid

QUORATE = os.environ["QUORATE"]
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIMIT = 300  # seconds: nothing may hang, however loaded the machine is
HASH = "11" * 32

Answer = collections.namedtuple("Answer", "status body headers")


def until(what, limit=LIMIT):
    """Ask |what| until it gives something true, which is returned."""
    end = time.monotonic() + limit
    pause = 0.005
    while True:
        got = what()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError("waited in vain for " + getattr(what, "__name__", "a condition"))
        select.select([], [], [], pause)  # between two looks, not instead of one
        pause = min(pause * 1.5, 0.1)


class Stack:
    """One `quorate up`. |edit| is called with the directory after the files were made and before
    anything runs."""

    def __init__(self, edit=None, parties=3, options=()):
        self.dir = tempfile.mkdtemp(prefix="quorate-stack-")
        self.base = ["up", "--dir", self.dir, "--free-ports", "--parties", str(parties), *options]
        self.process = None
        if edit:
            subprocess.run([QUORATE, *self.base, "--prepare"], check=True, capture_output=True)
            edit(self.dir)
        try:
            self.start()
        except BaseException:
            self.remove()
            raise

    def start(self):
        self.errors = open(os.path.join(self.dir, "up.stderr"), "ab+")
        self.process = subprocess.Popen([QUORATE, *self.base, "--json"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.errors)
        line = self._first_object()
        self.url, self.key = line["url"], line["api_key"]

    def _first_object(self):
        text = ""
        for line in self.process.stdout:
            text += line.decode()
            with contextlib.suppress(ValueError):
                return json.loads(text)
        self.process.wait(LIMIT)
        self.errors.seek(0)
        raise AssertionError("quorate up ended:\n" + self.errors.read().decode()[-4000:])

    def stop(self):
        """Orderly, as a person would: Ctrl-C. The exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(LIMIT)
        self.process.stdout.close()
        self.errors.close()
        self.process = None
        return code

    def remove(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait(LIMIT)
            self.process = None
        shutil.rmtree(self.dir, ignore_errors=True)

    def close(self):
        try:
            code = self.stop()
        finally:
            self.remove()
        assert code == 0, f"quorate up ended with {code}"

    # --- processes ---

    def processes(self):
        """{name: [pid, ...]} of everything below `up`; a party's keeper is NAME/keeper."""
        children = collections.defaultdict(list)
        words = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError, IndexError):
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
                    fields = f.read().rsplit(")", 1)[1].split()
                if fields[0] == "Z":
                    continue
                children[int(fields[1])].append(int(pid))
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words[int(pid)] = f.read().decode(errors="replace").split("\0")
        found = collections.defaultdict(list)
        todo = [self.process.pid]
        while todo:
            for pid in children[todo.pop()]:
                todo.append(pid)
                name = self._name_of(words.get(pid, []))
                if name:
                    found[name].append(pid)
        return dict(found)

    @staticmethod
    def _name_of(words):
        env = [w for w in words if w.endswith(".env")]
        if not env:
            return None
        name = os.path.basename(env[0])[:-len(".env")]
        for role in ("keeper", "policy"):
            if "--" + role in words:
                return f"{name}/{role}"
        return name

    def pid(self, name):
        return until(lambda: self.processes().get(name), LIMIT)[0]

    def kill(self, name, sig=signal.SIGKILL):
        pid = self.pid(name)
        os.kill(pid, sig)
        return pid

    def restarted(self, name, old):
        """Until |name| runs again under another pid."""
        return until(lambda: [p for p in self.processes().get(name, []) if p != old])[0]

    def log(self, name):
        with open(os.path.join(self.dir, "log", name + ".log"), encoding="utf-8",
                  errors="replace") as f:
            return f.read()

    def env(self, name):
        """The variables of a process's file."""
        return read_env(os.path.join(self.dir, name + ".env"))

    def metrics(self, name):
        """{'name{labels}': value} of a process."""
        port = int(self.env(name)["HTTP_PORT"])
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
        c.request("GET", "/metrics")
        text = c.getresponse().read().decode()
        c.close()
        pairs = (line.rsplit(" ", 1) for line in text.splitlines()
                 if line and not line.startswith("#"))
        return {k: float(v) for k, v in pairs}

    # --- the API ---

    def call(self, method, path, body=None, key=True, url=None, headers=None):
        """One request; |body| is an object, bytes or None."""
        u = urllib.parse.urlsplit(url or self.url)
        c = http.client.HTTPConnection(u.hostname, u.port, timeout=LIMIT)
        h = dict(headers or {})
        if key:
            h["X-API-Key"] = self.key if key is True else key
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            h.setdefault("Content-Type", "application/json")
        try:
            c.request(method, path, body, h)
            r = c.getresponse()
            text = r.read()
            return Answer(r.status, json.loads(text) if text else None, r.headers)
        finally:
            c.close()

    def create(self, **fields):
        r = self.call("POST", "/api/v1/accounts", {"user_id": "u-" + uuid.uuid4().hex, **fields})
        assert r.status == 201, r
        return r.body

    def sign(self, account_id, message=HASH, **fields):
        return self.call("POST", f"/api/v1/accounts/{account_id}/sign",
                         {"message": message, **fields})

    def service_url(self, name):
        return f"http://127.0.0.1:{self.env(name)['HTTP_PORT']}"

    def cli(self, *args):
        p = subprocess.run([QUORATE, *args, "--dir", self.dir], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=LIMIT, check=False)
        return p.returncode, p.stdout, p.stderr


def read_env(path):
    with open(path, encoding="utf-8") as f:
        return dict(line.rstrip("\n").split("=", 1) for line in f
                    if "=" in line and not line.startswith("#"))


def change_env(directory, name, **values):
    """Set variables in a process's file."""
    path = os.path.join(directory, name + ".env")
    env = read_env(path)
    env.update({k: str(v) for k, v in values.items()})
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(f"{k}={v}\n" for k, v in env.items())


def curl(stack, method, path, *args, body=None, key=True):
    """The same through curl, as the contract is tested: (status, object or text)."""
    words = ["curl", "-sS", "-m", str(LIMIT), "-X", method, "-w", "\n%{http_code}"]
    if key:
        words += ["-H", "X-API-Key: " + (stack.key if key is True else key)]
    if body is not None:
        words += ["-H", "Content-Type: application/json", "--data-binary",
                  body if isinstance(body, str) else json.dumps(body)]
    p = subprocess.run([*words, *args, stack.url + path if path.startswith("/") else path],
                       capture_output=True, text=True, timeout=LIMIT, check=False)
    assert p.returncode == 0, p.stderr
    text, status = p.stdout.rsplit("\n", 1)
    try:
        return int(status), json.loads(text)
    except ValueError:
        return int(status), text


def together(n, work):
    """Run work(i) for i < n at the same time; the list of results."""
    results = [None] * n
    faults = []

    def one(i):
        try:
            results[i] = work(i)
        except BaseException as e:  # told by the caller's thread
            faults.append(e)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if faults:
        raise faults[0]
    return results


def signature_is_valid(answer):
    """An independent check, by a library that nobody here wrote."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(),
                                                       bytes.fromhex(answer["public_key"]))
    sig = answer["signature"]
    try:
        key.verify(bytes.fromhex(sig["der"]), bytes.fromhex(answer["message_hash"]),
                   ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    except InvalidSignature:
        return False
    s = int(sig["s"], 16)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    return (sig["compact"] == sig["r"] + sig["s"] and 0 < s <= order // 2 and
            re.fullmatch("[0-9a-f]{128}", sig["compact"]) is not None)


class TestCase(unittest.TestCase):
    def assertError(self, answer, status, text=None):
        """The contract's form of an error."""
        got, body = (answer.status, answer.body) if isinstance(answer, Answer) else answer
        self.assertEqual(got, status, body)
        self.assertIsInstance(body, dict, body)
        self.assertTrue(body.get("error") and body.get("code") and body.get("request_id"), body)
        self.assertLessEqual(set(body), {"error", "code", "request_id", "session_id"})
        if text:
            self.assertIn(text, body["error"])


def b64(text):
    return base64.b64decode(text, validate=True)
