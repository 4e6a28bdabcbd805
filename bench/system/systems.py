# SPDX-License-Identifier: Apache-2.0
"""The systems that bench_system.py compares, all of this build and on this machine:

embedded   `quorate up`: SQLite, memory, one process of each service
servers    the same processes with PostgreSQL (every service and party), Redis and RabbitMQ, as
           deploy/docker-compose.prod.yml runs them
replicas   the same and a second router, as the Kubernetes overlay `prod` runs them; the routers are
           joined by RabbitMQ, parties 1 and 3 are at the first one and party 2 at the second, so
           that two pairs of three speak through the broker

Needs QUORATE in the environment, tests/stack and tests/support on the path.
"""
import contextlib
import os
import re
import subprocess

import postgres
import rabbitmq
import redis
import support
from test_routers import FIRST, SECOND, SecondRouter

KINDS = ["embedded", "servers", "replicas"]
SHARES = ["account-service", "session-coordinator", "message-router", "server-party-api"]


def are_installed():
    return bool(postgres.programs() and redis.program() and os.path.exists(rabbitmq.PROGRAM))


def cpu_seconds(pid):
    """Of all its threads, as the scheduler counts it: the tick's count is too coarse for idling."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
        except FileNotFoundError:
            pass  # the thread has just ended
    return total / 1e9


def words_of(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as f:
        return f.read().decode(errors="replace").replace("\0", " ").strip()


def family(pid):
    """|pid| and all below it."""
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        path = f"/proc/{found[-1]}/task/{found[-1]}/children"
        with open(path, encoding="ascii") as f:
            todo += map(int, f.read().split())
    return found


class Servers:
    """PostgreSQL, Redis and RabbitMQ for one system."""

    def __init__(self):
        self.postgres = self.redis = self.rabbitmq = None
        try:
            self.postgres = postgres.Server()
            self.redis = redis.Server()
            self.rabbitmq = rabbitmq.Server()
        except BaseException:
            self.remove()
            raise

    def remove(self):
        for server in (self.postgres, self.redis, self.rabbitmq):
            if server:
                server.remove()

    def processes(self):
        """{name: [pid, ...]}; a session of PostgreSQL bears the name of whom it serves."""
        found = {"redis": [self.redis.process.pid], "rabbitmq": family(self.rabbitmq.process.pid)}
        for pid in family(self.postgres.process.pid):
            role = re.match(r"postgres: t[0-9a-f]{8}_(\S+) ", words_of(pid))
            name = "postgres, " + role[1].replace("_", "-") if role else "postgres, its own"
            found.setdefault(name, []).append(pid)
        return found


class System:
    """One of KINDS, with its accounts."""

    def __init__(self, kind, accounts):
        self.kind, self.servers, self.second = kind, None, None
        self.stack = None
        try:
            if kind != "embedded":
                self.servers = Servers()
                support.POSTGRES = self.servers.postgres.url()
                os.environ["DB_TEST_PASSWORD"] = self.servers.postgres.password
            self.stack = support.Stack(self.edit if self.servers else None)
            if self.second:
                support.until(self.is_joined)
            self.accounts = [self.stack.create()["account_id"] for _ in range(accounts)]
        except BaseException:
            self.remove()
            raise
        finally:
            support.POSTGRES = None

    def edit(self, directory):
        for name in SHARES:
            support.change_env(directory, name, REDIS_HOST="127.0.0.1",
                               REDIS_PORT=self.servers.redis.port,
                               REDIS_PASSWORD=self.servers.redis.password)
        support.change_env(directory, FIRST, **self.servers.rabbitmq.env())
        if self.kind == "replicas":
            self.add_router(directory)

    def add_router(self, directory):
        self.second = SecondRouter(directory)
        port = support.read_env(os.path.join(directory, FIRST + ".env"))["GRPC_PORT"]
        both = [f"127.0.0.1:{port}", f"127.0.0.1:{self.second.grpc}"]
        for name in ("party-1", "party-3", "session-coordinator", "account-service"):
            support.change_env(directory, name, ROUTER_ADDR=",".join(both))
        for name in ("party-2", "server-party-api"):
            support.change_env(directory, name, ROUTER_ADDR=",".join(reversed(both)))
        self.second.start()

    def is_joined(self):
        """Each router knows all three parties and the delegate."""
        for name in (FIRST, SECOND):
            try:
                answer = self.stack.call("GET", "/api/v1/parties",
                                         url=self.stack.service_url(name))
            except OSError:
                return False
            if answer.status != 200 or sum(p["live"] for p in answer.body["parties"]) < 4:
                return False
        return True

    def processes(self):
        found = dict(self.stack.processes())
        if self.second:
            found[SECOND] = [self.second.process.pid]
        if self.servers:
            found.update(self.servers.processes())
        return found

    def cpu(self):
        """{(name, pid): seconds}, without a server's helper that has just ended"""
        found = {}
        for name, pids in self.processes().items():
            for pid in pids:
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    found[name, pid] = cpu_seconds(pid)
        return found

    def close(self):
        try:
            if self.second:
                self.second.process.terminate()
                self.second.process.wait(support.LIMIT)
            self.stack.close()
        finally:
            self.stack = None
            self.remove()

    def remove(self):
        if self.second and self.second.process and self.second.process.poll() is None:
            self.second.process.kill()
            self.second.process.wait()
        if self.stack:
            self.stack.remove()
        if self.servers:
            self.servers.remove()
        self.second = self.stack = self.servers = None


def used(before, after):
    """Seconds by name between two answers of System.cpu."""
    found = {}
    for (name, pid), seconds in after.items():
        found[name] = found.get(name, 0) + seconds - before.get((name, pid), 0)
    return found


def load(program, *words, lines=()):
    """What the program `load` says."""
    return subprocess.run([program, *map(str, words)], input="\n".join(lines) + "\n", text=True,
                          stdout=subprocess.PIPE, check=False).stdout
