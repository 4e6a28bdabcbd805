# SPDX-License-Identifier: Apache-2.0
"""`quorate health` of what is no service, of one in each state, or of nothing."""
import http.server
import json
import subprocess
import threading
import unittest

from deployed import LIMIT, QUORATE, free_ports


class Health(unittest.TestCase):
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
