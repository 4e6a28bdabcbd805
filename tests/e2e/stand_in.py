#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stands in for a service under `quorate up`: reads its env file, serves /ready, ends on SIGTERM.

NAME.fault beside the env file says what is wrong with it: "die" ends at once with a line on stderr,
"unready" answers /ready with 503 and notes each question in NAME.asked, "deaf" ignores SIGTERM.
"""
import http.server
import os
import signal
import sys


def main():
    path = sys.argv[sys.argv.index("--env-file") + 1]
    with open(path, encoding="utf-8") as f:
        env = dict(line.rstrip("\n").split("=", 1) for line in f if "=" in line and line[0] != "#")
    fault_path = path[:-len(".env")] + ".fault"

    def fault():
        if not os.path.exists(fault_path):
            return ""
        with open(fault_path, encoding="utf-8") as f:
            return f.read().strip()

    def note():
        with open(path[:-len(".env")] + ".asked", "a", encoding="utf-8") as f:
            f.write("?")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if fault() == "unready":
                note()
            self.send_response(200 if self.path == "/ready" and fault() != "unready" else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    print("started with log level", os.environ.get("LOG_LEVEL", "of the file"), file=sys.stderr,
          flush=True)
    if fault() == "die":
        sys.exit("the stand-in was told to die")
    if fault() == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    http.server.HTTPServer(("127.0.0.1", int(env["HTTP_PORT"])), Handler).serve_forever()


main()
