// SPDX-License-Identifier: Apache-2.0
// ECDSA over secp256k1 with whole numbers, in node and in a browser: an independent check of the
// signatures that are made, and a signature for a session whose parties a test plays. For keys of
// tests only: nothing here is constant in time.
const P = 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2fn;
const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const G = [0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n,
  0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8n];
const mod = (a, m) => ((a % m) + m) % m;

function inverse(a, m) {
  let [r, s, x, y] = [m, mod(a, m), 0n, 1n];
  while (s > 0n)
    [r, s, x, y] = [s, r % s, y, x - (r / s) * y];
  return mod(x, m);
}

function power(a, e) {
  let out = 1n;
  for (; e > 0n; e >>= 1n, a = a * a % P)
    if (e & 1n)
      out = out * a % P;
  return out;
}

// null is the point at infinity.
function add(a, b) {
  if (!a || !b)
    return a ?? b;
  if (a[0] === b[0] && a[1] !== b[1])
    return null;
  const slope = a[0] === b[0] ? 3n * a[0] * a[0] * inverse(2n * a[1], P)
    : (b[1] - a[1]) * inverse(b[0] - a[0], P);
  const x = mod(slope * slope - a[0] - b[0], P);
  return [x, mod(slope * (a[0] - x) - a[1], P)];
}

function multiply(point, k) {
  let out = null;
  for (; k > 0n; k >>= 1n, point = add(point, point))
    if (k & 1n)
      out = add(out, point);
  return out;
}

const number = (hex) => BigInt("0x" + hex);
const hex32 = (x) => x.toString(16).padStart(64, "0");
const compressed = ([x, y]) => (y & 1n ? "03" : "02") + hex32(x);

function point(text) {
  const x = number(text.slice(2));
  const y = power(x * x * x + 7n, (P + 1n) / 4n);
  return [x, (y & 1n) === BigInt(text.slice(0, 2) === "03") ? y : P - y];
}

// |hash| and the signature's r and s are hex; low s only.
export function verify(public_key, hash, { r, s, recovery_id }) {
  const [u, v] = [number(r), number(s)];
  if (!(u > 0n && u < N && v > 0n && v <= N / 2n))
    return false;
  const w = inverse(v, N);
  const got = add(multiply(G, mod(number(hash) * w, N)),
    multiply(point(public_key), mod(u * w, N)));
  return got !== null && mod(got[0], N) === u && Number(got[1] & 1n) === (recovery_id & 1);
}

// A key of 32 random bytes in hex, and a signature of it: {r, s, recovery_id}.
export const publicOf = (secret) => compressed(multiply(G, number(secret)));
export function sign(secret, hash, nonce) {
  const at = multiply(G, number(nonce));
  const r = mod(at[0], N);
  const s = mod(inverse(number(nonce), N) * (number(hash) + r * number(secret)), N);
  const is_high = s > N / 2n;
  return { r: hex32(r), s: hex32(is_high ? N - s : s), recovery_id: Number(at[1] & 1n) ^ is_high };
}
