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
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
import uuid

QUORATE = os.environ["QUORATE"]
HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
# Set by tests/support/postgres.py: every system keeps its rows at that server.
POSTGRES = os.environ.get("DB_TEST_URL")
# Set by tests/support/servers.py as well: variables of those that use Redis, and of the router.
REDIS = json.loads(os.environ.get("STACK_REDIS", "{}"))
RABBITMQ = json.loads(os.environ.get("STACK_RABBITMQ", "{}"))
LONG = "STACK_LONG" in os.environ  # the tests of the suite "long", too
LIMIT = int(os.environ.get("STACK_LIMIT", "300"))  # seconds: nothing may hang, however loaded the machine is
HASH = "11" * 32
os.umask(0o077)  # env files that tests write have secrets

sys.path += [HERE, os.path.join(SOURCE, "tests", "interop")]
import openapi  # noqa: E402
from npm import MODULES, install_npm  # noqa: E402,F401: also for the tests that import this

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


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        return f.read().rsplit(")", 1)[1].split()[0]


@contextlib.contextmanager
def standing(*pids):
    """These processes stand still."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        for pid in pids:
            until(lambda pid=pid: state_of(pid) == "T")
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def quorate(*words, code=0):
    """What a command said: its JSON, or with another exit code its one line."""
    p = subprocess.run([QUORATE, *words], capture_output=True, text=True, timeout=LIMIT,
                       stdin=subprocess.DEVNULL, check=False)
    assert p.returncode == code, (words, p.returncode, p.stdout, p.stderr)
    return json.loads(p.stdout) if code == 0 else p.stderr


class Stack:
    """One `quorate up`. |edit| is called with the directory after the files were made and before
    anything runs."""
    program = QUORATE

    def __init__(self, edit=None, parties=3, options=()):
        self.dir = tempfile.mkdtemp(prefix="quorate-stack-")
        self.base = ["up", "--dir", self.dir, "--free-ports", "--parties", str(parties), *options]
        self.process = None
        if edit or POSTGRES:
            subprocess.run([self.program, *self.base, "--prepare"], check=True, capture_output=True)
        if POSTGRES:
            use_postgres(self.dir, POSTGRES, os.environ["DB_TEST_PASSWORD"])
        if POSTGRES and REDIS:
            for name in ("account-service", "session-coordinator", "server-party-api"):
                change_env(self.dir, name, **REDIS)
            change_env(self.dir, "message-router", **REDIS, **RABBITMQ)
        if edit:
            edit(self.dir)
        try:
            self.start()
        except BaseException:
            self.remove()
            raise

    def start(self):
        self.errors = open(os.path.join(self.dir, "up.stderr"), "ab+")
        self.process = subprocess.Popen([self.program, *self.base, "--json"], stdin=subprocess.DEVNULL,
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
            faults = self.sanitizer_reports()
        finally:
            self.remove()
        assert code == 0, f"quorate up ended with {code}"
        assert not faults, faults

    def sanitizer_reports(self):
        """What the sanitizers of such a build said of any process."""
        found = ""
        for name in os.listdir(os.path.join(self.dir, "log")):
            text = self.log(name[:-len(".log")]) if name.endswith(".log") else ""
            at = re.search(r"ERROR: \w+Sanitizer|: runtime error: ", text)
            if at:
                found += name + ":\n" + text[max(0, at.start() - 200):at.start() + 3000]
        return found

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
        """Its whole lines: the last one may be half written."""
        with open(os.path.join(self.dir, "log", name + ".log"), encoding="utf-8",
                  errors="replace") as f:
            text = f.read()
        return text[:text.rfind("\n") + 1]

    def env(self, name):
        """The variables of a process's file."""
        return read_env(os.path.join(self.dir, name + ".env"))

    def metrics(self, name):
        """{'name{labels}': value} of a process."""
        port = int(self.env(name)["HTTP_PORT"])
        c = self.connection(f"{urllib.parse.urlsplit(self.url).scheme}://127.0.0.1:{port}")
        c.request("GET", "/metrics")
        text = c.getresponse().read().decode()
        c.close()
        pairs = (line.rsplit(" ", 1) for line in text.splitlines()
                 if line and not line.startswith("#"))
        return {k: float(v) for k, v in pairs}

    # --- what is stored ---

    def rows(self, process, database, sql, *values):
        """Of a process's database, as it is on disk now."""
        env = self.env(process)
        if env.get("POSTGRES_HOST"):
            return rows_at_server(env, sql, values)
        path = os.path.join(env["DATA_DIR"], database)
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True,
                                                timeout=LIMIT)) as db:
            return db.execute(sql, values).fetchall()

    def change(self, process, sql):
        """Run a statement in a process's database, which does not run now. The changed rows."""
        env = self.env(process)
        if env.get("POSTGRES_HOST"):
            return int(psql(env, sql).split()[-1])
        path = env["DATA_DIR"]
        name, = (f for f in os.listdir(path) if f.endswith(".db"))
        with contextlib.closing(sqlite3.connect(os.path.join(path, name))) as db, db:
            return db.execute(sql).rowcount

    def sessions(self, sql="1 = 1", *values):
        return self.rows("session-coordinator", "coordinator.db",
                         "SELECT session_id, type, status, error FROM sessions WHERE " + sql,
                         *values)

    def burned(self):
        """Burned pairs at any party."""
        return [row for name in self.parties()
                for row in self.rows(name, "party.db", "SELECT own, peer FROM tombstones")]

    def parties(self):
        return sorted(f[:-4] for f in os.listdir(self.dir)
                      if f.startswith("party-") and f.endswith(".env"))

    def is_whole(self):
        """Every party is there and the coordinator knows it: whom it does not know it cannot ask."""
        with contextlib.suppress(OSError, http.client.HTTPException, KeyError):
            live = self.metrics("session-coordinator")["quorate_parties_live"]
            return live == len(self.parties()) + 1  # and the delegate
        return False

    # --- the API ---

    def connection(self, url):
        """To any process; https is checked against the authority of `up --tls`."""
        u = urllib.parse.urlsplit(url)
        if u.scheme == "http":
            return http.client.HTTPConnection(u.hostname, u.port, timeout=LIMIT)
        trust = ssl.create_default_context(cafile=os.path.join(self.dir, "tls", "ca.crt"))
        return http.client.HTTPSConnection(u.hostname, u.port, timeout=LIMIT, context=trust)

    def call(self, method, path, body=None, key=True, url=None, headers=None):
        """One request; |body| is an object, bytes or None."""
        c = self.connection(url or self.url)
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
            answer = Answer(r.status, json.loads(text) if text else None, r.headers)
        finally:
            c.close()
        openapi.check(method, path, answer.status, answer.body)
        return answer

    def create(self, **fields):
        r = self.call("POST", "/api/v1/accounts", {"user_id": "u-" + uuid.uuid4().hex, **fields})
        assert r.status == 201, r
        return r.body

    def sign(self, account_id, message=HASH, **fields):
        return self.call("POST", f"/api/v1/accounts/{account_id}/sign",
                         {"message": message, **fields})

    def service_url(self, name):
        scheme = urllib.parse.urlsplit(self.url).scheme
        return f"{scheme}://127.0.0.1:{self.env(name)['HTTP_PORT']}"

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


