// SPDX-License-Identifier: Apache-2.0
// A hostile network between parties and the router or the coordinator: it stands where they dial,
// and passes every call on to the real service, but for what a test tells it to do.
//
// usage: node proxy.mjs MODULES PROTO_DIR router|coordinator ENV_FILE
//
// ENV_FILE is the service's: its port may be another one when it runs.
//
// Prints {"grpc": port, "control": port} and obeys JSON sent to the control port:
//   POST /rules {"rules": [{...}], "seed": n}
//                                    replaces all rules; n makes what is chosen at random repeatable
//   POST /release {}                 let go what is held, in reverse order if {"reverse": true}
//   POST /cut {}                     end every stream
//   GET  /held?n=K                   answers once K or more are held: their descriptions
//   GET  /seen                       how many messages of each "protocol.round.kind" went by, and
//                                    how many met a rule ("acted")
// A rule matches messages (RouteMessage, one receiver at a time) by any of protocol, round, kind,
// sender, from, to, session, attempt; calls and streams by method and from. |after|: not the first
// so many that match; |times|: no more than so many. Its action, for messages:
//   hold             until release
//   drop, duplicate  never; three times
//   alter            one bit is another (byte: where, below 0 from the end)
//   alter_and_pass   both
//   redirect         to somebody else instead (target, or anybody)
//   misattribute     as if from somebody else, then as it is
//   replay           three messages of the past, of any sender, as of this session; then as it is
//   swap             each second one overtakes the first
// for calls: drop (UNAVAILABLE), delay_reply (until release), twice; for streams: drop, hold,
// repeat (each message brings all before it again, newest first).
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';

const [modules, protoDir, which, envFile] = process.argv.slice(2);
const require = createRequire(modules + '/');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const definition = loader.loadSync(which + '.proto', {
  keepCase: true, longs: String, includeDirs: [protoDir], defaults: true, oneofs: false,
});
const packages = grpc.loadPackageDefinition(definition);
const Service = which === 'router' ? packages.mpc.router.v1.MessageRouter
                                   : packages.mpc.coordinator.v1.SessionCoordinator;
const options = {
  'grpc.max_receive_message_length': 64 << 20, 'grpc.max_send_message_length': 64 << 20,
  'grpc.initial_reconnect_backoff_ms': 100, 'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 500,
};
const clients = new Map(); // by port
let lastPort;

function service() {
  const port = /^GRPC_PORT=(\d+)$/m.exec(fs.readFileSync(envFile, 'utf8'))?.[1] ?? lastPort;
  if (!clients.has(port))
    clients.set(port, new Service('127.0.0.1:' + port, grpc.credentials.createInsecure(), options));
  lastPort = port;
  return clients.get(port);
}

const PAST = 256; // messages kept for replay
const SEND_MS = 20000;

let rules = [];
let held = [];
let watchers = [];
let state = 1; // of the generator
const past = [];
const tokens = new Map(); // party: the metadata of its last call
const seen = {};
const streams = new Set();

// xorshift: repeatable, and nothing here needs more.
function random(n) {
  state ^= state << 13; state ^= state >>> 17; state ^= state << 5;
  return (state >>> 0) % n;
}

// The public header of a message (docs/wire.md).
function describe(payload, from, to, session, attempt) {
  const sender = payload.length > 10 ? payload.readUInt16BE(8) : 0;
  return { round: payload[6], kind: payload[7], protocol: payload[4], sender, from, to, session,
           attempt };
}

function find(method, about) {
  for (const rule of rules) {
    if (rule.method ? rule.method !== method : method !== 'RouteMessage') continue;
    if (['protocol', 'round', 'kind', 'sender', 'from', 'to', 'session', 'attempt'].some(
      (k) => rule[k] !== undefined && rule[k] !== about[k])) continue;
    if (rule.after > 0) { rule.after--; continue; }
    if (rule.times !== undefined && rule.times-- <= 0) continue;
    return rule;
  }
  return null;
}

function hold(about, go) {
  held.push({ about, go });
  watchers = watchers.filter(({ n, answer }) => {
    if (held.length < n) return true;
    answer();
    return false;
  });
}

function metadataOf(call) {
  const metadata = new grpc.Metadata();
  for (const key of ['authorization', 'x-request-id', 'x-api-key'])
    for (const value of call.metadata.get(key)) metadata.set(key, value);
  return metadata;
}

const passed = (callback) => (error, reply) =>
  callback(error && { code: error.code, details: error.details, metadata: error.metadata }, reply);

function unary(name, call, callback) {
  const about = { from: call.request.party_id, session: call.request.session_id };
  const rule = find(name, about);
  const metadata = metadataOf(call);
  let answer = passed(callback);
  if (rule && rule.action === 'drop') {
    callback({ code: grpc.status.UNAVAILABLE, details: 'dropped by the test' });
    return;
  }
  if (rule && rule.action === 'twice') service()[name](call.request, metadata, () => {});
  if (rule && rule.action === 'delay_reply')
    answer = (...result) => hold({ method: name, ...about }, () => passed(callback)(...result));
  if (rule && rule.action === 'lie')
    answer = (error, reply) => passed(callback)(error, reply && lie(reply, rule));
  service()[name](call.request, metadata, { deadline: call.getDeadline() }, answer);
}

// What a service that was broken into could say instead.
function lie(reply, rule) {
  const said = { ...reply };
  if (rule.certificate && reply.certificate.length)
    said.certificate = Buffer.from(rule.certificate, 'base64');
  if (rule.repeat) said.members = reply.members.map((m) => ({ ...reply.members[0], index: m.index }));
  return said;
}

