# SPDX-License-Identifier: Apache-2.0
"""deploy.sh with processes of this machine: what an operator types, with the PostgreSQL, Redis and
RabbitMQ of the system's packages. test_deploy_images.py is the same with containers."""
import contextlib
import fcntl
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

QUORATE = os.environ["QUORATE"]
BUILD = os.path.dirname(os.path.dirname(QUORATE))
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIMIT = 300
SERVICES = ["account-service", "message-router", "party-1", "party-2", "party-3",
            "server-party-api", "session-coordinator"]
SERVERS = ["postgres", "redis", "rabbitmq"]
HASH = "5c" * 32


def free_ports(n):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


def three_ports():
    """RabbitMQ takes the two after its own as well."""
    while True:
        port = free_ports(1)[0]
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
             "key that the shares of party-1 are sealed with", (restart, services))):
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


class Refusals(unittest.TestCase):
    """One line, exit code 1, nothing changed."""

    def setUp(self):
        self.place = Place()
        self.addCleanup(self.place.remove)

    def refused(self, *parts, command=("up",)):
        code, out, err = self.place.run(*command)
        self.assertEqual((code, out, err.count("\n")), (1, "", 1), err)
        for part in parts:
            self.assertIn(part, err)
        self.assertEqual(os.listdir(self.place.top), [".env"])

    def test_unknown_variable(self):
        self.place.write(POSTGRES_PASWORD="x")
        self.refused(self.place.env_file, "POSTGRES_PASWORD is not a variable", "POSTGRES_PASSWORD?")

    def test_placeholder_in_production(self):
        self.place.write(MPC_API_KEY="change-me")
        self.refused("MPC_API_KEY", "placeholder")
        self.place.write(POSTGRES_PASSWORD="change-me")
        self.refused("POSTGRES_PASSWORD", "placeholder", command=("infra", "up"))

    def test_missing_and_malformed(self):
        self.place.write(CRYPTO_MASTER_KEY="12")
        self.refused("CRYPTO_MASTER_KEY", "64 hex digits")
        self.place.write(POSTGRES_PASSWORD=None)
        self.refused("POSTGRES_PASSWORD")
        self.place.write(JWT_SECRET_KEY=None)
        self.refused("JWT_SECRET_KEY", command=("mpc", "up"))
        _, recipient = self.place.backup_key("backup.key")
        os.remove(os.path.join(self.place.top, "backup.key"))
        for mistyped in (recipient[3:], recipient[:-1] + ("x" if recipient[-1] != "x" else "y")):
            self.place.write(BACKUP_RECIPIENT=mistyped)
            self.refused("BACKUP_RECIPIENT is not the public text")

    def test_the_production_example_as_it_is(self):
        shutil.copy(os.path.join(SOURCE, ".env.prod.example"), self.place.env_file)
        os.chmod(self.place.env_file, 0o600)
        self.refused("placeholder of .env.example")
        with open(self.place.env_file, encoding="utf-8") as f:
            names = {line.split("=")[0] for line in f if line[0].isupper()}
        # filled in, it is all that a system needs
        self.assertEqual(names, {n for n in self.place.settings
                                 if not n.endswith("_PORT") and n != "SIGN_WAIT_S"})

    def test_no_env_file(self):
        os.remove(self.place.env_file)
        code, _, err = self.place.run("up")
        self.assertEqual(code, 1)
        self.assertIn("copy .env.prod.example", err)
        for words in (["status"], ["health"], ["backup", "file"]):
            code, out, err = self.place.run(*words)
            self.assertEqual((code, out, err.count("\n")), (1, "", 1), err)
            self.assertIn("copy .env.prod.example", err)
        self.assertEqual(os.listdir(self.place.top), [])

    def test_attack_two_commands_at_once(self):
        """Whoever has the directory is alone; what was held by one that was killed is free."""
        os.mkdir(self.place.data)
        with open(os.path.join(self.place.data, "doing"), "w", encoding="ascii") as f:
            f.write("./deploy.sh up (process 1)\n")
        held = os.open(self.place.data, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
        for words in (["up"], ["down"], ["restart"], ["mpc", "up"], ["mpc", "restart"],
                      ["infra", "up"], ["infra", "down"], ["backup", "file"],
                      ["restore", "file", "key"], ["clean", "--yes"]):
            code, out, err = self.place.run(*words)
            self.assertEqual((code, out, err.count("\n")), (1, "", 1), err)
            self.assertIn("./deploy.sh up (process 1) runs: try again", err)
            self.assertEqual(os.listdir(self.place.data), ["doing"])
        self.waits_for(held)
        self.assertEqual(self.place.run("down")[0], 0)
        self.assertEqual(os.listdir(self.place.top), [".env"])

    def waits_for(self, held):
        down = subprocess.Popen([os.path.join(SOURCE, "deploy.sh"), "down"],
                                env={**self.place.environment(), "DEPLOY_WAIT": str(LIMIT)})
        waiting = rf"-> FLOCK .*:{os.fstat(held).st_ino} "
        while down.poll() is None:
            with open("/proc/locks", encoding="ascii") as f:
                if re.search(waiting, f.read()):
                    break
        self.assertIsNone(down.poll())
        os.close(held)
        self.assertEqual(down.wait(LIMIT), 0)

    def test_usage(self):
        for words in (["fly"], ["infra"], ["infra", "sideways"], ["mpc", "build"], ["up", "now"],
                      ["logs", "a", "b"], ["clean", "--no"]):
            code, out, err = self.place.run(*words)
            self.assertEqual((code, out, err.count("\n")), (2, "", 1), words)


@unittest.skipUnless(installed(), "PostgreSQL, Redis and RabbitMQ are not all installed")
class Native(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = Place()
        cls.addClassCleanup(cls.place.remove)

    def done(self, *words, text=""):
        code, out, err = self.place.run(*words, text=text)
        self.assertEqual(code, 0, f"{words}: {out}{err}")
        return out

    def signs(self, account):
        p = subprocess.run([QUORATE, "sign", "--account", account, "--message-hash", HASH, "--dir",
                            self.place.data, "--json"], capture_output=True, text=True,
                           timeout=LIMIT, check=False)
        self.assertEqual(p.returncode, 0, p.stderr)

    def made_account(self):
        out = self.done("test-api")
        return re.search(r"account (\S+)\n\Z", out).group(1)

    def test_the_life_of_a_system(self):
        self.done("infra", "up")
        self.assertRegex(self.done("status"), r"postgres +process")
        self.done("up")
        health = self.done("health")
        for name in SERVERS + SERVICES:
            self.assertRegex(health, rf"(?m)^{name} +healthy$")
        status = self.done("status")
        for name in SERVERS:
            self.assertRegex(status, rf"(?m)^{name} +process \d+$")
        for name in SERVICES:
            self.assertRegex(status, rf"(?m)^{name} +run by process \d+ +https://127")
        self.the_doctor_is_asked()
        account = self.made_account()
        self.keys_have_no_backup()
        self.the_servers_are_used()
        self.nothing_is_open_to_others()
        self.logs_are_shown()
        self.assertEqual(self.done("shell", "party-1", text="pwd; command -v quorate\n").split(),
                         [os.path.join(self.place.data, "party-1"), QUORATE])
        self.done("mpc", "restart")
        self.signs(account)
        self.done("mpc", "down")
        code, out, _ = self.place.run("health")
        self.assertEqual(code, 1)
        self.assertRegex(out, r"(?m)^postgres +healthy$")
        self.assertRegex(out, r"(?m)^party-1 +not healthy: .*does not answer")
        self.a_port_is_taken_and_a_party_ends()
        self.signs(account)
        self.done("restart")
        self.signs(account)
        self.done("down")
        self.assertEqual(self.place.processes(), [])
        self.wrong_password()
        self.done("infra", "down")
        self.done("mpc", "up")  # and what it needs
        self.signs(account)
        self.the_supervisor_is_killed()
        self.signs(account)
        self.one_mode()
        self.a_killed_server()
        self.lost_and_restored(account)
        self.done("mpc", "down")
        self.done("infra", "down")
        self.cleaned()
        self.every_command_of_the_page()

    def a_port_is_taken_and_a_party_ends(self):
        """The port between choice and start, by a program that stands before the command at its first
        start of the services; the party each time."""
        build = os.path.join(self.place.top, "build")
        os.makedirs(os.path.join(build, "cli"))
        self.make_services(os.path.join(build, "services"))
        taken = os.path.join(self.place.top, "taken")
        program = os.path.join(build, "cli", "quorate")
        with open(program, "w", encoding="utf-8") as f:
            f.write("#!/usr/bin/env python3\n"
                    "import os, socket, subprocess, sys\n"
                    f"program = {QUORATE!r}\n"
                    f"if '--services' not in sys.argv or os.path.exists({taken!r}):\n"
                    "    os.execv(program, [program, *sys.argv[1:]])\n"
                    f"open({taken!r}, 'w').close()\n"
                    f"port = {int(self.env_of('account-service')['HTTP_PORT'])}\n"
                    "with socket.create_server(('127.0.0.1', port)):\n"
                    "    sys.exit(subprocess.call([program, *sys.argv[1:]]))\n")
        os.chmod(program, 0o755)
        self.place.build = build
        code, _, err = self.place.run("mpc", "up")
        self.assertEqual(code, 3, err)
        self.assertIn("but not ready: party-3; ./deploy.sh doctor says why", err)
        self.assertNotIn("services are ready", err)
        self.place.build = BUILD
        os.remove(taken)
        shutil.rmtree(build)

    @staticmethod
    def make_services(place):
        """Where the third party ends at once."""
        os.mkdir(place)
        there = os.path.join(BUILD, "services")
        for name in os.listdir(there):
            if name.startswith("quorate-") and name != "quorate-server-party":
                os.symlink(os.path.join(there, name), os.path.join(place, name))
        path = os.path.join(place, "quorate-server-party")
        with open(path, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\ncase $* in\n*--check*) ;;\n*party-3.env*) exit 1 ;;\nesac\n"
                    f"exec {there}/quorate-server-party \"$@\"\n")
        os.chmod(path, 0o755)

    def nothing_is_open_to_others(self):
        """RabbitMQ's port, Erlang's and its helper's, and all others: on loopback alone."""
        port = self.place.settings["RABBITMQ_PORT"]
        wanted = {port, port + 1, port + 2, self.place.settings["POSTGRES_PORT"],
                  self.place.settings["REDIS_PORT"]}
        found = set()
        for table in ("tcp", "tcp6"):
            with open("/proc/net/" + table, encoding="ascii") as f:
                for row in map(str.split, list(f)[1:]):
                    address, number = row[1].split(":")
                    if row[3] == "0A" and int(number, 16) in wanted:
                        found.add(int(number, 16))
                        self.assertIn(address, ("0100007F", "0" * 24 + "01000000"), row)
        self.assertEqual(found, wanted)

    def the_servers_are_used(self):
        """By all that could keep rows in a file instead."""
        for name in SERVICES:
            env = self.env_of(name)
            if "DATA_DIR" not in env:
                continue
            self.assertEqual(env["POSTGRES_PORT"], str(self.place.settings["POSTGRES_PORT"]))
            self.assertEqual([f for f in os.listdir(env["DATA_DIR"]) if f.endswith(".db")], [])
        self.assertEqual(self.env_of("message-router")["RABBITMQ_HOST"], "127.0.0.1")
        self.assertEqual(self.env_of("account-service")["REDIS_HOST"], "127.0.0.1")
        self.assertNotIn("CRYPTO_MASTER_KEY", self.env_of("account-service"))
        self.assertEqual(self.env_of("party-2")["CRYPTO_MASTER_KEY"],
                         self.place.settings["CRYPTO_MASTER_KEY"])

    def the_doctor_is_asked(self):
        """A healthy system, then each server's password, TLS and settings."""
        self.assertRegex(self.done("doctor"), r"\A\d+ checks, 0 findings\n\Z")
        # one process and the server of which something is told, variables, what is told
        for name, text, changes in (
                ("account-service", 'PostgreSQL: .*password authentication failed',
                 {"POSTGRES_PASSWORD": "wrong"}),
                ("party-1", 'PostgreSQL: .*database "none" does not exist', {"POSTGRES_DB": "none"}),
                ("party-1", "the schema mpc_none has no tables", {"POSTGRES_SCHEMA": "mpc_none"}),
                ("account-service", "Redis: WRONGPASS", {"REDIS_PASSWORD": "wrong"}),
                ("message-router", "RabbitMQ refused the login of user mpc_user",
                 {"RABBITMQ_PASSWORD": "wrong"})):
            path = os.path.join(self.place.top, "doctor.env")
            with open(path, "w", encoding="utf-8") as f:
                f.writelines(f"{k}={v}\n" for k, v in {**self.env_of(name), **changes}.items())
            os.chmod(path, 0o600)
            p = subprocess.run([QUORATE, "doctor", "--program", self.program_of(name), "--env",
                                path, "--json"], capture_output=True, text=True, timeout=LIMIT,
                               check=False)
            os.remove(path)
            self.assertEqual((p.returncode, p.stderr), (1, ""), p.stdout)
            told = json.loads(p.stdout)["findings"]
            self.assertEqual(len(told), 1, told)
            self.assertRegex(told[0]["what"], text)
            self.assertNotIn("wrong", told[0]["what"])
        self.servers_that_lose_commits()

    def keys_have_no_backup(self):
        self.doctor_says("party-1, party-2, party-3: of its keys 1 have no verified backup", 1)
        with open(os.path.join(self.place.data, "prometheus", "targets.json"),
                  encoding="utf-8") as f:
            self.assertEqual({t["labels"]["member"] for t in json.load(f)}, set(SERVICES))

    @staticmethod
    def program_of(name):
        return "server-party" if name.startswith("party-") else name

    def servers_that_lose_commits(self):
        place = os.path.join(self.place.infra, "postgres", "data")
        path = os.path.join(place, "postgresql.auto.conf")
        with open(path, encoding="utf-8") as f:
            before = f.read()
        with open(os.path.join(place, "postmaster.pid"), encoding="ascii") as f:
            pid = int(f.readline())
        for settings, told in (("fsync = off\n", "fsync=off"), ("", None)):
            with open(path, "w", encoding="utf-8") as f:
                f.write(before + settings)
            os.kill(pid, signal.SIGHUP)
            self.doctor_says(told or "0 findings", 1 if told else 0)

    def doctor_says(self, text, code):
        """Once what it looks at has got that far."""
        end = time.monotonic() + LIMIT
        got, out, _ = self.place.run("doctor")
        while not re.search(text, out) and time.monotonic() < end:
            got, out, _ = self.place.run("doctor")
        self.assertRegex(out, text)
        self.assertEqual(got, code, out)

    def env_of(self, name):
        with open(os.path.join(self.place.data, name + ".env"), encoding="utf-8") as f:
            return dict(line.rstrip("\n").split("=", 1) for line in f if not line.startswith("#"))

    def logs_are_shown(self):
        self.assertIn("database system is ready", self.done("logs-tail", "postgres"))
        self.assertIn("party-1", self.done("logs-tail", "party-1"))
        every = self.done("logs-tail")
        for name in ("party-3.log", "redis/log", "rabbitmq/log"):
            self.assertIn(name, every)
        self.place.ran.add("logs")
        follower = subprocess.Popen([os.path.join(SOURCE, "deploy.sh"), "logs", "party-2"],
                                    env=self.place.environment(), stdout=subprocess.PIPE, text=True)
        try:
            with open(os.path.join(self.place.data, "log", "party-2.log"), encoding="utf-8") as f:
                self.assertEqual(follower.stdout.readline(), f.readline())
            self.assertIsNone(follower.poll())
        finally:
            follower.kill()
            follower.wait()
            follower.stdout.close()
        self.assertEqual(self.place.run("logs-tail", "nobody")[0], 1)

    def the_supervisor_is_killed(self):
        """As the unit of systemd goes on then."""
        with open(os.path.join(self.place.data, "up.pid"), encoding="ascii") as f:
            os.kill(int(f.read()), signal.SIGKILL)
        self.done("down")
        self.assertEqual(self.place.processes(), [])
        self.done("up")

    def one_mode(self):
        """A system of processes is none of containers, whether an engine answers or not."""
        self.place.mode = "containers"
        try:
            for words in (["status"], ["mpc", "restart"], ["clean", "--yes"]):
                code, out, err = self.place.run(*words)
                self.assertEqual((code, out, err.count("\n")), (1, "", 1), err)
                self.assertIn("was made with DEPLOY_MODE=native and stays so", err)
        finally:
            self.place.mode = "native"

    def a_killed_server(self):
        """Another wrong password is refused before the services stop; a dead one starts again."""
        before = self.done("status")
        another_secret_is_refused(self)
        self.assertEqual(self.done("status"), before)
        with open(os.path.join(self.place.infra, "redis.pid"), encoding="ascii") as f:
            os.kill(int(f.read()), signal.SIGKILL)
        code, _, err = self.place.run("infra", "up")
        self.assertEqual(code, 0, err)
        self.assertNotIn("/proc/", err)
        self.assertRegex(self.done("status"), r"(?m)^redis +process \d+$")

    def wrong_password(self):
        self.place.write(POSTGRES_PASSWORD="another")
        code, _, err = self.place.run("up")
        self.assertEqual(code, 1)
        self.assertIn("POSTGRES_PASSWORD is not the one", err)
        self.place.write(RABBITMQ_PASSWORD="another")
        code, _, err = self.place.run("up")
        self.assertEqual(code, 1)
        self.assertIn("deploy.sh: RabbitMQ refused the login of user mpc_user", err.splitlines()[-1])
        self.assertRegex(self.done("status"), r"(?m)^account-service +stopped")
        self.place.write(REDIS_PASSWORD="another")
        code, _, err = self.place.run("mpc", "up")
        self.assertEqual(code, 0, err)
        self.assertIn("deploy.sh: Redis: WRONGPASS", err)
        self.done("mpc", "down")
        self.place.write()

    def lost_and_restored(self, account):
        """The machine and its disk are gone; .env too. The key and the file were elsewhere."""
        file = os.path.join(self.place.top, "system.qbs")
        code, _, err = self.place.run("backup", file)
        self.assertEqual((code, err.count("\n")), (1, 1), err)
        self.assertIn("BACKUP_RECIPIENT is not set", err)
        key, self.place.settings["BACKUP_RECIPIENT"] = self.place.backup_key("backup.key")
        self.place.settings["BACKUP_DIR"] = os.path.join(self.place.top, "backups")
        self.place.write()
        self.done("mpc", "restart")
        self.parties_back_up()
        code, out, err = self.place.run("backup", file)
        self.assertEqual(code, 0, err)
        signer = self.done("backup-signer").strip()
        self.assertRegex(out, rf"(?m)^signed by +{signer}$")
        self.assertEqual(self.place.run("backup", file)[0], 1)  # nothing is replaced
        code, _, err = self.place.run("restore", file, key)
        self.assertEqual(code, 1)
        self.assertIn("exists: a backup is restored to where nothing is", err)
        self.done("clean", "--yes")
        shutil.move(self.place.env_file, self.place.env_file + ".lost")
        other = self.place.backup_key("other.key")[0]
        for fault, words in (("sealed to another recipient: use that one's key", (file, other)),
                             ("is cut off: take another copy", (self.cut(file), key))):
            code, _, err = self.place.run("restore", *words, "--signed-by", signer)
            self.assertEqual((code, err.count("\n")), (1, 1), err)
            self.assertIn(fault, err)
            self.assertFalse(os.path.exists(self.place.data))
        for words, answer, fault in (([], "\n", "nothing was restored"),
                                     (["--signed"], "", "restore takes --signed-by and"),
                                     ([], "no\n", "--signed-by takes the 64 hex digits"),
                                     (["--signed-by", "0" * 64], "", f"is signed by {signer}")):
            code, _, err = self.place.run("restore", file, key, *words, text=answer)
            self.assertEqual(code, 2 if words == ["--signed"] else 1, err)
            self.assertIn(fault, err)
            self.assertFalse(os.path.exists(self.place.data))
        self.done("restore", file, key, "--accept-age", text=signer + "\n")
        with open(self.place.env_file, encoding="utf-8") as now, \
                open(self.place.env_file + ".lost", encoding="utf-8") as before:
            self.assertEqual(now.read(), before.read())
        self.done("up")
        self.signs(account)
        self.signs(self.made_account())
        for name in ("system.qbs", "cut.qbs", "backup.key", "other.key", ".env.lost"):
            os.remove(os.path.join(self.place.top, name))

    def parties_back_up(self):
        """Below BACKUP_DIR, each in its own directory."""
        end = time.monotonic() + LIMIT
        for name in ("party-1", "party-2", "party-3"):
            place = os.path.join(self.place.settings["BACKUP_DIR"], name)
            while not (os.path.isdir(place) and os.listdir(place)) and time.monotonic() < end:
                select.select([], [], [], 0.1)  # between two looks
            self.assertTrue(os.listdir(place))

    def cut(self, file):
        path = os.path.join(self.place.top, "cut.qbs")
        with open(file, "rb") as whole, open(path, "wb") as part:
            part.write(whole.read()[:-100])
        return path

    def cleaned(self):
        shutil.rmtree(self.place.settings["BACKUP_DIR"])
        code, _, err = self.place.run("clean", text="no\n")
        self.assertEqual(code, 1)
        self.assertIn("nothing was deleted", err)
        self.assertTrue(os.path.exists(os.path.join(self.place.data, "keys")))
        self.done("clean", text="yes\n")
        self.assertEqual(os.listdir(self.place.top), [".env"])
        self.assertEqual(self.place.processes(), [])

    def every_command_of_the_page(self):
        """Those that build are run in the long suite."""
        help_page = self.done("help")
        with open(os.path.join(SOURCE, "docs", "operations.md"), encoding="utf-8") as f:
            named = set(re.findall(r"\./deploy\.sh ((?:infra |mpc )?[a-z-]+)", f.read()))
        self.assertLessEqual(named, self.place.ran | {"build", "build-no-cache"})
        self.assertLessEqual(self.place.ran - named, {"help"})
        for command in named:
            self.assertIn("  " + command.split()[0], help_page)


