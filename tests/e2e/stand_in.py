#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stands in for a service under `quorate up`: reads its env file, makes its database, serves /ready,
ends on SIGTERM.

NAME.fault beside the env file says what is wrong with it: "die" ends at once and logs why, "unready"
answers /ready with 503 and notes each question in NAME.asked, "receipt" answers so and logs why, "deaf" ignores SIGTERM, "robbed" finds
its port taken by another program, whose pid is in NAME.robber.
"""
import contextlib
import http.server
import os
import signal
import socket
import subprocess
import sys

DATABASES = {"account-service": "account.db", "session-coordinator": "coordinator.db",
             "server-party": "party.db", "server-party-api": "party.db"}
DEATH = """2026-01-01T00:00:00.000Z info keeper database kind=sqlite
2026-01-01T00:00:00.000Z error keeper the stand-in was told to die
2026-01-01T00:00:00.000Z error server-party the keeper has ended
2026-01-01T00:00:00.000Z info server-party stopped
"""
RECEIPT = """2026-01-01T00:00:00.000Z error keeper this party serves once the recipient of its \
backups has shown that it opens them: run quorate backup verify
"""


def make_database(env):
    name = DATABASES.get(os.path.basename(sys.argv[0])[len("quorate-"):])
    if name:
        with open(os.path.join(env["DATA_DIR"], name), "ab"):
            pass


def be_robbed(path, port):
    """Somebody else listens on |port|, and says so by its pid."""
    os.unlink(path + ".fault")
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", port))
        s.listen()
        robber = subprocess.Popen(["sleep", "600"], pass_fds=[s.fileno()], start_new_session=True)
    with open(path + ".robber", "w", encoding="ascii") as f:
        f.write(str(robber.pid))


def main():
    path = sys.argv[sys.argv.index("--env-file") + 1]
    with open(path, encoding="utf-8") as f:
        env = dict(line.rstrip("\n").split("=", 1) for line in f if "=" in line and line[0] != "#")
    fault_path = path[:-len(".env")] + ".fault"

    def fault():
        with contextlib.suppress(FileNotFoundError), open(fault_path, encoding="utf-8") as f:
            return f.read().strip()
        return ""

    def is_unready():
        return fault() in ("unready", "receipt")

    def note():
        with open(path[:-len(".env")] + ".asked", "a", encoding="utf-8") as f:
            f.write("?")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if fault() == "unready":
                note()
            self.send_response(200 if self.path == "/ready" and not is_unready() else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    print("started with log level", os.environ.get("LOG_LEVEL", "of the file"), file=sys.stderr,
          flush=True)
    if fault() == "receipt":
        sys.stderr.write(RECEIPT)
    if fault() == "die":
        sys.stderr.write(DEATH)
        sys.exit(1)
    if fault() == "robbed":
        be_robbed(path[:-len(".env")], int(env["HTTP_PORT"]))
        sys.exit(1)
    make_database(env)
    if fault() == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server = http.server.HTTPServer(("127.0.0.1", int(env["HTTP_PORT"])), Handler)
    server.handle_error = lambda *_: None  # of who had no time for the answer
    server.serve_forever()


main()
