#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Known answers of the key layer's tests, computed with code of their own.

Keccak is the generic sponge after FIPS 202's reference, checked against hashlib's SHA3-256 with the
other padding byte; RIPEMD-160 is OpenSSL's (legacy provider); the curve is affine arithmetic on
Python integers. Prints what test_keccak.c, test_ripemd160.c, test_base58.c, test_bech32.c and
test_address.c hold.
"""
import hashlib
import subprocess

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def rotl(v, n):
    return ((v << n % 64) | (v >> (64 - n % 64))) & (2**64 - 1)


def round_constants():
    lfsr = 1
    for _ in range(24):
        c = 0
        for j in range(7):
            c |= (lfsr & 1) << ((1 << j) - 1)
            lfsr = (lfsr << 1) ^ (0x171 if lfsr >> 7 else 0)
        yield c


def permute(a):
    for rc in round_constants():
        c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        a = [[a[x][y] ^ c[x - 1] ^ rotl(c[(x + 1) % 5], 1) for y in range(5)] for x in range(5)]
        x, y, cur = 1, 0, a[1][0]
        for t in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            cur, a[x][y] = a[x][y], rotl(cur, (t + 1) * (t + 2) // 2)
        a = [[a[x][y] ^ (~a[(x + 1) % 5][y] & a[(x + 2) % 5][y]) for y in range(5)]
             for x in range(5)]
        a[0][0] ^= rc
    return a


def keccak(m, pad=1):
    k = 136 - len(m) % 136
    m = bytearray(m) + bytes(k)
    m[-k] ^= pad
    m[-1] ^= 0x80
    a = [[0] * 5 for _ in range(5)]
    for at in range(0, len(m), 136):
        for i in range(17):
            a[i % 5][i // 5] ^= int.from_bytes(m[at + 8 * i:at + 8 * i + 8], "little")
        a = permute(a)
    return b"".join(a[i][0].to_bytes(8, "little") for i in range(4))


def sha(b):
    return hashlib.sha256(b).digest()


def ripemd(b):
    command = ["openssl", "dgst", "-ripemd160", "-provider", "legacy", "-provider", "default",
               "-binary"]
    return subprocess.run(command, input=b, capture_output=True, check=True).stdout


def add(p, q):
    if p is None or q is None:
        return p or q
    if p[0] == q[0]:
        if (p[1] + q[1]) % P == 0:
            return None
        slope = 3 * p[0] * p[0] * pow(2 * p[1], -1, P)
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, P)
    x = (slope * slope - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def mul(k):
    r, p = None, G
    while k:
        if k & 1:
            r = add(r, p)
        p = add(p, p)
        k >>= 1
    return r


def base58check(b):
    b += sha(sha(b))[:4]
    n, s = int.from_bytes(b, "big"), ""
    while n:
        n, d = divmod(n, 58)
        s = BASE58[d] + s
    return "1" * (len(b) - len(b.lstrip(b"\0"))) + s


def polymod(digits):
    c = 1
    for d in digits:
        top = c >> 25
        c = (c & 0x1FFFFFF) << 5 ^ d
        for i, g in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            c ^= g if top >> i & 1 else 0
    return c


def p2wpkh(h):
    n = int.from_bytes(h, "big")
    digits = [0] + [n >> (155 - 5 * i) & 31 for i in range(32)]
    check = polymod([3, 3, 0, 2, 3] + digits + [0] * 6) ^ 1
    digits += [check >> (25 - 5 * i) & 31 for i in range(6)]
    return "bc1" + "".join(BECH32[d] for d in digits)


def eip55(h):
    mask = keccak(h.hex().encode()).hex()
    return "0x" + "".join(c.upper() if int(m, 16) >= 8 else c for c, m in zip(h.hex(), mask))


def pattern(n):
    return bytes((7 * i + n) & 255 for i in range(n))


assert all(keccak(bytes(n), 6) == hashlib.sha3_256(bytes(n)).digest() for n in (0, 135, 136, 272))
for length in (135, 136, 137, 271, 272, 1000):
    print("keccak", length, keccak(pattern(length)).hex())
for length in (55, 56, 63, 64, 65, 119, 120, 128, 1000):
    print("ripemd", length, ripemd(pattern(length)).hex())
for b in (bytes(21), b"\xff" * 21, b"\x41" + bytes(20)):
    print("base58", b.hex(), base58check(b))
for b in (bytes(20), b"\xff" * 20):
    print("bech32", b.hex(), p2wpkh(b))
for key in (1, 2, 0xDEADBEEF, N - 1, 12345678901234567890):
    x, y = mul(key)
    pk = bytes([2 + (y & 1)]) + x.to_bytes(32, "big")
    account = keccak(x.to_bytes(32, "big") + y.to_bytes(32, "big"))[12:]
    hashed = ripemd(sha(pk))
    print("address", pk.hex(), eip55(account), p2wpkh(hashed), base58check(b"\0" + hashed),
          base58check(b"\x41" + account))
