# SPDX-License-Identifier: Apache-2.0
"""Sealed boxes by libsodium: what the owner of a share does with it. As a program it opens a box
and lends what was inside for a session: sealed.py PUBLIC SECRET TO SESSION < box, base64 > box."""
import base64
import ctypes
import ctypes.util
import sys

SEAL = 48


def library():
    sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))
    assert sodium.sodium_init() >= 0
    return sodium


def key_pair():
    """An X25519 key: public, secret."""
    public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(32)
    assert library().crypto_box_keypair(public, secret) == 0
    return public.raw, secret.raw


def open_box(box, public, secret):
    n = len(box) - SEAL
    inside = ctypes.create_string_buffer(max(n, 1))
    if library().crypto_box_seal_open(inside, box, ctypes.c_ulonglong(len(box)), public, secret):
        raise ValueError("the box is sealed to another key")
    return inside.raw[:n]


def seal(inside, to):
    out = ctypes.create_string_buffer(len(inside) + SEAL)
    assert library().crypto_box_seal(out, inside, ctypes.c_ulonglong(len(inside)), to) == 0
    return out.raw


def field(number, value):
    """Of a protobuf message: bytes."""
    n, length = len(value), b""
    while n > 127:
        length, n = length + bytes([n & 127 | 128]), n >> 7
    return bytes([number << 3 | 2]) + length + bytes([n]) + value


def lent_share(session_id, share, intent_hash=b""):
    """mpc.party_api.v1.LentShare"""
    return (field(1, session_id.encode()) + field(2, share) +
            (field(3, intent_hash) if intent_hash else b""))


def main():
    public, secret, to = (bytes.fromhex(text) for text in sys.argv[1:4])
    share = open_box(base64.b64decode(sys.stdin.read()), public, secret)
    print(base64.b64encode(seal(lent_share(sys.argv[4], share), to)).decode())


if __name__ == "__main__":
    main()
