# SPDX-License-Identifier: Apache-2.0
"""deploy.sh backup when something goes wrong on its way: what is left, and what is not. A system
that was made and never started; test_deploy.py has the life of one that runs."""
import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time
import unittest

from deployed import LIMIT, QUORATE, SOURCE, Place, free_ports

sys.path.append(os.path.join(SOURCE, "tests", "support"))
from postgres import DATABASE, Server, programs  # noqa: E402
from postgres_tls import authority, certify, revocations  # noqa: E402

# The deploy.sh of the place, whose words for one step can be said alone.
STEP = """set -euo pipefail
say() { printf '%s\\n' "$*" >&2; }
die() { say "$*"; exit 1; }
root=$1 dir=$2 infra_dir=$3 env_file=$4 quorate=$5 services=
. "$root/deploy/settings.sh"
. "$root/deploy/native.sh"
shift 5
"$@"
"""


class Made(Place):
    def __init__(self, **settings):
        super().__init__()
        self.settings.update(settings, BACKUP_RECIPIENT=self.backup_key("backup.key")[1])
        self.write()
        subprocess.run([QUORATE, "up", "--prepare", "--dir", self.data], check=True,
                       capture_output=True, timeout=LIMIT)
        os.mkdir(os.path.join(self.data, "database"))
        self.file = os.path.join(self.top, "system.qbs")

    def words(self, *words):
        return [os.path.join(SOURCE, "deploy.sh"), *words]

    def step(self, *words):
        return subprocess.run(["bash", "-c", STEP, "step", SOURCE, self.data, self.infra,
                               self.env_file, QUORATE, *words], capture_output=True, text=True,
                              env=self.environment(), timeout=LIMIT, check=False)

    def backup(self, *before):
        """|before|: what runs the command. (exit code, stdout, stderr)"""
        done = subprocess.run([*before, *self.words("backup", self.file)], capture_output=True,
                              text=True, env=self.environment(), timeout=LIMIT, check=False)
        return done.returncode, done.stdout, done.stderr


def without_rights():
    """Before a command: root reads what nobody may read, unless those rights are taken from it."""
    if os.geteuid() != 0:
        return []
    rights = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"]