def patient(directory):
    """For tests that stop nobody: however slow the machine is, no party counts as gone, no attempt
    as lost and no request as too late."""
    change_env(directory, "message-router", LEASE_MS=120000)
    change_env(directory, "session-coordinator", SIGN_ATTEMPT_MS=120000, KEYGEN_ATTEMPT_MS=120000)
    change_env(directory, "account-service", SIGN_WAIT_S=240, KEYGEN_WAIT_S=240)
    for name in [f[:-4] for f in os.listdir(directory) if f.endswith(".env")]:
        if "POLICY_COMMAND" in read_env(os.path.join(directory, name + ".env")):
            change_env(directory, name, POLICY_TIMEOUT_MS=60000)


def psql(env, sql, *options):
    """As a process's own role, in its schema."""
    done = subprocess.run(
        ["psql", "-X", "-A", "-t", *options, "-v", "ON_ERROR_STOP=1", "-h", env["POSTGRES_HOST"],
         "-p", env["POSTGRES_PORT"], "-U", env["POSTGRES_USER"], "-d", env["POSTGRES_DB"], "-c",
         f"SET search_path = {env['POSTGRES_SCHEMA']}", "-c", sql],
        env=dict(os.environ, PGPASSWORD=env["POSTGRES_PASSWORD"], PGSSLMODE="disable"),
        check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows_at_server(env, sql, values):
    """Values of any kind come by way of JSON, bytes as hex behind \\x."""
    for value in values:
        sql = sql.replace("?", "'" + str(value).replace("'", "''") + "'", 1)
    text = psql(env, f"SELECT coalesce(json_agg(row_to_json(a_row)), '[]') FROM ({sql}) a_row", "-q")

    def plain(value):
        is_hex = isinstance(value, str) and re.fullmatch(r"\\x(?:[0-9a-f]{2})*", value)
        return bytes.fromhex(value[2:]) if is_hex else value
    return [tuple(map(plain, row.values())) for row in json.loads(text)]


def use_postgres(directory, url, password):
    """Give each process that has a database a role and a schema of its own at the server, as an
    operator would, and name them in its file."""
    server = dict(word.split("=", 1) for word in url.split(":", 1)[1].split())
    token = uuid.uuid4().hex[:8]
    owner = os.path.join(directory, "owner.password")
    with open(owner, "w", encoding="ascii") as f:
        f.write(password + "\n")
    for name in sorted(n[:-4] for n in os.listdir(directory) if n.endswith(".env")):
        if "DATA_DIR" not in read_env(os.path.join(directory, name + ".env")):
            continue
        role, secret = f"t{token}_{name.replace('-', '_')}", uuid.uuid4().hex
        words = os.path.join(directory, name + ".password")
        with open(words, "w", encoding="ascii") as f:
            f.write(secret)
        subprocess.run([QUORATE, "db", "init", "--host", server["host"], "--port", server["port"],
                        "--database", server["dbname"], "--owner", server["user"],
                        "--owner-password-file", owner, "--role", role, "--password-file", words,
                        "--plain"], check=True, capture_output=True)
        change_env(directory, name, POSTGRES_HOST=server["host"], POSTGRES_PORT=server["port"],
                   POSTGRES_DB=server["dbname"], POSTGRES_USER=role, POSTGRES_PASSWORD=secret,
                   POSTGRES_SCHEMA=role, POSTGRES_TLS="off", RETRY_DELAY_MS=20)


def curl(stack, method, path, *args, body=None, key=True):
    """The same through curl, as the contract is tested: (status, object or text)."""
    words = ["curl", "-sS", "-m", str(LIMIT), "-X", method, "-w", "\n%{http_code}"]
    if key:
        words += ["-H", "X-API-Key: " + (stack.key if key is True else key)]
    if body is not None:
        words += ["-H", "Content-Type: application/json", "--data-binary", "@-"]
    text = body if isinstance(body, str) or body is None else json.dumps(body)
    p = subprocess.run([*words, *args, stack.url + path if path.startswith("/") else path],
                       input=text or "", capture_output=True, text=True, timeout=LIMIT, check=False)
    assert p.returncode == 0, p.stderr
    text, status = p.stdout.rsplit("\n", 1)
    with contextlib.suppress(ValueError):
        text = json.loads(text)
    openapi.check(method, path, int(status), text)
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


def mounts_command():
    """The command that gives a test mounts of its own; None: not allowed here."""
    words = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    with contextlib.suppress(OSError):
        if subprocess.run([*words, "mount", "-t", "tmpfs", "none", "/mnt"], check=False,
                          capture_output=True).returncode == 0:
            return words
    return None


def main_with_mounts():
    """unittest.main in a mount namespace that ends with the test; skipped where that is not
    allowed."""
    inside = "QUORATE_MOUNTS"
    if inside in os.environ:
        unittest.main()
    command = mounts_command()
    if not command:
        print("mounts are not allowed here")
        sys.exit(77)
    os.environ[inside] = "1"
    os.execvp(command[0], [*command, sys.executable, *sys.argv])


SPKI = "3036301006072a8648ce3d020106052b8104000a032200"  # secp256k1, a compressed point follows
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def signature_is_valid(answer):
    """An independent check: by OpenSSL."""
    sig = answer["signature"]
    s = int(sig["s"], 16)
    if (sig["compact"] != sig["r"] + sig["s"] or not 0 < s <= ORDER // 2 or
            not re.fullmatch("[0-9a-f]{128}", sig["compact"])):
        return False
    with tempfile.TemporaryDirectory() as place:
        paths = [os.path.join(place, name) for name in ("key", "signature", "hash")]
        for path, text in zip(paths, (SPKI + answer["public_key"], sig["der"],
                                      answer["message_hash"])):
            with open(path, "wb") as f:
                f.write(bytes.fromhex(text))
        p = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey",
                            paths[0], "-sigfile", paths[1], "-in", paths[2]],
                           capture_output=True, timeout=LIMIT, check=False)
    return p.returncode == 0


