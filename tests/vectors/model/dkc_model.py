#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Executable model of protocol-spec.md (variable time, tests only).

Every byte that is hashed or sent follows the specification text, so this file can
produce known-answer tests.  EC operations use only the *public* API of libsecp256k1
(via ctypes) to prove that section O of the specification is sufficient.
"""
import ctypes, ctypes.util, hashlib, hmac, json, struct, sys, os
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141
KAPPA, LC, LS, K, S = 256, 128, 128, 4, 128
XI, RHO, ELL = KAPPA + 2 * LS, 1, 2
W = ELL + RHO
Q, NT = 1 << K, LC // K
LP = XI + S                     # 640 bits
LPB, M = LP // 8, XI // S
PROFILE, SUITE = 1, 1

# ------------------------------------------------------------------ libsecp256k1
L = ctypes.CDLL(ctypes.util.find_library('secp256k1') or 'libsecp256k1.so.1')
L.secp256k1_context_create.restype = ctypes.c_void_p
CTX = ctypes.c_void_p(L.secp256k1_context_create(1))
ECDHCB = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_ubyte), ctypes.POINTER(ctypes.c_ubyte),
                          ctypes.POINTER(ctypes.c_ubyte), ctypes.c_void_p)
@ECDHCB
def _xy(out, x, y, d):
    ctypes.memmove(out, x, 32); ctypes.memmove(ctypes.addressof(out.contents) + 32, y, 32); return 1

CNT = {}
def cnt(k, n=1): CNT[k] = CNT.get(k, 0) + n

def b32(x): return x.to_bytes(32, 'big')
def parse(b):
    pk = ctypes.create_string_buffer(64)
    return pk if L.secp256k1_ec_pubkey_parse(CTX, pk, bytes(b), ctypes.c_size_t(len(b))) == 1 else None
def ser(pk):
    o = ctypes.create_string_buffer(33); n = ctypes.c_size_t(33)
    L.secp256k1_ec_pubkey_serialize(CTX, o, ctypes.byref(n), pk, 258); return o.raw
def G(k):
    cnt('base'); pk = ctypes.create_string_buffer(64)
    if L.secp256k1_ec_pubkey_create(CTX, pk, b32(k % N)) != 1: raise ValueError('zero scalar')
    return ser(pk)
def mul(P, k):                   # constant-time k*P through ecdh with an (x,y) callback
    cnt('ctmul'); o = ctypes.create_string_buffer(64)
    if L.secp256k1_ecdh(CTX, o, parse(P), b32(k % N), _xy, None) != 1: raise ValueError('zero scalar')
    x, y = o.raw[:32], o.raw[32:]
    return bytes([2 | (y[31] & 1)]) + x
def mulv(P, k):                  # variable-time, public scalars only
    cnt('vtmul'); pk = parse(P)
    if L.secp256k1_ec_pubkey_tweak_mul(CTX, pk, b32(k % N)) != 1: raise ValueError
    return ser(pk)
def add(*Ps):                    # None = identity
    Ps = [p for p in Ps if p is not None]
    if not Ps: return None
    pks = [parse(p) for p in Ps]; arr = (ctypes.c_void_p * len(pks))(*[ctypes.addressof(p) for p in pks])
    o = ctypes.create_string_buffer(64)
    return ser(o) if L.secp256k1_ec_pubkey_combine(CTX, o, arr, ctypes.c_size_t(len(pks))) == 1 else None
def neg(P): return bytes([P[0] ^ 1]) + P[1:]
def verify(pk, m32, r, s):
    sig = ctypes.create_string_buffer(64)
    assert L.secp256k1_ecdsa_signature_parse_compact(CTX, sig, b32(r) + b32(s)) == 1
    return L.secp256k1_ecdsa_verify(CTX, sig, m32, parse(pk)) == 1

# ------------------------------------------------------------------ hashing (B)
def u8(x): return bytes([x])
def u16(x): return struct.pack('>H', x)
def u32(x): return struct.pack('>I', x)
def sha(b): cnt('sha', (len(b) + 9 + 63) // 64); return hashlib.sha256(b).digest()
_T = {}
def T(label):
    if label not in _T: _T[label] = hashlib.sha256(b'DKC/1/' + label.encode()).digest()
    return _T[label]
def TH(label, *f):
    t = T(label); cnt('sha', -1)         # T||T midstate is cached
    return sha(t + t + b''.join(u32(len(x)) + x for x in f))
def HS(label, *f): return int.from_bytes(TH(label, *f), 'big') % N
def FH(label, ctx, data):
    assert len(ctx) == 32; cnt('sha', -1); return sha(T(label) + ctx + data)
def LH8(label, ctx, rows):
    d = [FH(label, ctx, b''.join(rows[l::8]) + u8(l)) for l in range(8)]
    return TH(label + '/top', ctx, b''.join(d))

# ------------------------------------------------------------------ randomness
class DRBG:                      # seed: 32 bytes, or a name that stands for SHA256(name)
    def __init__(s, seed):
        seed = hashlib.sha256(seed.encode()).digest() if isinstance(seed, str) else seed
        assert len(seed) == 32; s.k, s.c = hashlib.sha256(seed).digest(), 0
    def b(s, n):
        o = b''
        while len(o) < n: o += hashlib.sha256(s.k + struct.pack('>Q', s.c)).digest(); s.c += 1
        return o[:n]
    def sc(s):
        while True:
            x = int.from_bytes(s.b(32), 'big')
            if 0 < x < N: return x

class Abort(Exception): pass
def need(c, why, who=None):
    if not c: raise Abort(f'{why} blame={who}')

# ------------------------------------------------------------------ C. base OT
def h2c(sid, i, j, P):
    for ctr in range(256):
        pre = u16(i) + u8(j) + P
        x = FH('ot/h2c', sid, pre + u8(0) + u8(ctr)); y = FH('ot/h2c', sid, pre + u8(1) + u8(ctr))[0] & 1
        c = bytes([2 | y]) + x; cnt('sqrt')
        if parse(c) is not None: return c
    raise Abort('h2c')
def rand_point(r):
    while True:
        c = r.b(33); c = bytes([2 | (c[0] & 1)]) + c[1:]; cnt('sqrt')
        if parse(c) is not None: return c

class OTRecv:                    # Alice (will hold Delta)
    def __init__(s, sid, rng):
        s.sid, s.a, s.R = sid, [], []
        s.d = int.from_bytes(rng.b(LC // 8), 'little')
        for i in range(LC):
            c = s.d >> i & 1
            while True:
                a, Ro = rng.sc(), rand_point(rng)
                Rc = add(G(a), neg(h2c(sid, i, c, Ro)))
                if Rc is not None: break
            h2c(sid, i, 1 - c, Rc)                        # dummy, equal work
            s.a.append(a); s.R.append((Ro, Rc) if c else (Rc, Ro))
        s.msg = b''.join(x + y for x, y in s.R)
    def keys(s, B):
        return [TH('ot/key', s.sid, u16(i), u8(s.d >> i & 1), B, s.R[i][0], s.R[i][1], mul(B, s.a[i]))[:16] for i in range(LC)]
def ot_send(sid, msg, rng):      # Bob
    need(len(msg) == LC * 66, 'ot1 length'); b = rng.sc(); B = G(b); out = []
    for i in range(LC):
        R = [msg[66 * i:66 * i + 33], msg[66 * i + 33:66 * i + 66]]
        need(parse(R[0]) and parse(R[1]), 'ot1 point')
        k = []
        for j in (0, 1):
            Mj = add(R[j], h2c(sid, i, j, R[1 - j])); need(Mj is not None, 'ot1 identity')
            k.append(TH('ot/key', sid, u16(i), u8(j), B, R[0], R[1], mul(Mj, b))[:16])
        out.append(k)
    return B, out

# ------------------------------------------------------------------ D. PPRF
def xor(a, b): return bytes(x ^ y for x, y in zip(a, b))
def g2(sid, t, d, y, s): h = FH('pprf/g', sid, u8(t) + u8(d) + u16(y) + s); return h[:16], h[16:]
def leafh(sid, t, y, s): return FH('pprf/leaf', sid, u8(t) + u16(y) + s)
def pprf_build(sid, keys):
    seeds, out, allh = [], b'', b''
    for t in range(NT):
        s = list(keys[t * K])
        for d in range(1, K):
            ch = [g2(sid, t, d, y, s[y]) for y in range(len(s))]
            for side in (0, 1):
                c = keys[t * K + d][side]
                for x in ch: c = xor(c, x[side])
                out += c
            s = [x for p in ch for x in p]
        lh = [leafh(sid, t, y, s[y]) for y in range(Q)]
        tt = bytes(32)
        for x in lh: tt = xor(tt, x)
        out += tt; allh += b''.join(lh); seeds.append(s)
    return seeds, out + TH('pprf/dig', sid, allh)
PPRF_LEN = NT * ((K - 1) * 32 + 32) + 32
def pprf_eval(sid, dbits, keys, msg):
    need(len(msg) == PPRF_LEN, 'pprf length'); ystars, seeds, allh, o = [], [], b'', 0
    for t in range(NT):
        c0 = dbits >> (t * K) & 1
        s = [None, None]; s[c0] = keys[t * K]; ys = 1 - c0
        for d in range(1, K):
            c = dbits >> (t * K + d) & 1
            corr = msg[o:o + 32]; o += 32
            nx = [None] * (2 * len(s)); acc = xor(corr[16 * c:16 * c + 16], keys[t * K + d])
            for y in range(len(s)):
                if y == ys: continue
                nx[2 * y], nx[2 * y + 1] = g2(sid, t, d, y, s[y]); acc = xor(acc, nx[2 * y + c])
            nx[2 * ys + c] = acc; s = nx; ys = 2 * ys + 1 - c
        lh = [leafh(sid, t, y, s[y]) if y != ys else None for y in range(Q)]
        tt = msg[o:o + 32]; o += 32
        for x in lh:
            if x: tt = xor(tt, x)
        lh[ys] = tt; allh += b''.join(lh); ystars.append(ys); seeds.append(s)
    need(TH('pprf/dig', sid, allh) == msg[o:], 'pprf digest')
    return ystars, seeds

# ------------------------------------------------------------------ D2. OT extension
def prg(eid, t, seeds):
    key = FH('ext/prg', eid, u8(t))[:16]; e = Cipher(algorithms.AES(key), modes.ECB()).encryptor(); out = []
    for s in seeds:
        if s is None: out.append(None); continue
        p = b''.join(s[:15] + bytes([s[15] ^ c]) for c in range(LPB // 16))
        out.append(int.from_bytes(xor(e.update(p), p), 'little')); cnt('aes', LPB // 16)
    return out
def gmul(a, b):
    r = 0
    for i in range(128):
        if b >> i & 1: r ^= a << i
    for i in range(254, 127, -1):
        if r >> i & 1: r ^= (1 << i) ^ (0x87 << (i - 128))
    return r
MASK = (1 << 128) - 1
def chis(eid, U):
    sd = TH('ext/chi', eid, U); return [int.from_bytes(FH('ext/chi2', sd, u8(m))[:16], 'little') for m in range(M)]
def uh(chi, v):
    r = v >> XI & MASK
    for m in range(M): cnt('gf128'); r ^= gmul(v >> (128 * m) & MASK, chi[m])
    return r
def rows(cols):                  # 128 columns of LP bits -> XI rows of 16 bytes
    return [sum((cols[i] >> j & 1) << i for i in range(128)).to_bytes(16, 'little') for j in range(XI)]
def ext_recv(ssid, A, B, seeds, beta, rng):
    nB = rng.b(32); eid = TH('ext/id', ssid, u16(A), u16(B), nB)
    c = beta | int.from_bytes(rng.b(16), 'little') << XI; U, cols = b'', []
    for t in range(NT):
        r = prg(eid, t, seeds[t]); u = c
        for x in r: u ^= x
        U += u.to_bytes(LPB, 'little')
        for b in range(K):
            v = 0
            for x in range(Q):
                if x >> b & 1: v ^= r[x]
            cols.append(v)
    chi = chis(eid, U); x = uh(chi, c).to_bytes(16, 'little')
    ts = b''.join(uh(chi, v).to_bytes(16, 'little') for v in cols)
    return nB + U + x + TH('ext/chk', eid, x, ts), (eid, rows(cols))
E1_LEN = 32 + NT * LPB + 16 + 32
def ext_send(ssid, A, B, ystars, seeds, e1):
    need(len(e1) == E1_LEN, 'e1 length'); nB, U, x, dig = e1[:32], e1[32:32 + NT * LPB], e1[-48:-32], e1[-32:]
    eid = TH('ext/id', ssid, u16(A), u16(B), nB); cols, delta = [], 0
    for t in range(NT):
        r = prg(eid, t, seeds[t]); u = int.from_bytes(U[t * LPB:(t + 1) * LPB], 'little')
        for b in range(K):
            w = u if ystars[t] >> b & 1 else 0
            for y in range(Q):
                if y != ystars[t] and (y ^ ystars[t]) >> b & 1: w ^= r[y]
            cols.append(w)
        delta |= ystars[t] << (t * K)
    chi = chis(eid, U); xi = int.from_bytes(x, 'little')
    ts = b''.join((uh(chi, w) ^ (xi if delta >> i & 1 else 0)).to_bytes(16, 'little') for i, w in enumerate(cols))
    need(TH('ext/chk', eid, x, ts) == dig, 'COTe check: BAN', B)
    return eid, rows(cols), delta
def pad(eid2, j, col, row): return int.from_bytes(FH('ext/row', eid2, row + u16(j) + u8(col)), 'big') % N

# ------------------------------------------------------------------ E. RVOLE
GAD = [HS('rv/gadget', u8(PROFILE), u16(j)) for j in range(XI)]
def rv_bob1(ssid, A, B, seeds, rng):
    beta = int.from_bytes(rng.b(XI // 8), 'little')
    e1, st = ext_recv(ssid, A, B, seeds, beta, rng)
    b = sum(GAD[j] for j in range(XI) if beta >> j & 1) % N
    return e1, b, (beta, *st)
def theta(eid2, at):
    h = LH8('rv/at', eid2, [b''.join(b32(v) for v in r) for r in at])
    return [HS('rv/theta', eid2, h, u8(i)) for i in range(ELL)]
def rv_alice(ssid, A, B, ys, seeds, e1, a, rng):
    eid, zeta, delta = ext_send(ssid, A, B, ys, seeds, e1)
    nA = rng.b(32); eid2 = TH('ext/id2', eid, nA); db = delta.to_bytes(16, 'little')
    a0 = [[pad(eid2, j, c, zeta[j]) for c in range(W)] for j in range(XI)]
    a1 = [[pad(eid2, j, c, xor(zeta[j], db)) for c in range(W)] for j in range(XI)]
    ah = rng.sc(); inp = list(a) + [ah]
    at = [[(a0[j][c] - a1[j][c] + inp[c]) % N for c in range(W)] for j in range(XI)]
    th = theta(eid2, at); eta = (ah + sum(th[i] * a[i] for i in range(ELL))) % N
    mu = LH8('rv/mu', eid2, [b32((a0[j][ELL] + sum(th[i] * a0[j][i] for i in range(ELL))) % N) for j in range(XI)])
    c = [-sum(GAD[j] * a0[j][i] for j in range(XI)) % N for i in range(ELL)]; cnt('smul', 4 * XI)
    return nA + b''.join(b32(v) for r in at for v in r) + b32(eta) + mu, c
E2_LEN = 32 + XI * W * 32 + 64
def rv_bob2(st, e2):
    need(len(e2) == E2_LEN, 'e2 length'); beta, eid, psi = st; nA = e2[:32]; eid2 = TH('ext/id2', eid, nA)
    v = [int.from_bytes(e2[32 + 32 * i:64 + 32 * i], 'big') for i in range(XI * W + 1)]
    need(all(x < N for x in v), 'e2 range'); at = [v[W * j:W * j + W] for j in range(XI)]; eta, mu = v[-1], e2[-32:]
    th = theta(eid2, at); dd, mr = [], []
    for j in range(XI):
        bj = beta >> j & 1
        d = [(pad(eid2, j, c, psi[j]) + bj * at[j][c]) % N for c in range(W)]
        mr.append(b32((d[ELL] + sum(th[i] * d[i] for i in range(ELL)) - bj * eta) % N)); dd.append(d)
    need(LH8('rv/mu', eid2, mr) == mu, 'RVOLE check: BAN')
    return [sum(GAD[j] * dd[j][i] for j in range(XI)) % N for i in range(ELL)]

# ------------------------------------------------------------------ Shamir helpers
def ev(p, x):
    r = 0
    for c in reversed(p): r = (r * x + c) % N
    return r
def lag(xs, x):
    n = d = 1
    for y in xs:
        if y != x: n = n * y % N; d = d * (y - x) % N
    return n * pow(d, -1, N) % N
def evG(F, x):
    acc, p = None, 1
    for A in F: acc = add(acc, mulv(A, p)); p = p * x % N
    return acc
def split33(b): return [b[33 * i:33 * i + 33] for i in range(len(b) // 33)]

def bh(ssid, rnd, pl): return TH('bcast', ssid, u8(rnd), b''.join(u16(i) + sha(pl[i]) for i in sorted(pl)))

# ------------------------------------------------------------------ F/H. keygen, refresh, reshare, import (one engine)
BYTES, TRANSCRIPT = {}, []       # payload bytes per sender; (round, from, to or 0 = broadcast, payload)
def sent(i, rnd, to, payload): BYTES[i] = BYTES.get(i, 0) + len(payload); TRANSCRIPT.append((rnd, i, to, payload))
def old_share_set(k, D, epoch, cc, imported=None):
    """What a reshare starts from: kgid, epoch, t, chain code and, per dealer, x and X. imported: (t_old, {i: x}, {i: X})."""
    kgid, t, xs, X = (bytes(32), imported[0], imported[1], imported[2]) if imported else (k['kgid'], k['t'], k['xs'], k['X'])
    return kgid + u32(epoch) + u16(t) + sha(cc) + b''.join(u16(i) + b32(xs[i]) + X[i] for i in sorted(D))
def deal(iid, ids, xs, t, rng, dealers=None, expect_pk=None, cc_old=None, ecdsa=True, old=None):
    """ids: receivers 1..n -> x; dealers: {id: (const or None, A0 or None)}; fresh keygen: all ids, const random."""
    proto = 'kg' if dealers is None else 'rs'
    D = {i: (rng[i].sc(), None) for i in ids} if dealers is None else dealers
    allids = sorted(set(ids) | set(D))
    roster = b''.join(u16(i) + sha(b'idkey%d' % i) + b32(xs.get(i, 0)) for i in allids)
    ssid0 = TH(proto + '/ssid0', u8(SUITE), u8(PROFILE), u16(len(ids)), u16(t), b''.join(map(u16, sorted(D))),
               b''.join(map(u16, sorted(ids))), iid, roster, expect_pk or b'', *([old] if proto == 'rs' else []))
    P, R1, op = {}, {}, {}
    for i in allids:
        s = rng[i].b(32)
        if i in D:
            p = [D[i][0]] + [rng[i].sc() for _ in range(t - 1)]; F = b''.join(G(c) for c in p)
            cc, rc, rho = cc_old or rng[i].b(32), rng[i].b(32), rng[i].b(32)
            hcc = TH(proto + '/cchash', ssid0, u16(i), cc, rc); P[i] = p; op[i] = (F, hcc, rho, cc, rc)
            R1[i] = TH(proto + '/commit', ssid0, u16(i), s, F, hcc, rho) + s
        else: R1[i] = bytes(32) + s
        sent(i, 1, 0, R1[i])
    ssid1 = TH(proto + '/ssid1', ssid0, b''.join(u16(i) + R1[i] for i in allids))
    R2, ot = {}, {}
    for i in D:
        F, hcc, rho = op[i][:3]; r = rng[i].sc(); Tp = G(r); e = HS(proto + '/pok', ssid1, u16(i), F, Tp)
        z = (r + sum(pow(e, m + 1, N) * c for m, c in enumerate(P[i]))) % N
        R2[i] = F + hcc + rho + Tp + b32(z); sent(i, 2, 0, R2[i])
    if ecdsa:
        for i in ids:
            for j in ids:
                if i != j: ot[i, j] = OTRecv(TH('ot/sid', ssid1, u16(i), u16(j)), rng[i]); sent(i, 2, j, ot[i, j].msg)
    Fs = {}
    for i in D:                   # checks done by everybody
        b = R2[i]; o = 33 * t; F, hcc, rho, Tp, z = b[:o], b[o:o + 32], b[o + 32:o + 64], b[o + 64:o + 97], int.from_bytes(b[o + 97:], 'big')
        need(len(b) == o + 129, 'len', i); need(all(parse(x) for x in split33(F)), 'point', i); need(z < N, 'z', i)
        need(TH(proto + '/commit', ssid0, u16(i), R1[i][32:], F, hcc, rho) == R1[i][:32], 'commit', i)
        e = HS(proto + '/pok', ssid1, u16(i), F, Tp); rhs = Tp
        for m, A in enumerate(split33(F)): rhs = add(rhs, mulv(A, pow(e, m + 1, N)))
        need(G(z) == rhs, 'pok', i); Fs[i] = split33(F)
        if D[i][1] is not None: need(Fs[i][0] == D[i][1], 'A0 != lambda*X', i)
        need(TH(proto + '/cchash', ssid0, u16(i), op[i][3], op[i][4]) == hcc, 'chain code opening', i)   # arrives in round 3
        if cc_old: need(op[i][3] == cc_old, 'chain code', i)
    bh2 = bh(ssid1, 2, R2)
    agg = [add(*[Fs[i][m] for i in D]) for m in range(t)]; pk = agg[0]
    need(pk is not None and (expect_pk is None or pk == expect_pk), 'public key')
    chain = cc_old or TH(proto + '/chaincode', ssid1, b''.join(op[i][3] for i in sorted(D)))
    X = {j: evG(agg, xs[j]) for j in ids}
    out = {}
    dealt, zc = {}, {(i, j): rng[i].b(32) for i in ids for j in ids if i != j} if ecdsa else {}
    for i in ids:
        sh = 0
        for j in D:
            v = ev(P[j], xs[i]); need(G(v) == evG(Fs[j], xs[i]), 'feldman', j); sh += v
            if j != i: dealt[j, i] = b32(v) + op[j][3] + op[j][4]
        out[i] = dict(id=i, t=t, xs={j: xs[j] for j in ids}, x=sh % N, pk=pk, X=X, cc=chain, kgid=ssid1, bob={}, alice={}, zs={})
        need(G(sh % N) == X[i], 'share')
    if ecdsa:
        for i in ids:             # i = Bob / OT sender towards j = Alice
            for j in ids:
                if i == j: continue
                sid = TH('ot/sid', ssid1, u16(j), u16(i)); B, keys = ot_send(sid, ot[j, i].msg, rng[i])
                seeds, pm = pprf_build(sid, keys); out[i]['bob'][j] = seeds
                k2 = ot[j, i].keys(B); out[j]['alice'][i] = pprf_eval(sid, ot[j, i].d, k2, pm)
                dealt[i, j] = dealt.get((i, j), b'') + zc[i, j] + B + pm; lo, hi = min(i, j), max(i, j)
                out[i]['zs'][j] = TH('kg/zseed', ssid1, u16(lo), u16(hi), zc[lo, hi], zc[hi, lo])
    conf = TH(proto + '/conf', ssid1, bh2, pk, chain, b''.join(X[i] for i in sorted(ids)))
    for i, j in sorted(dealt): sent(i, 3, j, dealt[i, j])
    for i in allids: sent(i, 4, 0, conf)
    return out, conf

# ------------------------------------------------------------------ G. signing
def bip32(pk, cc, path):
    tau = 0
    for i in path:
        assert i < 2**31; I = hmac.new(cc, pk + u32(i), hashlib.sha512).digest(); il = int.from_bytes(I[:32], 'big')
        need(0 < il < N, 'bip32'); pk = add(pk, G(il)); cc = I[32:]; tau = (tau + il) % N
    return tau, pk, cc
def presign(ks, iid, rng, tau=0, pkd=None, mode=2, mhash=bytes(32), epoch=0, cheat=None):
    P = sorted(ks); k0 = ks[P[0]]; need(len(P) == k0['t'], 'quorum'); pkd = pkd or k0['pk']
    plist = b''.join(map(u16, P))
    ssid = TH('sg/ssid', u8(mode), k0['kgid'], u32(epoch), plist, iid, pkd, b32(tau), mhash)
    st, R1, p1 = {}, {}, {}
    for i in P:
        r, phi, rho = rng[i].sc(), rng[i].sc(), rng[i].b(32); Ri = G(r)
        st[i] = dict(r=r, phi=phi, rho=rho, R=Ri, chi={}, bob={}); R1[i] = TH('sg/commit', ssid, u16(i), Ri, rho); sent(i, 1, 0, R1[i])
        for j in P:
            if i != j: p1[i, j], st[i]['chi'][j], st[i]['bob'][j] = rv_bob1(ssid, j, i, ks[i]['bob'][j], rng[i]); sent(i, 1, j, p1[i, j])
    if cheat: cheat('R1', p1=p1, st=st)
    bh1 = bh(ssid, 1, R1); R2, p2 = {}, {}
    for i in P:
        z = 0
        for j in P:
            if i != j:
                lo, hi = min(i, j), max(i, j); f = HS('sg/zero', ks[i]['zs'][j], ssid, bh1, u16(lo), u16(hi)); z += f if i < j else -f
        sk = (lag([k0['xs'][j] for j in P], k0['xs'][i]) * ks[i]['x'] + z + (tau if i == P[0] else 0)) % N
        st[i].update(sk=sk, pk=G(sk), c={}); R2[i] = st[i]['R'] + st[i]['pk'] + st[i]['rho']; sent(i, 2, 0, R2[i])
        for j in P:
            if i == j: continue
            ys, seeds = ks[i]['alice'][j]
            e2, c = rv_alice(ssid, i, j, ys, seeds, p1[j, i], [st[i]['r'], sk], rng[i]); st[i]['c'][j] = c
            p2[i, j] = e2 + G(c[0]) + G(c[1]) + b32((st[i]['phi'] - st[i]['chi'][j]) % N); sent(i, 2, j, p2[i, j])
    if cheat: cheat('R2', R2=R2, p2=p2, st=st)
    out = {}
    for i in P:
        Phi, u, v = st[i]['phi'], 0, 0
        for j in P:
            if i == j: continue
            Rj, pkj, rho = R2[j][:33], R2[j][33:66], R2[j][66:]; need(parse(Rj) and parse(pkj), 'point', j)
            need(TH('sg/commit', ssid, u16(j), Rj, rho) == R1[j], 'commit', j)
            b = p2[j, i]; Gu, Gv = b[E2_LEN:E2_LEN + 33], b[E2_LEN + 33:E2_LEN + 66]
            psi = int.from_bytes(b[-32:], 'big'); need(psi < N, 'psi', j); need(parse(Gu) and parse(Gv), 'point', j)
            d = rv_bob2(st[i]['bob'][j], b[:E2_LEN])
            need(mul(Rj, st[i]['chi'][j]) == add(G(d[0]), Gu), 'gamma-u: BAN', j)
            need(mul(pkj, st[i]['chi'][j]) == add(G(d[1]), Gv), 'gamma-v: BAN', j)
            Phi += psi; u += st[i]['c'][j][0] + d[0]; v += st[i]['c'][j][1] + d[1]
        need(add(*[R2[j][33:66] for j in P]) == pkd, 'sum pk'); R = add(*[R2[j][:33] for j in P]); need(R is not None, 'R')
        out[i] = dict(ssid=ssid, R=R, pk=pkd, phi=st[i]['phi'], u=(st[i]['r'] * Phi + u) % N, v=(st[i]['sk'] * Phi + v) % N)
    return out
def finish(ps, m32, mode, req=bytes(32), late=0, late_pk=None):
    P = sorted(ps); m = int.from_bytes(m32, 'big') % N; sh, r, R = [], None, None
    for i in P:
        q = ps[i]; R, u, v, pk = q['R'], q['u'], q['v'], late_pk or q['pk']
        if mode == 2:
            dl = HS('ps/rerand', q['ssid'], R, pk, b32(late), m32, req); need(dl, 'delta')
            R = add(R, G(dl)); need(R is not None, 'R'); u = (u + dl * q['phi']) % N; v = (v + late * q['phi']) % N
        r = int.from_bytes(R[1:], 'big') % N; need(r, 'r'); sh.append(((m * q['phi'] + r * v) % N, u)); sent(i, 3, 0, b32(sh[-1][0]) + b32(u))
    U = sum(x[1] for x in sh) % N; need(U, 'u'); s = sum(x[0] for x in sh) * pow(U, -1, N) % N; need(s, 's')
    rec = (R[0] & 1) | (2 if int.from_bytes(R[1:], 'big') >= N else 0)
    if s > N // 2: s, rec = N - s, rec ^ 1
    need(verify(late_pk or ps[P[0]]['pk'], m32, r, s), 'final verify')
    return r, s, rec
