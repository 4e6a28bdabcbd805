// SPDX-License-Identifier: Apache-2.0
// Requests that their caller signs: the canonical bytes of docs/wire.md and the signature over them.
import { randomBytes, randomUUID, sign } from 'node:crypto';
import { hex, sha256, th, u16, u32 } from './check.mjs';

const KEYGEN = 1, SIGN = 2;
const ECDSA_SECP256K1 = 1, PROFILE = 1, TRANSACTIONS = 1;
export const DIGESTS = { none: 0, sha256: 1, keccak256: 2 };

const uuid = (text) => hex(text.replaceAll('-', ''));

function encode(i) {
  const deadline = Buffer.alloc(8);
  deadline.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 1000) + i.seconds));
  return Buffer.concat([
    Buffer.from('DKI1'), Buffer.from([1, i.operation, ECDSA_SECP256K1, PROFILE, TRANSACTIONS]),
    uuid(i.account), uuid(randomUUID()), i.keyId, randomBytes(32), deadline,
    u32(3), // attempts, each with another quorum
    u16(i.t), u16(i.parties.length), ...i.parties.map(u16), ...i.identityHashes,
    u16(0), // no derivation path
    Buffer.from([i.digest]), u32(i.message.length), i.message,
  ]);
}

// The members of a request's body. |key| is the caller's Ed25519 key (KeyObject).
function signed(key, intent) {
  return { intent: intent.toString('hex'),
    intent_signature: sign(null, th('intent/sig', intent), key).toString('hex') };
}

// To make a key: these parties in this order, each by its identity key.
export function keygenIntent(key, { account, t, parties, identities, seconds = 60 }) {
  return signed(key, encode({
    operation: KEYGEN, account, t, parties: parties.map((_, i) => i + 1), seconds,
    identityHashes: parties.map((id) => sha256(hex(identities[id]))),
    keyId: Buffer.alloc(32), digest: 0, message: Buffer.alloc(0) }));
}

// To sign: any t of the account's parties.
export function signIntent(key, { account, message, hash, seconds = 60 }) {
  return signed(key, encode({
    operation: SIGN, account: account.account_id, t: account.threshold_t, seconds,
    parties: account.parties.map((_, i) => i + 1), identityHashes: [],
    keyId: th('kg/keyid', Buffer.from([ECDSA_SECP256K1]), hex(account.public_key)),
    digest: DIGESTS[hash], message }));
}