class Proxy:
    """proxy.mjs before the router or the coordinator (|which|) of a prepared directory, where the
    parties, or those in |callers|, find it instead."""
    names = {"router": ("message-router", "ROUTER_ADDR"),
             "coordinator": ("session-coordinator", "COORDINATOR_ADDR")}

    def __init__(self, which, directory, callers=()):
        process, variable = self.names[which]
        self.process = subprocess.Popen(
            ["node", os.path.join(HERE, "proxy.mjs"), MODULES,
             os.path.join(SOURCE, "proto"), which, os.path.join(directory, process + ".env")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ports = json.loads(self.process.stdout.readline())
        self.control = ports["control"]
        for name in [f[:-4] for f in os.listdir(directory) if f.endswith(".env")]:
            if name in callers or (not callers and
                                   (name.startswith("party-") or name == "server-party-api")):
                change_env(directory, name, **{variable: f"127.0.0.1:{ports['grpc']}"})

    def ask(self, method, path, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.control, timeout=LIMIT)
        try:
            c.request(method, path, json.dumps(body) if body is not None else None)
            r = c.getresponse()
            assert r.status == 200, r.status
            return json.loads(r.read())
        finally:
            c.close()

    def rules(self, *rules, seed=1):
        self.ask("POST", "/rules", {"rules": rules, "seed": seed})

    def held(self, n=0):
        """What is held, once it is |n| or more."""
        return self.ask("GET", f"/held?n={n}")

    def release(self, reverse=False):
        """Let go what is held and hold nothing more."""
        self.rules()
        self.ask("POST", "/release", {"reverse": reverse})

    def cut(self):
        self.ask("POST", "/cut", {})

    def seen(self):
        return self.ask("GET", "/seen")

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(LIMIT)


class Request(threading.Thread):
    """Something that takes its time, begun now; get() waits for its result."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.result, self.fault = work, None, None
        self.start()

    def run(self):
        try:
            self.result = self.work()
        except BaseException as e:  # told by get
            self.fault = e

    def get(self):
        self.join(LIMIT)
        assert not self.is_alive(), "a request has not ended"
        if self.fault:
            raise self.fault
        return self.result


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
