# SPDX-License-Identifier: Apache-2.0
"""npm grpc-web in headless Chromium calls our server, from a page of another origin."""
import http.server
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import unittest

from support import HERE, LIMIT, MODULES, PROTO, TestCase, install_npm, skip

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")
FILES = {
    "/": (os.path.join(HERE, "web.html"), "text/html"),
    "/web.mjs": (os.path.join(HERE, "web.mjs"), "text/javascript"),
    "/grpc-web.mjs": (os.path.join(MODULES, "grpc-web", "index.esm.js"), "text/javascript"),
    "/protobuf.js": (os.path.join(MODULES, "protobufjs", "dist", "protobuf.js"), "text/javascript"),
    "/interop.proto": (PROTO, "text/plain"),
}


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path not in FILES:
            self.send_error(404)
            return
        name, kind = FILES[self.path]
        with open(name, "rb") as f:
            body = f.read()
        self.send_response(200)
        self.send_header("Content-Type", kind)
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


class Web(TestCase):
    def test_grpc_web(self):
        target = self.our_server().target(0)
        site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        site.results = queue.Queue()
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        self.addCleanup(site.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(site.shutdown)
        with tempfile.TemporaryDirectory() as profile:
            browser = subprocess.Popen(
                [CHROMIUM, *FLAGS, "--user-data-dir=" + profile, "--remote-debugging-port=0",
                 "http://127.0.0.1:%d/#%s" % (site.server_address[1], target)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                result = site.results.get(timeout=LIMIT)
            finally:
                browser.terminate()
                browser.wait()
        self.assertNotIn("FAULT", result)
        self.assertTrue(result.endswith("\ndone"), result)


if __name__ == "__main__":
    if not CHROMIUM:
        skip("chromium is needed")
    install_npm()
    unittest.main()
