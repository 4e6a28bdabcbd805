# SPDX-License-Identifier: Apache-2.0
"""Makes the known answers: gen_kats.py OUT [PREFIX]. Run it again and compare: regenerate.py."""
import sys, json, hashlib, os
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dkc_model import *
H = lambda b: hashlib.sha256(b).hexdigest()
K = {'note': 'DRBG(seed): key=SHA256(seed), block_i=SHA256(key||BE64(i)); scalars by rejection (0<x<n)'}
LABELS = ['kg/ssid0','kg/ssid1','kg/commit','kg/cchash','kg/pok','kg/chaincode','kg/zseed','kg/conf','rs/ssid0','rs/ssid1','rs/commit','rs/cchash','rs/pok','rs/conf','bcast','ot/sid','ot/h2c','ot/key','pprf/g','pprf/leaf','pprf/dig','ext/id','ext/prg','ext/chi','ext/chi2','ext/chk','ext/id2','ext/row','rv/gadget','rv/at','rv/at/top','rv/theta','rv/mu','rv/mu/top','sg/ssid','sg/commit','sg/zero','ps/rerand','ps/online','kg/keyid','fr/ssid','fr/online','wire/sign','wire/open','seal/salt','seal/export','intent/iid','intent/sig','intent/req','ex/rcpt']
K['T'] = {l: T(l).hex() for l in LABELS}
Z = bytes(32)
K['TH'] = TH('kg/commit', b'ab', b'c').hex(); K['FH'] = FH('ext/row', Z, b'x').hex()
K['LH8'] = LH8('rv/mu', Z, [u16(i) for i in range(20)]).hex()
sid = hashlib.sha256(b'kat').digest(); Gp = G(1)
K['h2c'] = {f'{i},{j}': h2c(sid, i, j, Gp).hex() for i in range(3) for j in (0, 1)}
K['gadget'] = {j: b32(GAD[j]).hex() for j in (0, 1, 511)}
a, b = int.from_bytes(hashlib.sha256(b'a').digest()[:16], 'little'), int.from_bytes(hashlib.sha256(b'b').digest()[:16], 'little')
K['gf128'] = {'a': a.to_bytes(16,'little').hex(), 'b': b.to_bytes(16,'little').hex(), 'ab': gmul(a, b).to_bytes(16,'little').hex(), 'x127*x': gmul(1 << 127, 2).to_bytes(16,'little').hex()}
r = DRBG('kat-ot-recv'); o = OTRecv(sid, r); B, keys = ot_send(sid, o.msg, DRBG('kat-ot-send'))
k2 = o.keys(B); assert all(k2[i] == keys[i][o.d >> i & 1] for i in range(128))
K['baseot'] = {'sid': sid.hex(), 'choice_le': o.d.to_bytes(16,'little').hex(), 'ot1_sha': H(o.msg), 'ot1_first66': o.msg[:66].hex(), 'B': B.hex(), 'keys_sha': H(b''.join(k[0]+k[1] for k in keys)), 'key0': [k.hex() for k in keys[0]]}
seeds, pm = pprf_build(sid, keys); ys, s2 = pprf_eval(sid, o.d, k2, pm)
for t in range(NT):
    for y in range(16): assert s2[t][y] == (None if y == ys[t] else seeds[t][y])
