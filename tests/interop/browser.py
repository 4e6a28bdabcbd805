# SPDX-License-Identifier: Apache-2.0
"""A site of the test's own and headless Chromium on its page, which posts what came of it."""
import http.server
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time

from npm import MODULES, skip

HERE = os.path.dirname(os.path.abspath(__file__))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")
TYPES = {".html": "text/html", ".mjs": "text/javascript", ".js": "text/javascript"}


def need_chromium():
    if not CHROMIUM:
        skip("chromium is needed")


def files(page, *more):
    """What a site shows: the script |page| as web.mjs, the libraries, |more| files by name."""
    shown = {"/": os.path.join(HERE, "web.html"), "/web.mjs": os.path.join(HERE, page),
             "/grpc-web.mjs": os.path.join(MODULES, "grpc-web", "index.esm.js"),
             "/protobuf.js": os.path.join(MODULES, "protobufjs", "dist", "protobuf.js")}
    return shown | {"/" + os.path.basename(path): path for path in more}


def remove(profile, limit):
    """The browser's helpers may outlive it for a moment, and write."""
    end = time.monotonic() + limit
    while os.path.exists(profile) and time.monotonic() < end:
        shutil.rmtree(profile, ignore_errors=True)


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path not in self.server.files:
            self.send_error(404)
            return
        with open(self.server.files[self.path], "rb") as f:
            body = f.read()
        kind = os.path.splitext(self.server.files[self.path])[1]
        self.send_response(200)
        self.send_header("Content-Type", TYPES.get(kind, "text/plain"))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
        self.server.results.put(body.decode())

    def log_message(self, *args):
        pass


class Site:
    """Until close()."""

    def __init__(self, shown):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.server.files, self.server.results = shown, queue.Queue()
        self.origin = "http://127.0.0.1:%d" % self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def visit(self, fragment, limit):
        """What the page posted, as text."""
        profile = tempfile.mkdtemp(prefix="quorate-browser-")
        browser = subprocess.Popen(
            [CHROMIUM, *FLAGS, "--user-data-dir=" + profile, "--remote-debugging-port=0",
             self.origin + "/#" + fragment],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return self.server.results.get(timeout=limit)
        finally:
            browser.terminate()
            browser.wait(limit)
            remove(profile, limit)
