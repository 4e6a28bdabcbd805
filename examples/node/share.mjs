// SPDX-License-Identifier: Apache-2.0
// What the owner of a share does with it, on his own machine: open the box that he got, and lend
// the share for one session. The bytes in between are secret; keep them as a key is kept.
import { createHash } from 'node:crypto';
import sodium from 'libsodium-wrappers';

await sodium.ready;

export const newKeyPair = () => sodium.crypto_box_keypair(); // X25519

// |box| is base64, as the API gives it.
export function openShare(box, pair) {
  return sodium.crypto_box_seal_open(Buffer.from(box, 'base64'), pair.publicKey, pair.privateKey);
}

// A field of a Protocol Buffers message, bytes.
function field(number, value) {
  const length = [];
  let n = value.length;
  for (; n > 127; n = Math.floor(n / 128))
    length.push((n % 128) + 128);
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length, n]), value]);
}

// mpc.party_api.v1.LentShare, sealed to the key of GET /api/v1/shares/key. It is good for this
// session alone, and with |intent| (hex) for that one request in it.
export function lendShare(share, sessionId, key, intent) {
  const parts = [field(1, Buffer.from(sessionId)), field(2, Buffer.from(share))];
  if (intent)
    parts.push(field(3, createHash('sha256').update(Buffer.from(intent, 'hex')).digest()));
  const box = sodium.crypto_box_seal(Buffer.concat(parts), Buffer.from(key, 'hex'));
  return Buffer.from(box).toString('base64');
}
