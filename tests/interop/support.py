# SPDX-License-Identifier: Apache-2.0
"""What the interop tests share: certificates, servers as processes, npm packages, and the cases of
a stock gRPC library both ways (Peer)."""
import os
import subprocess
import tempfile
import unittest

from npm import MODULES, install_npm, skip  # noqa: F401: for the tests that import this

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER = os.environ["INTEROP_SERVER"]
CLIENT = os.environ["INTEROP_CLIENT"]
PROTO = os.path.join(HERE, "interop.proto")
LIMIT = 900


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True, timeout=LIMIT)


class Certificates:
    """A CA with a server's, a client's and a wrong server's certificate; and a CA nobody knows."""

    def __init__(self, place):
        self.place = place
        for ca in ("ca", "stranger"):
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", self.key(ca), "-out", self.pem(ca), "-days", "2", "-subj", "/CN=" + ca)
        self.issue("server", "ca", "DNS:localhost,IP:127.0.0.1")
        self.issue("other", "ca", "DNS:other.example,IP:127.0.0.2")
        self.issue("client", "ca", "DNS:client.example")
        self.issue("spy", "stranger", "DNS:client.example")

    def pem(self, name):
        return os.path.join(self.place, name + ".pem")

    def key(self, name):
        return os.path.join(self.place, name + ".key")

    def issue(self, name, ca, names):
        request = os.path.join(self.place, name + ".csr")
        extension = os.path.join(self.place, name + ".ext")
        with open(extension, "w", encoding="ascii") as f:
            f.write("subjectAltName=" + names + "\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                self.key(name), "-out", request, "-subj", "/CN=" + name)
        openssl("x509", "-req", "-in", request, "-CA", self.pem(ca), "-CAkey", self.key(ca),
                "-CAcreateserial", "-days", "2", "-extfile", extension, "-out", self.pem(name))


class Server:
    """A process that prints `ports ...` and ends when its stdin ends."""

    def __init__(self, *argv):
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        words = self.process.stdout.readline().split()
        assert words[:1] == ["ports"], words
        self.ports = [int(word) for word in words[1:]]

    def target(self, i):
        return "127.0.0.1:%d" % self.ports[i]

    def stop(self):
        self.process.stdin.close()
        code = self.process.wait(timeout=LIMIT)
        self.process.stdout.close()
        return code


class TestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.certs = Certificates(cls.scratch.name)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def serve(self, *argv):
        """A server for this test; it must end well."""
        server = Server(*argv)
        self.addCleanup(lambda: self.assertEqual(server.stop(), 0))
        return server

    def our_server(self, certificate="server"):
        return self.serve(SERVER, self.certs.pem(certificate), self.certs.key(certificate),
                          self.certs.pem("ca"))

    def succeeds(self, *argv):
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                           check=False, timeout=LIMIT)
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr)
        return p.stdout


class Peer:
    """Ours and a stock library, both ways. |client| and |server| are their command lines, |mutual|
    the place of the port with mTLS among those that the server prints."""
    client = server = ()
    mutual = 1

    def files(self, ca, own=None):
        return [self.certs.pem(ca)] + ([self.certs.pem(own), self.certs.key(own)] if own else [])

    def their_server(self, certificate="server"):
        return self.serve(*self.server, self.certs.pem(certificate), self.certs.key(certificate),
                          self.certs.pem("ca"))

    def test_their_client_calls_our_server(self):
        target = self.our_server().target(0)
        self.succeeds(*self.client, target)

    def test_their_client_calls_our_server_with_tls(self):
        target = self.our_server().target(1)
        self.succeeds(*self.client, target, *self.files("ca"))
        self.succeeds(*self.client, target, *self.files("stranger"), "refused")

    def test_their_client_calls_our_server_with_mtls(self):
        target = self.our_server().target(2)
        self.succeeds(*self.client, target, *self.files("ca", "client"))
        self.succeeds(*self.client, target, *self.files("ca"), "refused")
        self.succeeds(*self.client, target, *self.files("ca", "spy"), "refused")

    def test_our_client_calls_their_server(self):
        target = self.their_server().target(0)
        self.succeeds(CLIENT, target)

    def test_our_client_calls_their_server_with_mtls(self):
        target = self.their_server().target(self.mutual)
        self.succeeds(CLIENT, target, *self.files("ca", "client"))
        self.succeeds(CLIENT, target.replace("127.0.0.1", "localhost"),
                      *self.files("ca", "client"))
        self.succeeds(CLIENT, target, *self.files("ca"), "refused")
        self.succeeds(CLIENT, target, *self.files("ca", "spy"), "refused")
        self.succeeds(CLIENT, target, *self.files("stranger", "client"), "refused")

    def test_our_client_looks_at_the_name(self):
        target = self.their_server("other").target(self.mutual)
        self.succeeds(CLIENT, target, *self.files("ca", "client"), "refused")
        self.succeeds(CLIENT, target.replace("127.0.0.1", "localhost"),
                      *self.files("ca", "client"), "refused")
