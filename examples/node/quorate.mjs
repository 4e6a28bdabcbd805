// SPDX-License-Identifier: Apache-2.0
// A backend's way to the HTTP API: plain fetch, repeats that are safe, errors with their code.
import { setTimeout as sleep } from 'node:timers/promises';

export class QuorateError extends Error {
  constructor(status, body, retryAfter) {
    super(`${status} ${body.code}: ${body.error}`);
    this.status = status;
    this.code = body.code;
    this.requestId = body.request_id;
    this.sessionId = body.session_id; // the session that goes on, if there is one
    this.retryAfter = retryAfter; // seconds
  }
}

// Too busy, a service away, the wait over: the same request may succeed later. Everything else that
// is refused will be refused again.
const AGAIN = new Set([429, 503, 504]);
const LONGEST_WAIT_S = 60;

export class Quorate {
  // |url| and |key| as `quorate up` or the operator gave them.
  constructor({ url, key, tries = 8 }) {
    Object.assign(this, { url, key, tries });
  }

  // One request.
  async once(method, path, body, base = this.url) {
    const answer = await fetch(base + path, {
      method,
      headers: {
        'X-API-Key': this.key,
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      // Longer than the service waits, so that it is the service that says 504.
      signal: AbortSignal.timeout((LONGEST_WAIT_S + 30) * 1000),
    });
    const said = await answer.json();
    if (!answer.ok)
      throw new QuorateError(answer.status, said, Number(answer.headers.get('retry-after')));
    return said;
  }

  // A request that may be repeated: one that reads, or one with an idempotency_key. A connection
  // that broke says nothing about what became of the request; the repeat gets its answer.
  async call(method, path, body, base) {
    for (let n = 1; ; n++) {
      try {
        return await this.once(method, path, body, base);
      } catch (e) {
        if ((e instanceof QuorateError && !AGAIN.has(e.status)) || n === this.tries)
          throw e;
        const wait = e.retryAfter || Math.min(2 ** n / 10, 10);
        await sleep(wait * 1000 * (0.5 + Math.random() / 2));
      }
    }
  }

  // |idempotency_key| is yours, stored before the first call: as long as it is the same, there is
  // one account, whoever crashes in between.
  createAccount(fields) {
    return this.call('POST', '/api/v1/accounts', needKey(fields));
  }

  sign(accountId, fields) {
    return this.call('POST', `/api/v1/accounts/${accountId}/sign`, needKey(fields));
  }

  account(accountId) {
    return this.call('GET', `/api/v1/accounts/${accountId}`);
  }

  certificate(accountId) {
    return this.call('GET', `/api/v1/accounts/${accountId}/certificate`);
  }

  // Long polling: each answer comes when the session has ended, or after |seconds|.
  async sessionEnd(sessionId, seconds = LONGEST_WAIT_S) {
    for (;;) {
      const session = await this.call('GET', `/api/v1/mpc/sessions/${sessionId}?wait=${seconds}`);
      if (!['waiting', 'ready', 'running'].includes(session.status))
        return session;
    }
  }
}

function needKey(fields) {
  if (!fields.idempotency_key)
    throw new TypeError('an idempotency_key is needed: without it a repeat may sign twice');
  return fields;
}