class Variables(unittest.TestCase):
    """Each variable of a program can be set in .env, or deploy.sh sets it."""
    # of another place: files that an image has, and what only Kubernetes has
    elsewhere = {"POLICY_COMMAND", "PKCS11_MODULE", "PKCS11_PIN_FILE", "KUBERNETES_DIR"}

    def setUp(self):
        self.all = set()
        for name in ("account-service", "session-coordinator", "message-router", "server-party",
                     "server-party-api"):
            p = subprocess.run([os.path.join(BUILD, "services", "quorate-" + name), "--help"],
                               capture_output=True, text=True, timeout=LIMIT, check=True)
            self.all |= set(re.findall(r"(?m)^  ([A-Z0-9_]+)  \(", p.stdout))
        self.own = set(re.search(r'(?s)\nown="(.*?)"', self.text("deploy/members.sh")).group(1).split())

    @staticmethod
    def text(name):
        with open(os.path.join(SOURCE, name), encoding="utf-8") as f:
            return f.read()

    def test_what_cannot_be_set_in_the_file_is_set_for_the_process(self):
        self.assertGreater(len(self.own), 25)
        self.assertLessEqual(self.own, self.all)
        made = self.text("cli/up_files.c") + self.text("cli/up_plan.c")
        # one coordinator, on loopback: nobody needs its address, and one HTTP port is enough
        for name in self.own - {"ADVERTISE_ADDR", "HTTP_PORT_ALSO"}:
            in_both = all(re.search(rf"(?<![A-Z_]){name}=", self.text(f"deploy/{way}.sh") +
                                    self.text("deploy/members.sh"))
                          for way in ("native", "containers"))
            self.assertTrue(f'"{name}"' in made or in_both, name)

    def test_files_are_brought_into_the_containers(self):
        named = {n for n in self.all if re.search(r"_(FILE|CA|CRL|DIR|MODULE|COMMAND|CERT)$", n)}
        self.assertGreater(len(named), 15)
        containers, page = self.text("deploy/containers.sh"), self.text("docs/operations.md")
        for name in named - self.elsewhere:
            self.assertTrue(re.search(rf"(?<![A-Z_]){name}=", containers) or name == "BACKUP_DIR", name)
        for name in self.elsewhere:
            self.assertIn(f"`{name}`", page)


