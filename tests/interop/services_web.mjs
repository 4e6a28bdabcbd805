// SPDX-License-Identifier: Apache-2.0
// The scenario by npm grpc-web in a browser, on a page of an allowed origin: streams in the text
// format, other calls in the binary one. At first it looks whether the page's origin is allowed at
// all: /config.json names processes that do not allow it. The outcome is posted to /result.
import * as grpcWeb from "/grpc-web.mjs";
import { Scenario } from "/scenario.mjs";

const config = await (await fetch("/config.json")).json();
const { UNARY, SERVER_STREAMING } = grpcWeb.MethodType;
const root = new protobuf.Root();
for (const name of ["session.proto", ...config.protos]) // the others import it
  protobuf.parse(await (await fetch("/" + name)).text(), root, { keepCase: true });
root.resolveAll();

const clients = { true: new grpcWeb.GrpcWebClientBase({ format: "text" }),
  false: new grpcWeb.GrpcWebClientBase({ format: "binary" }) };
const FORM = { longs: Number, bytes: String, enums: String, defaults: true, arrays: true };

// As the .proto files say it; protoc has no generator for these here.
function descriptor(path) {
  const [name, method] = path.split("/");
  const service = Object.values(config.services).find((row) => row.name === name);
  const { request, response, is_stream } = service.methods[method];
  const [input, output] = [root.lookupType(request), root.lookupType(response)];
  return { is_stream, row: new grpcWeb.MethodDescriptor("/" + path,
    is_stream ? SERVER_STREAMING : UNARY, Object, Object,
    (m) => input.encode(input.fromObject(m)).finish(),
    (b) => output.toObject(output.decode(b), FORM)) };
}

const url = (name, path) => `http://${config.addresses[name].http}/${path}`;
const plain = (error) => ({ code: error.code, text: error.message,
  name: error.metadata?.["x-error-code"] ?? "" });

const transport = {
  call: (name, path, metadata, request) => new Promise((go) => {
    const { row } = descriptor(path);
    clients.false.rpcCall(url(name, path), request, metadata, row,
      (error, value) => go(error ? { error: plain(error) } : { value }));
  }),
  stream(name, path, metadata, request, reader) {
    const { row } = descriptor(path);
    const call = clients.true.serverStreaming(url(name, path), request, metadata, row);
    let error;
    call.on("data", (value) => reader.push(value));
    call.on("error", (e) => { error = plain(e); reader.end(error); });
    call.on("end", () => setTimeout(() => error || reader.end(), 0));
    return () => call.cancel();
  },
};

const lines = [];
try {
  const scenario = new Scenario(transport, config);
  if (config.is_allowed) {
    await scenario.run();
  } else {
    const got = await transport.call("session-coordinator", "grpc.health.v1.Health/Check", {}, {});
    scenario.check("a page that is not allowed reads nothing", !got.value && !got.error.name, got);
  }
  lines.push(...scenario.lines, "done");
} catch (e) {
  lines.push("FAULT " + e.stack);
}
await fetch("/result", { method: "POST", body: lines.join("\n") });
