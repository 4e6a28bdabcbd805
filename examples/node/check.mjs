// SPDX-License-Identifier: Apache-2.0
// What a caller checks before it believes anything: the parties' certificate of a key, the address
// of the key, a signature. Identity keys of the parties come from the operator, never from the API.
import { createHash, createPublicKey, verify } from 'node:crypto';
import { secp256k1 } from '@noble/curves/secp256k1';
import { keccak_256 } from '@noble/hashes/sha3';

const hex = (text) => Buffer.from(text.replace(/^0x/, ''), 'hex');
const sha256 = (...parts) => parts.reduce((h, b) => h.update(b), createHash('sha256')).digest();

export function u16(n) {
  const b = Buffer.alloc(2);
  b.writeUInt16BE(n);
  return b;
}

export function u32(n) {
  const b = Buffer.alloc(4);
  b.writeUInt32BE(n);
  return b;
}

// The tagged hash of docs/protocol.md, B.1.
export function th(label, ...fields) {
  const tag = sha256(Buffer.from('DKC/1/' + label));
  return sha256(tag, tag, ...fields.flatMap((f) => [u32(f.length), f]));
}

function ed25519(identity, message, signature) {
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), identity]);
  return verify(null, message, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature);
}

function need(is, why) {
  if (!is)
    throw new Error('do not use this account: ' + why);
}

// Key certificate, docs/wire.md.
function parseCertificate(b) {
  need(b.subarray(0, 4).equals(Buffer.from('DKK1')) && b[4] === 1, 'unknown form of certificate');
  const n = b.readUInt16BE(75);
  const at = 144 + 99 * n;
  const dealers = b.readUInt16BE(at);
  const end = b.subarray(at + 2 + 34 * dealers);
  const shares = Array.from({ length: n }, (_, i) => b.subarray(144 + 99 * i, 144 + 99 * (i + 1)));
  need(dealers === 0 && end[0] === 1, 'its shares were dealt again'); // a fresh key
  need(end.length === 67 + 98 * n && end.readUInt16BE(65) === n, 'not every party has signed');
  return {
    n, t: b.readUInt16BE(77), kgid: b.subarray(7, 39), pk: b.subarray(79, 112),
    chainCode: b.subarray(112, 144),
    publicShares: shares.map((row) => row.subarray(66, 99)),
    ssid0: end.subarray(1, 33), bh2: end.subarray(33, 65),
    rows: Array.from({ length: n }, (_, i) => end.subarray(67 + 98 * i, 67 + 98 * (i + 1))),
  };
}

// Every party, and nobody else, signed this key with the identity key that |identities| knows. What
// GET /certificate says beside the signed bytes is compared with them. Returns the public key.
export function checkCertificate(answer, identities) {
  const c = parseCertificate(Buffer.from(answer.certificate, 'base64'));
  const conf = th('kg/conf', c.kgid, c.bh2, c.pk, c.chainCode, Buffer.concat(c.publicShares));
  need(answer.parties.length === c.n && new Set(answer.parties.map((p) => p.party_id)).size === c.n,
    'the service names other parties than have signed');
  for (const party of answer.parties) {
    const row = c.rows.find((r) => r.readUInt16BE(0) === party.index);
    const known = identities[party.party_id];
    need(row && known, `no identity key of ${party.party_id} is known`);
    need(row.subarray(2, 34).equals(hex(known)), `${party.party_id} has another identity key`);
    const header = Buffer.concat([Buffer.from('DKC1'), Buffer.from([1, 1, 4, 0]), row.subarray(0, 2),
      Buffer.from([255, 255]), u32(32), c.ssid0, c.bh2]);
    need(ed25519(row.subarray(2, 34), th('wire/sign', header, Buffer.alloc(0), conf), row.subarray(34)),
      `the signature of ${party.party_id} is not right`);
  }
  need(c.pk.equals(hex(answer.public_key)), 'the service shows another key than was signed');
  return answer.public_key;
}

// The Ethereum address of a key, in lower case.
export function ethereumAddress(publicKey) {
  const point = secp256k1.ProjectivePoint.fromHex(publicKey.replace(/^0x/, '')).toRawBytes(false);
  return '0x' + Buffer.from(keccak_256(point.subarray(1))).toString('hex', 12);
}

// Of 32 bytes, with low s, under a key of 33 bytes in hex.
export function checkSignature(signature, messageHash, publicKey) {
  return secp256k1.verify(signature.compact, messageHash.replace(/^0x/, ''), publicKey,
    { lowS: true, prehash: false });
}

export { hex, sha256 };
