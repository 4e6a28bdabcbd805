// SPDX-License-Identifier: Apache-2.0
// Has ethers, which nobody here wrote, read what the demo signed. Input on stdin: {report, fields},
// the demo's report and the transaction as it was asked for. Ends with 1 at the first difference.
import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { Transaction, computeAddress, recoverAddress, SigningKey } =
  await import(pathToFileURL(process.argv[2]).href);
const { report, fields } = JSON.parse(readFileSync(0, "utf8"));

function checkTransaction(tx) {
  assert.equal(tx.type, 2);
  assert.equal(tx.chainId, BigInt(fields.chainId));
  assert.equal(BigInt(tx.nonce), BigInt(fields.nonce));
  assert.equal(tx.to, fields.to);
  assert.equal(tx.value, BigInt(fields.value));
  assert.equal(tx.maxFeePerGas, BigInt(fields.maxFeePerGas));
  assert.equal(tx.maxPriorityFeePerGas, BigInt(fields.maxPriorityFeePerGas));
  assert.equal(tx.gasLimit, BigInt(fields.gasLimit));
  assert.equal(tx.data, fields.data ?? "0x");
  assert.deepEqual(tx.accessList, []);
}

const tx = Transaction.from(report.raw_transaction);
const publicKey = SigningKey.computePublicKey("0x" + report.public_key, false);
checkTransaction(tx);
assert.equal(tx.serialized, report.raw_transaction);
assert.equal(tx.hash, report.transaction_hash);
assert.equal(tx.unsignedHash, report.message_hash);
assert.equal(tx.from, report.address);
assert.equal(tx.signature.r + tx.signature.s.slice(2), report.signature);
assert.equal(tx.signature.yParity, report.recovery_id);
assert.equal(SigningKey.recoverPublicKey(report.message_hash, tx.signature), publicKey);
assert.equal(recoverAddress(report.message_hash, tx.signature), report.address);
assert.equal(computeAddress(publicKey), report.address);
console.log("the signature is right");
