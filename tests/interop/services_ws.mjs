// SPDX-License-Identifier: Apache-2.0
// The scenario by npm ws, one socket for each process; then frames that no client should send.
// `node services_ws.mjs MODULES CONFIG` as services_grpcjs.mjs.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { Scenario } from "./scenario.mjs";
import { toBase64, uuid } from "./party.mjs";

const [modules, file] = process.argv.slice(2);
const WebSocket = createRequire(path.join(modules, "x.js"))("ws");
const config = JSON.parse(fs.readFileSync(file));
const url = (name) => `ws://${config.addresses[name].http}/ws`;

class Socket {
  constructor(name) {
    this.socket = new WebSocket(url(name));
    this.calls = new Map();
    this.id = 0;
    this.opened = new Promise((go, stop) => this.socket.on("open", go).on("error", stop));
    this.closed = new Promise((go) => this.socket.on("close", (code) => go(code)));
    this.socket.on("message", (data) => this.take(JSON.parse(data)));
    this.socket.on("close", (code) => {
      for (const [, got] of this.calls)
        got({ error: { error: `the socket closed: ${code}`, code: "closed" } });
    });
  }
  take(frame) {
    this.calls.get(frame.id)?.(frame);
  }
  // |got| is called with each frame of the call.
  async begin(method, metadata, request, got) {
    const id = ++this.id;
    await this.opened;
    this.calls.set(id, got);
    this.socket.send(JSON.stringify({ id, method, metadata, request }));
    return id;
  }
}

const sockets = new Map();
const socket = (name) => sockets.get(name) ?? sockets.set(name, new Socket(name)).get(name);
const plain = (error) => ({ name: error.code, text: error.error });

const transport = {
  call: (name, where, metadata, request) => new Promise((go) => {
    socket(name).begin(where, metadata, request, ({ response, error }) =>
      go(error ? { error: plain(error) } : { value: response }));
  }),
  stream(name, where, metadata, request, reader) {
    const at = socket(name);
    const id = at.begin(where, metadata, request, ({ response, error, end }) => {
      if (error || end)
        reader.end(error && plain(error));
      else
        reader.push(response);
    });
    return async () => at.socket.send(JSON.stringify({ id: await id, cancel: true }));
  },
};

// What is wrong with it, and how its socket is closed.
const call = { method: "grpc.health.v1.Health/Check", request: {} };
const watch = { ...call, method: "grpc.health.v1.Health/Watch" };
const MALFORMED = [
  ["no JSON", ["{"], 1007], ["no object", ["[1]"], 1007], ["no id", [call], 1008],
  ["an id that is text", [{ id: "1", ...call }], 1008],
  ["a negative id", [{ id: -1, ...call }], 1008], ["no method", [{ id: 1 }], 1008],
  ["an unknown member", [{ id: 1, ...call, requests: {} }], 1008],
  ["metadata that is no object", [{ id: 1, ...call, metadata: [] }], 1008],
  ["an id in use", [{ id: 1, ...watch }, { id: 1, ...call }], 1008],
  ["a binary frame", [Buffer.from(JSON.stringify({ id: 1, ...call }))], 1003],
  ["a duplicate member", ['{"id":1,"id":2,"method":"x"}'], 1007],
  ["text that is not UTF-8", [{ raw: Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]) }], 1007],
  ["a reserved bit", [{ raw: Buffer.from([0xf1, 0x80, 0, 0, 0, 0]) }], 1002],
  ["a frame without its mask", [{ raw: Buffer.from([0x81, 0x02, 0x7b, 0x7d]) }], 1002],
  ["a message that is too long", [{ raw: Buffer.from([0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0,
    1, 2, 3, 4, 5]) }], 1009],
];

async function malformed(scenario) {
  const { first, second } = scenario;
  const party_id = second.party_id;
  const inbox = scenario.stream("router.SubscribeMessages", { party_id }, second.token);
  for (const [what, frames, code] of MALFORMED) {
    const other = new Socket("message-router");
    await other.opened;
    for (const frame of frames)
      if (frame.raw)
        other.socket._socket.write(frame.raw);
      else
        other.socket.send(typeof frame === "string" || Buffer.isBuffer(frame) ? frame
          : JSON.stringify(frame));
    const got = await other.closed;
    scenario.check(`${what} closes its socket`, got === code, got);
  }
  // A call that is wrong ends alone, on the very socket of the stream.
  await scenario.refused("router.RouteMessage", { fron: "own-1" }, first.token, 3, "unknown_field");
  await scenario.refused("router.GetRegisteredParties", { role: 7 }, first.token, 3,
    "invalid_field");
  const session_id = uuid();
  const payload = Buffer.alloc(40000, 0x5a);
  await scenario.ok("router.RouteMessage", { from: first.party_id, messages: [{ session_id,
    attempt: 0, to: [party_id], payload }] }, first.token);
  for (;;) {
    const { messages } = await inbox.until(() => true);
    const message = messages.find((m) => m.session_id === session_id);
    if (message) {
      scenario.check("the stream went on", message.payload === toBase64(payload));
      return;
    }
  }
}

const scenario = new Scenario(transport, config);
if (await scenario.run())
  await malformed(scenario).catch((e) => scenario.check("to the end", false, e.stack));
console.log(scenario.lines.join("\n"));
process.exit(scenario.faults ? 1 : 0);