class Unit(unittest.TestCase):
    """deploy/systemd/quorate.service, as far as that shows without a machine that systemd runs."""
    path = os.path.join(SOURCE, "deploy", "systemd", "quorate.service")

    def test_it_does_what_deploy_does(self):
        with open(self.path, encoding="utf-8") as f:
            rows = re.findall(r"(?m)^(\w+)=(.*)$", f.read())
        self.assertLessEqual({("ExecStart", "/opt/quorate/deploy.sh up"),
                              ("ExecStop", "/opt/quorate/deploy.sh down"),
                              ("PIDFile", "/opt/quorate/quorate-data/up.pid"),
                              ("SuccessExitStatus", "3")}, set(rows))

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_systemd_reads_it(self):
        with open(self.path, encoding="utf-8") as f:
            text = f.read().replace("/opt/quorate/", SOURCE + "/")
        for more, good in (("", True), ("[Service]\nRestart=sometimes\n", False)):
            with tempfile.TemporaryDirectory() as place:
                path = os.path.join(place, "quorate.service")
                with open(path, "w", encoding="utf-8") as f:
                    f.write(text + more)
                p = subprocess.run(["systemd-analyze", "verify", "--man=no", path],
                                   capture_output=True, text=True, timeout=LIMIT, check=False)
            told = [line for line in p.stderr.splitlines() if "quorate.service" in line]
            self.assertEqual(not told, good, p.stderr)


