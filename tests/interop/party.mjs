// SPDX-License-Identifier: Apache-2.0
// What a party or an initiator makes with its own keys, by WebCrypto alone, so that it runs in node
// and in a browser: certificates and registrations (system/access/identity.h), intents
// (include/quorate/intent.h). Written from the formats, not from our code.
const { subtle } = globalThis.crypto;
const PKCS8 = Uint8Array.from([0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4,
  0x20]);
const utf8 = (text) => new TextEncoder().encode(text);

export const random = (n) => globalThis.crypto.getRandomValues(new Uint8Array(n));
export const toHex = (b) => Array.from(b, (x) => x.toString(16).padStart(2, "0")).join("");
export const fromHex = (text) => Uint8Array.from(text.match(/../g) ?? [], (x) => parseInt(x, 16));
export const toBase64 = (b) => btoa(Array.from(b, (x) => String.fromCharCode(x)).join(""));
export const fromBase64 = (text) => Uint8Array.from(atob(text), (x) => x.charCodeAt(0));
export const uuid = () => globalThis.crypto.randomUUID();

export function join(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

// Big endian.
function number(value, size) {
  const out = new Uint8Array(size);
  for (let i = size - 1, rest = BigInt(value); i >= 0; i--, rest >>= 8n)
    out[i] = Number(rest & 0xffn);
  return out;
}

export async function sha256(...parts) {
  return new Uint8Array(await subtle.digest("SHA-256", join(...parts)));
}

// An Ed25519 key: of this seed, or a new one.
export async function key(seed = random(32)) {
  const secret = await subtle.importKey("pkcs8", join(PKCS8, seed), "Ed25519", true, ["sign"]);
  const jwk = await subtle.exportKey("jwk", secret);
  const text = jwk.x.replaceAll("-", "+").replaceAll("_", "/");
  return {
    public: fromBase64(text + "=".repeat((4 - text.length % 4) % 4)),
    sign: async (...parts) => new Uint8Array(await subtle.sign("Ed25519", secret, join(...parts))),
  };
}

// A field of protocol buffers with a length; all of these are short.
const field = (n, bytes) => join([n << 3 | 2, bytes.length], bytes);

export async function certificate(ca, party_id, role, identity) {
  const body = join(field(1, utf8(party_id)), field(2, identity.public), field(3, utf8(role)));
  return { body, signature: await ca.sign(utf8("quorate/party-certificate/1\0"), body) };
}

// An order of the operator: |serial| below 128.
export async function order(operator, action, account_id, serial) {
  const body = join(field(1, utf8(action)), field(2, utf8(account_id)), [3 << 3, serial]);
  return { body, signature: await operator.sign(utf8("quorate/operator-order/1\0"), body) };
}

// A party: its id, role, keys and certificate. |signer| may be another authority's key.
export async function party(signer, party_id, role) {
  const identity = await key();
  return {
    party_id, role, identity, boot_id: random(16),
    certificate: await certificate(signer, party_id, role, identity),
  };
}

// A RegisterPartyRequest.
export async function registration(p, { time_ms = Date.now(), signer = p.identity } = {}) {
  const nonce = random(16);
  return {
    party_id: p.party_id, role: p.role, capacity: 8, version: "test", certificate: p.certificate,
    boot_id: p.boot_id, time_ms, nonce,
    proof: await signer.sign(utf8("quorate/register/1\0"), utf8(p.party_id + "\0"),
      utf8(p.role + "\0"), p.boot_id, number(time_ms, 8), nonce),
  };
}

export const KEYGEN = 1, SIGN = 2;
const SHA256 = 1, LIFE_S = 600;

// The bytes of an intent for parties 1..n, one attempt only, and its signature: what CreateSession
// takes. |message| goes with SHA-256.
export async function intent(initiator, { operation, account_id, t, identities, message }) {
  const n = identities.length;
  const tag = await sha256(utf8("DKC/1/intent/sig"));
  const is_keygen = operation === KEYGEN;
  const text = message === undefined ? new Uint8Array() : utf8(message);
  const seats = Array.from({ length: n }, (_, i) => number(i + 1, 2));
  const bytes = join(utf8("DKI1"), [1, operation, 1, 1, 1], fromHex(account_id.replaceAll("-", "")),
    fromHex(uuid().replaceAll("-", "")), is_keygen ? new Uint8Array(32) : random(32), random(32),
    number(Math.floor(Date.now() / 1000) + LIFE_S, 8), number(1, 4), number(t, 2), number(n, 2),
    ...seats, ...(is_keygen ? await Promise.all(identities.map((x) => sha256(x.public))) : []),
    number(0, 2), [is_keygen ? 0 : SHA256], number(text.length, 4), text);
  return {
    intent: bytes, initiator_key: initiator.public,
    intent_signature: await initiator.sign(await sha256(tag, tag, number(bytes.length, 4), bytes)),
  };
}
