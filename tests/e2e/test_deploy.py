# SPDX-License-Identifier: Apache-2.0
"""deploy.sh with processes of this machine: what an operator types, with the PostgreSQL, Redis and
RabbitMQ of the system's packages. test_deploy_images.py is the same with containers."""
import json
import os
import re
import shutil
import signal
import subprocess
import unittest

from deployed import (BUILD, HASH, LIMIT, QUORATE, SERVERS, SERVICES, SOURCE, Place,
                      another_secret_is_refused, installed)
from support import until


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
        self.doctor_says(r"\A\d+ checks, 0 findings\n\Z", 0)
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
            what = self.finding("--program", self.program_of(name), "--env", path)["what"]
            os.remove(path)
            self.assertRegex(what, text)
            self.assertNotIn("wrong", what)
        self.servers_that_lose_commits()

    def finding(self, *words):
        """The only one, once nothing is missed for being slow."""
        def told():
            p = subprocess.run([QUORATE, "doctor", *words, "--json"], capture_output=True,
                               text=True, timeout=LIMIT, check=False)
            self.assertEqual((p.returncode, p.stderr), (1, ""), p.stdout)
            found = json.loads(p.stdout)["findings"]
            return found[0] if len(found) == 1 else None

        return until(told)

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
        """Once what it looks at has got that far, and nothing is missed for being slow."""
        def says():
            got, out, _ = self.place.run("doctor")
            return re.search(text, out) and got == code

        until(says)

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

    def kill(self, *names):
        """The process of that file, which is gone then."""
        with open(os.path.join(*names), encoding="ascii") as f:
            pid = int(f.read())
        os.kill(pid, signal.SIGKILL)
        until(lambda: pid not in self.place.processes())

    def the_supervisor_is_killed(self):
        """As the unit of systemd goes on then."""
        self.kill(self.place.data, "up.pid")
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
        self.kill(self.place.infra, "redis.pid")
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
        for name in ("party-1", "party-2", "party-3"):
            place = os.path.join(self.place.settings["BACKUP_DIR"], name)
            until(lambda place=place: os.path.isdir(place) and os.listdir(place))

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


if __name__ == "__main__":
    unittest.main()
