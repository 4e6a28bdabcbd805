# SPDX-License-Identifier: Apache-2.0
"""Many accounts in PostgreSQL: what a signature costs, how long a page of a list and a start take,
what a keeper's memory is, beside few accounts in the same run; and that no list reads more rows than
it shows.

Some accounts are real. The others are rows: copies of a real one's under another id, their share
records sealed anew for that id, so that they sign as well."""
import hashlib
import hmac
import os
import random
import re
import statistics
import struct
import subprocess
import sys
import time
import unittest
import uuid

import support
from support import LONG, SOURCE, Stack, TestCase, signature_is_valid, together

sys.path.append(os.path.join(SOURCE, "tests", "support"))
from postgres import Server, programs  # noqa: E402

REAL, ALL = (100, int(os.environ.get("STACK_ACCOUNTS", "100000"))) if LONG else (4, 400)
BLOCKS, BLOCK = (9, 100) if LONG else (1, 20)
# The server writes down each statement's plan and what it did.
EXPLAIN = () if LONG else (
    "session_preload_libraries=auto_explain", "auto_explain.log_min_duration=0",
    "auto_explain.log_analyze=on", "auto_explain.log_timing=off", "log_error_verbosity=terse",
    "logging_collector=on", "log_directory=log", "log_filename=all.log", "log_file_mode=0644",
    # with so few rows it would be right to read them all
    "enable_seqscan=off", "enable_bitmapscan=off", "plan_cache_mode=force_generic_plan")


# --- sealing, as docs/wire.md has it ---

def cipher(key):
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    return AESGCM(key)


class Vault:
    """system/vault/vault.h, for one kind of item."""
    MAGIC = b"QV2\0"

    def __init__(self, master, party):
        self.master, self.party = cipher(master), party
        self.head = self.MAGIC + hmac.new(master, b"quorate/vault/key-check/1\0",
                                          hashlib.sha256).digest()[:8]
        self.origin = self.MAGIC + bytes(8)

    @staticmethod
    def text(value):
        return struct.pack(">I", len(value)) + value.encode()

    def bound(self, head, row, account):
        kind = hashlib.sha256(row["kgid"] + bytes([row["purpose"], 0]) + bytes(32) +
                              row["roster"].encode()).hexdigest()
        return (head + self.text("share " + kind) + self.text(account) + self.text(self.party) +
                struct.pack(">I", row["epoch"]))

    def open(self, row):
        sealed, account = row["sealed"], row["account_id"]
        key = self.master.decrypt(sealed[12:24], sealed[24:72], self.bound(self.head, row, account))
        return cipher(key).decrypt(sealed[84:96], sealed[96:],
                                   self.bound(self.origin, row, account))

    def seal(self, row, account, plain):
        key, first, second = os.urandom(32), os.urandom(12), os.urandom(12)
        return (self.head + first +
                self.master.encrypt(first, key, self.bound(self.head, row, account)) +
                self.origin + second +
                cipher(key).encrypt(second, plain, self.bound(self.origin, row, account)))


def copy_rows(env, table, columns, rows):
    """Into a process's table; |rows| gives lists of text, bytes, numbers and None."""
    load = subprocess.Popen(
        ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", env["POSTGRES_HOST"], "-p",
         env["POSTGRES_PORT"], "-U", env["POSTGRES_USER"], "-d", env["POSTGRES_DB"], "-c",
         f"COPY {env['POSTGRES_SCHEMA']}.{table} ({', '.join(columns)}) FROM STDIN"],
        env=dict(os.environ, PGPASSWORD=env["POSTGRES_PASSWORD"], PGSSLMODE="disable",
                 PGOPTIONS="-c synchronous_commit=off"), stdin=subprocess.PIPE)
    for row in rows:
        load.stdin.write(("\t".join(map(written, row)) + "\n").encode())
    load.stdin.close()
    assert load.wait() == 0


def written(value):
    if value is None:
        return r"\N"
    return r"\\x" + value.hex() if isinstance(value, bytes) else str(value)


