// SPDX-License-Identifier: Apache-2.0
// npm ws against our server: `node ws_client.mjs MODULES URL`. The WebSocket's cases of
// system/rpc/server.h; a line for each, exit 0 if all are right.
import { createRequire } from "node:module";
import path from "node:path";

const [modules, url] = process.argv.slice(2);
const require = createRequire(path.join(modules, "x.js"));
const WebSocket = require("ws");

const TEXT = "grüß dich 100% €";
let faults = 0;
const check = (what, right, got) => {
  console.log(`${right ? "ok" : "FAULT"} ${what}`);
  if (!right) {
    faults++;
    console.log("    ", JSON.stringify(got)?.slice(0, 500));
  }
};

const socket = new WebSocket(url);
const frames = [];
let wake = () => {};
socket.on("message", (data, binary) => {
  frames.push(binary ? { binary } : JSON.parse(data));
  wake();
});
let closed = null;
socket.on("close", (code) => {
  closed = code;
  wake();
});
await new Promise((go, stop) => socket.on("open", go).on("error", stop));

// Frames of |id| until one ends the call; |until| looks at each.
const take = async (id, until) => {
  const got = [];
  for (;;) {
    const i = frames.findIndex((f) => f.id === id);
    if (i >= 0) {
      const [frame] = frames.splice(i, 1);
      got.push(frame);
      if (until(frame))
        return got;
    } else if (closed !== null) {
      return got;
    } else {
      await new Promise((go) => { wake = go; });
    }
  }
};
const send = (x) => socket.send(typeof x === "string" ? x : JSON.stringify(x));
const is_last = (f) => f.end || f.error || f.response;
const is_end = (f) => f.end || f.error;

send({ id: 1, method: "interop.v1.Interop/Unary",
  metadata: { "x-api-key": "key-1", "x-request-id": "00112233445566778899aabbccddeeff" },
  request: { text: TEXT, payload: Buffer.alloc(60000, 0x5a).toString("base64") } });
let got = await take(1, is_last);
let r = got[0]?.response;
check("unary", r?.text === TEXT && Buffer.from(r.payload, "base64").length === 60000, got);
check("metadata",
  r?.api_key === "key-1" && r?.trace === "00112233445566778899aabbccddeeff", r);

send({ id: 2, method: "interop.v1.Interop/Unary", request: { text: TEXT, code: 5 } });
got = await take(2, is_last);
let e = got[0]?.error;
check("error", e?.error === TEXT && e?.code === "asked_for" && e?.request_id?.length === 32, got);

send({ id: 3, method: "interop.v1.Interop/Stream", request: { n: 1000, size: 100 } });
got = await take(3, is_end);
check("stream", got.length === 1001 && got[1000].end === true &&
  got.slice(0, 1000).every((f, i) => f.response?.index === i), got.length);

send({ id: 4, method: "interop.v1.Interop/Stream", request: { n: 2, code: 15, text: TEXT } });
got = await take(4, is_end);
check("error at the end of a stream",
  got.length === 3 && got[2].error?.error === TEXT, got);

send({ id: 5, method: "interop.v1.Interop/Missing", request: {} });
got = await take(5, is_last);
check("unknown method", got[0]?.error !== undefined, got);

send({ id: 6, method: "interop.v1.Interop/Unary", request: { txet: "x" } });
got = await take(6, is_last);
check("a field that does not exist", got[0]?.error?.error?.includes("txet"), got);

const cancelled = async (id) => {
  send({ id, method: "interop.v1.Interop/Cancelled", request: {} });
  return (await take(id, is_last))[0]?.response?.n;
};
const before = await cancelled(7);
send({ id: 8, method: "interop.v1.Interop/Stream", request: { n: 1, hang: true } });
await take(8, (f) => f.response);
send({ id: 8, cancel: true });
let id = 100;
while (closed === null && await cancelled(id) < before + 1)
  id++;
check("cancel", await cancelled(99) === before + 1);

for (let i = 1000; i < 1200; i++)
  send({ id: i, method: "interop.v1.Interop/Unary", request: { text: String(i) } });
let good = 0;
for (let i = 1000; i < 1200; i++)
  good += (await take(i, is_last))[0]?.response?.text === String(i);
check("200 calls at once", good === 200, good);

socket.ping();
await new Promise((go) => socket.once("pong", go));
check("pong", true);
socket.close(1000);
while (closed === null)
  await new Promise((go) => { wake = go; });
check("close", closed === 1000, closed);
process.exit(faults === 0 ? 0 : 1);