// |message| = { from, metadata, one }
function post({ from, metadata, one }, then = () => {}) {
  service().RouteMessage({ from, messages: [one] }, metadata,
                         { deadline: Date.now() + SEND_MS }, () => then());
}

function altered(one, rule) {
  const b = Buffer.from(one.payload);
  const at = rule.byte === undefined ? random(b.length) : (rule.byte + b.length) % b.length;
  b[at] ^= 1 << random(8);
  return { ...one, payload: b };
}

function somebodyElse(...not) {
  const others = [...tokens.keys()].filter((party) => !not.includes(party));
  return others.length ? others[random(others.length)] : null;
}

function act(rule, message, about) {
  const { one } = message;
  const other = rule.target || somebodyElse(about.from, about.to);
  seen.acted = (seen.acted || 0) + 1;
  switch (rule.action) {
  case 'hold': hold(about, () => post(message)); break;
  case 'drop': break;
  case 'duplicate': for (let i = 0; i < 3; i++) post(message);
    break;
  case 'alter': post({ ...message, one: altered(one, rule) }); break;
  case 'alter_and_pass': post({ ...message, one: altered(one, rule) }, () => post(message)); break;
  case 'redirect': if (other) post({ ...message, one: { ...one, to: [other] } }); break;
  case 'misattribute':
    if (other) post({ ...message, from: other, metadata: tokens.get(other) }, () => post(message));
    else post(message);
    break;
  case 'replay': {
    const { session_id, attempt, to } = one;
    for (let i = 0; i < 3; i++) {
      const old = past[random(past.length)];
      if (old.from !== to[0]) post({ ...old, one: { ...old.one, session_id, attempt, to } });
    }
    post(message);
    break;
  }
  case 'swap': {
    const first = rule.kept;
    rule.kept = first ? null : message;
    if (first) post(message, () => post(first));
    break;
  }
  default: throw new Error('unknown action ' + rule.action);
  }
}

// One message to one receiver after the other, so that rules can tell receivers apart.
function route(call, callback) {
  const metadata = metadataOf(call);
  const { from } = call.request;
  const passing = [];
  tokens.set(from, metadata);
  for (const message of call.request.messages)
    for (const to of message.to) {
      const one = { ...message, to: [to] };
      const about = describe(message.payload, from, to, message.session_id, message.attempt);
      const key = `${about.protocol}.${about.round}.${about.kind}`;
      seen[key] = (seen[key] || 0) + 1;
      past.push({ from, metadata, one });
      if (past.length > PAST) past.shift();
      const rule = find('RouteMessage', about);
      if (rule) act(rule, { from, metadata, one }, about);
      else passing.push(one);
    }
  if (passing.length === 0) { callback(null, {}); return; }
  service().RouteMessage({ from, messages: passing }, metadata, { deadline: call.getDeadline() },
                         passed(callback));
}

function stream(name, call) {
  const about = { from: call.request.party_id };
  const up = service()[name](call.request, metadataOf(call));
  const kept = [];
  const gone = () => { streams.delete(call); up.cancel(); };
  streams.add(call);
  up.on('data', (message) => {
    const rule = find(name, about);
    if (!rule) { call.write(message); return; }
    seen.acted = (seen.acted || 0) + 1;
    if (rule.action === 'hold') { hold({ method: name, ...about }, () => call.write(message)); return; }
    if (rule.action === 'drop') return;
    kept.push(message);
    for (const old of [...kept].reverse().slice(0, 8)) call.write(old);
  });
  up.on('error', ({ code, details }) => call.emit('error', { code, details }));
  up.on('end', () => call.end());
  call.on('cancelled', gone);
  call.on('close', gone);
}

const handlers = {};
for (const [name, method] of Object.entries(Service.service))
  handlers[name] = method.responseStream
    ? (call) => stream(name, call)
    : name === 'RouteMessage' ? route : (call, callback) => unary(name, call, callback);

const server = new grpc.Server(options);
server.addService(Service.service, handlers);

function control(request, response) {
  const url = new URL(request.url, 'http://localhost');
  let text = '';
  const answer = (value) => response.end(JSON.stringify(value));
  request.on('data', (b) => { text += b; });
  request.on('end', () => {
    const body = text ? JSON.parse(text) : {};
    switch (url.pathname) {
    case '/rules':
      for (const { kept } of rules) if (kept) post(kept);
      rules = body.rules;
      if (body.seed) state = body.seed;
      answer({});
      break;
    case '/release': {
      const all = body.reverse ? held.reverse() : held;
      held = [];
      for (const one of all) one.go();
      answer({ released: all.length });
      break;
    }
    case '/cut':
      for (const call of streams)
        call.emit('error', { code: grpc.status.UNAVAILABLE, details: 'cut by the test' });
      answer({});
      break;
    case '/held': {
      const n = Number(url.searchParams.get('n') || 0);
      const tell = () => answer(held.map((h) => h.about));
      if (held.length >= n) tell();
      else watchers.push({ n, answer: tell });
      break;
    }
    case '/seen': answer(seen); break;
    default: response.statusCode = 404; answer({});
    }
  });
}

server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  const web = http.createServer(control);
  web.listen(0, '127.0.0.1', () =>
    console.log(JSON.stringify({ grpc: port, control: web.address().port })));
});
process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
