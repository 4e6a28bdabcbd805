// SPDX-License-Identifier: Apache-2.0
// @grpc/grpc-js against our server: `node grpcjs_client.mjs MODULES PROTO TARGET [CA [CERT KEY]]
// [refused]`. The cases of client.c; a line for each, exit 0 if all are right.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const args = process.argv.slice(2);
const refused = args.at(-1) === "refused" && args.pop();
const [modules, proto, target, ca, cert, key] = args;
const require = createRequire(path.join(modules, "x.js"));
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const TEXT = "grüß dich 100% €";
const TRACE = "00112233445566778899aabbccddeeff";
const { Interop } = grpc.loadPackageDefinition(
  loader.loadSync(proto, { keepCase: true, defaults: true })).interop.v1;
const read = (name) => (name ? fs.readFileSync(name) : null);
const client = new Interop(target,
  ca ? grpc.credentials.createSsl(read(ca), read(key), read(cert))
    : grpc.credentials.createInsecure(),
  { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });

let faults = 0;
const check = (what, right, got) => {
  console.log(`${right ? "ok" : "FAULT"} ${what}`);
  if (!right) {
    faults++;
    console.log("    ", got);
  }
};
const metadata = () => {
  const m = new grpc.Metadata();
  m.set("x-api-key", "key-1");
  m.set("x-request-id", TRACE);
  return m;
};
const LATE_MS = 3000;
const after = (ms) => ({ deadline: Date.now() + ms });

const unary = (method, request, options = after(120000)) => new Promise((go) => {
  const got = {};
  got.call = client[method](request, metadata(), options, (error, value) =>
    go({ ...got, error, value }));
});
const stream = (request, options = after(120000), each = () => {}) => new Promise((go) => {
  const got = { n: 0, bytes: 0, in_order: true };
  const call = client.Stream(request, metadata(), options);
  call.on("data", (m) => {
    got.in_order &&= m.index === got.n && m.payload.every((x) => x === 0x5a);
    got.n++;
    got.bytes += m.payload.length;
    each(call);
  });
  call.on("error", (error) => go({ ...got, error }));
  call.on("end", () => setImmediate(() => go(got)));
});
let cancelled_before = 0;
const wait_cancelled = async (more) => {
  const n = cancelled_before + more;
  let got;
  do
    got = await unary("Cancelled", {});
  while (!got.error && got.value.n < n);
  check("the server saw it", !got.error && got.value.n === n, got);
};

async function main() {
  let got;
  if (refused) {
    got = await unary("Unary", { text: TEXT }, after(120000));
    check("no connection", got.error?.code === grpc.status.UNAVAILABLE, got);
    return;
  }
  cancelled_before = (await unary("Cancelled", {})).value.n;
  // Enough time for them to be heard of; the other cases go on meanwhile.
  const late = unary("Unary", { hang: true }, after(LATE_MS));
  const late_stream = stream({ n: 1, hang: true }, after(LATE_MS));

  for (const size of [0, 1000, 60000, 65536, 5 << 20, 15 << 20]) {
    got = await unary("Unary", { text: TEXT, payload: Buffer.alloc(size, 0x5a) });
    check("unary", !got.error && got.value.text === TEXT && got.value.payload.length === size &&
      got.value.payload.every((x) => x === 0x5a), got.error);
  }
  check("metadata", got.value.api_key === "key-1" && got.value.trace === TRACE, got.value);
  check("deadline is told", got.value.has_deadline, got.value);

  for (let code = 1; code <= 16; code++) {
    got = await unary("Unary", { text: TEXT, code });
    check("error status", got.error?.code === code && got.error.details === TEXT &&
      String(got.error.metadata.get("x-error-code")[0]) === "asked_for", got.error);
  }
  got = await stream({ n: 2, code: 15, text: TEXT });
  check("error at the end of a stream",
    got.error?.code === 15 && got.error.details === TEXT && got.n === 2, got);
  got = await unary("Missing", {});
  check("unknown method", got.error?.code === grpc.status.UNIMPLEMENTED, got.error);

  for (const [n, size] of [[0, 0], [1, 10], [5000, 100], [300, 60000], [3, 5 << 20]]) {
    got = await stream({ n, size });
    check("stream", !got.error && got.n === n && got.bytes === n * size && got.in_order, got);
  }
  const many = await Promise.all(Array.from({ length: 500 }, (_, i) =>
    unary("Unary", { text: String(i) })));
  check("500 calls at once", many.every((x, i) => !x.error && x.value.text === String(i)));

  got = await late;
  check("deadline", got.error?.code === grpc.status.DEADLINE_EXCEEDED, got.error);
  got = await late_stream;
  check("deadline of a stream",
    got.error?.code === grpc.status.DEADLINE_EXCEEDED && got.n === 1, got);
  await wait_cancelled(2);
  got = await stream({ n: 1, hang: true }, {}, (call) => call.cancel());
  check("cancel of a stream", got.error?.code === grpc.status.CANCELLED && got.n === 1, got);
  await wait_cancelled(3);
}

await main();
client.close();
process.exit(faults === 0 ? 0 : 1);
