// SPDX-License-Identifier: Apache-2.0
// An account that obeys one caller alone: every request is signed with the caller's key, and no
// service can ask for a signature by itself.
import assert from 'node:assert/strict';
import { createPrivateKey, randomUUID } from 'node:crypto';
import { checkCertificate, checkSignature } from './check.mjs';
import { inputs } from './inputs.mjs';
import { keygenIntent, signIntent } from './intent.mjs';
import { Quorate } from './quorate.mjs';

const usage = 'QUORATE_URL=... QUORATE_API_KEY=... node own_intents.mjs CALLER.pem IDENTITIES.json';
const [key, identities] = inputs(usage, createPrivateKey, JSON.parse);
const quorate = new Quorate({ url: process.env.QUORATE_URL, key: process.env.QUORATE_API_KEY });
const parties = ['party-1', 'party-2', 'party-3'];

const asked = keygenIntent(key, { account: randomUUID(), t: 2, parties, identities });
const account = await quorate.createAccount({ user_id: 'treasury', threshold_t: 2, threshold_n: 3,
  participants: parties.map((party_id) => ({ party_id })), ...asked,
  idempotency_key: 'account:' + randomUUID() });
const publicKey = checkCertificate(await quorate.certificate(account.account_id), identities);
console.log('account        ', account.account_id);

const message = Buffer.from('pay 5 to carol');
const request = { message: message.toString('hex'), hash: 'sha256',
  ...signIntent(key, { account, message, hash: 'sha256' }),
  idempotency_key: 'payment:' + randomUUID() };
const signed = await quorate.sign(account.account_id, request);
assert.ok(checkSignature(signed.signature, signed.message_hash, publicKey));
console.log('signature      ', signed.signature.compact);

// Without the caller's signature nobody gets one from this account, not the service either.
const plain = { message: request.message, hash: 'sha256', idempotency_key: randomUUID() };
const refused = await quorate.sign(account.account_id, plain).then(() => null, (e) => e);
assert.equal(refused?.status, 422, 'a plain request was signed');
console.log('without intent ', refused.message);
