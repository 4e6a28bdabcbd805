// SPDX-License-Identifier: Apache-2.0
// A hostile network between parties and the router or the coordinator: it stands where they dial,
// and passes every call on to the real service, but for what a test tells it to do.
//
// usage: node proxy.mjs MODULES PROTO_DIR router|coordinator UPSTREAM
//
// Prints {"grpc": port, "control": port} and obeys JSON sent to the control port:
//   POST /rules {"rules": [{...}]}   replaces all rules. A rule matches by any of method, round,
//                                    kind, from, to, session, after (skip so many matches), times;
//                                    action: hold, drop, duplicate, replay, redirect, alter, swap,
//                                    delay_reply
//   POST /release {}                 let go what is held, in reverse order if {"reverse": true}
//   POST /cut {}                     end every stream
//   GET  /held?n=K                   answers once K or more are held: their descriptions
//   GET  /seen                       how many messages of each round and kind went by
import http from 'node:http';
import { createRequire } from 'node:module';

const [modules, protoDir, which, upstream] = process.argv.slice(2);
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
};
const client = new Service(upstream, grpc.credentials.createInsecure(), options);

let rules = [];
let held = [];
let watchers = [];
let past = []; // messages for replay
const seen = {};
const streams = new Set();

// The public header of a message (docs/wire.md).
function describe(payload, from, to, session, attempt) {
  const sender = payload.length > 10 ? payload.readUInt16BE(8) : 0;
  return { round: payload[6], kind: payload[7], protocol: payload[4], sender, from, to, session,
           attempt };
}

function find(method, about) {
  for (const rule of rules) {
    if (rule.method ? rule.method !== method : method !== 'RouteMessage') continue;
    if (['round', 'kind', 'protocol', 'from', 'to', 'session', 'attempt'].some(
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

function unary(name, call, callback) {
  const rule = name === 'RouteMessage' ? null : find(name, { from: call.request.party_id,
                                                             session: call.request.session_id });
  if (name === 'RouteMessage') { route(call, callback); return; }
  if (rule && rule.action === 'drop') {
    callback({ code: grpc.status.UNAVAILABLE, details: 'dropped by the test' });
    return;
  }
  client[name](call.request, metadataOf(call), { deadline: call.getDeadline() }, (error, reply) => {
    const answer = () => callback(error && { code: error.code, details: error.details,
                                             metadata: error.metadata }, reply);
    if (rule && rule.action === 'delay_reply') hold({ method: name }, answer);
    else answer();
  });
}

function send(messages, from, metadata) {
  if (messages.length === 0) return;
  client.RouteMessage({ from, messages }, metadata, { deadline: Date.now() + 20000 }, () => {});
}

// One message to one receiver after the other, so that rules can tell receivers apart.
function route(call, callback) {
  const metadata = metadataOf(call);
  const from = call.request.from;
  const now = [];
  for (const message of call.request.messages)
    for (const to of message.to) {
      const one = { ...message, to: [to] };
      const about = describe(message.payload, from, to, message.session_id, message.attempt);
      const key = `${about.protocol}.${about.round}.${about.kind}`;
      seen[key] = (seen[key] || 0) + 1;
      now.push(...treat(one, about, () => send([one], from, metadata)));
    }
  if (now.length === 0) { callback(null, {}); return; }
  client.RouteMessage({ from, messages: now }, metadata, { deadline: call.getDeadline() },
    (error, reply) => callback(error && { code: error.code, details: error.details,
                                          metadata: error.metadata }, reply));
}

function treat(message, about, later) {
  const rule = find('RouteMessage', about);
  const other = () => {
    const b = Buffer.from(message.payload);
    const at = rule.byte === undefined ? Math.floor(Math.random() * b.length)
                                       : (rule.byte + b.length) % b.length;
    b[at] ^= 1 << Math.floor(Math.random() * 8);
    return { ...message, payload: b };
  };
  past.push(message);
  if (past.length > 256) past.shift();
  if (!rule) return [message];
  switch (rule.action) {
  case 'hold': hold(about, later); return [];
  case 'drop': return [];
  case 'duplicate': return [message, message, message];
  case 'alter': return [other()];
  case 'alter_and_pass': return [other(), message];
  case 'redirect': return [{ ...message, to: [rule.target] }];
  case 'replay': {
    const old = past[Math.floor(Math.random() * past.length)];
    return [{ ...old, session_id: message.session_id, attempt: message.attempt, to: message.to },
            message];
  }
  case 'swap': { // each second one overtakes the first
    if (!rule.kept) { rule.kept = message; return []; }
    const first = rule.kept;
    rule.kept = null;
    return [message, first];
  }
  default: throw new Error('unknown action ' + rule.action);
  }
}

// Streams go through; with a rule for the method each message comes several times, and out of order.
function stream(name, call) {
  const up = client[name](call.request, metadataOf(call));
  const kept = [];
  streams.add(call);
  up.on('data', (message) => {
    const rule = find(name, { from: call.request.party_id });
    if (!rule) { call.write(message); return; }
    if (rule.action === 'hold') { hold({ method: name }, () => call.write(message)); return; }
    if (rule.action === 'drop') return;
    kept.push(message);
    for (const old of [...kept].reverse().slice(0, 8)) call.write(old); // newest first, all again
  });
  up.on('error', (error) => call.destroy(Object.assign(error, { code: error.code })));
  up.on('end', () => call.end());
  up.on('metadata', () => {});
  call.on('cancelled', () => { streams.delete(call); up.cancel(); });
  call.on('close', () => { streams.delete(call); up.cancel(); });
}

const handlers = {};
for (const [name, method] of Object.entries(Service.service))
  handlers[name] = method.responseStream ? (call) => stream(name, call)
                                         : (call, callback) => unary(name, call, callback);

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
    case '/rules': rules = body.rules; answer({}); break;
    case '/release': {
      const all = body.reverse ? held.reverse() : held;
      held = [];
      for (const one of all) one.go();
      answer({ released: all.length });
      break;
    }
    case '/cut': for (const call of streams) call.destroy(new Error('cut')); answer({}); break;
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
