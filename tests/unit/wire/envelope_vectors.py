#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Known answers of test_envelope.c and test_intent.c, made by other code: python3-cryptography.

protocol.md B.1 (TH), B.3 (intent), B.7 (keys, seal, sign). Prints what the tests hold.
"""
import hashlib
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand


def sha(b):
    return hashlib.sha256(b).digest()


def th(label, *fields):
    t = sha(b"DKC/1/" + label.encode())
    return sha(t + t + b"".join(struct.pack(">I", len(f)) + f for f in fields))


def u16(v):
    return struct.pack(">H", v)


def header(protocol, rnd, kind, sender, receiver, length, sid, echo):
    return (b"DKC1" + bytes([protocol, 1, rnd, kind]) + u16(sender) + u16(receiver)
            + struct.pack(">I", length) + sid + echo)


def fill(first, n):
    return bytes((first + i) & 255 for i in range(n))


def show(name, b):
    print(f"{name:10} {b.hex()}")


sid, echo = fill(0x20, 32), fill(0x40, 32)
esk = {2: fill(1, 32), 7: fill(101, 32)}
priv = {i: X25519PrivateKey.from_private_bytes(b) for i, b in esk.items()}
ek = {i: p.public_key().public_bytes_raw() for i, p in priv.items()}
idk = {2: fill(0x60, 32), 7: fill(0x80, 32)}
ss = priv[2].exchange(priv[7].public_key())
salt = th("seal/salt", sid, b"\x03", u16(2), idk[2], ek[2], u16(7), idk[7], ek[7])
prk = HKDF.extract(hashes.SHA256(), salt, ss)
k = HKDFExpand(hashes.SHA256(), 32, b"DKC/1/seal" + b"\x02" + u16(2) + u16(7)).derive(prk)
payload = b"the quick brown fox jumps over the lazy dog"
h = header(3, 2, 1, 2, 7, len(payload), sid, echo)
for i in (2, 7):
    show(f"ek{i}", ek[i])
show("prk", prk)
show("key", k)
show("sealed", ChaCha20Poly1305(k).encrypt(bytes(12), payload, h))

identity = Ed25519PrivateKey.from_private_bytes(fill(0xA0, 32))
show("idpk", identity.public_key().public_bytes_raw())
hb = header(1, 1, 0, 2, 0xFFFF, 64, sid, bytes(32))
show("sig", identity.sign(th("wire/sign", hb, ek[2], fill(0, 64))))
show("open", th("wire/open", h, payload))

intent = (b"DKI1" + bytes([1, 2, 1, 1, 1]) + fill(0xC0, 16) + fill(0xD0, 16) + fill(0xE0, 32)
          + fill(0x10, 32) + struct.pack(">QI", 1700000000, 3) + u16(2) + u16(3)
          + u16(1) + u16(2) + u16(300) + u16(3) + struct.pack(">III", 44, 60, 0x7FFFFFFF)
          + b"\x01" + struct.pack(">I", 5) + b"hello")
show("intent", intent)
show("intentsig", identity.sign(th("intent/sig", intent)))
show("iid0", th("intent/iid", sha(intent), struct.pack(">I", 0)))
show("iid2", th("intent/iid", sha(intent), struct.pack(">I", 2)))
show("req2", th("intent/req", sha(intent), struct.pack(">I", 2)))
