#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A RabbitMQ server for tests: real, of an ordinary user, in a directory of its own, on loopback.

usage: rabbitmq.py COMMAND [ARGUMENT ...]

Starts a server, runs COMMAND with BROKER_TEST_PORT, BROKER_TEST_TLS_PORT, BROKER_TEST_USER,
BROKER_TEST_PASSWORD, BROKER_TEST_CA and BROKER_TEST_CONTROL set, stops the server and removes it.
Exits as COMMAND did; 77, which is "skipped", where no server is installed. Whoever writes "stop",
"go", "kill" or "start" and a line's end to the FIFO BROKER_TEST_CONTROL has that done to the server
and reads "done" from the FIFO BROKER_TEST_CONTROL.done.

As a module: Server. One start takes about ten seconds: one server for many tests.
"""
import contextlib
import ctypes
import os
import pwd
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

from postgres import drop_root, free_port, lives

PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"
USER, VHOST = "mpc_user", "/"


def free_ports(n):
    return [free_port() for _ in range(n)]


def end_with_parent():
    """A test that is killed leaves no server: the script hands this on to the server."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class Server:
    def __init__(self, settings=()):
        self.epmd_program = shutil.which("epmd")
        if not os.path.exists(PROGRAM) or not self.epmd_program:
            raise FileNotFoundError("no RabbitMQ server is installed")
        self.dir = tempfile.mkdtemp(prefix="quorate-rabbitmq-")
        self.password = secrets.token_hex(12)
        self.port, self.tls_port, self.dist_port, self.epmd_port = free_ports(4)
        self.ca = os.path.join(self.dir, "ca.pem")
        self.process = self.epmd = None
        self.settings = list(settings)
        try:
            self._make()
            self.start()
        except BaseException:
            self.remove()
            raise

    def _make(self):
        self._certify()
        lines = [f"listeners.tcp.1 = 127.0.0.1:{self.port}",
                 f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}",
                 f"ssl_options.cacertfile = {self.ca}",
                 f"ssl_options.certfile = {self.dir}/server.pem",
                 f"ssl_options.keyfile = {self.dir}/server.key",
                 "ssl_options.verify = verify_none",
                 f"default_user = {USER}", f"default_pass = {self.password}",
                 "loopback_users = none", "log.console = false",
                 "vm_memory_high_watermark.absolute = 512MB", "disk_free_limit.absolute = 1MB",
                 *self.settings]
        for name, text in (("rabbitmq.conf", "\n".join(lines) + "\n"), ("plugins", "[].\n"),
                           ("env.conf", "")):
            with open(os.path.join(self.dir, name), "w", encoding="ascii") as f:
                f.write(text)
        if os.geteuid() == 0:
            who = pwd.getpwnam("nobody")
            for path in [self.dir] + [os.path.join(self.dir, n) for n in os.listdir(self.dir)]:
                os.chown(path, who.pw_uid, who.pw_gid)
        os.chmod(self.dir, 0o755)  # the authority's certificate is for everybody

    def _certify(self):
        """An authority and the server's certificate, for one name and one address; a list that
        revokes nothing, and one that revokes it."""
        def openssl(*args):
            subprocess.run(["openssl", *args], cwd=self.dir, check=True, capture_output=True)
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj",
                "/CN=test authority", "-addext", "basicConstraints=critical,CA:TRUE")
        openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj",
                "/CN=localhost")
        with open(os.path.join(self.dir, "names"), "w", encoding="ascii") as f:
            f.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-out", "server.pem", "-days", "2", "-extfile", "names")
        with open(os.path.join(self.dir, "ca.conf"), "w", encoding="ascii") as f:
            f.write("[ca]\ndefault_ca=own\n[own]\ndatabase=revoked\ncrlnumber=number\n"
                    "default_md=sha256\ndefault_crl_days=2\n")
        for name, text in (("revoked", ""), ("number", "01\n")):
            with open(os.path.join(self.dir, name), "w", encoding="ascii") as f:
                f.write(text)
        ca = ("ca", "-config", "ca.conf", "-keyfile", "ca.key", "-cert", "ca.pem")
        openssl(*ca, "-gencrl", "-out", "none.crl")
        openssl(*ca, "-revoke", "server.pem")
        openssl(*ca, "-gencrl", "-out", "server.crl")

    def _env(self):
        d = self.dir
        return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": d,
                "RABBITMQ_NODENAME": "quorate@localhost",
                "RABBITMQ_MNESIA_BASE": d + "/mnesia", "RABBITMQ_LOG_BASE": d + "/log",
                "RABBITMQ_CONFIG_FILE": d + "/rabbitmq.conf",
                "RABBITMQ_ENABLED_PLUGINS_FILE": d + "/plugins",
                "RABBITMQ_CONF_ENV_FILE": d + "/env.conf",
                # one thread, which is less work for a machine that many tests share
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS":
                    "+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
                "RABBITMQ_DIST_PORT": str(self.dist_port), "ERL_EPMD_PORT": str(self.epmd_port),
                "ERL_EPMD_ADDRESS": "127.0.0.1"}

    def start(self):
        """Both are children of this process, so that a killed one leaves little behind."""
        with open(os.path.join(self.dir, "output"), "ab") as out:
            common = dict(cwd=self.dir, env=self._env(), stdin=subprocess.DEVNULL, stdout=out,
                          stderr=out, start_new_session=True, preexec_fn=end_with_parent,
                          **drop_root())
            if self.epmd is None or self.epmd.poll() is not None:
                self.epmd = subprocess.Popen([self.epmd_program], **common)
            self.process = subprocess.Popen([PROGRAM], **common)
        while not self.answers():
            if self.process.poll() is not None:
                raise RuntimeError("RabbitMQ does not start: " + self.log())
            select.select([], [], [], 0.05)  # between two looks

    def answers(self):
        with contextlib.suppress(OSError):
            with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                s.sendall(b"AMQP\0\0\x09\x01")
                return s.recv(1) == b"\x01"
        return False

    def log(self):
        with contextlib.suppress(FileNotFoundError):
            with open(os.path.join(self.dir, "output"), encoding="utf-8", errors="replace") as f:
                return f.read()[-2000:]
        return ""

    def signal(self, number):
        """To the server with all its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def group(self):
        """The server's own process is a child of the one that was started."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if os.getpgid(int(pid)) == self.process.pid:
                    yield pid

    def kill(self):
        """As if its machine had lost its power. start() begins it again with what it had."""
        if self.process and self.process.poll() is None:
            doomed = list(self.group())
            self.signal(signal.SIGKILL)
            self.process.wait()
            while any(map(lives, doomed)):  # its ports and its name are taken as long
                select.select([], [], [], 0.01)

    def env(self):
        """The variables of a router that uses it."""
        return {"RABBITMQ_HOST": "127.0.0.1", "RABBITMQ_PORT": str(self.port),
                "RABBITMQ_USER": USER, "RABBITMQ_PASSWORD": self.password,
                "RABBITMQ_VHOST": VHOST, "RABBITMQ_TLS": "off"}

    def test_env(self):
        return {"BROKER_TEST_PORT": str(self.port), "BROKER_TEST_TLS_PORT": str(self.tls_port),
                "BROKER_TEST_USER": USER, "BROKER_TEST_PASSWORD": self.password,
                "BROKER_TEST_CA": self.ca, "BROKER_TEST_DIR": self.dir}

    def remove(self):
        self.kill()
        if self.epmd and self.epmd.poll() is None:
            self.epmd.kill()
            self.epmd.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()


