// SPDX-License-Identifier: Apache-2.0
// npm grpc-web in a browser against our server at location.hash, from another origin. Messages are
// protobufjs's; the method descriptors are written by hand, as protoc has no generator for them.
// The outcome is posted to /result: a line for each case.
import * as grpcWeb from "/grpc-web.mjs";

const TEXT = "grüß dich 100% €";
const TRACE = "00112233445566778899aabbccddeeff";
const target = "http://" + location.hash.slice(1);
const lines = [];
const check = (what, right, got) => {
  lines.push(`${right ? "ok" : "FAULT"} ${what}`);
  if (!right)
    lines.push("    " + (got instanceof Error ? `${got.code} ${got.message}` :
      JSON.stringify(got)?.slice(0, 500)));
};

const root = protobuf.parse(await (await fetch("/interop.proto")).text(), { keepCase: true }).root;
const type = (name) => root.lookupType("interop.v1." + name);
const method = (name, kind, request, response) => new grpcWeb.MethodDescriptor(
  "/interop.v1.Interop/" + name, kind, Object, Object,
  (m) => type(request).encode(m).finish(), (b) => type(response).decode(b));
const { UNARY, SERVER_STREAMING } = grpcWeb.MethodType;
const Unary = method("Unary", UNARY, "UnaryRequest", "UnaryResponse");
const Stream = method("Stream", SERVER_STREAMING, "StreamRequest", "UnaryResponse");
const Cancelled = method("Cancelled", UNARY, "CancelledRequest", "CancelledResponse");
const Missing = method("Missing", UNARY, "CancelledRequest", "CancelledResponse");

async function cases(format) {
  const client = new grpcWeb.GrpcWebClientBase({ format });
  const metadata = { "x-api-key": "key-1", "x-request-id": TRACE };
  const named = (what) => `${format}: ${what}`;
  const unary = (descriptor, request, more = {}) => new Promise((go) => {
    client.rpcCall(target + descriptor.getName(), request, { ...metadata, ...more }, descriptor,
      (error, value) => go({ error, value }));
  });
  const stream = (request, each = () => {}) => new Promise((go) => {
    const got = { n: 0, bytes: 0, in_order: true };
    const call = client.serverStreaming(target + Stream.getName(), request, metadata, Stream);
    call.on("data", (m) => {
      got.in_order &&= m.index === got.n && m.payload.every((x) => x === 0x5a);
      got.n++;
      got.bytes += m.payload.length;
      each(call, go, got);
    });
    call.on("error", (error) => go({ ...got, error }));
    call.on("end", () => setTimeout(() => go(got), 0));
  });
  let got;

  for (const size of [0, 1000, 60000, 1 << 20]) {
    const payload = new Uint8Array(size).fill(0x5a);
    got = await unary(Unary, { text: TEXT, payload }, { deadline: String(Date.now() + 120000) });
    check(named("unary"), got.value?.text === TEXT && got.value.payload.length === size &&
      got.value.payload.every((x) => x === 0x5a), got.error);
  }
  check(named("metadata"), got.value?.api_key === "key-1" && got.value?.trace === TRACE, got.value);
  check(named("deadline is told"), got.value?.has_deadline, got.value);
  for (let code = 1; code <= 16; code++) {
    got = await unary(Unary, { text: TEXT, code });
    check(named("error status"), got.error?.code === code && got.error.message === TEXT &&
      got.error.metadata["x-error-code"] === "asked_for", got.error);
  }
  got = await unary(Missing, {});
  check(named("unknown method"), got.error?.code === 12, got.error);
  // grpc-web has streams in its text format only.
  if (format === "binary")
    return;
  for (const [n, size] of [[0, 0], [1, 10], [1000, 100], [50, 60000]]) {
    got = await stream({ n, size });
    check(named("stream"), !got.error && got.n === n && got.bytes === n * size && got.in_order, got);
  }
  got = await stream({ n: 2, code: 15, text: TEXT });
  check(named("error at the end of a stream"),
    got.error?.code === 15 && got.error.message === TEXT && got.n === 2, got);
  const before = (await unary(Cancelled, {})).value.n;
  got = await stream({ n: 1, hang: true }, (call, go, so_far) => {
    call.cancel();
    go(so_far);
  });
  check(named("stream that stays open"), got.n === 1, got);
  do
    got = await unary(Cancelled, {});
  while (!got.error && got.value.n < before + 1);
  check(named("cancel"), got.value?.n === before + 1, got);
}

try {
  await cases("binary");
  await cases("text");
  lines.push("done");
} catch (e) {
  lines.push("FAULT " + e.stack);
}
await fetch("/result", { method: "POST", body: lines.join("\n") });
