# SPDX-License-Identifier: Apache-2.0
import sys; import os; sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dkc_model import *
sid=sha(b'kat'); r=DRBG('kat-ot-recv'); o=OTRecv(sid,r); B,keys=ot_send(sid,o.msg,DRBG('kat-ot-send')); seeds,pm=pprf_build(sid,keys); ys,s2=pprf_eval(sid,o.d,o.keys(B),pm)
def cheat(tau,g,rng):
    nB=rng.b(32); eid=TH('ext/id',sid,u16(1),u16(2),nB); c=int.from_bytes(rng.b(80),'little'); e=1<<77; U=b''; cols=[]
    for t in range(NT):
        rr=prg(eid,t,seeds[t]); u=c^(e if t==tau else 0)
        for x in rr:u^=x
        U+=u.to_bytes(80,'little')
        for b in range(4):
            v=0
            for x in range(16):
                if x>>b&1:v^=rr[x]
            cols.append(v)
    chi=chis(eid,U); x=uh(chi,c).to_bytes(16,'little'); he=uh(chi,e); ts=[]
    for i,v in enumerate(cols):
        t=uh(chi,v)
        if i//4==tau and g>>(i%4)&1: t^=he
        ts.append(t.to_bytes(16,'little'))
    return nB+U+x+TH('ext/chk',eid,x,b''.join(ts))
for tau in (0,7,10):
    ok=[]
    for g in range(16):
        try: ext_send(sid,1,2,ys,s2,cheat(tau,g,DRBG(f'{tau}{g}'))); ok.append(g)
        except Abort: pass
    print('tree',tau,'passing guesses',ok,'y*',ys[tau])
# E2 row cheat: a_0 different in row j only
import dkc_model as D
e1,bb,st=rv_bob1(sid,1,2,seeds,DRBG('kat-bob'))
def alice_cheat(j0):
    eid,zeta,delta=ext_send(sid,1,2,ys,s2,e1); rng=DRBG('x'); nA=rng.b(32); eid2=TH('ext/id2',eid,nA); db=delta.to_bytes(16,'little'); a=[5,7]; ah=rng.sc(); inp=a+[ah]
    a0=[[pad(eid2,j,c,zeta[j]) for c in range(3)] for j in range(XI)]; a1=[[pad(eid2,j,c,xor(zeta[j],db)) for c in range(3)] for j in range(XI)]
    at=[[(a0[j][c]-a1[j][c]+inp[c]+(9 if j==j0 and c==0 else 0))%N for c in range(3)] for j in range(XI)]
    th=theta(eid2,at); eta=(ah+sum(th[i]*a[i] for i in range(2)))%N
    mu=LH8('rv/mu',eid2,[b32((a0[j][2]+sum(th[i]*a0[j][i] for i in range(2)))%N) for j in range(XI)])
    return nA+b''.join(b32(v) for r in at for v in r)+b32(eta)+mu
for j0 in (0,1,2,3,4,5):
    try: rv_bob2(st,alice_cheat(j0)); p=True
    except Abort: p=False
    print('row',j0,'beta',st[0]>>j0&1,'passes',p)
# PPRF one-branch cheat
for d in (1,2,3):
    bad=bytearray(pm); bad[(d-1)*32]^=1   # tree 0, correction side 0
    try: pprf_eval(sid,o.d,o.keys(B),bytes(bad)); p=True
    except Abort: p=False
    print('pprf depth',d,'side0 choice bit',o.d>>d&1,'passes',p)