class Fill:
    """Rows of accounts, of their keygen sessions and of their shares."""

    def __init__(self, stack, real):
        self.stack, self.real = stack, real
        draw = random.Random(1)
        self.ids = [str(uuid.UUID(int=draw.getrandbits(128), version=4))
                    for _ in range(ALL - len(real))]
        self.sessions = [str(uuid.uuid4()) for _ in self.ids]

    def template(self, i):
        return self.real[i % len(self.real)]["account_id"]

    def rows(self, process, table):
        """{account_id: {column: value}} of the real ones."""
        database = {"account-service": "account.db"}.get(process, "party.db")
        columns = [row[0] for row in self.stack.rows(
            process, database, "SELECT column_name FROM information_schema.columns WHERE"
            f" table_name = '{table}' AND table_schema = '"
            f"{self.stack.env(process)['POSTGRES_SCHEMA']}' ORDER BY ordinal_position")]
        found = [dict(zip(columns, row)) for row in self.stack.rows(
            process, database, f"SELECT {', '.join(columns)} FROM {table}")]
        return columns, found

    def all(self):
        self.accounts()
        self.keygens()
        together(len(self.stack.parties()), lambda i: self.shares(self.stack.parties()[i]))

    def accounts(self):
        env = self.stack.env("account-service")
        columns, found = self.rows("account-service", "accounts")
        by_id = {row["account_id"]: row for row in found}
        copy_rows(env, "accounts", columns, (
            [{**by_id[self.template(i)], "account_id": self.ids[i], "session_id": self.sessions[i],
              "user_id": f"copy-{i // 100}", "idempotency_key": None,
              "created_ms": by_id[self.template(i)]["created_ms"] - 1000 - i // 3}[c]
             for c in columns] for i in range(len(self.ids))))
        columns, found = self.rows("account-service", "account_parties")
        copy_rows(env, "account_parties", columns, (
            [self.ids[i] if c == "account_id" else row[c] for c in columns]
            for i in range(len(self.ids)) for row in found
            if row["account_id"] == self.template(i)))

    def keygens(self):
        env = self.stack.env("session-coordinator")
        columns, found = self.rows("session-coordinator", "sessions")
        by_id = {row["account_id"]: row for row in found if row["type"] == "keygen"}

        def one(i):
            """They ended within the last hour, as on a busy system."""
            row = by_id[self.template(i)]
            times = {c: row[c] - 600000 - i // 3 for c in ("created_ms", "deadline_ms", "ended_ms")}
            new = {**row, **times, "account_id": self.ids[i], "session_id": self.sessions[i]}
            return [new[c] for c in columns]
        copy_rows(env, "sessions", columns, map(one, range(len(self.ids))))

    def shares(self, party):
        env = self.stack.env(party)
        vault = Vault(bytes.fromhex(env["CRYPTO_MASTER_KEY"]), party)
        columns, found = self.rows(party, "shares")
        by_id = {row["account_id"]: (row, vault.open(row)) for row in found}

        def one(i):
            row, plain = by_id[self.template(i)]
            sealed = vault.seal(row, self.ids[i], plain)
            assert len(sealed) == len(row["sealed"])
            new = {**row, "account_id": self.ids[i], "session_id": self.sessions[i],
                   "sealed": sealed}
            return [new[c] for c in columns]
        copy_rows(env, "shares", columns, map(one, range(len(self.ids))))


# --- measuring ---

def milliseconds(work):
    begin = time.monotonic()
    result = work()
    return (time.monotonic() - begin) * 1000, result


def cpu_ms(pids):
    """{name: used so far}."""
    used = {}
    for name, pid in pids.items():
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        used[name] = (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")
    return used


def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) / 1024


@unittest.skipUnless(programs(), "no PostgreSQL server is installed")
class Accounts(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server, cls.stack = Server(EXPLAIN), None
        support.POSTGRES = cls.server.url()
        os.environ["DB_TEST_PASSWORD"] = cls.server.password
        try:
            cls.stack = Stack(support.patient)
            cls.real = together(4, lambda _: [cls.stack.create() for _ in range(REAL // 4)])
            cls.real = sum(cls.real, [])
            cls.figures = {REAL: cls.measure()}
            fill = Fill(cls.stack, cls.real)
            cls.ids = fill.ids
            cls.fill_s = milliseconds(fill.all)[0] / 1000
            cls.server.sql("VACUUM ANALYZE", user="mpc_user")
            cls.figures[ALL] = cls.measure()
        except BaseException:
            if cls.stack:
                cls.stack.remove()
            cls.server.remove()
            raise

    @classmethod
    def tearDownClass(cls):
        try:
            cls.stack.close()
        finally:
            cls.server.remove()

    @classmethod
    def measure(cls):
        """After a start with what there is."""
        stack = cls.stack
        assert stack.stop() == 0
        start_ms, _ = milliseconds(stack.start)
        pids = {name: found[0] for name, found in stack.processes().items()}
        idle = {name: resident_mib(pid) for name, pid in pids.items()}
        ids = [a["account_id"] for a in cls.real]
        for account in ids:
            assert stack.sign(account).status == 200
        before, times = cpu_ms(pids), []
        for k in range(BLOCKS):
            times.append(statistics.median(
                milliseconds(lambda j=j: cls.signed(ids[(k * BLOCK + j) % len(ids)]))[0]
                for j in range(BLOCK)))
        after = cpu_ms(pids)
        return {"start of all, s": start_ms / 1000,
                "signature, median of medians, ms": statistics.median(times),
                **{f"CPU of a signature, {name}, ms": (after[name] - before[name]) / BLOCK / BLOCKS
                   for name in sorted(pids)},
                **{f"memory after the start, {name}, MiB": idle[name] for name in sorted(pids)},
                **{f"memory after signing, {name}, MiB": resident_mib(pids[name])
                   for name in sorted(pids)}}

    @classmethod
    def signed(cls, account):
        answer = cls.stack.sign(account, uuid.uuid4().hex * 2)
        assert answer.status == 200, answer
        return answer.body

    def pages(self, path, items, limit, after="", most=1 << 30):
        """Of a list; (rows, milliseconds of each page)."""
        rows, times = [], []
        while True:
            took, answer = milliseconds(lambda after=after: self.stack.call(
                "GET", f"{path}limit={limit}" + (f"&after={after}" if after else ""),
                url=self.url))
            self.assertEqual(answer.status, 200, answer)
            rows += answer.body[items]
            times.append(took)
            after = answer.body.get("next")
            if items == "sessions" and len(answer.body[items]) == limit:
                after = answer.body[items][-1]["session_id"]
            if not after or len(times) == most:
                return rows, times

    def told(self, what, times):
        self.lines.append(f"{what}: {len(times)} pages, median {statistics.median(times):.1f} ms,"
                          f" longest {max(times):.1f} ms")

    def test_1_a_copy_signs(self):
        """So the rows are what they seem to be."""
        for account in self.ids[::max(1, len(self.ids) // 5)]:
            self.assertTrue(signature_is_valid(self.signed(account)))

    def test_2_lists(self):
        self.lines = []
        self.url = self.stack.url
        before = self.log_end()
        rows, times = self.pages("/api/v1/accounts?", "accounts", 1000)
        self.assertEqual(len(rows), ALL)
        self.assertEqual(len({row["account_id"] for row in rows}), ALL)
        order = [row["created_at"] for row in rows]
        self.assertEqual(order, sorted(order, reverse=True))
        self.told("accounts, 1000 a page, all", times)
        for what, after in (("first", ""), ("last", rows[-min(1001, ALL - 1)]["account_id"])):
            before_ms = cpu_ms({"": self.stack.pid("account-service")})[""]
            times = self.pages("/api/v1/accounts?", "accounts", 100, after, 10)[1]
            used = cpu_ms({"": self.stack.pid("account-service")})[""] - before_ms
            self.told(f"accounts, 100 a page, the {what}, {used / len(times):.1f} ms CPU each",
                      times)
        rows, times = self.pages("/api/v1/accounts?user_id=copy-1&", "accounts", 10)
        self.assertEqual(len(rows), min(100, len(self.ids) - 100))
        self.told("accounts of a user, 10 a page", times)
        self.url = self.stack.service_url("session-coordinator")
        rows, times = self.pages("/api/v1/sessions?", "sessions", 1000)
        self.assertGreaterEqual(len(rows), ALL)
        self.told("sessions, 1000 a page", times)
        times = [milliseconds(lambda a=a: self.stack.call(
            "GET", f"/api/v1/sessions?account_id={a}&limit=10", url=self.url))[0]
                 for a in self.ids[:20]]
        self.told("sessions of an account", times)
        times = [milliseconds(lambda: self.stack.call(
            "GET", "/api/v1/sessions?status=failed&limit=10", url=self.url))[0] for _ in range(5)]
        self.told("sessions that failed (none), 10 a page", times)
        print("\n".join(self.lines), flush=True)
        self.no_rows_in_vain(before)

    def log_end(self):
        return 0 if LONG else os.path.getsize(os.path.join(self.server.data, "log", "all.log"))

    def no_rows_in_vain(self, begin):
        """What was read and thrown away by the statements that make lists."""
        if LONG:
            return
        with open(os.path.join(self.server.data, "log", "all.log"), encoding="utf-8") as f:
            f.seek(begin)
            plans = f.read().split("duration: ")[1:]
        lists = [p for p in plans if re.search(r"Query Text: SELECT.* (accounts|sessions).*"
                                               r"ORDER BY.*created_ms DESC", p, re.S)]
        self.assertGreater(len(lists), 10)
        for plan in lists:
            thrown = sum(map(int, re.findall(r"Rows Removed by Filter: (\d+)", plan)))
            self.assertLessEqual(thrown, 1, plan)

    def test_3_figures(self):
        few, many = self.figures[REAL], self.figures[ALL]
        print(f"filled in {self.fill_s:.0f} s\n{'':48}{REAL:>10}{ALL:>10}")
        for name, value in few.items():
            print(f"{name:48}{value:10.2f}{many[name]:10.2f}", flush=True)


if __name__ == "__main__":
    unittest.main()
