# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: running the command, alone or watched, and reading share files.

Nothing here sleeps: a test waits for lines on stderr, for the end of a process, or for a file that
a line has announced.
"""
import collections
import ctypes
import ctypes.util
import hashlib
import json
import os
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import unittest

QUORATE = os.environ["QUORATE"]
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLE = os.path.join(SOURCE, "examples", "transfer.json")
PASSPHRASE = b"correct horse battery staple"
LIMIT = 600  # seconds: nothing may hang, however loaded the machine is

Result = collections.namedtuple("Result", "code out err")


def passphrase_pipe(passphrase):
    """The read end of a pipe that holds |passphrase|."""
    r, w = os.pipe()
    os.write(w, passphrase)
    os.close(w)
    return r


def popen(args, passphrase=None, **kw):
    args = [QUORATE, *args]
    fds = []
    if passphrase is not None:
        fds = [passphrase_pipe(passphrase)]
        args += ["--passphrase-fd", str(fds[0])]
    try:
        return subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, pass_fds=fds, **kw)
    finally:
        for fd in fds:
            os.close(fd)


def run(*args, passphrase=None, **kw):
    p = popen(args, passphrase, **kw)
    out, err = p.communicate(timeout=LIMIT)
    return Result(p.returncode, out.decode(), err.decode())


def wait_gone(pids):
    """Until all these processes, children or not, have ended."""
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        ended = poll.poll(LIMIT * 1000)
        os.close(fd)
        if not ended:
            raise AssertionError(f"process {pid} did not end")


class Watched:
    """A demo with --trace whose stderr is read line by line."""

    def __init__(self, *args, passphrase=None, fd=None):
        """|fd| is where the passphrase comes from, in place of |passphrase|."""
        args = ["demo", "--trace", *args]
        if fd is None:
            self.p = popen(args, passphrase)
        else:
            self.p = subprocess.Popen([QUORATE, *args, "--passphrase-fd", str(fd)], pass_fds=[fd],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE)
        self.lines, self.pids = [], {}

    def line(self):
        """The next line, or None at the end."""
        line = self.p.stderr.readline().decode()
        if not line:
            return None
        self.lines.append(line.rstrip("\n"))
        words = line.split()
        if "is process" in line:
            self.pids[" ".join(words[1:-3])] = int(words[-1])
        return self.lines[-1]

    def until(self, condition):
        """Read until |condition| holds for the lines so far."""
        while not condition(self.lines):
            if self.line() is None:
                raise AssertionError("ended too early:\n" + "\n".join(self.lines))

    def until_line(self, text):
        self.until(lambda lines: any(text in line for line in lines))

    def until_count(self, text, n):
        self.until(lambda lines: sum(text in line for line in lines) >= n)

    def kill(self, name):
        try:
            os.kill(self.pids[name], signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ended after the line that was waited for

    def end(self):
        """Wait for the command and everything it started; its code, stdout and own sentences."""
        while self.line() is not None:
            pass
        out = self.p.stdout.read().decode()
        code = self.p.wait(timeout=LIMIT)
        self.p.stdout.close()
        self.p.stderr.close()
        wait_gone(self.pids.values())
        said = [line for line in self.lines if not line.startswith("trace: ")]
        return Result(code, out, said)


class TestCase(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.tmp = tempfile.mkdtemp(prefix="quorate-e2e-")
        self.addCleanup(shutil.rmtree, self.tmp)
        # Where a demo without --dir keeps its files: a killed one cannot remove them.
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
                with open(path, "rb") as f:
                    found[path] = (f.read(), os.stat(path).st_mode)
        return found

    def make_key(self, name="key", *args, passphrase=PASSPHRASE):
        """A key in a directory; the demo's report."""
        r = run("demo", "--dir", self.path(name), "--signers", "1,2", "--json", *args,
                passphrase=passphrase)
        self.assertEqual((r.code, r.err), (0, ""))
        return json.loads(r.out)

    def share(self, name, party):
        return self.path(name, f"party-{party}.share")


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


def aes_256_gcm_seal(key, nonce, content, header):
    crypto = _library("crypto")
    crypto.EVP_CIPHER_CTX_new.restype = ctypes.c_void_p
    crypto.EVP_aes_256_gcm.restype = ctypes.c_void_p
    ctx = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new())
    cipher = ctypes.c_void_p(crypto.EVP_aes_256_gcm())
    out, tag = ctypes.create_string_buffer(len(content)), ctypes.create_string_buffer(16)
    n = ctypes.c_int()
    assert crypto.EVP_EncryptInit_ex(ctx, cipher, None, key, nonce) == 1
    assert crypto.EVP_EncryptUpdate(ctx, None, ctypes.byref(n), header, len(header)) == 1
    assert crypto.EVP_EncryptUpdate(ctx, out, ctypes.byref(n), content, len(content)) == 1
    assert crypto.EVP_EncryptFinal_ex(ctx, tag, ctypes.byref(n)) == 1
    assert crypto.EVP_CIPHER_CTX_ctrl(ctx, 0x10, 16, tag) == 1
    crypto.EVP_CIPHER_CTX_free(ctx)
    return out.raw + tag.raw


def change_share_file(path, passphrase, change):
    """Seal the file again, with the record that |change| makes of its own, as its owner could."""
    file, identity, record = open_share_file(path, passphrase)
    key = argon2id(passphrase, file.salt, file.passes, file.memory, 48)[:32]
    sealed = aes_256_gcm_seal(key, file.nonce, identity + change(record), file.header)
    with open(path, "wb") as f:
        f.write(file.header + sealed)


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


PAIR_BYTES = 16435


def spoil_bob_seeds(record, peer):
    """|record| with other OT seeds towards |peer|: no check of the record alone can see it, but the
    first extension message made with them is a cheat."""
    parsed = parse_record(record)
    at = (8 + 82 + 97 + 99 * parsed.n + 2 +
          PAIR_BYTES * [pair[0] for pair in parsed.pairs].index(peer) + 35)
    return record[:at] + bytes(b ^ 1 for b in record[at:at + 8192]) + record[at + 8192:]


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