@unittest.skipUnless(programs(), "no PostgreSQL server is installed")
class Backup(unittest.TestCase):
    """With a server elsewhere, whose owner is no superuser."""

    @classmethod
    def setUpClass(cls):
        cls.place = place = Made()
        cls.addClassCleanup(place.remove)
        ca = authority(place.top, "ca")
        crt, key = certify(place.top, ca, "IP:127.0.0.1")
        cls.lists = revocations(place.top, ca, crt)
        cls.server = Server(["ssl=on", f"ssl_cert_file={crt}", f"ssl_key_file={key}"])
        cls.addClassCleanup(cls.server.remove)
        cls.server.sql("CREATE ROLE owner LOGIN CREATEROLE PASSWORD 'known';"
                       f"ALTER DATABASE {DATABASE} OWNER TO owner")
        place.settings.update(
            POSTGRES_HOST="127.0.0.1", POSTGRES_PORT=cls.server.port, POSTGRES_USER="owner",
            POSTGRES_PASSWORD="known", POSTGRES_TLS="verify-full", POSTGRES_TLS_CA=ca[0],
            POSTGRES_TLS_CRL=cls.lists[0],
            # elsewhere, too: none is started here
            REDIS_HOST="127.0.0.1", RABBITMQ_HOST="127.0.0.1", RABBITMQ_TLS="off")
        place.write()
        made = place.step("make_roles")
        assert made.returncode == 0, made.stderr

    def setUp(self):
        for name in ("system.qbs", "system.qbs.part"):
            with contextlib.suppress(FileNotFoundError):
                os.remove(os.path.join(self.place.top, name))
        self.before = sorted(os.listdir(self.place.top))
        self.place.write()

    def assert_nothing_is_left(self):
        self.assertEqual(sorted(os.listdir(self.place.top)), self.before)
        self.assertFalse(os.path.exists(os.path.join(self.place.data, "backup")))
        self.assertEqual(self.server.sql(
            "SELECT count(*) FROM pg_auth_members WHERE member = 'owner'::regrole AND"
            " (to_jsonb(pg_auth_members) ->> 'set_option' IS DISTINCT FROM 'false')"), "0")

    def test_attack_a_file_that_cannot_be_read_is_no_backup_without_it(self):
        """tar goes on without it and says so at its end: what was sealed by then must not stay."""
        ledger = os.path.join(self.place.data, "party-1", "ledger")
        with open(ledger, "w", encoding="ascii") as f:
            f.write("burns")
        os.chmod(ledger, 0)
        code, out, err = self.place.backup(*without_rights())
        self.assertEqual((code, out), (1, ""), err)
        self.assertIn("nothing was backed up", err)
        self.assert_nothing_is_left()
        os.chmod(ledger, 0o600)
        code, out, err = self.place.backup()
        self.assertEqual(code, 0, err)
        self.assertRegex(out, rf"(?m)^file +{self.place.file}$")
        self.assertIn("exists already", self.place.backup()[2])
        os.remove(self.place.file)
        self.assert_nothing_is_left()

    def program(self, name, text):
        """One that stands before a program of the system's: what is to be set for it."""
        place = os.path.join(self.place.data, "log")
        os.makedirs(place, exist_ok=True)
        path = os.path.join(place, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
        self.addCleanup(os.remove, path)
        return {"PATH": place + ":" + os.environ["PATH"]}

    def test_attack_a_dump_that_is_gone_is_no_backup(self):
        env = self.program("tar", f'rm "{self.place.data}/backup/database"\n'
                                  f'exec {shutil.which("tar")} "$@"\n')
        code, out, err = self.place.backup("env", "PATH=" + env["PATH"])
        self.assertEqual((code, out), (1, ""), err)
        self.assertIn("nothing was backed up", err)
        self.assert_nothing_is_left()

    def test_who_has_a_role_waits_by_itself_for_a_server_that_is_away(self):
        self.place.write(POSTGRES_PORT=free_ports(1)[0])
        asked = self.place.step("database_of", "party-1")
        self.assertEqual((asked.returncode, asked.stderr), (0, ""))
        self.assertIn("POSTGRES_USER=mpc_party_1\n", asked.stdout)
        made = os.path.join(self.place.data, "database", "party-1.made")
        os.remove(made)
        self.addCleanup(lambda: open(made, "w", encoding="ascii").close())
        asked = self.place.step("database_of", "party-1")
        self.assertEqual((asked.returncode, asked.stdout, asked.stderr.count("\n")), (1, "", 1))
        self.assertIn("the database's owner cannot make the role mpc_party_1: connection to server",
                      asked.stderr)

    def test_a_start_that_is_ended_leaves_no_half_files(self):
        mark = os.path.join(self.place.data, "log", "mark")
        env = self.program("mktemp", f'touch "{mark}"\nexec sleep {LIMIT}\n')
        up = subprocess.Popen(self.place.words("mpc", "up"), stderr=subprocess.DEVNULL,
                              env={**self.place.environment(), **env}, preexec_fn=os.setsid)
        end = time.monotonic() + LIMIT
        while not os.path.exists(mark) and time.monotonic() < end:
            select.select([], [], [], 0.05)  # between two looks
        half = os.path.join(self.place.data, "account-service.env.lines")
        self.assertTrue(os.path.exists(half))
        os.killpg(up.pid, signal.SIGINT)
        self.assertNotEqual(up.wait(LIMIT), 0)
        left = os.listdir(self.place.data)
        self.assertEqual([f for f in left if ".env." in f or f == "doing"], [])
        os.remove(mark)

    def test_attack_a_revoked_server_is_not_asked(self):
        self.place.write(POSTGRES_TLS_CRL=self.lists[1])
        code, out, err = self.place.backup()
        self.assertEqual((code, out), (1, ""), err)
        self.assertIn("certificate verify failed", err)
        self.assert_nothing_is_left()
        for step in ("make_roles", "check_database"):
            self.assertNotEqual(self.place.step(step).returncode, 0, step)

    def test_attack_a_backup_that_is_ended_leaves_its_rights(self):
        """In the middle of the dump, which waits for a table that somebody has locked."""
        self.server.sql("CREATE TABLE held (); ALTER TABLE held OWNER TO owner")
        lock = subprocess.Popen(
            [os.path.join(self.server.bin, "psql"), "-X", "-q", self.server.url()[9:]], text=True,
            stdin=subprocess.PIPE, env=dict(os.environ, PGPASSWORD=self.server.password))
        try:
            lock.stdin.write("BEGIN; LOCK TABLE held;\n")
            lock.stdin.flush()
            self.wait_for("SELECT count(*) FROM pg_locks WHERE relation = 'held'::regclass AND"
                          " mode = 'AccessExclusiveLock'")
            for how in (signal.SIGINT, signal.SIGTERM):
                self.is_ended(how)
        finally:
            lock.communicate("ROLLBACK; DROP TABLE held;\n")

    def is_ended(self, how):
        # those of an earlier one, whose end the server does not see before their turn comes
        waited = self.server.sql("SELECT string_agg(pid::text, ',') FROM pg_locks WHERE NOT granted")
        ended = subprocess.Popen(self.place.words("backup", self.place.file),
                                 env=self.place.environment(), stderr=subprocess.DEVNULL,
                                 preexec_fn=os.setsid)
        self.wait_for("SELECT count(*) FROM pg_locks WHERE NOT granted AND"
                      f" NOT pid = ANY ('{{{waited}}}')")
        other = os.path.join(self.place.top, "other.qbs")
        for words in (("backup", other), ("clean", "--yes")):
            code, out, err = self.place.run(*words)
            self.assertEqual((code, out, err.count("\n")), (1, "", 1), err)
            self.assertIn(f"./deploy.sh backup (process {ended.pid}) runs: try again", err)
        self.assertTrue(os.path.exists(os.path.join(self.place.data, "backup", "time")))
        os.killpg(ended.pid, how)
        self.assertNotEqual(ended.wait(LIMIT), 0)
        self.assert_nothing_is_left()

    def wait_for(self, count):
        end = time.monotonic() + LIMIT
        while self.server.sql(count) == "0" and time.monotonic() < end:
            select.select([], [], [], 0.05)  # between two looks
        self.assertNotEqual(self.server.sql(count), "0")


@unittest.skipUnless(programs(), "no PostgreSQL server is installed")
class Stopped(unittest.TestCase):
    """A system whose own PostgreSQL does not run, and archives that were made by hand of it."""

    def setUp(self):
        self.place = Made()
        self.addCleanup(self.place.remove)

    def test_backup_says_what_does_not_run(self):
        code, out, err = self.place.backup()
        self.assertEqual((code, out, err.count("\n")), (1, "", 1), err)
        self.assertIn("PostgreSQL does not run: ./deploy.sh infra up", err)

    def seal(self):
        """The signer."""
        signer = self.place.run("backup-signer")[1].strip()
        tar = subprocess.Popen(["tar", "-C", self.place.data, "-cf", "-", "."],
                               stdout=subprocess.PIPE)
        with tar.stdout:
            subprocess.run(
                [QUORATE, "backup", "seal", "--to", self.place.settings["BACKUP_RECIPIENT"],
                 "--sign-key", os.path.join(self.place.data, "keys", "ca.key"), "--out",
                 self.place.file], stdin=tar.stdout, check=True, capture_output=True)
        self.assertEqual(tar.wait(), 0)
        shutil.rmtree(self.place.data)
        return signer

    def refused(self, signer, text):
        code, out, err = self.place.run("restore", self.place.file, os.path.join(
            self.place.top, "backup.key"), "--signed-by", signer)
        self.assertEqual(code, 1, out + err)
        self.assertIn(text, err.splitlines()[-1])
        self.assertNotIn("cat:", err)
        self.assertFalse(os.path.exists(self.place.data))

    def test_an_archive_that_is_not_whole(self):
        signer = self.seal()
        self.refused(signer, "is not whole")
        self.refused("foo", "the 64 hex digits that ./deploy.sh backup or backup-signer showed")

    def test_an_archive_without_its_database(self):
        place = os.path.join(self.place.data, "backup")
        os.mkdir(place)
        for name, text in (("place", self.place.data), ("time", "now"), ("env", "")):
            with open(os.path.join(place, name), "w", encoding="utf-8") as f:
                f.write(text + "\n")
        with open(os.path.join(self.place.data, "account-service.env"), "a",
                  encoding="utf-8") as f:
            f.write("POSTGRES_HOST=127.0.0.1\n")
        self.refused(self.seal(), "has no database")


if __name__ == "__main__":
    unittest.main()
