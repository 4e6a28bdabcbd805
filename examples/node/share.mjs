// SPDX-License-Identifier: Apache-2.0
// What the owner of a share does with it, on his own machine: open the box that he got, and lend
// the share for one session. The bytes in between are secret; keep them as a key is kept.
import { createECDH, createHash } from 'node:crypto';
import sodium from 'libsodium-wrappers';

await sodium.ready;

export const newKeyPair = () => sodium.crypto_box_keypair(); // X25519

// |box| is base64, as the API gives it.
export function openShare(box, pair) {
  return sodium.crypto_box_seal_open(Buffer.from(box, 'base64'), pair.publicKey, pair.privateKey);
}

// The bytes of a field of a Protocol Buffers message whose fields are numbers and bytes.
function bytesOf(message, wanted) {
  let at = 0;
  const number = () => {
    for (let n = 0, unit = 1; ; unit *= 128) {
      n += (message[at] & 127) * unit;
      if (!(message[at++] & 128)) return n;
    }
  };
  while (at < message.length) {
    const key = number(), value = number();
    if (key === wanted * 8 + 2) return Buffer.from(message.subarray(at, at + value));
    if (key % 8 === 2) at += value;
  }
  throw new Error('this is no share');
}

// Whether |share| is one of the key of this certificate (base64), which checkCertificate has found
// right: anybody can seal something to a public key. Records and certificates: docs/wire.md.
export function isShareOf(share, certificate) {
  const record = bytesOf(share, 5), key = Buffer.from(certificate, 'base64'), own = createECDH('secp256k1');
  const rows = Array.from({ length: key.readUInt16BE(75) }, (_, i) => key.subarray(144 + 99 * i));
  const row = rows.find((r) => r.readUInt16BE(0) === record.readUInt16BE(88));
  own.setPrivateKey(record.subarray(155, 187));
  return record.subarray(90, 123).equals(key.subarray(79, 112)) && row !== undefined &&
    own.getPublicKey(null, 'compressed').equals(row.subarray(66, 99));
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
