# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: running the command, making share files, and reading them by
other libraries' code."""
import collections
import ctypes
import ctypes.util
import hashlib
import os
import select
import shutil
import struct
import subprocess
import tempfile
import time
import unittest

QUORATE = os.environ["QUORATE"]
SHARE_FILES = os.environ["SHARE_FILES"]
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLE = os.path.join(SOURCE, "examples", "transfer.json")
PASSPHRASE = b"correct horse battery staple"
LIMIT = 600  # seconds: nothing may hang, however loaded the machine is

Result = collections.namedtuple("Result", "code out err")


def run(*args, program=QUORATE, **kw):
    p = subprocess.run([program, *args], stdin=subprocess.DEVNULL, capture_output=True,
                       timeout=LIMIT, check=False, **kw)
    return Result(p.returncode, p.stdout.decode(), p.stderr.decode())


def until(what):
    """Ask |what| until it gives something true, which is returned."""
    end = time.monotonic() + LIMIT
    while True:
        got = what()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        select.select([], [], [], 0.01)  # between two looks, not instead of one


class TestCase(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.tmp = tempfile.mkdtemp(prefix="quorate-e2e-")
        self.addCleanup(shutil.rmtree, self.tmp)
        # Where a demo without --dir keeps its system: a killed one cannot remove it.
        self.addCleanup(os.environ.pop, "TMPDIR")
        os.environ["TMPDIR"] = self.tmp

    def path(self, *names):
        return os.path.join(self.tmp, *names)

    def write(self, name, content):
        path = self.path(name)
        with open(path, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        return path

    def tree(self):
        """Everything under the test's directory, with contents and modes."""
        found = {}
        for base, _, files in os.walk(self.tmp):
            found[base] = None
            for name in files:
                path = os.path.join(base, name)
                if os.path.islink(path):
                    found[path] = os.readlink(path)
                    continue
                with open(path, "rb") as f:
                    found[path] = (f.read(), os.stat(path).st_mode)
        return found

    def make_shares(self):
        """Share files of a new key, and two messages of its parties, in the test's directory."""
        r = run("make", self.tmp, PASSPHRASE.decode(), program=SHARE_FILES)
        self.assertEqual((r.code, r.out, r.err), (0, "", ""))


# --- share files, read from docs/share-file.md and protocol.md F.8 alone ---

HEADER = struct.Struct(">8s6B3HIQ32s32s32s33s3xII16s16s12sI")
FIELDS = ("magic version state suite profile flags kdf n t own epoch created keyid kgid identity pk "
          "passes memory salt check nonce sealed_len")
ShareFile = collections.namedtuple("ShareFile", FIELDS + " header sealed")


def parse_share_file(b):
    header = b[:HEADER.size]
    return ShareFile(*HEADER.unpack(header), header, b[HEADER.size:])


def _library(name):
    return ctypes.CDLL(ctypes.util.find_library(name))


def argon2id(passphrase, salt, passes, memory_kib, length):
    sodium = _library("sodium")
    out = ctypes.create_string_buffer(length)
    assert sodium.crypto_pwhash(out, ctypes.c_ulonglong(length), passphrase,
                                ctypes.c_ulonglong(len(passphrase)), salt,
                                ctypes.c_ulonglong(passes), ctypes.c_size_t(memory_kib * 1024),
                                2) == 0
    return out.raw


def aes_256_gcm_open(key, nonce, sealed, header):
    crypto = _library("crypto")
    crypto.EVP_CIPHER_CTX_new.restype = ctypes.c_void_p
    crypto.EVP_aes_256_gcm.restype = ctypes.c_void_p
    ctx = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new())
    cipher = ctypes.c_void_p(crypto.EVP_aes_256_gcm())
    body, tag = sealed[:-16], sealed[-16:]
    out, n = ctypes.create_string_buffer(len(body)), ctypes.c_int()
    assert crypto.EVP_DecryptInit_ex(ctx, cipher, None, key, nonce) == 1
    assert crypto.EVP_DecryptUpdate(ctx, None, ctypes.byref(n), header, len(header)) == 1
    assert crypto.EVP_DecryptUpdate(ctx, out, ctypes.byref(n), body, len(body)) == 1
    assert crypto.EVP_CIPHER_CTX_ctrl(ctx, 0x11, 16, tag) == 1
    ok = crypto.EVP_DecryptFinal_ex(ctx, ctypes.byref(ctypes.create_string_buffer(16)),
                                    ctypes.byref(n))
    crypto.EVP_CIPHER_CTX_free(ctx)
    assert ok == 1, "the tag does not verify"
    return out.raw


def open_share_file(path, passphrase):
    """(public facts, identity key, record) of a sealed file."""
    with open(path, "rb") as f:
        file = parse_share_file(f.read())
    both = argon2id(passphrase, file.salt, file.passes, file.memory, 48)
    assert both[32:] == file.check, "wrong passphrase"
    content = aes_256_gcm_open(both[:32], file.nonce, file.sealed, file.header)
    return file, content[:64], content[64:]


Record = collections.namedtuple("Record", "kgid epoch keyid created n t own pk cc s parties pairs")


def parse_record(b):
    """The share record of protocol.md F.8."""
    assert b[:4] == b"DKS1"
    kgid, epoch, keyid, created, n, t, own = struct.unpack_from(">32sI32sQ3H", b, 8)
    at = 8 + 82
    pk, cc, s = b[at:at + 33], b[at + 33:at + 65], b[at + 65:at + 97]
    at += 97
    parties = [struct.unpack_from(">H32s32s33s", b, at + 99 * i) for i in range(n)]
    at += 99 * n
    at += 2 + 34 * struct.unpack_from(">H", b, at)[0]
    pairs = [struct.unpack_from(">HB32s8192s8192s16s", b, at + 16435 * i) for i in range(n - 1)]
    return Record(kgid, epoch, keyid, created, n, t, own, pk, cc, s, parties, pairs)


# --- what is hashed and signed, from protocol.md alone ---

def th(label, *fields):
    """TH of protocol.md B.1."""
    tag = hashlib.sha256(b"DKC/1/" + label).digest()
    return hashlib.sha256(tag + tag + b"".join(struct.pack(">I", len(f)) + f
                                               for f in fields)).digest()


class Signer:
    """An Ed25519 key of libsodium's."""

    def __init__(self):
        self.sodium = _library("sodium")
        pk, self.sk = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
        assert self.sodium.crypto_sign_keypair(pk, self.sk) == 0
        self.pk = pk.raw

    def sign(self, digest):
        sig = ctypes.create_string_buffer(64)
        assert self.sodium.crypto_sign_detached(sig, None, digest, ctypes.c_ulonglong(len(digest)),
                                                self.sk) == 0
        return sig.raw