K['pprf'] = {'msg_len': len(pm), 'msg_sha': H(pm), 'seeds_sha': H(b''.join(x for t in seeds for x in t)), 'ystar': ys, 'delta_le': sum(y << (4*t) for t, y in enumerate(ys)).to_bytes(16,'little').hex()}
e1, bb, st = rv_bob1(sid, 1, 2, seeds, DRBG('kat-bob')); al = [5, 7 * 10**30]
e2, c = rv_alice(sid, 1, 2, ys, s2, e1, al, DRBG('kat-alice')); d = rv_bob2(st, e2)
assert all((c[i] + d[i] - al[i] * bb) % N == 0 for i in range(2))
K['rvole'] = {'ssid': sid.hex(), 'A': 1, 'B': 2, 'a': [b32(x).hex() for x in al], 'beta_le': st[0].to_bytes(64,'little').hex(), 'b': b32(bb).hex(), 'e1_len': len(e1), 'e1_sha': H(e1), 'eid': st[1].hex(), 'psi_row0': st[2][0].hex(), 'psi_row511': st[2][511].hex(), 'e2_len': len(e2), 'e2_sha': H(e2), 'eta_mu': e2[-64:].hex(), 'c': [b32(x).hex() for x in c], 'd': [b32(x).hex() for x in d]}
ids = [1, 2]; ks, conf = deal(sha(b'kat-iid'), ids, {1: 1, 2: 2}, 2, {i: DRBG(f'kat-kg-{i}') for i in ids})
m = hashlib.sha256(b'hello').digest()
ps = presign(ks, sha(b'kat-sg'), {i: DRBG(f'kat-sg-{i}') for i in ids}, mode=1, mhash=m); R, S_, rec = finish(ps, m, 1)
K['e2e_2of2'] = {'kgid': ks[1]['kgid'].hex(), 'pk': ks[1]['pk'].hex(), 'cc': ks[1]['cc'].hex(), 'x': [b32(ks[i]['x']).hex() for i in ids], 'X': [ks[1]['X'][i].hex() for i in ids], 'conf': conf.hex(), 'm': m.hex(), 'ssid': ps[1]['ssid'].hex(), 'R': ps[1]['R'].hex(), 'u': [b32(ps[i]['u']).hex() for i in ids], 'v': [b32(ps[i]['v']).hex() for i in ids], 'r': b32(R).hex(), 's': b32(S_).hex(), 'recid': rec}
tau, pkd, _ = bip32(ks[1]['pk'], ks[1]['cc'], [44, 0, 7]); ps = presign(ks, sha(b'kat-ps'), {i: DRBG(f'kat-ps-{i}') for i in ids}, tau=tau, pkd=pkd); R, S_, rec = finish(ps, m, 2)
K['presign_bip32'] = {'path': [44, 0, 7], 'tau': b32(tau).hex(), 'pk': pkd.hex(), 'r': b32(R).hex(), 's': b32(S_).hex(), 'recid': rec}

# ------------------------------------------------------------------ whole runs, message by message
# Each run carries everything it needs: "seeds" (32 bytes per party), "iid", and in "key" the run its shares come from (null: a fresh key).
# (They are made from names, SHA256(PREFIX-NAME-i) and SHA256(PREFIX-NAME-iid), but nobody has to know that.)
# Each message is [round, from, to (0 = broadcast), length, SHA256(payload)], payloads as in section K.2.
PREFIX = sys.argv[2] if len(sys.argv) > 2 else 'kat'
def drbgs(name, ids): return {i: DRBG(f'{PREFIX}-{name}-{i}') for i in ids}
def iid(name): return sha(f'{PREFIX}-{name}-iid'.encode())
def inputs(name, ids, key): return {'protocol': None, 'key': key, 'iid': iid(name).hex(), 'seeds': {i: sha(f'{PREFIX}-{name}-{i}'.encode()).hex() for i in ids}, 'idk': {i: sha(b'idkey%d' % i).hex() for i in ids}}
def messages():
    m = sorted((r, i, to, len(p), H(p)) for r, i, to, p in TRANSCRIPT); TRANSCRIPT.clear(); return [list(x) for x in m]
def shares(k): return {i: {'x': b32(k[i]['x']).hex(), 'X': k[i]['X'][i].hex(), 'bob_seeds_sha': {j: H(b''.join(x for t in k[i]['bob'][j] for x in t)) for j in k[i]['bob']},
    'alice_ystar': {j: k[i]['alice'][j][0] for j in k[i]['alice']}, 'zseed': {j: k[i]['zs'][j].hex() for j in k[i]['zs']}} for i in sorted(k)}
def keygen(name, n, t):
    ids = list(range(1, n + 1)); TRANSCRIPT.clear(); k, conf = deal(iid(name), ids, {i: i for i in ids}, t, drbgs(name, ids))
    K[name] = {**inputs(name, ids, None), 'protocol': 'keygen', 'roster_x': {i: i for i in ids}, 'n': n, 't': t, 'kgid': k[1]['kgid'].hex(), 'pk': k[1]['pk'].hex(), 'cc': k[1]['cc'].hex(), 'conf': conf.hex(), 'shares': shares(k), 'messages': messages()}; return k
