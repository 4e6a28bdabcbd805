// SPDX-License-Identifier: Apache-2.0
// The service of interop.proto by @grpc/grpc-js: `node grpcjs_server.mjs MODULES PROTO [CERT KEY
// CA]`. Prints its ports, plain and mTLS, as one line; ends when stdin ends.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const [modules, proto, cert, key, ca] = process.argv.slice(2);
const require = createRequire(path.join(modules, "x.js"));
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const { Interop } = grpc.loadPackageDefinition(
  loader.loadSync(proto, { keepCase: true, defaults: true })).interop.v1;
let cancelled = 0;

const fault = (code, details) => {
  const metadata = new grpc.Metadata();
  metadata.set("x-error-code", "asked_for");
  return { code, details, metadata };
};
const seen = (call, name) => String(call.metadata.get(name)[0] ?? "");

const methods = {
  Unary(call, done) {
    const q = call.request;
    if (q.hang) {
      call.on("cancelled", () => { cancelled++; });
      return;
    }
    if (q.code) {
      done(fault(q.code, q.text));
      return;
    }
    done(null, {
      text: q.text,
      payload: q.payload,
      api_key: seen(call, "x-api-key"),
      trace: seen(call, "x-request-id"),
      has_deadline: call.getDeadline() !== Infinity,
    });
  },
  async Stream(call) {
    const q = call.request;
    const payload = Buffer.alloc(q.size, 0x5a);
    // It calls some streams cancelled that it ended itself.
    if (q.hang)
      call.on("cancelled", () => { cancelled++; });
    for (let index = 0; index < q.n; index++)
      if (!call.write({ index, payload }))
        await new Promise((go) => call.once("drain", go));
    if (q.hang)
      return;
    if (q.code)
      call.emit("error", fault(q.code, q.text));
    else
      call.end();
  },
  Cancelled(call, done) {
    done(null, { n: cancelled });
  },
};

const listen = (credentials) => new Promise((go, stop) => {
  const server = new grpc.Server({
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
  });
  server.addService(Interop.service, methods);
  server.bindAsync("127.0.0.1:0", credentials, (e, port) => (e ? stop(e) : go(port)));
});

const ports = [await listen(grpc.ServerCredentials.createInsecure())];
if (cert)
  ports.push(await listen(grpc.ServerCredentials.createSsl(fs.readFileSync(ca),
    [{ private_key: fs.readFileSync(key), cert_chain: fs.readFileSync(cert) }], true)));
console.log("ports " + ports.join(" "));
process.stdin.on("end", () => process.exit(0)).resume();
