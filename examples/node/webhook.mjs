// SPDX-License-Identifier: Apache-2.0
// A receiver of webhooks (docs/api.md): believes a request only by its signature, and takes each
// event once. WEBHOOK_SECRET is that of account-service; PORT, 0 for a free one.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const SECRET = process.env.WEBHOOK_SECRET;
const MAX_AGE_S = 300, MAX_BYTES = 65536;

function isOurs(header, body) {
  const parts = (header ?? "").split(",").map((part) => part.split("=", 2));
  const time = parts.find(([name]) => name === "t")?.[1] ?? "";
  const right = createHmac("sha256", SECRET).update(`${time}.`).update(body).digest();
  const isNew = Math.abs(Date.now() / 1000 - Number(time)) <= MAX_AGE_S;
  return isNew && parts.some(([name, value]) => {
    const given = Buffer.from(name === "v1" ? value ?? "" : "", "hex");
    return given.length === right.length && timingSafeEqual(given, right);
  });
}

const taken = new Set(); // a real receiver keeps this where it keeps what it does about the event

const server = createServer((request, response) => {
  const chunks = [];
  let size = 0;
  request.on("data", (chunk) => {
    size += chunk.length;
    if (size > MAX_BYTES) request.destroy();
    else chunks.push(chunk);
  });
  request.on("end", () => {
    const body = Buffer.concat(chunks);
    if (!isOurs(request.headers["quorate-signature"], body)) {
      response.writeHead(401).end();
      return;
    }
    const event = JSON.parse(body);
    if (!taken.has(event.id)) console.log(`${event.type} ${event.session.session_id}`);
    taken.add(event.id);
    response.writeHead(204).end();
  });
});

server.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => {
  console.log(`ready at http://127.0.0.1:${server.address().port}/`);
});
