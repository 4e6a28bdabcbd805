# SPDX-License-Identifier: Apache-2.0
import sys, time, json, hashlib, os
sys.path.insert(0, os.path.dirname(__file__))
import dkc_model as D
from dkc_model import *
def rngs(tag, ids): return {i: DRBG(f'{tag}-{i}') for i in ids}
ids = [1, 2, 3]; xs = {i: i for i in ids}
t0 = time.time(); ks, conf = deal(sha(b'iid-kg'), ids, xs, 2, rngs('kg', ids)); print('keygen', round(time.time() - t0, 1), 's'); print('payload bytes per party', BYTES); print({k: v for k, v in CNT.items()})
x = (lag([1, 3], 1) * ks[1]['x'] + lag([1, 3], 3) * ks[3]['x']) % N; assert G(x) == ks[1]['pk']
m = hashlib.sha256(b'hello').digest()
for P in ([1, 2], [1, 3], [2, 3]):
    BYTES.clear(); CNT.clear(); t0 = time.time(); sub = {i: ks[i] for i in P}
    ps = presign(sub, sha(b'iid-sg%d' % P[1]), rngs('sg%s' % P, P), mode=1, mhash=m); r, s, rec = finish(ps, m, 1)
    print(P, 'sign ok', round(time.time() - t0, 1), 's bytes', BYTES, CNT)
tau, pkd, ccd = bip32(ks[1]['pk'], ks[1]['cc'], [44, 0, 7])
ps = presign({i: ks[i] for i in (1, 3)}, sha(b'p1'), rngs('ps', ids), tau=tau, pkd=pkd); print('presign+bip32+rerand ok', finish(ps, m, 2)[2])
ps = presign({i: ks[i] for i in (1, 3)}, sha(b'p2'), rngs('ps2', ids)); print('late tweak ok', finish(ps, m, 2, late=tau, late_pk=pkd)[2])
# refresh with the same set
def dealers(ks, Dset): 
    xl = [ks[Dset[0]]['xs'][i] for i in Dset]
    return {i: (lag(xl, ks[i]['xs'][i]) * ks[i]['x'] % N, mulv(ks[i]['X'][i], lag(xl, ks[i]['xs'][i]))) for i in Dset}
k2, _ = deal(sha(b'iid-rf'), ids, xs, 2, rngs('rf', ids), dealers=dealers(ks, [1, 2, 3]), expect_pk=ks[1]['pk'], cc_old=ks[1]['cc'], old=old_share_set(ks[1], [1, 2, 3], 0, ks[1]['cc']))
ps = presign({i: k2[i] for i in (2, 3)}, sha(b'p3'), rngs('p3', ids), mode=1, mhash=m, epoch=1); finish(ps, m, 1); print('refresh ok')
# reshare 2-of-3 -> 3-of-4, dealers {1,3}, new parties 1,4,5,6
nid = [1, 4, 5, 6]; nx = {1: 1, 4: 2, 5: 3, 6: 4}; allx = dict(nx)
k3, _ = deal(sha(b'iid-rs'), nid, nx, 3, rngs('rs', [1, 3, 4, 5, 6]), dealers=dealers(ks, [1, 3]), expect_pk=ks[1]['pk'], cc_old=ks[1]['cc'], old=old_share_set(ks[1], [1, 3], 0, ks[1]['cc']))
BYTES.clear(); CNT.clear()
ps = presign({i: k3[i] for i in (1, 5, 6)}, sha(b'p4'), rngs('p4', nid), mode=1, mhash=m, epoch=1); finish(ps, m, 1); print('reshare 3-of-4 ok', BYTES)
# import of tss-lib fixtures (threshold field is degree; need t = degree+1 dealers)
fx = (sys.argv[1] if len(sys.argv) > 1 else '') + '/'   # folder with keygen_data_0..4.json
if len(sys.argv) > 1 and os.path.isdir(fx):
    dat = [json.load(open(fx + f'keygen_data_{i}.json')) for i in range(5)]
    pt = lambda c: bytes([2 | (c[1] & 1)]) + b32(c[0])
    pk = pt(dat[0]['ECDSAPub']['Coords']); Ks = [k % N for k in dat[0]['Ks']]
    assert len(set(Ks)) == 5 and 0 not in Ks
    for tt in range(1, 6):
        xl = Ks[:tt]
        try: y = sum(lag(xl, Ks[i]) * dat[i]['Xi'] for i in range(tt)) % N
        except Exception: continue
        if G(y) == pk: break
    print('tss-lib fixture: signers needed =', tt)
    Dd = {}
    for i in range(tt):
        l = lag(Ks[:tt], Ks[i]); assert dat[i]['ShareID'] == dat[0]['Ks'][i]; assert G(dat[i]['Xi']) == pt(dat[0]['BigXj'][i]['Coords'])
        Dd[i + 1] = (l * dat[i]['Xi'] % N, mulv(pt(dat[0]['BigXj'][i]['Coords']), l))
    ki, _ = deal(sha(b'iid-im'), [1, 2, 3], xs, 2, rngs('im', range(1, 9)), dealers=Dd, expect_pk=pk, cc_old=sha(b'cc'),
        old=old_share_set(None, list(Dd), 0, sha(b'cc'), (tt, {i: Ks[i - 1] for i in Dd}, {i: pt(dat[i - 1]['BigXj'][i - 1]['Coords']) for i in Dd})))
    ps = presign({i: ki[i] for i in (1, 2)}, sha(b'p5'), rngs('p5', ids), mode=1, mhash=m, epoch=1); finish(ps, m, 1); print('tss-lib import ok')
# adversarial spot checks
def expect(fn, why):
    try: fn(); print('NOT CAUGHT', why)
    except Abort as e: print('caught:', why, '->', e)
sub = {i: ks[i] for i in (1, 2)}
def flip(stage, where, key, pos):
    def c(phase, **k):
        if phase == stage:
            b = bytearray(k[where][key]); b[pos] ^= 1; k[where][key] = bytes(b)
    return c
run = lambda c: presign(sub, sha(b'adv'), rngs('adv', ids), mode=1, mhash=m, cheat=c)
for pos, nm in ((5, 'nonceB'), (40, 'U'), (32 + 2560, 'x'), (-1, 'digest')): expect(lambda: run(flip('R1', 'p1', (1, 2), pos)), 'E1 ' + nm)
for pos, nm in ((3, 'nonceA'), (32 + 31, 'a~'), (E2_LEN - 64 + 31, 'eta'), (E2_LEN - 1, 'mu'), (E2_LEN + 40, 'Gamma_v'), (E2_LEN + 7, 'Gamma_u')): expect(lambda: run(flip('R2', 'p2', (1, 2), pos)), 'E2 ' + nm)
expect(lambda: finish(run(flip('R2', 'p2', (1, 2), -1)), m, 1), 'psi (only the final verify can see it)')
expect(lambda: run(flip('R2', 'R2', 1, 66)), 'rho')
