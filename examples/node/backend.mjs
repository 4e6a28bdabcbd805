// SPDX-License-Identifier: Apache-2.0
// A backend from its first account to its first signature.
//
// IDENTITIES.json has the parties' identity keys, as the operator hands them out.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { checkCertificate, checkSignature, ethereumAddress, sha256 } from './check.mjs';
import { inputs } from './inputs.mjs';
import { Quorate } from './quorate.mjs';

const usage = 'QUORATE_URL=... QUORATE_API_KEY=... node backend.mjs IDENTITIES.json';
const [identities] = inputs(usage, JSON.parse);
const quorate = new Quorate({ url: process.env.QUORATE_URL, key: process.env.QUORATE_API_KEY });

// An account. Your database has the key of the request before the request is made.
const user = 'user-' + randomUUID();
const account = await quorate.createAccount({ user_id: user, idempotency_key: 'account:' + user });
console.log('account        ', account.account_id);

// Nothing is paid to an address before this.
const publicKey = checkCertificate(await quorate.certificate(account.account_id), identities);
assert.equal(publicKey, account.public_key);
assert.equal(ethereumAddress(publicKey), account.addresses.ethereum.toLowerCase());
console.log('address        ', account.addresses.ethereum);

// A signature. The message itself goes in, so that the parties' policies see what they sign.
const payment = { message: 'pay 5 to carol', message_encoding: 'utf8', hash: 'sha256',
  idempotency_key: 'payment:' + randomUUID() };
const signed = await quorate.sign(account.account_id, payment);
const digest = sha256(Buffer.from(payment.message)).toString('hex');
assert.equal(signed.message_hash, digest);
assert.ok(checkSignature(signed.signature, digest, publicKey));
console.log('signature      ', signed.signature.compact);

// The same request again, as after a crash: the same signature, no second one.
const again = await quorate.sign(account.account_id, payment);
assert.deepEqual(again, signed);

// Another message under the same key is refused, whatever it is.
await assert.rejects(quorate.sign(account.account_id, { ...payment, message: 'pay 6 to carol' }),
  { status: 409, code: 'idempotency_conflict' });

// Without waiting: begin now, ask later, from anywhere.
const begun = await quorate.call('POST', '/api/v1/mpc/sign?wait=0',
  { account_id: account.account_id, message_hash: digest, idempotency_key: 'later:' + randomUUID() });
const session = await quorate.sessionEnd(begun.session_id);
assert.equal(session.status, 'completed', session.error);
assert.ok(checkSignature(session.signature, digest, publicKey));
console.log('session        ', session.session_id, session.status);
