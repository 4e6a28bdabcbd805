// SPDX-License-Identifier: Apache-2.0
// The scenario by @grpc/grpc-js: `node services_grpcjs.mjs MODULES CONFIG`, where CONFIG is the
// file of services.py. A line for each check, exit 0 if all are right.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { Scenario } from "./scenario.mjs";

const [modules, file] = process.argv.slice(2);
const require = createRequire(path.join(modules, "x.js"));
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const LIMIT_MS = 120000;
const config = JSON.parse(fs.readFileSync(file));
const definitions = loader.loadSync(config.protos, { includeDirs: [config.proto_dir],
  keepCase: true, defaults: true, arrays: true, longs: Number, bytes: String, enums: String });
const clients = new Map();

// One connection for each process and service.
function client(name, service) {
  const id = `${name} ${service}`;
  if (!clients.has(id)) {
    const Client = grpc.makeGenericClientConstructor(definitions[service], service);
    clients.set(id, new Client(config.addresses[name].grpc, grpc.credentials.createInsecure()));
  }
  return clients.get(id);
}

function prepare(name, where, fields) {
  const [service, method] = where.split("/");
  const metadata = new grpc.Metadata();
  for (const [field, value] of Object.entries(fields))
    metadata.set(field, value);
  return { to: client(name, service), method, metadata };
}

const plain = (error) => error && { code: error.code, text: error.details,
  name: String(error.metadata?.get("x-error-code")[0] ?? "") };

const transport = {
  call(name, where, fields, request) {
    const { to, method, metadata } = prepare(name, where, fields);
    return new Promise((go) => to[method](request, metadata, { deadline: Date.now() + LIMIT_MS },
      (error, value) => go({ error: plain(error), value })));
  },
  stream(name, where, fields, request, reader) {
    const { to, method, metadata } = prepare(name, where, fields);
    const call = to[method](request, metadata, { deadline: Date.now() + LIMIT_MS });
    let error;
    call.on("data", (value) => reader.push(value));
    call.on("error", (e) => { error = plain(e); reader.end(error); });
    call.on("end", () => setImmediate(() => error || reader.end()));
    return () => call.cancel();
  },
};

const lend = async (share, key, session) => execFileSync(config.user.program[0],
  [...config.user.program.slice(1), config.user.public_key, config.user.secret_key, key, session],
  { input: share, encoding: "ascii" }).trim();

const scenario = new Scenario(transport, config, { lend });
const right = await scenario.run();
console.log(scenario.lines.join("\n"));
process.exit(right ? 0 : 1);