def obey(server, path):
    """What the command asks for, until it has gone."""
    actions = {"stop": lambda: server.signal(signal.SIGSTOP),
               "go": lambda: server.signal(signal.SIGCONT), "kill": server.kill,
               "start": server.start}
    # Both are open for reading and writing: nothing is lost between two commands, and no end of a
    # file comes between them.
    with open(os.open(path, os.O_RDWR), encoding="ascii") as f, \
            open(os.open(path + ".done", os.O_RDWR), "w", encoding="ascii") as done:
        for line in f:
            if line.strip() == "end":
                return
            actions[line.strip()]()
            print("done", file=done, flush=True)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended, too
    try:
        server = Server()
    except FileNotFoundError as e:
        print(e, file=sys.stderr)
        return 77
    with server, tempfile.TemporaryDirectory() as place:
        control = os.path.join(place, "control")
        os.mkfifo(control)
        os.mkfifo(control + ".done")
        hand = threading.Thread(target=obey, args=(server, control), daemon=True)
        hand.start()
        env = dict(os.environ, **server.test_env(), BROKER_TEST_CONTROL=control)
        code = subprocess.run(sys.argv[1:], env=env, check=False).returncode
        with open(control, "w", encoding="ascii") as f:
            f.write("end\n")
        hand.join()
        return code


if __name__ == "__main__":
    sys.exit(main())
