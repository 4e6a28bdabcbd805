// SPDX-License-Identifier: Apache-2.0
// How the scenario calls: over any transport, and with a check of each outcome. A transport is an
// object with
//
//   call(process, path, metadata, request)          a promise of {value} or {error: {code, name}}
//   stream(process, path, metadata, request, to)    calls to.push(message), to.end(error); returns
//                                                   how to cancel it
//
// where messages have bytes in base64 and numbers as numbers, |code| is gRPC's (undefined: the
// transport has none) and |name| the x-error-code.
import { toBase64 } from "./party.mjs";

// Of gRPC.
export const INVALID = 3, NOT_FOUND = 5, EXISTS = 6, DENIED = 7, STATE = 9, ABORTED = 10;
export const IMPOSSIBLE = 11, UNAUTHENTICATED = 16;
export const NONE = {};
export const UNKNOWN = "00000000-0000-4000-8000-000000000000";
export const bearer = (token) => ({ authorization: "Bearer " + token });
export const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

// Bytes as base64, everywhere in a request.
function plain(x) {
  if (x instanceof Uint8Array)
    return toBase64(x);
  if (Array.isArray(x))
    return x.map(plain);
  if (x === null || typeof x !== "object")
    return x;
  return Object.fromEntries(Object.entries(x).map(([name, value]) => [name, plain(value)]));
}

// Messages of a stream in the order they came.
class Stream {
  constructor() {
    this.queue = [];
    this.wake = () => {};
  }
  push(value) {
    this.queue.push({ value });
    this.wake();
  }
  end(error) {
    this.queue.push({ error, end: true });
    this.wake();
  }
  async next() {
    while (!this.queue.length)
      await new Promise((go) => { this.wake = go; });
    return this.queue[0].end ? this.queue[0] : this.queue.shift();
  }
  // The first message that fits.
  async until(fits) {
    for (;;) {
      const { value, error, end } = await this.next();
      if (end)
        throw new Error("the stream ended: " + JSON.stringify(error));
      if (fits(value))
        return value;
    }
  }
  async ended() {
    let got = {};
    while (!got.end)
      got = await this.next();
    return got.error;
  }
}

export class Calls {
  // |config| as services.py describes it; |more.lend| opens a user's share and lends it for a session.
  constructor(transport, config, more = {}) {
    Object.assign(this, { transport, config, ...more });
    this.key = { "x-api-key": config.api_key };
    this.lines = [];
    this.faults = 0;
    this.covered = { ok: new Set(), refused: new Set() };
  }

  check(what, right, got) {
    this.lines.push(`${right ? "ok" : "FAULT"} ${what}`);
    if (right)
      return;
    this.faults++;
    this.lines.push("    " + JSON.stringify(got)?.slice(0, 600));
  }

  // "router.Heartbeat", or "health.Check@party-1"
  find(what) {
    const [, service, method, process] = /^(\w+)\.(\w+)@?(.*)$/.exec(what);
    const row = this.config.services[service];
    return { process: process || row.process, path: `${row.name}/${method}`,
      is_stream: row.methods[method].is_stream, name: `${service}.${method}` };
  }

  ask(what, request, auth) {
    const { process, path } = this.find(what);
    return this.transport.call(process, path, auth, plain(request));
  }

  async ok(what, request, auth = this.key) {
    const got = await this.ask(what, request, auth);
    this.check(what, got.value !== undefined, got.error);
    if (!got.value)
      throw new Error(`${what} failed, and the rest needs it: ${JSON.stringify(got.error)}`);
    this.covered.ok.add(this.find(what).name);
    return got.value;
  }

  stream(what, request, auth) {
    const { process, path, name } = this.find(what);
    const to = new Stream();
    to.cancel = this.transport.stream(process, path, auth, plain(request), to);
    this.covered.ok.add(name); // every stream that is opened is read from
    return to;
  }

  async refusal(what, request, auth) {
    const { process, path, is_stream } = this.find(what);
    if (!is_stream)
      return (await this.ask(what, request, auth)).error;
    const to = new Stream();
    this.transport.stream(process, path, auth, plain(request), to);
    return (await to.next()).error;
  }

  async refused(what, request, auth, code, name) {
    const error = await this.refusal(what, request, auth);
    this.check(`${what} is refused: ${name}`, error?.name === name &&
      (error.code === undefined || error.code === code), error);
    this.covered.refused.add(this.find(what).name);
  }

  // For what another process has to hear of first.
  async until(what, request, auth, fits) {
    for (;;) {
      const got = await this.ask(what, request, auth);
      if (got.value && fits(got.value))
        return this.ok(what, request, auth);
    }
  }

  rpcs() {
    return Object.entries(this.config.services).flatMap(([service, { methods }]) =>
      Object.keys(methods).map((method) => `${service}.${method}`));
  }
}
