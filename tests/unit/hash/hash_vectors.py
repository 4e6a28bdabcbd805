#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the constants of the tests in this folder: protocol.md B.1, B.8 and D.5 once more, from
the text, on other people's SHA-256 and AES."""
import hashlib
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def sha(b):
    return hashlib.sha256(b).digest()


def T(label):
    return sha(b'DKC/1/' + label.encode())


def TH(label, *fields):
    return sha(T(label) * 2 + b''.join(len(f).to_bytes(4, 'big') + f for f in fields))


def FH(label, c, data):
    return sha(T(label) + c + data)


def LH8(label, c, rows):
    lanes = [FH(label, c, b''.join(rows[v::8]) + bytes([v])) for v in range(8)]
    return TH(label + '/top', c, b''.join(lanes))


def drbg(seed, n):
    key = sha(seed)
    return b''.join(sha(key + i.to_bytes(8, 'big')) for i in range((n + 31) // 32))


def prg(key, seeds):
    aes = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    out = b''
    for s in seeds:
        for c in range(5):
            x = s[:15] + bytes([s[15] ^ c])
            out += bytes(a ^ b for a, b in zip(aes.update(x), x))
    return out


def pattern(n):
    """The tests' pattern_fill."""
    return bytes((7 * i + i // 256) & 255 for i in range(n))


def rows(row_len, n):
    return [pattern(row_len * n)[row_len * i:row_len * (i + 1)] for i in range(n)]


c = pattern(32)
for length in (0, 55, 56, 64, 200):
    print(f'FH("ext/row", {length})', FH('ext/row', c, pattern(length)).hex())
for row_len, n in ((96, 512), (32, 512), (2, 20), (5, 8), (0, 8), (3, 0), (96, 515)):
    print(f'LH8("rv/at", {row_len} x {n})', LH8('rv/at', c, rows(row_len, n)).hex())
print('HS', TH('kg/pok', pattern(40)).hex())
print('DRBG draws of 40, 32, 1000:')
d = drbg(pattern(32), 64 + 32 + 1024)
print(d[:40].hex(), d[64:96].hex(), sha(d[96:1096]).hex(), sep='\n')
print('PRG', sha(prg(pattern(16), [pattern(272)[16 + 16 * i:32 + 16 * i] for i in range(16)])).hex())
