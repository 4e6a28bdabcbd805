# SPDX-License-Identifier: Apache-2.0
"""Certificates by the openssl command, of any authority and for any time, and a look at who is let
in where certificates are asked for."""
import os
import socket
import ssl
import subprocess

from support import LIMIT

CONFIG = """
[ca]
default_ca = own
[own]
dir = {dir}
new_certs_dir = {dir}
database = {dir}/index.txt
serial = {dir}/serial
rand_serial = yes
default_md = sha256
default_days = 30
default_crl_days = 30
unique_subject = no
policy = any
x509_extensions = leaf
crlnumber = {dir}/crlnumber
[any]
commonName = supplied
[req]
distinguished_name = name
prompt = no
x509_extensions = authority
[name]
CN = An authority of another maker
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical,CA:FALSE
subjectAltName = {names}
"""


class Authority:
    """Its files are in |directory|; |certificate| and |key| of one that exists, or a new one."""

    def __init__(self, directory, certificate=None, key=None):
        self.dir = directory
        os.makedirs(directory)
        for name, text in (("index.txt", ""), ("crlnumber", "01\n")):
            with open(os.path.join(directory, name), "w", encoding="ascii") as f:
                f.write(text)
        self.config("DNS:nobody")
        self.certificate, self.key = certificate, key
        if certificate is None:
            self.certificate, self.key = self.path("ca.crt"), self.path("ca.key")
            self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.key)
            self.openssl("req", "-config", self.path("config"), "-x509", "-new", "-key", self.key,
                         "-days", "30", "-out", self.certificate)

    def path(self, name):
        return os.path.join(self.dir, name)

    def config(self, names):
        with open(self.path("config"), "w", encoding="ascii") as f:
            f.write(CONFIG.format(dir=self.dir, names=names))

    @staticmethod
    def openssl(*words):
        subprocess.run(["openssl", *words], stdin=subprocess.DEVNULL, capture_output=True,
                       timeout=LIMIT, check=True)

    def issue(self, name, names, *times):
        """(certificate, key); |times|: -startdate and -enddate."""
        certificate, key, request = (self.path(name + end) for end in (".crt", ".key", ".csr"))
        self.config(names)
        self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        self.openssl("req", "-new", "-key", key, "-subj", "/CN=" + name, "-out", request)
        self.openssl("ca", "-batch", "-config", self.path("config"), "-cert", self.certificate,
                     "-keyfile", self.key, "-in", request, "-out", certificate, "-notext", *times)
        return certificate, key

    def crl(self):
        path = self.path("crl.pem")
        self.openssl("ca", "-config", self.path("config"), "-cert", self.certificate, "-keyfile",
                     self.key, "-gencrl", "-out", path)
        return path


def open_door(port, ca, pair=None):
    """A connection to a gRPC port on which the server has said what HTTP/2 servers say first, or
    None: it did not let us in."""
    trust = ssl.create_default_context(cafile=ca)
    trust.set_alpn_protocols(["h2"])
    if pair:
        trust.load_cert_chain(*pair)
    raw = socket.create_connection(("127.0.0.1", port), timeout=LIMIT)
    door = raw
    try:
        door = trust.wrap_socket(raw, server_hostname="127.0.0.1")
        door.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        head = door.recv(9)
        if len(head) == 9 and head[3] == 4:
            return door
    except (ssl.SSLError, ConnectionError):
        pass
    door.close()
    return None


def is_let_in(port, ca, pair=None):
    door = open_door(port, ca, pair)
    if door:
        door.close()
    return door is not None


def serial_at(port, ca, pair=None):
    """The serial number of the certificate that the server shows."""
    trust = ssl.create_default_context(cafile=ca)
    if pair:
        trust.load_cert_chain(*pair)
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as raw:
        with trust.wrap_socket(raw, server_hostname="127.0.0.1") as door:
            return door.getpeercert()["serialNumber"].lstrip("0")
