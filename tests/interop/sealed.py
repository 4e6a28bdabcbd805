# SPDX-License-Identifier: Apache-2.0
"""Sealed boxes by libsodium: what the owner of a share does with it. As a program it opens a box
and seals what was inside for somebody else: sealed.py PUBLIC SECRET TO < box, base64 > box."""
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


def reseal(box, public, secret, to):
    sodium = library()
    n = len(box) - SEAL
    inside, out = ctypes.create_string_buffer(n), ctypes.create_string_buffer(len(box))
    assert sodium.crypto_box_seal_open(inside, box, ctypes.c_ulonglong(len(box)), public,
                                       secret) == 0
    assert sodium.crypto_box_seal(out, inside, ctypes.c_ulonglong(n), to) == 0
    return out.raw


if __name__ == "__main__":
    keys = [bytes.fromhex(text) for text in sys.argv[1:]]
    print(base64.b64encode(reseal(base64.b64decode(sys.stdin.read()), *keys)).decode())
