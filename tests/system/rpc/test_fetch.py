# SPDX-License-Identifier: Apache-2.0
"""A fetch before servers that answer well, badly or not at all: over real TLS, byte by byte as the
test says. What came is what fetch_probe tells."""
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

PROBE = os.environ["FETCH_PROBE"]
LIMIT = 300
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


class Server:
    """Takes one connection, reads a request and gives |say| the socket."""

    def __init__(self, root, say, alpn=("h2", "http/1.1")):
        self.say, self.request, self.protocol = say, b"", None
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(os.path.join(root, "tls.crt"), os.path.join(root, "tls.key"))
        if alpn:
            self.context.set_alpn_protocols(list(alpn))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.target = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        try:
            raw, _ = self.listener.accept()
            raw.settimeout(LIMIT)
            with self.context.wrap_socket(raw, server_side=True) as s:
                self.protocol = s.selected_alpn_protocol()
                while b"\r\n\r\n" not in self.request:
                    got = s.recv(4096)
                    if not got:
                        return
                    self.request += got
                self.say(s)
        except OSError:
            pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # who still waits to accept stops
        self.thread.join(LIMIT)
        self.listener.close()


class Fetch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="quorate-fetch-")
        cls.addClassCleanup(shutil.rmtree, cls.root)
        for name, subject in (("tls", "IP:127.0.0.1"), ("other", "IP:127.0.0.2")):
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", "/CN=" + name, "-days", "2", "-addext", "subjectAltName=" + subject,
                    "-keyout", f"{cls.root}/{name}.key", "-out", f"{cls.root}/{name}.crt")

    def fetch(self, say, *, ca="tls.crt", bearer="secret", path="/a?b=c", deadline=60000,
              cancel=(), target=None, alpn=("h2", "http/1.1")):
        server = None if target else Server(self.root, say, alpn)
        p = subprocess.run([PROBE, target or server.target, path, os.path.join(self.root, ca),
                            bearer, str(deadline), *cancel],
                           capture_output=True, text=True, timeout=LIMIT, check=False)
        if server:
            server.close()
        self.assertEqual((p.returncode, p.stderr), (0, ""))
        self.server = server
        return p.stdout.splitlines()

    def test_the_request_is_what_was_asked(self):
        said = self.fetch(lambda s: s.sendall(OK))
        self.assertEqual(said, ["head 200", "body hello", "done 200 complete"])
        self.assertEqual(self.server.protocol, "http/1.1")
        lines = self.server.request.decode().split("\r\n")
        self.assertEqual(lines[0], "GET /a?b=c HTTP/1.1")
        for line in ("Host: " + self.server.target, "Authorization: Bearer secret",
                     "Accept: application/json", "Connection: close"):
            self.assertEqual(lines.count(line), 1, lines)
        self.fetch(lambda s: s.sendall(OK), bearer="", alpn=())
        self.assertNotIn(b"Authorization", self.server.request)

    def test_pieces_come_as_they_are_sent(self):
        told = threading.Event()

        def say(s):
            s.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for b in b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n":
                s.sendall(bytes([b]))
            told.set()
        self.assertEqual(self.fetch(say), ["head 200", "body a", "body b", "body c",
                                           "done 200 complete"])
        self.assertTrue(told.is_set())

    def test_what_ends_early_is_not_complete(self):
        for head in (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
                     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                     b"HTTP/1.1 200 OK\r\n\r\nhello",  # its end would be the connection's
                     b"HTTP/1.1 200"):
            for rude in (False, True):
                def say(s, head=head, rude=rude):
                    s.sendall(head)
                    if not rude:
                        s.unwrap()
                said = self.fetch(say)
                self.assertRegex(said[-1], "^done (200|0) (the server ended the connection|.*eof)")
                self.assertNotIn("complete", said[-1])

    def test_nonsense_ends_it(self):
        for text in (b"HTTP/2 ?\r\n\r\n", b"\0\0\x12\x04\0\0\0\0\0", b"hello\r\n\r\n",
                     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
                     b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
                     b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200000):
            said = self.fetch(lambda s, text=text: s.sendall(text))
            self.assertRegex(said[-1], "^done (200|0) .")
            self.assertNotIn("complete", said[-1])

    def test_other_statuses_are_told_and_no_redirection_is_followed(self):
        for status in (302, 401, 410, 500):
            said = self.fetch(lambda s, status=status: s.sendall(
                b"HTTP/1.1 %d X\r\nLocation: https://127.0.0.1:1/\r\nContent-Length: 2\r\n\r\nno" %
                status))
            self.assertEqual(said, [f"head {status}", "body no", f"done {status} complete"])

    def test_another_server_gets_no_request(self):
        said = self.fetch(lambda s: s.sendall(OK), ca="other.crt")
        self.assertIn("certificate is refused", said[-1])
        self.assertEqual((len(said), self.server.request), (1, b""))
        # the right authority, the wrong name
        other = Server(self.root, lambda s: s.sendall(OK))
        said = self.fetch(None, target="localhost:" + other.target.split(":")[1])
        other.close()
        self.assertEqual((len(said), other.request), (1, b""))
        self.assertIn("certificate is refused", said[-1])

    def test_nobody_waits_for_ever(self):
        gone = threading.Event()

        def say(s):
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")
            s.recv(1)  # until the other side goes
            gone.set()
        said, deadline = [], 200
        while len(said) < 3:  # on a slow machine that is over before anything has come
            said, deadline = self.fetch(say, deadline=deadline), 2 * deadline
            self.assertRegex(said[-1], "^done (0|200) no answer in time$")
        self.assertEqual(said, ["head 200", "body hello", "done 200 no answer in time"])
        self.assertTrue(gone.is_set())

    def test_it_can_be_cancelled_at_each_step(self):
        self.assertEqual(self.fetch(lambda s: s.sendall(OK), cancel=["head"]),
                         ["head 200", "cancelled"])
        self.assertEqual(self.fetch(lambda s: s.sendall(OK), cancel=["body"]),
                         ["head 200", "body hello", "cancelled"])
        self.assertEqual(self.fetch(lambda s: s.sendall(OK), cancel=["start"], target="localhost:1"),
                         ["cancelled"])

    def test_what_cannot_be_asked_is_told(self):
        for words in ({"path": "/a\r\nX: y"}, {"path": "/a b"}, {"bearer": "a\nb"}, {"bearer": "ä"},
                      {"ca": "none.crt"}, {"ca": "tls.key"}):
            said = self.fetch(lambda s: s.sendall(OK), **words)
            self.assertEqual((len(said), self.server.request), (1, b""), words)
            self.assertRegex(said[0], "^done 0 (?!complete)", words)
        for target in ("nowhere", "127.0.0.1:1", "nowhere.invalid:443"):
            said = self.fetch(None, target=target)
            self.assertEqual(len(said), 1, target)
            self.assertRegex(said[0], "^done 0 (?!complete)", target)


if __name__ == "__main__":
    unittest.main()
