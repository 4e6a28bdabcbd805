# SPDX-License-Identifier: Apache-2.0
"""A system of deploy.sh for tests: a place with an .env of its own, where nothing is shared with
another system of this machine."""
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile

QUORATE = os.environ["QUORATE"]
BUILD = os.path.dirname(os.path.dirname(QUORATE))
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIMIT = 600  # seconds: nothing may hang, however loaded the machine is
SERVICES = ["account-service", "message-router", "party-1", "party-2", "party-3",
            "server-party-api", "session-coordinator"]
SERVERS = ["postgres", "redis", "rabbitmq"]
HASH = "5c" * 32

sys.path.append(os.path.join(SOURCE, "tests", "support"))
from postgres import free_port  # noqa: E402


def free_ports(n):
    """None that the kernel gives to a connection meanwhile, and none twice."""
    ports = set()
    while len(ports) < n:
        ports.add(free_port())
    return list(ports)


def three_ports():
    """RabbitMQ takes the two after its own as well."""
    while True:
        port = free_port()
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for i in range(3):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port + i))
            return port


class Place:
    """Directories and an .env of a system's own."""
    mode, limit, build = "native", LIMIT, BUILD

    def __init__(self):
        self.top = tempfile.mkdtemp(prefix="quorate-deploy-")
        os.chmod(self.top, 0o711)  # the servers' user passes through
        self.data = os.path.join(self.top, "data")
        self.infra = os.path.join(self.top, "infra")
        self.env_file = os.path.join(self.top, ".env")
        postgres, redis = free_ports(2)
        self.settings = {
            "JWT_SECRET_KEY": os.urandom(20).hex(), "MPC_API_KEY": os.urandom(16).hex(),
            "ALLOWED_IPS": "127.0.0.1,::1", "CRYPTO_MASTER_KEY": os.urandom(32).hex(),
            "POSTGRES_PASSWORD": os.urandom(12).hex(), "RABBITMQ_PASSWORD": os.urandom(12).hex(),
            "REDIS_PASSWORD": os.urandom(12).hex(), "POSTGRES_PORT": postgres,
            "REDIS_PORT": redis, "RABBITMQ_PORT": three_ports(), "SIGN_WAIT_S": 60}
        self.write()
        self.ran = set()

    def write(self, **changes):
        with open(self.env_file, "w", encoding="utf-8") as f:
            f.writelines(f"{k}={v}\n" for k, v in {**self.settings, **changes}.items()
                         if v is not None)
        os.chmod(self.env_file, 0o600)

    def environment(self):
        keep = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "ASAN_OPTIONS",
                                                             "UBSAN_OPTIONS")}
        return {**keep, "BUILD": self.build, "DEPLOY_MODE": self.mode, "DEPLOY_DIR": self.data,
                "DEPLOY_INFRA_DIR": self.infra, "DEPLOY_ENV_FILE": self.env_file,
                "DEPLOY_PORTS": "free", "SHELL": "/bin/sh"}

    def run(self, *words, text=""):
        """(exit code, stdout, stderr); files, since what is started lives on."""
        self.ran.add(words[0] if words[0] not in ("infra", "mpc") else " ".join(words[:2]))
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            done = subprocess.run([os.path.join(SOURCE, "deploy.sh"), *words], input=text,
                                  text=True, stdout=out, stderr=err, env=self.environment(),
                                  timeout=self.limit, check=False)
            out.seek(0)
            err.seek(0)
            return done.returncode, out.read(), err.read()

    def backup_key(self, name):
        """(file, recipient)"""
        path = os.path.join(self.top, name)
        p = subprocess.run([QUORATE, "backup", "key", "--out", path, "--json"], check=True,
                           capture_output=True, text=True)
        return path, json.loads(p.stdout)["recipient"]

    def processes(self):
        """Of everything that was started here."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    if self.top.encode() in f.read():
                        found.append(int(pid))
        return found

    def remove(self):
        self.run("clean", "--yes")
        for name in os.listdir(self.top):  # what clean left because it failed
            for f in ("up", *SERVERS, "epmd"):
                with contextlib.suppress(OSError, ValueError):
                    with open(os.path.join(self.top, name, f + ".pid"), encoding="ascii") as pid:
                        os.kill(int(pid.read()), 9)
        shutil.rmtree(self.top, ignore_errors=True)


def another_secret_is_refused(case):
    """Than that with which the system runs, in one line. A Redis of ours takes another password when
    it starts again."""
    restart, services = ("restart",), ("mpc", "restart")
    for name, value, told, commands in (
            ("POSTGRES_PASSWORD", "another", "the database's owner cannot log in: POSTGRES_PASSWORD",
             (restart, services)),
            ("RABBITMQ_PASSWORD", "another", "RabbitMQ refused the login of user mpc_user; see "
             "RABBITMQ_USER, RABBITMQ_PASSWORD", (restart, services)),
            ("REDIS_PASSWORD", "another", "REDIS_PASSWORD", (services,)),
            ("CRYPTO_MASTER_KEY", "ab" * 32, f"CRYPTO_MASTER_KEY in {case.place.env_file} is not the "
             "key that the shares of party-", (restart, services))):
        case.place.write(**{name: value})
        for words in commands:
            code, _, err = case.place.run(*words)
            case.assertEqual((code, err.count("\n")), (1, 1), err)
            case.assertIn(told, err)
            case.assertNotIn(value, err)
    case.place.write()


def installed():
    return all(map(shutil.which, ("redis-server", "epmd", "setpriv"))) and \
        os.path.isdir("/usr/lib/postgresql") and \
        os.path.exists("/usr/lib/rabbitmq/bin/rabbitmq-server")