def sign(name, key, k, P, mode=1, path=(), epoch=0, req=bytes(32)):
    TRANSCRIPT.clear(); tau, pkd, _ = bip32(k[P[0]]['pk'], k[P[0]]['cc'], path)
    ps = presign({i: k[i] for i in P}, iid(name), drbgs(name, P), tau=tau, pkd=pkd, mode=mode, mhash=m if mode == 1 else bytes(32), epoch=epoch)
    pre = messages(); r, s, rec = finish(ps, m, mode, req); on = messages()
    K[name] = {**inputs(name, P, key), 'protocol': 'sign' if mode == 1 else 'presign', 'P': P, 'mode': mode, 'req': req.hex(), 'path': list(path), 'epoch': epoch, 'm': m.hex(), 'ssid': ps[P[0]]['ssid'].hex(), 'R_presign': ps[P[0]]['R'].hex(), 'pk': pkd.hex(), 'r': b32(r).hex(), 's': b32(s).hex(), 'recid': rec, 'messages': pre + on}
def redeal(name, key, k, D, ids, xs, t):
    xl = [k[D[0]]['xs'][i] for i in D]; dl = {i: (lag(xl, k[i]['xs'][i]) * k[i]['x'] % N, mulv(k[i]['X'][i], lag(xl, k[i]['xs'][i]))) for i in D}
    TRANSCRIPT.clear(); k2, conf = deal(iid(name), ids, xs, t, drbgs(name, sorted(set(ids) | set(D))), dealers=dl, expect_pk=k[D[0]]['pk'], cc_old=k[D[0]]['cc'], old=old_share_set(k[D[0]], D, 0, k[D[0]]['cc']))
    K[name] = {**inputs(name, sorted(set(ids) | set(D)), key), 'protocol': 'reshare', 'epoch_old': 0, 'old': old_share_set(k[D[0]], D, 0, k[D[0]]['cc']).hex(), 'dealers': D, 'receivers': ids, 'x': xs, 't': t, 'kgid': k2[ids[0]]['kgid'].hex(), 'conf': conf.hex(), 'shares': shares(k2), 'messages': messages()}; return k2
k3 = keygen('kg-2of3', 3, 2)
for P in ([1, 2], [1, 3], [2, 3]): sign('sg-2of3-' + ''.join(map(str, P)), 'kg-2of3', k3, P)
sign('ps-2of3-13', 'kg-2of3', k3, [1, 3], mode=2); sign('ps-bip32-23', 'kg-2of3', k3, [2, 3], mode=2, path=(44, 60, 0)); sign('sg-bip32-12', 'kg-2of3', k3, [1, 2], path=(0, 7))
k5 = keygen('kg-3of5', 5, 3); sign('sg-3of5-135', 'kg-3of5', k5, [1, 3, 5]); sign('sg-3of5-234', 'kg-3of5', k5, [2, 3, 4])
kr = redeal('refresh-2of3', 'kg-2of3', k3, [1, 2, 3], [1, 2, 3], {1: 1, 2: 2, 3: 3}, 2); sign('sg-refreshed-23', 'refresh-2of3', kr, [2, 3], epoch=1)
ks_ = redeal('reshare-2of3-to-3of4', 'kg-2of3', k3, [1, 3], [1, 4, 5, 6], {1: 1, 4: 2, 5: 3, 6: 4}, 3); sign('sg-reshared-156', 'reshare-2of3-to-3of4', ks_, [1, 5, 6], epoch=1)
kl = redeal('recover-lost-2', 'kg-2of3', k3, [1, 3], [1, 2, 3], {1: 1, 2: 2, 3: 3}, 2); sign('sg-recovered-12', 'recover-lost-2', kl, [1, 2], epoch=1)
json.dump(K, open(sys.argv[1] if len(sys.argv) > 1 else 'kats.json', 'w'), indent=1)
