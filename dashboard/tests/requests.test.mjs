import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

globalThis.document = /** @type {any} */ ({ hidden: false, getElementById: () => null });
globalThis.requestAnimationFrame = /** @type {any} */ (() => 0);
const { ulid } = await import("#app/api.mjs");
const { flush, latest, receive } = await import("#app/store.mjs");
const { dismiss, request, requests } = await import("#app/requests.mjs");

const AT = "2026-11-21T12:00:00Z";
const fact = (id, more = {}) => ({ id, at: AT, made_at: AT, ...more });
/** @type {any[]} */
let sent = [];
/** @param {number} status @param {any} body */
const answering = (status, body) => {
  globalThis.fetch = /** @type {any} */ (
    async (path, options) => {
      sent.push({ path, headers: options.headers, body: JSON.parse(options.body) });
      return new Response(JSON.stringify(body), { status });
    }
  );
};
const arrive = (topic, one) => {
  receive(topic, [one]);
  flush();
};
const settled = () => new Promise((done) => setTimeout(done, 0));
const only = () => requests.value[0];

beforeEach(() => {
  sent = [];
  for (const { key } of requests.value) dismiss(key);
});

test("accepted by the server is waiting, not done, until the fact is back", async () => {
  answering(202, { id: "x" });
  const proven = () => (latest("trading_effective").value?.trading_revision ?? 0) > 0;
  assert.equal(await request({ kind: "trading", label: "Trading on", path: "trading", body: { state: "on" }, proven }), "waiting");
  assert.equal(only().state, "waiting");
  arrive("trading_effective", fact("e", { trading_revision: 1 }));
  await settled();
  assert.equal(only().state, "done");
});

test("every change carries a key, the token's header and a moment after which it is void", async () => {
  answering(202, { id: "x" });
  await request({ kind: "k", label: "l", path: "commands", body: {} });
  const { headers } = sent[0];
  assert.match(headers["idempotency-key"], /^[0-9A-HJKMNP-TV-Z]{26}$/);
  assert.ok("x-csrf-token" in headers);
  assert.ok(Date.parse(headers["x-not-after"]) > Date.now());
});

test("a command is done when its final result says so, even when the result is faster than the answer", async () => {
  const key = ulid();
  globalThis.fetch = /** @type {any} */ (
    async () => {
      arrive("command_result", fact("r1", { command_id: key, ok: true, final: true, detail: "2 closed" }));
      return new Response(JSON.stringify({ id: key }), { status: 202 });
    }
  );
  await request({ kind: "liquidate", label: "Liquidate", path: "commands", body: {}, key });
  assert.deepEqual([only().state, only().detail], ["done", "2 closed"]);
});

test("an intermediate result keeps it waiting, a failed one says why", async () => {
  answering(202, { id: "c1" });
  await request({ kind: "close", label: "Close", path: "commands", body: {}, key: "c1-key-long" });
  arrive("command_result", fact("r1", { command_id: "c1", ok: true, final: false, detail: "order submitted" }));
  assert.deepEqual([only().state, only().detail], ["waiting", "order submitted"]);
  arrive("command_result", fact("r2", { command_id: "c1", ok: false, final: true, detail: "the broker refused", revision: 1 }));
  assert.deepEqual([only().state, only().detail], ["refused", "the broker refused"]);
});

test("a refusal shows what is missing", async () => {
  answering(412, { message: "on needs more", missing: { data: "No fresh bar of AAPL." } });
  await request({ kind: "trading", label: "l", path: "trading", body: {} });
  assert.deepEqual([only().state, only().detail, only().missing], ["refused", "on needs more", { data: "No fresh bar of AAPL." }]);
});

test("a server that is not reached leaves a request that nobody knows of, and sends nothing again", async () => {
  let tries = 0;
  globalThis.fetch = /** @type {any} */ (
    async () => {
      tries += 1;
      throw new TypeError("refused");
    }
  );
  assert.equal(await request({ kind: "k", label: "l", path: "commands", body: {} }), "lost");
  await settled();
  assert.deepEqual([only().state, tries], ["lost", 1]);
});

test("keys never repeat and sort by time", () => {
  const keys = Array.from({ length: 200 }, () => ulid());
  assert.equal(new Set(keys).size, 200);
  assert.ok(ulid(1) < ulid(2 ** 40));
});
