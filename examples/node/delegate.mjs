// SPDX-License-Identifier: Apache-2.0
// A user who holds one of three shares: it is made by server-party-api, sealed to his key, stored
// by him, forgotten there, and lent back for one signature.
//
// In a real system the lines marked "user" run on the user's device, the others in your backend.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { checkCertificate, checkSignature, sha256 } from './check.mjs';
import { inputs } from './inputs.mjs';
import { Quorate } from './quorate.mjs';
import { isShareOf, lendShare, newKeyPair, openShare } from './share.mjs';

const usage =
  'QUORATE_URL=... QUORATE_SHARES_URL=... QUORATE_API_KEY=... node delegate.mjs IDENTITIES.json';
const [identities] = inputs(usage, JSON.parse);
const quorate = new Quorate({ url: process.env.QUORATE_URL, key: process.env.QUORATE_API_KEY });
const shares = (verb, body) =>
  quorate.call(body ? 'POST' : 'GET', '/api/v1/shares/' + verb, body, process.env.QUORATE_SHARES_URL);

// The user makes a key pair and shows its public half.
const pair = newKeyPair(); // user
const userKey = Buffer.from(pair.publicKey).toString('hex'); // user

const account = await quorate.createAccount({ user_id: 'alice', user_share: 'delegate',
  user_public_key: userKey, idempotency_key: 'account:' + randomUUID() });
const certificate = await quorate.certificate(account.account_id);
const publicKey = checkCertificate(certificate, identities);
console.log('account        ', account.account_id, account.parties.join(' '));

// The answer has the share already; this is how to get it again until it is confirmed.
const made = await shares('generate', { session_id: account.session_id, user_public_key: userKey });
assert.equal(made.user_share, account.encrypted_user_share);

const share = openShare(made.user_share, pair); // user: store this, encrypted, before it is confirmed
assert.ok(isShareOf(share, certificate.certificate)); // user
await shares('confirm', { session_id: account.session_id });
console.log('share          ', share.length, 'bytes, stored and confirmed');

// A signature by one server party and the user. The session names who signs.
const digest = sha256(Buffer.from('pay 5 to carol')).toString('hex');
const { public_key: loanKey, party_id: delegate } = await shares('key');
const begin = () => quorate.call('POST', '/api/v1/mpc/sign?wait=0', {
  account_id: account.account_id, message_hash: digest, idempotency_key: 'payment:' + randomUUID(),
  participants: [account.parties[0], delegate].map((party_id) => ({ party_id })) });
const begun = await begin();
const lent = lendShare(share, begun.session_id, loanKey); // user
const signed = await shares('sign', { session_id: begun.session_id, user_share: lent });
assert.equal(signed.status, 'completed');
assert.ok(checkSignature(signed.signature, digest, publicKey));
console.log('signature      ', signed.signature.compact);

// The loan was for that session: in another one the same box opens nothing.
const other = await begin();
await assert.rejects(shares('sign', { session_id: other.session_id, user_share: lent }), { status: 400 });
await quorate.call('POST', `/api/v1/mpc/sessions/${other.session_id}/cancel`);

// Without the user the server's parties sign alone: two of the three shares are theirs.
console.log('server parties ', account.parties.filter((id) => id !== delegate).join(' '));