class Health(unittest.TestCase):
    """`quorate health` of what is no service, or not there."""

    def health(self, *words):
        p = subprocess.run([QUORATE, "health", *words], capture_output=True, text=True,
                           timeout=LIMIT, check=False)
        return p.returncode, p.stdout, p.stderr

    def test_nobody_there(self):
        code, out, err = self.health(f"http://127.0.0.1:{free_ports(1)[0]}")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("does not answer", err)

    def test_usage(self):
        for words in ([], ["127.0.0.1:80"], ["http://"], ["ftp://a"], ["http://a/path"],
                      ["http://a?b"], ["http://u@a"], ["http://a//"], ["https:///"],
                      ["http://a", "http://b"]):
            self.assertEqual(self.health(*words)[0], 2, words)

    def answers(self, replies):
        """Serve these bodies by path, with their status, and ask; a slash behind the port is one
        that people write."""
        import http.server
        import threading

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = replies[self.path]
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                return self.health(f"http://127.0.0.1:{server.server_port}/", "--json")
            finally:
                server.shutdown()
                thread.join()

    def test_each_state(self):
        body = b'{"service":"account","status":"healthy"}'
        code, out, _ = self.answers({"/health": (200, body), "/ready": (200, b"{}")})
        self.assertEqual((code, json.loads(out)),
                         (0, {"service": "account", "status": "healthy", "ready": True}))
        code, out, _ = self.answers({"/health": (200, body), "/ready": (503, b"{}")})
        self.assertEqual((code, json.loads(out)["ready"]), (1, False))
        code, out, _ = self.answers({"/health": (503, body), "/ready": (200, b"{}")})
        self.assertEqual((code, json.loads(out)["status"]), (1, "unhealthy"))
        code, _, err = self.answers({"/health": (200, b"<html>"), "/ready": (200, b"{}")})
        self.assertEqual(code, 1)
        self.assertIn("no service of this system", err)


if __name__ == "__main__":
    unittest.main()
